r"""From the likelihood's gradient to the estimate of reweighted wake-sleep: which step is not an equality.

The gradient of $\log p_\theta(x)$ is an expectation under the posterior, and importance sampling turns it into one
under $q$. All would be exact if the weights could be divided by $p_\theta(x)$; they are divided by its estimate
$\hat p$ from the same draws. With $g = \sum_k \bar w_k \nabla_\theta \log p_\theta(x, h_k)$ this costs exactly
$-\mathrm{Cov}(\hat p, g) / p_\theta(x)$, which falls as 1/K.

All draws of a sigmoid belief net are summed; for K in the thousands, all counts of them.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.directed.rws import (estimate_grad_phi, estimate_grad_theta, estimate_with, exact_weights, importance_sum,
                                 theta_score)
from refdgm.directed.rws_bias import limit_of_scaled_bias, one_bit_case, scaled_bias
from refdgm.models.sbn import (all_draws, latent_states, log_joint_table, log_marginal, log_q_table, log_weights,
                               mean_over_draws, posterior, random_case, score_phi, score_theta)
from refdgm.numerics import log_mean_exp, weighted_sum

K = 3


@derivation(random_case)
def from_likelihood_to_estimate(theta, phi, x):
    """Self-normalising is the one step of Eq. 19 that is not an equality, and its bias is a covariance."""
    p_x = np.exp(log_marginal(theta, x))
    yield start(r"\nabla_\theta \log p_\theta(x)", grad(log_marginal)(theta, x), claim="ou2018.eq19.chain")

    mass = grad(lambda t: np.sum(np.exp(log_joint_table(t, x))))(theta)
    yield equals(r"\frac{1}{p_\theta(x)} \sum_h \nabla_\theta p_\theta(x, h)", {k: v / p_x for k, v in mass.items()},
                 because="the derivative of a logarithm, and p(x) is a sum over h", claim="ou2018.eq19.chain")

    yield equals(r"\frac{1}{p_\theta(x)} \sum_h q_\phi(h|x) \frac{p_\theta(x, h)}{q_\phi(h|x)} "
                 r"\nabla_\theta \log p_\theta(x, h)",
                 importance_sum(score_theta(theta, x, latent_states(theta)), np.exp(log_joint_table(theta, x)),
                                np.exp(log_q_table(phi, x))),
                 because="the derivative of p is p times that of log p; q covers the posterior",
                 claim="ou2018.eq19.chain")

    yield equals(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\frac{1}{p_\theta(x)} "
                 r"\frac1K \sum_k w_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                 mean_over_draws(estimate_with(exact_weights, theta_score), K)(theta, phi, x),
                 because="every h_k has the law q: unbiased, but p(x) is not known")

    mean = mean_over_draws(estimate_grad_theta, K)(theta, phi, x)
    yield mistake(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\sum_k \bar w_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                  mean,
                  because="p(x) has been replaced by its estimate: a mean of ratios is not the ratio of the means",
                  claim="ou2018.eq19.selfnorm")

    h, probability = all_draws(phi, x, K)
    p_hat, g = np.exp(log_mean_exp(log_weights(theta, phi, x, h))), estimate_grad_theta(theta, phi, x, h)
    p_hat_mean = np.sum(probability * p_hat)
    covariance = {k: weighted_sum(probability * p_hat, g[k]) - p_hat_mean * mean[k] for k in g}
    yield equals(r"\mathbb E[g] + \frac{\mathrm{Cov}(\hat p, g)}{p_\theta(x)}",
                 {k: mean[k] + covariance[k] / p_x for k in g},
                 because="E[p_hat g] is the line before the mistake times p(x), and E[p_hat] = p(x)",
                 claim="ou2018.eq19.bias")

    yield mistake(r"\mathbb E[g] + \mathrm{Cov}(\hat p, g)", {k: mean[k] + covariance[k] for k in g},
                  because="the scale of the weights must cancel, also here")


@derivation(random_case)
def one_draw(theta, phi, x):
    """Draw by draw, self-normalised weights are those that divide by the estimate of p(x).

    Each line holds one estimate for every draw of h_1..h_K, not only their mean.
    """
    h, _ = all_draws(phi, x, K)
    score, w = score_phi(phi, x, h), np.exp(log_weights(theta, phi, x, h))
    yield start(r"\sum_k \bar w_k \nabla_\phi \log q_\phi(h_k|x)", estimate_grad_phi(theta, phi, x, h),
                claim="ou2018.eq19.weights")

    p_hat = np.mean(w, axis=-1, keepdims=True)
    yield equals(r"\frac{1}{\hat p} \frac1K \sum_k w_k \nabla_\phi \log q_\phi(h_k|x)",
                 weighted_sum(w / p_hat / K, score, axis=-1), because="K p_hat is the sum of the weights",
                 claim="ou2018.eq21.equality")

    yield mistake(r"\frac{1}{p_\theta(x)} \frac1K \sum_k w_k \nabla_\phi \log q_\phi(h_k|x)",
                  weighted_sum(w / np.exp(log_marginal(theta, x)) / K, score, axis=-1),
                  because="as printed: p_hat is p(x) only on average over the draws",
                  claim="ou2018.eq21.equality")

    yield mistake(r"\frac1K \sum_k w_k \nabla_\phi \log q_\phi(h_k|x)", weighted_sum(w / K, score, axis=-1),
                  because="not normalised: an estimate of p(x) times the gradient")


@derivation(one_bit_case)
def many_draws(theta, phi, x):
    """K times the bias tends to a posterior covariance: the bias falls as 1/K, no faster."""
    p, q, score = posterior(theta, x), np.exp(log_q_table(phi, x)), score_phi(phi, x, latent_states(theta))
    yield start(r"-\mathrm{Cov}_{p_\theta(h|x)}\left(\frac{p_\theta(h|x)}{q_\phi(h|x)}, "
                r"\nabla_\phi \log q_\phi(h|x)\right)",
                limit_of_scaled_bias(theta, phi, x), claim="ou2018.eq21.bias")

    mean = weighted_sum(p, score)
    yield equals(r"-\mathbb E_{q_\phi(h|x)}\left[\left(\frac{p_\theta(h|x)}{q_\phi(h|x)}\right)^2 "
                 r"\left(\nabla_\phi \log q_\phi(h|x) - \mathbb E_{p_\theta(h|x)} "
                 r"\nabla_\phi \log q_\phi(h|x)\right)\right]",
                 {k: weighted_sum(-q * (p / q)**2, score[k] - mean[k]) for k in score},
                 because="one factor p/q of the square turns the expectation under q into one under the posterior")

    yield approaches(r"K \left(\mathbb E[g] - \mathbb E_{p_\theta(h|x)} \nabla_\phi \log q_\phi(h|x)\right)",
                     [scaled_bias(theta, phi, x, n) for n in (1, 100, 10_000)], allowed=1e-3,
                     because="the delta method for a ratio of means: the rest is of order 1/K",
                     claim="ou2018.eq21.bias")

    yield mistake(r"-\mathrm{Cov}_{q_\phi(h|x)}\left(\frac{p_\theta(h|x)}{q_\phi(h|x)}, "
                  r"\nabla_\phi \log q_\phi(h|x)\right)",
                  weighted_sum(-q * (p / q - 1), score), because="the covariance is under the posterior, not under q")

    yield mistake(r"0", {k: 0 * v for k, v in mean.items()}, because="the bias does not fall faster than 1/K")
