r"""K exchangeable draws from m states, summed over how often each state was drawn.

A symmetric function of K independent draws h_1..h_K ~ q depends only on the counts n = (n_1..n_m), which are
multinomial:

    p(n) = K! prod_i q_i^{n_i} / n_i!        n_1 + ... + n_m = K

There are binom(K + m - 1, m - 1) of them in place of m**K ordered draws, so exact means at K = 400 and m = 3 are sums
of 80,601 terms, and limits K -> infinity (IWAE, self-normalised importance sampling) are seen without noise.

The variance of the fraction of K = 100 draws that are state 0, times K, is q_0 (1 - q_0):

>>> import numpy as np
>>> from refdgm.models.counts import multinomial
>>> counts, log_p = multinomial(np.log([0.5, 0.5]), 100)
>>> round(float(np.exp(log_p) @ (counts[:, 0] / 100 - 0.5)**2) * 100, 6)
0.25
"""
from math import comb

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp


def all_counts(m, K):
    """Every way to draw K times from m states, as rows of counts that sum to K.  -> integers (N, m)

    >>> all_counts(2, 3).tolist()
    [[0, 3], [1, 2], [2, 1], [3, 0]]
    """
    valid.count("the number of states", m)
    valid.count("the number of samples K", K, least=0)
    valid.enumerable(comb(K + m - 1, m - 1), f"the counts of {K} draws from {m} states", m)
    rows, left = onp.zeros((1, 0), dtype=int), onp.array([K])
    for _ in range(m - 1):
        options = left + 1                                  # the next count is 0, 1, ... or all that is left
        ends = onp.cumsum(options)
        index = onp.arange(int(ends[-1]))
        parent = onp.searchsorted(ends, index, side="right")
        next_count = index - (ends - options)[parent]
        rows, left = onp.column_stack([rows[parent], next_count]), left[parent] - next_count
    return onp.column_stack([rows, left])


def multinomial(log_q, K):
    """Every vector of counts of K draws from q, and its log-probability.  (..., m) -> (N, m), (..., N)

    The log-probabilities can be differentiated in log_q.
    """
    valid.finite("log_q", log_q)
    counts = all_counts(np.shape(log_q)[-1], K)
    log_factorial = onp.concatenate([onp.zeros(1), onp.cumsum(onp.log(onp.arange(1, K + 1)))])
    log_ways = log_factorial[K] - onp.sum(log_factorial[counts], axis=-1)
    return counts, log_ways + np.dot(log_q, counts.T)
