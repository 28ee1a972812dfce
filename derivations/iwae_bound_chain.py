r"""Why more samples make the importance weighted bound tighter, and how tight it gets.

Two arguments. The first is that of Burda et al.: a mean of K + 1 weights is the mean, over which one is left out, of
means of K weights, and the logarithm of a mean is at least the mean of the logarithms. It shows that the bounds are
ordered, and nothing more.

The second writes the whole gap as one integral over the Laplace transform of a single weight,
$\varphi(t) = \mathbb E_q e^{-tw}$. By Jensen $\varphi(t/K)^K \ge e^{-tp(x)}$, so the gap is positive; for large
$K$ the logarithm of the left side is $-tp(x) + t^2 \mathrm{Var}(w)/2K$, so the gap falls like $1/K$, with the variance
of the weights as the price of a proposal that is not the posterior.
"""
import numpy as np

from refdgm.derivation import approaches, at_least, derivation, equals, mistake, start
from refdgm.directed import iwae, iwae_limit
from refdgm.models.iid_weights import gap
from refdgm.models.sbn import log_marginal, log_weights, mean_over_draws, random_case
from refdgm.numerics import all_tuples, log_mean_exp, trapezoid


@derivation(random_case)
def leave_one_out(theta, phi, x):
    """Each further sample tightens the bound."""
    def mean(f, K):
        return mean_over_draws(lambda *args: f(log_weights(*args)), K)(theta, phi, x)

    def means_of_two(log_w):
        return np.stack([log_mean_exp(np.delete(log_w, j, axis=-1)) for j in range(3)], axis=-1)

    yield start(r"\log p_\theta(x)", log_marginal(theta, x))

    yield at_least(r"\mathcal I^3(x) = \mathbb E\left[\log \tfrac13 (w_1 + w_2 + w_3)\right]",
                   iwae.bound(theta, phi, x, 3),
                   because="Jensen: the log of a mean is at least the mean of the log", claim="ou2018.eq15")

    yield mistake(r"\mathbb E\left[\log (w_1 + w_2 + w_3)\right]",
                  mean(lambda log_w: log_mean_exp(log_w) + np.log(3), 3),
                  because="without 1/K it is not an estimate of p(x), and no bound")

    yield equals(r"\mathbb E\left[\log \tfrac13 \sum_{j=1}^3 \tfrac12 \sum_{k \ne j} w_k\right]",
                 mean(lambda log_w: log_mean_exp(means_of_two(log_w)), 3),
                 because="every weight is in two of the three pairs")

    yield at_least(r"\tfrac13 \sum_{j=1}^3 \mathbb E\left[\log \tfrac12 \sum_{k \ne j} w_k\right]",
                   mean(lambda log_w: np.mean(means_of_two(log_w), axis=-1), 3),
                   because="Jensen, for the choice of j", claim="ou2018.eq15.mono")

    yield equals(r"\mathcal I^2(x)", iwae.bound(theta, phi, x, 2),
                 because="any two of three independent draws are two independent draws")

    yield mistake(r"\mathbb E\left[\log \max(w_1, w_2)\right]", mean(lambda log_w: np.max(log_w, axis=-1), 2),
                  because="the best of K weights is not their mean")

    yield at_least(r"\mathcal L(x) = \mathbb E_{q_\phi(h|x)}\left[\log w\right]", iwae.elbo(theta, phi, x),
                   because="the same once more: one of two", claim="ou2018.sym.iw_k1")


def log_grid():
    """Nodes t = exp(u) and the weights of dt / t = du."""
    u, du = trapezoid(-40.0, 40.0, 268)
    return np.exp(u), du


@derivation(iwae_limit.random_case)
def laplace(p, q):
    """The gap of the bound is an integral of the Laplace transform of one weight."""
    K, w, total = 3, p / q, np.sum(p)
    t, du = log_grid()
    draws = all_tuples(len(q), K)
    probability = np.prod(q[draws], axis=1)

    yield start(r"\log p_\theta(x) - \mathcal I^K(x)",
                np.log(total) - probability @ np.log(np.mean(w[draws], axis=1)), claim="ou2018.eq15")

    yield equals(r"\mathbb E\left[\log p_\theta(x) - \log \hat p\right] = "
                 r"\mathbb E \int_0^\infty \left(e^{-t \hat p} - e^{-t p_\theta(x)}\right) \frac{dt}{t}",
                 probability @ ((np.exp(-np.outer(np.mean(w[draws], axis=1), t)) - np.exp(-t * total)) @ du),
                 because="Frullani: log a - log b = int (exp(-bt) - exp(-at)) dt / t")

    phi = np.exp(-np.outer(t / K, w)) @ q
    yield equals(r"\int_0^\infty \left(\varphi(t/K)^K - e^{-t p_\theta(x)}\right) \frac{dt}{t},"
                 r"\quad \varphi(t) = \mathbb E_q e^{-tw}",
                 du @ (phi**K - np.exp(-t * total)),
                 because="the weights are independent, so the transform of their sum is a power")

    yield mistake(r"\int_0^\infty \left(\varphi(t)^K - e^{-t p_\theta(x)}\right) \frac{dt}{t}",
                  du @ ((np.exp(-np.outer(t, w)) @ q)**K - np.exp(-t * total)),
                  because="that is the sum of the weights, not their mean: off by log K")

    yield at_least(r"0", 0.0, because="Jensen: E exp(-tw/K) is at least exp(-t E w / K)", claim="ou2018.eq15")


@derivation(iwae_limit.seldom_case)
def rate(p, q):
    """The gap of the bound falls like 1/K, with the variance of the weights in front."""
    w, total = p / q, np.sum(p)
    variance = q @ (w - total)**2
    t, du = log_grid()

    yield start(r"\frac{\mathrm{Var}_q(w)}{2 p_\theta(x)^2}", variance / (2 * total**2))

    yield equals(r"\int_0^\infty e^{-t p_\theta(x)}\, \frac{t^2 \mathrm{Var}_q(w)}{2}\, \frac{dt}{t}",
                 du @ (np.exp(-t * total) * t**2 * variance / 2),
                 because="log phi(t/K)^K = -tp + t^2 Var(w) / (2K) + ..., to first order in 1/K")

    yield approaches(r"K \left(\log p_\theta(x) - \mathcal I^K(x)\right)",
                     [K * gap(w, q, K) for K in iwae_limit.LARGE_K],
                     because="the next order of the gap is 1/K^2", claim="ou2018.eq15.limit", allowed=1e-4)

    yield mistake(r"\frac{\mathrm{Var}_q(w)}{p_\theta(x)^2}", variance / total**2,
                  because="the one half of the second-order term")
