"""SciPy (scipy.special, scipy.stats) under the names of the contracts."""
import numpy as np
from scipy import special, stats
from scipy.spatial import distance


def log_sigmoid(a):
    """special.log_expit"""
    return special.log_expit(a)


def log_sum_exp(a):
    """special.logsumexp"""
    return special.logsumexp(a, axis=-1)


def log_softmax(a):
    """special.log_softmax"""
    return special.log_softmax(a, axis=-1)


def normalized_weights(log_w):
    """special.softmax"""
    return special.softmax(log_w, axis=-1)


def bernoulli_log_prob(bits, logits):
    """stats.bernoulli.logpmf of expit

    It has no form for logits: where the probability is rounded to 0 or 1, it is -inf.
    """
    return stats.bernoulli.logpmf(bits, special.expit(logits)).sum(-1)


def gaussian_log_prob(x, mean, log_variance):
    """stats.norm.logpdf"""
    return stats.norm.logpdf(x, mean, np.exp(log_variance / 2)).sum(-1)


def full_gaussian_log_prob(x, mean, covariance):
    """stats.multivariate_normal.logpdf"""
    return np.asarray(stats.multivariate_normal(cov=covariance).logpdf(x - mean)).reshape(x.shape[:-1])


def categorical_draws(n, log_target, seed):
    """numpy Generator.choice of softmax"""
    return np.random.default_rng(seed).choice(len(log_target), n, p=special.softmax(log_target))


def entropy(p):
    """stats.entropy(p)"""
    return stats.entropy(p, axis=-1)


def kl_divergence(p, q):
    """stats.entropy(p, q)"""
    return stats.entropy(p, q, axis=-1)


def kl_divergence__rel_entr(p, q):
    """special.rel_entr, summed"""
    return special.rel_entr(p, q).sum(-1)


def kl_divergence__kl_div(p, q):
    """special.kl_div, summed

    Its terms are p log p/q - p + q: of tables with sum one the sums are the same.
    """
    return special.kl_div(p, q).sum(-1)


def js_divergence(p, q):
    """spatial.distance.jensenshannon"""
    return distance.jensenshannon(p, q, axis=-1)
