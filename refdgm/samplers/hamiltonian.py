r"""Hamiltonian Monte Carlo for any differentiable log p, many chains side by side (kingma2019 App. A.2.3; Neal 2011).

    momentum    r ~ N(0, I), drawn anew in every step
    leapfrog    r += (eps/2) s(x);  x += eps r;  r += (eps/2) s(x),  L times;   s(x) = dlog p(x)/dx
    accept      with probability min(1, exp(H(x, r) - H(x', r'))),  H(x, r) = |r|^2/2 - log p(x),  else stay at x

refdgm.samplers.hmc shows why this leaves p stationary for every eps. Two half steps of the momentum in a row are one
whole step, and the kinetic energies enter the ratio as  sum_i (r_i - r'_i)(r_i + r'_i)/2. With L = 1 this is MALA of
step eps^2.

`step` is plain NumPy and pure; `run` is the same chain, compiled bit for bit where the target has a compiled form
(refdgm.models.targets), in float64 and float32.  x, r, s (C, n); log p (C,): C chains.

Three long steps a trajectory, and yet the variance of 4,000 chains on N(0, 1) is that of the target:

>>> import numpy as np
>>> from refdgm.samplers.hamiltonian import init, step
>>> target = lambda x: -(x**2).sum(axis=-1) / 2
>>> state = init(target, np.zeros((4000, 1)), seed=0)
>>> for _ in range(10):
...     state = step(target, state, 1.2, 3)
>>> round(float(state.x.var()), 2)
0.98
"""
from refdgm import continuous
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.continuous import Adjusted, adjusted, decided
from refdgm.models.targets import finite_log_p_and_score
from refdgm.streams import normals

MOMENTUM, ACCEPT = 0, 1             # the draws of a step

State, init = Adjusted, adjusted


def leapfrog(look, x, r, score, eps, L):
    """L steps from (x, r), the score being that of x; look(x) -> log p, score.  -> x', log p', score', r'"""
    real = x.dtype.type
    half, eps = real(eps / 2), real(eps)
    r = r + half * score
    for i in range(L):
        x = x + eps * r
        log_p, score = look(x)
        r = r + (eps if i < L - 1 else half) * score
    return x, log_p, score, r


def log_ratio(log_p, new_log_p, r, new_r):
    """H(x, r) - H(x', r').  (C,), (C,), (C, n), (C, n) -> (C,)"""
    half, ratio = r.dtype.type(0.5), new_log_p - log_p
    for i in range(r.shape[-1]):
        ratio = ratio + half * (r[..., i] - new_r[..., i]) * (r[..., i] + new_r[..., i])
    return ratio


def step(target, state, eps, L):
    """One step of every chain: L leapfrog steps of length eps, and the decision.

    Raises ValueError, naming chain and step, where log p or its gradient is not finite on the way.
    """
    _positive(eps, L)
    (x, log_p, score, _, s), real = state, state.x.dtype.type
    r = normals(s, x.shape[1], MOMENTUM, real)
    with np.errstate(all="ignore"):
        y, new_log_p, new_score, new_r = leapfrog(lambda x: finite_log_p_and_score(target, x, s), x, r, score, eps, L)
        ratio = log_ratio(log_p, new_log_p, r, new_r)
    return decided(state, (y, new_log_p, new_score), ratio, ACCEPT)


def run(target, state, eps, L, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    _positive(eps, L)
    real = state.x.dtype.type

    def one(state):
        return step(target, state, eps, L)

    def constants(first, n):
        return real(eps / 2), real(eps), L, n

    return continuous.run("hmc", one, target, state, constants, steps, threads, **options)


def _positive(eps, L):
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    valid.count("the number of leapfrog steps L", L)
