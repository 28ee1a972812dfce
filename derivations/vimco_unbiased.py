r"""VIMCO: a signal for each sample, without bias and without a learned baseline.

The score-function gradient of the K-sample bound gives all $K$ scores the same signal $\log\hat p$. VIMCO subtracts
from it what $\log\hat p$ would have been without sample $k$. That changes no mean, because the subtracted number does
not look at $h_k$; it changes the variance, which now falls like $1/K$. Every mean and variance is exact: a sum over all
draws of a sigmoid belief net or, for large $K$, over how often each of two states was drawn.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.directed import vimco
from refdgm.models import sbn
from refdgm.models.counts import multinomial
from refdgm.numerics import kl, log_mean_exp, log_sum_exp, softmax, weighted_sum

K = 3
SCORE = r"\nabla_\phi\log q_\phi(h_k|x)"


@derivation(sbn.random_case)
def leave_one_out(theta, phi, x):
    """The leave-one-out signal keeps the mean of the gradient of the K-sample bound."""
    h, probability = sbn.all_draws(phi, x, K)
    log_w = sbn.log_weights(theta, phi, x, h)
    score = sbn.score_phi(phi, x, h)
    log_p_hat, wbar = log_mean_exp(log_w)[:, None], softmax(log_w)

    def mean(coefficients):
        """E[sum_k coefficients_k score_k]."""
        return weighted_sum(probability, weighted_sum(coefficients + 0 * log_w, score, axis=-1))

    def expected_log_p_hat(law, weights):
        """E[log p_hat], with the draws from q at phi = law and the weights at phi = weights."""
        q = np.exp(np.sum(sbn.log_q(law, x, h), axis=-1))
        return np.sum(q * log_mean_exp(sbn.log_weights(theta, weights, x, h)))

    yield start(r"\nabla_\phi\mathcal I^K(x)", grad(lambda p: vimco.bound(theta, p, x[None], K))(phi),
                claim="ou2018.eq15")

    through_law, through_weights = [grad(expected_log_p_hat, i)(phi, phi) for i in (0, 1)]
    yield equals(r"\sum_{h_{1:K}}\nabla_\phi q_\phi(h_{1:K}|x)\,\log\hat p+E[\nabla_\phi\log\hat p]",
                 {name: through_law[name] + through_weights[name] for name in phi},
                 because="the product rule: phi is in the law of the draws and in their weights")

    yield equals(r"E\left[\sum_k(\log\hat p-\bar w_k)" + SCORE + r"\right]", mean(log_p_hat - wbar),
                 because="REINFORCE for K independent draws, and d log p_hat = -sum of wbar dlog q")

    yield mistake(r"E\left[\sum_k\log\hat p\," + SCORE + r"\right]", mean(log_p_hat),
                  because="the weights depend on phi, too: only for K = 1 is that term a score of mean zero")

    yield equals(r"E\left[\sum_k(\log\hat p-\log\hat p_{-k}-\bar w_k)" + SCORE + r"\right]",
                 vimco_mean(theta, phi, x, "arithmetic"),
                 because="Fisher's equality given the other draws: their estimate does not look at sample k",
                 claim="ou2018.vimco")

    yield equals(r"E\left[\sum_k(\log\hat p-\log\tilde p_{-k}-\bar w_k)" + SCORE + r"\right]",
                 vimco_mean(theta, phi, x, "geometric"),
                 because="for the same reason the stand-in for the missing weight may be a geometric mean")

    yield mistake(r"E\left[\sum_k(\log\hat p-\log\hat p-\bar w_k)" + SCORE + r"\right]", mean(-wbar),
                  because="a baseline that looks at sample k is not free: this one takes the whole signal away")

    without_k = log_mean_exp(onp.sort(log_w, axis=-1)[:, :-1])[:, None]
    yield mistake(r"E\left[\sum_k(\log\hat p-\log\hat p_{-\max}-\bar w_k)" + SCORE + r"\right]",
                  mean(log_p_hat - without_k - wbar),
                  because="leaving out the largest weight instead of the k-th: which one that is depends on sample k")


def vimco_mean(theta, phi, x, kind):
    """The exact mean of VIMCO's estimate for one example."""
    h, probability = vimco.all_draws(phi, x[None], K)
    estimate = vimco.estimate_grad_phi(theta, phi, x[None], h, lambda log_w: vimco.leave_one_out(log_w, kind))
    return weighted_sum(probability, estimate)


# ---- the variance, for large K --------------------------------------------------------

MANY = (2, 64, 4096)


def two_states(seed):
    """One bit h with law q, weights w(h) that differ by a factor of 2 to 4, and the score of q in its logit."""
    rng = onp.random.default_rng(seed)
    on = rng.uniform(0.2, 0.8)
    log_w = rng.normal() + rng.permutation([0.0, rng.uniform(np.log(2), np.log(4))])
    return {"log_q": np.log([1 - on, on]), "log_w": log_w, "score": np.array([-on, 1 - on])}


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


@derivation(two_states)
def variance(log_q, log_w, score):
    """With a signal for each sample the variance falls like 1/K; with one signal for all it does not fall.

    To first order the signal of sample $k$ is $(w_k - p(x)) / (K p(x))$, and the term in $\\bar w_k$ takes $w_k$ away
    again: what is left is $-1/K$ times the sum of the scores.
    """
    q = np.exp(log_q)
    arithmetic = leave_one_out_coefficient(lambda others, w: others @ w / np.sum(others, axis=-1))

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
    geometric = leave_one_out_coefficient(lambda others, w: np.exp(others @ np.log(w) / np.sum(others, axis=-1)))

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
