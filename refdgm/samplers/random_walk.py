r"""Random-walk Metropolis for any log density on R^n, many chains side by side (Metropolis et al. 1953).

    y = x + scale z,  z ~ N(0, I)           accept with probability min{1, p(y) / p(x)}, else stay at x

The proposal is symmetric, q(y|x) = q(x|y), so that it drops out of the ratio. log p = -inf says that y is outside of
the support; such a proposal is never accepted.

The target is a function log_p(x), (C, n) -> (C,), in NumPy, or a tuple of parameters as in refdgm.models.targets; with
the latter `run` is the chain of `step` compiled, bit for bit, in float64 and float32.
x (C, n): C chains.  scale a positive number, or (n,).

Steps as long as 2.4 standard deviations: the share of proposals that are accepted on N(0, 1).

>>> import numpy as np
>>> from refdgm.samplers.random_walk import init, step
>>> target = lambda x: -(x**2).sum(axis=-1) / 2
>>> state = init(target, np.zeros((1000, 1)), seed=0)
>>> for _ in range(50):
...     state = step(target, state, 2.4)
>>> round(float(state.accepted.mean() / 50), 2)
0.44
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import placed
from refdgm.elementary import exp
from refdgm.models.targets import has_form, log_p_and_score
from refdgm.streams import Stream, advance, keys, normals, uniforms

NOISE, ACCEPT = 0, 1                # the draws of a step


class State(NamedTuple):
    """C chains, what the target says of each, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    log_p: np.ndarray       # (C,) of x
    accepted: np.ndarray    # (C,) how many proposals were accepted so far
    stream: Stream


def init(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.

    Raises ValueError if there is no chain, or log p is not finite at x, or of another shape.
    """
    x, s = placed(x, seed, first, real)
    valid.finite("x", x)
    log_p = log_density(target, x, s)
    for i in np.flatnonzero(log_p == -np.inf):
        raise ValueError(f"chain {s.chain[i]} starts outside of the support: log p is -inf there.")
    return State(x, log_p, np.zeros(len(x), np.uint32), s)


def log_density(target, x, s):
    """log p(x), -inf outside of the support.  (C, n) -> (C,)

    Raises ValueError, naming chain and step, where it is nan or inf.
    """
    valid.real_type(x.dtype)
    if isinstance(target, tuple):
        log_p = log_p_and_score(target, x)[0]
    else:
        with np.errstate(all="ignore"):
            log_p = np.asarray(target(x), x.dtype)
        valid.shape("log_p(x)", log_p, x.shape[:1])
    for i in np.flatnonzero(~(log_p < np.inf)):
        raise ValueError(f"log p must be a number or -inf, but is {log_p[i]} for chain {s.chain[i]} at step {s.step}.")
    return log_p


def step(target, state, scale):
    """One step of every chain."""
    (x, log_p, accepted, s), real = state, state.x.dtype.type
    y = x + _scale(scale, x) * normals(s, x.shape[1], NOISE, real)
    log_p_new = log_density(target, y, s)
    moves = uniforms(s, 1, ACCEPT, real)[:, 0] < exp(log_p_new - log_p)
    return State(np.where(moves[:, None], y, x), np.where(moves, log_p_new, log_p),
                 accepted + moves.astype(np.uint32), advance(s))


def run(target, state, scale, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    by_step = chains.repeated(lambda state: step(target, state, scale))
    if not has_form(target):
        return chains.drive(state, by_step, steps, **options)
    from refdgm import jit
    from refdgm.kernels import metropolis
    from refdgm.kernels.targets import prepared
    chains.fits(state, lambda one: step(target, one, scale))
    form = prepared(target, state.x.dtype.type)
    kernel, wide = jit.on_demand(metropolis.random_walk, form.lasting), _scale(scale, state.x)

    def compiled(state, n):
        (x, log_p, accepted), s = (a.reshape(len(a), -1).copy() for a in state[:3]), state.stream
        faults = np.zeros_like(log_p)
        jit.in_threads(kernel, (x, log_p, accepted, faults, s.chain[:, None]),
                       (form.parameters, form.rows, form.lanes, wide, s.step, n, *keys(s.seed)), threads, form.lanes)
        if np.isnan(faults).any():
            by_step(state, n)                           # the twin raises where it happened
        return State(x, log_p[:, 0], accepted[:, 0], advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def _scale(scale, x):
    scale = np.asarray(scale, x.dtype)
    valid.require(scale.shape in ((), x.shape[1:]) and np.all(scale > 0) and np.all(np.isfinite(scale)),
                  f"scale must be a positive number, or {x.shape[1]} of them, but is {scale}.")
    return np.broadcast_to(scale, x.shape[1:]).copy()
