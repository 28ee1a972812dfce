"""Distrax under the names of the contracts."""
import distrax
import jax
import jax.numpy as jnp


def bernoulli_log_prob(bits, logits):
    """Bernoulli(logits=).log_prob"""
    return distrax.Bernoulli(logits=logits).log_prob(bits).sum(-1)


def categorical_log_prob(index, logits):
    """Categorical(logits=).log_prob"""
    return distrax.Categorical(logits=logits).log_prob(index)


def gaussian_log_prob(x, mean, log_variance):
    """MultivariateNormalDiag.log_prob"""
    return distrax.MultivariateNormalDiag(mean, jnp.exp(log_variance / 2)).log_prob(x)


def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    """MultivariateNormalDiag.kl_divergence"""
    return distrax.MultivariateNormalDiag(mean_p, jnp.exp(log_variance_p / 2)).kl_divergence(
        distrax.MultivariateNormalDiag(mean_q, jnp.exp(log_variance_q / 2)))


@jax.jit
def full_gaussian_log_prob(x, mean, covariance):
    """MultivariateNormalFullCovariance.log_prob"""
    return distrax.MultivariateNormalFullCovariance(mean, covariance).log_prob(x)


@jax.jit
def full_gaussian_kl(mean_p, covariance_p, mean_q, covariance_q):
    """MultivariateNormalFullCovariance.kl_divergence"""
    return distrax.MultivariateNormalFullCovariance(mean_p, covariance_p).kl_divergence(
        distrax.MultivariateNormalFullCovariance(mean_q, covariance_q))


@jax.jit
def mixture_log_likelihood(x, a, B):
    """MixtureSameFamily.log_prob of independent Bernoullis"""
    return distrax.MixtureSameFamily(distrax.Categorical(logits=a),
                                     distrax.Independent(distrax.Bernoulli(logits=B), 1)).log_prob(x)


def categorical_draws(n, log_target, seed):
    """Categorical.sample"""
    return distrax.Categorical(logits=log_target).sample(seed=jax.random.key(seed), sample_shape=(n,))
