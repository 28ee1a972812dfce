"""Pyro under the names of the contracts: its ELBOs on given draws, its transforms, its distributions."""
from unittest import mock

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions.transforms import AffineAutoregressive
from pyro.distributions.transforms.planar import ConditionedPlanar
from pyro.infer import RenyiELBO, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO


class Given(dist.TorchDistribution):
    """Draws that are not reparametrised, whose log-probabilities are given."""
    arg_constraints = {}
    support = dist.constraints.real

    def __init__(self, log_probs):
        self.log_probs = log_probs
        super().__init__(log_probs.shape, validate_args=False)

    def sample(self, sample_shape=()):
        return torch.zeros_like(self.log_probs)

    def log_prob(self, value):
        return self.log_probs + 0 * value       # a cost of this draw: TraceGraph_ELBO looks which draws it comes from


def per_row(log_w, loss):
    """minus the loss, in which each particle has the next log-weight as its factor; one row after the other."""
    def one(row):
        weights = iter(row)
        return -loss(len(row), lambda: pyro.factor("w", next(weights)), lambda: None)
    return torch.stack([one(row) for row in log_w.reshape(-1, log_w.shape[-1])]).reshape(log_w.shape[:-1])


def elbo(log_w):
    """infer.Trace_ELBO(num_particles=K)

    Where a weight is zero the loss is inf, and differentiable_loss adds inf - inf to it: NaN; loss() gives inf.
    """
    return per_row(log_w, lambda K, model, guide: Trace_ELBO(num_particles=K).differentiable_loss(model, guide))


class ByLossAndGrads(torch.autograd.Function):
    """minus the loss as a differentiable number, whose derivative is what loss_and_grads leaves in the parameters."""

    @staticmethod
    def forward(ctx, loss, programs, *parameters):
        pyro.clear_param_store()
        with torch.enable_grad():
            names = [f"parameter {i}" for i in range(len(parameters))]
            for name, value in zip(names, parameters):
                pyro.param(name, value.detach().clone())
            value = loss.loss_and_grads(*programs(lambda: [pyro.param(name) for name in names]))
        ctx.grads = [pyro.param(name).grad for name in names]
        return torch.as_tensor(-value, dtype=parameters[0].dtype)

    @staticmethod
    def backward(ctx, slope):
        return (None, None, *(-slope * grad if grad is not None else None for grad in ctx.grads))


def iwae_bound(log_w):
    """infer.RenyiELBO(alpha=0, num_particles=K), derivatives by its loss_and_grads

    Its weights are exp(log w - log mean w), not a softmax: where log-weights are large, they sum to one only up to
    the rounding of the log-weights (4e-4 at 2e4 in float32).
    """
    def programs(parameters):
        counter = iter(range(log_w.shape[-1]))
        return lambda: pyro.factor("w", parameters()[0][next(counter)]), lambda: None
    return torch.stack([ByLossAndGrads.apply(RenyiELBO(0, row.shape[-1]), programs, row)
                        for row in log_w.reshape(-1, log_w.shape[-1])]).reshape(log_w.shape[:-1])


def model_and_guide(x, mean, log_variance, W, b):
    def model():
        h = pyro.sample("h", dist.Normal(torch.zeros_like(mean), torch.ones_like(mean)).to_event(1))
        pyro.sample("x", dist.Bernoulli(logits=W @ h + b).to_event(1), obs=x)

    def guide():
        pyro.sample("h", dist.Normal(mean, (log_variance / 2).exp()).to_event(1))
    return model, guide


def noise(eps):
    """The noise of Normal.rsample, one draw after the other."""
    return mock.patch("torch.distributions.normal._standard_normal", side_effect=list(eps))


def reparameterised_elbo(x, mean, log_variance, eps, W, b):
    """infer.Trace_ELBO(num_particles=K), with its noise given"""
    with noise(eps):
        return -Trace_ELBO(num_particles=len(eps)).differentiable_loss(*model_and_guide(x, mean, log_variance, W, b))


