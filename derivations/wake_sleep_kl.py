r"""What the two phases of wake-sleep minimise.

Variational learning follows one objective, the lower bound $\mathcal L$, in both sets of parameters. Wake-sleep
keeps its gradient in $\theta$ and replaces its gradient in $\phi$, which needs a learning signal and is noisy, by one
that is a plain score. The price is that $\phi$ is fitted in the other direction of the KL divergence and to
dreamt $x$ in place of observed ones: the two phases do not descend one objective.

The models are tables over four values of x and three of h, so every expectation is a sum over twelve cells.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed.wake_sleep import (average_elbo, average_kl, exclusive_kl, joint_sleep_kl, sleep_gradient,
                                        sleep_kl, wake_gradient, wake_kl, wake_law)
from refdgm.models.tables import (log_joint, log_marginal, log_posterior, log_q, random_case, score_phi,
                                  score_theta)
from refdgm.numerics import entropy, kl, weighted_sum


@derivation(random_case)
def wake_phase(theta, phi, p_data):
    """The wake phase's KL is minus the variational lower bound, up to the entropy of the data."""
    yield start(r"\mathrm{KL}[\tilde p(x)\, q_\phi(h|x) \,\|\, p_\theta(x, h)]", wake_kl(theta, phi, p_data),
                claim="ou2018.eq17.theta")

    yield equals(r"-\mathcal L(\theta, \phi) - \mathrm H[\tilde p]",
                 -average_elbo(theta, phi, p_data) - entropy(p_data),
                 because="log p~ q / p = log p~ - log p / q; the entropy does not depend on theta",
                 claim="ou2018.eq16.theta")

    exclusive = exclusive_kl(theta, phi, p_data)
    fit = kl(p_data, np.exp(log_marginal(theta)))
    yield equals(r"\mathrm{KL}[\tilde p(x) \| p_\theta(x)] + "
                 r"\mathbb E_{\tilde p(x)} \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)]",
                 fit + exclusive, because="the chain rule of the KL: first x, then h given x", claim="ou2018.eq16.phi")

    yield mistake(r"\mathrm{KL}[\tilde p(x) \| p_\theta(x)] + "
                  r"\mathbb E_{\tilde p(x)} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]",
                  fit + average_kl(p_data, log_posterior(theta), log_q(phi)),
                  because="the expectation is over q, so q stands first", claim="ou2018.eq16.prose")

    yield mistake(r"\mathrm{KL}[\tilde p(x) \| p_\theta(x)] + "
                  r"\mathbb E_{p_\theta(x)} \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)]",
                  fit + average_kl(np.exp(log_marginal(theta)), log_q(phi), log_posterior(theta)),
                  because="x comes from the data, not from the model")

    yield at_least(r"\mathrm{KL}[\tilde p(x) \| p_\theta(x)]", fit,
                   because="a KL is not negative: with equality only where q is the posterior")


@derivation(random_case)
def wake_direction(theta, phi, p_data):
    """The wake phase's gradient is the variational one: the score of the joint, completed by q."""
    yield start(r"-\nabla_\theta \mathrm{KL}[\tilde p(x)\, q_\phi(h|x) \,\|\, p_\theta(x, h)]",
                grad(lambda t: -wake_kl(t, phi, p_data))(theta), claim="ou2018.eq17.theta")

    yield equals(r"\nabla_\theta \mathcal L(\theta, \phi)", grad(average_elbo)(theta, phi, p_data),
                 because="the entropy of the data does not depend on theta", claim="ou2018.eq16.theta")

    yield equals(r"\mathbb E_{\tilde p(x) q_\phi(h|x)} \nabla_\theta \log p_\theta(x, h)",
                 wake_gradient(theta, phi, p_data),
                 because="neither does q", claim="ou2018.eq18.theta")

    yield mistake(r"\mathbb E_{\tilde p(x) p_\theta(h|x)} \nabla_\theta \log p_\theta(x, h)",
                  weighted_sum(p_data[:, None] * np.exp(log_posterior(theta)), score_theta(theta)),
                  because="h from the posterior gives the gradient of the likelihood itself: EM, and JSA")

    yield mistake(r"\mathbb E_{p_\theta(x, h)} \nabla_\theta \log p_\theta(x, h)",
                  weighted_sum(np.exp(log_joint(theta)), score_theta(theta)),
                  because="on the sleep phase's pairs the score has mean zero, whatever theta is: nothing is learnt")


