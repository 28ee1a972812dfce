r"""Single-site Gibbs sampling of a law over D bits, given as a table of log weights.

    site i    the bit i is drawn from p(x_i | the others) = sigmoid(u(x with x_i = 1) - u(x with x_i = 0))
    random scan       K = (1/D) sum_i P_i: reversible          sequential scan   K = P_1 P_2 ... P_D: invariant only

The states are the rows of all_binary(D): bit i of state s is (s >> i) & 1. u : (2**D,) is known up to a constant.

A scan in a fixed order leaves p invariant, but is not reversible: the largest difference of two opposite flows.

>>> import numpy as np
>>> from refdgm.samplers.gibbs import sequential_scan
>>> p = np.array([0.1, 0.2, 0.3, 0.4])
>>> flow = p[:, None] * sequential_scan(np.log(p))
>>> round(float(np.abs(flow.sum(axis=0) - p).max()), 6), round(float(np.abs(flow - flow.T).max()), 3)
(0.0, 0.014)
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.numerics import sigmoid


def flip_probability(u, site):
    """The probability that drawing bit `site` anew changes it, from every state.  (S,) -> (S,)"""
    states = np.arange(len(u))
    return sigmoid(u[states ^ (1 << site)] - u)


def step(state, u, site, uniform):
    """Draw one bit of every chain anew, given a uniform number each.  state, uniform (...) -> (...)"""
    return np.where(uniform < flip_probability(u, site)[state], state ^ (1 << site), state)


def site_matrix(u, site):
    """P_i: only the bit `site` moves.  (S,) -> (S, S)"""
    flips, states = flip_probability(u, site), np.arange(len(u))
    P = np.diag(1 - flips)
    P[states, states ^ (1 << site)] = flips
    return P


def random_scan(u):
    """The site is drawn uniformly: (1/D) sum_i P_i.  (S,) -> (S, S)"""
    return sum(site_matrix(u, site) for site in range(bits(u))) / bits(u)


def sequential_scan(u):
    """Every site in turn: P_1 P_2 ... P_D.  (S,) -> (S, S)"""
    K = site_matrix(u, 0)
    for site in range(1, bits(u)):
        K = K @ site_matrix(u, site)
    return K


def bits(u):
    """D for a table of 2**D log weights."""
    D = len(u).bit_length() - 1
    valid.require(len(u) == 2**D, f"a law over bits has 2**D states, but the table has {len(u)}.")
    return D
