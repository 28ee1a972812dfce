r"""Variational autoencoders and IWAE: one algorithm, into which a decoder and a posterior are plugged.

    h_k = h_phi(x, eps_k) ~ q(.|x),  eps_k ~ N(0, I)       log w_k = log p(x, h_k) - log q(h_k|x)

    bound     log (1/K) sum_k w_k:  the VAE's for K = 1, IWAE's for K > 1                        (ou2018 Sec. 3.2.1)
    F_theta = sum_k a_k dlog p(x, h_k)/dtheta              a_k = w_k / sum_j w_j, 1 for K = 1
    F_phi   = sum_k a_k (g_k dh_k/dphi - d log q(h_k|x)/dphi),   g_k = dlog p(x, h_k)/dh_k, both derivatives along
              the path h_phi(x, eps_k);  a posterior that was refined moves with theta, too, and F_theta has its part

    AEVB      (1/K) sum_k log p(x|h_k) - KL[q(h|x) || p(h)]     (lecture12 Algorithm 1, kingma2019 Sec. 2.5)
    F_phi   = (1/K) sum_k dlog p(x|h_k)/dh_k dh_k/dphi - dKL/dphi

all averaged over the rows: ou2018 Algorithm 2, with draws that are functions of noise. The decoder's derivatives are by
hand, in matrix products, and the posterior's by autograd. Posteriors are those of learning/inference_models.

x (B, D), h (B, K, H), eps (B, K, posterior.noise), log_w and a (B, K). exact() says what is reached: likelihood, bound
and gap, by quadrature over h and over eps.

The mean bound L(x) where learning starts, and the mean log p(x), for two bits that always agree:

>>> import numpy as np
>>> from refdgm.learning.inference_models import diagonal
>>> from refdgm.learning.vae_learning import bernoulli, exact_bound, vae
>>> x, p, q = np.array([[0.0, 0.0], [1.0, 1.0]]), bernoulli(1, 4), diagonal(1, 4)
>>> parameters, _ = vae(p, q).start(x, 0)
>>> L = exact_bound(p, q, parameters, x).mean()
>>> round(float(L), 2), round(float(p.log_p(parameters["theta"], x).mean()), 2)
(-2.11, -1.41)
"""
from typing import NamedTuple
from collections.abc import Callable

import autograd.numpy as np
from autograd import make_vjp
from autograd.builtins import tuple as pair

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.models import bernoulli_dlvm, linear_gaussian
from refdgm.models.networks import random_layer
from refdgm.numerics import (gauss_hermite, gaussian_log_prob, log_mean_exp, log_sum_exp, mean_log_odds, sigmoid,
                             softmax, softplus)
from refdgm.streams import Stream, normals
from refdgm.trees import tree_map


class Decoder(NamedTuple):
    """p(x, h): what it takes to learn it, and its exact likelihood."""
    name: str
    H: int
    start: Callable             # (x (N, D), seed) -> theta
    log_joint: Callable         # (theta, x, h) -> log p(x, h), leading axes broadcast
    scores: Callable            # (theta, x, h, a) -> sum_bk a_bk dlog p(x_b, h_bk)/dtheta, a_bk dlog p(x_b, h_bk)/dh
    log_p: Callable             # (theta, x (N, D)) -> log p(x) (N,)


# ---- decoders -------------------------------------------------------------------------

def bernoulli(H=2, J=16):
    """Bits: p(x_j = 1|h) = sigmoid(M tanh(W h + b) + m)_j (models/bernoulli_dlvm)."""
    valid.require(H in (1, 2), f"the likelihood is a quadrature over H = 1 or 2 latents, not {H}.")
    valid.count("J", J)

    def start(x, seed):
        valid.require(valid.are_bits(x), "a Bernoulli decoder takes bits, 0 or 1.")
        body = random_layer(seed, H, J, "theta", 0)
        return {"W": body["M"], "b": body["m"], "M": random_layer(seed, J, x.shape[1], "theta", 1)["M"],
                "m": mean_log_odds(x)}
    return Decoder("Bernoulli", H, start, bernoulli_dlvm.log_joint, bernoulli_scores, bernoulli_log_p)


