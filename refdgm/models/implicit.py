r"""Implicit models: a network applied to noise (ou2018 Eq. 5, Sec. 3.1.4), and when their density can be had.

    x = G(eps),  eps ~ p(eps)              so that  E_{p(x)} f(x) = E_{p(eps)} f(G(eps))  for every f
    G invertible:   p(x) = p(G^{-1}(x)) |det dG^{-1}/dx|
    G of rectifiers: p(x) = sum over the linear pieces P of G that x is reached through, p(eps_P) / |det A_P|

The invertible G here is x = A sinh(arcsinh(eps) + s) + m, a network of one layer with a skewing activation:
theta = {"A": (D, D) invertible, "s": (D,), "m": (D,)}. The general one is a rectifier network on scalar noise,
x = V' max(0, u eps + b) + c eps: theta = {"u": (J,), "b": (J,), "V": (J,), "c": ()}.
eps, x : (..., D), or (...,) for the rectifier network.

A skewed and turned Gaussian has a density because G has an inverse: eps_2 comes back.

>>> import numpy as np
>>> from refdgm.models.implicit import generate, inverse, random_case
>>> theta, eps = random_case(0)["theta"], np.array([0.5, -1.0])
>>> round(float(inverse(theta, generate(theta, eps))[1]), 6)
-1.0
"""
import itertools
import math

import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_tuples, gauss_legendre, gaussian_log_prob, trapezoid


def generate(theta, eps):
    """x = G(eps) = A sinh(arcsinh(eps) + s) + m (ou2018 Eq. 5).  (..., D) -> (..., D)"""
    return np.dot(np.sinh(np.arcsinh(eps) + theta["s"]), theta["A"].T) + theta["m"]


def inverse(theta, x):
    """eps = G^{-1}(x) = sinh(arcsinh(A^{-1} (x - m)) - s).  (..., D) -> (..., D)"""
    return np.sinh(np.arcsinh(np.dot(x - theta["m"], np.linalg.inv(theta["A"]).T)) - theta["s"])


def log_det_inverse(theta, x):
    """log |det dG^{-1}/dx| (ou2018 Sec. 3.1.4).  (..., D) -> (...)"""
    y = np.dot(x - theta["m"], np.linalg.inv(theta["A"]).T)
    slopes = np.cosh(np.arcsinh(y) - theta["s"]) / np.sqrt(1 + y**2)
    return np.sum(np.log(slopes), axis=-1) - np.linalg.slogdet(theta["A"])[1]


def log_density(theta, x):
    """log p(x) = log p(G^{-1}(x)) + log |det dG^{-1}/dx| with eps ~ N(0, I) (ou2018 Sec. 3.1.4).  (..., D) -> (...)"""
    validate(theta, x)
    return gaussian_log_prob(inverse(theta, x), 0.0, 1.0) + log_det_inverse(theta, x)


# ---- a network that is not invertible -------------------------------------------------

def rectifier_network(theta, eps):
    """x = V' max(0, u eps + b) + c eps, continuous and piecewise linear.  (...,) -> (...,)"""
    return np.maximum(0, eps[..., None] * theta["u"] + theta["b"]) @ theta["V"] + theta["c"] * eps


def pieces(theta):
    """Where each linear piece x = slope eps + offset begins and ends: four arrays (J + 1,)."""
    kinks = onp.sort(-theta["b"] / theta["u"])
    low, high = onp.append(-onp.inf, kinks), onp.append(kinks, onp.inf)
    inside = onp.concatenate([kinks[:1] - 1, (kinks[1:] + kinks[:-1]) / 2, kinks[-1:] + 1])
    active = inside[:, None] * theta["u"] + theta["b"] > 0
    return low, high, active @ (theta["V"] * theta["u"]) + theta["c"], active @ (theta["V"] * theta["b"])


