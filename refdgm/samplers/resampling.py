r"""Sampling-importance-resampling, one proposal after the other and in constant memory (Rubin 1988; Chao 1982).

    step k      x' ~ q,  w' = p(x') / q(x');    S += w';    x becomes x' with probability w' / S

After K steps x is one of the K proposals, each with probability w_k / S: a draw from nearly p, whose law on a finite
space is samplers.importance.resampled_law. With it come, of the same proposals,

    log Z ~ log(S / K)                     ESS = S^2 / sum w^2                      E_p x ~ sum_k (w_k / S) x_k

S and sum w^2 are kept as multiples of e^top and e^(2 top), top being the largest log w so far: nothing overflows.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the proposal is a Normal and the
target has a compiled form (refdgm.proposals), in float64 and float32.  x (C, n), the others (C,): C chains.

After K = 30 proposals from N(0, 2^2) the variance of 4,000 chains is near that of the target, N(0, 1):

>>> import numpy as np
>>> from refdgm.proposals import LogWeight, normal
>>> from refdgm.samplers.resampling import init, log_normaliser, run
>>> q = normal([0.0], 2.0)
>>> state = run(q, LogWeight(lambda x: -(x**2).sum(axis=-1) / 2, q), init(q, 4000, seed=0), 30).state
>>> round(float(state.x.var()), 1), round(float(np.exp(log_normaliser(state)).mean()**2 / (2 * np.pi)), 2)
(1.0, 1.0)
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import exp
from refdgm.proposals import compilable
from refdgm.streams import Stream, advance, keys, stream, uniforms

PICK = 1                            # the draw of a step beside the proposal's, which is 0
LOWEST = -1e30                      # top before there is a weight


class State(NamedTuple):
    """C chains: the draw picked so far, what is known of the weights, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    top: np.ndarray         # (C,) the largest log weight
    total: np.ndarray       # (C,) the sum of the weights, times e^-top
    squares: np.ndarray     # (C,) the sum of their squares, times e^-2top
    mean: np.ndarray        # (C, n) sum_k w_k x_k / sum_k w_k
    stream: Stream


def init(propose, number, seed=0, first=0):
    """`number` chains that have seen no proposal.  Raises ValueError if there is none."""
    s = stream(seed, number, first)
    x = np.zeros_like(propose(s))
    valid.shape("propose(stream)", x, (number, None))
    return State(x, np.full(number, LOWEST, x.dtype), *np.zeros((2, number), x.dtype), x.copy(), s)


def step(propose, log_weight, state):
    """One more proposal for every chain.

    Raises ValueError, naming chain and step, where a log weight is nan or inf; -inf is a weight of zero.
    """
    x, top, total, squares, mean, s = state
    real, new = x.dtype.type, propose(s)
    with np.errstate(all="ignore"):
        log_w = np.asarray(log_weight(new), real)
    valid.shape("log_weight(x)", log_w, top.shape)
    for i in np.flatnonzero(~(log_w < np.inf)):
        raise ValueError(f"a log weight must be a number or -inf, but is {log_w[i]} for chain {s.chain[i]} at step "
                         f"{s.step}.")
    highest = np.maximum(top, log_w)
    old, fresh = exp(top - highest), np.where(log_w == -np.inf, real(0), exp(log_w - highest))
    total, squares = total * old + fresh, squares * old * old + fresh * fresh
    share = fresh / np.where(fresh > 0, total, real(1))
    picked = uniforms(s, 1, PICK, real)[:, 0] < share
    return State(np.where(picked[:, None], new, x), highest, total, squares, mean + share[:, None] * (new - mean),
                 advance(s))


def run(propose, log_weight, state, steps, threads=None, **options):
    """`steps` proposals for every chain, compiled if they can be.  -> refdgm.chains.Run; options as in chains.drive"""
    by_step = chains.repeated(lambda state: step(propose, log_weight, state))
    if not compilable(propose, log_weight):
        return chains.drive(state, by_step, steps, **options)
    from refdgm import jit
    from refdgm.kernels import weighting
    from refdgm.kernels.targets import prepared
    chains.shaped(state, x=propose.m.shape)
    chains.fits(state, lambda one: step(propose, log_weight, one))
    form = prepared(log_weight.target, state.x.dtype.type)
    kernel = jit.on_demand(weighting.resample, form.lasting)

    def compiled(state, n):
        arrays, s = [a.reshape(len(a), -1).copy() for a in state[:-1]], state.stream
        jit.in_threads(kernel, (*arrays, s.chain[:, None]),
                       (form.parameters, form.rows, form.lanes, propose, n, s.step, *keys(s.seed)), threads, form.lanes)
        if not np.isfinite(arrays[1]).all():
            by_step(state, n)                           # the twin raises where it happened
        return State(*(a.reshape(b.shape) for a, b in zip(arrays, state)), advance(s, n))

    return chains.drive(state, compiled, steps, **options)


# ---- the estimates --------------------------------------------------------------------

def log_normaliser(state):
    """log of the mean weight, the estimate of log Z.  -> (C,)"""
    return state.top + np.log(_weighed(state).total) - np.log(state.stream.step)


def effective_sample_size(state):
    """(sum w)^2 / sum w^2.  -> (C,)"""
    return _weighed(state).total**2 / state.squares


def _weighed(state):
    """The state, if every chain has met a weight above zero."""
    for i in np.flatnonzero(state.total == 0):
        raise ValueError(f"every weight of chain {state.stream.chain[i]} is zero: the proposal has no support where "
                         "the target has.")
    return state
