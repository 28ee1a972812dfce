r"""Chains on R^n, many side by side: how they begin, how a proposal along the score is decided, and how they are run.

The samplers say what their steps are; what ULA, MALA, HMC, SGLD and SGHMC have in common stands here. A target is a
function or a tuple of parameters, as in refdgm.models.targets.  x (C, n): C chains.

A proposal that loses half of the density is taken by half of the chains:

>>> import numpy as np
>>> from refdgm.continuous import Adjusted, adjusted, decided
>>> target = lambda x: -(x**2).sum(axis=-1) / 2
>>> state = adjusted(target, np.zeros((4000, 1)), seed=0)
>>> worse = decided(state, (state.x + 1.0, state.log_p - np.log(2), state.score), np.full(4000, -np.log(2)), draw=1)
>>> round(float(worse.x.mean()), 1)
0.5
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import log
from refdgm.models.targets import all_finite, finite_log_p_and_score, has_form
from refdgm.streams import Stream, advance, stream, uniforms


class Adjusted(NamedTuple):
    """C chains, what the target says of each, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    log_p: np.ndarray       # (C,) of x
    score: np.ndarray       # (C, n) of x
    accepted: np.ndarray    # (C,) how many proposals were accepted so far
    stream: Stream


def placed(x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.  -> x of type `real`, the stream

    Raises ValueError if there is no chain, or x is no matrix.
    """
    valid.shape("x", x, (None, None))
    valid.real_type(real)
    return np.array(x, real), stream(seed, len(x), first)


def adjusted(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.

    Raises ValueError if there is no chain, or log p or its gradient is not finite at x, or of another shape.
    """
    x, s = placed(x, seed, first, real)
    return Adjusted(x, *finite_log_p_and_score(target, x, s), np.zeros(len(x), np.uint32), s)


def decided(state, proposal, ratio, draw):
    """The state after proposal = (x', log p, score), taken with probability min(1, e^ratio).  ratio (C,)

    Raises ValueError, naming chain and step, where the ratio is not finite.
    """
    (*here, accepted, s), real = state, state.x.dtype.type
    all_finite("the log acceptance ratio", ratio, s)
    taken = log(uniforms(s, 1, draw, real)[:, 0]) < ratio
    return Adjusted(*(np.where(taken.reshape(-1, *[1] * (old.ndim - 1)), new, old) for old, new in zip(here, proposal)),
                    accepted + taken.astype(np.uint32), advance(s))


def run(kernel, step, target, state, constants, steps, threads=None, **options):
    """`steps` steps of every chain: with the kernel of this name in refdgm.kernels.langevin if the target can be
    compiled, else with its twin, step(state).  -> refdgm.chains.Run; options as in chains.drive

    constants(first, n) are the kernel's arguments for n steps from the step `first`.
    """
    if not has_form(target):
        return chains.drive(state, chains.repeated(step), steps, **options)
    from refdgm.kernels import langevin
    from refdgm.kernels.targets import prepared
    return langevin.run(getattr(langevin, kernel), step, prepared(target, state.x.dtype.type), state, constants, steps,
                        threads, **options)
