r"""What each phase of the Helmholtz machine does, in the notation of the lecture: F for waking, F' for dreaming.

The wake phase descends the free energy $F = -\mathcal L$ in $\theta$, with the recognition net held fixed. The sleep
phase descends $F^\prime$, in which the KL divergence is reversed, in $\phi$, with the model held fixed. The two are not
one function, and $F^\prime$ gives the sleep phase's update only where x is dreamt by the model. The notes print a third
objective for the sleep phase, $\mathbb E_q[\log p(x, z)]$: the last derivation shows where that one leads.

Model and recognition net are tables over four values of x and three of z.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import helmholtz
from refdgm.models.tables import (log_joint, log_marginal, log_posterior, log_q, random_case, score_phi, score_theta)
from refdgm.numerics import entropy, weighted_sum

MEAN_Q = r"\mathbb E_{\tilde p(x)q_\phi(z|x)}"


@derivation(random_case)
def wake(theta, phi, p_data):
    """Waking descends the free energy in theta: the mean score of the joint under q."""
    r, law = log_q(phi), p_data[:, None] * np.exp(log_q(phi))

    yield start(r"-\nabla_\theta \mathbb E_{\tilde p(x)}[F(\theta, \phi; x)]",
                grad(lambda t: -helmholtz.free_energy(t, r, p_data))(theta), claim="lecture12.sec2.2.1_wakeF")

    yield equals(r"\nabla_\theta " + MEAN_Q + r"[\log p_\theta(x, z) - \log q_\phi(z|x)]",
                 grad(helmholtz.bound)(theta, r, p_data), because="F = -L", claim="lecture12.sec2.1_free_energy")

    yield equals(MEAN_Q + r"[\nabla_\theta \log p_\theta(x, z)]", helmholtz.wake_step(theta, r, p_data),
                 because="neither the samples nor log q depend on theta", claim="lecture12.sec2.2.1_wake")

    evidence = grad(lambda t: np.sum(p_data * log_marginal(t)))(theta)["joint"]
    of_posterior = grad(lambda t: np.sum(law * log_posterior(t)))(theta)["joint"]
    yield equals(r"\mathbb E_{\tilde p(x)}[\nabla_\theta \log p_\theta(x)] + " + MEAN_Q
                 + r"[\nabla_\theta \log p_\theta(z|x)]", {"joint": evidence + of_posterior},
                 because="p(x, z) = p(x) p(z|x)", claim="lecture12.sec2.1_joint")

    yield mistake(MEAN_Q + r"[\nabla_\theta \log p_\theta(z|x)]", {"joint": of_posterior},
                  because="the posterior trained in place of the model: the evidence is lost",
                  claim="lecture12.sec2.2.1_target")

    yield mistake(r"\mathbb E_{\tilde p(x)}[\nabla_\theta \log p_\theta(x)]", {"joint": evidence},
                  because="the likelihood's own gradient: the second term vanishes only where q is the posterior",
                  claim="lecture12.sec2.2_ws")


@derivation(random_case)
def sleep(theta, phi, p_data):
    """Dreaming descends F' in phi: the mean score of q on the model's own pairs."""
    p_x, pairs = np.exp(log_marginal(theta)), np.exp(log_joint(theta))

    yield start(r"-\nabla_\phi \mathbb E_{p_\theta(x)}[F^\prime(\theta, \phi; x)]",
                grad(lambda f: -helmholtz.reversed_free_energy(theta, log_q(f), p_x))(phi),
                claim="lecture12.sec2.2.2_Fprime")

    yield equals(r"\nabla_\phi \mathbb E_{p_\theta(x, z)}[\log q_\phi(z|x)]",
                 grad(lambda f: np.sum(pairs * log_q(f)))(phi),
                 because="only log q depends on phi, and p(x) p(z|x) = p(x, z)", claim="lecture12.sec2.2.2_sleep")

    yield equals(r"\mathbb E_{p_\theta(x, z)}[\nabla_\phi \log q_\phi(z|x)]", helmholtz.sleep_step(theta, phi),
                 because="the pairs do not depend on phi: there is no log-derivative trick and no learning signal")

    yield mistake(r"-\nabla_\phi \mathbb E_{\tilde p(x)}[F^\prime(\theta, \phi; x)]",
                  grad(lambda f: -helmholtz.reversed_free_energy(theta, log_q(f), p_data))(phi),
                  because="at observed x the pairs need z from the posterior", claim="lecture12.sec2.2.2_Fprime")

    yield mistake(r"-\nabla_\phi \mathbb E_{p_\theta(x)}[F(\theta, \phi; x)]",
                  grad(lambda f: -helmholtz.free_energy(theta, log_q(f), p_x))(phi),
                  because="F is not F': the other direction of the KL", claim="lecture12.sec2.2.2_estep")

    yield mistake(r"\nabla_\phi \mathbb E_{p_\theta(x)q_\phi(z|x)}[\log p_\theta(x, z)]",
                  grad(lambda f: np.sum(p_x[:, None] * np.exp(log_q(f)) * log_joint(theta)))(phi),
                  because="the printed objective: no KL in either direction", claim="lecture12.sec2.2.2_sleep")


@derivation(random_case)
def printed_objective(theta, phi, p_data):
    """The objective printed for the sleep phase is the bound less an entropy, and is largest for a point mass."""
    law = p_data[:, None] * np.exp(log_q(phi))
    yield start(MEAN_Q + r"[\log p_\theta(x, z)]", np.sum(law * log_joint(theta)), claim="lecture12.sec2.2.2_sleep")

    conditional_entropy = np.sum(p_data * entropy(np.exp(log_q(phi))))
    yield equals(r"\mathbb E_{\tilde p(x)}\left[\mathcal L(x) - \mathrm H[q_\phi(z|x)]\right]",
                 helmholtz.bound(theta, log_q(phi), p_data) - conditional_entropy,
                 because="the bound is a mean log joint plus the entropy of q", claim="lecture12.sec2.1_free_energy")

    yield mistake(r"\mathbb E_{\tilde p(x)}[\mathcal L(x)]", helmholtz.bound(theta, log_q(phi), p_data),
                  because="the E-step's objective, with the entropy of q")

    yield at_most(r"\mathbb E_{\tilde p(x)}\left[\max_z \log p_\theta(x, z)\right]",
                  np.sum(p_data * np.max(log_joint(theta), axis=1)),
                  because="a mean is at most the maximum: the best q is all on the likeliest z",
                  claim="lecture12.sec2.2.2_sleep")

    yield mistake(r"\mathbb E_{\tilde p(x)}[\log p_\theta(x)]", np.sum(p_data * log_marginal(theta)),
                  because="the posterior is best for the bound, whose maximum is the log evidence",
                  claim="lecture12.sec2.1_bound")


@derivation(random_case)
def trick(theta, phi, p_data):
    """The log-derivative trick is needed where phi is in the law of the samples: for the bound, not for F'."""
    law, signal = p_data[:, None] * np.exp(log_q(phi)), log_joint(theta)

    yield start(r"\nabla_\phi " + MEAN_Q + r"[\log p_\theta(x, z)]",
                grad(lambda f: np.sum(p_data[:, None] * np.exp(log_q(f)) * signal))(phi),
                claim="lecture12.sec2.2.2_logderiv")

    yield equals(MEAN_Q + r"[\log p_\theta(x, z)\,\nabla_\phi \log q_\phi(z|x)]",
                 weighted_sum(law * signal, score_phi(phi)), because="dq = q dlog q",
                 claim="lecture12.sec2.2.2_logderiv")

    yield equals(MEAN_Q + r"[(\log p_\theta(x, z) - c(x))\,\nabla_\phi \log q_\phi(z|x)]",
                 weighted_sum(law * (signal - np.max(signal, axis=1, keepdims=True)), score_phi(phi)),
                 because="the score has mean zero, so that any c(x) may be subtracted; the variance depends on it",
                 claim="lecture12.sec2.3_highvar")

    yield mistake(MEAN_Q + r"[\nabla_\phi \log q_\phi(z|x)]", weighted_sum(law, score_phi(phi)),
                  because="without the signal nothing is left")

    yield mistake(MEAN_Q + r"\left[\log\frac{p_\theta(x, z)}{q_\phi(z|x)}\,\nabla_\phi \log q_\phi(z|x)\right]",
                  weighted_sum(law * (signal - log_q(phi)), score_phi(phi)),
                  because="the gradient of the bound itself: log q is no constant in z")

    yield mistake(MEAN_Q + r"[\nabla_\theta \log p_\theta(x, z)]",
                  {"q": weighted_sum(law, score_theta(theta))["joint"]}, because="the wake phase's gradient, in theta")
