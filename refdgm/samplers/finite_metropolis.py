r"""Metropolis-Hastings on a finite space, many chains side by side (Hastings 1970).

    propose z' ~ R(z, .)        accept with probability A(z, z') = min{1, p(z') R(z', z) / (p(z) R(z, z'))}

    P(z, z') = R(z, z') A(z, z')  for z' != z;  what is rejected stays.  p(z) P(z, z') is symmetric.

p may be unnormalised, and zero in states that are then never entered. R and A are tables, so that a step is a search
and a comparison, and `step` in NumPy and the compiled `run` agree bit for bit. For chains with a target each, and
uniforms as arguments, see refdgm.samplers.metropolis_hastings.

log_p (S,), R (S, S), rows sum to one;  z (C,) integer states of C chains.

States of weight 3 and 1, a proposal that always leaves: the share of 2,000 chains in state 0 after 20 steps.

>>> import numpy as np
>>> from refdgm.samplers.finite_metropolis import init, step
>>> log_p, R = np.log([3.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
>>> state = init(log_p, R, np.zeros(2000, dtype=int), seed=0)
>>> for _ in range(20):
...     state = step(log_p, R, state)
>>> float((state.z == 0).mean())
0.761
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.streams import Stream, advance, keys, stream, uniforms

MOVE = 0                            # the draw of a step: to propose, to accept
LANES = 256


class State(NamedTuple):
    """C chains: where they are, and whose numbers come next."""
    z: np.ndarray           # (C,) of int64
    stream: Stream


def init(log_p, R, z, seed=0, first=0):
    """Chains at z (C,), numbered from `first`.

    Raises ValueError unless R is a transition matrix, log p a number or -inf and each z a state with p > 0, or if some
    state with p > 0 is never reached: the proposal lacks support.
    """
    A = acceptance(log_p, R)
    z = np.asarray(z)
    valid.shape("z", z, (None,))
    valid.require(np.issubdtype(z.dtype, np.integer) and np.all((0 <= z) & (z < len(R))),
                  f"z must be integers from 0 to {len(R) - 1}.")
    valid.require(np.all(np.isfinite(np.asarray(log_p)[z])), "a chain starts in a state of probability zero.")
    support = np.flatnonzero(np.isfinite(log_p))
    reached = (R * A)[np.ix_(support, support)] + np.eye(len(support)) > 0
    for _ in range(int(len(support)).bit_length()):
        reached = reached.astype(float) @ reached > 0
    for i, j in support[np.argwhere(~reached)]:
        raise ValueError(f"the proposal has no support there: state {j} is never reached from state {i}.")
    return State(z.astype(np.int64), stream(seed, len(z), first))


def acceptance(log_p, R):
    """A(z, z') = min{1, p(z') R(z', z) / (p(z) R(z, z'))}, zero where there is no way back.  -> (S, S)"""
    log_p, R = np.asarray(log_p, np.float64), np.asarray(R, np.float64)
    valid.shape("log_p", log_p, (None,))
    valid.shape("the proposal R", R, (len(log_p), len(log_p)))
    valid.distribution("each row of the proposal R", R, axis=1)
    for z in np.flatnonzero(~(log_p < np.inf)):
        raise ValueError(f"log p must be a number or -inf, but is {log_p[z]} in state {z}.")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_flow = log_p[:, None] + np.log(R)                       # of p(z) R(z, z'), -inf where it is zero
        ratio = np.exp(np.minimum(0.0, log_flow.T - log_flow))
    return np.where((log_flow.T > -np.inf) & (log_flow > -np.inf), ratio, 0.0)


def cumulative(R):
    """The rows of R summed up, each ending in 1 from its last possible state on, so that R = 0 is never proposed."""
    up_to = np.cumsum(R, axis=1)
    return np.minimum(up_to / up_to[:, -1:], 1.0)


def step(log_p, R, state):
    """One step of every chain."""
    to_propose, to_accept = uniforms(state.stream, 2, MOVE).T
    z = np.sum(cumulative(R)[state.z] <= to_propose[:, None], axis=1)
    moves = to_accept < acceptance(log_p, R)[state.z, z]
    return State(np.where(moves, z, state.z), advance(state.stream))


def run(log_p, R, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.metropolis import finite
    chains.shaped(state, z=())
    valid.require(np.all((0 <= state.z) & (state.z < len(R))), f"state.z must be from 0 to {len(R) - 1}.")
    up_to, accept = cumulative(R), acceptance(log_p, R)

    def compiled(state, n):
        z, s = state.z[:, None].copy(), state.stream
        jit.in_threads(finite, (z, s.chain[:, None]), (up_to, accept, s.step, n, *keys(s.seed), LANES), threads, LANES)
        return State(z[:, 0], advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(log_p, R):
    """P(z, z') = R(z, z') A(z, z'), and what is rejected stays.  -> (S, S), rows sum to one"""
    P = np.asarray(R) * acceptance(log_p, R)
    np.fill_diagonal(P, 0.0)
    return P + np.diag(1 - P.sum(axis=1))
