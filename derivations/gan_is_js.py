r"""The GAN game in closed form: the best discriminator, and what is left for the generator.

A discriminator $D = \sigma(V)$ is trained to tell data $x \sim p_0$ from samples $x \sim p_\theta$. At each $x$ it
faces a problem of its own: raise $p_0(x) \log D + p_\theta(x) \log(1 - D)$. The answer is a ratio of densities, and
with that answer in place the generator's loss is a divergence. It is not quite the Jensen-Shannon divergence: there is
a factor two, and a constant, and both get lost easily.

All laws are on six points, so every expectation is a sum. The best discriminator of the first lines is found by
bisection and knows nothing of the formula.
"""
import autograd.numpy as np

from refdgm.adversarial.gan import best_response, optimal_discriminator
from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.models.finite_game import random_laws
from refdgm.numerics import entropy, kl, sigmoid


@derivation(random_laws)
def best_discriminator(p0, p):
    """The best discriminator is a posterior probability, and its logit is the log density ratio."""
    yield start(r"\arg\max_D\ E_{p_0}[\log D(x)] + E_{p_\theta}[\log(1 - D(x))]", best_response(p0, p),
                claim="ou2018.optD")

    yield equals(r"\frac{p_0(x)}{p_0(x) + p_\theta(x)}", optimal_discriminator(p0, p),
                 because="where a / D = b / (1 - D), at each x", claim="ou2018.optD")

    yield equals(r"\frac{\frac12 p_0(x)}{\frac12 p_0(x) + \frac12 p_\theta(x)} = P(\mathrm{data}|x)",
                 np.exp(np.log(p0 / 2) - np.logaddexp(np.log(p0 / 2), np.log(p / 2))),
                 because="Bayes, when a fair coin chose between data and generator", claim="ou2018.eq24.D_meaning")

    yield equals(r"\sigma\left(\log \frac{p_0(x)}{p_\theta(x)}\right)", sigmoid(np.log(p0) - np.log(p)),
                 because="divide by the numerator", claim="ou2018.gan.V")

    yield mistake(r"\frac{p_\theta(x)}{p_0(x) + p_\theta(x)}", p / (p0 + p),
                  because="that is the probability of a sample: the labels are exchanged")

    yield mistake(r"\frac{p_0(x)}{p_\theta(x)}", p0 / p,
                  because="the ratio itself is exp(V), not D; it may exceed one")


@derivation(random_laws)
def value_of_the_game(p0, p):
    """With the best discriminator the generator's loss is twice the Jensen-Shannon divergence minus log 4."""
    D = best_response(p0, p)
    yield start(r"\max_\psi F_{GAN}(\theta, \psi)", np.sum(p0 * np.log(D)) + np.sum(p * np.log1p(-D)),
                claim="ou2018.eq24")

    yield equals(r"E_{p_0}\left[\log \frac{p_0}{p_0 + p_\theta}\right]"
                 r" + E_{p_\theta}\left[\log \frac{p_\theta}{p_0 + p_\theta}\right]",
                 np.sum(p0 * np.log(p0 / (p0 + p))) + np.sum(p * np.log(p / (p0 + p))),
                 because="the best discriminator, put in", claim="ou2018.eq25")

    yield mistake(r"E_{p_0}\left[\log \frac{p_0}{p_0 + p_\theta}\right]"
                  r" + E_{p_0}\left[\log \frac{p_\theta}{p_0 + p_\theta}\right]",
                  np.sum(p0 * np.log(p0 / (p0 + p)**2 * p)),
                  because="the second x is generated, x = G(eps); it is not the datum of the first term",
                  claim="ou2018.eq25.notation")

    m = (p0 + p) / 2
    yield equals(r"-\log 4 + \mathrm{KL}[p_0 \| m] + \mathrm{KL}[p_\theta \| m],\quad m = \tfrac12 (p_0 + p_\theta)",
                 -np.log(4) + kl(p0, m) + kl(p, m),
                 because="the sum p0 + p is twice the mixture: log 2 from each term", claim="ou2018.eq25")

    yield mistake(r"-\log 2 + \mathrm{KL}[p_0 \| m] + \mathrm{KL}[p_\theta \| m]", -np.log(2) + kl(p0, m) + kl(p, m),
                  because="both terms give a log 2")

    yield equals(r"-\log 4 + 2\,\mathrm{JS}[p_0 \| p_\theta]",
                 -np.log(4) + 2 * (entropy(m) - entropy(p0) / 2 - entropy(p) / 2),
                 because="JS is the mean of the two divergences, or the entropy gained by mixing", claim="ou2018.eq25")

    yield mistake(r"-\log 4 + \mathrm{JS}[p_0 \| p_\theta]", -np.log(4) + entropy(m) - entropy(p0) / 2 - entropy(p) / 2,
                  because="JS has a factor 1/2 in its definition")

    yield at_least(r"-\log 4", -np.log(4), because="JS is not negative, and zero only at p = p0: the saddle point",
                   claim="ou2018.gan.saddle")
