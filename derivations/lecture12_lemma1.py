r"""Lemma 1: what the generator of a GAN descends, by Bayes' rule.

The generator ascends the expected log of the reversed discriminator $q^r(y|x) = q(1-y|x)$ over pairs of an image and
its label. Read $q^r(y|x)$ as a likelihood, and the present marginal $p_{\theta_0}(x)$ as a prior: then there is a
posterior $q^r(x|y)$ over images, and the loss becomes a divergence from the generator to that posterior. Two terms are
left. One is the Jensen-Shannon divergence between generated and real images, with a minus sign: the step also pushes
the two apart, which is easily forgotten. The other, $\mathrm{KL}(p_\theta(x) \| p_{\theta_0}(x))$, is zero and flat at
$\theta_0$: this is why the lemma is about one step, and not about the whole course of learning.

Images take six values, and the generator is a softmax over them: every line is a finite sum.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.adversarial.lemma1 import (away_from_reference, generator_loss, kl_less_js, kl_less_weighted_js, left_out,
                                       mixture_kl, optimal_reference, uniform_at_reference)
from refdgm.derivation import approaches, at_least, derivation, equals, mistake, start
from refdgm.divergences import js
from refdgm.models.labels import (UNIFORM, average_kl, class_laws, log_generator, log_q, log_q_reversed, marginal,
                                  optimal_phi, score_theta, target)
from refdgm.numerics import kl, weighted_sum


@derivation(uniform_at_reference)
def at_the_reference(theta, theta0, phi, p_data, p_y):
    """At theta0 the generator's gradient is that of a KL divergence, less a Jensen-Shannon divergence."""
    q_x = target(theta0, phi, p_data, p_y)

    def of_kl(t): return average_kl(t, q_x, p_data, p_y)
    def of_js(t): return js(*class_laws(t, p_data))

    yield start(r"-\nabla_\theta \mathbb E_{p_\theta(x|y) p(y)} \log q^r(y|x) \big|_{\theta_0}",
                grad(generator_loss)(theta, phi, p_data, p_y), claim="lecture12.sec3.1_Ltheta")

    yield equals(r"-\tfrac12 \mathbb E_{p_g(x)}\left[\log D(x)\, \nabla_\theta \log p_g(x)\right]",
                 weighted_sum(-np.exp(log_generator(theta)) * log_q_reversed(phi)[0] / 2, score_theta(theta)),
                 because="only y = 0 depends on theta, and q^r(0|x) = D(x)")

    log_ratio = np.log(q_x / marginal(theta0, p_data, p_y))
    yield equals(r"-\nabla_\theta \mathbb E_{p_\theta(x|y) p(y)} \log \frac{q^r(x|y)}{p_{\theta_0}(x)}",
                 grad(lambda t: -np.sum(p_y[:, None] * class_laws(t, p_data) * log_ratio))(theta),
                 because="Bayes: log q^r(y|x) = log q^r(x|y) - log p_theta0(x) + log q^r(y), the last constant in x",
                 claim="lecture12.sec3.2_posterior")

    mixture = np.stack(2 * [marginal(theta0, p_data, p_y)])
    yield equals(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))"
                 r" - \mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| p_{\theta_0}(x))\right)",
                 grad(lambda t: of_kl(t) - average_kl(t, mixture, p_data, p_y))(theta),
                 because="log p_theta(x|y) is added and subtracted")

    yield equals(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))"
                 r" - \mathrm{JSD}(p_\theta(x|0) \| p_\theta(x|1))\right)",
                 grad(kl_less_js)(theta, theta0, phi, p_data),
                 because="p_theta for p_theta0 changes the value by KL(p_theta(x) || p_theta0(x)), which is flat there",
                 claim="lecture12.lemma1")

    yield mistake(r"\nabla_\theta \mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))", grad(of_kl)(theta),
                  because="the JSD is not constant: a GAN is not the minimisation of this KL alone")

    yield mistake(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y)) + \mathrm{JSD}\right)",
                  grad(lambda t: of_kl(t) + of_js(t))(theta), because="it is subtracted")

    yield mistake(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q(x|y)) - \mathrm{JSD}\right)",
                  grad(lambda t: average_kl(t, _posterior_of(log_q(phi), theta0, p_data, p_y), p_data, p_y)
                       - of_js(t))(theta), because="the discriminator must be reversed")

    yield mistake(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r_\theta(x|y))"
                  r" - \mathrm{JSD}\right)",
                  grad(lambda t: kl_less_js(t, t, phi, p_data))(theta),
                  because="the prior of q^r(x|y) stays at theta0, although the generator moves",
                  claim="lecture12.lemma1_theta0")