def bernoulli_scores(theta, x, h, a):
    """The weighted scores of models/bernoulli_dlvm in theta, summed, and in h, one by one."""
    hidden = onp.tanh(h @ theta["W"].T + theta["b"])
    error = a[..., None] * (x[:, None, :] - sigmoid(hidden @ theta["M"].T + theta["m"]))
    back = error @ theta["M"] * (1 - hidden**2)
    return {"W": _outer(back, h), "b": back.sum(axis=(0, 1)), "M": _outer(error, hidden),
            "m": error.sum(axis=(0, 1))}, back @ theta["W"] - a[..., None] * h


def bernoulli_log_p(theta, x, n=None, chunk=128):
    """log p(x) of the rows of x by quadrature over h, H <= 2, on n nodes a dimension.  (N, D) -> (N,)"""
    H = theta["W"].shape[1]
    z, w = bernoulli_dlvm.latent_grid(H, n or (961 if H == 1 else 161), reach=8.0)
    logits = bernoulli_dlvm.decoder_logits(theta, z)
    each = bernoulli_dlvm.log_prior(z) + onp.log(w) - np.sum(softplus(logits), axis=-1)
    return np.concatenate([log_sum_exp(np.dot(x[i:i + chunk], logits.T) + each) for i in range(0, len(x), chunk)])


def principal_components(H=2):
    """Real x ~ N(W h + b, sigma^2 I): probabilistic principal components, of which the optimum is known."""
    valid.count("H", H)

    def start(x, seed):
        W = random_layer(seed, H, x.shape[1], "theta", 0)["M"]
        return {"W": W, "b": x.mean(axis=0), "log_sigma": onp.zeros(())}

    def log_joint(theta, x, h):
        mean = np.dot(h, theta["W"].T) + theta["b"]
        return linear_gaussian.log_prior(h) + gaussian_log_prob(x, mean, np.exp(2 * theta["log_sigma"]))

    def scores(theta, x, h, a):
        r = (x[:, None, :] - h @ theta["W"].T - theta["b"]) * onp.exp(-theta["log_sigma"])
        error = a[..., None] * r * onp.exp(-theta["log_sigma"])
        return {"W": _outer(error, h), "b": error.sum(axis=(0, 1)),
                "log_sigma": onp.sum(a[..., None] * (r**2 - 1))}, error @ theta["W"] - a[..., None] * h

    def log_p(theta, x):
        Psi = np.exp(2 * theta["log_sigma"]) * onp.eye(len(theta["b"]))
        return linear_gaussian.log_marginal({"W": theta["W"], "b": theta["b"], "Psi": Psi}, x)
    return Decoder("principal components", H, start, log_joint, scores, log_p)


def _outer(left, right):
    """sum_bk left_bk right_bk'.  (B, K, m), (B, K, n) -> (m, n)"""
    return left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])


# ---- the algorithms -------------------------------------------------------------------

def draw_noise(posterior, K, index, seed, t):
    """eps of the rows `index` in step t.  -> (B, K, posterior.noise)"""
    s = Stream(seed, onp.asarray(index, onp.uint32), t)
    return normals(s, K * posterior.noise).reshape(len(index), K, posterior.noise)


def sample(decoder, posterior, parameters, x, eps):
    """h_k and log q(h_k|x).  (B, D), (B, K, noise) -> (B, K, H), (B, K)"""
    rows = x[:, None, :]
    return posterior.sample(parameters["phi"], rows, eps, lambda h: decoder.log_joint(parameters["theta"], rows, h))


def log_weights(decoder, posterior, parameters, x, eps):
    """log w_k = log p(x, h_k) - log q(h_k|x) at h_k = h_phi(x, eps_k).  (B, D), (B, K, noise) -> (B, K)"""
    h, log_q = sample(decoder, posterior, parameters, x, eps)
    return decoder.log_joint(parameters["theta"], x[:, None, :], h) - log_q


def bound(decoder, posterior, parameters, x, eps):
    """The mean over the rows of log (1/K) sum_k w_k.  -> ()"""
    return np.mean(log_mean_exp(log_weights(decoder, posterior, parameters, x, eps)))


