r"""Normalised importance sampling as variational inference, and the factor k that it needs.

Draw $z_1, \dots, z_k$ from $q$ and keep one of them, with probability proportional to its importance ratio
$r_i = p(x, z_i)/q(z_i|x)$. The kept sample is closer to the posterior than a draw from $q$ is. Which bound on
$\log p(x)$ comes from it? Bachman & Precup treat the kept $z_i$ as if its density were $w_i\,q(z_i|x)$. That is not a
normalised law: the $k$ indices are $k$ different ways to keep a sample, and over all $z$ the mean of $w_i q$ adds up
to $1/k$. Their right sides are too large by $\log k$, which is more than the whole gap wherever $q$ is good.

The first derivation puts the factor in by asking for a model of everything that was drawn, the index included. The
second asks what the kept sample alone is worth: more than the importance weighted bound says. The third is about
the variance of the log-mean, which falls like $1/k$ in the end, though it may rise at first.
"""
import numpy as np

from refdgm.derivation import approaches, at_most, derivation, equals, mistake, start
from refdgm.directed import iwae_limit, resampling
from refdgm.models.iid_weights import variance_of_log_mean
from refdgm.numerics import kl, log_sum_exp


@derivation(resampling.random_case)
def factor_k(log_p, log_q, k):
    """The bound of the resampled sample is the importance weighted bound, if the index is counted."""
    case = {"log_p": log_p, "log_q": log_q, "k": k}
    Q, P = resampling.extended_laws(log_p, log_q, k)
    log_ratio = np.log(P) + log_sum_exp(log_p) - np.log(Q)

    yield start(r"\log p(x) - \mathrm{KL}\left[Q \| P\right],\quad Q = w_i \prod_j q(z_j|x),"
                r"\quad P = \tfrac1k\, p(z_i|x) \prod_{j \ne i} q(z_j|x)",
                log_sum_exp(log_p) - kl(Q.ravel(), P.ravel()))

    yield equals(r"\mathbb E_Q\left[\log \frac{p(x)\, P}{Q}\right]", np.sum(Q * log_ratio),
                 because="P sums to one over draws and index, so p(x) P has the evidence p(x)")

    yield equals(r"\mathbb E_{(z_i, w_i) \sim q_p^k}\left[\log \frac{p(x, z_i)}{k\, w_i\, q(z_i|x)}\right]",
                 resampling.bound_over_kept(**case),
                 because="the other draws have the same density in P and Q", claim="bachman2015.eq11")

    yield mistake(r"\mathbb E_{(z_i, w_i) \sim q_p^k}\left[\log \frac{p(x, z_i)}{w_i\, q(z_i|x)}\right]",
                  resampling.bound_over_kept(**case, factor=1),
                  because="Eq. 11 as printed: the k ways to keep a sample are not counted", claim="bachman2015.eq11")

    yield equals(r"\mathbb E_{z_{1:k} \sim q}\left[\sum_i w_i \log \frac{p(x, z_i)}{k\, w_i\, q(z_i|x)}\right]",
                 resampling.bound_over_draws(**case),
                 because="given the draws, sample i is kept with probability w_i", claim="bachman2015.eq12")

    yield mistake(r"\mathbb E_{z_{1:k} \sim q}\left[\sum_i w_i \log \frac{p(x, z_i)}{w_i\, q(z_i|x)}\right]",
                  resampling.bound_over_draws(**case, factor=1), because="Eq. 12 as printed", claim="bachman2015.eq12")

    yield mistake(r"\mathbb E_{z_{1:k} \sim q}\left[\sum_i w_i \log \frac{p(x, z_i)}{q(z_i|x)}\right]",
                  resampling.with_weights(lambda w, r: w, lambda w, r: 1.0)(**case),
                  because="the kept sample does not have the density q", claim="bachman2015.eq21")

    yield equals(r"\mathbb E_{z_{1:k} \sim q}\left[\log \tfrac1k \sum_i r_i\right]", resampling.bound_of_mean(**case),
                 because="r_i / w_i is the sum of the ratios for every i, and the w_i sum to one",
                 claim="bachman2015.eq13")

    yield mistake(r"\mathbb E_{z_{1:k} \sim q}\left[\log \sum_i r_i\right]", resampling.bound_of_sum(**case),
                  because="Eq. 14 as printed: the sum is no estimate of p(x)", claim="bachman2015.eq14")

    yield at_most(r"\log p(x)", log_sum_exp(log_p), because="a KL divergence is not negative")


@derivation(resampling.random_case)
def kept_alone(log_p, log_q, k):
    """Variational inference with the law of the kept sample is tighter than the importance weighted bound."""
    case = {"log_p": log_p, "log_q": log_q, "k": k}
    q_pk = resampling.resampled_density(**case)

    yield start(r"\mathbb E_{z \sim q_p^k}\left[\log \frac{p(x, z)}{q_p^k(z|x)}\right]",
                resampling.elbo_of_resampled(**case), claim="bachman2015.sec3_equiv")

    yield equals(r"\log p(x) - \mathrm{KL}\left[q_p^k \| p(z|x)\right]",
                 log_sum_exp(log_p) - kl(q_pk, np.exp(log_p - log_sum_exp(log_p))),
                 because="q_p^k is a normalised law of z", claim="bachman2015.sec3_qpk")

    yield mistake(r"\log p(x) - \mathrm{KL}\left[Q \| P\right]", resampling.bound_over_kept(**case),
                  because="the joint law of all draws and the index is another, longer, distribution")

    yield equals(r"\mathbb E\left[\log \tfrac1k \sum_i r_i\right] + \mathbb E_{z \sim q_p^k}"
                 r"\mathrm{KL}\left[Q(z_{-i}|z_i = z) \| \prod_{j \ne i} q(z_j|x)\right]",
                 resampling.bound_of_mean(**case) + resampling.information_in_the_others(**case),
                 because="chain rule: KL[Q || P] is that of the kept sample and that of the others given it",
                 claim="bachman2015.sec3_equiv")

    yield mistake(r"\mathbb E\left[\log \tfrac1k \sum_i r_i\right]", resampling.bound_of_mean(**case),
                  because="the others are not distributed as q once one knows which sample was kept")

    yield at_most(r"\log p(x)", log_sum_exp(log_p), because="a KL divergence is not negative")


@derivation(iwae_limit.seldom_case)
def variance(p, q):
    """In the end the variance of the log-mean falls like 1/k."""
    w, total = p / q, np.sum(p)
    square = np.sum(p**2 / q)

    yield start(r"\frac{\mathbb E_q[w^2]}{p(x)^2} - 1", square / total**2 - 1)

    yield equals(r"\frac{\mathrm{Var}_q(w)}{p(x)^2}", q @ (w - total)**2 / total**2, because="E w = p(x)")

    yield approaches(r"k\, \mathrm{Var}\left[\log \tfrac1k \sum_i w_i\right]",
                     [k * variance_of_log_mean(w, q, k) for k in (2, 100, 100_000)],
                     because="log(p + d) is log p + d/p for the small deviations d of a mean of many weights",
                     claim="bachman2015.eq14_properties", allowed=1e-3)

    yield mistake(r"\frac{\mathrm{Var}_q(w)}{2\, p(x)^2}", (square / total**2 - 1) / 2,
                  because="that is k times the gap of the bound, half as large")

    yield mistake(r"\mathrm{Var}_q[\log w]", variance_of_log_mean(w, q, 1),
                  because="only the mean of logs would have the variance of one log over k")
