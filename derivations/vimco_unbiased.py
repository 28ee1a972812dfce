r"""VIMCO: a signal for each sample, without bias and without a learned baseline.

The score-function gradient of the K-sample bound gives all $K$ scores the same signal $\log\hat p$. VIMCO subtracts
from it what $\log\hat p$ would have been without sample $k$. That changes no mean, because the subtracted number does
not look at $h_k$. What it does to the variance is in vimco_variance. Every mean is a sum over all draws of a sigmoid
belief net.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import vimco
from refdgm.models import sbn
from refdgm.numerics import log_mean_exp, softmax, weighted_sum

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
