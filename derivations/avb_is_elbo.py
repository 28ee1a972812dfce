r"""A frozen discriminator gives the bound's own gradient.

A recognition model that is known by its draws only has no $\log q_\phi(h|x)$ to put into the bound. Adversarial
variational Bayes replaces $\log q_\phi(h|x) - \log p(h)$ by the optimum $V^*$ of a discriminator. That makes the two
objectives equal, but training differentiates with $V^*$ held fixed although it moves with $\phi$. The three derivations
below show that the optimum is what it is said to be, that the values agree, and that the ignored slope of $V^*$ has
mean zero. They also show what goes wrong with any other discriminator. Everything is a sum over a table.
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import avb
from refdgm.models.tables import log_likelihood, log_q, score_phi
from refdgm.numerics import kl, log_sum_exp, softmax


@derivation(avb.random_case)
def optimum(theta, phi, V, log_prior, p_data):
    """The best discriminator's value is a Jensen-Shannon divergence, which only V* attains."""
    q, p = np.exp(log_q(phi)), np.exp(log_prior) + np.zeros(V.shape)

    def value_of(V):
        return avb.discriminator_objective(V, phi, log_prior, p_data)

    yield start(r"E_{\tilde p q_\phi}[\log\sigma(V^*)] + E_{\tilde p\, p(h)}[\log(1-\sigma(V^*))],"
                r"\quad V^* = \log q_\phi(h|x) - \log p(h)", value_of(V), claim="ou2018.eq12")

    yield equals(r"\sum_{x,h} \tilde p(x) \left[ q_\phi(h|x) \log\frac{q_\phi(h|x)}{q_\phi(h|x)+p(h)}"
                 r" + p(h) \log\frac{p(h)}{q_\phi(h|x)+p(h)} \right]",
                 np.sum(p_data[:, None] * (q * np.log(q / (q + p)) + p * np.log(p / (q + p)))),
                 because="sigma(V*) = q / (q + p)")

    yield equals(r"2\, E_{\tilde p}\, \mathrm{JS}[q_\phi(h|x) \| p(h)] - 2 \log 2",
                 np.sum(p_data * (kl(q, (q + p) / 2) + kl(p, (q + p) / 2))) - 2 * np.log(2),
                 because="the mean of both laws is half their sum")

    yield mistake(r"2\, E_{\tilde p}\, \mathrm{JS}[q_\phi(h|x) \| p(h)]",
                  np.sum(p_data * (kl(q, (q + p) / 2) + kl(p, (q + p) / 2))),
                  because="guessing at random already costs 2 log 2")

    yield mistake(r"\text{the value of } V = \log p(h) - \log q_\phi(h|x)", value_of(-V),
                  because="labels exchanged: it tells the two laws apart the wrong way round")

    yield mistake(r"\text{the value of } V = q_\phi / (q_\phi + p)", value_of(q / (q + p)),
                  because="V is the logit, not the probability")


@derivation(avb.random_case)
def value(theta, phi, V, log_prior, p_data):
    """With the optimal discriminator the AVB objective is the bound."""
    log_joint = log_prior + log_likelihood(theta)
    q = np.exp(log_q(phi))

    def mean(table):
        return np.sum(avb.data_and_q(phi, p_data) * table)

    yield start(r"E_{\tilde p q_\phi}[-V^*(x,h) + \log p_\theta(x|h)]", avb.avb_objective(theta, phi, V, p_data),
                claim="ou2018.eq13")

    yield equals(r"E_{\tilde p q_\phi}[\log p(h) - \log q_\phi(h|x) + \log p_\theta(x|h)]",
                 avb.elbo(theta, phi, log_prior, p_data), because="V* is the log ratio of q to the prior",
                 claim="ou2018.eq11")

    yield equals(r"E_{\tilde p} \left[ E_{q_\phi}\log p_\theta(x|h) - \mathrm{KL}[q_\phi(h|x) \| p(h)] \right]",
                 mean(log_likelihood(theta)) - np.sum(p_data * kl(q, np.exp(log_prior) + 0 * q)),
                 because="the first two terms are a divergence from the prior", claim="ou2018.eq8")

    yield equals(r"E_{\tilde p} \left[ \log p_\theta(x) - \mathrm{KL}[q_\phi(h|x) \| p_\theta(h|x)] \right]",
                 np.sum(p_data * (log_sum_exp(log_joint) - kl(q, softmax(log_joint)))),
                 because="p(h) p(x|h) = p(x) p(h|x)", claim="ou2018.eq7")

    yield mistake(r"E_{\tilde p q_\phi}[V^*(x,h) + \log p_\theta(x|h)]", mean(V + log_likelihood(theta)),
                  because="the divergence from the prior is rewarded")

    yield mistake(r"E_{\tilde p q_\phi}[-V^*(x,h)]", mean(-V),
                  because="the decoder's density is part of the bound: only q may be implicit",
                  claim="ou2018.avb.prose")

    yield at_most(r"E_{\tilde p} \log p_\theta(x)", np.sum(p_data * log_sum_exp(log_joint)),
                  because="no divergence is negative", claim="ou2018.eq7.bound")


