r"""Block Gibbs sampling of a Bernoulli RBM, many chains side by side.

    h_j ~ Bern(sigmoid((v'w + c)_j))    then    v_i ~ Bern(sigmoid((w h + b)_i))         one step: v -> h -> v'

The visible state is a Markov chain with T(v, v') = sum_h p(h|v) p(v'|h), reversible for p(v). `step` is plain NumPy
and pure: its uniforms are those of the state's stream. `run` is the same chain compiled, bit for bit, in float64 and
float32.

theta = {"w": (D, H), "b": (D,), "c": (H,)} as in refdgm.models.rbm;  v (C, D), h (C, H) of 0. and 1., C chains.

A visible and a hidden unit that like to agree: the share of 2,000 chains in which v is on after 20 steps.

>>> import numpy as np
>>> from refdgm.samplers.rbm_gibbs import init, step
>>> theta = {"w": np.array([[4.0]]), "b": np.array([-1.0]), "c": np.array([-2.0])}
>>> state = init(theta, 2000, seed=0)
>>> for _ in range(20):
...     state = step(theta, state)
>>> float(state.v.mean())
0.7375
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order
from refdgm.models import rbm
from refdgm.numerics import all_binary
from refdgm.streams import Stream, advance, fires, keys, stream, words

HIDDEN, VISIBLE = 0, 1              # the two draws of a step


class State(NamedTuple):
    """C chains: the visible units, the hidden units they came from, and whose numbers come next."""
    v: np.ndarray           # (C, D)
    h: np.ndarray           # (C, H)
    stream: Stream


def init(theta, number, seed=0, v=None, first=0, real=np.float64):
    """`number` chains at v (C, D), or at fair coin flips.

    Raises ValueError if theta is not a finite RBM, v is not a batch of bits, or there is no chain.
    """
    rbm.validate(theta, v)
    D, H = np.shape(theta["w"])
    s = stream(seed, number, first)
    if v is None:
        v = words(s, D, draw=VISIBLE) >> np.uint32(31)
        s = advance(s)
    valid.shape("v", v, (number, D))
    return State(np.asarray(v, real), np.zeros((number, H), real), s)


def step(theta, state):
    """One step v -> h -> v' of every chain (bachman2015 Sec. 5.4)."""
    w, b, c = _parameters(theta, state.v.dtype)
    h = fires(words(state.stream, len(c), HIDDEN), dot_in_order(state.v, w, c)).astype(w.dtype)
    v = fires(words(state.stream, len(b), VISIBLE), dot_in_order(h, w.T, b)).astype(w.dtype)
    return State(v, h, advance(state.stream))


def run(theta, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.rbm import gibbs
    rbm.validate(theta)
    w, b, c = _parameters(theta, state.v.dtype)
    chains.shaped(state, v=b.shape, h=c.shape)
    panels, panels_transposed, lanes = jit.panels(w), jit.panels(w.T), jit.lanes(w.dtype)

    def compiled(state, n):
        v, h, chain = np.empty_like(state.v), np.empty_like(state.h), state.stream.chain[:, None]
        jit.in_threads(gibbs, (state.v, v, h, chain), (panels, panels_transposed, b, c, state.stream.step, n,
                                              *keys(state.stream.seed), lanes), threads, together=lanes)
        return State(v, h, advance(state.stream, n))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta):
    """T(v, v') = sum_h p(h|v) p(v'|h) over all 2**D visible states.  -> (2**D, 2**D), rows sum to one"""
    D, H = np.shape(theta["w"])
    valid.enumerable(2**(D + max(D, H)), f"the transition matrix of an RBM with {D} visible and {H} hidden units")
    v, h = all_binary(D), all_binary(H)
    return np.exp(rbm.log_z_given_x(theta, v[:, None, :], h)) @ np.exp(rbm.log_x_given_z(theta, v, h[:, None, :]))


def _parameters(theta, real):
    """w, b and c as arrays of one type, absent biases as zeros."""
    valid.real_type(real)
    w = np.ascontiguousarray(theta["w"], real)
    return w, *(np.ascontiguousarray(theta.get(name, np.zeros(n)), real) for name, n in zip("bc", w.shape))
