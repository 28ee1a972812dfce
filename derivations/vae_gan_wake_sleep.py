r"""What an autoencoder and an adversarial net have of wake-sleep.

Wake-sleep has two models and two phases: awake, the generative model learns from data that the recognition model has
explained; asleep, the recognition model learns from what the generative model has dreamt. An autoencoder stays awake:
both its models learn from the data, and the recognition model pays for it with a noisy gradient. An adversarial net
stays asleep: with the label as the hidden variable its discriminator is fitted to "dreams" of known label, and the
generator learns on the same pairs. Who moves under each maximum is therefore the whole point, and it is printed
wrongly twice: the sleep phase does not move $\theta$, and the generator's line does not move $\phi$.

The autoencoder's tables have four values of x and three of z; the adversarial net's six of x and two of y.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.adversarial.gan_sleep_phase import discriminator_objective, generator_objective, label_gap
from refdgm.adversarial.vae_wake_phase import (dream_law, inclusive_gap, nets_only, prior_kl, score_decoder, score_eta,
                                               sleep_objective, sleep_step, vae_case, vae_gradients, wake_law,
                                               wake_objective)
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import labels
from refdgm.models.labelled_vae import log_decoder, log_encoder
from refdgm.models.labels import log_generator, log_q, log_q_reversed, optimal_phi, random_case, score_theta
from refdgm.numerics import log_softmax, weighted_sum


@derivation(vae_case)
def autoencoder_awake(theta, eta, p_data, p_z):
    """In theta the autoencoder is the wake phase."""
    yield start(r"\nabla_\theta \mathcal L^{vae}",
                grad(lambda t: wake_objective(t, eta, p_data) - prior_kl(eta, p_data, p_z))(theta),
                claim="lecture12.sec3.4_vae")

    yield equals(r"\mathbb E_{p_{data}(x) q_\eta(z|x)} \nabla_\theta \log p_\theta(x|z)",
                 {"x": weighted_sum(wake_law(eta, p_data), score_decoder(theta))},
                 because="the KL to a fixed prior does not contain theta: the wake phase",
                 claim="lecture12.sec3.4_wake")

    yield mistake(r"\mathbb E_{p_\theta(x, z)} \nabla_\theta \log p_\theta(x|z)",
                  {"x": weighted_sum(dream_law(theta, p_z), score_decoder(theta))},
                  because="on dreamt pairs the score has mean zero: asleep, theta cannot learn like this")

    joint = dream_law(theta, p_z)
    yield mistake(r"\mathbb E_{p_{data}(x) p_\theta(z|x)} \nabla_\theta \log p_\theta(x|z)",
                  {"x": weighted_sum(p_data[:, None] * joint / np.sum(joint, axis=1, keepdims=True),
                                     score_decoder(theta))},
                  because="z from the posterior is EM, and ascends the likelihood itself")


@derivation(vae_case)
def recognition_awake(theta, eta, p_data, p_z):
    """In eta the autoencoder learns from the wake phase's pairs, too, by a score with a learning signal."""
    yield start(r"\nabla_\eta \mathcal L^{vae}",
                grad(lambda e: wake_objective(theta, e, p_data) - prior_kl(e, p_data, p_z))(eta),
                claim="lecture12.sec3.4_vae")

    yield equals(r"\mathbb E_{p_{data}(x) q_\eta(z|x)}\left[\log \frac{p_\theta(x|z) p(z)}{q_\eta(z|x)}\,"
                 r" \nabla_\eta \log q_\eta(z|x)\right]", vae_gradients(theta, eta, p_data, p_z)["eta"],
                 because="a score with a learning signal, on the same pairs as theta",
                 claim="lecture12.sec3.4_vae_wake")

    yield mistake(r"\mathbb E_{p_\theta(x, z)} \nabla_\eta \log q_\eta(z|x)",
                  {"z": weighted_sum(dream_law(theta, p_z), score_eta(eta))}, because="that is the sleep phase",
                  claim="lecture12.sec3.4_sleep")

    yield mistake(r"\mathbb E_{p_{data}(x) q_\eta(z|x)}\left[\log p_\theta(x|z)\, \nabla_\eta \log q_\eta(z|x)\right]",
                  {"z": weighted_sum(wake_law(eta, p_data) * log_decoder(theta), score_eta(eta))},
                  because="the wake objective alone: without the KL the code may be as narrow as it likes")