def reparameterised_elbo__graph(x, mean, log_variance, eps, W, b):
    """infer.TraceGraph_ELBO(num_particles=K), with its noise given, derivatives by its loss_and_grads"""
    def programs(parameters):
        return (lambda: model_and_guide(x, *parameters())[0](), lambda: model_and_guide(x, *parameters())[1]())
    with noise(eps):
        return ByLossAndGrads.apply(TraceGraph_ELBO(num_particles=len(eps)), programs, mean, log_variance, W, b)


def reparameterised_iwae_bound(x, mean, log_variance, eps, W, b):
    """infer.RenyiELBO(alpha=0, num_particles=K), with its noise given, derivatives by its loss_and_grads"""
    def programs(parameters):
        return (lambda: model_and_guide(x, *parameters())[0](), lambda: model_and_guide(x, *parameters())[1]())
    with noise(eps):
        return ByLossAndGrads.apply(RenyiELBO(0, len(eps)), programs, mean, log_variance, W, b)


def vae_loss(x, logits, mean, log_variance):
    """infer.TraceMeanField_ELBO, in a plate, divided by the batch"""
    def model():
        with pyro.plate("data", len(x)):
            pyro.sample("h", dist.Normal(torch.zeros_like(mean), torch.ones_like(mean)).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)

    def guide():
        with pyro.plate("data", len(x)):
            pyro.sample("h", dist.Normal(mean, (log_variance / 2).exp()).to_event(1))
    return TraceMeanField_ELBO().differentiable_loss(model, guide) / len(x)


def subsampled_signal(log_p, log_q, N, loss=Trace_ELBO):
    """infer.Trace_ELBO on pyro.plate(N, subsample_size=M): its surrogate's derivative in log q"""
    log_q = log_q.detach().clone()
    pyro.clear_param_store()

    def draw(log_probs):
        with pyro.plate("data", N, subsample_size=len(log_p)):
            pyro.sample("h", Given(log_probs))
    loss().loss_and_grads(lambda: draw(log_p), lambda: draw(pyro.param("log_q", log_q)))
    return -pyro.param("log_q").grad


def subsampled_signal__graph(log_p, log_q, N):
    """infer.TraceGraph_ELBO on pyro.plate(N, subsample_size=M): its surrogate's derivative in log q"""
    return subsampled_signal(log_p, log_q, N, TraceGraph_ELBO)


def planar_flow(z, u, w, b):
    """distributions.transforms.Planar

    It takes u for a parameter, and adds to it along w until u'w > -1, so that the layer is invertible: another map of
    (u, w, b) to layers, not another layer.
    """
    layer = ConditionedPlanar((b, u, w))
    y = layer(z)
    return y, layer.log_abs_det_jacobian(z, y).reshape(z.shape[:-1])


def planar_flow__u_hat(z, u, w, b):
    """distributions.transforms.Planar, whose u_hat is the u that is asked for

    The remaining deviation is u'w <= -1, which no parameter gives.
    """
    slack = u @ w + 1
    before = torch.where(slack > 0, slack + torch.log(-torch.expm1(-slack)), u @ w)
    layer = ConditionedPlanar((b, u + (before - u @ w) * w / (w @ w), w))
    y = layer(z)
    return y, layer.log_abs_det_jacobian(z, y).reshape(z.shape[:-1])


def inverse_autoregressive_flow(eps, M, m, S, s):
    """distributions.transforms.AffineAutoregressive

    It clips log sigma to [-5, 3] by default, which no case reaches.
    """
    def net(x):
        return torch.tanh(x) @ M.tril(-1).T + m, torch.tanh(x) @ S.tril(-1).T + s
    layer = AffineAutoregressive(net)
    z = layer(eps)
    return z, layer.log_abs_det_jacobian(eps, z)


def iaf_gated_step(z, m, s):
    """distributions.transforms.AffineAutoregressive(stable=True, sigmoid_bias=0)"""
    layer = AffineAutoregressive(lambda x: (m, s), stable=True, sigmoid_bias=0.0)
    out = layer(z)
    return out, layer.log_abs_det_jacobian(z, out)


def concrete_log_density(z, logits, tau):
    """distributions.RelaxedOneHotCategorical.log_prob"""
    return dist.RelaxedOneHotCategorical(logits.new_tensor(tau), logits=logits, validate_args=False).log_prob(z)