def rectifier_density(theta, x):
    """p(x), the sum over every piece that reaches x of p(eps) / |slope|, eps ~ N(0, 1).  (...,) -> (...,)"""
    low, high, slope, offset = pieces(theta)
    eps = (x[..., None] - offset) / slope
    density = onp.exp(-eps**2 / 2) / onp.sqrt(2 * onp.pi) / onp.abs(slope)
    return onp.sum(onp.where((low < eps) & (eps <= high), density, 0.0), axis=-1)


def count_pieces(J, d):
    """How many linear pieces a layer of J rectifiers has on noise in R^d, in general position: sum_{j<=d} C(J, j).

    The density at one x is a sum over all of them: J^d / d! terms, each an integral where eps has more dimensions
    than x. A sample is one evaluation of the network.
    """
    valid.count("the number of rectifiers J", J)
    valid.count("the number of dimensions d", d)
    return sum(math.comb(J, j) for j in range(d + 1))


def random_case(seed):
    """A random invertible G in two dimensions that reverses orientation, so that |det| is not det."""
    rng = onp.random.default_rng(seed)

    def rotation(angle):
        return onp.array([[onp.cos(angle), -onp.sin(angle)], [onp.sin(angle), onp.cos(angle)]])
    A = rotation(rng.uniform(0, 6)) @ onp.diag(rng.uniform(0.8, 1.2, 2) * [1, -1]) @ rotation(rng.uniform(0, 6))
    return {"theta": {"A": A, "s": rng.uniform(-0.4, 0.4, 2), "m": rng.uniform(-0.5, 0.5, 2)}}


def random_rectifier(seed, J=4):
    """A random rectifier network that goes up and down: slopes of alternating sign, none of them near zero."""
    rng = onp.random.default_rng(seed)
    slopes = rng.uniform(0.5, 1.5, J + 1) * (-1)**onp.arange(seed, seed + J + 1)
    u = rng.uniform(0.5, 2.0, J)
    kinks = onp.cumsum(rng.uniform(0.3, 1.2, J)) - 1.5
    return {"theta": {"u": u, "b": -u * kinks, "V": onp.diff(slopes) / u, "c": slopes[0]}}


def validate(theta, x=None):
    """Raise ValueError, saying which, if A is singular, or a parameter or x has a wrong shape or is not finite."""
    D, _ = valid.matrix("theta", theta, "A")
    valid.parameters("theta", theta, {"A": (D, D), "m": (D,), "s": (D,)})
    valid.require(onp.linalg.matrix_rank(getval(theta["A"])) == D,
                  "theta['A'] must be invertible, or p(x) has no density.")
    if x is not None:
        valid.vector("x", x, D)


# ---- claims ---------------------------------------------------------------------------

def statistics(x):
    """Some functions f of x, (...,) -> (..., 4), or (..., 2) -> (..., 7), of which expectations are compared."""
    if x.shape[-1] != 2:
        return onp.stack([x, x**2, onp.cos(x), onp.sin(x)], axis=-1)
    a, b = x[..., 0], x[..., 1]
    return onp.stack([onp.ones_like(a), a, b, a**2, a * b, onp.cos(a), onp.sin(a - 2 * b)], axis=-1)


def product_grid(reach, n):
    """Trapezoid nodes (n*n, 2) and weights (n*n,) on a square."""
    x, w = trapezoid(-reach, reach, n)
    index = all_tuples(n, 2)
    return x[index], onp.prod(w[index], axis=-1)


def noise_mean(theta):
    """E f(G(eps)), over the noise of the invertible G."""
    eps, w = product_grid(8.0, 81)
    return (w * onp.exp(gaussian_log_prob(eps, 0.0, 1.0))) @ statistics(generate(theta, eps))


def density_mean(log_density):
    """int p(x) f(x) dx, over x."""
    def mean(theta):
        x, w = product_grid(15.0, 167)
        return (w * onp.exp(log_density(theta, x))) @ statistics(x)
    return mean


