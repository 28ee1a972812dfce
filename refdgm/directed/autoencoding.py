r"""The bound as auto-encoding: the two terms of Eq. 8 for Gaussian models (ou2018 Sec. 3.2.1, after Eq. 8).

    L(x) = E_q[log p(x|h)] - KL[q(h|x) || p(h)]

    decoder N(mu(h), s^2 I)     E_q log p(x|h) = -E_q ||x - mu(h)||^2 / (2 s^2) - (D/2) log(2 pi s^2)
    encoder N(m, diag s^2)      KL[q || N(0, I)] = (1/2) sum_i (m_i^2 + s_i^2 - 1 - log s_i^2)

The reconstruction error enters with a minus sign and scaled by the decoder's variance; the oracles are quadratures.
Shapes: x (D,); mean and variance of q (..., H).

A code one standard deviation from the prior's mean costs half a nat:

    >>> import numpy as np
    >>> from refdgm.directed.autoencoding import gaussian_kl
    >>> float(gaussian_kl(mean=np.array([1.0]), variance=np.array([1.0])))
    0.5
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import vae
from refdgm.numerics import gauss_hermite, gaussian_log_prob, trapezoid


def gaussian_kl(mean, variance):
    """KL[N(m, diag s^2) || N(0, I)] in closed form (ou2018 Sec. 3.2.1, notes).  (..., H) -> (...)"""
    return 0.5 * np.sum(mean**2 + variance - 1.0 - np.log(variance), axis=-1)


def reconstruction_term(squared_error, variance, D):
    """E_q log p(x|h) of a decoder N(mu(h), s^2 I), from E_q ||x - mu(h)||^2 (ou2018 after Eq. 8).  () -> ()"""
    return -0.5 * squared_error / variance - 0.5 * D * np.log(2 * np.pi * variance)


# ---- claims ---------------------------------------------------------------------------

def random_gaussian(seed):
    rng = onp.random.default_rng(seed)
    return {"mean": rng.normal(size=3), "variance": rng.gamma(2.0, size=3)}


def gaussian_kl_by_quadrature(mean, variance):
    """E_q[log q(h) - log p(h)], a quadratic in h, on a Gauss-Hermite grid."""
    eps, w = gauss_hermite(4, len(mean))
    h = mean + onp.sqrt(variance) * eps
    return w @ (gaussian_log_prob(h, mean, variance) - gaussian_log_prob(h, 0.0, 1.0))


def fixed_variance_decoder(seed):
    """A variational autoencoder whose decoder has one and the same variance at every h."""
    case = vae.random_case(seed, D=3)
    case["theta"]["S"] *= 0
    case["theta"]["s"] = onp.full(3, case["theta"]["s"][0])
    return case


def reconstruction(weigh):
    """The first term of Eq. 8 as weigh(E_q ||x - mu(h)||^2, decoder variance, D), expectation over noise eps."""
    def term(theta, phi, x):
        eps, w = trapezoid(-9.0, 9.0, 401)
        mean, variance = vae.gaussian_head(theta, vae.reparameterise(phi, x, eps[:, None]))
        density = w * onp.exp(-eps**2 / 2) / onp.sqrt(2 * onp.pi)
        return weigh(density @ onp.sum((x - mean) ** 2, axis=-1), variance[0, 0], len(x))
    return term


def expected_log_likelihood(theta, phi, x):
    h, w = vae.latent_grid()
    return onp.sum(w * onp.exp(vae.log_q(phi, x, h)) * vae.log_likelihood(theta, x, h))


CLAIMS = [
    Claim("ou2018.eq8.terms", reconstruction(reconstruction_term),
          equals(expected_log_likelihood, fixed_variance_decoder, method="quadrature"),
          {"the positive error": reconstruction(lambda error, variance, D: -reconstruction_term(error, variance, D)),
           "no 1/2 before the squared error": reconstruction(
               lambda error, variance, D: reconstruction_term(2 * error, variance, D)),
           "the error alone, without log s": reconstruction(lambda error, variance, D: -0.5 * error / variance),
           "log s^2 counted once, not D times": reconstruction(
               lambda error, variance, D: reconstruction_term(error, variance, 1))}),
    Claim("ou2018.eq8.analytic_kl", gaussian_kl,
          equals(gaussian_kl_by_quadrature, random_gaussian, method="quadrature"),
          {"plus the log variance": lambda mean, variance: gaussian_kl(mean, variance) + np.sum(np.log(variance)),
           "no 1/2": lambda mean, variance: 2 * gaussian_kl(mean, variance),
           "standard deviation for variance": lambda mean, variance: gaussian_kl(mean, np.sqrt(variance)),
           "the mean over the components": lambda mean, variance: gaussian_kl(mean, variance) / len(mean)}),
]
