"""PyTorch and torch.distributions under the names of the contracts."""
from unittest import mock

import torch
import torch.nn.functional as F
from torch import distributions as dist


def log_sigmoid(a):
    """nn.functional.logsigmoid"""
    return F.logsigmoid(a)


def softplus(a):
    """nn.functional.softplus"""
    return F.softplus(a)


def softplus__logaddexp(a):
    """logaddexp(a, 0)"""
    return torch.logaddexp(a, torch.zeros_like(a))


def log_sum_exp(a):
    """logsumexp"""
    return torch.logsumexp(a, -1)


def log_softmax(a):
    """nn.functional.log_softmax"""
    return F.log_softmax(a, -1)


def normalized_weights(log_w):
    """softmax"""
    return torch.softmax(log_w, -1)


def bernoulli_log_prob(bits, logits):
    """distributions.Bernoulli(logits=).log_prob"""
    return dist.Bernoulli(logits=logits).log_prob(bits).sum(-1)


def bernoulli_log_prob__bce(bits, logits):
    """nn.functional.binary_cross_entropy_with_logits, summed"""
    return F.binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(-1)


def bernoulli_log_prob__bce_of_sigmoid(bits, logits):
    """nn.functional.binary_cross_entropy of a sigmoid, summed

    It clamps the logarithm at -100: where a probability is rounded to 0 or 1, value and derivative are others. Use
    binary_cross_entropy_with_logits.
    """
    return F.binary_cross_entropy(torch.sigmoid(logits), bits, reduction="none").sum(-1)


def categorical_log_prob(index, logits):
    """distributions.Categorical(logits=).log_prob"""
    return dist.Categorical(logits=logits).log_prob(index)


def categorical_log_prob__cross_entropy(index, logits):
    """nn.functional.cross_entropy"""
    flat = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), index.reshape(-1), reduction="none")
    return flat.reshape(index.shape)


def gaussian_log_prob(x, mean, log_variance):
    """distributions.Normal.log_prob"""
    return dist.Normal(mean, (log_variance / 2).exp()).log_prob(x).sum(-1)


def gaussian_log_prob__nll(x, mean, log_variance):
    """nn.functional.gaussian_nll_loss(full=True)

    It clamps the variance at 1e-6 from below, without a derivative.
    """
    return F.gaussian_nll_loss(mean, x, log_variance.exp(), full=True, reduction="none").sum(-1)


def gaussian_log_prob__nll_default(x, mean, log_variance):
    """nn.functional.gaussian_nll_loss, its default full=False

    The constant log(2 pi) / 2 is left out unless full=True is said: not to be reported as a likelihood.
    """
    return -F.gaussian_nll_loss(mean, x, log_variance.exp(), reduction="none").sum(-1)


def full_gaussian_log_prob(x, mean, covariance):
    """distributions.MultivariateNormal.log_prob"""
    return dist.MultivariateNormal(mean, covariance).log_prob(x)


