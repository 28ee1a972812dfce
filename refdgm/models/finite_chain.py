r"""A Markov chain on a few states, exactly: everything follows from its transition matrix P, P_ij = P(i -> j).

P : (..., S, S), leading axes a batch of chains;  laws are rows, so one step takes mu to mu P.

A chain that leaves state 0 with probability 0.1 and comes back with 0.3 is there three quarters of the time:

>>> import numpy as np
>>> from refdgm.models.finite_chain import stationary_law
>>> round(float(stationary_law(np.array([[0.9, 0.1], [0.3, 0.7]]))[0]), 6)
0.75
"""

from refdgm import validation as valid
from refdgm.backend import xp as np


def stationary_law(P):
    """The law pi with pi P = pi and sum pi = 1.  (..., S, S) -> (..., S)

    Raises ValueError where the rows do not sum to one or the chain has more than one such law.

    >>> stationary_law(np.array([[0.9, 0.1], [0.3, 0.7]])).round(12).tolist()
    [0.75, 0.25]
    """
    valid.distribution("each row of the transition matrix", P)
    S = P.shape[-1]
    equations = np.swapaxes(P, -1, -2) - np.eye(S)
    valid.require(np.all(np.linalg.matrix_rank(equations) >= S - 1),         # S where rounding hides the redundancy
                  "the chain has more than one stationary law: some states are never reached from others.")
    equations[..., -1, :] = 1.0         # one of the S equations pi (P - I) = 0 is redundant; sum pi = 1 replaces it
    return np.linalg.solve(equations, np.broadcast_to(np.eye(S)[-1][:, None], P.shape[:-1] + (1,)))[..., 0]


def total_variation(p, q):
    """Half the L1 distance of two laws: the largest difference of a probability.  (..., S), (..., S) -> (...)"""
    return np.sum(np.abs(p - q), axis=-1) / 2


def bit_update(on, site):
    """P that draws the bit `site` anew: it is 1 with probability on[s].  (2**D,) -> (2**D, 2**D)

    The states are the rows of numerics.all_binary(D): bit i of state s is (s >> i) & 1.

    >>> bit_update(np.array([0.25, 0.75]), 0).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    states = np.arange(len(on))
    P = np.zeros((len(on), len(on)))
    P[states, states | 1 << site] = on
    P[states, states & ~(1 << site)] = 1 - on
    return P
