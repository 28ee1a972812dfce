r"""Lemma 2: the autoencoder's objective, written over labelled examples.

To compare an autoencoder with a GAN the notes give each example x a label, real or generated, and let a perfect
discriminator, reversed, choose who explains it: a real x is given to the autoencoder, y = 0, and a generated one to
the law of the data, y = 1, where there is nothing to learn. So half of the objective is the autoencoder's, and the
other half is constant. The constant is left out in print. More is left out in the second line: a bound on the log
evidence becomes minus its gap, without the evidence. Its gradient would be right only if the gradient of the evidence
were zero, and on average under the model's own law at $\theta_0$ it is: a score has mean zero.

Nothing in the proof needs the discriminator to be perfect. The optimal one will do, which sees x alone.

The decoder, the encoder and the data are tables over four values of x and three of z: every line is a finite sum.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.adversarial.lemma2 import constant, gradients, line_1, line_2, log_evidence, moved_case
from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models.labelled_vae import (GENERATED, REAL, class_laws, encoders, evidence_less_gap, generated_law,
                                        inference_law, log_likelihood, optimal_reversed, over_labelled,
                                        perfect_reversed, posterior, prior, random_case, vae_objective)
from refdgm.numerics import kl


def explained(theta, eta, p_data, fixed):
    """E_q(z|x,y) log p(x|z, y) - KL(q(z|x, y) || p(z|y)): the bound of each part of the model.  -> (X, 2)"""
    q = encoders(eta, fixed)
    p_z = fixed["p_z"] + np.zeros(np.shape(fixed["q_1"]))[:, None]
    return np.sum(q * log_likelihood(theta, p_data), axis=2) - kl(q, p_z)


@derivation(moved_case)
def first_line(theta, eta, theta0, p_data, fixed):
    """The objective over labelled examples is the autoencoder's, up to a constant."""
    laws, bounds = class_laws(theta0, p_data, fixed), explained(theta, eta, p_data, fixed)

    yield start(r"2\, \mathbb E_{p_{\theta_0}(x)}\left[\mathbb E_{q_\eta(z|x,y) q^{r*}(y|x)} \log p_\theta(x|z,y)"
                r" - \mathrm{KL}(q_\eta(z|x,y)\, q^{r*}(y|x) \| p(z|y) p(y))\right]",
                line_1(theta, eta, theta0, p_data, fixed))

    yield equals(r"\sum_c \mathbb E_{p_{\theta_0}(x|c)}\left[\mathbb E_{q_\eta(z|x,1-c)} \log p_\theta(x|z,1-c)"
                 r" - \mathrm{KL}(q_\eta(z|x,1-c) \| p(z|1-c)) - \log 2\right]",
                 sum(np.dot(laws[c], bounds[:, 1 - c] - np.log(2)) for c in (GENERATED, REAL)),
                 because="half of the examples have label c, and q^r* explains them with y = 1 - c, where p(y) = 1/2")

    yield equals(r"\mathcal L^{vae} + \mathbb E_{p_{\theta_0}(x|0)}\left[\log p_{data}(x)"
                 r" - \mathrm{KL}(q(z|x,1) \| p(z|1))\right] - 2 \log 2",
                 vae_objective(theta, eta, p_data, fixed) - constant(theta0, p_data, fixed),
                 because="the real examples make up the autoencoder's objective", claim="lecture12.lemma2_line1")

    yield mistake(r"\mathcal L^{vae}", vae_objective(theta, eta, p_data, fixed),
                  because="the generated examples cost something, though nothing can be learnt from them")

    yield mistake(r"\mathcal L^{vae} - 2 \log 2", vae_objective(theta, eta, p_data, fixed) - 2 * np.log(2),
                  because="that is the cost of the labels alone")


@derivation(moved_case)
def gradient_of_the_first_line(theta, eta, theta0, p_data, fixed):
    """With a perfect discriminator, or with the optimal one, the first line has the autoencoder's gradients."""
    case = {"theta": theta, "eta": eta, "theta0": theta0, "p_data": p_data, "fixed": fixed}

    def of_real_part(t, e):
        return np.dot(p_data, explained(t, e, p_data, fixed)[:, 0])

    yield start(r"\nabla_{\theta,\eta} \mathcal L^{vae}",
                grad(lambda m: evidence_less_gap(m["theta"], m["eta"], p_data, fixed))({"theta": theta, "eta": eta}))

    yield equals(r"\nabla_{\theta,\eta}\, \mathbb E_{p_{data}(x)}\left[\mathbb E_{q_\eta(z|x,0)} \log p_\theta(x|z,0)"
                 r" - \mathrm{KL}(q_\eta(z|x,0) \| p(z|0))\right]",
                 grad(lambda m: of_real_part(m["theta"], m["eta"]))({"theta": theta, "eta": eta}),
                 because="evidence less gap is reconstruction less the KL to the prior", claim="lecture12.sec3.3_vae")

    yield equals(r"\nabla_{\theta,\eta}\, 2\, \mathbb E_{p_{\theta_0}(x)}[\ldots]\ \text{with the perfect}\ q^{r*}",
                 gradients(line_1)(**case), because="what the generated examples add is constant",
                 claim="lecture12.lemma2_line1")

    yield equals(r"\nabla_{\theta,\eta}\, 2\, \mathbb E_{p_{\theta_0}(x)}[\ldots]\ \text{with the optimal}\ q^r,"
                 r"\ q^r(0|x) = \frac{p_{data}(x)}{p_{data}(x) + p_{g_0}(x)}",
                 gradients(lambda **c: line_1(**c, reversed_law=optimal_reversed))(**case),
                 because="2 p_theta0(x) q^r(0|x) = p_data(x): y = 0 explains as much of x as is real",
                 claim="lecture12.sec3.3_perfect")

    yield mistake(r"\nabla_{\theta,\eta}\, 2\, \mathbb E_{p_{\theta_0}(x)}[\ldots]\ \text{with}\ q^*"
                  r"\ \text{not reversed}",
                  gradients(lambda **c: line_1(**c, reversed_law=lambda *a: perfect_reversed(*a)[:, ::-1]))(**case),
                  because="then the autoencoder learns from generated examples, and the data from the real ones")

    yield mistake(r"\nabla_{\theta,\eta}\, 2\, \mathbb E_{p_{\theta_0}(x)}[\ldots]\ \text{with}\ q^r(y|x) = \tfrac12",
                  gradients(lambda **c: line_1(**c, reversed_law=lambda *a: np.full((len(p_data), 2), 0.5)))(**case),
                  because="half of what y = 0 explains would then be generated")


