r"""What VIMCO's leave-one-out signal does to the variance of the gradient.

The gradient of the K-sample bound has the size $1/K$, so that a variance which does not fall drowns it. With one
signal for all $K$ scores it does not fall. With a signal for each sample it tends to $1/K$ times the Fisher information
of $q$, and with a geometric mean for the missing weight it is smaller still. Everything is exact: a sum over how
often each of two states was drawn, which is what makes $K$ in the thousands possible.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.directed import vimco
from refdgm.models.counts import multinomial
from refdgm.numerics import all_tuples, kl, log_sum_exp, softmax

SCORE = r"\nabla_\phi\log q_\phi(h_k|x)"
MANY = (2, 64, 4096)


def two_states(seed):
    """One bit h with law q, weights w(h) that differ by a factor of 2 to 4, and the score of q in its logit.

    q draws the larger weight more often. For two samples the scaled variances are then above their limits, for every
    seed; if the larger weight were rare they could be below, or by chance at their limits from the start.
    """
    rng = onp.random.default_rng(seed)
    often, log_ratio = rng.uniform(0.55, 0.8), rng.uniform(np.log(2), np.log(4))
    order = rng.permutation(2)
    q, log_w = onp.array([1 - often, often])[order], rng.normal() + onp.array([0.0, log_ratio])[order]
    return {"log_q": np.log(q), "log_w": log_w, "score": onp.array([-q[1], q[0]])}


def scaled_variance(coefficient, K, log_q, log_w, score):
    """K Var[sum_k coefficient_k score_k], exactly: coefficient(n, w, K) (N, 2) is that of a draw of either state."""
    n, log_probability = multinomial(log_q, K)
    probability = np.exp(log_probability)
    draws = (n * coefficient(n, np.exp(log_w), K)) @ score
    return K * (probability @ (draws - probability @ draws) ** 2)


def leave_one_out_coefficient(mean):
    """log p_hat - log p_hat_{-k} - wbar_k, where w_k is replaced by mean(others, w), others (N, 2) counts without k."""
    def coefficient(n, w, K):
        columns = []
        for state in (0, 1):
            others = n - np.eye(2)[state] * (n[:, state:state + 1] > 0)     # an undrawn state has no k to leave out
            with_stand_in = (others @ w + mean(others, w)) / K
            columns.append(np.log(n @ w / K / with_stand_in) - w[state] / (n @ w))
        return np.stack(columns, axis=-1)
    return coefficient


def shared_coefficient(baseline):
    """log p_hat - baseline - wbar_k: one signal for all K samples."""
    return lambda n, w, K: np.log(n @ w / K)[:, None] - baseline - w / (n @ w)[:, None]


arithmetic = leave_one_out_coefficient(lambda others, w: others @ w / np.sum(others, axis=-1))
geometric = leave_one_out_coefficient(lambda others, w: np.exp(others @ np.log(w) / np.sum(others, axis=-1)))


@derivation(two_states)
def by_counts(log_q, log_w, score):
    """The variance over all ordered draws is a sum over the K + 1 counts of one state."""
    K = 6
    draws = all_tuples(2, K)
    probability = np.exp(np.sum(log_q[draws], axis=-1))

    def over_draws(kind):
        c = vimco.coefficients(log_w[draws], lambda log_w: vimco.leave_one_out(log_w, kind))
        estimate = np.sum(c * score[draws], axis=-1)
        return K * (probability @ (estimate - probability @ estimate) ** 2)

    yield start(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\log\hat p_{-k}-\bar w_k)" + SCORE + r"\right]",
                np.array([over_draws("arithmetic"), over_draws("geometric")]), claim="ou2018.vimco")

    yield equals(r"K\sum_{n=0}^K\binom Kn q_1^n q_0^{K-n}\left(\hat g(n)-E[\hat g]\right)^2",
                 np.array([scaled_variance(c, K, log_q, log_w, score) for c in (arithmetic, geometric)]),
                 because="the estimate is symmetric in its draws, and counts of independent draws are binomial")

    yield mistake(r"\text{the two stand-ins exchanged}",
                  np.array([scaled_variance(c, K, log_q, log_w, score) for c in (geometric, arithmetic)]),
                  because="the same mean, but not the same variance")

    dropped = leave_one_out_coefficient(lambda others, w: 0.0)
    yield mistake(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\log\tfrac1K\sum_{j\neq k}w_j-\bar w_k)"
                  + SCORE + r"\right]",
                  np.array([scaled_variance(dropped, K, log_q, log_w, score)] * 2),
                  because="the missing weight replaced by zero: no bias, but every signal is too large by about 1/K")


@derivation(two_states)
def variance(log_q, log_w, score):
    """With a signal for each sample the variance falls like 1/K; with one signal for all it does not fall.

    To first order the signal of sample $k$ is $(w_k - p(x)) / (K p(x))$, and the term in $\\bar w_k$ takes $w_k$ away
    again: what is left is $-1/K$ times the sum of the scores.
    """
    q = np.exp(log_q)

    yield start(r"E[(\nabla_\phi\log q_\phi(h|x))^2]", q @ score**2)

    yield equals(r"K\,\mathrm{Var}\left[-\tfrac1K\sum_k" + SCORE + r"\right]",
                 scaled_variance(lambda n, w, K: -1.0 / K + 0 * n, 64, log_q, log_w, score),
                 because="independent scores of mean zero")

    yield approaches(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\log\hat p_{-k}-\bar w_k)" + SCORE + r"\right]",
                     [scaled_variance(arithmetic, K, log_q, log_w, score) for K in MANY],
                     because="to first order in 1/K it is that mean of scores", claim="ou2018.vimco", allowed=1e-3)

    yield mistake(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\log p_\theta(x)-\bar w_k)" + SCORE + r"\right]",
                  scaled_variance(shared_coefficient(log_sum_exp(log_q + log_w)), MANY[-1], log_q, log_w, score),
                  because="NVIL's one baseline for all, at its ideal: K scores multiply one noise of size 1/sqrt(K)",
                  allowed=1.0)

    yield mistake(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\bar w_k)" + SCORE + r"\right]",
                  scaled_variance(shared_coefficient(0.0), MANY[-1], log_q, log_w, score),
                  because="no baseline: K scores multiply log p(x) itself", allowed=1.0)


@derivation(two_states)
def geometric_mean(log_q, log_w, score):
    """A geometric mean for the missing weight has the smaller variance, by a factor that the bound's gap sets."""
    q, log_p = np.exp(log_q), log_sum_exp(log_q + log_w)

    yield start(r"\left(\frac{e^{\mathcal L(x)}}{p_\theta(x)}\right)^2E[(\nabla_\phi\log q_\phi(h|x))^2]",
                (np.exp(q @ log_w) / np.exp(log_p)) ** 2 * (q @ score**2))

    yield equals(r"e^{-2\,\mathrm{KL}[q_\phi(h|x)\|p_\theta(h|x)]}\,E[(\nabla_\phi\log q_\phi(h|x))^2]",
                 np.exp(-2 * kl(q, softmax(log_q + log_w))) * (q @ score**2),
                 because="the gap of the bound is a KL divergence", claim="ou2018.eq7")

    yield approaches(r"K\,\mathrm{Var}\left[\sum_k(\log\hat p-\log\tilde p_{-k}-\bar w_k)" + SCORE + r"\right]",
                     [scaled_variance(geometric, K, log_q, log_w, score) for K in MANY],
                     because="the geometric mean of the weights tends to exp L(x), the arithmetic one to p(x)",
                     claim="ou2018.vimco", allowed=1e-3)

    yield mistake(r"E[(\nabla_\phi\log q_\phi(h|x))^2]", q @ score**2,
                  because="the constant of the arithmetic mean", allowed=1e-3)

    yield mistake(r"e^{-\mathrm{KL}[q_\phi(h|x)\|p_\theta(h|x)]}\,E[(\nabla_\phi\log q_\phi(h|x))^2]",
                  np.exp(-kl(q, softmax(log_q + log_w))) * (q @ score**2),
                  because="a variance is quadratic in its coefficient", allowed=1e-3)
