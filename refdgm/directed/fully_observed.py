r"""Maximum likelihood when everything is observed (kingma2019 Secs. 1.6.1-1.6.2).

    Eq. 1.9     D = {x^(1), .., x^(N)}                     a sequence: an x that occurs twice counts twice
    Eq. 1.10    log p(D) = sum over x in D of log p(x)     for independent data
    Sec. 1.6.2  max of sum log p(x) = max of (1/N) sum log p(x) = min of KL[p^ || p],  p^ the empirical distribution

The model is an exponential family p(x) = exp(lam . s(x) + r(x)) / Z(lam) over x in 0..m-1 (`exponential_family`), with
fewer parameters than states, so that it does not fit the data exactly. data (N,) states; lam (d,), s (m, d), r (m,).

The fitted mean of s(x) = x is that of the data, 7/5:

    >>> import numpy as np
    >>> from refdgm.directed.fully_observed import maximum_likelihood, model
    >>> s, r = np.array([[0.0], [1.0], [2.0]]), np.zeros(3)
    >>> lam = maximum_likelihood(s, r, data=np.array([0, 2, 2, 1, 2]))
    >>> round(float(model.mean_statistics(lam, s, r)[0]), 3)
    1.4
"""
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.models import exponential_family as model
from refdgm.numerics import kl, log_sum_exp, softmax


def empirical(data, m):
    """p^(x), the fraction of the data that is x (kingma2019 Eq. 1.9).  (N,) -> (m,)"""
    valid.require(len(data) > 0, "a dataset consists of N >= 1 datapoints, but N is 0.")
    return onp.bincount(data, minlength=m) / len(data)


def log_likelihood(lam, s, r, data):
    """log p(D) = sum over x in D of log p(x), for i.i.d. data (kingma2019 Eq. 1.10).  -> ()"""
    return np.sum(model.log_p(lam, s, r)[data])


def fit(s, mean_s, r, steps=40):
    """The lam at which E[s] is `mean_s`, the statistics' mean over the data: maximum likelihood, by Newton's method.

    Steps are halved while they lower the concave log-likelihood, mean_s . lam - log Z(lam).
    """
    def mean_log_likelihood(lam): return mean_s @ lam - log_sum_exp(s @ lam + r)
    lam = onp.zeros(s.shape[1])
    for _ in range(steps):
        step = onp.linalg.solve(model.fisher_information(lam, s, r), mean_s - model.mean_statistics(lam, s, r))
        while mean_log_likelihood(lam + step) < mean_log_likelihood(lam) - 1e-12:
            step = step / 2
        lam = lam + step
    return lam


def maximum_likelihood(s, r, data):
    """The maximiser of sum log p(x), which is that of the average, and the minimiser of KL[p^ || p] (Sec. 1.6.2)."""
    return fit(s, empirical(data, len(r)) @ s, r)


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, N=12):
    """A family of two parameters over five states, and data in which states occur more than once, and some not."""
    valid.require(3 <= N <= 50, f"N must be between 3 and 50, or there are hardly such data, but is {N}.")
    rng = onp.random.default_rng(seed)
    case = model.random_case(seed)
    while True:
        data = rng.choice(5, N, p=rng.dirichlet(onp.full(5, 2.0)))
        if 3 <= len(set(data)) < 5:
            return {"s": case["s"], "r": case["r"], "data": data}


def case_with_lam(seed):
    """A parameter and three data, the last like the first."""
    return {"lam": model.random_case(seed)["lam"], **random_case(seed), "data": random_case(seed)["data"][[0, 1, 0]]}


def chained_case(seed):
    """The condition violated: each datum repeats the one before with probability 1/2."""
    return {**case_with_lam(seed), "repeats": 0.5}


def independent_case(seed):
    return {**case_with_lam(seed), "repeats": 0.0}


