r"""Stable log-domain arithmetic, exact sums over small discrete spaces, and quadrature.

Everything is written with autograd's NumPy, so it can be differentiated; sums over states are sums, not estimates.

Shapes: the last axis holds the components of one vector (or the K samples of one estimate);
axes before it are a batch and broadcast.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp

LOG_2PI = float(onp.log(2 * onp.pi))


def log_sum_exp(a, axis=-1, keepdims=False):
    """log sum exp(a) along `axis`, exact for any size of a; -inf where every term is -inf.

    >>> float(log_sum_exp(np.array([-1e4, -1e4])))
    -9999.30685281944
    """
    shifted, peak = _shift(a, axis)
    with onp.errstate(divide="ignore"):         # log 0 = -inf is the value of an empty sum, not an accident
        out = np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)) + peak
    return out if keepdims else np.squeeze(out, axis=axis)


def log_mean_exp(a, axis=-1):
    """log (1/K) sum_k exp(a_k) along `axis` of length K.  Raises ValueError for K = 0."""
    K = np.shape(a)[axis]
    valid.count("the number of samples K", K)
    return log_sum_exp(a, axis=axis) - float(np.log(K))         # a NumPy scalar would turn float32 into float64


def log_softmax(a, axis=-1):
    """a - log sum exp(a): logits to log-probabilities."""
    shifted, _ = _shift(a, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def softmax(a, axis=-1):
    """exp(a) / sum exp(a): log-weights to normalised weights; sums to one along `axis`."""
    w = np.exp(_shift(a, axis)[0])
    return w / np.sum(w, axis=axis, keepdims=True)


def _shift(a, axis):
    """a minus its peak along `axis`, and the peak; the peak is a constant, since it cancels in every formula."""
    peak = onp.max(getval(a), axis=axis, keepdims=True)
    peak = onp.where(onp.isfinite(peak), peak, 0.0)
    return a - peak, peak


def sigmoid(a):
    """1 / (1 + exp(-a)), without overflow on either side."""
    return np.exp(log_sigmoid(a))


def log_sigmoid(a):
    """log sigmoid(a), exact for large |a|.

    >>> float(log_sigmoid(np.array(-800.0)))
    -800.0
    """
    return -np.logaddexp(0.0, -a)


def softplus(a):
    """log(1 + exp(a)), without overflow."""
    return np.logaddexp(0.0, a)


# ---- log-probabilities ----------------------------------------------------------------

def bernoulli_log_prob(bits, logits):
    """sum_i log Bernoulli(bits_i; sigmoid(logits_i)) over the last axis.  (..., n), (..., n) -> (...)"""
    return np.sum(bits * log_sigmoid(logits) + (1 - bits) * log_sigmoid(-logits), axis=-1)


def categorical_log_prob(index, logits):
    """log softmax(logits)[index] for integer `index`.  (...), (..., n) -> (...)"""
    chosen = onp.arange(np.shape(logits)[-1]) == onp.asarray(index)[..., None]
    return np.sum(np.where(chosen, log_softmax(logits), 0.0), axis=-1)


def gaussian_log_prob(x, mean, variance):
    """sum_i log N(x_i; mean_i, variance_i), a diagonal Gaussian, over the last axis.  (..., n) -> (...)"""
    return -0.5 * np.sum((x - mean)**2 / variance + np.log(variance) + LOG_2PI, axis=-1)


def full_gaussian_log_prob(x, mean, covariance):
    """log N(x; mean, covariance) with a full covariance (n, n).  x, mean : (..., n) -> (...)"""
    d = x - mean
    whitened = np.sum(d * np.dot(d, np.linalg.inv(covariance)), axis=-1)
    _, log_det = np.linalg.slogdet(covariance)
    return -0.5 * (whitened + log_det + covariance.shape[-1] * LOG_2PI)


def mean_log_odds(bits):
    """Of each component's mean over the rows, kept off 0 and 1: where a Bernoulli bias begins.  (N, D) -> (D,)"""
    mean = (onp.sum(bits, axis=0) + 0.5) / (len(bits) + 1.0)
    return onp.log(mean / (1 - mean))


# ---- sums over states -----------------------------------------------------------------

def all_binary(n):
    """Every vector of {0,1}^n as rows, (2**n, n); the first component changes fastest.

    >>> all_binary(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    valid.count("the number of bits", n, least=0)
    valid.enumerable(valid.power(2, n), f"a vector of {n} bits", n)
    return (onp.arange(2**n)[:, None] >> onp.arange(n) & 1).astype(float)


def all_tuples(m, K):
    """Every K-tuple of indices 0..m-1 as rows, (m**K, K).

    >>> all_tuples(2, 2).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    valid.count("the number of states", m)
    valid.count("the number of samples K", K)
    valid.enumerable(valid.power(m, K), f"a tuple of {K} draws from {m} states", K)
    return onp.stack(onp.unravel_index(onp.arange(m**K), (m,) * K), axis=-1)


