r"""Block Gibbs sampling of an RBM with Gaussian visible units, many chains side by side.

    h_j ~ Bern(sigmoid(c_j + sum_i v_i w_ij / sigma_i^2))    then    v_i ~ N((b + w h)_i, sigma_i^2)      v -> h -> v'

The visible state is a Markov chain reversible for p(v), a mixture of 2^H Gaussians. The hidden state is one too, with
T(h, h') = E[p(h'|v)], v ~ N(b + w h, diag sigma^2), reversible for p(h): an integral over D numbers, a matrix for a few
units. `step` is plain NumPy and pure; `run` is the same chain compiled, bit for bit, in float64 and float32.

theta = {"w": (D, H), "b": (D,), "c": (H,), "sigma": (D,)} as in refdgm.models.gaussian_rbm;  v (C, D) real, h (C, H) of
0. and 1., C chains.

Two far Gaussians, at 0 and at 4: one step of the hidden unit rarely changes the mode.

>>> import numpy as np
>>> from refdgm.samplers.gaussian_rbm_gibbs import hidden_transition_matrix
>>> theta = {"w": np.array([[4.0]]), "b": np.zeros(1), "c": np.array([-8.0]), "sigma": np.ones(1)}
>>> round(float(hidden_transition_matrix(theta)[0, 1]), 3)
0.034
"""
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order
from refdgm.models import gaussian_rbm
from refdgm.numerics import all_binary, all_tuples, bernoulli_log_prob, normal_trapezoid
from refdgm.streams import Stream, advance, fires, keys, normals, stream, words

HIDDEN, VISIBLE = 0, 1              # the two draws of a step


class State(NamedTuple):
    """C chains: the visible units, the hidden units they came from, and whose numbers come next."""
    v: np.ndarray           # (C, D)
    h: np.ndarray           # (C, H)
    stream: Stream


def init(theta, number, seed=0, v=None, first=0, real=np.float64):
    """`number` chains at v (C, D), or at draws of p(v|h = 0) = N(b, diag sigma^2).

    Raises ValueError if theta is not an RBM with sigma > 0, v is not finite, or there is no chain.
    """
    gaussian_rbm.validate(theta, v)
    D, H = np.shape(theta["w"])
    s = stream(seed, number, first)
    if v is None:
        v = theta["b"] + theta["sigma"] * normals(s, D, VISIBLE)
        s = advance(s)
    valid.shape("v", v, (number, D))
    return State(np.asarray(v, real), np.zeros((number, H), real), s)


def step(theta, state):
    """One step v -> h -> v' of every chain."""
    w, w_scaled, b, c, sigma = _parameters(theta, state.v.dtype)
    h = fires(words(state.stream, len(c), HIDDEN), dot_in_order(state.v, w_scaled, c)).astype(w.dtype)
    v = dot_in_order(h, w.T, b) + sigma * normals(state.stream, len(b), VISIBLE, w.dtype.type)
    return State(v, h, advance(state.stream))


def run(theta, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.gaussian_rbm import gibbs
    gaussian_rbm.validate(theta)
    w, w_scaled, b, c, sigma = _parameters(theta, state.v.dtype)
    chains.shaped(state, v=b.shape, h=c.shape)
    to_hidden, to_visible, lanes = jit.panels(w_scaled), jit.panels(w.T), jit.lanes(w.dtype)

    def compiled(state, n):
        v, h, chain = state.v.copy(), np.empty_like(state.h), state.stream.chain[:, None]
        jit.in_threads(gibbs, (v, h, chain), (to_hidden, to_visible, b, c, sigma, state.stream.step, n,
                                              *keys(state.stream.seed), lanes), threads, together=lanes)
        return State(v, h, advance(state.stream, n))

    return chains.drive(state, compiled, steps, **options)


def hidden_transition_matrix(theta, nodes=161):
    """T(h, h') = integral of p(v|h) p(h'|v) by the trapezoid rule, for D of one or two.  -> (2**H, 2**H)"""
    D, H = np.shape(theta["w"])
    valid.enumerable(nodes**D * 4**H, f"the hidden chain of an RBM with {D} visible and {H} hidden units")
    eps, weights = normal_trapezoid(nodes)
    index, h = all_tuples(nodes, D), all_binary(H)
    v = gaussian_rbm.visible_mean(theta, h)[:, None, :] + theta["sigma"] * eps[index]           # (2**H, nodes**D, D)
    p = np.exp(bernoulli_log_prob(h, gaussian_rbm.hidden_logits(theta, v)[:, :, None, :]))      # (2**H, nodes**D, 2**H)
    return np.einsum("n,hnk->hk", np.prod(weights[index], axis=1), p)


def _parameters(theta, real):
    """w, w / sigma^2, b, c and sigma as arrays of one type."""
    valid.real_type(real)
    w_scaled = theta["w"] / np.square(theta["sigma"])[:, None]
    return [np.ascontiguousarray(a, real) for a in (theta["w"], w_scaled, theta["b"], theta["c"], theta["sigma"])]