def bound_with_kl(decoder, posterior, parameters, x, eps):
    """The mean over the rows of (1/K) sum_k log p(x|h_k) - KL[q(h|x) || N(0, I)].  -> ()"""
    h, _ = sample(decoder, posterior, parameters, x, eps)
    log_likelihood = decoder.log_joint(parameters["theta"], x[:, None, :], h) - gaussian_log_prob(h, 0.0, 1.0)
    return np.mean(log_likelihood) - np.mean(posterior.kl(parameters["phi"], x))


def vae(decoder, posterior, K=1, weights=softmax):
    """The bound of K samples: the VAE for K = 1, IWAE for K > 1; `weights` turns log w into a."""
    def field(parameters, eps, x):
        moved = parameters if posterior.refined else {"phi": parameters["phi"]}
        back, (h, log_q) = make_vjp(lambda p: pair(sample(decoder, posterior, {**parameters, **p}, x, eps)))(moved)
        a = weights(decoder.log_joint(parameters["theta"], x[:, None, :], h) - log_q) / len(x)
        by_theta, a_g = decoder.scores(parameters["theta"], x, h, a)
        F = back((a_g, -a))
        if posterior.refined:
            by_theta = tree_map(onp.add, by_theta, F["theta"])
        return {"theta": by_theta, "phi": F["phi"]}
    return _algorithm("VAE" if K == 1 else f"IWAE, K = {K}", decoder, posterior, K, field)


def aevb(decoder, posterior, K=1):
    """Auto-encoding variational Bayes with the divergence from the prior in closed form."""
    valid.require(posterior.kl is not None, f"the posterior '{posterior.name}' has no divergence in closed form.")

    def field(parameters, eps, x):
        def along(phi):
            return pair((sample(decoder, posterior, {**parameters, "phi": phi}, x, eps)[0], posterior.kl(phi, x)))
        back, (h, _) = make_vjp(along)(parameters["phi"])
        a = onp.full(h.shape[:2], 1 / (K * len(x)))
        by_theta, a_g = decoder.scores(parameters["theta"], x, h, a)
        a_g += a[..., None] * h                                     # of log p(x|h): without the prior
        return {"theta": by_theta, "phi": back((a_g, onp.full(len(x), -1 / len(x))))}
    return _algorithm("AEVB", decoder, posterior, K, field)


def _algorithm(name, decoder, posterior, K, field):
    valid.count("K", K)
    valid.require(decoder.H == posterior.H,
                  f"the decoder has {decoder.H} latents, the posterior {posterior.H}: H must be the same.")

    def start(x, seed):
        return {"theta": decoder.start(x, seed), "phi": posterior.start(x.shape[1], seed)}, ()

    def draw(parameters, memory, x, index, seed, t):
        return draw_noise(posterior, K, index, seed, t), memory
    return Algorithm(f"{name}, {posterior.name} posterior", start, draw, field)


# ---- what is reached, exactly ---------------------------------------------------------

def exact_bound(decoder, posterior, parameters, x, nodes=21, chunk=32):
    """L(x) = E log w for each row, by Gauss-Hermite over eps, `nodes` a dimension.  (N, D) -> (N,)"""
    eps, weight = gauss_hermite(nodes, posterior.noise)
    return np.concatenate([np.dot(log_weights(decoder, posterior, parameters, x[i:i + chunk], eps[None]), weight)
                           for i in range(0, len(x), chunk)])


def exact(decoder, posterior, data, test=None, nodes=21):
    """A monitor: mean log p(x), mean bound L(x), and the gap between them, which is the mean KL[q(h|x) || p(h|x)]."""
    valid.data_and_test(data, test)

    def look(parameters):
        log_p = np.mean(decoder.log_p(parameters["theta"], data))
        elbo = np.mean(exact_bound(decoder, posterior, parameters, data, nodes))
        numbers = {"log_p": log_p, "elbo": elbo, "gap": log_p - elbo}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(decoder.log_p(parameters["theta"], test))
        return numbers
    return look