@derivation(random_case)
def sleep_phase(theta, phi, p_data):
    """The sleep phase's average KL is the KL between two joint distributions."""
    log_p, p_x = log_joint(theta), np.exp(log_marginal(theta))
    yield start(r"\mathbb E_{p_\theta(x)} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]", sleep_kl(theta, phi),
                claim="ou2018.eq17.phi")

    yield equals(r"\mathrm{KL}[p_\theta(x, h) \,\|\, p_\theta(x)\, q_\phi(h|x)]", joint_sleep_kl(theta, phi),
                 because="the chain rule of the KL, with the same marginal of x on both sides: its KL is zero",
                 claim="ou2018.eq17.phi")

    yield equals(r"\mathrm H[p_\theta(x)] - \mathrm H[p_\theta(x, h)] - \mathbb E_{p_\theta(x, h)} \log q_\phi(h|x)",
                 entropy(p_x) - entropy(np.reshape(np.exp(log_p), -1)) - np.sum(np.exp(log_p) * log_q(phi)),
                 because="only the last term depends on phi: the sleep phase is maximum likelihood on dreamt pairs")

    yield mistake(r"\mathrm{KL}[p_\theta(x, h) \,\|\, \tilde p(x)\, q_\phi(h|x)]",
                  kl(np.exp(log_p), wake_law(phi, p_data), axis=None),
                  because="the data do not enter: this adds the KL of the marginals, and has the same gradient")

    yield mistake(r"\mathrm{KL}[p_\theta(x)\, q_\phi(h|x) \,\|\, p_\theta(x, h)]",
                  kl(p_x[:, None] * np.exp(log_q(phi)), np.exp(log_p), axis=None),
                  because="the exclusive direction needs draws of h from q, and a learning signal")


@derivation(random_case)
def sleep_direction(theta, phi, p_data):
    """The sleep phase's gradient is the score of q on the model's own pairs."""
    yield start(r"-\nabla_\phi \mathrm{KL}[p_\theta(x, h) \,\|\, p_\theta(x)\, q_\phi(h|x)]",
                grad(lambda f: -joint_sleep_kl(theta, f))(phi), claim="ou2018.eq17.phi")

    yield equals(r"\nabla_\phi \mathbb E_{p_\theta(x, h)} \log q_\phi(h|x)",
                 grad(lambda f: np.sum(np.exp(log_joint(theta)) * log_q(f)))(phi),
                 because="nothing else depends on phi, not even the law of the expectation")

    yield equals(r"\mathbb E_{p_\theta(x, h)} \nabla_\phi \log q_\phi(h|x)", sleep_gradient(theta, phi),
                 because="so the gradient goes inside, and there is no learning signal", claim="ou2018.eq18.phi")

    yield mistake(r"\mathbb E_{\tilde p(x) q_\phi(h|x)} \nabla_\phi \log q_\phi(h|x)",
                  weighted_sum(wake_law(phi, p_data), score_phi(phi)),
                  because="the wake phase's pairs: h comes from q itself, and the score has mean zero")

    yield mistake(r"\mathbb E_{\tilde p(x) p_\theta(h|x)} \nabla_\phi \log q_\phi(h|x)",
                  weighted_sum(p_data[:, None] * np.exp(log_posterior(theta)), score_phi(phi)),
                  because="x from the data: the wake-phase update of phi in RWS, and JSA")


@derivation(random_case)
def what_changes(theta, phi, p_data):
    """In phi, wake-sleep follows neither the variational gradient nor either half of the change."""
    posterior, p_x = log_posterior(theta), np.exp(log_marginal(theta))
    yield start(r"\nabla_\phi \mathcal L(\theta, \phi)", grad(lambda f: average_elbo(theta, f, p_data))(phi))

    yield equals(r"-\nabla_\phi \mathbb E_{\tilde p(x)} \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)]",
                 grad(lambda f: -exclusive_kl(theta, f, p_data))(phi),
                 because="log p(x) does not depend on phi", claim="ou2018.eq16.phi")

    signal = log_joint(theta) - log_q(phi)
    yield equals(r"\mathbb E_{\tilde p(x) q_\phi(h|x)}\left["
                 r"\log \tfrac{p_\theta(x, h)}{q_\phi(h|x)} \nabla_\phi \log q_\phi(h|x)\right]",
                 weighted_sum(wake_law(phi, p_data) * signal, score_phi(phi)),
                 because="the law depends on phi: a score with a learning signal, whose own derivative has mean zero")

    yield mistake(r"-\nabla_\phi \mathbb E_{\tilde p(x)} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]",
                  grad(lambda f: -average_kl(p_data, posterior, log_q(f)))(phi),
                  because="the direction changed", claim="ou2018.ws.two_changes")

    yield mistake(r"-\nabla_\phi \mathbb E_{p_\theta(x)} \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)]",
                  grad(lambda f: -average_kl(p_x, log_q(f), posterior))(phi),
                  because="the samples changed", claim="ou2018.ws.two_changes")

    yield mistake(r"-\nabla_\phi \mathbb E_{p_\theta(x)} \mathrm{KL}[p_\theta(h|x) \| q_\phi(h|x)]",
                  sleep_gradient(theta, phi), because="both changed: the sleep phase", claim="ou2018.ws.two_changes")
