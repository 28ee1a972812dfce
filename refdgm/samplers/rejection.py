r"""Rejection sampling with a bound on the density ratio, many chains side by side (von Neumann 1951).

    propose x ~ q       accept it with probability p(x) / (M q(x)),  M >= max_x p(x) / q(x)

An accepted x is an exact draw from p. With p and q normalised a proposal is accepted with probability 1/M, so that
attempts are geometric with mean M. p may be unnormalised; then M bounds the unnormalised ratio.

Each step is one attempt of every chain that waits; the others stay as they are. On S states the chain on {0, .., S-1,
waiting} has an exact matrix. A ratio above M is an error: the draws would not be those of p.

propose(stream) -> x (C, ...);  log_ratio(x) = log p(x) - log q(x) (C,);  log_M a number. `step` is plain NumPy and
pure; `run` is the same, compiled bit for bit where these are a Normal and a LogWeight of refdgm.proposals whose target
has a compiled form; then chains that wait are gathered side by side, so that those that do not cost nothing.

With max p/q = 1.8 it takes 1.8 attempts on average; here the mean over 2,000 chains:

>>> import numpy as np
>>> from refdgm.samplers.rejection import init, proposer, step
>>> log_w, propose = np.log([1.8, 0.2]), proposer(np.array([0.5, 0.5]))
>>> state = init(propose, 2000, seed=0)
>>> while not state.accepted.all():
...     state = step(propose, lambda z: log_w[z], np.log(1.8), state)
>>> float(state.attempts.mean())
1.805
"""
from functools import partial
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import exp
from refdgm.proposals import compilable
from refdgm.streams import Stream, advance, keys, stream, uniforms

PROPOSE, ACCEPT = 0, 1              # the draws of a step; propose may use PROPOSE and any number above ACCEPT


class State(NamedTuple):
    """C chains: their last proposals, which of these are accepted, after how many attempts; whose numbers come next."""
    x: np.ndarray           # (C, ...)
    accepted: np.ndarray    # (C,) of bool
    attempts: np.ndarray    # (C,) of int
    stream: Stream


def init(propose, number, seed=0, first=0):
    """`number` chains that wait.  Raises ValueError if there is none, or propose gives another number of proposals."""
    s = stream(seed, number, first)
    x = np.asarray(propose(s))
    valid.require(len(x) == number, f"propose gave {len(x)} proposals for {number} chains.")
    return State(np.zeros_like(x), np.zeros(number, bool), np.zeros(number, np.int64), s)


def step(propose, log_ratio, log_M, state):
    """One attempt of every chain that waits.

    Raises ValueError, naming chain and step, where the ratio exceeds M or is nan.
    """
    waiting, s = np.flatnonzero(~state.accepted), state.stream
    x, accepted, attempts = state.x.copy(), state.accepted.copy(), state.attempts.copy()
    theirs = s._replace(chain=s.chain[waiting])                     # numbers by address: who else waits changes nothing
    x[waiting] = propose(theirs)
    log_r = np.asarray(log_ratio(x[waiting]), np.float64)
    valid.shape("log_ratio(x)", log_r, (len(waiting),))
    for i in np.flatnonzero(~(log_r <= log_M)):
        raise ValueError(f"log p/q must be at most log M = {log_M:.6g}, but is {log_r[i]:.6g} for chain "
                         f"{theirs.chain[i]} at step {s.step}.")
    accepted[waiting] = accepts(log_r - log_M, uniforms(theirs, 1, ACCEPT)[:, 0])
    attempts[waiting] += 1
    return State(x, accepted, attempts, advance(s))


def accepts(log_probability, u):
    """u < p / (M q); a probability of zero is never accepted.  -> (C,)"""
    return (u < exp(log_probability)) & (log_probability > -np.inf)


def run(propose, log_ratio, log_M, state, steps, threads=None, **options):
    """At most `steps` attempts of every chain, compiled if they can be.  -> refdgm.chains.Run; options as in drive"""
    one = partial(step, propose, log_ratio, log_M)

    def attempt(state, n):
        end = advance(state.stream, n)
        while state.stream.step < end.step and not state.accepted.all():
            state = one(state)
        return state._replace(stream=end)

    if not compilable(propose, log_ratio):
        chains.fits(state, one)
        return chains.drive(state, attempt, steps, **options)
    from refdgm import jit
    from refdgm.kernels import weighting
    from refdgm.kernels.targets import prepared
    chains.shaped(state, x=propose.m.shape)
    chains.fits(state, one)
    form = prepared(log_ratio.target, state.x.dtype.type)
    kernel = jit.on_demand(weighting.reject, form.lasting)

    def compiled(state, n):
        arrays, s = [a.reshape(len(a), -1).copy() for a in state[:-1]], state.stream
        faults = np.zeros((len(s.chain), 1), bool)
        jit.in_threads(kernel, (*arrays, faults, s.chain[:, None]),
                       (form.parameters, form.rows, form.lanes, propose, float(log_M), n, s.step, *keys(s.seed)),
                       threads, form.lanes)
        if faults.any():
            attempt(state, n)                           # the twin raises where it happened
        return State(*(a.reshape(b.shape) for a, b in zip(arrays, state)), advance(s, n))

    return chains.drive(state, compiled, steps, **options)


# ---- finite spaces --------------------------------------------------------------------

def proposer(q):
    """propose for q (S,): a state by the inverse of the cumulative probabilities."""
    valid.distribution("the proposal q", q)
    up_to = np.cumsum(q)
    return lambda s: np.searchsorted(up_to / up_to[-1], uniforms(s, 1, PROPOSE)[:, 0], side="right")


def log_bound(log_p, log_q):
    """The smallest log M, max (log p - log q).  (S,), (S,) -> ()

    Raises ValueError where p has support and q has none: there is no bound.
    """
    p, q = np.exp(log_p), np.exp(log_q)
    valid.covers("the proposal q", q, "the target p", p)
    return np.max(np.subtract(log_p, log_q, where=q > 0, out=np.full(len(q), -np.inf)))


def transition_matrix(log_p, log_q, log_M):
    """One attempt, over the S states and, last, waiting: P(waiting, z) = p(z) / M.  -> (S + 1, S + 1), rows sum to 1"""
    valid.require(log_bound(log_p, log_q) <= log_M, "the ratio p/q exceeds M.")
    P = np.eye(len(log_p) + 1)
    P[-1, :-1] = np.exp(log_p - log_M)
    P[-1, -1] = 1 - P[-1, :-1].sum()
    return P
