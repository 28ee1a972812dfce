r"""Fully visible Boltzmann machine (Ackley, Hinton and Sejnowski 1985).

    E(x) = -x'Jx / 2 - b'x,      p(x) = exp(-E(x)) / Z,      p(x_i = 1 | the others) = sigmoid((J x + b)_i)

theta = {"J": (n, n) symmetric with a zero diagonal, "b": (n,)};  x : (..., n) are bits, leading axes are batches.
Everything is exact: the 2**n states are summed.

Two units that like each other are on together more often than 1/4:

>>> import numpy as np
>>> from refdgm.models.boltzmann import log_prob_table
>>> theta = {"J": np.array([[0.0, 3.0], [3.0, 0.0]]), "b": np.array([-1.5, -1.5])}
>>> round(float(np.exp(log_prob_table(theta))[3]), 3)
0.409
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import all_binary, log_softmax, log_sum_exp


def energy(theta, x):
    """E(x) = -x'Jx / 2 - b'x.  (..., n) -> (...)"""
    return -np.sum(np.dot(x, theta["J"]) * x, axis=-1) / 2 - np.sum(x * theta["b"], axis=-1)


def logits(theta, x):
    """J x + b, the log-odds of each unit given all others.  (..., n) -> (..., n)"""
    return np.dot(x, theta["J"]) + theta["b"]


def log_partition(theta):
    """log Z.  -> ()"""
    validate(theta)
    return log_sum_exp(-energy(theta, all_binary(len(theta["b"]))))


def log_prob_table(theta):
    """log p(x) for every x.  -> (2**n,)"""
    validate(theta)
    return log_softmax(-energy(theta, all_binary(len(theta["b"]))))


def random_theta(rng, n, scale=1.0):
    """Couplings of a few units: N(0, scale^2), and biases under which half of the units are on."""
    J = onp.triu(scale * rng.normal(size=(n, n)), 1)
    J = J + J.T
    return {"J": J, "b": rng.normal(size=n) - onp.sum(J, axis=1) / 2}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x is not as the docstring of this module says."""
    n, _ = valid.matrix("theta", theta, "J")
    valid.parameters("theta", theta, {"J": (n, n), "b": (n,)})
    J = onp.asarray(getval(theta["J"]))
    valid.require(onp.array_equal(J, J.T), "theta['J'] must be symmetric.")
    valid.require(not onp.any(onp.diag(J)), "theta['J'] must have a zero diagonal; what a unit adds alone is in b.")
    if x is not None:
        valid.vector("x", x, n)
        valid.require(valid.are_bits(x), "x must consist of bits, 0 or 1.")
