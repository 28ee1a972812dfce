r"""Metropolis-Hastings on a finite space: a pure step that takes its uniforms, and its exact transition matrix.

    propose z' ~ R(z, .),  accept with probability min(1, p(z') R(z', z) / (p(z) R(z, z')))

p may be unnormalised. The step takes its randomness as arguments, so it serves one chain or many at once, each with
its own target, and repeats itself exactly.

Shapes: log_p (..., m) over the states, one row a chain; proposal R (m, m), rows sum to one; z (...,) integer states.

From a state of weight 3 to one of weight 1 a proposal is accepted with probability 1/3:

>>> import numpy as np
>>> from refdgm.samplers.metropolis_hastings import transition_matrix
>>> round(float(transition_matrix(np.log([3.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))[0, 1]), 3)
0.333
"""

from refdgm import validation as valid
from refdgm.backend import xp as np


def log_ratio(log_p, R, z, z_new):
    """log p(z')R(z', z) / (p(z)R(z, z')), -inf if there is no way back.  (..., m), (m, m), (...,), (...,) -> (...)"""
    log_p_new, log_p_old = (np.take_along_axis(log_p, i[..., None], axis=-1)[..., 0] for i in (z_new, z))
    with np.errstate(divide="ignore"):          # log 0 = -inf: such a move is never accepted
        return log_p_new - log_p_old + np.log(R[z_new, z]) - np.log(R[z, z_new])


def step(log_p, R, z, u_propose, u_accept):
    """One move of every chain, with its two uniforms in [0, 1).  (..., m), (m, m), (...,), (...,), (...,) -> (...)"""
    up_to = np.cumsum(R, axis=1)
    up_to = up_to / up_to[:, -1:]               # ends in exactly 1, so that no state with R = 0 is ever proposed
    z_new = np.sum(up_to[z] <= u_propose[..., None], axis=-1)
    return np.where(u_accept < np.exp(np.minimum(0.0, log_ratio(log_p, R, z, z_new))), z_new, z)


def transition_matrix(log_p, R):
    """The exact kernel K(z, z') for one target log_p (m,).  -> (m, m)

    Raises ValueError unless R is a transition matrix.
    """
    valid.shape("the proposal R", R, (len(log_p), len(log_p)))
    valid.distribution("each row of the proposal R", R, axis=1)
    K = np.zeros_like(R)
    z, z_new = np.nonzero(R)
    log_accept = np.minimum(0.0, log_ratio(np.broadcast_to(log_p, (len(z), len(log_p))), R, z, z_new))
    K[z, z_new] = R[z, z_new] * np.exp(log_accept)
    np.fill_diagonal(K, 0.0)
    return K + np.diag(1.0 - K.sum(axis=1))
