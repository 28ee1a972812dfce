r"""The importance weighted bound's gradient is the reweighted wake-sleep update.

Reweighted wake-sleep was derived as a biased estimate of the likelihood gradient. The bias has a name: it
is the gradient of another objective, the K-sample bound. Each line is evaluated exactly, by summing
all $2^{KH}$ draws of a sigmoid belief net with H = 2 hidden units.
"""
from autograd import grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import iwae
from refdgm.models.sbn import log_marginal, log_weights, mean_over_draws, random_case, score_theta
from refdgm.numerics import weighted_sum

K = 3


@derivation(random_case)
def theta_gradient(theta, phi, x):
    """The generative gradient of the IWAE is the wake-phase update of RWS."""
    def mean(estimator):
        return mean_over_draws(estimator, K)(theta, phi, x)

    yield start(r"\nabla_\theta \mathcal I_K(x)", grad(iwae.bound)(theta, phi, x, K), claim="ou2018.eq15")

    yield equals(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\nabla_\theta \log \tfrac1K \sum_k w_k\right]",
                 grad(lambda t: mean_over_draws(lambda _, p, x, h: iwae.estimate_log_p(log_weights(t, p, x, h)), K)(
                     theta, phi, x))(theta),
                 because="the proposal does not depend on theta", claim="ou2018.eq20")

    yield equals(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\sum_k \bar w_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                 mean(iwae.estimate_grad_theta),
                 because="the gradient of a log-sum is the self-normalised sum of gradients", claim="ou2018.eq19.bias")

    yield mistake(r"\mathbb E_{q_\phi(h_{1:K}|x)}\left[\tfrac1K \sum_k \nabla_\theta \log p_\theta(x, h_k)\right]",
                  mean(lambda t, p, x, h: weighted_sum(1 / K + 0 * h[..., 0], score_theta(t, x, h), axis=-1)),
                  because="uniform weights: this is the ELBO's gradient")

    yield mistake(r"\nabla_\theta \log p_\theta(x)", grad(log_marginal)(theta, x),
                  because="not the likelihood's gradient: only its limit as K grows", claim="ou2018.eq19.selfnorm")
