r"""Noise-contrastive estimation is an f-GAN whose generator stands still.

The f-GAN bounds a divergence between data and generator from below by a variational function $T$. Put a known noise
in the place of the generator and build $T$ from a model of the data, $T = f'(p_m/p_n)$: for the right $f$ the bound is
the NCE objective, up to a constant. So the discriminator *is* the model, and where the bound is tight the model is the
data.

The constant is $-\nu\log\nu$; the review prints it with a plus sign. No maximiser cares, but a number would be wrong,
unless $\nu = 1$. The second derivation says what the divergence is: with the prior $1:\nu$ of the two classes, a
Jensen-Shannon divergence with weights $1:\nu$, in which $\nu = 1$ gives back the GAN.
"""
import autograd.numpy as np

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.models import noise_contrast
from refdgm.numerics import entropy, kl
from refdgm.undirected import nce_as_bound as appendix


def one_model(seed):
    """Data, noise, nu, and one model that is not normalised."""
    case = appendix.random_case(seed)
    return {**case, "p_m": case["p_m"][0]}


@derivation(one_model)
def bound(p_m, p_0, p_n, nu):
    """The variational bound on the divergence between data and noise is the NCE objective, less nu log nu."""
    u = p_m / p_n
    T = appendix.critic(p_m, p_n, nu)

    sup = appendix.by_definition(u, T, nu)["conjugate"]
    yield start(r"\mathbb E_{p_0}[T] - \mathbb E_{p_n}\left[\sup_u\{uT - f(u)\}\right],\quad T = f'(p_m/p_n)",
                p_0 @ T - p_n @ sup, claim="ou2018.eq45")

    yield equals(r"\mathbb E_{p_0}[T] - \mathbb E_{p_n}\left[\tfrac{p_m}{p_n}T - f\left(\tfrac{p_m}{p_n}\right)\right]",
                 p_0 @ T - p_n @ (u * T - appendix.f(u, nu)),
                 because="f'(u) = T at u = p_m/p_n: there the supremum is attained", claim="ou2018.appA.T")

    yield equals(r"\mathbb E_{p_0}[T] - \mathbb E_{p_n}\left[\nu\log\nu - \nu\log(1 - e^T)\right]",
                 p_0 @ T - p_n @ (nu * np.log(nu) - nu * np.log(1 - np.exp(T))),
                 because="the conjugate in closed form", claim="ou2018.appA.f")

    yield equals(r"\mathbb E_{p_0}\log\frac{p_m}{p_m + \nu p_n} + \nu\,\mathbb E_{p_n}\log\frac{\nu p_n}{p_m + \nu p_n}"
                 r" - \nu\log\nu", appendix.expanded_bound(p_m, p_0, p_n, nu),
                 because="1 - exp(T) = nu p_n / (p_m + nu p_n)", claim="ou2018.eq46")
    yield mistake(r"\mathbb E_{p_0}\log\frac{p_m}{p_m + \nu p_n}"
                  r" + \nu\,\mathbb E_{p_n}\log\frac{\nu p_n}{p_m + \nu p_n} + \nu\log\nu",
                  appendix.expanded_bound(p_m, p_0, p_n, nu, constant=+1),
                  because="as printed: f* enters with a minus", claim="ou2018.eq46")

    yield equals(r"J(\hat\theta) - \nu\log\nu",
                 noise_contrast.objective(np.log(p_m), p_0, p_n, nu) - nu * np.log(nu),
                 because="T is the log posterior of the data class", claim="ou2018.eq46.nce")
    yield mistake(r"J(\hat\theta)", noise_contrast.objective(np.log(p_m), p_0, p_n, nu),
                  because="the constant may be ignored in a maximisation, not in a value")

    yield at_most(r"D_f[p_0\|p_n]", p_n @ appendix.f(p_0 / p_n, nu),
                  because="Fenchel's inequality; equality at p_m = p_0", claim="ou2018.appA.opt")


@derivation(one_model)
def divergence(p_m, p_0, p_n, nu):
    """What NCE maximises is at best a Jensen-Shannon divergence with weights 1 : nu, less the entropy of the label."""
    prior = np.array([1.0, nu]) / (1 + nu)
    mixture = prior[0] * p_0 + prior[1] * p_n
    label = np.array([prior[0] * p_0, prior[1] * p_n]) / mixture         # P(C|x), C in rows

    yield start(r"\max_{\hat p} J(\hat p) = J(p_0)", noise_contrast.objective(np.log(p_0), p_0, p_n, nu),
                claim="ou2018.thm2")
    yield equals(r"D_f[p_0\|p_n] + \nu\log\nu", p_n @ appendix.f(p_0 / p_n, nu) + nu * np.log(nu),
                 because="the bound is tight at p_m = p_0", claim="ou2018.eq45")
    yield equals(r"-(1 + \nu)\,\mathbb E_{x}\left[\mathrm H[P(C|x)]\right]",
                 -(1 + nu) * (mixture @ entropy(label, axis=0)),
                 because="x has the law (p_0 + nu p_n) / (1 + nu): J is a mean log-likelihood of labels",
                 claim="ou2018.eq43")

    weighted_js = prior[0] * kl(p_0, mixture) + prior[1] * kl(p_n, mixture)
    yield equals(r"(1 + \nu)\left(\mathrm{JS}_{1:\nu}[p_0, p_n] - \mathrm H[C]\right)",
                 (1 + nu) * (weighted_js - entropy(prior)),
                 because="mutual information of x and C, from either side")
    half = (p_0 + p_n) / 2
    yield mistake(r"2\,\mathrm{JS}[p_0\|p_n] - \log 4", kl(p_0, half) + kl(p_n, half) - np.log(4),
                  because="that is nu = 1, the GAN's")
    yield mistake(r"(1 + \nu)\,\mathrm{JS}_{1:\nu}[p_0, p_n]", (1 + nu) * weighted_js,
                  because="J is negative: a label cannot be more certain than certain")
