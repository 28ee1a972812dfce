r"""Metropolis independence sampling on a finite space (ou2018 Sec. 3.2.3, MIS steps 1-2).

    target p, proposal q, both known up to a constant;  weight w(h) = p(h) / q(h)

    1. propose h' ~ q            2. accept it with probability min{1, w(h') / w(h)}, else stay at h

The transition matrix is P(h, h') = q(h') min{1, w(h') / w(h)} for h' != h. It satisfies detailed balance for p, and
its spectral gap is 1 / max w (with p and q normalised): the worst underestimated state decides how fast it forgets.

Shapes: log_w, log_q (..., S) over the S states, P (..., S, S); a chain state h and its cached weight (...).

The second eigenvalue of the chain is 1 - 1 / max w; here max w = 0.8 / 0.5.

>>> import numpy as np
>>> from refdgm.samplers.independence import transition_matrix
>>> p, q = np.array([0.8, 0.2]), np.array([0.5, 0.5])
>>> round(float(np.sort(np.linalg.eigvals(transition_matrix(np.log(p / q), np.log(q))))[0]), 3), round(1 - 0.5 / 0.8, 3)
(0.375, 0.375)
"""
from typing import NamedTuple

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, leaves_invariant


class State(NamedTuple):
    """Where each chain is, and the log weight of being there: what the next proposal has to beat."""
    h: np.ndarray
    log_w: np.ndarray


def log_weights(log_p, log_q):
    """log w = log p - log q; an unknown constant in either drops out of every ratio.  (..., S), (..., S) -> (..., S)"""
    valid.covers("the proposal q", onp.exp(log_q), "the target p", onp.exp(log_p))
    return log_p - log_q


def acceptance(log_w_new, log_w_old):
    """min{1, w' / w} (ou2018 Sec. 3.2.3, MIS step 2), without overflow."""
    return np.exp(np.minimum(0.0, log_w_new - log_w_old))


def step(state, proposal, log_w_proposal, uniform):
    """One step of every chain, given its proposal and a uniform number; the weight moves with the state."""
    accepted = uniform < acceptance(log_w_proposal, state.log_w)
    return State(onp.where(accepted, proposal, state.h), onp.where(accepted, log_w_proposal, state.log_w))


def transition_matrix(log_w, log_q):
    """P(h, h') = q(h') min{1, w(h') / w(h)}, and what is rejected stays.  (..., S), (..., S) -> (..., S, S)"""
    return with_rejections(np.exp(log_q)[..., None, :] * acceptance(log_w[..., None, :], log_w[..., :, None]))


def with_rejections(moves):
    """Whatever leaves a row of `moves` short of one stays where it is.  (..., S, S) -> (..., S, S)"""
    return moves + onp.eye(moves.shape[-1]) * (1 - np.sum(moves, axis=-1, keepdims=True))


def contraction(p, q):
    """The chain's second largest eigenvalue, 1 - 1 / max w (Liu 1996), for normalised p and q.  (S,), (S,) -> ()"""
    return 1 - 1 / onp.max(p / q)


def random_case(seed, S=5):
    """A target and a proposal on S states, neither uniform, the target with an unknown constant."""
    rng = onp.random.default_rng(seed)
    q = rng.normal(size=S)
    return {"log_p": 1.5 * rng.normal(size=S) + rng.normal(), "log_q": q - onp.log(onp.sum(onp.exp(q)))}


# ---- claims ---------------------------------------------------------------------------

def chain(log_p, log_q):
    return transition_matrix(log_weights(log_p, log_q), log_q)


def weight_never_updated(log_p, log_q):
    """As released with the JSA paper: the weight to beat stays that of the first state."""
    first = (log_p - log_q)[:1]
    return with_rejections(np.exp(log_q) * acceptance(log_p - log_q, first)[None, :] * np.ones((len(log_q), 1)))


def dropped_rejections(log_p, log_q):
    """Rejected proposals are not counted, only moves are."""
    moves = np.exp(log_q) * acceptance((log_p - log_q)[None, :], (log_p - log_q)[:, None])
    return moves / np.sum(moves, axis=1, keepdims=True)


CLAIMS = [
    Claim("ou2018.mis.fixed_k", chain,
          leaves_invariant(lambda log_p, log_q: np.exp(log_p) / np.sum(np.exp(log_p)), random_case, reversible=True),
          {"the weight is never updated": weight_never_updated,
           "ratio inverted": lambda log_p, log_q: transition_matrix(log_q - log_p, log_q),
           "p'/p: the proposal is not corrected for": lambda log_p, log_q: transition_matrix(log_p, log_q),
           "every proposal accepted": lambda log_p, log_q: transition_matrix(0 * log_p, log_q),
           "rejected proposals are not counted": dropped_rejections}),
]
