r"""The Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996), many chains side by side.

    proposal    y = x + (eps/2) s(x) + sqrt(eps) z,   z ~ N(0, I),   s(x) = dlog p(x)/dx        yu2020 Eq. 5's step
    q(y|x)      N(y; x + (eps/2) s(x), eps I)
    accept      with probability a(x, y) = min(1, p(y) q(x|y) / (p(x) q(y|x))), else stay at x

so that p(x) q(y|x) a(x, y) is symmetric and p stationary for every eps. The squares of log q cancel in part:

    log q(x|y) - log q(y|x)  =  - sum_i (s_i(x) + s_i(y)) ((y_i - x_i)/2 + (eps/8) (s_i(y) - s_i(x)))

eps is the variance of the noise; with eta = eps/2 the proposal is x + eta s + sqrt(2 eta) z.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the target has a compiled form
(refdgm.models.targets), in float64 and float32.  x, s (C, n); log p (C,): C chains.

At eps = 1 the variance of 4,000 chains on N(0, 1) is that of the target; without the test it is 4/3 (samplers.ula).

>>> import numpy as np
>>> from refdgm.samplers.mala import init, step
>>> target = lambda x: -(x**2).sum(axis=-1) / 2
>>> state = init(target, np.zeros((4000, 1)), seed=0)
>>> for _ in range(20):
...     state = step(target, state, 1.0)
>>> round(float(state.x.var()), 2)
1.0
"""
import math

from refdgm import continuous
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import Adjusted, adjusted, decided
from refdgm.models.targets import finite_log_p_and_score
from refdgm.streams import normals

NOISE, ACCEPT = 0, 1                # the draws of a step

State, init = Adjusted, adjusted


def propose(x, score, eps, z):
    """y, driven by the noise z.  (C, n), (C, n), (), (C, n) -> (C, n)"""
    real = x.dtype.type
    return x + real(eps / 2) * score + real(math.sqrt(eps)) * z


def log_q(y, x, score, eps):
    """log q(y|x), up to a constant; score is that of x.  (..., n), (..., n), (..., n), () -> (...)"""
    return -np.sum((y - x - eps / 2 * score)**2, axis=-1) / (2 * eps)


def log_ratio(here, there, eps):
    """log of p(y) q(x|y) / (p(x) q(y|x)), here and there being (x, log p, score) at x and at y.  -> (C,)"""
    (x, log_p_x, s_x), (y, log_p_y, s_y) = here, there
    half, eighth, ratio = x.dtype.type(0.5), x.dtype.type(eps / 8), log_p_y - log_p_x
    for i in range(x.shape[-1]):
        s, s_new = s_x[..., i], s_y[..., i]
        ratio = ratio - (s + s_new) * (half * (y[..., i] - x[..., i]) + eighth * (s_new - s))
    return ratio


def step(target, state, eps):
    """One step of every chain."""
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    (x, log_p, score, _, s), real = state, state.x.dtype.type
    with np.errstate(over="ignore"):
        y = propose(x, score, eps, normals(s, x.shape[1], NOISE, real))
    new_log_p, new_score = finite_log_p_and_score(target, y, s)
    with np.errstate(all="ignore"):
        ratio = log_ratio((x, log_p, score), (y, new_log_p, new_score), eps)
    return decided(state, (y, new_log_p, new_score), ratio, ACCEPT)


def run(target, state, eps, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    real = state.x.dtype.type

    def one(state):
        return step(target, state, eps)

    def constants(first, n):
        return real(eps / 2), real(math.sqrt(eps)), real(eps / 8), n

    return continuous.run("mala", one, target, state, constants, steps, threads, **options)
