r"""Normalised importance sampling as a variational distribution (bachman2015 Sec. 3, Eqs. 10-14).

With z_1..z_k ~ q(z|x) and ratios r_i = p(x, z_i) / q(z_i|x):

    Eq. 10   w_i = r_i / sum_j r_j                        q_p^k: draw z_1..z_k, then keep z_i with probability w_i
    Eq. 11   log p(x) >= E[log p(x, z_i) / (k w_i q(z_i|x))]      over the k draws and the one that is kept
    Eq. 12   log p(x) >= E[sum_i w_i log p(x, z_i) / (k w_i q(z_i|x))]
    Eq. 13   log p(x, z_i) / (w_i q(z_i|x)) = log sum_j r_j       whatever i
    Eq. 14   log p(x) >= E[log (1/k) sum_i r_i]

The factor k is not in the paper. The draws and the index kept have the law Q = w_i prod_j q(z_j); what this is held
against is P = (1/k) p(z_i|x) prod_{j != i} q(z_j), in which each index is equally likely to be the one that came from
the posterior. Without k the right sides exceed log p(x) by log k where q is the posterior.

Shapes: log_p (m,) is log p(x, z) and log_q (m,) is log q(z|x) for every z, at one x; log_r (..., k).

p(x) = 0.1 + 0.3 and q the posterior: with the factor log p(x) = -0.916, without it log 2 more.

    >>> import numpy as np
    >>> from refdgm.directed.resampling import bound_of_mean, bound_of_sum
    >>> log_p, log_q = np.log([0.1, 0.3]), np.log([0.25, 0.75])
    >>> [round(float(bound(log_p, log_q, k=2)), 3) for bound in (bound_of_mean, bound_of_sum)]
    [-0.916, -0.223]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, is_at_most
from refdgm.models import tables
from refdgm.numerics import all_tuples, kl, log_mean_exp, log_softmax, log_sum_exp, softmax


def draws(log_q, k):
    """Every (z_1..z_k) and its probability: indices (M, k), (M,)."""
    index = all_tuples(len(log_q), k)
    return index, np.exp(np.sum(log_q[index], axis=-1))


def weights(log_p, log_q, k):
    """w_i for every draw of k samples (bachman2015 Eq. 10).  -> (M, k)"""
    index, _ = draws(log_q, k)
    return softmax((log_p - log_q)[index])


def resampled_density(log_p, log_q, k):
    """q_p^k(z|x) = k q(z|x) E[w_1|z_1 = z], the law of the sample that is kept (bachman2015 Sec. 3).  -> (m,)"""
    index, probability = draws(log_q, k)
    first_kept = probability * weights(log_p, log_q, k)[:, 0]           # exchangeable: k times the law of keeping z_1
    return k * np.bincount(index[:, 0], first_kept, minlength=len(log_q))


def bound_over_kept(log_p, log_q, k, factor=None):
    """E log p(x, z_i) / (k w_i q(z_i|x)), z_i the one kept (bachman2015 Eq. 11, corrected; as printed, factor = 1)."""
    index, probability = draws(log_q, k)
    w = weights(log_p, log_q, k)
    total = 0.0
    for kept in range(k):                                   # the pair (draws, kept) has probability prod q * w_kept
        z = index[:, kept]
        log_ratio = log_p[z] - log_q[z] - np.log(w[:, kept]) - np.log(k if factor is None else factor)
        total += np.sum(probability * w[:, kept] * log_ratio)
    return total


def bound_over_draws(log_p, log_q, k, factor=None):
    """E sum_i w_i log p(x, z_i) / (k w_i q(z_i|x)) (bachman2015 Eq. 12, corrected; as printed, factor = 1)."""
    index, probability = draws(log_q, k)
    log_r = (log_p - log_q)[index]
    log_w = log_softmax(log_r)
    return probability @ np.sum(np.exp(log_w) * (log_r - log_w), axis=-1) - np.log(k if factor is None else factor)


def bound_of_mean(log_p, log_q, k):
    """E log (1/k) sum_i r_i (bachman2015 Eq. 14, corrected).  -> ()"""
    index, probability = draws(log_q, k)
    return probability @ log_mean_exp((log_p - log_q)[index])


def bound_of_sum(log_p, log_q, k):
    """E log sum_i r_i (bachman2015 Eq. 14, as printed).  -> ()"""
    index, probability = draws(log_q, k)
    return probability @ log_sum_exp((log_p - log_q)[index])


def elbo_of_resampled(log_p, log_q, k):
    """E log p(x, z) / q_p^k(z|x) for z ~ q_p^k: variational inference with q_p^k itself (bachman2015 Sec. 3).  -> ()"""
    q_pk = resampled_density(log_p, log_q, k)
    return q_pk @ (log_p - np.log(q_pk))


def extended_laws(log_p, log_q, k):
    """Q and P of the docstring above, over (z_1..z_k, i).  -> (M, k), (M, k)"""
    index, probability = draws(log_q, k)
    ratio = np.exp(log_p - log_q)[index]
    Q = ratio / np.sum(ratio, axis=1, keepdims=True)
    P = ratio / np.sum(np.exp(log_p)) / k                   # p(z_i|x) prod_{j != i} q(z_j) over prod_j q(z_j), over k
    return probability[:, None] * Q, probability[:, None] * P


def information_in_the_others(log_p, log_q, k):
    """E KL[Q(the other draws|kept = z) || prod q] for z ~ q_p^k: what q_p^k forgets (bachman2015 Sec. 3).  -> ()"""
    index, probability = draws(log_q, k)
    first_kept = k * probability * weights(log_p, log_q, k)[:, 0]       # exchangeable: let the first be the kept one
    total = 0.0
    for z in range(len(log_q)):
        with_z = index[:, 0] == z
        mass = np.sum(first_kept[with_z])
        total += mass * kl(first_kept[with_z] / mass, probability[with_z] / np.exp(log_q[z]))
    return total


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """log p(x, z) and log q(z|x) at one x of a random table with 4 states z; k is 2, 3 or 4."""
    case = tables.random_case(seed, X=3, H=4)
    return {"log_p": tables.log_joint(case["theta"])[0], "log_q": tables.log_q(case["phi"])[0], "k": 2 + seed % 3}


def log_evidence(log_p, log_q, k):
    return log_sum_exp(log_p)


def at_q_and_at_posterior(bound):
    """The bound for the given q, and for the posterior as q, where it must touch log p(x)."""
    return lambda log_p, log_q, k: np.array([bound(log_p, log_q, k), bound(log_p, log_softmax(log_p), k)])


def evidence_twice(log_p, log_q, k):
    return np.full(2, log_evidence(log_p, log_q, k))


def with_factor(bound, of_k):
    """The bound with another factor in place of k."""
    return lambda log_p, log_q, k: bound(log_p, log_q, k, factor=of_k(k))


def kept_by_brute_force(log_p, log_q, k):
    """The law of the kept sample: run over every draw and every choice, and add up."""
    index, probability = draws(log_q, k)
    ratio = np.exp(log_p - log_q)[index]
    choice = ratio / np.sum(ratio, axis=1, keepdims=True)
    return np.array([np.sum(probability[:, None] * choice * (index == z)) for z in range(len(log_q))])


def weights_from_posterior(log_p, log_q, k):
    """The middle of Eq. 10: ratios of the posterior to q."""
    ratio = np.exp(log_p) / np.sum(np.exp(log_p)) / np.exp(log_q)
    ratio = ratio[draws(log_q, k)[0]]
    return ratio / np.sum(ratio, axis=1, keepdims=True)


def log_ratio_of_each(weights_of):
    """log p(x, z_i) / (w_i q(z_i|x)) for every draw and i, with w = weights_of(log r of the draw)."""
    def value(log_p, log_q, k):
        index, _ = draws(log_q, k)
        return log_p[index] - np.log(weights_of((log_p - log_q)[index])) - log_q[index]
    return value


def log_sum_for_each(log_p, log_q, k):
    index, _ = draws(log_q, k)
    return np.repeat(np.log(np.sum(np.exp(log_p - log_q)[index], axis=1))[:, None], k, axis=1)


def with_weights(in_front, in_log):
    """E sum_i in_front(w, r)_i log p(x, z_i) / (in_log(w, r)_i q(z_i|x)): Eq. 12 as printed has w in both places."""
    def value(log_p, log_q, k):
        index, probability = draws(log_q, k)
        log_r, w = (log_p - log_q)[index], weights(log_p, log_q, k)
        r = np.exp(log_r)
        return probability @ np.sum(in_front(w, r) * (log_r - np.log(in_log(w, r))), axis=1)
    return value


def resampling_entropy(log_p, log_q, k):
    """E H(w_1..w_k)."""
    _, probability = draws(log_q, k)
    w = weights(log_p, log_q, k)
    return -probability @ np.sum(w * np.log(w), axis=1)


def in_k(*ks, bound=bound_of_mean):
    """The bound for each k."""
    return lambda log_p, log_q: np.array([bound(log_p, log_q, k) for k in ks])


def fixed_k_case(seed):
    case = random_case(seed)
    return {"log_p": case["log_p"], "log_q": case["log_q"]}


def gap_is_a_kl(log_p, log_q, k):
    """log p(x) - KL[Q || P] on the extended space of the docstring above."""
    Q, P = extended_laws(log_p, log_q, k)
    return log_sum_exp(log_p) - kl(Q.ravel(), P.ravel())


CLAIMS = [
    Claim("bachman2015.eq10", weights, equals(weights_from_posterior, random_case),
          {"weights q/p": lambda log_p, log_q, k: weights(log_q, log_p, k),
           "q missing: posterior over posterior sum": lambda log_p, log_q, k: softmax(log_p[draws(log_q, k)[0]]),
           "divided by k, not by the sum": lambda log_p, log_q, k: np.exp(log_p - log_q)[draws(log_q, k)[0]] / k}),
    Claim("bachman2015.sec3_qpk", resampled_density, equals(kept_by_brute_force, random_case),
          {"no factor k": lambda log_p, log_q, k: resampled_density(log_p, log_q, k) / k,
           "the posterior already": lambda log_p, log_q, k: softmax(log_p),
           "one draw too many beside z": lambda log_p, log_q, k: resampled_density(log_p, log_q, k + 1)}),
    Claim("bachman2015.eq11", bound_over_kept, equals(gap_is_a_kl, random_case),
          {"k squared": with_factor(bound_over_kept, lambda k: k**2),
           "w_i / k": with_factor(bound_over_kept, lambda k: 1 / k),
           "q alone as the density of the kept": with_weights(lambda w, r: w, lambda w, r: 1.0)},
          printed=with_factor(bound_over_kept, lambda k: 1), inequality=is_at_most(log_evidence, random_case)),
    Claim("bachman2015.eq12", at_q_and_at_posterior(bound_over_draws), is_at_most(evidence_twice, random_case),
          {"k - 1 for k": at_q_and_at_posterior(with_factor(bound_over_draws, lambda k: k - 1)),
           "r_i in front, not normalised": at_q_and_at_posterior(with_weights(
               lambda w, r: r, lambda w, r: w * w.shape[1]))},
          printed=at_q_and_at_posterior(with_factor(bound_over_draws, lambda k: 1))),
    Claim("bachman2015.eq12_marginalise", with_factor(bound_over_kept, lambda k: 1),
          equals(with_factor(bound_over_draws, lambda k: 1), random_case),
          {"q alone as the density of the kept": with_weights(lambda w, r: w, lambda w, r: 1.0),
           "summed over i without w_i": with_weights(lambda w, r: 1.0, lambda w, r: w),
           "the law of the kept alone": elbo_of_resampled}),
    Claim("bachman2015.eq13", log_ratio_of_each(softmax), equals(log_sum_for_each, random_case),
          {"w_i not normalised": log_ratio_of_each(np.exp),
           "w_i of another sample": log_ratio_of_each(lambda log_r: np.roll(softmax(log_r), 1, axis=-1)),
           "w_i with 1/k": log_ratio_of_each(lambda log_r: softmax(log_r) * log_r.shape[-1])}),
    Claim("bachman2015.eq14", at_q_and_at_posterior(bound_of_mean),
          equals(at_q_and_at_posterior(gap_is_a_kl), random_case),
          {"k - 1 for k": at_q_and_at_posterior(
              lambda log_p, log_q, k: bound_of_sum(log_p, log_q, k) - np.log(k - 1)),
           "log outside the expectation": at_q_and_at_posterior(log_evidence)},
          printed=at_q_and_at_posterior(bound_of_sum), inequality=is_at_most(evidence_twice, random_case)),
    Claim("bachman2015.eq14_identity", bound_of_sum, equals(with_factor(bound_over_draws, lambda k: 1), random_case),
          {"log k apart": bound_of_mean,
           "the entropy of w apart": lambda **c: bound_of_sum(**c) - resampling_entropy(**c)}),
    Claim("bachman2015.eq14_properties", in_k(1, 2, 3, 4, 5),
          is_at_most(lambda log_p, log_q: np.append(in_k(2, 3, 4, 5)(log_p, log_q), log_sum_exp(log_p)), fixed_k_case),
          {"as printed, without 1/k": in_k(1, 2, 3, 4, 5, bound=bound_of_sum),
           "falls with k": in_k(5, 4, 3, 2, 1)}),
    Claim("bachman2015.sec3_equiv", lambda **c: bound_of_mean(**c) + information_in_the_others(**c),
          equals(elbo_of_resampled, random_case),
          {"log p(x): no gap left": log_evidence,
           "twice the information": lambda **c: bound_of_mean(**c) + 2 * information_in_the_others(**c)},
          printed=bound_of_mean),
]
