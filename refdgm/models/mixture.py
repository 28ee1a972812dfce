r"""Mixtures: what the marginal of a latent variable model can look like (kingma2019 Secs. 1.7.1-1.7.2).

    finite      p(x) = sum_z p(z) N(x; mu_z, Sigma_z)                        z discrete: a mixture of Gaussians
    compound    p(x) = int p(z) N(x; 0, 1/z) dz,  z ~ Gamma(nu/2, rate nu/2)   z continuous: Student's t, exactly
    Bernoulli   p(x) = int N(z; 0, 1) prod_j Bernoulli(x_j; p_j(z)) dz       one z and enough hidden units: any p*(x)

Each factor is simple, the marginal need not be. theta = {"a": (Z,) logits of p(z), "mu": (Z, D), "Sigma": (Z, D, D)};
x (..., D).

Gaussians of random precision have heavy tails: 10 scales out, how many nats above the plain Gaussian's log density.

>>> from refdgm.models.mixture import gaussian_log_prob, log_scale_mixture
>>> round(float(log_scale_mixture(10.0, nu=3.0) - gaussian_log_prob(10.0, 0.0, 1.0)), 3)
42.846
"""
import math
from functools import partial

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, has_order
from refdgm.numerics import (all_binary, full_gaussian_log_prob, gaussian_log_prob, log_softmax, log_sum_exp, sigmoid,
                             softmax, trapezoid)


def log_joint(theta, x):
    """log p(x, z) for every z (kingma2019 Sec. 1.7.1).  (..., D) -> (..., Z)"""
    parts = [full_gaussian_log_prob(x, mu, Sigma) for mu, Sigma in zip(theta["mu"], theta["Sigma"])]
    return log_softmax(theta["a"]) + np.stack(parts, axis=-1)


def log_marginal(theta, x):
    """log p(x) = log sum_z p(z) N(x; mu_z, Sigma_z) (kingma2019 Sec. 1.7.1).  (..., D) -> (...)"""
    validate(theta, x)
    return log_sum_exp(log_joint(theta, x))


def log_scale_mixture(x, nu, n=801):
    """log int Gamma(z; nu/2, rate nu/2) N(x; 0, 1/z) dz, on a grid of log z (kingma2019 Sec. 1.7.1).  (...) -> (...)"""
    valid.require(nu > 0, f"nu must be positive, but is {nu}.")
    log_z, w = trapezoid(-90.0 / nu - 20.0, 8.0, n)         # from where z x^2 and z^nu/2 vanish to where exp(-z) does
    log_gamma = nu / 2 * np.log(nu / 2) - math.lgamma(nu / 2) + nu / 2 * log_z - nu / 2 * np.exp(log_z)
    log_normal = 0.5 * (log_z - np.log(2 * np.pi) - np.exp(log_z) * np.expand_dims(x, -1)**2)
    return log_sum_exp(log_gamma + log_normal + np.log(w))


def steps(edges, bits, z, slope):
    """p_j(z), a decoder of one hidden layer: near the bits of state k while z is between edges k and k + 1.

    edges (K - 1,), bits (K, D), z (n,) -> (n, D); hidden unit k is sigmoid(slope (z - edge_k)), the output is linear
    in the hidden units and stays in [0, 1] (kingma2019 Sec. 1.7.2).
    """
    hidden = sigmoid(slope * (z[:, None] - edges))
    return bits[0] + hidden @ onp.diff(bits, axis=0)


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape, or a Sigma is not positive definite."""
    Z, D = valid.matrix("theta", theta, "mu")
    valid.parameters("theta", theta, {"a": (Z,), "mu": (Z, D), "Sigma": (Z, D, D)})
    smallest = onp.linalg.eigvalsh(theta["Sigma"])[:, 0]
    valid.require(onp.all(smallest > 0), "every theta['Sigma'] must be positive definite, but number "
                                         f"{onp.argmin(smallest)} has the eigenvalue {onp.min(smallest):.3g}.")
    if x is not None:
        valid.vector("x", x, D)


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, Z=3, D=2):
    """Components of different weight, place and shape, and a few x among them."""
    rng = onp.random.default_rng(seed)
    A = rng.normal(size=(Z, D, D + 1)) / 2
    return {"theta": {"a": rng.normal(size=Z), "mu": 2 * rng.normal(size=(Z, D)),
                      "Sigma": A @ onp.swapaxes(A, 1, 2) + 0.2 * onp.eye(D)}, "x": 2 * rng.normal(size=(6, D))}


def density(theta, x):
    return np.exp(log_marginal(theta, x))


def sum_of_bells(theta, x):
    """The oracle, in plain Python for two dimensions: the 2x2 inverse and determinant written out."""
    def bell(u, v, S):
        det = S[0, 0] * S[1, 1] - S[0, 1]**2
        return math.exp(-(u * u * S[1, 1] - 2 * u * v * S[0, 1] + v * v * S[0, 0]) / (2 * det)) / (
            2 * math.pi * math.sqrt(det))
    odds = [math.exp(a) for a in theta["a"]]
    return onp.array([sum(o / sum(odds) * bell(*(row - mu), S) for o, mu, S in zip(odds, theta["mu"], theta["Sigma"]))
                      for row in x])


def averaged_gaussian(covariance):
    """One Gaussian with the mean of the mixture."""
    def log_p(theta, x):
        p = softmax(theta["a"])
        return np.exp(full_gaussian_log_prob(x, p @ theta["mu"], covariance(p, theta)))
    return log_p


def within(p, theta):
    return onp.einsum("z,zij->ij", p, theta["Sigma"])


def within_and_between(p, theta):
    centred = theta["mu"] - p @ theta["mu"]
    return within(p, theta) + (p[:, None] * centred).T @ centred


def tail_case(seed):
    """Degrees of freedom, and x from the centre to a thousand scales out."""
    return {"nu": onp.random.default_rng(seed).uniform(1.5, 6.0), "x": onp.array([0.0, 0.7, 3.0, 30.0, 1000.0])}


def student_t(nu, x):
    """log of Student's density: Gamma((nu + 1)/2) / (Gamma(nu/2) sqrt(pi nu)) (1 + x^2/nu)^(-(nu + 1)/2)."""
    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2) - math.log(math.pi * nu) / 2
    return constant - (nu + 1) / 2 * onp.log1p(x**2 / nu)


