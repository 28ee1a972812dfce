r"""The posterior over images that a discriminator implies, and what the generator is to it.

In variational inference a law $q(z|x)$ stands in for the posterior $p(z|x)$, and $\mathrm{KL}(q \| p)$ is the gap of a
bound. In a GAN the roles are: the label y is observed, the image x is what is inferred, $p_{\theta_0}(x)$ is the prior,
$q^r(y|x)$ the likelihood, and the generator $p_\theta(x|y)$ the variational law. The KL divergence that is driven down
therefore has the generator on the left. Its minimum is the posterior $q^r(x|0)$, and whether that is the law of the
data depends on the discriminator alone.

Images take six values, so that every expectation is a sum.
"""
import autograd.numpy as np

from refdgm.adversarial.generator_target import any_discriminator, calibrated_phi, moved_case
from refdgm.derivation import approaches, at_most, derivation, equals, mistake, start
from refdgm.models.labels import (UNIFORM, class_laws, log_generator, log_q, log_q_reversed, marginal, optimal_case,
                                  optimal_phi, target)
from refdgm.numerics import kl


@derivation(moved_case)
def generator_as_variational_law(theta, theta0, phi, p_data, p_y):
    """The generator is to the label what a recognition model is to an image: a variational law."""
    p_g, prior = np.exp(log_generator(theta)), marginal(theta0, p_data, p_y)
    likelihood = np.exp(log_q_reversed(phi)[0])
    evidence = np.log(np.dot(prior, likelihood))
    posterior = target(theta0, phi, p_data, p_y)[0]

    yield start(r"\mathbb E_{p_g(x)} \log q^r(y{=}0|x) - \mathrm{KL}(p_g(x) \| p_{\theta_0}(x))",
                np.dot(p_g, np.log(likelihood)) - kl(p_g, prior),
                because="reconstruction of the label, less the KL to the prior")

    yield equals(r"\mathbb E_{p_g(x)} \log \frac{q^r(y{=}0|x)\, p_{\theta_0}(x)}{p_g(x)}",
                 np.dot(p_g, np.log(likelihood * prior / p_g)), because="one expectation, one logarithm")

    yield equals(r"\log q^r(y{=}0) - \mathrm{KL}(p_g(x) \| q^r(x|y{=}0)),"
                 r"\quad q^r(y) = \mathbb E_{p_{\theta_0}(x)} q^r(y|x)",
                 evidence - kl(p_g, posterior), because="Bayes", claim="lecture12.sec3.2_posterior")

    yield mistake(r"\log q^r(y{=}0) - \mathrm{KL}(q^r(x|y{=}0) \| p_g(x))", evidence - kl(posterior, p_g),
                  because="the law of the expectation stands on the left: the generator's",
                  claim="lecture12.sec3.3_sides")

    swapped = np.exp(log_q(phi)[0]) * prior
    yield mistake(r"\log q(y{=}0) - \mathrm{KL}(p_g(x) \| q(x|y{=}0))",
                  np.log(np.sum(swapped)) - kl(p_g, swapped / np.sum(swapped)),
                  because="the discriminator must be reversed: a fake is to be explained as real")

    yield at_most(r"\log q^r(y{=}0)", evidence,
                  because="a KL divergence: with equality where the generator is the posterior")


