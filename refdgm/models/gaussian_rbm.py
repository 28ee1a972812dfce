r"""RBM with Gaussian visible and Bernoulli hidden units (Welling, Rosen-Zvi and Hinton 2005; in this form Cho, Ilin and
Raiko 2011).

    E(v, h) = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_ij v_i w_ij h_j / sigma_i^2 - c'h
    p(v|h)  = N(v; b + w h, diag sigma^2),            p(h_j = 1|v) = sigmoid(c_j + sum_i v_i w_ij / sigma_i^2)
    p(h)    ~ exp(c'h + sum_i ((b + w h)_i^2 - b_i^2) / (2 sigma_i^2)),       so p(v) is a mixture of 2^H Gaussians

theta = {"w": (D, H), "b": (D,), "c": (H,), "sigma": (D,)}, sigma > 0;  v : (..., D) real, h : (..., H) bits; leading
axes are batches. Others write w sigma for this w: the mean b + sigma w h then has weights without a unit.

With no weights Z = prod_i sqrt(2 pi) sigma_i 2^H: for D = H = 1 its logarithm is log 2 sqrt(2 pi).

>>> import numpy as np
>>> from refdgm.models.gaussian_rbm import log_partition
>>> theta = {"w": np.zeros((1, 1)), "b": np.zeros(1), "c": np.zeros(1), "sigma": np.ones(1)}
>>> round(float(log_partition(theta)), 3)
1.612
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import LOG_2PI, all_binary, log_softmax, log_sum_exp, softplus


def energy(theta, v, h):
    """E(v, h).  (..., D), (..., H) -> (...)"""
    variance = theta["sigma"]**2
    return (np.sum((v - theta["b"])**2 / (2 * variance), axis=-1)
            - np.sum(np.dot(v / variance, theta["w"]) * h, axis=-1) - np.sum(theta["c"] * h, axis=-1))


def hidden_logits(theta, v):
    """c + (v / sigma^2)'w, the log-odds of each hidden unit given v.  (..., D) -> (..., H)"""
    return np.dot(v / theta["sigma"]**2, theta["w"]) + theta["c"]


def visible_mean(theta, h):
    """b + w h, the mean of v given h.  (..., H) -> (..., D)"""
    return np.dot(h, np.transpose(theta["w"])) + theta["b"]


def free_energy(theta, v):
    """-log sum_h exp(-E(v, h)).  (..., D) -> (...)"""
    return (np.sum((v - theta["b"])**2 / (2 * theta["sigma"]**2), axis=-1)
            - np.sum(softplus(hidden_logits(theta, v)), axis=-1))


def hidden_free_energy(theta, h):
    """-log of the integral of exp(-E(v, h)) over v.  (..., H) -> (...)"""
    variance, D = theta["sigma"]**2, len(theta["sigma"])
    return -(np.sum(theta["c"] * h, axis=-1)
             + np.sum((visible_mean(theta, h)**2 - theta["b"]**2) / (2 * variance), axis=-1)
             + D * LOG_2PI / 2 + np.sum(np.log(theta["sigma"])))


def log_partition(theta):
    """log Z, a sum over 2**H states.  -> ()"""
    return log_sum_exp(-hidden_free_energy(theta, all_binary(len(theta["c"]))))


def log_marginal(theta, v):
    """log p(v) = -F(v) - log Z.  (..., D) -> (...)"""
    return -free_energy(theta, v) - log_partition(theta)


def mixture(theta):
    """p(v) as a mixture: log p(h) and the mean of v given h, for every h.  -> (2**H,), (2**H, D)"""
    h = all_binary(len(theta["c"]))
    return log_softmax(-hidden_free_energy(theta, h)), visible_mean(theta, h)


def random_theta(rng, D, H, scale=1.0):
    """Components about `scale` apart, sigma in [0.5, 1.5], and biases under which h is on about half of the time."""
    w, b, sigma = scale * rng.normal(size=(D, H)), rng.normal(size=D), rng.uniform(0.5, 1.5, size=D)
    half_on = np.dot((b + np.sum(w, axis=1) / 2) / sigma**2, w)
    return {"w": w, "b": b, "c": rng.normal(size=H) / 2 - half_on, "sigma": sigma}


def validate(theta, v=None):
    """Raise ValueError, saying which, if a parameter or v has a wrong shape or is not finite, or sigma <= 0."""
    D, H = valid.matrix("theta", theta, "w")
    valid.parameters("theta", theta, {"w": (D, H), "b": (D,), "c": (H,), "sigma": (D,)})
    valid.require(onp.all(onp.asarray(getval(theta["sigma"])) > 0), "theta['sigma'] must be positive.")
    if v is not None:
        valid.vector("v", v, D)
