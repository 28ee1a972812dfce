"""NumPyro under the names of the contracts: its ELBOs on given draws, its distributions and transforms."""
import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist
from numpyro.handlers import substitute
from numpyro.infer import RenyiELBO, Trace_ELBO, TraceMeanField_ELBO

KEY = jax.random.key(0)


def one_after_another(function, keys):
    """In the place of vmap over particles: a loop, so that each particle has its own given draw."""
    return jax.tree.map(lambda *parts: jnp.stack(parts), *[function(key) for key in keys])


def over_particles(loss, K):
    """The loss with K particles, one after another."""
    loss.num_particles, loss.vectorize_particles_fn = K, one_after_another
    return loss


def per_row(log_w, make):
    def one(row):
        weights = iter(row)
        return -over_particles(make(), len(row)).loss(KEY, {}, lambda: numpyro.factor("w", next(weights)), lambda: None)
    return jnp.stack([one(row) for row in log_w.reshape(-1, log_w.shape[-1])]).reshape(log_w.shape[:-1])


@jax.jit
def elbo(log_w):
    """infer.Trace_ELBO(num_particles=K)"""
    return per_row(log_w, Trace_ELBO)


@jax.jit
def iwae_bound(log_w):
    """infer.RenyiELBO(alpha=0, num_particles=K)

    Where a weight is zero it is NaN: its loss has the sum of weight times log-weight, 0 (-inf).
    """
    return per_row(log_w, RenyiELBO)


def given(x, mean, log_variance, eps, W, b, loss):
    """minus the loss of the model and guide, where the guide's draws have the noise eps."""
    draws = iter(mean + jnp.exp(log_variance / 2) * eps)

    def model():
        h = numpyro.sample("h", dist.Normal(jnp.zeros_like(mean), jnp.ones_like(mean)).to_event(1))
        numpyro.sample("x", dist.Bernoulli(logits=W @ h + b).to_event(1), obs=x)

    def guide():
        with substitute(data={"h": next(draws)}):
            numpyro.sample("h", dist.Normal(mean, jnp.exp(log_variance / 2)).to_event(1))
    return -over_particles(loss, len(eps)).loss(KEY, {}, model, guide)


@jax.jit
def reparameterised_elbo(x, mean, log_variance, eps, W, b):
    """infer.Trace_ELBO(num_particles=K), with its draws given"""
    return given(x, mean, log_variance, eps, W, b, Trace_ELBO())


@jax.jit
def reparameterised_iwae_bound(x, mean, log_variance, eps, W, b):
    """infer.RenyiELBO(alpha=0, num_particles=K), with its draws given"""
    return given(x, mean, log_variance, eps, W, b, RenyiELBO())


@jax.jit
def vae_loss(x, logits, mean, log_variance):
    """infer.TraceMeanField_ELBO, in a plate, divided by the batch"""
    def model():
        with numpyro.plate("data", len(x)):
            numpyro.sample("h", dist.Normal(jnp.zeros_like(mean), jnp.ones_like(mean)).to_event(1))
            numpyro.sample("x", dist.Bernoulli(logits=logits).to_event(1), obs=x)

    def guide():
        with numpyro.plate("data", len(x)):
            numpyro.sample("h", dist.Normal(mean, jnp.exp(log_variance / 2)).to_event(1))
    return TraceMeanField_ELBO().loss(KEY, {}, model, guide) / len(x)


def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    """distributions.kl_divergence(Normal, Normal)"""
    return dist.kl_divergence(dist.Normal(mean_p, jnp.exp(log_variance_p / 2)),
                              dist.Normal(mean_q, jnp.exp(log_variance_q / 2))).sum(-1)


def gaussian_log_prob(x, mean, log_variance):
    """distributions.Normal.log_prob"""
    return dist.Normal(mean, jnp.exp(log_variance / 2)).log_prob(x).sum(-1)


@jax.jit
def full_gaussian_log_prob(x, mean, covariance):
    """distributions.MultivariateNormal.log_prob"""
    return dist.MultivariateNormal(mean, covariance).log_prob(x)


@jax.jit
def full_gaussian_kl(mean_p, covariance_p, mean_q, covariance_q):
    """distributions.kl_divergence(MultivariateNormal, MultivariateNormal)"""
    return dist.kl_divergence(dist.MultivariateNormal(mean_p, covariance_p),
                              dist.MultivariateNormal(mean_q, covariance_q))


def bernoulli_log_prob(bits, logits):
    """distributions.BernoulliLogits.log_prob"""
    return dist.BernoulliLogits(logits).log_prob(bits).sum(-1)


def categorical_log_prob(index, logits):
    """distributions.CategoricalLogits.log_prob"""
    return dist.CategoricalLogits(logits).log_prob(index)


@jax.jit
def mixture_log_likelihood(x, a, B):
    """distributions.MixtureSameFamily.log_prob of independent Bernoullis"""
    return dist.MixtureSameFamily(dist.CategoricalLogits(a), dist.BernoulliLogits(B).to_event(1)).log_prob(x)


@jax.jit
def inverse_autoregressive_flow(eps, M, m, S, s):
    """distributions.flows.InverseAutoregressiveTransform

    It clips log sigma to [-5, 3] by default, which no case reaches.
    """
    def net(x):
        return jnp.tril(M, -1) @ jnp.tanh(x) + m, jnp.tril(S, -1) @ jnp.tanh(x) + s
    layer = dist.flows.InverseAutoregressiveTransform(jax.vmap(net))
    z, scales = layer.call_with_intermediates(eps)
    return z, layer.log_abs_det_jacobian(eps, z, scales)


def categorical_draws(n, log_target, seed):
    """distributions.CategoricalLogits.sample"""
    return dist.CategoricalLogits(log_target).sample(jax.random.key(seed), (n,))
