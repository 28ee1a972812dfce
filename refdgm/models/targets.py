r"""Densities that a chain can follow uphill: log p(x) and its gradient, the score, for many x at once.

A target is one of two things:

    a function      log_p(x), (C, n) -> (C,), in autograd.numpy; autograd gives the score
    a NamedTuple    of parameters, with its formula written once for a block of chains:
                    form(target, x, score, log_p, scratch) reads x (n, lanes) and fills score (n, lanes) and log_p
                    (lanes,); scratch (target.rows, lanes) is there to use. `block_form` registers it. It is run by
                    the compiled samplers, and by the interpreter where the class has no method log_p_and_score.
                    A class that says `positive = True` has a finite log p wherever the score is finite; its form may
                    get None for log_p, and skips it then. Of other targets every sampler watches log p.

A form loops over lanes innermost, so that a compiler runs many chains at once, and uses + - * / sqrt and the functions
of refdgm.elementary only, so that compiled or not it gives the same bits. Its constants come from the parameters, which
are all arrays of the type of x, or are x.dtype.type(2): in float32 a bare 2.0 would make a compiled product a float64.
A target with `products = True` uses jit.dot_fused or its like, and has blocks of jit.lanes chains.

Ready ones, with a form in refdgm.kernels.targets; and Minibatch, known by estimates only (kingma2019 Eq. 1.12):

    Gaussian            log p(x) = -(x - m)'P(x - m)/2                                              m (n,), P (n, n)
    GaussianMixture     log p(x) = log sum_k w_k N(x; mean_k, diag(variance_k))                     (K,), (K, n), (K, n)
    MLPEnergy           -log p(x) = E(x) = w3'tanh(w2'tanh(w1'x + b1) + b2) + tau |x|^2 / 2          tau > 0
    Minibatch           log p0(x) + (N/m) sum_(i in M) log p(datum_i | x)       M: m of the N data, drawn anew each time

Of a class with `minibatch = True` and fields data (N, ...) and size (1,), as models.logistic_regression, the form finds
the numbers of the data that each chain has drawn in the first `size` rows of scratch.
>>> import numpy as np
>>> from refdgm.models.targets import gaussian, log_p_and_score
>>> float(log_p_and_score(gaussian(np.ones(1), 2 * np.eye(1)), np.array([[3.0]]))[1][0, 0])      # back to the mean
-4.0
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as anp
from autograd import make_vjp

from refdgm import backend
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_fused, dot_in_order, exp, log, tanh
from refdgm.streams import words

FORMS = {}                  # {class of parameters: its form for a block of chains}


def block_form(kind):
    """Register the decorated function as the form of the targets of a class."""
    def register(form):
        FORMS[kind] = form
        return form
    return register


def evaluate(target, x, score, log_p, scratch):
    """The form of a target, by its class; kernels.targets says the same to the compiler."""
    FORMS[type(target)](target, x, score, log_p, scratch)


def log_p_and_score(target, x, *batch):
    """log p(x) up to a constant, and its gradient; `batch` is (C, size), or absent.  (C, n) -> (C,), (C, n)

    Raises ValueError if a function gives another shape, or a tuple of parameters has no formula.
    """
    with np.errstate(all="ignore"):             # what is not finite is named by the sampler
        if not isinstance(target, tuple):
            return _by_autograd(target, x)
        if isinstance(target, Minibatch):
            return target.estimate(x, *batch)
        target = cast(target, x.dtype)
        if hasattr(target, "log_p_and_score"):
            return target.log_p_and_score(x, *batch)
        valid.require(has_form(target), f"a {type(target).__name__} is no target: it has no method log_p_and_score.")
        score, log_p = np.empty_like(x.T, order="C"), np.empty(len(x), x.dtype)
        scratch = np.empty((getattr(target, "rows", 0), len(x)), x.dtype)
        for drawn in batch:
            scratch[:drawn.shape[1]] = drawn.T
        evaluate(target, np.ascontiguousarray(x.T), score, log_p, scratch)
        return log_p, np.ascontiguousarray(score.T)


def _by_autograd(log_p, x):
    pull, value = make_vjp(log_p)(x)
    valid.shape("log_p(x)", value, x.shape[:1])
    return np.asarray(value, x.dtype), np.asarray(pull(np.ones_like(value)), x.dtype)


def cast(target, real):
    """The same target, its parameters arrays of type `real`, with an axis at least, and of shapes that agree."""
    target = type(target)(*(np.ascontiguousarray(a, real) for a in target))
    valid.agreeing("target", target, getattr(target, "sizes", ()))
    return target


def has_form(target):
    """Whether a chain of the target can be compiled: it has a form in this package or, on the host, a block_form."""
    return getattr(target, "form", False) or type(target) in FORMS and backend.name() == "numpy"


def finite_log_p_and_score(target, x, stream, draw=None):
    """The same for a chain, whose stream draws the minibatch if the target has them.  (C, n) -> (C,), (C, n)

    Raises ValueError naming a chain and the step where log p or its gradient is not finite.
    """
    valid.real_type(x.dtype)
    batch = [drawn_batch(target, stream, draw)] if getattr(target, "minibatch", False) else []
    log_p, score = log_p_and_score(target, x, *batch)
    all_finite("log p", log_p, stream)
    all_finite("the gradient of log p", score, stream)
    return log_p, score


def drawn_batch(target, stream, draw):
    """The minibatch of each chain.  -> integers (C, size), each below N"""
    valid.require(draw is not None, "a target that is known by minibatches is for SGLD and SGHMC.")
    size = int(np.asarray(target.size).item())
    valid.count("the size of the minibatch", size)
    word = words(stream, size, draw).astype(np.uint64)
    return (word * np.uint64(len(target.data)) >> np.uint64(32)).astype(np.int64)


def all_finite(what, values, stream):
    """Raise ValueError naming the chain and the step, unless every number of every chain is finite.  (C,) or (C, n)"""
    bad = np.argwhere(~np.isfinite(values))
    if bad.size:
        valid.require(False, f"{what} must be finite, but is {values[tuple(bad[0])]} for chain "
                             f"{stream.chain[bad[0][0]]} at step {stream.step}.")


class Gaussian(NamedTuple):
    """log p(x) = -(x - m)'P(x - m)/2, P symmetric."""
    m: np.ndarray
    P: np.ndarray

    positive, form, sizes = True, True, ("n", "nn")

    def log_p_and_score(self, x):
        score = dot_in_order(self.m - x, self.P, np.zeros_like(x))
        half = x.dtype.type(-0.5)
        return _sum_in_order((half * (self.m - x)) * score), score