def exclusive_gap(theta, eta, p_z):
    """E_p(x) KL(q(h|x) || p(h|x))."""
    p, log_q_h = dream_law(theta, p_z), log_encoder(eta)
    p_x = np.sum(p, axis=1, keepdims=True)
    return np.sum(p_x * np.exp(log_q_h) * (log_q_h - np.log(p / p_x)))


@derivation(nets_only)
def who_learns_asleep(theta, eta, p_z):
    """The sleep phase moves the recognition model, towards the posterior."""
    yield start(r"\nabla_\lambda \mathbb E_{p_\theta(x|h) p(h)} \log q_\lambda(h|x)",
                grad(lambda e: sleep_objective(theta, e, p_z))(eta), claim="lecture12.sec3.4_sleep")

    yield equals(r"\mathbb E_{p_\theta(x|h) p(h)} \nabla_\lambda \log q_\lambda(h|x)",
                 sleep_step(theta, eta, p_z)["eta"],
                 because="the pairs are dreamt by the generative model, and do not depend on lambda")

    yield equals(r"-\nabla_\lambda \mathbb E_{p_\theta(x)} \mathrm{KL}(p_\theta(h|x) \| q_\lambda(h|x))",
                 grad(lambda e: -inclusive_gap(theta, e, p_z))(eta),
                 because="the entropy of the posterior does not, either: the sleep phase seeks q = p(h|x)")

    yield mistake(r"-\nabla_\lambda \mathbb E_{p_\theta(x)} \mathrm{KL}(q_\lambda(h|x) \| p_\theta(h|x))",
                  grad(lambda e: -exclusive_gap(theta, e, p_z))(eta),
                  because="the other direction is the autoencoder's, and it needs a learning signal")

    dreamt_x = np.sum(dream_law(theta, p_z), axis=1)[:, None]
    yield mistake(r"\mathbb E_{p_\theta(x) q_\lambda(h|x)} \nabla_\lambda \log q_\lambda(h|x)",
                  {"z": weighted_sum(dreamt_x * np.exp(log_encoder(eta)), score_eta(eta))},
                  because="h must be the one that x was dreamt from: under q the score has mean zero")


@derivation(random_case)
def discriminator_asleep(theta, phi, p_data, p_y):
    """The discriminator's line is the sleep phase, with the label as the hidden variable."""
    yield start(r"\nabla_\phi \mathbb E_{p_\theta(x|y) p(y)} \log q_\phi(y|x)",
                grad(discriminator_objective, 1)(theta, phi, p_data, p_y), claim="lecture12.sec3.4_gan_phi")

    posterior = np.exp(log_q(optimal_phi(theta, p_data, p_y)))
    p_x, D = labels.marginal(theta, p_data, p_y), np.exp(log_q(phi)[1])
    yield equals(r"p_\theta(x)\, (p_\theta(y{=}1|x) - D(x))\quad \text{for each}\ x",
                 {"D": p_x * (posterior[1] - D)},
                 because="the derivative of log q in the logit of D is y - D",
                 claim="lecture12.sec3.1_discriminator_note")

    yield equals(r"-\nabla_\phi \mathbb E_{p_\theta(x)} \mathrm{KL}(p_\theta(y|x) \| q_\phi(y|x))",
                 grad(label_gap, 1)(theta, phi, p_data, p_y),
                 because="as for any sleep phase: it seeks the posterior of what was hidden")

    yield mistake(r"\nabla_\phi \mathbb E_{p_\theta(x|y) p(y)} \log q^r_\phi(y|x)",
                  grad(generator_objective, 1)(theta, phi, p_data, p_y),
                  because="with the labels exchanged: the second line, as printed with a maximum over phi",
                  claim="lecture12.sec3.4_gan_theta")

    yield mistake(r"\mathbb E_{p_{data}(x)} \nabla_\phi \log q_\phi(1|x)", {"D": p_data * (1 - D)},
                  because="of real images alone the discriminator learns only to say yes")