def law_of_the_dataset(lam, s, r, data, repeats):
    """log p(x_1, .., x_N) from the table of all m**N datasets, grown a datum at a time."""
    p = onp.exp(s @ lam + r)
    p = p / p.sum()
    table = p
    for _ in data[1:]:
        table = table[..., None] * ((1 - repeats) * p + repeats * onp.eye(len(p)))
    return math.log(table[tuple(data)])


def log_p_of_dataset(lam, s, r, data, repeats):
    return log_likelihood(lam, s, r, data)


def sum_over(data_used=lambda data: data, combine=onp.sum):
    return lambda lam, s, r, data, repeats: combine(onp.asarray(model.log_p(lam, s, r))[data_used(data)])


def mean_over_data(s, r, data):
    return sum(s[x] for x in data) / len(data)


def mean_under(distribution):
    """E[s] under a distribution of (data, number of states)."""
    return lambda s, r, data: distribution(data, len(r)) @ s


def of_a_set(data, m):
    return empirical(onp.unique(data), m)


def fitted_with(distribution=empirical, change=lambda lam: lam):
    return lambda s, r, data: change(fit(s, distribution(data, len(r)) @ s, r))


def smoothed(data, m):
    return (empirical(data, m) * len(data) + 1) / (len(data) + m)


def kl_from_data(lam, s, r, data):
    return kl(empirical(data, len(r)), softmax(np.dot(s, lam) + r))


def reverse_kl_fit(s, r, data):
    """The minimiser of KL[p || p^], with 1e-3 where p^ is zero: gradient descent from the right answer."""
    lam, log_p_hat = maximum_likelihood(s, r, data), onp.log(onp.maximum(empirical(data, len(r)), 1e-3))
    for _ in range(100):
        p, score = onp.exp(model.log_p(lam, s, r)), model.score(lam, s, r)
        lam = lam - 0.05 * ((p * (onp.log(p) - log_p_hat)) @ score)
    return lam


def with_prior(weight):
    """The maximiser of log-likelihood - weight |lam|^2 / 2, by Newton's method on the sum."""
    def penalised(s, r, data):
        lam, target = onp.zeros(s.shape[1]), onp.sum(s[data], axis=0)
        for _ in range(20):
            slope = target - len(data) * model.mean_statistics(lam, s, r) - weight * lam
            hessian = len(data) * model.fisher_information(lam, s, r) + weight * onp.eye(len(lam))
            lam = lam + onp.linalg.solve(hessian, slope)
        return lam
    return penalised


CLAIMS = [
    Claim("kingma2019.eq1.9", mean_under(empirical), equals(mean_over_data, random_case),
          {"a set: what occurs twice counts once": mean_under(of_a_set),
           "no 1/N": mean_under(lambda data, m: len(data) * empirical(data, m)),
           "smoothed": mean_under(smoothed)}),
    Claim("kingma2019.eq1.10", log_p_of_dataset, equals(law_of_the_dataset, independent_case),
          {"over the set of different x": sum_over(onp.unique),
           "the average": sum_over(combine=onp.mean),
           "the log of the summed probabilities": sum_over(combine=lambda log_p: onp.log(onp.sum(onp.exp(log_p))))},
          without=equals(law_of_the_dataset, chained_case)),
    Claim("kingma2019.sec1.6.mlekl", maximum_likelihood, minimises(kl_from_data, "lam", random_case),
          {"the minimiser of KL[p || p^]": reverse_kl_fit,
           "fitted to the set of different x": fitted_with(of_a_set),
           "fitted to smoothed counts": fitted_with(smoothed)}),
    Claim("kingma2019.sec1.6.sumavg", maximum_likelihood,
          minimises(lambda lam, s, r, data: -log_likelihood(lam, s, r, data), "lam", random_case),
          {"a penalty on lam, tuned for one of the two": with_prior(1.0),
           "fitted to the set of different x": fitted_with(of_a_set),
           "the sum times a negative constant": fitted_with(change=lambda lam: -lam)}),

]
