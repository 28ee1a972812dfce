r"""Notation and elementary distributions, as statements that can be wrong (kingma2019 App. A.1).

    x (.) y = (x_1 y_1, .., x_K y_K)      diag(x): x on the diagonal, so diag(x) y = x (.) y
    p(x = a): the density or mass at a    p(x <= a): the distribution function at a, a probability
    Categorical(x; p), sum_i p_i = 1      Bernoulli(x; p) = prod_i Bernoulli(x_i; p_i), 0 <= p_i <= 1

The continuous example is a mixture of logistic distributions, weights w, places m, scales s (each (K,)): its
distribution function and its density both have closed forms.

A density may be above 1, a probability not: p(x = 0) and p(x <= 0) of a logistic law of scale 0.1.

>>> import numpy as np
>>> from refdgm.models.notation import density, distribution_function
>>> narrow = dict(w=np.array([1.0]), m=np.array([0.0]), s=np.array([0.1]))
>>> float(density(np.zeros(1), **narrow)[0]), float(distribution_function(np.zeros(1), **narrow)[0])
(2.5, 0.5)
"""
import math
from itertools import product

import autograd.numpy as np
from autograd import elementwise_grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, sigmoid, trapezoid


def hadamard(x, y):
    """x (.) y, the element-wise product (kingma2019 App. A.1.1).  (K,), (K,) -> (K,)"""
    valid.shape("y", y, np.shape(x))
    return x * y


def diag(x):
    """The matrix with x on its diagonal and zeros elsewhere (kingma2019 App. A.1.1).  (K,) -> (K, K)"""
    valid.shape("x", x, (None,))
    return x * np.eye(len(x))


def distribution_function(a, w, m, s):
    """p(x <= a), a probability (kingma2019 Apps. A.1.1, A.1.2).  (n,) -> (n,)"""
    valid.distribution("w", w)
    return np.sum(w * sigmoid((np.expand_dims(a, -1) - m) / s), axis=-1)


def density(a, w, m, s):
    """p(x = a), the derivative of the distribution function (kingma2019 App. A.1.1).  (n,) -> (n,)"""
    valid.distribution("w", w)
    t = (np.expand_dims(a, -1) - m) / s
    return np.sum(w / s * sigmoid(t) * sigmoid(-t), axis=-1)


def mass_at(p, k):
    """p(x = k) for a discrete variable on 0..K-1 (kingma2019 App. A.1.1).  -> (n,)"""
    valid.distribution("p", p)
    return p[k]


def bernoulli_mass(x, p):
    """Bernoulli(x; p) = prod_i p_i^x_i (1 - p_i)^(1 - x_i), p_i in [0, 1] (kingma2019 App. A.1.3).  -> (...)"""
    valid.require(onp.min(p) >= 0 and onp.max(p) <= 1, "every p_i must be in [0, 1].")
    return np.prod(np.where(x == 1, p, 1 - p), axis=-1)


def categorical_draw(p, uniform):
    """The draw from Categorical(p) that a uniform gives: the first i whose upper end passes it.  (n,) -> (n,)"""
    return onp.argmax(onp.asarray(uniform)[..., None] < onp.cumsum(p), axis=-1)


# ---- claims ---------------------------------------------------------------------------

def two_vectors(seed, K=4):
    rng = onp.random.default_rng(seed)
    return {"x": rng.normal(size=K), "y": rng.normal(size=K)}


def uses_of_diag(build=diag):
    """What a diagonal matrix is used for: a product, a determinant, an inverse."""
    return lambda x, y: {"product": build(x) @ y, "determinant": np.linalg.det(build(x)),
                         "inverse": np.linalg.inv(build(x)) @ y}


def component_by_component(x, y):
    return {"product": onp.array([a * b for a, b in zip(x, y)]), "determinant": math.prod(x),
            "inverse": onp.array([b / a for a, b in zip(x, y)])}


def mixture_case(seed, K=3):
    rng = onp.random.default_rng(seed)
    return {"a": rng.normal(size=5) * 2, "w": rng.dirichlet(onp.ones(K)), "m": rng.normal(size=K),
            "s": rng.uniform(0.3, 0.8, K)}


def both_kinds(seed):
    """A density at a, and a mass on 0..4 at every k."""
    p = onp.random.default_rng([seed, 1]).dirichlet(onp.ones(5))
    return {**mixture_case(seed), "p": p}


def at_a(of_density=density, of_mass=lambda p: mass_at(p, onp.arange(len(p)))):
    """p(x = a) for both kinds."""
    return lambda a, w, m, s, p: {"density": of_density(a, w, m, s), "mass": of_mass(p)}


