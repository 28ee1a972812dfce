r"""Layers of large networks as single nodes of autograd's graph, each with its derivative by hand.

    tanh_layer           y = tanh(W x + b)                              dy = (1 - y^2) (dW x + W dx + db)
    bernoulli_log_prob   sum_j x_j l_j - log(1 + exp l_j)               d/dl = x - sigmoid(l), the residual
    bernoulli_layer      the same at l = W h + b                        dl = dW h + W dh + db

Composed of NumPy's functions the last line is a dozen passes over a matrix of the size of l, most of them to and from
memory; here it is a product and one pass that leaves the residual in the place of l, where the derivative finds it.
The derivative of the derivative, and one in x, go through autograd's own functions: slower, and the same numbers.

x (..., D) may be any numbers in [0, 1]; float32 stays float32. On a GPU the pass is made of plain functions again.
Importing this imports no numba; the first call does.
"""
from functools import cache

import autograd.numpy as np
from autograd.extend import VJPNode, defvjp, defvjp_argnums, primitive
from autograd.tracer import getval, isbox

from refdgm import numerics
from refdgm import validation as valid
from refdgm.backend import on_device
from refdgm.backend import xp as onp


# ---- x -> tanh(W x + b) ---------------------------------------------------------------

@primitive
def tanh_layer(x, W, b):
    """tanh(W x + b) for every row of x.  (n, in), (J, in), (J,) -> (n, J)"""
    y = onp.dot(x, W.T)
    y += b
    return onp.tanh(y, out=y)


def _of_tanh_layer(argnums, y, arguments, _):
    x, W, _ = arguments

    def back(g):
        inner = g * (1 - y * y)
        of = (lambda: np.dot(inner, W), lambda: np.dot(inner.T, x), lambda: np.sum(inner, axis=0))
        return tuple(of[i]() for i in argnums)
    return back


defvjp_argnums(tanh_layer, _of_tanh_layer)


# ---- log Bernoulli(x; sigmoid(l)) -----------------------------------------------------

def bernoulli_log_prob(x, logits):
    """As numerics.bernoulli_log_prob, within 2e-16 (1e-7) a unit and 1 + |l|.  (..., D), (..., D) -> (...)"""
    if not _once((logits,), (x,)):
        return numerics.bernoulli_log_prob(x, logits)
    value, residual = log_prob_and_residual(x, getval(logits))
    if onp.shape(getval(logits)) != residual.shape:
        logits = logits + onp.zeros_like(residual)
    return _with_residual(logits, value, residual)


def log_prob_and_residual(x, logits):
    """The log-probability and x - sigmoid(l), of arrays, for who differentiates by hand.  -> (...), (..., D)"""
    D = onp.shape(x)[-1:]
    valid.require(D and D == onp.shape(logits)[-1:], "x and the logits need the same last axis, but have the shapes "
                  f"{onp.shape(x)} and {onp.shape(logits)}.")
    shape = onp.broadcast_shapes(onp.shape(x), onp.shape(logits))
    residual = onp.array(onp.broadcast_to(logits, shape), order="C")
    x = onp.asarray(x, residual.dtype)
    if x.shape != shape[:-2] + (1,) + D:                    # else each row of x stands for all along the axis before
        x = onp.broadcast_to(x, shape)
    value = _pass(onp.ascontiguousarray(x.reshape((-1,) + D)), residual.reshape((-1,) + D),
                  onp.zeros(D, residual.dtype))
    return value.reshape(shape[:-1]), residual


@primitive
def _with_residual(logits, value, residual):
    return value


defvjp(_with_residual, lambda ans, logits, value, residual: lambda g: g[..., None] * residual, argnums=(0,))


def bernoulli_layer(x, h, W, b):
    """log p(x|h) = sum_j log Bernoulli(x_j; sigmoid(W h + b)_j) for the rows of h, n / B for each row of x in turn.

    x (B, D), h (n, J), W (D, J), b (D,) -> (n,)
    """
    B, n = len(x), len(h)
    valid.require(onp.ndim(getval(h)) == 2 and onp.ndim(getval(x)) == 2 and B > 0 and n % B == 0,
                  f"h must be a matrix with a multiple of the {B} rows of x, but has shape {onp.shape(getval(h))}.")
    if not _once((h, W, b), (x,)):
        logits = np.reshape(np.dot(h, W.T) + b, (B, n // B, -1))
        return np.reshape(numerics.bernoulli_log_prob(x[:, None, :], logits), (n,))
    logits = onp.dot(getval(h), getval(W).T)
    valid.shape("x", x, (B, logits.shape[1]))
    value = _pass(onp.asarray(x, logits.dtype), logits, onp.asarray(getval(b), logits.dtype))
    return _with_layer(h, W, b, value, logits)


@primitive
def _with_layer(h, W, b, value, residual):
    return value


def _of_layer(argnums, ans, arguments, _):
    h, W, _, _, residual = arguments

    def back(g):
        of = (lambda: g[:, None] * np.dot(residual, W),
              lambda: np.dot(residual.T, g[:, None] * h),       # the weights go to the smaller of the two matrices
              lambda: np.dot(g, residual))
        return tuple(of[i]() for i in argnums)
    return back


defvjp_argnums(_with_layer, _of_layer)


# ---- how ------------------------------------------------------------------------------

def _once(arguments, constants):
    """Whether at most one derivative, a gradient, is under way, and only in the arguments: then numbers suffice."""
    boxes = [a for a in arguments if isbox(a)]
    return (all(isinstance(box._node, VJPNode) and not isbox(box._value) for box in boxes)
            and len({box._trace for box in boxes}) <= 1 and not any(isbox(c) for c in constants))


@cache
def _keep_memory():
    """Let the C library keep what a gradient of this size frees, for the next one, as it does once it has seen a large
    array go (glibc's mallopt(3)); to fetch it from the system anew costs a fifth of the gradient."""
    onp.empty(2**25 - 2**16, onp.uint8)


def _pass(x, logits, bias):
    """The values, and the residuals in the place of the logits.  (B, D), (n, D), (D,) -> (n,)"""
    if on_device(logits):
        logits += bias
        x = onp.repeat(x, len(logits) // max(len(x), 1), axis=0)
        value = numerics.bernoulli_log_prob(x, logits)
        logits[...] = x - numerics.sigmoid(logits)
        return value
    from refdgm.kernels.bernoulli import log_prob
    _keep_memory()
    value = onp.empty(len(logits), logits.dtype)
    if len(logits):
        log_prob(x, logits, bias, value, len(logits) // len(x))
    return value