class GaussianMixture(NamedTuple):
    """K normal components with independent coordinates. Make it with gaussian_mixture()."""
    mean: np.ndarray            # (K, n)
    precision: np.ndarray       # (K, n)
    offset: np.ndarray          # (K,) log of the weight times the component's density at its mean

    positive, form, sizes = True, True, ("Kn", "Kn", "K")

    @property
    def rows(self):
        return len(self.offset) + 2

    def log_p_and_score(self, x):
        half, one = x.dtype.type(0.5), x.dtype.type(1)
        away = self.mean - x[:, None, :]                                            # (C, K, n)
        component = self.offset
        for i in range(x.shape[1]):
            component = component - half * self.precision[:, i] * away[..., i] * away[..., i]
        top = component.max(axis=1)
        share = exp(component - top[:, None])                                       # the largest is 1
        total = _sum_in_order(share)
        score = _sum_in_order(np.swapaxes(share[..., None] * (self.precision * away), 1, 2)) * (one / total)[:, None]
        return top + log(total), score


class MLPEnergy(NamedTuple):
    """A network with two hidden layers as the energy. Make it with mlp_energy()."""
    w1: np.ndarray              # (n, H1)
    b1: np.ndarray              # (H1,)
    w2: np.ndarray              # (H1, H2)
    b2: np.ndarray              # (H2,)
    w3: np.ndarray              # (H2,)
    tau: np.ndarray             # (1,)
    w1_transposed: np.ndarray   # (H1, n)
    w2_transposed: np.ndarray   # (H2, H1)

    positive = products = form = True
    sizes = "nH", "H", "HJ", "J", "J", "1", "Hn", "JH"

    @property
    def rows(self):
        return 2 * len(self.b1) + len(self.b2)

    def log_p_and_score(self, x):
        one, half = x.dtype.type(1), x.dtype.type(0.5)
        h1 = tanh(dot_fused(x, self.w1, self.b1))
        h2 = tanh(dot_fused(h1, self.w2, self.b2))
        energy = _sum_in_order(np.concatenate([self.w3 * h2, (half * self.tau) * (x * x)], axis=1))
        d2 = self.w3 * (h2 * h2 - one)                                  # -dE/da2
        d1 = dot_fused(d2, self.w2_transposed, np.zeros_like(h1)) * (one - h1 * h1)
        return -energy, dot_fused(d1, self.w1_transposed, -self.tau * x)


