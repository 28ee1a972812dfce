"""TensorFlow Probability on JAX under the names of the contracts."""
import jax
import jax.numpy as jnp
from tensorflow_probability.substrates import jax as tfp

tfd = tfp.distributions


def log_sum_exp(a):
    """math.reduce_logsumexp"""
    return tfp.math.reduce_logsumexp(a, axis=-1)


def bernoulli_log_prob(bits, logits):
    """distributions.Bernoulli(logits=).log_prob"""
    return tfd.Bernoulli(logits=logits).log_prob(bits).sum(-1)


def categorical_log_prob(index, logits):
    """distributions.Categorical(logits=).log_prob"""
    return tfd.Categorical(logits=logits).log_prob(index)


def gaussian_log_prob(x, mean, log_variance):
    """distributions.MultivariateNormalDiag.log_prob"""
    return tfd.MultivariateNormalDiag(mean, jnp.exp(log_variance / 2)).log_prob(x)


def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    """distributions.kl_divergence(MultivariateNormalDiag, MultivariateNormalDiag)"""
    return tfd.kl_divergence(tfd.MultivariateNormalDiag(mean_p, jnp.exp(log_variance_p / 2)),
                             tfd.MultivariateNormalDiag(mean_q, jnp.exp(log_variance_q / 2)))


@jax.jit
def full_gaussian_log_prob(x, mean, covariance):
    """distributions.MultivariateNormalFullCovariance.log_prob"""
    return tfd.MultivariateNormalFullCovariance(mean, covariance).log_prob(x)


@jax.jit
def full_gaussian_kl(mean_p, covariance_p, mean_q, covariance_q):
    """distributions.kl_divergence(MultivariateNormalFullCovariance, MultivariateNormalFullCovariance)"""
    return tfd.kl_divergence(tfd.MultivariateNormalFullCovariance(mean_p, covariance_p),
                             tfd.MultivariateNormalFullCovariance(mean_q, covariance_q))


def concrete_log_density(z, logits, tau):
    """distributions.RelaxedOneHotCategorical.log_prob"""
    return tfd.RelaxedOneHotCategorical(tau, logits=logits).log_prob(z)


def mixture_log_likelihood(x, a, B):
    """distributions.MixtureSameFamily.log_prob of independent Bernoullis"""
    return tfd.MixtureSameFamily(tfd.Categorical(logits=a), tfd.Independent(tfd.Bernoulli(logits=B), 1)).log_prob(x)


class Given:
    """A surrogate whose log-probabilities at its K draws are given."""

    def __init__(self, log_q):
        self.log_q = log_q

    def sample(self, sample_shape, seed=None):
        return jnp.zeros(sample_shape)

    def log_prob(self, value):
        return self.log_q


@jax.jit
def vimco_coefficients(log_w):
    """vi.csiszar_vimco(kl_reverse): minus its derivative in log q"""
    def loss(log_q):        # K along the first axis, one batch of draws
        return tfp.vi.csiszar_vimco(tfp.vi.kl_reverse, lambda x: log_w_first + jax.lax.stop_gradient(log_q),
                                    Given(log_q), log_w.shape[-1], 1, seed=jax.random.key(0)).sum()
    log_w_first = jnp.moveaxis(log_w, -1, 0)[:, None]
    return -jnp.moveaxis(jax.grad(loss)(jnp.zeros_like(log_w_first))[:, 0], 0, -1)


@jax.jit
def vimco_baseline(log_w):
    """math.log_soomean_exp, the leave-one-out means"""
    return tfp.math.log_soomean_exp(log_w, axis=-1)[0]


@jax.jit
def iwae_bound(log_w):
    """math.log_soomean_exp, the mean"""
    return tfp.math.log_soomean_exp(log_w, axis=-1, keepdims=False)[1]


# ---- divergences: E_q f(log p/q) ------------------------------------------------------

def f_divergence(f):
    """E_q f(log u), u = p/q, over the states of a table that q has: no expectation under q sees the others."""
    return lambda p, q: jnp.sum(jnp.where(q > 0, q * f(jnp.log(p) - jnp.log(jnp.where(q > 0, q, 1))), 0), axis=-1)


def kl_divergence(p, q):
    """vi.kl_forward

    f(log u) is NaN at u = 0 (log u = -inf); a state that q never has is not seen by an expectation under q.
    """
    return f_divergence(tfp.vi.kl_forward)(p, q)


