r"""The gradient of a random field: data minus model, and why a short chain from the data is not it.

A random field gives each configuration a potential $u_\theta(x)$ and divides $e^u$ by its sum. That sum, $Z(\theta)$,
depends on $\theta$, so the likelihood rises where the potential of the data grows faster than that of the model's own
samples. Stochastic maximum likelihood draws those samples from a chain that is never reset; contrastive divergence
starts a chain of k steps at the data, and its bias is a power of the transition matrix.

Three bits and a small network: $Z$ is a sum over eight states, $K^k$ a power of an 8 by 8 matrix.
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.models.random_field import grad_potential, law, log_partition, log_prob, potential, random_case, states
from refdgm.numerics import weighted_sum
from refdgm.samplers import gibbs
from refdgm.undirected import random_field_cd, sml


@derivation(random_case)
def one_observation(theta, x):
    """The gradient of log Z is a mean under the model."""
    everywhere = states(theta)

    def of_table(weights, values):
        """sum_x weights(x) dvalues(x)/dtheta by autograd, the weights constant."""
        return grad(lambda t: np.sum(weights * values(t)))(theta)

    yield start(r"\nabla_\theta \log Z(\theta)", grad(log_partition)(theta), claim="ou2018.rf.intractable")

    yield equals(r"\frac1{Z(\theta)} \nabla_\theta \sum_x e^{u_\theta(x)}",
                 of_table(1 / np.sum(np.exp(potential(theta, everywhere))), lambda t: np.exp(potential(t, everywhere))),
                 because="the derivative of a logarithm")

    yield equals(r"\sum_x \frac{e^{u_\theta(x)}}{Z(\theta)} \nabla_\theta u_\theta(x)",
                 of_table(np.exp(potential(theta, everywhere)) / np.sum(np.exp(potential(theta, everywhere))),
                          lambda t: potential(t, everywhere)), because="the derivative of an exponential")

    yield equals(r"\mathbb E_{p_\theta(x)}[\nabla_\theta u_\theta(x)]",
                 weighted_sum(law(theta), grad_potential(theta, everywhere)), because="Eq. 33",
                 claim="ou2018.eq33.grad")

    yield mistake(r"\frac1{2^D} \sum_x \nabla_\theta u_\theta(x)",
                  weighted_sum(np.full(8, 1 / 8), grad_potential(theta, everywhere)),
                  because="all states alike: true only where u is constant")

    yield mistake(r"\mathbb E_{p_\theta(x)}[\nabla_\theta \log p_\theta(x)]",
                  weighted_sum(law(theta), {name: jacobian(lambda leaf: log_prob({**theta, name: leaf}, everywhere))(
                      theta[name]) for name in theta}),
                  because="the score has mean zero; the potential's gradient has not")


@derivation(sml.field_case)
def data_minus_model(theta, p_data):
    """Maximum likelihood matches the data's mean gradient with the model's."""
    yield start(r"\nabla_\theta\, \mathbb E_{\tilde p}[\log p_\theta(\tilde x)]",
                grad(sml.mean_log_likelihood)(theta, p_data), claim="ou2018.eq34")

    yield equals(r"\nabla_\theta\, \mathbb E_{\tilde p}[u_\theta(\tilde x)] - \nabla_\theta \log Z(\theta)",
                 grad(lambda t: p_data @ potential(t, states(t)) - log_partition(t))(theta),
                 because="the data's probabilities sum to one, so log Z comes out once")

    yield equals(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{p_\theta}[\nabla_\theta u_\theta]",
                 sml.gradient(theta, p_data), because="the gradient of log Z is a mean under the model",
                 claim="ou2018.eq34")

    yield mistake(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] + \mathbb E_{p_\theta}[\nabla_\theta u_\theta]",
                  sml.update(theta, p_data, -law(theta)), because="the sign of the energy, kept for the potential")

    yield mistake(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta]", sml.update(theta, p_data, 0 * p_data),
                  because="Z taken for a constant: u would grow everywhere")

    yield equals(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{p_\theta K}[\nabla_\theta u_\theta]",
                 sml.update(theta, p_data, law(theta) @ gibbs.sequential_scan(potential(theta, states(theta)))),
                 because="a chain that has arrived stays: Algorithm 6 is unbiased there", claim="ou2018.alg6")

    yield mistake(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{\tilde p K}[\nabla_\theta u_\theta]",
                  random_field_cd.expected_update(theta, p_data, 1),
                  because="CD-1: the chain starts at the data, not in the model", claim="ou2018.cd")

    yield approaches(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{\tilde p K^k}[\nabla_\theta u_\theta],"
                     r" \quad k \to \infty", [random_field_cd.expected_update(theta, p_data, k) for k in (1, 10, 5000)],
                     because="the bias dies out like the second eigenvalue of K to the k", claim="ou2018.cd")


@derivation(sml.field_case)
def where_cd_is_right(theta, p_data):
    """At the truth, contrastive divergence and the likelihood agree."""
    p = law(theta)

    yield start(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{p_\theta}[\nabla_\theta u_\theta],"
                r" \quad \tilde p = p_\theta", sml.gradient(theta, p))

    yield equals(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{\tilde p K}[\nabla_\theta u_\theta],"
                 r" \quad \tilde p = p_\theta", random_field_cd.expected_update(theta, p, 1), scale=1.0,
                 because="the data are stationary already: both are zero, whatever k is", claim="ou2018.cd")

    yield mistake(r"\mathbb E_{\tilde p}[\nabla_\theta u_\theta] - \mathbb E_{\tilde p K}[\nabla_\theta u_\theta],"
                  r" \quad \tilde p \ne p_\theta", random_field_cd.expected_update(theta, p_data, 1), scale=1.0,
                  because="data that the model does not fit: CD does not vanish there, nor where the likelihood does")