def gaussian_kl(mean, log_variance):
    """distributions.kl_divergence(Normal, Normal(0, 1))"""
    q = dist.Normal(mean, (log_variance / 2).exp())
    return dist.kl_divergence(q, dist.Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(-1)


def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    """distributions.kl_divergence(Normal, Normal)"""
    return dist.kl_divergence(dist.Normal(mean_p, (log_variance_p / 2).exp()),
                              dist.Normal(mean_q, (log_variance_q / 2).exp())).sum(-1)


def full_gaussian_kl(mean_p, covariance_p, mean_q, covariance_q):
    """distributions.kl_divergence(MultivariateNormal, MultivariateNormal)"""
    return dist.kl_divergence(dist.MultivariateNormal(mean_p, covariance_p),
                              dist.MultivariateNormal(mean_q, covariance_q))


def reparameterise(mean, log_variance, eps):
    """distributions.Normal.rsample, with its noise given"""
    with mock.patch("torch.distributions.normal._standard_normal", lambda *a, **k: eps):
        return dist.Normal(mean, (log_variance / 2).exp()).rsample()


def gumbel_softmax(logits, u, tau):
    """nn.functional.gumbel_softmax, with its exponential noise given"""
    with mock.patch.object(torch.Tensor, "exponential_", lambda self: self.copy_(-u.log())):
        return F.gumbel_softmax(logits, tau)


def gumbel_softmax__rsample(logits, u, tau):
    """distributions.RelaxedOneHotCategorical.rsample, with its uniform noise given

    It clamps the uniform numbers at the precision of the dtype (2e-16, 1e-7): no Gumbel noise below -3.6 (-2.8). In
    bfloat16 its own check refuses the probabilities that it has made of the logits: rounded, they miss a sum of one.
    """
    with mock.patch("torch.rand", lambda *a, **k: u):
        return dist.RelaxedOneHotCategorical(logits.new_tensor(tau), logits=logits).rsample()


def binary_concrete(logits, u, tau):
    """distributions.RelaxedBernoulli.rsample, with its uniform noise given"""
    with mock.patch("torch.rand", lambda *a, **k: u):
        return dist.RelaxedBernoulli(logits.new_tensor(tau), logits=logits).rsample()


def concrete_log_density(z, logits, tau):
    """distributions.RelaxedOneHotCategorical.log_prob"""
    return dist.RelaxedOneHotCategorical(logits.new_tensor(tau), logits=logits, validate_args=False).log_prob(z)


def vae_loss(x, logits, mean, log_variance):
    """kl_divergence and binary_cross_entropy_with_logits, summed and divided by the batch"""
    q = dist.Normal(mean, (log_variance / 2).exp())
    kl = dist.kl_divergence(q, dist.Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum()
    return (F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl) / len(x)


def invertible_convolution(x, W):
    """nn.functional.conv2d with a 1x1 kernel, and linalg.slogdet"""
    z = F.conv2d(x.permute(2, 0, 1)[None], W[:, :, None, None])[0].permute(1, 2, 0)
    return z, x.shape[0] * x.shape[1] * torch.linalg.slogdet(W.double())[1].to(W.dtype)


def mixture_log_likelihood(x, a, B):
    """distributions.MixtureSameFamily.log_prob of independent Bernoullis"""
    return dist.MixtureSameFamily(dist.Categorical(logits=a),
                                  dist.Independent(dist.Bernoulli(logits=B), 1)).log_prob(x)


def gaussian_score(x, mean, log_sd):
    """autograd of distributions.Normal.log_prob"""
    mean, log_sd = mean.clone().requires_grad_(), log_sd.clone().requires_grad_()
    return torch.autograd.grad(dist.Normal(mean, log_sd.exp()).log_prob(x).sum(), (mean, log_sd))


def categorical_draws(n, log_target, seed):
    """distributions.Categorical.sample"""
    torch.manual_seed(seed)
    return dist.Categorical(logits=log_target).sample((n,))


def categorical_draws__multinomial(n, log_target, seed):
    """multinomial of softmax, with replacement"""
    return torch.multinomial(torch.softmax(log_target, -1), n, True, generator=torch.Generator().manual_seed(seed))


# ---- divergences ----------------------------------------------------------------------

def entropy(p):
    """special.entr, summed"""
    return torch.special.entr(p).sum(-1)


def entropy__categorical(p):
    """distributions.Categorical(probs).entropy

    It clamps the probabilities at the precision of the dtype: 0 log 0 is 8e-15 (float32: 2e-6).
    """
    return dist.Categorical(probs=p).entropy()


def kl_divergence(p, q):
    """nn.functional.kl_div(log q, p), summed

    p log p is taken with care, p log q is not: NaN where p = q = 0.
    """
    return F.kl_div(q.log(), p, reduction="none").sum(-1)


def kl_divergence__default(p, q):
    """nn.functional.kl_div(log q, p), its default reduction

    The default averages over all elements: PyTorch's own documentation says so, and warns of it.
    """
    return F.kl_div(q.log(), p)


def kl_divergence__categorical(p, q):
    """distributions.kl_divergence(Categorical, Categorical)"""
    return dist.kl_divergence(dist.Categorical(probs=p), dist.Categorical(probs=q))


def cross_entropy(p, q):
    """nn.functional.cross_entropy of log q with the table p as its target

    Where p = q = 0 it has 0 (-inf): NaN.
    """
    return F.cross_entropy(q.log().reshape(-1, q.shape[-1]), p.reshape(-1, p.shape[-1]),
                           reduction="none").reshape(p.shape[:-1])


# ---- update rules ---------------------------------------------------------------------

def updated(parameter, slope, optimiser, **state):
    """The parameter after a step of an optimiser that has this memory, and its state."""
    parameter = torch.nn.Parameter(parameter.clone())
    parameter.grad = slope.clone()
    optimiser = optimiser([parameter])
    optimiser.state[parameter] = {key: value.clone() if torch.is_tensor(value) else value
                                  for key, value in state.items()}
    optimiser.step()
    return parameter.detach(), optimiser.state[parameter]


def sgd_update(parameter, F, gamma):
    """optim.SGD(maximize=True)"""
    return updated(parameter, F, lambda p: torch.optim.SGD(p, gamma, maximize=True))[0]


def momentum_update(parameter, m, F, gamma, b):
    """optim.SGD(momentum=b, maximize=True)

    With maximize=True it remembers minus F: the memory has the other sign, the parameters are right.
    """
    new, state = updated(parameter, F, lambda p: torch.optim.SGD(p, gamma, b, maximize=True), momentum_buffer=m)
    return new, state["momentum_buffer"]


def momentum_update__descends(parameter, m, F, gamma, b):
    """optim.SGD(momentum=b)"""
    new, state = updated(parameter, F, lambda p: torch.optim.SGD(p, gamma, b), momentum_buffer=m)
    return new, state["momentum_buffer"]


def momentum_update__nesterov(parameter, m, F, gamma, b):
    """optim.SGD(momentum=b, nesterov=True)"""
    new, state = updated(parameter, F, lambda p: torch.optim.SGD(p, gamma, b, nesterov=True), momentum_buffer=m)
    return new, state["momentum_buffer"]


def adam_update(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    """optim.Adam"""
    new, state = updated(parameter, F, lambda p: torch.optim.Adam(p, gamma, (b1, b2), epsilon),
                         step=torch.tensor(float(t - 1)), exp_avg=m, exp_avg_sq=v)
    return new, state["exp_avg"], state["exp_avg_sq"]


def adamax_update(parameter, m, u, F, gamma, b1, b2, t):
    """optim.Adamax(eps=0)"""
    new, state = updated(parameter, F, lambda p: torch.optim.Adamax(p, gamma, (b1, b2), 0.0),
                         step=torch.tensor(float(t - 1)), exp_avg=m, exp_inf=u)
    return new, state["exp_avg"], state["exp_inf"]


def adamax_update__default(parameter, m, u, F, gamma, b1, b2, t):
    """optim.Adamax, its default eps=1e-8

    It adds eps to |F|: the maximum is off by as much.
    """
    new, state = updated(parameter, F, lambda p: torch.optim.Adamax(p, gamma, (b1, b2)),
                         step=torch.tensor(float(t - 1)), exp_avg=m, exp_inf=u)
    return new, state["exp_avg"], state["exp_inf"]
