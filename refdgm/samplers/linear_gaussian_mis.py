r"""Metropolis independence sampling of a linear-Gaussian posterior, many chains side by side (ou2018 Sec. 3.2.3).

    target p(h|x) ~ p(h) p(x|h) = N(h; 0, I) N(x; W h + b, Psi)       proposal q(h|x) = N(V x + c, S)

    1. h' = V x + c + L eps,  eps ~ N(0, I),  L L' = S       2. accept with probability min{1, w(h') / w(h)}

    log w(h) = log p(x, h) - log q(h|x)
             = (|eps|^2 - |h|^2 - |R^-1 (x - W h - b)|^2) / 2 + log |L| - log |R| - D/2 log 2 pi,     R R' = Psi

The weight of the current state is kept, not computed again: it travels with the state. `step` is plain
NumPy and pure: its random numbers are those of the state's stream. `run` is the same chain compiled, bit for bit, in
float64 and float32.

theta, phi as in refdgm.models.linear_gaussian;  x (D,), one for all chains, or (C, D);  h (C, H), log_w (C,), C chains.

The share of 1,000 chains whose first proposal from a q(h|x) that does not know the posterior is accepted:

>>> import numpy as np
>>> from refdgm.samplers.linear_gaussian_mis import init, linear_gaussian, step
>>> theta, phi, x = linear_gaussian.random_case(0).values()
>>> state = init(theta, phi, x, 1000, seed=0)
>>> float((step(theta, phi, x, state).h != state.h).any(axis=1).mean())
0.596
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order, exp
from refdgm.models import linear_gaussian
from refdgm.streams import Stream, advance, keys, normals, stream, uniform, words

PROPOSE, ACCEPT = 0, 1              # the two draws of a step


class State(NamedTuple):
    """C chains: where they are, the log weight of being there, and whose numbers come next."""
    h: np.ndarray           # (C, H)
    log_w: np.ndarray       # (C,)
    stream: Stream


class Problem(NamedTuple):
    """What a step computes with, in the chains' precision."""
    mean: np.ndarray        # (1, H) or (C, H), V x + c
    L: np.ndarray           # (H, H)
    x: np.ndarray           # (1, D) or (C, D), R^-1 (x - b)
    W: np.ndarray           # (D, H), -R^-1 W
    constant: np.floating   # log |L| - log |R| - D/2 log 2 pi


def init(theta, phi, x, number, seed=0, h=None, first=0, real=np.float64):
    """`number` chains at h (C, H), or at a draw from the proposal.

    Raises ValueError if a parameter is not finite, a covariance is none, the shapes do not fit, or there is no chain.
    """
    H, s = np.shape(theta["W"])[1], stream(seed, number, first)
    problem = _problem(theta, phi, x, number, real)
    if h is None:
        h, log_w = propose(problem, s)
        s = advance(s)
    else:
        valid.shape("h", h, (number, H))
        log_w = linear_gaussian.log_joint(theta, x, h) - linear_gaussian.log_q(phi, x, h)
    return State(np.asarray(h, real), _finite(np.asarray(log_w, real), s), s)


def propose(problem, s):
    """h' ~ q(.|x) and its log weight, for every chain.  -> (C, H), (C,)"""
    mean, L, x, W, constant = problem
    eps = normals(s, len(L), PROPOSE, mean.dtype.type)
    with np.errstate(over="ignore", invalid="ignore"):                         # what is not finite is named later
        h = dot_in_order(eps, L.T, mean)
        residual = dot_in_order(h, W.T, x)
        squares = np.zeros_like(h[:, 0])
        for sign, rows in ((1, eps), (-1, h), (-1, residual)):
            for row in rows.T:
                squares = squares + sign * row * row
    return h, constant + mean.dtype.type(0.5) * squares


def accepts(log_w_new, log_w, s):
    """Who moves: u < w' / w (ou2018 Sec. 3.2.3, MIS step 2). One block of four words serves four steps.  -> (C,)"""
    word = words(s._replace(step=s.step // 4), 4, ACCEPT)[:, s.step % 4]
    return uniform(word, log_w) < exp(log_w_new - log_w)


def step(theta, phi, x, state):
    """One step of every chain; the weight moves with the state.

    Raises ValueError, naming chain and step, where a proposal's log weight is not finite.
    """
    h, log_w = propose(_problem(theta, phi, x, len(state.h), state.h.dtype.type), state.stream)
    moves = accepts(_finite(log_w, state.stream), state.log_w, state.stream)
    return State(np.where(moves[:, None], h, state.h), np.where(moves, log_w, state.log_w), advance(state.stream))


def run(theta, phi, x, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.mis import linear_gaussian as kernel
    chains.shaped(state, h=np.shape(phi["c"]), log_w=())
    number, real = len(state.h), state.h.dtype.type
    mean, L, x_white, W, constant = _problem(theta, phi, x, number, real)
    mean, x_white = (np.repeat(a, number // len(a), axis=0) for a in (mean, x_white))
    L, W = (np.pad(a, ((0, 0), (0, len(L) % 2))) for a in (L, W))              # an even number of columns
    lanes = 2 * jit.lanes(real)

    def compiled(state, n):
        h, log_w, s = state.h.copy(), state.log_w[:, None].copy(), state.stream
        faults = np.zeros_like(log_w)
        jit.in_threads(kernel, (h, log_w, faults, mean, x_white, s.chain[:, None]),
                       (L, W, constant, real(0.5), s.step, n, *keys(s.seed), lanes), threads, lanes)
        if np.isnan(faults).any():
            for _ in range(n):
                state = step(theta, phi, x, state)                             # raises where it happened
        return State(h, log_w[:, 0], advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def validate(theta, phi, x):
    """Raise ValueError, saying which, if a parameter or x does not fit or is not finite, or a covariance is none."""
    linear_gaussian.validate(theta, x)
    D, H = np.shape(theta["W"])
    valid.parameters("phi", phi, {"V": (H, D), "c": (H,), "S": (H, H)})
    valid.require(np.allclose(phi["S"], phi["S"].T) and np.linalg.eigvalsh(phi["S"])[0] > 0,
                  "the proposal has no density: phi['S'] must be symmetric and positive definite.")


def _problem(theta, phi, x, number, real):
    """Sums over units in a stated order, so that a chain's numbers do not depend on how many chains there are."""
    valid.real_type(real)
    validate(theta, phi, x)
    D, H = np.shape(theta["W"])
    valid.require(np.shape(x) in ((D,), (number, D)),
                  f"x must have shape ({D},) or ({number}, {D}), but has shape {np.shape(x)}.")
    x = np.atleast_2d(np.asarray(x, np.float64))
    R, L = np.linalg.cholesky(theta["Psi"]), np.linalg.cholesky(phi["S"])
    whiten = np.linalg.inv(R)
    constant = np.sum(np.log(np.diag(L))) - np.sum(np.log(np.diag(R))) - D / 2 * np.log(2 * np.pi)
    return Problem(dot_in_order(x, phi["V"].T, phi["c"]).astype(real), L.astype(real),
                   dot_in_order(x - theta["b"], whiten.T, np.zeros(D)).astype(real),
                   -(whiten @ theta["W"]).astype(real), constant.astype(real))


def _finite(log_w, s):
    """log_w, or a ValueError that names a chain and the step."""
    for i in np.flatnonzero(~np.isfinite(log_w)):
        raise ValueError(f"the log weight must be finite, but is {log_w[i]} for chain {s.chain[i]} at step {s.step}.")
    return log_w