def reverse_kl_divergence(p, q):
    """vi.kl_reverse"""
    return f_divergence(tfp.vi.kl_reverse)(p, q)


def js_divergence(p, q):
    """vi.jensen_shannon, its default self_normalized=False

    2 JS - 2 log 2, by convention; f(log u) is NaN at u = 0, and a state that q never has is not seen.
    """
    return f_divergence(tfp.vi.jensen_shannon)(p, q)


def js_divergence__self_normalized(p, q):
    """vi.jensen_shannon(self_normalized=True)

    Twice JS, by convention; f(log u) is NaN at u = 0, and a state that q never has is not seen.
    """
    return f_divergence(lambda logu: tfp.vi.jensen_shannon(logu, self_normalized=True))(p, q)


def gan_divergence(p, q):
    """vi.jensen_shannon, its default self_normalized=False

    f(log u) is NaN at u = 0.
    """
    return f_divergence(tfp.vi.jensen_shannon)(p, q)


def squared_hellinger_distance(p, q):
    """vi.squared_hellinger"""
    return f_divergence(tfp.vi.squared_hellinger)(p, q)


def pearson_chi_squared(p, q):
    """vi.pearson"""
    return f_divergence(tfp.vi.pearson)(p, q)


def pearson_chi_squared__chi_square(p, q):
    """vi.chi_square"""
    return f_divergence(tfp.vi.chi_square)(p, q)


def neyman_chi_squared(p, q):
    """vi.dual_csiszar_function of vi.pearson

    u f(1/u) is NaN at u = 0, where it is inf.
    """
    return f_divergence(lambda logu: tfp.vi.dual_csiszar_function(logu, tfp.vi.pearson))(p, q)


def jeffreys_divergence(p, q):
    """vi.jeffreys"""
    return f_divergence(tfp.vi.jeffreys)(p, q)


def total_variation(p, q):
    """vi.total_variation"""
    return f_divergence(tfp.vi.total_variation)(p, q)


def alpha_divergence(p, q, alpha):
    """vi.amari_alpha(self_normalized=True)"""
    return f_divergence(lambda logu: tfp.vi.amari_alpha(logu, alpha, self_normalized=True))(p, q)


def alpha_divergence__default(p, q, alpha):
    """vi.amari_alpha, its default self_normalized=False"""
    return f_divergence(lambda logu: tfp.vi.amari_alpha(logu, alpha))(p, q)


# ---- kernels --------------------------------------------------------------------------

def log_density(mean, sd):
    return lambda x: -0.5 * jnp.sum(((x - mean) / sd)**2, axis=-1)


def one_step(kernel, x, seed):
    return kernel.one_step(x, kernel.bootstrap_results(x), seed=jax.random.key(seed))[0]


@jax.jit
def mala_kernel(x, mean, sd, step, seed):
    """mcmc.MetropolisAdjustedLangevinAlgorithm"""
    return one_step(tfp.mcmc.MetropolisAdjustedLangevinAlgorithm(log_density(mean, sd), step), x, seed)


@jax.jit
def mala_kernel__hmc(x, mean, sd, step, seed):
    """mcmc.HamiltonianMonteCarlo, 3 steps: as a kernel of the same law"""
    return one_step(tfp.mcmc.HamiltonianMonteCarlo(log_density(mean, sd), step, 3), x, seed)


@jax.jit
def mala_kernel__random_walk(x, mean, sd, step, seed):
    """mcmc.RandomWalkMetropolis: as a kernel of the same law"""
    return one_step(tfp.mcmc.RandomWalkMetropolis(log_density(mean, sd)), x, seed)


@jax.jit
def mala_kernel__slice(x, mean, sd, step, seed):
    """mcmc.SliceSampler: as a kernel of the same law"""
    return one_step(tfp.mcmc.SliceSampler(log_density(mean, sd), step, 5), x, seed)


@jax.jit
def mala_kernel__langevin(x, mean, sd, step, seed):
    """mcmc.UncalibratedLangevin: as a kernel of the same law

    It is meant to be biased: no accept step. It is here to show that this is found.
    """
    return one_step(tfp.mcmc.UncalibratedLangevin(log_density(mean, sd), step), x, seed)


def categorical_draws(n, log_target, seed):
    """distributions.Categorical.sample"""
    return tfd.Categorical(logits=log_target).sample(n, seed=jax.random.key(seed))