@derivation(random_case)
def the_printed_maximum(theta, phi, p_data, p_y):
    """Maximised over phi, as printed, the generator's line has the wrong labels as its optimum."""
    best = optimal_phi(theta, p_data, p_y)
    labels_exchanged = {"D": -best["D"]}
    size = float(np.max(labels.marginal(theta, p_data, p_y)))

    yield start(r"\nabla_\phi \mathbb E_{p_\theta(x|y) p(y)} \log q^r_\phi(y|x)"
                r"\ \text{at}\ q_\phi(y|x) = p_\theta(1-y|x)",
                grad(generator_objective, 1)(theta, labels_exchanged, p_data, p_y))

    yield equals(r"0", {"D": 0 * phi["D"]}, scale=size,
                 because="q^r is then the posterior of the label, and the discriminator calls real what was generated",
                 claim="lecture12.sec3.4_gan_theta")

    yield mistake(r"\nabla_\phi \mathbb E_{p_\theta(x|y) p(y)} \log q^r_\phi(y|x)"
                  r"\ \text{at}\ q_\phi(y|x) = p_\theta(y|x)",
                  grad(generator_objective, 1)(theta, best, p_data, p_y), scale=size,
                  because="where the first line has its optimum the printed second one has a slope: they work against "
                          "each other")

    both = grad(lambda f: discriminator_objective(theta, f, p_data, p_y) + generator_objective(theta, f, p_data, p_y))
    yield equals(r"\nabla_\phi\left(\mathcal L_\phi + \mathcal L_\theta\right)\ \text{at}\ D = \tfrac12",
                 both({"D": 0 * phi["D"]}), scale=size,
                 because="together they settle on a discriminator that knows nothing")

    yield mistake(r"\nabla_\phi\left(\mathcal L_\phi + \mathcal L_\theta\right)\ \text{at}\ D = D^*", both(best),
                  scale=size, because="and not on the best one")


@derivation(random_case)
def generator_asleep(theta, phi, p_data, p_y):
    """The generator's line moves the generative model on the sleep phase's pairs."""
    yield start(r"\nabla_\theta \mathbb E_{p_\theta(x|y) p(y)} \log q^r_\phi(y|x)",
                grad(generator_objective)(theta, phi, p_data, p_y), claim="lecture12.sec3.4_gan_theta")

    p_g = np.exp(log_generator(theta))
    yield equals(r"p(y{=}0)\, \mathbb E_{p_g(x)}\left[\log D(x)\, \nabla_\theta \log p_g(x)\right]",
                 weighted_sum(p_y[0] * p_g * log_q_reversed(phi)[0], score_theta(theta)),
                 because="the law of the pairs depends on theta: a score with log D as its learning signal",
                 claim="lecture12.sec3.4_gan_wake")

    yield mistake(r"-\nabla_\theta \mathbb E_{p_\theta(x|y) p(y)} \log q_\phi(y|x)",
                  {"x": -grad(discriminator_objective)(theta, phi, p_data, p_y)["x"]},
                  because="the saturating game: log(1 - D) descended, a different reward")

    yield mistake(r"\mathbb E_{p_{data}(x) q_\phi(y|x)} \nabla_\theta \log p_\theta(x|y)",
                  weighted_sum(p_data * np.exp(log_q(phi)[0]), score_theta(theta)),
                  because="the wake phase: the generator explains real images, which needs its density")

    yield mistake(r"\mathbb E_{p_{data}(x)} \nabla_\theta \log p_g(x)",
                  grad(lambda t: np.dot(p_data, log_softmax(t["x"])))(theta), because="maximum likelihood")