def base(theta, x):
    return gaussian_log_prob(inverse(theta, x), 0.0, 1.0)


def panels(edges, n=24):
    """Gauss-Legendre nodes and weights on every interval between neighbouring `edges`."""
    t, w = gauss_legendre(-1.0, 1.0, n)
    middle, half = (edges[1:] + edges[:-1]) / 2, onp.diff(edges) / 2
    return (middle[:, None] + half[:, None] * t).ravel(), (half[:, None] * w).ravel()


def rectifier_noise_mean(network=rectifier_network, noise=lambda eps: onp.exp(-eps**2 / 2) / onp.sqrt(2 * onp.pi)):
    """E f(G(eps)) (ou2018 Eq. 5), panel by panel of the noise."""
    def mean(theta):
        eps, w = panels(onp.sort(onp.concatenate([pieces(theta)[0][1:], onp.linspace(-8, 8, 17)])))
        return (w * noise(eps)) @ statistics(network(theta, eps))
    return mean


def rectifier_density_mean(theta):
    """int p(x) f(x) dx, panel by panel of x: the oracle of Eq. 5."""
    kinks = rectifier_network(theta, pieces(theta)[0][1:])
    x, w = panels(onp.sort(onp.concatenate([kinks, onp.linspace(-20, 20, 81)])))
    return (w * rectifier_density(theta, x)) @ statistics(x)


def random_layer(seed):
    """The weights of a layer of J rectifiers on noise in R^d, in general position."""
    d = 2 + seed % 2
    rng = onp.random.default_rng(seed)
    J = d + int(rng.integers(2, 5))
    return {"u": rng.normal(size=(J, d)), "b": rng.normal(size=J)}


def activation_patterns(u, b):
    """The number of on/off patterns that occur. Every piece has a corner, where d units switch: visit all corners."""
    J, d = u.shape
    patterns = set()
    for units in itertools.combinations(range(J), d):
        corner = onp.linalg.solve(u[list(units)], -b[list(units)])
        on = u @ corner + b > 0
        for switched in itertools.product([False, True], repeat=d):
            on[list(units)] = switched
            patterns.add(on.tobytes())
    return float(len(patterns))


CLAIMS = [
    Claim("ou2018.eq5", rectifier_noise_mean(),
          equals(rectifier_density_mean, random_rectifier, method="quadrature"),
          {"x ~ N(G(eps), 1)": lambda theta: rectifier_noise_mean()(theta) + onp.array([0, 1, 0, 0]),
           "eps = G(x): noise and data swapped": rectifier_noise_mean(network=lambda theta, eps: eps),
           "G of the mean noise": rectifier_noise_mean(network=lambda theta, eps: rectifier_network(theta, 0 * eps)),
           "uniform noise": rectifier_noise_mean(noise=lambda eps: 0 * eps + 1 / 16)}),
    Claim("ou2018.eq5.invertible", density_mean(log_density), equals(noise_mean, random_case, method="quadrature"),
          {"no Jacobian": density_mean(base),
           "the Jacobian of G, not of its inverse": density_mean(
               lambda theta, x: base(theta, x) - log_det_inverse(theta, x)),
           "det in place of |det|": lambda theta: onp.linalg.det(theta["A"]) * density_mean(log_density)(theta)
               / abs(onp.linalg.det(theta["A"])),
           "the linear layer's determinant forgotten": density_mean(
               lambda theta, x: log_density(theta, x) + onp.linalg.slogdet(theta["A"])[1])}),
    Claim("ou2018.eq5.intractable", lambda u, b: float(count_pieces(*u.shape)),
          equals(activation_patterns, random_layer),
          {"one piece, as if G were invertible": lambda u, b: 1.0,
           "J + 1 pieces in any dimension": lambda u, b: len(b) + 1.0,
           "every pattern occurs: 2^J": lambda u, b: 2.0**len(b)}),
]
