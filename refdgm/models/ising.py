r"""Ising model on a torus of R x C spins (Ising 1925; Onsager 1944).

    E(s) = -beta sum_(r,c) s_rc (s_r,c+1 + s_r+1,c) - field sum_(r,c) s_rc,      p(s) = exp(-E(s)) / Z
    p(s_rc = 1 | the others) = sigmoid(2 (beta m + field)),   m the sum of its four neighbours

Rows and columns are numbered modulo R and C, so that with two rows (columns) a spin has the same neighbour twice.
Temperature is within beta and field. theta = {"beta": (), "field": ()};  s : (..., R, C) of -1 and 1.

Of four spins at beta = 1/2 all are up or all are down, most of the time:

>>> import numpy as np
>>> from refdgm.models.ising import log_prob_table
>>> p = np.exp(log_prob_table({"beta": 0.5, "field": 0.0}, 2, 2))
>>> round(float(p[0] + p[15]), 3)
0.901
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.numerics import all_binary, log_softmax, log_sum_exp

SUMS = np.arange(-4, 5, 2)          # what four spins can add up to


def neighbours(spins):
    """m, the sum of the four neighbours of every spin.  (..., R, C) -> (..., R, C)"""
    return sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (-1, -2))


def energy(theta, spins):
    """E(s): every bond counts once.  (..., R, C) -> (...)"""
    bonds = spins * (np.roll(spins, -1, -1) + np.roll(spins, -1, -2))
    return -theta["beta"] * np.sum(bonds, axis=(-1, -2)) - theta["field"] * np.sum(spins, axis=(-1, -2))


def logit(theta, m):
    """The log-odds of a spin 1 whose neighbours add up to m.  (...) -> (...)"""
    return 2 * (theta["beta"] * m + theta["field"])


# ---- exact, by enumeration ------------------------------------------------------------

def all_spins(R, C):
    """Every lattice, in the order of numerics.all_binary, a bit 1 for a spin 1.  -> (2**(R C), R, C)"""
    return (2 * all_binary(R * C) - 1).reshape(-1, R, C)


def log_partition(theta, R, C):
    """log Z.  -> ()"""
    return log_sum_exp(-energy(theta, all_spins(R, C)))


def log_prob_table(theta, R, C):
    """log p(s) for every lattice.  -> (2**(R C),)"""
    return log_softmax(-energy(theta, all_spins(R, C)))


def validate(theta, spins=None):
    """Raise ValueError, saying which, if a parameter or a spin is not as the docstring of this module says."""
    valid.parameters("theta", theta, {"beta": (), "field": ()})
    if spins is not None:
        valid.require(np.all(np.abs(spins) == 1), "spins must be -1 or 1.")
