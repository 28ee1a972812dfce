r"""The equilibrium of a GAN, from the best responses of its two players.

For a fixed generator the discriminator's objective splits into one small problem for each x, whose solution is the
Bayes probability that x is data. Put back, it leaves the generator a divergence between the data and its own law, minus
$\log 4$. The divergence is zero where the laws agree, and there the discriminator can say no more than one half.

The other derivations are about learning: held fixed at its optimum, the discriminator gives the generator the gradient
of that divergence in the original objective, and another one in the objective that is used in practice.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad

from refdgm.adversarial import gan_lecture as gan
from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.divergences import js
from refdgm.models.finite_game import supremum
from refdgm.numerics import kl, softmax


@derivation(gan.random_laws)
def value(p_data, p_G):
    """The discriminator's best objective is a Jensen-Shannon divergence, and least where p_G is p_data."""
    D = gan.best_discriminator(p_data, p_G)

    def at_each_x(candidates):
        return p_data[:, None] * np.log(candidates) + p_G[:, None] * np.log(1 - candidates)

    yield start(r"\max_D\ \mathbb E_{p_{data}}[\log D(x)]+\mathbb E_{p_G}[\log(1-D(x))]",
                np.sum(supremum(at_each_x, np.full(len(D), 1e-9), 1 - 1e-9)), claim="lecture12.sec3_LD")

    yield equals(r"\mathbb E_{p_{data}}[\log D^*(x)]+\mathbb E_{p_G}[\log(1-D^*(x))],"
                 r"\quad D^*=\frac{p_{data}}{p_{data}+p_G}", gan.discriminator_objective(D, p_data, p_G),
                 because="p log D + q log(1 - D) is largest at D = p/(p + q), for each x on its own",
                 claim="lecture12.sec3_disc")

    yield mistake(r"\mathbb E_{p_{data}}[\log D^*(x)]+\mathbb E_{p_G}[\log1-D^*(x)]",
                  gan.without_brackets(D, p_data, p_G), because="without brackets it is another objective",
                  claim="lecture12.sec3_LD")

    m = (p_data + p_G) / 2
    yield equals(r"\mathrm{KL}\left[p_{data}\,\|\,\tfrac{p_{data}+p_G}2\right]"
                 r"+\mathrm{KL}\left[p_G\,\|\,\tfrac{p_{data}+p_G}2\right]-\log4",
                 kl(p_data, m) + kl(p_G, m) - np.log(4),
                 because="D* = p_data / 2m and 1 - D* = p_G / 2m; each factor 1/2 costs log 2")

    yield equals(r"2\,\mathrm{JS}[p_{data}\|p_G]-\log4", 2 * js(p_data, p_G) - np.log(4),
                 because="the definition of the Jensen-Shannon divergence")

    yield mistake(r"\mathrm{JS}[p_{data}\|p_G]-\log4", js(p_data, p_G) - np.log(4),
                  because="both halves of JS carry a factor 1/2, the objective's terms do not")

    yield at_least(r"-\log4", -np.log(4) * np.ones(()), because="JS is zero where p_G = p_data, and positive elsewhere",
                   claim="lecture12.sec3_equilibrium")

    half = np.full(len(p_data), 0.5)
    yield equals(r"\mathbb E_{p_{data}}[\log\tfrac12]+\mathbb E_{p_G}[\log\tfrac12]",
                 gan.discriminator_objective(half, p_data, p_G),
                 because="there D* = 1/2 for every x", claim="lecture12.sec3_equilibrium")

    yield mistake(r"-\log2", -np.log(2) * np.ones(()),
                  because="one label has the entropy log 2, but the objective counts a pair")


def generator_case(seed):
    """Logits of p_G over five values of x, and a law of the data."""
    return {"logits": onp.random.default_rng([seed, 4]).normal(size=5), "p_data": gan.random_laws(seed)["p_data"]}


@derivation(generator_case)
def generator_direction(logits, p_data):
    """Against its best opponent the original objective has the gradient of JS, the practical one has not."""
    D = gan.best_discriminator(p_data, softmax(logits))     # held fixed below: the generator does not see it move

    yield start(r"\nabla_G\left(2\,\mathrm{JS}[p_{data}\|p_G]-\log4\right)",
                grad(lambda a: 2 * js(p_data, softmax(a)))(logits), claim="lecture12.sec3_equilibrium")

    yield equals(r"\nabla_G\ \mathbb E_{p_G}[\log(1-D(x))]\,\big|_{D=D^*}",
                 grad(lambda a: np.sum(softmax(a) * np.log(1 - D)))(logits),
                 because="D* is a maximum, so that its own move counts only to second order", claim="lecture12.sec3_LG")

    score = np.eye(len(D)) - softmax(logits)
    yield equals(r"\mathbb E_{p_G}\left[\log\frac{p_G(x)}{p_{data}(x)+p_G(x)}\,\nabla_G\log p_G(x)\right]",
                 np.dot(softmax(logits) * np.log(softmax(logits) / (p_data + softmax(logits))), score),
                 because="the log-derivative trick, and 1 - D* = p_G / (p_data + p_G)",
                 claim="lecture12.sec2.2.2_logderiv")

    yield mistake(r"-\nabla_G\ \mathbb E_{p_G}[\log D(x)]\,\big|_{D=D^*}",
                  grad(lambda a: -np.sum(softmax(a) * np.log(D)))(logits),
                  because="the practical objective: its gradient is that of KL[p_G || p_data] - 2 JS",
                  claim="lecture12.sec3_nonsat")

    yield mistake(r"\nabla_G\ \mathbb E_{p_G}[-D(x)]\,\big|_{D=D^*}",
                  grad(lambda a: -np.sum(softmax(a) * D))(logits), because="the objective read without brackets",
                  claim="lecture12.sec3_LG")


@derivation(generator_case)
def practical_direction(logits, p_data):
    """Against its best opponent the practical objective descends a reverse KL less twice JS."""
    p_G = softmax(logits)
    D = gan.best_discriminator(p_data, p_G)

    yield start(r"-\nabla_G\ \mathbb E_{p_G}[\log D(x)]\,\big|_{D=D^*}",
                grad(lambda a: -np.sum(softmax(a) * np.log(D)))(logits), claim="lecture12.sec3_nonsat")

    yield equals(r"\nabla_G\ \mathbb E_{p_G}\left[\log\frac{1-D(x)}{D(x)}-\log(1-D(x))\right]\,\Big|_{D=D^*}",
                 grad(lambda a: np.sum(softmax(a) * (np.log((1 - D) / D) - np.log(1 - D))))(logits),
                 because="log(1 - D) is added and subtracted")

    yield equals(r"\nabla_G\left(\mathrm{KL}[p_G\|p_{data}]-2\,\mathrm{JS}[p_{data}\|p_G]\right)",
                 grad(lambda a: kl(softmax(a), p_data) - 2 * js(p_data, softmax(a)))(logits),
                 because="(1 - D*)/D* = p_G/p_data, and dlog p_G has mean zero; the rest is the original objective",
                 claim="lecture12.sec3_nonsat")

    yield mistake(r"\nabla_G\ \mathrm{KL}[p_G\|p_{data}]", grad(lambda a: kl(softmax(a), p_data))(logits),
                  because="JS is subtracted, twice")

    yield mistake(r"\nabla_G\left(\mathrm{KL}[p_{data}\|p_G]-2\,\mathrm{JS}[p_{data}\|p_G]\right)",
                  grad(lambda a: kl(p_data, softmax(a)) - 2 * js(p_data, softmax(a)))(logits),
                  because="the expectation is over the generator's samples")