def from_distribution_functions(a, w, m, s, p):
    """The slope of p(x <= a), by autograd, and the jumps of p(x <= k)."""
    slope = elementwise_grad(lambda a: distribution_function(a, w, m, s))(a)
    return {"density": slope, "mass": onp.diff([sum(p[:k]) for k in range(len(p) + 1)])}


def area_to_the_left(a, w, m, s):
    """int p(x) dx up to each a, by the trapezoid rule in t with x = a - e^t."""
    t, weight = trapezoid(-38.0, 5.0, 3201)
    return density(a[:, None] - onp.exp(t), w, m, s) @ (weight * onp.exp(t))


def twelfths(seed):
    """Probabilities that are multiples of 1/12, so that 12 midpoints represent a uniform exactly."""
    return {"p": onp.random.default_rng(seed).multinomial(12, onp.full(4, 0.25)) / 12}


def signed_twelfths(seed):
    """They sum to one, but one is negative."""
    p = onp.random.default_rng(seed).permutation(onp.array([-2, 5, 6, 3]))
    return {"p": p / 12}


def law_of_draws(change=lambda p: p):
    def law(p):
        draws = categorical_draw(change(p), (onp.arange(12) + 0.5) / 12)
        return onp.bincount(draws, minlength=len(p)) / 12
    return law


def probabilities(seed):
    """One of the probabilities is 0 and one is 1: the interval is closed."""
    rng = onp.random.default_rng(seed)
    return {"p": rng.permutation(onp.concatenate([[0.0, 1.0], rng.uniform(size=3)]))}


def multivariate(mass):
    return lambda p: mass(all_binary(len(p)), p)


def one_by_one(p):
    states = [x[::-1] for x in product((0, 1), repeat=len(p))]          # the first component changes fastest
    return onp.array([math.prod(q if bit else 1 - q for bit, q in zip(x, p)) for x in states])


CLAIMS = [
    Claim("kingma2019.A.1.had", hadamard, equals(lambda x, y: component_by_component(x, y)["product"], two_vectors),
          {"the inner product": lambda x, y: x @ y,
           "the outer product": lambda x, y: onp.outer(x, y),
           "in reverse: a convolution": lambda x, y: x * y[::-1]}),
    Claim("kingma2019.A.1.diag", uses_of_diag(), equals(component_by_component, two_vectors),
          {"the outer product x x'": uses_of_diag(lambda x: np.outer(x, x) + 1e-6 * np.eye(len(x))),
           "the mean of x times I": uses_of_diag(lambda x: np.mean(x) * np.eye(len(x))),
           "on the other diagonal": uses_of_diag(lambda x: diag(x)[::-1])}),
    Claim("kingma2019.A.1.eq", at_a(), equals(from_distribution_functions, both_kinds, method="autodiff"),
          {"p(x = a) is a probability: 0 for a density": at_a(lambda a, w, m, s: 0 * a),
           "the distribution function for the density": at_a(distribution_function),
           "a density without 1/scale": at_a(lambda a, w, m, s: density(a / s[0], w, m / s[0], s / s[0])),
           "p(x <= k) for p(x = k)": at_a(of_mass=onp.cumsum)}),
    Claim("kingma2019.A.1.cdf", distribution_function, equals(area_to_the_left, mixture_case, method="quadrature"),
          {"the probability of x > a": lambda a, w, m, s: 1 - distribution_function(a, w, m, s),
           "the components' functions without their weights": lambda a, w, m, s: len(w) * distribution_function(
              a, 0 * w + 1 / len(w), m, s),
           "not standardised by the scale": lambda a, w, m, s: distribution_function(a, w, m, 1.0)},
          printed=density),
    Claim("kingma2019.A.1.cat", law_of_draws(), equals(lambda p: p, twelfths),
          {"the squares sum to one": law_of_draws(lambda p: p / onp.sqrt(p @ p)),
           "not normalised": law_of_draws(lambda p: 0.5 * p),
           "the odds in place of the probabilities": law_of_draws(lambda p: p / (13 / 12 - p))},
          without=equals(lambda p: p, signed_twelfths)),
    Claim("kingma2019.A.1.ber", multivariate(bernoulli_mass), equals(one_by_one, probabilities),
          {"the sum, not the product": multivariate(lambda x, p: np.sum(np.where(x == 1, p, 1 - p), axis=-1)),
           "p is the probability of a 0": multivariate(lambda x, p: bernoulli_mass(1 - x, p)),
           "a categorical over the components": multivariate(lambda x, p: x @ p / np.sum(p)),
           "only the components that are on": multivariate(lambda x, p: np.prod(p**x, axis=-1))}),
]
