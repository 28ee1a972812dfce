r"""Bounds pooled over a data set are sums, not averages (ou2018 Main symbols, Sec. 1).

    L(theta, phi)   = sum_k L(x_k; theta, phi)          I^K(theta, phi) = sum_k I^K(x_k; theta, phi)

The sum bounds the log-likelihood of the whole data set, sum_k log p(x_k); an average is n times smaller, which is the
factor that ou2018 Eq. 9 and its kin leave out.

Shapes: X (n, D) a data set, K the number of importance samples of each row.

A data set given twice has twice the bound; an average would stay:

    >>> import numpy as np
    >>> from refdgm.directed.pooled import pooled_elbo, random_data_case
    >>> theta, phi, X = random_data_case(0).values()
    >>> round(float(pooled_elbo(theta, phi, np.vstack([X, X])) / pooled_elbo(theta, phi, X)), 3)
    2.0
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.models.sbn import (all_draws, log_joint_table, log_marginal, log_q_table, log_weights, posterior,
                               random_data_case)
from refdgm.numerics import all_tuples, kl, log_mean_exp

K = 2


def pooled_elbo(theta, phi, X):
    """sum_k E_q log p(x_k, h)/q(h|x_k) (ou2018 Main symbols, Sec. 1).  -> ()"""
    log_q = log_q_table(phi, X)
    return np.sum(np.exp(log_q) * (log_joint_table(theta, X) - log_q))


def pooled_iwae(theta, phi, X, K=K):
    """sum_k I^K(x_k) (ou2018 Main symbols, Sec. 1).  -> ()"""
    total = 0.0
    for x in X:
        h, probability = all_draws(phi, x, K)
        total += probability @ log_mean_exp(log_weights(theta, phi, x, h))
    return total


# ---- claims ---------------------------------------------------------------------------

def log_likelihood_less_gaps(theta, phi, X):
    """The oracle of the pooled ELBO: the data's log-likelihood minus the KL gap of each row."""
    gaps = kl(np.exp(log_q_table(phi, X)), posterior(theta, X))
    return np.sum(log_marginal(theta, X)) - np.sum(gaps)


def two_rows(seed):
    return random_data_case(seed, n=2)


def joint_estimate(theta, phi, X):
    """The oracle of the pooled IW bound: E log prod_k p_hat(x_k), the draws of all rows enumerated together."""
    tables = [all_draws(phi, x, K) for x in X]
    logs = [log_mean_exp(log_weights(theta, phi, x, h)) for x, (h, _) in zip(X, tables)]
    index = all_tuples(len(logs[0]), len(X))
    probability = np.prod([tables[row][1][index[:, row]] for row in range(len(X))], axis=0)
    return probability @ np.sum([logs[row][index[:, row]] for row in range(len(X))], axis=0)


CLAIMS = [
    Claim("ou2018.sym.elbo_pooled", pooled_elbo, equals(log_likelihood_less_gaps, random_data_case),
          {"the average over the data": lambda theta, phi, X: pooled_elbo(theta, phi, X) / len(X),
           "each distinct row once": lambda theta, phi, X: pooled_elbo(theta, phi, np.unique(X, axis=0)[:-1]),
           "the bound of the mean row": lambda theta, phi, X: len(X) * pooled_elbo(theta, phi, X.mean(0)[None])}),
    Claim("ou2018.sym.iw_pooled", pooled_iwae, equals(joint_estimate, two_rows),
          {"the average over the data": lambda theta, phi, X: pooled_iwae(theta, phi, X) / len(X),
           "K pooled with n": lambda theta, phi, X: len(X) * pooled_iwae(theta, phi, X[:1], K * len(X)),
           "the pooled V-LB": pooled_elbo}),
]
