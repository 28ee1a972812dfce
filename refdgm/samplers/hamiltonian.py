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
from functools import reduce
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import log
from refdgm.models.targets import all_finite, finite_log_p_and_score, has_form
from refdgm.streams import Stream, advance, normals, stream, uniforms

MOMENTUM, ACCEPT = 0, 1             # the draws of a step


class State(NamedTuple):
    """C chains, what the target says of each, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    log_p: np.ndarray       # (C,) of x
    score: np.ndarray       # (C, n) of x
    accepted: np.ndarray    # (C,) how many proposals were accepted so far
    stream: Stream


def init(target, x, seed=0, first=0, real=np.float64):
    """Chains at x (C, n), numbered from `first`.

    Raises ValueError if there is no chain, or log p or its gradient is not finite at x, or of another shape.
    """
    valid.shape("x", x, (None, None))
    valid.require(real in (np.float64, np.float32), f"real must be np.float64 or np.float32, but is {real!r}.")
    x, s = np.array(x, real), stream(seed, len(x), first)
    log_p, score = finite_log_p_and_score(target, x, s)
    return State(x, log_p, score, np.zeros(len(x), np.uint32), s)


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
    (x, log_p, score, accepted, s), real = state, state.x.dtype.type
    r = normals(s, x.shape[1], MOMENTUM, real)
    with np.errstate(all="ignore"):
        y, new_log_p, new_score, new_r = leapfrog(lambda x: finite_log_p_and_score(target, x, s), x, r, score, eps, L)
        ratio = log_ratio(log_p, new_log_p, r, new_r)
    all_finite("the log acceptance ratio", ratio, s)
    taken = log(uniforms(s, 1, ACCEPT, real)[:, 0]) < ratio
    return State(np.where(taken[:, None], y, x), np.where(taken, new_log_p, log_p),
                 np.where(taken[:, None], new_score, score), accepted + taken.astype(np.uint32), advance(s))


def run(target, state, eps, L, steps, threads=None, **options):
    """`steps` steps of every chain, compiled if the target is.  -> refdgm.chains.Run; options as in chains.drive"""
    _positive(eps, L)

    def one(state):
        return step(target, state, eps, L)

    if not has_form(target):
        return chains.drive(state, lambda state, n: reduce(lambda s, _: one(s), range(n), state), steps, **options)
    from refdgm.kernels import langevin
    from refdgm.kernels.targets import prepared
    real = state.x.dtype.type

    def constants(first, n):
        return real(eps / 2), real(eps), L, n

    return langevin.run(langevin.hmc, one, prepared(target, real), state, constants, steps, threads, **options)


def _positive(eps, L):
    valid.require(eps > 0, f"eps must be positive, but is {eps}.")
    valid.count("the number of leapfrog steps L", L)
