r"""Block Gibbs sampling of a deep Boltzmann machine with two hidden layers, many chains side by side.

    the odd layer      h1_j ~ Bern(sigmoid((W1'v + W2 h2 + c1)_j))
    the even layers    v_i ~ Bern(sigmoid((W1 h1 + b)_i)),  h2_k ~ Bern(sigmoid((W2'h1 + c2)_k))

One step draws h1 and then both its neighbours: (v, h2) is a Markov chain, reversible for p(v, h2), and v alone is none.
This is block Gibbs sampling of an RBM whose visible layer is (v, h2) and whose weights are W1 upon W2', so that `run`
is the RBM's kernel. `step` is plain NumPy and pure: its random numbers are those of the state's stream, and `run` gives
the same chain bit for bit, in float64 and float32.

theta = {"W1": (D, H), "W2": (H, G), "b": (D,), "c1": (H,), "c2": (G,)} as in refdgm.models.dbm;
v (C, D), h1 (C, H), h2 (C, G) of 0. and 1., C chains.

How much one step changes p(v, h2), and how much of where it began it keeps, its second eigenvalue:

>>> import numpy as np
>>> from refdgm.samplers.dbm_gibbs import dbm, transition_matrix
>>> theta = dbm.random_theta(np.random.default_rng(0), D=2, H=2, G=1)
>>> p, T = np.exp(dbm.log_outer_table(theta)), transition_matrix(theta)
>>> round(float(np.abs(p @ T - p).max()), 6), round(float(np.sort(np.linalg.eigvals(T).real)[-2]), 2)
(0.0, 0.03)
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order
from refdgm.models import dbm
from refdgm.numerics import all_binary, bernoulli_log_prob
from refdgm.streams import Stream, advance, fires, keys, stream, words

MIDDLE, OUTER = 0, 1                # the two draws of a step


class State(NamedTuple):
    """C chains: the layers, v and h2 drawn after h1, and whose numbers come next."""
    v: np.ndarray           # (C, D)
    h1: np.ndarray          # (C, H)
    h2: np.ndarray          # (C, G)
    stream: Stream


def init(theta, number, seed=0, v=None, h2=None, first=0, real=np.float64):
    """`number` chains at v (C, D) and h2 (C, G); a layer that is not given consists of fair coin flips.

    Raises ValueError if theta is not a finite DBM, v or h2 is not a batch of bits, or there is no chain.
    """
    dbm.validate(theta, v=v, h2=h2)
    D, H, G = (len(theta[name]) for name in ("b", "c1", "c2"))
    s = stream(seed, number, first)
    coins = words(s, D + G, OUTER) >> np.uint32(31)
    v, h2 = coins[:, :D] if v is None else v, coins[:, D:] if h2 is None else h2
    valid.shape("v", v, (number, D))
    valid.shape("h2", h2, (number, G))
    return State(np.asarray(v, real), np.zeros((number, H), real), np.asarray(h2, real), advance(s))


def step(theta, state):
    """One step (v, h2) -> h1 -> (v', h2') of every chain."""
    valid.real_type(state.v.dtype)
    W1, W2, b, c1, c2 = (np.asarray(theta[name], state.v.dtype) for name in ("W1", "W2", "b", "c1", "c2"))
    D, s = len(b), state.stream
    outer = words(s, D + len(c2), OUTER)
    h1 = fires(words(s, len(c1), MIDDLE), dot_in_order(state.h2, W2.T, dot_in_order(state.v, W1, c1))).astype(b.dtype)
    v = fires(outer[:, :D], dot_in_order(h1, W1.T, b)).astype(b.dtype)
    h2 = fires(outer[:, D:], dot_in_order(h1, W2, c2)).astype(b.dtype)
    return State(v, h1, h2, advance(s))


def run(theta, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.rbm import gibbs
    dbm.validate(theta)
    valid.real_type(state.v.dtype)
    chains.shaped(state, v=np.shape(theta["b"]), h1=np.shape(theta["c1"]), h2=np.shape(theta["c2"]))
    real, D = state.v.dtype, state.v.shape[1]
    w, c = np.concatenate([theta["W1"], theta["W2"].T]).astype(real), np.asarray(theta["c1"], real)
    b = np.concatenate([theta["b"], theta["c2"]]).astype(real)
    weights, lanes = (jit.panels(w), jit.panels(w.T)), jit.lanes(real)

    def compiled(state, n):
        start, h1, s = np.concatenate([state.v, state.h2], axis=1), np.empty_like(state.h1), state.stream
        outer = np.empty_like(start)
        jit.in_threads(gibbs, (start, outer, h1, s.chain[:, None]), (*weights, b, c, s.step, n, *keys(s.seed), lanes),
                       threads, together=lanes)
        return State(outer[:, :D].copy(), h1, outer[:, D:].copy(), advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta):
    """T((v, h2), (v', h2')) = sum_h1 p(h1|v, h2) p(v'|h1) p(h2'|h1), states as dbm.outer_states.  -> (S, S)"""
    dbm.validate(theta)
    v, h2 = dbm.outer_states(theta)
    h1 = all_binary(len(theta["c1"]))
    valid.enumerable(len(v) * max(len(v), len(h1)), f"the transition matrix of a DBM with {len(v)} outer states")
    up = bernoulli_log_prob(h1, dbm.middle_logits(theta, v, h2)[:, None, :])
    down = (bernoulli_log_prob(v, dbm.visible_logits(theta, h1)[:, None, :])
            + bernoulli_log_prob(h2, dbm.top_logits(theta, h1)[:, None, :]))
    return np.exp(up) @ np.exp(down)
