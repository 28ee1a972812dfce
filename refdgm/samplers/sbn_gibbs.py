r"""Gibbs sampling of p(h|x), the posterior of a sigmoid belief net with one layer of latents (Neal 1992).

    h_j ~ Bern(sigmoid(l_j)),  l_j = a_j + sum_i [log p(x_i | h_j = 1, the others) - log p(x_i | h_j = 0, the others)]

Unlike in an RBM the latents depend on each other given x, and are drawn one by one: one step is a sweep
j = 0, ..., H-1, which leaves p(h|x) as it is. With the activations s = W h + b,

    log p(x_i | h) = x_i s_i - softplus(s_i),    softplus(s) = max(s, 0) + log(1 + e^-|s|)

where the logarithms are taken of products over 64 units i, each factor at most 2.

Many chains side by side, each with an x of its own. `step` is plain NumPy and pure: its random numbers are those of the
state's stream. `run` is the same chain compiled, bit for bit, in float64 and float32.

theta = {"a": (H,), "W": (D, H), "b": (D,)} as in refdgm.models.sbn;  h (C, H), x (C, D) of 0. and 1., C chains.

Two causes that each explain x = 1 alone: once one is on the other is not needed, and sweeps forget slowly.

>>> import numpy as np
>>> from refdgm.samplers.sbn_gibbs import transition_matrix
>>> theta = {"a": np.array([-3.0, -3.0]), "W": np.array([[9.0, 9.0]]), "b": np.array([-6.0])}
>>> round(float(np.sort(np.abs(np.linalg.eigvals(transition_matrix(theta, np.ones(1)))))[-2]), 2)
0.81
"""
from functools import reduce
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order, exp, log
from refdgm.models import sbn
from refdgm.models.finite_chain import bit_update
from refdgm.numerics import all_binary, sigmoid
from refdgm.streams import Stream, advance, fires, keys, stream, words

LATENT, START = 0, 1                # the draws: of a step, and of a start at fair coin flips
GROUP = 64                          # factors between 1 and 2 whose product is within the range of float32


class State(NamedTuple):
    """C chains: the latents, what they explain, and whose numbers come next."""
    h: np.ndarray           # (C, H)
    x: np.ndarray           # (C, D), constant
    stream: Stream


def init(theta, x, seed=0, h=None, first=0, real=np.float64):
    """A chain for every row of x (C, D), at h (C, H) or at fair coin flips.

    Raises ValueError if theta is not a finite sigmoid belief net, or x or h is not a batch of bits.
    """
    sbn.validate(theta)
    D, H = np.shape(theta["W"])
    valid.shape("x", x, (None, D))
    s = stream(seed, len(x), first)
    if h is None:
        h = words(s, H, START) >> np.uint32(31)
    valid.shape("h", h, (len(x), H))
    for name, layer in (("x", x), ("h", h)):
        valid.require(valid.are_bits(layer), f"{name} must consist of bits, 0 or 1.")
    return State(np.asarray(h, real), np.asarray(x, real), s)


def step(theta, state):
    """One sweep over the latents of every chain."""
    a, W, b = _parameters(theta, state.h.dtype)
    h, s = state.h.copy(), dot_in_order(state.h, W.T, b)
    w = words(state.stream, len(a), LATENT)
    for j in range(len(a)):
        off = s - h[:, j:j + 1] * W[:, j]               # the activations without unit j
        h[:, j] = fires(w[:, j], logit(a[j], W[:, j], state.x, off))
        s = off + h[:, j:j + 1] * W[:, j]
    return State(h, state.x, advance(state.stream))


def logit(a, w, x, off):
    """l_j from a_j, column j of W and the activations without unit j, summed from the first i to the last.

    (), (D,), (C, D), (C, D) -> (C,)
    """
    zero, one = np.zeros_like(w[0]), np.ones_like(w[0])
    total, on = a, off + w
    linear = x * w - (np.maximum(on, zero) - np.maximum(off, zero))
    factors_on, factors_off = one + exp(-np.abs(on)), one + exp(-np.abs(off))
    for start in range(0, len(w), GROUP):
        product_on = product_off = one
        for i in range(start, min(start + GROUP, len(w))):
            total = total + linear[:, i]
            product_on, product_off = product_on * factors_on[:, i], product_off * factors_off[:, i]
        total = total - log(product_on / product_off)
    return total


def run(theta, state, steps, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.sbn import sweeps
    sbn.validate(theta)
    chains.shaped(state, h=np.shape(theta["a"]), x=np.shape(theta["b"]))
    a, W, b = _parameters(theta, state.h.dtype)
    W_transposed, lanes = np.ascontiguousarray(W.T), jit.lanes(W.dtype)

    def compiled(state, n):
        h, s = state.h.copy(), state.stream
        jit.in_threads(sweeps, (h, state.x, s.chain[:, None]),
                       (a, W, W_transposed, b, s.step, n, *keys(s.seed), lanes, GROUP), threads, together=lanes)
        return State(h, state.x, advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta, x):
    """P_0 P_1 ... P_{H-1} for one x (D,), over all 2**H latent states.  -> (2**H, 2**H), rows sum to one"""
    a, W, b = _parameters(theta, np.float64)
    init(theta, np.asarray(x)[None])
    valid.enumerable(4**len(a), f"the transition matrix of {len(a)} latents")
    h = all_binary(len(a))
    off = [dot_in_order(h, W.T, b) - h[:, j:j + 1] * W[:, j] for j in range(len(a))]
    on = [sigmoid(logit(a[j], W[:, j], np.asarray(x, np.float64), off[j])) for j in range(len(a))]
    return reduce(np.matmul, [np.eye(len(h)), *(bit_update(p, j) for j, p in enumerate(on))])


def _parameters(theta, real):
    """a, W and b as arrays of one type."""
    valid.real_type(real)
    return [np.ascontiguousarray(theta[name], real) for name in ("a", "W", "b")]