@derivation(moved_case)
def second_line(theta, eta, theta0, p_data, fixed):
    """The second line is the first without the log evidence."""
    p_x = np.sum(np.exp(log_likelihood(theta, p_data)) * prior(fixed), axis=(1, 2))
    p_zy = posterior(theta, p_data, fixed)

    def gap(c):
        return kl(inference_law(c, eta, theta0, p_data, fixed), p_zy, axis=(1, 2))

    yield start(r"2\, \mathbb E_{p_{\theta_0}(x)}\left[\mathbb E_{q_\eta(z|x,y) q^{r*}(y|x)} \log p_\theta(x|z,y)"
                r" - \mathrm{KL}(q_\eta(z|x,y)\, q^{r*}(y|x) \| p(z|y) p(y))\right]",
                line_1(theta, eta, theta0, p_data, fixed), claim="lecture12.lemma2_line1")

    yield equals(r"2\, \mathbb E_{p_{\theta_0}(x)}\left[\log p_\theta(x)"
                 r" - \mathrm{KL}(q_\eta(z|x,y)\, q^{r*}(y|x) \| p_\theta(z,y|x))\right]",
                 over_labelled(theta0, p_data, fixed, lambda c: np.log(p_x) - gap(c)),
                 because="Bayes: p_theta(x|z,y) p(z|y) p(y) = p_theta(z,y|x) p_theta(x)",
                 claim="lecture12.lemma2_line2")

    yield mistake(r"2\, \mathbb E_{p_{\theta_0}(x)}\left[-\mathrm{KL}(q_\eta(z|x,y)\, q^{r*}(y|x)"
                  r" \| p_\theta(z,y|x))\right]", line_2(theta, eta, theta0, p_data, fixed),
                  because="as printed: the evidence is dropped, and theta occurs in it")

    yield mistake(r"2\, \mathbb E_{p_{\theta_0}(x)}\left[\log p_\theta(x)"
                  r" - \mathrm{KL}(p_\theta(z,y|x) \| q_\eta(z|x,y)\, q^r(y|x))\right]",
                  over_labelled(theta0, p_data, fixed, lambda c: np.log(p_x) - kl(
                      p_zy, inference_law(c, eta, theta0, p_data, fixed, optimal_reversed), axis=(1, 2))),
                  because="the other direction; with the perfect discriminator it would even be infinite")


@derivation(random_case)
def second_line_at_the_reference(theta, eta, p_data, fixed):
    """At theta0 the second line has the autoencoder's gradient, since the mean of a score is zero."""
    yield start(r"\nabla_\theta \mathcal L^{vae} \big|_{\theta_0}", grad(vae_objective)(theta, eta, p_data, fixed))

    def evidence(t):
        return log_evidence(t, theta, p_data, fixed)

    of_gap = grad(lambda t: line_2(t, eta, theta, p_data, fixed))(theta)
    yield equals(r"\nabla_\theta\, 2\, \mathbb E_{p_{\theta_0}(x)}\left[\log p_\theta(x)"
                 r" - \mathrm{KL}(q \| p_\theta(z,y|x))\right] \big|_{\theta_0}",
                 {"x": grad(evidence)(theta)["x"] + of_gap["x"]},
                 because="the second line with its evidence", claim="lecture12.lemma2_line2")

    yield equals(r"-\nabla_\theta\, 2\, \mathbb E_{p_{\theta_0}(x)} \mathrm{KL}(q \| p_\theta(z,y|x)) \big|_{\theta_0}",
                 of_gap, because="the score of p_theta has mean zero under p_theta0 = p_theta",
                 claim="lecture12.sec3.5_opposite")

    elsewhere = {"x": theta["x"][::-1]}
    yield mistake(r"-\nabla_\theta\, 2\, \mathbb E_{p_{\theta_1}(x)} \mathrm{KL}(q \| p_\theta(z,y|x))"
                  r"\big|_{\theta_0},\ \theta_1 \neq \theta_0",
                  grad(lambda t: line_2(t, eta, elsewhere, p_data, fixed))(theta),
                  because="generated examples of another generator: the mean of the score is not zero",
                  claim="lecture12.lemma2_line2")

    yield mistake(r"\nabla_\theta\, \mathbb E_{p_{data}(x)} \log p_\theta(x|0) \big|_{\theta_0}",
                  grad(lambda t: np.dot(p_data, np.log(generated_law(t, fixed))))(theta),
                  because="the likelihood of the data: the autoencoder ascends a bound on it")