def finite_scale_mixture(components):
    """As many Gaussians as wanted, at the quantiles of Gamma(nu/2, rate nu/2): the tail is that of the widest one."""
    def log_p(nu, x):
        from scipy.special import gammaincinv
        z = gammaincinv(nu / 2, (onp.arange(components) + 0.5) / components) / (nu / 2)
        return log_sum_exp(0.5 * (onp.log(z / (2 * onp.pi)) - z * x[:, None]**2)) - onp.log(components)
    return log_p


STATES = all_binary(3)[::-1]


def target_case(seed):
    """A target p*(x) over bits in which every dependence is present, and a decoder for it.

    No state is rarer than 1/24: a rare one has a short stretch of z, and the rate shows only once the steps between
    the stretches, of width 1/slope, are far shorter than these.
    """
    p_star = (2 * onp.random.default_rng(seed).dirichlet(onp.full(len(STATES), 5.0)) + 1 / len(STATES)) / 3
    return {"p_star": p_star, "decoder": stepwise(p_star)}


def stepwise(p_star, bits=STATES):
    """Gives state k where Phi(z) is in its own stretch of [0, 1], of length p*_k."""
    from scipy.special import ndtri
    edges = ndtri(onp.cumsum(p_star)[:-1])
    return partial(steps, edges, bits)


def linear_case(seed):
    """A decoder without hidden units: p_j(z) = sigmoid(slope a_j z + b_j), with p*(x_j = 1) at z = 0."""
    p_star = target_case(seed)["p_star"]
    a, mean = onp.random.default_rng([seed, 1]).normal(size=3), p_star @ STATES
    return {"p_star": p_star, "decoder": lambda z, slope: sigmoid(slope * z[:, None] * a + onp.log(mean / (1 - mean)))}


def marginal(p_star, decoder, slope):
    """p(x) = int N(z; 0, 1) prod_j Bernoulli(x_j; p_j(z)) dz for every x, by quadrature."""
    z, w = trapezoid(-7.0, 7.0, 30 * slope)
    p, x = decoder(z, slope)[:, None], here(STATES)
    return (w * onp.exp(-z**2 / 2) / onp.sqrt(2 * onp.pi)) @ onp.prod(x * p + (1 - x) * (1 - p), axis=-1)


def factorised(p_star, decoder, slope):
    """The product of the marginals of the x_j: factorised given z, so factorised."""
    mean = marginal(p_star, decoder, slope) @ STATES
    return onp.prod(STATES * mean + (1 - STATES) * (1 - mean), axis=-1)


CLAIMS = [
    Claim("kingma2019.sec1.7.mog", density, equals(sum_of_bells, random_case),
          {"the product of the Gaussians: a mean of logs": lambda theta, x: np.exp(
              np.sum(softmax(theta["a"]) * (log_joint(theta, x) - log_softmax(theta["a"])), axis=-1)),
           "one Gaussian of averaged parameters": averaged_gaussian(within),
           "one Gaussian with the moments of the mixture": averaged_gaussian(within_and_between),
           "components without their weights": lambda theta, x: np.exp(
              log_sum_exp(log_joint(theta, x) - log_softmax(theta["a"])))}),
    Claim("kingma2019.sec1.7.inf", lambda nu, x: log_scale_mixture(x, nu),
          equals(student_t, tail_case, method="quadrature"),
          {"20 Gaussians: their tail is a Gaussian's": finite_scale_mixture(20),
           "2,000 Gaussians: their tail is a Gaussian's, too": finite_scale_mixture(2000),
           "one Gaussian of the mean precision": lambda nu, x: gaussian_log_prob(x[:, None], 0.0, 1.0),
           "rate 1 in place of nu/2": lambda nu, x: log_scale_mixture(x * (2 / nu)**0.5, nu) + onp.log(2 / nu) / 2}),
    Claim("kingma2019.sec1.7.expr", marginal,
          has_order(lambda p_star, decoder: p_star, target_case, "slope", (50, 100), order=1, method="quadrature"),
          {"factorised given z, so factorised": factorised,
           "every state the same stretch of z": lambda p_star, decoder, slope: marginal(
              p_star, stepwise(onp.full(8, 1 / 8)), slope),
           "one hidden unit: two states": lambda p_star, decoder, slope: marginal(
              p_star, stepwise(onp.array([p_star[0], 1 - p_star[0]]), STATES[[0, 7]]), slope)},
          without=has_order(lambda p_star, decoder: p_star, linear_case, "slope", (50, 100), order=1,
                            method="quadrature")),
]
