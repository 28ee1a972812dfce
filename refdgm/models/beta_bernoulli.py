r"""A coin of unknown bias: a Bernoulli model with a beta prior, the smallest exact case of Bayesian inference.

    p(theta) = Beta(a, b)    p_theta(x) = theta^x (1 - theta)^{1 - x}    p_theta(D) = prod_i p_theta(x_i)

    p(theta|D) = Beta(a + k, b + n - k),   p(D) = B(a + k, b + n - k) / B(a, b)        with k ones among n

prior = {"a": (), "b": ()}, both positive;  D (n,) bits;  theta (...) in (0, 1), a parameter that is a random variable.
Everything also has a quadrature over theta (`grid`), which knows nothing of conjugacy.

Under a flat prior four ones have p(D) = 1/5, and not (1/2)^4: each makes the next one likelier.

>>> import numpy as np
>>> from refdgm.models.beta_bernoulli import log_evidence
>>> round(float(np.exp(log_evidence({"a": 1.0, "b": 1.0}, np.ones(4)))), 6)
0.2
"""
from math import lgamma

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import log_sigmoid, trapezoid


def log_beta_density(theta, a, b):
    """log Beta(theta; a, b).  (...) -> (...)"""
    return (a - 1) * np.log(theta) + (b - 1) * np.log1p(-theta) - log_beta_function(a, b)


def log_beta_function(a, b):
    """log B(a, b) = log int theta^{a-1} (1 - theta)^{b-1} dtheta, on the host wherever a and b are.  -> ()"""
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def log_prior(prior, theta):
    """log p(theta).  (...) -> (...)"""
    return log_beta_density(theta, prior["a"], prior["b"])


def log_likelihood(theta, D):
    """log p_theta(D), a sum over the data.  (...) -> (...)"""
    return np.sum(D) * np.log(theta) + np.sum(1 - D) * np.log1p(-theta)


def posterior(prior, D):
    """The prior's parameters with the data counted in: p(theta|D) is again a beta distribution.  -> {"a", "b"}"""
    validate(prior, D)
    return {"a": prior["a"] + np.sum(D), "b": prior["b"] + np.sum(1 - D)}


def log_evidence(prior, D):
    """log p(D) of the data in their order.  -> ()"""
    after = posterior(prior, D)
    return log_beta_function(after["a"], after["b"]) - log_beta_function(prior["a"], prior["b"])


def grid(n=301, reach=30.0):
    """Nodes theta (n,) and log-weights (n,) of an integral over (0, 1): the trapezoid rule in the log-odds."""
    u, w = trapezoid(-reach, reach, n)
    return onp.exp(log_sigmoid(u)), onp.log(w) + log_sigmoid(u) + log_sigmoid(-u)


def random_case(seed, n=7):
    """A prior that is neither flat nor symmetric, and n bits of which some are 0 and some are 1."""
    rng = onp.random.default_rng(seed)
    D = rng.permutation(onp.append(rng.integers(0, 2, n - 2), [0, 1])).astype(float)
    return {"prior": {"a": rng.uniform(1.3, 3.0), "b": rng.uniform(3.5, 6.0)}, "D": D}


def validate(prior, D=None):
    """Raise ValueError, saying which, if a parameter is not positive or the data are not bits."""
    valid.parameters("prior", prior, {"a": (), "b": ()})
    for name in ("a", "b"):
        valid.require(prior[name] > 0, f"prior[{name!r}] must be positive, but is {prior[name]}.")
    if D is not None:
        valid.shape("D", D, (None,))
        valid.require(onp.all((D == 0) | (D == 1)), "D must hold bits, 0 or 1.")
