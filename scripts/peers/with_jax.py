"""JAX (jax.nn, jax.scipy, jax.random) under the names of the contracts."""
import jax
import jax.numpy as jnp


def log_sigmoid(a):
    """nn.log_sigmoid"""
    return jax.nn.log_sigmoid(a)


def softplus(a):
    """nn.softplus"""
    return jax.nn.softplus(a)


def log_sum_exp(a):
    """scipy.special.logsumexp"""
    return jax.scipy.special.logsumexp(a, axis=-1)


def log_softmax(a):
    """nn.log_softmax"""
    return jax.nn.log_softmax(a, axis=-1)


def normalized_weights(log_w):
    """nn.softmax"""
    return jax.nn.softmax(log_w, axis=-1)


def bernoulli_log_prob(bits, logits):
    """scipy.stats.bernoulli.logpmf of a sigmoid

    It has no form for logits: where the probability is rounded to 0 or 1, it is -inf, and its derivative is NaN.
    """
    return jax.scipy.stats.bernoulli.logpmf(bits, jax.nn.sigmoid(logits)).sum(-1)


def gaussian_log_prob(x, mean, log_variance):
    """scipy.stats.norm.logpdf"""
    return jax.scipy.stats.norm.logpdf(x, mean, jnp.exp(log_variance / 2)).sum(-1)


def full_gaussian_log_prob(x, mean, covariance):
    """scipy.stats.multivariate_normal.logpdf"""
    return jax.scipy.stats.multivariate_normal.logpdf(x, mean, covariance)


def gumbel_softmax(logits, u, tau):
    """nn.softmax of logits and -log(-log u)"""
    return jax.nn.softmax((logits - jnp.log(-jnp.log(u))) / tau, axis=-1)


def gaussian_score(x, mean, log_sd):
    """grad of scipy.stats.norm.logpdf"""
    return jax.grad(lambda m, s: jax.scipy.stats.norm.logpdf(x, m, jnp.exp(s)).sum(), (0, 1))(mean, log_sd)


def categorical_draws(n, log_target, seed):
    """random.categorical"""
    return jax.random.categorical(jax.random.key(seed), log_target, shape=(n,))


def categorical_draws__choice(n, log_target, seed):
    """random.choice of softmax"""
    return jax.random.choice(jax.random.key(seed), len(log_target), (n,), p=jax.nn.softmax(log_target))


def entropy(p):
    """scipy.special.entr, summed"""
    return jax.scipy.special.entr(p).sum(-1)


def kl_divergence(p, q):
    """scipy.special.rel_entr, summed"""
    return jax.scipy.special.rel_entr(p, q).sum(-1)


def kl_divergence__kl_div(p, q):
    """scipy.special.kl_div, summed"""
    return jax.scipy.special.kl_div(p, q).sum(-1)
