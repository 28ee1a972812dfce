r"""Invertible transformations with a tractable Jacobian determinant (kingma2019 Sec. 4.4).

    log p(x) = log p(z) + log |det dz/dx|,   p(z) = N(0, I)

    1x1 convolution   z[i, j] = W x[i, j] at each of h w pixels      log |det| = h w log |det W|
    coupling layer    z_a = x_a,  z_b = exp(s(x_a)) x_b + t(x_a)     log |det| = sum_i s_i(x_a)

Both are composed here: a convolution mixes the channels, then the first half of them transforms the second half.
theta = {"W": (c, c), "S", "T": (c/2, c/2), "s", "t": (c/2,)},  s(a) = S tanh(a) + s,  t(a) = T tanh(a) + t.
x, z : (h, w, c) with an even number c of channels.

W = 2 I doubles two channels at each of three pixels, so |det dz/dx| = 2^6:

>>> import numpy as np
>>> from refdgm.models.invertible import convolve
>>> round(float(np.exp(convolve({"W": 2 * np.eye(2)}, np.zeros((1, 3, 2)))[1])), 6)
64.0
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import gaussian_log_prob


def convolve(theta, x):
    """z[i, j] = W x[i, j], and its log |det| (kingma2019 Sec. 4.4).  (h, w, c) -> (h, w, c), ()"""
    pixels = x.shape[0] * x.shape[1]
    return np.dot(x, theta["W"].T), pixels * np.linalg.slogdet(theta["W"])[1]


def couple(theta, x):
    """z_a = x_a, z_b = exp(s(x_a)) x_b + t(x_a), and its log |det| (kingma2019 Sec. 4.4).  -> (h, w, c), ()"""
    a, b = halves(x)
    s, t = shift_and_scale(theta, a)
    return np.concatenate([a, np.exp(s) * b + t], axis=-1), np.sum(s)


def uncouple(theta, z):
    """The inverse of `couple`, at the same cost, whatever the networks s and t (kingma2019 Sec. 4.4)."""
    a, b = halves(z)
    s, t = shift_and_scale(theta, a)
    return np.concatenate([a, (b - t) * np.exp(-s)], axis=-1)


def halves(x):
    """The first and the second half of the channels."""
    return np.split(x, 2, axis=-1)


def shift_and_scale(theta, a):
    """s(a) and t(a).  (..., c/2) -> 2 times (..., c/2)"""
    seen = np.tanh(a)
    return np.dot(seen, theta["S"].T) + theta["s"], np.dot(seen, theta["T"].T) + theta["t"]


def transform(theta, x):
    """A convolution and a coupling layer: z, and log |det dz/dx|.  (h, w, c) -> (h, w, c), ()"""
    validate(theta, x)
    mixed, by_convolution = convolve(theta, x)
    z, by_coupling = couple(theta, mixed)
    return z, by_convolution + by_coupling


def inverse(theta, z):
    """x with transform(theta, x) = z.  (h, w, c) -> (h, w, c)"""
    return np.dot(uncouple(theta, z), np.linalg.inv(theta["W"]).T)


def log_prob(theta, x):
    """log p(x) = log p(z) + log |det dz/dx| (kingma2019 Sec. 4.4).  (h, w, c) -> ()"""
    z, log_det = transform(theta, x)
    return np.sum(gaussian_log_prob(z, 0.0, 1.0)) + log_det


def random_case(seed, shape=(1, 3, 2)):
    """A random theta and one x; W is no rotation, and its determinant may be negative."""
    rng = onp.random.default_rng(seed)
    c = shape[-1]
    n = c // 2
    theta = {"W": rng.normal(size=(c, c)) + onp.diag(rng.choice([-1.5, 1.5], c)), "S": rng.normal(size=(n, n)),
             "T": rng.normal(size=(n, n)), "s": rng.normal(size=n) / 2, "t": rng.normal(size=n)}
    return {"theta": theta, "x": rng.normal(size=shape)}


def validate(theta, x):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    c, _ = valid.matrix("theta", theta, "W")
    valid.require(c % 2 == 0, f"theta['W'] must have an even number of channels, but has {c}.")
    n = c // 2
    valid.parameters("theta", theta, {"W": (c, c), "S": (n, n), "T": (n, n), "s": (n,), "t": (n,)})
    valid.vector("x", x, c)


# ---- claims ---------------------------------------------------------------------------

def density_and_inverse(log_prob=log_prob, inverse=inverse):
    return lambda theta, x: {"log p": log_prob(theta, x), "x again": inverse(theta, transform(theta, x)[0])}


def by_jacobian(theta, x):
    """The oracle: the determinant of the whole Jacobian, and x itself."""
    z = transform(theta, x)[0]
    J = jacobian(lambda flat: np.reshape(transform(theta, np.reshape(flat, x.shape))[0], -1))(np.reshape(x, -1))
    return {"log p": np.sum(-0.5 * z**2 - 0.5 * np.log(2 * np.pi)) + np.linalg.slogdet(J)[1], "x again": x}


def with_log_det(log_det):
    """log p(x) with another log-determinant, log_det(theta, x, of the convolution, of the coupling)."""
    def density(theta, x):
        mixed, by_convolution = convolve(theta, x)
        return np.sum(gaussian_log_prob(transform(theta, x)[0], 0.0, 1.0)) + log_det(
            theta, x, by_convolution, couple(theta, mixed)[1])
    return density_and_inverse(density)


def inverse_from_transformed_half(theta, z):
    """An inverse that reads s and t off the half that was changed."""
    a, b = halves(z)
    s, t = shift_and_scale(theta, b)
    return np.dot(np.concatenate([a, (b - t) * np.exp(-s)], axis=-1), np.linalg.inv(theta["W"]).T)


CLAIMS = [
    Claim("kingma2019.toc.4.4", density_and_inverse(), equals(by_jacobian, random_case, method="autodiff"),
          {"- log |det|": with_log_det(lambda theta, x, convolution, coupling: -convolution - coupling),
           "log |det W| once, not at every pixel": with_log_det(
               lambda theta, x, convolution, coupling: convolution / 3 + coupling),
           "the coupling counted as if s scaled both halves": with_log_det(
               lambda theta, x, convolution, coupling: convolution + 2 * coupling),
           "the scale s at x, not at what it scales": with_log_det(
               lambda theta, x, convolution, coupling: convolution + couple(theta, x)[1]),
           "inverted from the half that was changed": density_and_inverse(inverse=inverse_from_transformed_half),
           "the layers inverted in the wrong order": density_and_inverse(inverse=lambda theta, z: uncouple(
               theta, np.dot(z, np.linalg.inv(theta["W"]).T)))}),
]