def weighted_sum(weights, tree, axis=None):
    """sum_i weights_i * leaf_i, leaf by leaf, over one axis of `weights` (default: over all that it has).

    weights : (...,);  tree : an array (..., *leaf), or a dict of such arrays.

    >>> float(weighted_sum(np.array([0.25, 0.75]), np.array([4.0, 8.0])))
    7.0
    """
    if isinstance(tree, dict):
        return {name: weighted_sum(weights, leaf, axis) for name, leaf in tree.items()}
    batch = np.ndim(weights)
    axes = tuple(range(batch)) if axis is None else axis % batch
    return np.sum(np.reshape(weights, np.shape(weights) + (1,) * (np.ndim(tree) - batch)) * tree, axis=axes)


def entropy(p, axis=-1):
    """H[p] = -sum p log p in nats, with 0 log 0 = 0.  Raises ValueError unless p is a distribution."""
    valid.distribution("p", p, axis)
    return -np.sum(_x_log_y(p, p), axis=axis)


def kl(p, q, axis=-1, infinite=False):
    """KL(p || q) = sum p log(p / q) in nats, with 0 log 0 = 0.

    Raises ValueError unless p and q are distributions, and where q = 0 < p
    (with `infinite=True` that KL is returned as inf).
    """
    valid.distribution("p", p, axis)
    valid.distribution("q", q, axis)
    if infinite and onp.any((getval(q) == 0) & (getval(p) > 0)):
        return onp.inf
    valid.covers("q", q, "p", p)
    return np.sum(_x_log_y(p, p) - _x_log_y(p, q), axis=axis)


def _x_log_y(x, y):
    positive = getval(x) > 0
    return np.where(positive, x * np.log(np.where(positive, y, 1.0)), 0.0)


def least_squares(A, b, rcond=None):
    """The x of least |A x - b|, of several the shortest, on numbers alone.  (m, n), (m,) or (m, k) -> (n,) or (n, k)

    Raises ValueError where a number is not finite: LAPACK would print a line of its own on the terminal.
    """
    valid.finite("A", A)
    valid.finite("b", b)
    return onp.linalg.lstsq(A, b, rcond=rcond)[0]


# ---- quadrature -----------------------------------------------------------------------

def gauss_hermite(n, dimensions=1):
    """Nodes and weights with sum_i weights_i f(nodes_i) = E f(eps), eps ~ N(0, I): exact for degree < 2n.

    -> nodes (n**dimensions, dimensions), weights (n**dimensions,) that sum to one.
    """
    valid.count("the number of nodes", n)
    valid.count("dimensions", dimensions, 0)
    valid.enumerable(valid.power(n, dimensions), f"a Gauss-Hermite grid of {n} nodes in {dimensions} dimensions",
                     dimensions)
    x, w = map(onp.asarray, onp.polynomial.hermite_e.hermegauss(n))
    index = all_tuples(n, dimensions)
    return x[index], onp.prod((w / onp.sum(w))[index], axis=-1)


def trapezoid(low, high, n):
    """Nodes (n,) and weights (n,) of the trapezoid rule on [low, high].

    For a smooth integrand that has died out at both ends it converges faster than any power of n.
    """
    valid.count("the number of nodes", n, least=2)
    valid.require(-onp.inf < low < high < onp.inf, f"the interval must run upwards and end, but is [{low}, {high}].")
    x = onp.linspace(low, high, n)
    w = onp.full(n, (high - low) / (n - 1))
    w[[0, -1]] /= 2
    return x, w


def normal_trapezoid(n, reach=10.0):
    """Nodes eps (n,) and weights (n,) with sum_i weights_i f(eps_i) = E f(eps), eps ~ N(0, 1), on [-reach, reach].

    For an f that a polynomial does not approximate; `gauss_hermite` needs fewer nodes where one does.

    >>> eps, w = normal_trapezoid(101)
    >>> round(float(np.sum(w * np.cos(eps))), 12) == round(float(np.exp(-0.5)), 12)
    True
    """
    eps, w = trapezoid(-reach, reach, n)
    return eps, w * onp.exp(-eps**2 / 2) / onp.sqrt(2 * onp.pi)


def gauss_legendre(low, high, n):
    """Nodes (n,) and weights (n,) on [low, high], exact for degree < 2n; the integrand need not die out at the ends.

    >>> x, w = gauss_legendre(0.0, 2.0, 2)
    >>> round(float(np.sum(w * x**3)), 12)
    4.0
    """
    valid.count("the number of nodes", n)
    valid.require(-onp.inf < low < high < onp.inf, f"the interval must run upwards and end, but is [{low}, {high}].")
    x, w = map(onp.asarray, onp.polynomial.legendre.leggauss(n))
    return low + (high - low) * (x + 1) / 2, w * (high - low) / 2