@derivation(any_discriminator)
def one_full_step(theta0, phi, p_data):
    """For the generator that minimises the KL divergence, the next image law is D-weighted: the data's only for D*."""
    p_0, D = np.exp(log_generator(theta0)), np.exp(log_q(phi)[1])

    yield start(r"q^r(x|y{=}0)", target(theta0, phi, p_data, UNIFORM)[0], claim="lecture12.sec3.2_ptheta0",
                because="the minimum of KL(p_g || q^r(x|0)) over all p_g")

    yield equals(r"\frac{D(x)\,(p_{g_0}(x) + p_{data}(x))}{\sum_x D(x)\,(p_{g_0}(x) + p_{data}(x))}",
                 D * (p_0 + p_data) / np.sum(D * (p_0 + p_data)),
                 because="q^r(0|x) = D(x); the halves of the marginal cancel", claim="lecture12.sec3.2_marginal")

    share = np.dot(D, p_0) / np.dot(D, p_0 + p_data)
    yield equals(r"w\, \frac{D(x)\, p_{g_0}(x)}{\mathbb E_{p_{g_0}} D} + (1 - w)\,"
                 r" \frac{D(x)\, p_{data}(x)}{\mathbb E_{p_{data}} D},"
                 r"\quad w = \frac{\mathbb E_{p_{g_0}} D}{\mathbb E_{p_{g_0}} D + \mathbb E_{p_{data}} D}",
                 share * D * p_0 / np.dot(D, p_0) + (1 - share) * D * p_data / np.dot(D, p_data),
                 because="a mixture, but of the two laws as D tilts them", claim="lecture12.sec3.2_mixture")

    yield mistake(r"w\, p_{g_0}(x) + (1 - w)\, p_{data}(x)", share * p_0 + (1 - share) * p_data,
                  because="not of the two laws themselves, unless D = (a p_g0 + b p_data)/(p_g0 + p_data)",
                  claim="lecture12.sec3.2_mixture")

    yield mistake(r"(1 - D(x))\, p_{g_0}(x) + D(x)\, p_{data}(x)", (1 - D) * p_0 + D * p_data,
                  because="D(x) weighs both laws, and the result must be normalised")

    yield mistake(r"p_{data}(x)", p_data, because="only an optimal discriminator leads to the data at once",
                  claim="lecture12.sec3.2_drive")


@derivation(any_discriminator)
def on_the_way_to_the_optimum(theta0, phi, p_data):
    """As the discriminator becomes optimal, its posterior over images becomes the law of the data."""
    yield start(r"p_{data}(x)", p_data)

    best = optimal_phi(theta0, p_data, UNIFORM)
    yield equals(r"q^r(x|y{=}0)\ \text{for}\ D = D^*", target(theta0, best, p_data, UNIFORM)[0],
                 because="D* (p_g0 + p_data) = p_data", claim="lecture12.sec3.2_drive")

    yield approaches(r"q^r(x|y{=}0)\ \text{for}\ D = \frac{a\, p_{g_0} + b\, p_{data}}{p_{g_0} + p_{data}},\ a \to 0",
                     [target(theta0, calibrated_phi(theta0, p_data, a, 0.5), p_data, UNIFORM)[0]
                      for a in (0.5, 1e-3, 1e-6, 1e-10)],
                     because="a mixture with the weight a/(a + b) on the generator", claim="lecture12.sec3.2_mixture")

    yield mistake(r"q^r(x|y{=}1)\ \text{for}\ D = D^*", target(theta0, best, p_data, UNIFORM)[1],
                  because="given y = 1 the posterior is the present generator: real images are to look generated")

    yield mistake(r"q^r(x|y{=}0)\ \text{for}\ D = \tfrac12", target(theta0, {"D": 0 * phi["D"]}, p_data, UNIFORM)[0],
                  because="an undecided discriminator leads half of the way, to the equal mixture")


@derivation(optimal_case)
def the_constant_term(theta, phi, p_data, p_y):
    """The average divergence of Lemma 1 has a constant term, which is not zero."""
    laws, q_x = class_laws(theta, p_data), target(theta, phi, p_data, p_y)
    p_g = laws[0]

    yield start(r"\mathbb E_{p(y)} \mathrm{KL}(p_\theta(x|y) \| q^r(x|y))", np.dot(p_y, kl(laws, q_x)))

    yield equals(r"\tfrac12 \mathrm{KL}(p_g(x) \| q^r(x|0)) + \tfrac12 \mathrm{KL}(p_{data}(x) \| q^r(x|1))",
                 kl(p_g, q_x[0]) / 2 + kl(p_data, q_x[1]) / 2, because="uniform labels", claim="lecture12.sec3.2_kl0")

    yield equals(r"\tfrac12 \mathrm{KL}(p_g \| p_{data}) + \tfrac12 \mathrm{KL}(p_{data} \| p_{g_0})",
                 kl(p_g, p_data) / 2 + kl(p_data, p_g) / 2,
                 because="for D* the posteriors are the data and the reference generator, here theta = theta0",
                 claim="lecture12.sec3.2_const")

    yield mistake(r"\tfrac12 \mathrm{KL}(p_g \| p_{data})", kl(p_g, p_data) / 2,
                  because="the second term is a constant in theta, but it is not zero")

    yield mistake(r"\mathrm{KL}(p_g \| p_{data})", kl(p_g, p_data), because="nor are the two terms equal")
