r"""The importance weighted bound's gradient is the reweighted wake-sleep update.

Reweighted wake-sleep was derived as a biased estimate of the likelihood gradient. The bias has a name: it
is the gradient of another objective, the K-sample bound. Each line is evaluated exactly, by summing
all $2^{KH}$ draws of a sigmoid belief net with H = 2 hidden units.

That is so for the generative parameters. For the recognition network the two part: reweighted wake-sleep pulls $q$
towards the posterior by a self-normalised score, $+\sum_k \bar w_k \nabla_\phi \log q$. In the gradient of the bound
the same term has the opposite sign, and the draws themselves depend on $\phi$.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import iwae
from refdgm.models.sbn import (all_draws, log_marginal, log_weights, mean_over_draws, normalized_weights, random_case,
                               score_phi, score_theta)
from refdgm.numerics import weighted_sum

K = 2


@derivation(random_case)
def theta_gradient(theta, phi, x):
    """The generative gradient of the IWAE is the wake-phase update of RWS."""
    def mean(estimator):
        return mean_over_draws(estimator, K)(theta, phi, x)

    yield start(r"\nabla_\theta \mathcal I_K(x)", grad(iwae.bound)(theta, phi, x, K), claim="ou2018.eq15")

    h, probability = all_draws(phi, x, K)
    of_each_draw = [grad(lambda t: iwae.estimate_log_p(log_weights(t, phi, x, draw)))(theta) for draw in h]
    yield equals(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\nabla_\theta \log \tfrac1K \sum_k w_k\right]",
                 {name: sum(p * g[name] for p, g in zip(probability, of_each_draw)) for name in theta},
                 because="the proposal does not depend on theta", claim="ou2018.eq20")

    yield equals(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\sum_k \bar w_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                 mean(iwae.estimate_grad_theta),
                 because="the gradient of a log-sum is the self-normalised sum of gradients", claim="ou2018.eq19.bias")

    yield mistake(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\tfrac1K \sum_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                  mean(lambda t, p, x, h: weighted_sum(1 / K + 0 * h[..., 0], score_theta(t, x, h), axis=-1)),
                  because="uniform weights: this is the ELBO's gradient")

    yield mistake(r"\nabla_\theta \log p_\theta(x)", grad(log_marginal)(theta, x),
                  because="not the likelihood's gradient: only its limit as K grows", claim="ou2018.eq19.selfnorm")


@derivation(random_case)
def phi_gradient(theta, phi, x):
    """The recognition gradient of the IWAE is not the wake-phase update of RWS."""
    def mean(signal):
        """E sum_k signal_k dlog q(h_k|x)/dphi, with signal(log_w) (M, K) in terms of the log-weights."""
        return mean_over_draws(lambda t, p, x, h: weighted_sum(signal(log_weights(t, p, x, h)), score_phi(p, x, h),
                                                               axis=-1), K)(theta, phi, x)

    def log_p_hat(log_w):
        return iwae.estimate_log_p(log_w)[..., None] + 0 * log_w

    h, probability = all_draws(phi, x, K)
    through_weights = grad(lambda p: np.sum(probability * iwae.estimate_log_p(log_weights(theta, p, x, h))))(phi)
    through_draws = mean(log_p_hat)

    yield start(r"\nabla_\phi \mathcal I_K(x)", grad(iwae.bound, 1)(theta, phi, x, K), claim="ou2018.eq15")

    yield equals(r"\mathbb E\left[\log \hat p \sum_k \nabla_\phi \log q_\phi(h_k|x)\right]"
                 r" + \mathbb E\left[\nabla_\phi \log \hat p\right]",
                 {name: through_draws[name] + through_weights[name] for name in phi},
                 because="both the law of the draws and the weights depend on phi")

    yield mistake(r"\mathbb E\left[\nabla_\phi \log \hat p\right]",
                  through_weights, because="for theta that was all, but phi moves the draws, too")

    yield equals(r"\mathbb E\left[\sum_k (\log \hat p - \bar w_k) \nabla_\phi \log q_\phi(h_k|x)\right]",
                 mean_over_draws(iwae.estimate_grad_phi, K)(theta, phi, x),
                 because="log w_k contains minus log q(h_k|x)", claim="ou2018.iwae.continuous_only")

    yield equals(r"\mathbb E\left[\sum_k (\log \hat p - \log \hat p_{-k} - \bar w_k)"
                 r" \nabla_\phi \log q_\phi(h_k|x)\right]",
                 mean(lambda log_w: log_p_hat(log_w) - iwae.log_mean_of_others(log_w)
                      - normalized_weights(log_w)),
                 because="the score has mean zero under what the other draws determine")

    yield mistake(r"\mathbb E\left[\sum_k \bar w_k \nabla_\phi \log q_\phi(h_k|x)\right]",
                  mean(normalized_weights),
                  because="reweighted wake-sleep: it descends KL[p(h|x) || q], not the bound's gap",
                  claim="bachman2015.sec3_rws")
