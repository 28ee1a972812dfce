r"""Importance sampling, and sampling-importance-resampling (Rubin 1988), in the log domain (ou2018 Eqs. 14 and 19).

K draws h_1..h_K ~ q with weights w_k = p(h_k) / q(h_k), p up to a constant Z; wbar_k = w_k / sum_j w_j:

    Z       ~  (1/K) sum_k w_k                  unbiased; its logarithm is too small on average
    E_p f   ~  sum_k wbar_k f(h_k)              self-normalised: biased of order 1/K, standard error
               sqrt(sum_k wbar_k^2 (f(h_k) - estimate)^2)
    ESS     =  (sum_k w_k)^2 / sum_k w_k^2      between 1 and K: how many equal weights vary as much

Resampling picks n of the K with probability wbar_k each: draws from nearly p. Its numbers come from a stream, so that
what a row of weights gives does not depend on the other rows.

    multinomial     n independent uniforms u
    systematic      u_i = (i + u) / n for one uniform u: each k is picked floor(n wbar_k) or ceil(n wbar_k) times

Shapes: log_w (C, K), one row a chain; -inf is a weight of zero. f (C, K, ...). Indices (C, n).

Resampling one of K = 9 draws from a fair coin makes it nearly a draw from p(1) = 0.9:

>>> import numpy as np
>>> from refdgm.samplers.importance import resampled_law
>>> round(float(resampled_law(np.log([0.1, 0.9]), np.log([0.5, 0.5]), 9)[1]), 3)
0.879
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import exp
from refdgm.numerics import all_tuples, log_mean_exp, log_sum_exp, softmax, weighted_sum
from refdgm.streams import uniforms

PICK = 0                            # the draw of resampling


def log_normaliser(log_w):
    """log of the mean weight, the estimate of log Z.  (C, K) -> (C,)"""
    return log_mean_exp(_weights(log_w))


def estimate(log_w, f):
    """sum_k wbar_k f(h_k), the self-normalised estimate of E_p f.  (C, K), (C, K, ...) -> (C, ...)"""
    f, wbar = np.asarray(f), softmax(_weights(log_w))
    valid.shape("f", f[..., None], (*wbar.shape, *f.shape[2:], 1))
    return np.einsum("ck,ck...->c...", wbar, f)


def standard_error(log_w, f):
    """sqrt(sum_k wbar_k^2 (f(h_k) - estimate)^2), by the delta method.  (C, K), (C, K, ...) -> (C, ...)"""
    f, wbar = np.asarray(f), softmax(_weights(log_w))
    return np.sqrt(np.einsum("ck,ck...->c...", wbar**2, (f - estimate(log_w, f)[:, None])**2))


def effective_sample_size(log_w):
    """(sum w)^2 / sum w^2.  (C, K) -> (C,)"""
    log_w = _weights(log_w)
    return np.exp(2 * log_sum_exp(log_w) - log_sum_exp(2 * log_w))


def multinomial(log_w, n, stream):
    """n indices of each row, independent draws from wbar.  (C, K) -> (C, n)"""
    return _search(log_w, uniforms(stream, n, PICK), stream)


def systematic(log_w, n, stream):
    """n indices of each row, in order, at equal distances in the cumulative weights.  (C, K) -> (C, n)"""
    return _search(log_w, (np.arange(n) + uniforms(stream, 1, PICK)) / n, stream)


def resampled_law(log_p, log_q, K):
    """The exact law of one resampled draw on S states: a sum over all S**K proposals.  (S,), (S,) -> (S,)

    It is q for K = 1, and approaches p as K grows.
    """
    log_p, log_q = np.asarray(log_p, float), np.asarray(log_q, float)
    valid.covers("the proposal q", np.exp(log_q), "the target p", np.exp(log_p))
    valid.enumerable(len(log_q)**K, f"{K} proposals of {len(log_q)} states each")
    drawn = all_tuples(len(log_q), K)
    probability = np.exp(np.sum(log_q[drawn], axis=1))
    picked = softmax((log_p - log_q)[drawn])
    return np.array([weighted_sum(probability, np.sum(picked * (drawn == h), axis=1)) for h in range(len(log_q))])


def _weights(log_w):
    """log_w (C, K) if some weight of each row is positive and none is infinite."""
    log_w = np.asarray(log_w, np.float64)
    valid.shape("log_w", log_w, (None, None))
    valid.count("the number of chains", len(log_w))
    valid.count("the number of samples K", log_w.shape[1])
    for c, k in np.argwhere(~(log_w < np.inf)):
        raise ValueError(f"a log weight must be a number or -inf, but is {log_w[c, k]} for sample {k} of row {c}.")
    for c in np.flatnonzero(np.all(log_w == -np.inf, axis=1)):
        raise ValueError(f"every weight of row {c} is zero: the proposal has no support where the target has.")
    return log_w


def _search(log_w, u, stream):
    valid.require(len(log_w) == len(stream.chain), f"log_w has {len(log_w)} rows for {len(stream.chain)} chains.")
    return picked(log_w, u)


def picked(log_w, u):
    """The first k of each row whose cumulative normalised weight exceeds u.  (C, K), (C, n) -> (C, n)"""
    log_w = _weights(log_w)
    up_to = np.cumsum(np.where(log_w == -np.inf, 0.0, exp(log_w - log_w.max(axis=1, keepdims=True))), axis=1)
    return np.stack([np.searchsorted(row / row[-1], at, side="right") for row, at in zip(up_to, u)])