class Minibatch(NamedTuple):
    """A posterior p(x | data), of which each step sees `size` data, drawn with replacement."""
    log_prior: Callable         # (C, n) -> (C,)
    log_likelihood: Callable    # (C, n), (C, size, ...) -> (C, size): of each datum that each chain has drawn
    data: np.ndarray            # (N, ...)
    size: int

    minibatch = True

    def estimate(self, x, batch):
        """log p(x | data) up to a constant and its score, from the data `batch` (C, size) alone.  -> (C,), (C, n)"""
        data, scale = self.data[batch], len(self.data) / batch.shape[1]
        return _by_autograd(lambda x: self.log_prior(x) + scale * anp.sum(self.log_likelihood(x, data), axis=1), x)


def gaussian(m, P):
    """A normal target of mean m (n,) and precision P (n, n), symmetric and positive definite."""
    m, P = np.asarray(m, float), np.asarray(P, float)
    valid.shape("m", m, (None,))
    valid.shape("P", P, (len(m), len(m)))
    valid.finite("target", {"m": m, "P": P})
    valid.require(np.array_equal(P, P.T) and np.linalg.eigvalsh(P)[0] > 0, "P must be symmetric, positive definite.")
    return Gaussian(m, P)


def gaussian_mixture(weight, mean, variance):
    """weight (K,) sums to one, mean (K, n), variance (K, n), or (K,) or () where components are round."""
    weight, mean, variance = (np.asarray(a, float) for a in (weight, mean, variance))
    valid.shape("mean", mean, (None, None))
    valid.shape("weight", weight, mean.shape[:1])
    variance = np.broadcast_to(variance[:, None] if variance.ndim == 1 else variance, mean.shape)
    valid.distribution("weight", weight)
    valid.finite("target", {"mean": mean, "variance": variance})
    valid.require(np.all(variance > 0) and np.all(weight > 0), "each weight and variance must be positive.")
    return GaussianMixture(mean, 1 / variance, np.log(weight) - 0.5 * np.sum(np.log(2 * np.pi * variance), axis=1))


def mlp_energy(w1, b1, w2, b2, w3, tau=1.0):
    """Shapes as in MLPEnergy; tau > 0, so that exp(-E) has an integral."""
    w1, b1, w2, b2, w3 = (np.asarray(a, float) for a in (w1, b1, w2, b2, w3))
    valid.shape("w1", w1, (None, None))
    valid.shape("w2", w2, (w1.shape[1], None))
    for name, a, width in (("b1", b1, w1.shape[1]), ("b2", b2, w2.shape[1]), ("w3", w3, w2.shape[1])):
        valid.vector(name, a, width)
    valid.finite("target", {"w1": w1, "w2": w2, "tau": tau})
    valid.require(tau > 0, f"tau must be positive, but is {tau}.")
    return MLPEnergy(w1, b1, w2, b2, w3, np.full(1, tau), w1.T.copy(), w2.T.copy())


def _sum_in_order(a):
    """The sum along the last axis, from zero and from the first number to the last."""
    total = np.zeros_like(a[..., 0])
    for i in range(a.shape[-1]):
        total = total + a[..., i]
    return total