def _posterior_of(log_likelihood, theta0, p_data, p_y):
    r = np.exp(log_likelihood) * marginal(theta0, p_data, p_y)
    return r / np.sum(r, axis=1, keepdims=True)


@derivation(away_from_reference)
def away_from_the_reference(theta, theta0, phi, p_data, p_y):
    """Away from theta0 the two sides of Lemma 1 differ by a divergence from the reference."""
    at0 = -np.dot(p_y, np.log(np.dot(np.exp(log_q_reversed(phi)), marginal(theta0, p_data, p_y))))

    yield start(r"-\mathbb E_{p_\theta(x|y) p(y)} \log q^r(y|x)", generator_loss(theta, phi, p_data, p_y))

    yield equals(r"\mathbb E_{p(y)}\left[\mathrm{KL}(p_\theta(x|y) \| q^r(x|y))"
                 r" - \mathrm{KL}(p_\theta(x|y) \| p_{\theta_0}(x)) - \log q^r(y)\right]",
                 average_kl(theta, target(theta0, phi, p_data, p_y), p_data, p_y)
                 - np.dot(p_y, kl(class_laws(theta, p_data), np.stack(2 * [marginal(theta0, p_data, p_y)]))) + at0,
                 because="Bayes, with q^r(y) = E_p_theta0(x) q^r(y|x)", claim="lecture12.sec3.2_ptheta0")

    yield equals(r"\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y)) - \mathrm{JSD}_{p(y)}"
                 r" - \mathrm{KL}(p_\theta(x) \| p_{\theta_0}(x)) - \mathbb E_{p(y)} \log q^r(y)",
                 kl_less_weighted_js(theta, theta0, phi, p_data, p_y) - left_out(theta, theta0, p_data, p_y) + at0,
                 because="the mean KL to p_theta0(x) is that to p_theta(x), the JSD, plus one between the two",
                 claim="lecture12.lemma1_py")

    yield mistake(r"\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y)) - \mathrm{JSD}_{p(y)}"
                  r" - \mathbb E_{p(y)} \log q^r(y)",
                  kl_less_weighted_js(theta, theta0, phi, p_data, p_y) + at0,
                  because="Lemma 1 at a theta that is not theta0", claim="lecture12.lemma1_theta0")

    yield mistake(r"\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y)) - \mathrm{JSD}"
                  r" - \mathrm{KL}(p_\theta(x) \| p_{\theta_0}(x)) - \mathbb E_{p(y)} \log q^r(y)",
                  kl_less_js(theta, theta0, phi, p_data, p_y) - left_out(theta, theta0, p_data, p_y) + at0,
                  because="the standard JSD has weights 1/2, and p(y) is not uniform here")


@derivation(away_from_reference)
def on_the_way_to_the_reference(theta, theta0, phi, p_data, p_y):
    """As theta approaches theta0 the gradients of both sides of Lemma 1 become equal."""
    yield start(r"-\nabla_\theta \mathbb E_{p_\theta(x|y) p(y)} \log q^r(y|x) \big|_{\theta_0}",
                grad(generator_loss)(theta0, phi, p_data, p_y))

    def right_side(t):
        at = {"x": theta0["x"] + t * (theta["x"] - theta0["x"])}
        return grad(kl_less_weighted_js)(at, theta0, phi, p_data, p_y)

    yield approaches(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))"
                     r" - \mathrm{JSD}_{p(y)}\right)\big|_{\theta_0 + t(\theta - \theta_0)},\ t \to 0",
                     [right_side(t) for t in (1.0, 1e-3, 1e-6, 1e-10)],
                     because="what is left out has a minimum at theta0", claim="lecture12.lemma1_theta0")

    yield mistake(r"\nabla_\theta\left(\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))"
                  r" - \mathrm{JSD}_{p(y)}\right)\big|_{\theta}", right_side(1.0),
                  because="one step of the lemma does not license the next: the target must be built anew")


