r"""Unadjusted Langevin dynamics for any differentiable log p, many chains side by side (yu2020 Eq. 5; ou2018 Sec. 4).

    x' = x + (eps/2) dlog p(x)/dx + sqrt(eps) z,   z ~ N(0, I)              log p = -E + constant

eps is the variance of the noise, so that the drift is eps/2; with eta = eps/2 it is x + eta dlog p + sqrt(2 eta) z. The
chain has a bias of order eps (refdgm.samplers.langevin says how large on a Gaussian); MALA removes it.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the target has a compiled form
(refdgm.models.targets), in float64 and float32.  x (C, n): C chains.

At eps = 1 the variance of 4,000 chains on N(0, 1) is near 4/3, as samplers.langevin says, and not 1:

>>> import numpy as np
>>> from refdgm.samplers.ula import init, step
>>> target = lambda x: -(x**2).sum(axis=-1) / 2
>>> state = init(target, np.zeros((4000, 1)), seed=0)
>>> for _ in range(20):
...     state = step(target, state, 1.0)
>>> round(float(state.x.var()), 2)
1.33
"""
import math
from typing import NamedTuple

from refdgm import continuous
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import placed
from refdgm.models.targets import all_finite, finite_log_p_and_score
from refdgm.streams import Stream, advance, normals

NOISE = 0                           # the draw of a step


class State(NamedTuple):
    """C chains, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    stream: Stream


def init(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.

    Raises ValueError if there is no chain, or log p or its gradient is not finite at x, or of another shape.
    """
    state = State(*placed(x, seed, first, real))
    finite_log_p_and_score(target, state.x, state.stream)
    return state


def step(target, state, eps):
    """One step of every chain (yu2020 Eq. 5)."""
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    (x, s), real = state, state.x.dtype.type
    score = finite_log_p_and_score(target, x, s)[1]
    with np.errstate(over="ignore"):
        x = x + real(eps / 2) * score + real(math.sqrt(eps)) * normals(s, x.shape[1], NOISE, real)
    all_finite("x after a step", x, s)
    return State(x, advance(s))


def run(target, state, eps, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    real = state.x.dtype.type

    def one(state):
        return step(target, state, eps)

    def constants(first, n):
        return np.full(n, real(eps / 2)), np.full(n, real(math.sqrt(eps)))

    return continuous.run("ula", one, target, state, constants, steps, threads, **options)
