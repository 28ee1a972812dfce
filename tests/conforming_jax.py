"""JAX functions as a careful user writes them; `refdgm crosscheck` finds nothing wrong with any of them."""
import math

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid, softmax, softplus
from jax.scipy.special import entr, logsumexp, rel_entr

LOG_2PI = math.log(2 * math.pi)


# ---- bounds ---------------------------------------------------------------------------

def log_mean_exp(log_w):
    return logsumexp(log_w, axis=-1) - math.log(log_w.shape[-1])


def elbo(log_w):
    return jnp.mean(log_w, axis=-1)


def iwae_bound(log_w):
    return log_mean_exp(log_w)


def iwae_loss(log_w):
    return -jnp.mean(log_mean_exp(log_w))


def normalized_weights(log_w):
    return softmax(log_w, axis=-1)


@jax.jit
def vimco_baseline(log_w):
    K = log_w.shape[-1]
    eye = jnp.eye(K, dtype=bool)
    off = jnp.where(eye, 0, log_w[..., None, :])
    return log_mean_exp(jnp.where(eye, off.sum(axis=-1, keepdims=True) / (K - 1), log_w[..., None, :]))


@jax.jit
def vimco_coefficients(log_w):
    return log_mean_exp(log_w)[..., None] - vimco_baseline(log_w) - softmax(log_w, axis=-1)


@jax.jit
def effective_sample_size(log_w):
    return 1 / jnp.sum(softmax(log_w, axis=-1)**2, axis=-1)


@jax.jit
def rws_theta_loss(log_p, log_q):
    weights = jax.lax.stop_gradient(softmax(log_p - log_q, axis=-1))
    return -jnp.mean(jnp.sum(weights * log_p, axis=-1))


@jax.jit
def rws_phi_loss(log_p, log_q):
    weights = jax.lax.stop_gradient(softmax(log_p - log_q, axis=-1))
    return -jnp.mean(jnp.sum(weights * log_q, axis=-1))


def minibatch_bound(log_likelihood, kl, N):
    return N * jnp.mean(log_likelihood - kl)


# ---- Gaussians, and an autoencoder -----------------------------------------------------

@jax.jit
def gaussian_log_prob(x, mean, log_variance):
    return -0.5 * jnp.sum((x - mean)**2 * jnp.exp(-log_variance) + log_variance + LOG_2PI, axis=-1)


@jax.jit
def gaussian_kl(mean, log_variance):
    return -0.5 * jnp.sum(1 + log_variance - mean**2 - jnp.exp(log_variance), axis=-1)


@jax.jit
def gaussian_kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    ratio = log_variance_p - log_variance_q
    return 0.5 * jnp.sum(jnp.exp(ratio) + (mean_p - mean_q)**2 * jnp.exp(-log_variance_q) - 1 - ratio, axis=-1)


def reparameterise(mean, log_variance, eps):
    return mean + jnp.exp(0.5 * log_variance) * eps


@jax.jit
def vae_loss(x, logits, mean, log_variance):
    return jnp.mean(gaussian_kl(mean, log_variance) - bernoulli_log_prob(x, logits))


def reparameterised_log_weights(x, mean, log_variance, eps, W, b):
    h = reparameterise(mean, log_variance, eps)
    log_joint = bernoulli_log_prob(x, h @ W.T + b) - 0.5 * jnp.sum(h**2 + LOG_2PI, axis=-1)
    return log_joint - gaussian_log_prob(h, mean, log_variance)


@jax.jit
def reparameterised_elbo(x, mean, log_variance, eps, W, b):
    return jnp.mean(reparameterised_log_weights(x, mean, log_variance, eps, W, b))


@jax.jit
def reparameterised_iwae_bound(x, mean, log_variance, eps, W, b):
    return log_mean_exp(reparameterised_log_weights(x, mean, log_variance, eps, W, b))


# ---- bits, classes, tables -------------------------------------------------------------

def bernoulli_log_prob(bits, logits):
    return jnp.sum(bits * log_sigmoid(logits) + (1 - bits) * log_sigmoid(-logits), axis=-1)


@jax.jit
def categorical_log_prob(index, logits):
    return jnp.take_along_axis(jax.nn.log_softmax(logits, axis=-1), index[..., None], axis=-1)[..., 0]


def kl_divergence(p, q):
    return jnp.sum(rel_entr(p, q), axis=-1)


def entropy(p):
    return jnp.sum(entr(p), axis=-1)


@jax.jit
def sbn_log_joint(x, h, a, W, b):
    return bernoulli_log_prob(h, a) + bernoulli_log_prob(x, h @ W.T + b)


def gumbel_softmax(logits, u, tau):
    return softmax((logits - jnp.log(-jnp.log(u))) / tau, axis=-1)


def binary_concrete(logits, u, tau):
    return sigmoid((logits + jnp.log(u) - jnp.log1p(-u)) / tau)


# ---- flows, random fields, steps ----------------------------------------------------------

@jax.jit
def planar_flow(z, u, w, b):
    t = jnp.tanh(z @ w + b)
    return z + t[:, None] * u, jnp.log(jnp.abs(1 + (u @ w) * (1 - t**2)))


@jax.jit
def rbm_free_energy(v, w, b, c):
    return -v @ b - jnp.sum(softplus(v @ w + c), axis=-1)


def rbm_hidden_probabilities(v, w, b, c):
    return sigmoid(v @ w + c)


@jax.jit
def cd_loss(v, vk, w, b, c):
    return jnp.mean(rbm_free_energy(v, w, b, c)) - jnp.mean(rbm_free_energy(jax.lax.stop_gradient(vk), w, b, c))


def langevin_step(x, score, eps, z):
    return x + 0.5 * eps * score + math.sqrt(eps) * z


def adam_update(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    m, v = b1 * m + (1 - b1) * F, b2 * v + (1 - b2) * F**2
    step = gamma * (m / (1 - b1**t)) / (jnp.sqrt(v / (1 - b2**t)) + epsilon)
    return parameter + step, m, v


# ---- samplers -------------------------------------------------------------------------

def categorical_draws(n, log_target, seed):
    return jax.random.categorical(jax.random.key(seed), log_target, shape=(n,))


@jax.jit
def mala_kernel(x, mean, sd, step, seed):
    noise_key, accept_key = jax.random.split(jax.random.key(seed))

    def log_p(x):
        return -0.5 * jnp.sum(((x - mean) / sd)**2, axis=-1)

    def drift(x):
        return x + step * jax.grad(lambda x: jnp.sum(log_p(x)))(x)

    def log_q(to, at):
        return -jnp.sum((to - drift(at))**2, axis=-1) / (4 * step)

    new = drift(x) + jnp.sqrt(2 * step) * jax.random.normal(noise_key, x.shape, x.dtype)
    log_ratio = log_p(new) - log_p(x) + log_q(x, new) - log_q(new, x)
    accept = jnp.log(jax.random.uniform(accept_key, x.shape[:1], x.dtype)) < log_ratio
    return jnp.where(accept[:, None], new, x)
