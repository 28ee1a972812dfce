r"""Stochastic gradient Langevin dynamics (Welling and Teh 2011, Eqs. 2-5), many chains side by side.

    x' = x + (eps_t/2) g_t + sqrt(eps_t) z,   z ~ N(0, I),   E[g_t] = dlog p(x | data)/dx
    g_t  = d/dx [ log p0(x) + (N/m) sum_(i in M_t) log p(datum_i | x) ]         M_t: m of the N data, with replacement
    eps_t = a (b + t)^-gamma,  1/2 < gamma <= 1,  so that  sum eps_t = infinity,  sum eps_t^2 < infinity

The noise of g_t has variance eps_t^2 V/4 in x, against eps_t that is injected: it vanishes with the step, and no step
is rejected. An average over the chain weighs each state with its eps_t. The target is a Minibatch of
refdgm.models.targets or, to be compiled, a class with `minibatch = True` such as models.logistic_regression; of any
other target the gradient is exact.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the target has a compiled form
(refdgm.models.targets), in float64 and float32.  x (C, n): C chains, each with minibatches of its own.

The posterior of a mean whose data are two 0 and two 2, prior N(0, 1), has the mean 4/5; two data are seen in a step.

>>> import numpy as np
>>> from refdgm.models.targets import Minibatch
>>> from refdgm.samplers.sgld import init, polynomial, step
>>> target = Minibatch(lambda x: -x[:, 0]**2 / 2, lambda x, y: -(y - x)**2 / 2, np.array([0.0, 2.0, 0.0, 2.0]), 2)
>>> state = init(target, np.zeros((1000, 1)), seed=0)
>>> for _ in range(60):
...     state = step(target, state, polynomial(a=0.5, b=10, gamma=0.55))
>>> round(float(state.x.mean()), 2)
0.79
"""
from typing import NamedTuple

from refdgm import continuous
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import placed
from refdgm.models.targets import all_finite, finite_log_p_and_score
from refdgm.streams import Stream, advance, normals

NOISE, BATCH = 0, 1                 # the draws of a step


class State(NamedTuple):
    """C chains, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    stream: Stream


def polynomial(a, b, gamma):
    """t -> a (b + t)^-gamma, the steps of Welling and Teh (Sec. 2).

    >>> schedule = polynomial(a=0.5, b=10, gamma=0.55)
    >>> [round(schedule(t), 4) for t in (0, 1, 1000)]
    [0.1409, 0.1337, 0.0111]
    """
    valid.require(a > 0 and b > 0, f"a and b must be positive, but are {a} and {b}.")
    valid.require(0.5 < gamma <= 1, f"gamma must be above 1/2 and at most 1, but is {gamma}: the steps must sum to "
                                    "infinity and their squares must not.")
    return lambda t: a * (b + t)**-gamma


def init(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.

    Raises ValueError if there is no chain, or log p or its gradient is not finite at x, or of another shape.
    """
    state = State(*placed(x, seed, first, real))
    finite_log_p_and_score(target, state.x, state.stream, BATCH)
    return state


def lengths(schedule, first, steps, real):
    """eps_t/2 and sqrt(eps_t) for `steps` steps from t = first.  -> (steps,), (steps,)"""
    valid.count("the first step", first, 0)
    eps = np.array([schedule(t) for t in range(first, first + steps)], np.float64)
    valid.finite("the schedule", eps)
    valid.require(np.all(eps > 0), f"the schedule must be positive, but is {eps.min()} at some step.")
    return (eps / 2).astype(real), np.sqrt(eps).astype(real)


def step(target, state, schedule):
    """One step of every chain, of the length schedule(t) (Welling and Teh Eq. 4)."""
    (x, s), real = state, state.x.dtype.type
    half, root = lengths(schedule, s.step, 1, real)
    score = finite_log_p_and_score(target, x, s, BATCH)[1]
    with np.errstate(over="ignore"):
        x = x + half * score + root * normals(s, x.shape[1], NOISE, real)
    all_finite("x after a step", x, s)
    return State(x, advance(s))


def run(target, state, schedule, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    real = state.x.dtype.type

    def one(state):
        return step(target, state, schedule)

    def constants(first, n):
        return lengths(schedule, first, n, real)

    return continuous.run("ula", one, target, state, constants, steps, threads, **options)
