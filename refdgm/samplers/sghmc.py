r"""Stochastic gradient Hamiltonian Monte Carlo (Chen, Fox and Guestrin 2014, Eq. 13), many chains side by side.

    x' = x + eps r
    r' = r + eps g - eps C r + sqrt(2 (C - B) eps) z,   z ~ N(0, I),   E[g] = dlog p(x')/dx

with friction C and unit mass. The gradient g may be an estimate, from a minibatch (refdgm.models.targets.Minibatch): if
its covariance is V, it brings the noise eps V/2 = B itself, and the injected noise is that much less. C >= B >= 0 are
numbers. As eps -> 0 the law of x tends to p; with B = 0 where there is gradient noise, x is too hot. In their Eq. 15
eps r, eps^2, eps C and eps B are called v, eta, alpha and beta.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the target has a compiled form
(refdgm.models.targets), in float64 and float32.  x, r (C, n): C chains.

Short steps and friction 1 on N(0, 1), an exact gradient, B = 0: the variance of 2,000 chains is near 1.

>>> import numpy as np
>>> from refdgm.models.targets import gaussian
>>> from refdgm.samplers.sghmc import init, step
>>> target = gaussian(np.zeros(1), np.eye(1))
>>> state = init(target, np.zeros((2000, 1)), seed=0)
>>> for _ in range(100):
...     state = step(target, state, eps=0.1, friction=1.0)
>>> round(float(state.x.var()), 2)
0.98
"""
import math
from typing import NamedTuple

from refdgm import continuous
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import placed
from refdgm.models.targets import all_finite, finite_log_p_and_score
from refdgm.streams import Stream, advance, normals

NOISE, BATCH = 0, 1                 # the draws of a step


class State(NamedTuple):
    """C chains: position, momentum, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    r: np.ndarray           # (C, n)
    stream: Stream


def init(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`, with momenta from N(0, I).

    Raises ValueError if there is no chain, or log p or its gradient is not finite at x, or of another shape.
    """
    x, s = placed(x, seed, first, real)
    finite_log_p_and_score(target, x, s, BATCH)
    return State(x, normals(s, x.shape[1], NOISE, real), advance(s))


def move(x, r, score, eps, friction, noise, z):
    """The step, driven by z; score is a function of x' (Chen et al. Eq. 13).  -> x', r'"""
    keep, root = factors(eps, friction, noise, x.dtype.type)
    eps = x.dtype.type(eps)
    x = x + eps * r
    return x, keep * r + eps * score(x) + root * z


def factors(eps, friction, noise, real):
    """1 - eps C and sqrt(2 (C - B) eps)."""
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    valid.require(0 <= noise <= friction, "the noise estimate must be between 0 and the friction, "
                                          f"but they are {noise} and {friction}.")
    return real(1 - eps * friction), real(math.sqrt(2 * (friction - noise) * eps))


def step(target, state, eps, friction, noise=0.0):
    """One step of every chain, with friction C and noise estimate B."""
    x, r, s = state

    def score(x):
        return finite_log_p_and_score(target, x, s, BATCH)[1]

    with np.errstate(over="ignore"):
        x, r = move(x, r, score, eps, friction, noise, normals(s, x.shape[1], NOISE, x.dtype.type))
    all_finite("the momentum", r, s)
    return State(x, r, advance(s))


def run(target, state, eps, friction, steps, noise=0.0, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    real = state.x.dtype.type
    keep, root = factors(eps, friction, noise, real)

    def one(state):
        return step(target, state, eps, friction, noise)


    def constants(first, n):
        return real(eps), keep, root, n

    return continuous.run("sghmc", one, target, state, constants, steps, threads, **options)