@derivation(optimal_reference)
def with_the_optimal_discriminator(theta, theta0, p_data):
    """For the optimal discriminator the step descends the KL divergence from the half mixture to the data."""
    phi = optimal_phi(theta0, p_data, UNIFORM)

    def of(objective):
        return grad(lambda t: objective(np.exp(log_generator(t))))(theta)

    yield start(r"-\nabla_\theta \tfrac12 \mathbb E_{p_g(x)} \log D^*_{\theta_0}(x) \big|_{\theta_0}",
                grad(generator_loss)(theta, phi, p_data, UNIFORM))

    yield equals(r"\nabla_\theta\left(\tfrac12 \mathrm{KL}(p_g \| q^r(x|0)) - \mathrm{JSD}(p_g \| p_{data})\right)",
                 of(lambda p: kl(p, target(theta0, phi, p_data, UNIFORM)[0]) / 2 - js(p, p_data)),
                 because="Lemma 1, without its constant", claim="lecture12.sec3.2_const")

    yield equals(r"\nabla_\theta\left(\tfrac12 \mathrm{KL}(p_g \| p_{data}) - \mathrm{JSD}(p_g \| p_{data})\right)",
                 of(lambda p: kl(p, p_data) / 2 - js(p, p_data)),
                 because="the posterior given y = 0 is the data law", claim="lecture12.sec3.2_drive")

    yield equals(r"\nabla_\theta \mathrm{KL}\left(\tfrac12 (p_g + p_{data}) \,\|\, p_{data}\right)",
                 grad(mixture_kl)(theta, p_data), because="log p_g cancels, and the means make up that of the mixture",
                 claim="lecture12.lemma1_optimalD")

    yield mistake(r"\nabla_\theta \mathrm{JSD}(p_g \| p_{data})", of(lambda p: js(p, p_data)),
                  because="that is what the saturating loss, log(1 - D), descends")

    yield mistake(r"\nabla_\theta \mathrm{KL}(p_g \| p_{data})", of(lambda p: kl(p, p_data)),
                  because="twice the first term, and the JSD is forgotten")


@derivation(optimal_reference)
def never_negative(theta, theta0, p_data):
    """Half the KL divergence from generator to data is never below their Jensen-Shannon divergence."""
    p_g = np.exp(log_generator(theta))
    yield start(r"\tfrac12 \mathrm{KL}(p_g \| p_{data}) - \mathrm{JSD}(p_g \| p_{data})",
                kl(p_g, p_data) / 2 - js(p_g, p_data))

    m = (p_g + p_data) / 2
    yield equals(r"\tfrac12 \mathbb E_{p_g} \log \frac{m}{p_{data}}"
                 r" + \tfrac12 \mathbb E_{p_{data}} \log \frac{m}{p_{data}},\quad m = \tfrac12 (p_g + p_{data})",
                 np.dot(p_g, np.log(m / p_data)) / 2 + np.dot(p_data, np.log(m / p_data)) / 2,
                 because="log p_g occurs in both, and cancels")

    yield equals(r"\mathrm{KL}(m \,\|\, p_{data})", mixture_kl(theta, p_data), because="the two halves make up m",
                 claim="lecture12.lemma1_optimalD")

    yield mistake(r"\mathrm{KL}(p_{data} \,\|\, m)", kl(p_data, m), because="the mixture stands on the left")

    yield mistake(r"\tfrac12 \mathrm{KL}(p_g \| m)", kl(p_g, m) / 2, because="the data's half is not constant, either")

    yield at_least(r"0", np.array(0.0),
                   because="a KL divergence: the minus sign does no harm where the discriminator is optimal")