@derivation(avb.random_case)
def phi_gradient(theta, phi, V, log_prior, p_data):
    """Differentiating as if V* did not depend on phi is right, because its slope has mean zero under q."""
    law = avb.data_and_q(phi, p_data)

    yield start(r"\nabla_\phi \mathcal L(\theta,\phi)", grad(lambda p: avb.elbo(theta, p, log_prior, p_data))(phi),
                claim="ou2018.eq11")

    def slope_of_V():       # (X, H, X, H)
        return jacobian(lambda logits: avb.optimal_discriminator({"q": logits}, log_prior))(phi["q"])

    through_draws = grad(lambda p: np.sum(avb.data_and_q(p, p_data) * (-V + log_likelihood(theta))))(phi)["q"]

    yield equals(r"\{\nabla_\phi \mathcal L^{AVB}_\psi\}|_{\psi^*_\phi}"
                 r" - E_{\tilde p q_\phi}[\nabla_\phi V^*_\phi(x,h)]",
                 {"q": through_draws - np.tensordot(law, slope_of_V(), 2)},
                 because="phi acts through the draws and through V*: the chain rule has two terms")

    yield equals(r"\{\nabla_\phi \mathcal L^{AVB}_\psi\}|_{\psi^*_\phi}", {"q": through_draws},
                 because="the slope of V* is that of log q, a score, and has mean zero under q",
                 claim="ou2018.fn8.prop2")

    yield equals(r"E_{\tilde p q_\phi}[\nabla_\phi\log q_\phi(h|x)\, (-V^*(x,h) + \log p_\theta(x|h))]",
                 avb.grad_phi(theta, phi, V, p_data), because="the score-function identity",
                 claim="ou2018.fn8.ptilde")

    yield equals(r"E_{\tilde p q_\phi}[\nabla_\phi\log q_\phi\, (-\log q_\phi + \log p(h) + \log p_\theta(x|h))]",
                 {"q": np.tensordot(law * (log_prior - log_q(phi) + log_likelihood(theta)), score_phi(phi)["q"], 2)},
                 because="the optimal discriminator, written out", claim="ou2018.fn8.phi")

    yield mistake(r"E_{q_\phi}[\nabla_\phi\log q_\phi(h|x)\, (-V^*(x,h) + \log p_\theta(x|h))]",
                  avb.grad_phi(theta, phi, V, np.ones(len(V))),
                  because="as printed, without the data distribution: nothing weighs the different x",
                  claim="ou2018.fn8.ptilde")

    yield mistake(r"\nabla_{\theta,\phi} \mathcal L(\theta,\phi)",
                  {**grad(lambda t: avb.elbo(t, phi, log_prior, p_data))(theta),
                   **grad(lambda p: avb.elbo(theta, p, log_prior, p_data))(phi)},
                  because="as printed: the left side has no theta-part", claim="ou2018.fn8.ptilde")

    yield mistake(r"-E_{\tilde p q_\phi}[\nabla_\phi V^*_\phi(x,h)]", {"q": -np.tensordot(law, slope_of_V(), 2)},
                  because="the part that is ignored is the part that vanishes")

    yield mistake(r"E_{\tilde p\, p(h)}[\nabla_\phi\log q_\phi(h|x)\, (-V^*(x,h) + \log p_\theta(x|h))]",
                  {"q": np.tensordot(p_data[:, None] * np.exp(log_prior) * (-V + log_likelihood(theta)),
                                     score_phi(phi)["q"], 2)},
                  because="draws of the prior, not of q")


@derivation(avb.stale_case)
def stale_discriminator(theta, phi, V, log_prior, p_data, phi_old):
    """A discriminator left at an older optimum turns the bound into a linear function of q."""
    q, q_old = np.exp(log_q(phi)), np.exp(log_q(phi_old))

    yield start(r"E_{\tilde p q_\phi}[-V^*_{old}(x,h) + \log p_\theta(x|h)]",
                avb.avb_objective(theta, phi, V, p_data))

    yield equals(r"\mathcal L(\theta,\phi) + E_{\tilde p}\, \mathrm{KL}[q_\phi(h|x) \| q_{old}(h|x)]",
                 avb.elbo(theta, phi, log_prior, p_data) + np.sum(p_data * kl(q, q_old)),
                 because="-log q_old = -log q + log (q / q_old)", claim="ou2018.avb.tradeoff")

    yield mistake(r"\mathcal L(\theta,\phi)", avb.elbo(theta, phi, log_prior, p_data),
                  because="equal only while the discriminator is optimal for this phi")

    yield mistake(r"\mathcal L(\theta,\phi) + E_{\tilde p}\, \mathrm{KL}[q_{old}(h|x) \| q_\phi(h|x)]",
                  avb.elbo(theta, phi, log_prior, p_data) + np.sum(p_data * kl(q_old, q)),
                  because="the draws are those of the new q")

    yield at_most(r"E_{\tilde p} \max_h \left[-V^*_{old}(x,h) + \log p_\theta(x|h)\right]",
                  np.sum(p_data * np.max(-V + log_likelihood(theta), axis=1)),
                  because="a mean is at most the largest value: against a frozen psi, the best q is a single point")
