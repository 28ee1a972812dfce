r"""The marginal likelihood from importance samples (kingma2019 Sec. 2.6).

    log p(x) ~ log (1/L) sum_l w_l,   w_l = p(x, z_l) / q(z_l|x),   z_l ~ q(z|x)

The mean of the weights is unbiased for p(x). Its logarithm is a lower bound on log p(x) in the mean, the ELBO at
L = 1, and short of log p(x) by less the larger L is.

Only how often each state was drawn matters, so the mean over all draws is a sum over counts (M, H), for any L.
log_w, log_q (H,) over the states of z.

Weights of 0.2 and 0.6, equally likely, so log p(x) = log 0.4 = -0.916; one and ten draws:

    >>> import numpy as np
    >>> from refdgm.directed.likelihood_estimate import mean_estimate
    >>> [round(float(mean_estimate(np.log([0.2, 0.6]), np.log([0.5, 0.5]), L)), 3) for L in (1, 10)]
    [-1.06, -0.929]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import iid_weights, tables
from refdgm.models.counts import multinomial
from refdgm.numerics import log_sum_exp

LS = (1, 2, 5, 40)


def log_estimate(log_w, counts):
    """log (1/L) sum_l w_l, for draws of which counts (..., H) are in each state (kingma2019 Sec. 2.6).  -> (...)"""
    L = onp.sum(counts, axis=-1)
    return np.log(np.dot(counts, np.exp(log_w - np.max(log_w)))) + np.max(log_w) - np.log(L)


def mean_estimate(log_w, log_q, L, of=lambda log_p: log_p):
    """The exact mean of of(log_estimate) over L draws from q (kingma2019 Sec. 2.6).  -> ()"""
    counts, log_probability = multinomial(log_q, L)
    return np.sum(np.exp(log_probability) * of(log_estimate(log_w, counts)))


# ---- claims ---------------------------------------------------------------------------

def weights_case(seed):
    """The weights of one x under a random joint model and q."""
    case = tables.random_case(seed)
    log_q = tables.log_q(case["phi"])[0]
    return {"log_w": tables.log_joint(case["theta"])[0] - log_q, "log_q": log_q}


def means(estimate=lambda log_p, L: log_p):
    """E p_hat and E log p_hat for each L, of an estimate changed by estimate(log_p_hat, L)."""
    def of(log_w, log_q):
        def mean(L, g): return mean_estimate(log_w, log_q, L, lambda log_p: g(estimate(log_p, L)))
        return {"p_hat": np.array([mean(L, np.exp) for L in LS]),
                "log p_hat": np.array([mean(L, lambda log_p: log_p) for L in LS])}
    return of


def by_laplace_transform(log_w, log_q):
    """The oracle: p(x) and the ELBO as sums, and the gap at each larger L as an integral over the law of one weight."""
    log_p = log_sum_exp(log_w + log_q)
    elbo = np.sum(np.exp(log_q) * log_w)
    gaps = [iid_weights.gap(np.exp(log_w), np.exp(log_q), L) for L in LS[1:]]
    return {"p_hat": np.exp(log_p) * np.ones(len(LS)), "log p_hat": np.append(elbo, log_p - np.array(gaps))}


def mean_of_logs(log_w, log_q):
    """(1/L) sum_l log w_l: the ELBO at every L."""
    return {**means()(log_w, log_q), "log p_hat": np.sum(np.exp(log_q) * log_w) * np.ones(len(LS))}


def unbiased_for_log_p(log_w, log_q):
    return {**means()(log_w, log_q), "log p_hat": log_sum_exp(log_w + log_q) * np.ones(len(LS))}


CLAIMS = [
    Claim("kingma2019.toc.2.6", means(), equals(by_laplace_transform, weights_case),
          {"no 1/L": means(lambda log_p, L: log_p + np.log(L)),
           "the mean of the logarithms": mean_of_logs,
           "unbiased for log p(x), too": unbiased_for_log_p,
           "weights q / p": lambda log_w, log_q: means()(-log_w, log_q),
           "draws from another law than the weights'": lambda log_w, log_q: means()(
               log_w, -np.log(3) * np.ones(3))}),
]
