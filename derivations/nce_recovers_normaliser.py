r"""Noise-contrastive estimation finds the normalising constant, though nothing tells it that probabilities sum to one.

A random field gives $u(x)$; its $\log Z$ is out of reach. NCE puts a free number $c$ in its place and learns to tell
data from noise of a known density. Maximum likelihood with a free $c$ is hopeless: $\log p = u - c$ grows without bound
as $c$ falls. In NCE a small $c$ is punished, since then the noise, too, is taken for data.

The first derivation says why there is one maximum: what $\hat p$ loses against the true $p_0$ is a sum of divergences
between two coins, one for each $x$, and they are all zero at $\hat p = p_0$ only (Theorem 2). The second looks at the
slope in $c$ alone, for a potential that is right up to its normaliser: it has its only zero at $c = \log Z$.

All expectations are sums over six states; noise, data and the ratio $\nu$ are random.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.models import noise_contrast as nce
from refdgm.numerics import kl, log_sum_exp


@derivation(nce.random_case)
def gap(theta, c, features, p_0, p_n, nu):
    """What a model loses in the NCE objective is a divergence of class posteriors, zero for the data's law only."""
    u_hat = nce.u_hat(theta, c, features)
    p_hat, mixed = np.exp(u_hat), p_0 + nu * p_n
    best, model = np.array(nce.posterior(np.log(p_0), p_n, nu)), np.array(nce.posterior(u_hat, p_n, nu))

    yield start(r"J(p_0) - J(\hat p)",
                nce.objective(np.log(p_0), p_0, p_n, nu) - nce.objective(u_hat, p_0, p_n, nu), claim="ou2018.eq43")

    at_p_0 = np.log(p_0 / mixed) - np.log(p_hat / (p_hat + nu * p_n))
    at_noise = np.log(nu * p_n / mixed) - np.log(nu * p_n / (p_hat + nu * p_n))
    yield equals(r"\mathbb E_{p_0}\left[\log\frac{P_0(0|x)}{P(0|x)}\right]"
                 r" + \nu\,\mathbb E_{p_n}\left[\log\frac{P_0(1|x)}{P(1|x)}\right]",
                 p_0 @ at_p_0 + nu * p_n @ at_noise,
                 because="P_0(C|x) is the posterior of the true classes, P(C|x) that of the model",
                 claim="ou2018.eq41")

    yield equals(r"\sum_x (p_0(x) + \nu p_n(x)) \sum_C P_0(C|x)\log\frac{P_0(C|x)}{P(C|x)}",
                 mixed @ np.sum(best * np.log(best / model), axis=0),
                 because="p_0(x) is the share P_0(0|x) of p_0(x) + nu p_n(x)")

    yield equals(r"\sum_x (p_0(x) + \nu p_n(x))\,\mathrm{KL}[P_0(\cdot|x)\,\|\,P(\cdot|x)]",
                 sum(weight * kl(best[:, x], model[:, x]) for x, weight in enumerate(mixed)),
                 because="the definition of KL between two coins")

    yield mistake(r"\mathrm{KL}[p_0\|\hat p] = \mathbb E_{p_0}\left[\log\frac{p_0(x)}{\hat p(x)}\right]",
                  p_0 @ (np.log(p_0) - u_hat),
                  because="that is maximum likelihood's loss, which a larger mass of the model always lowers")
    yield mistake(r"\sum_x p_0(x)\,\mathrm{KL}[P_0(\cdot|x)\,\|\,P(\cdot|x)]",
                  p_0 @ np.sum(best * np.log(best / model), axis=0), because="the noise is classified, too")

    yield at_least("0", 0.0, because="KL >= 0, and = 0 for all x only if P = P_0, which is p_hat = p_0",
                   claim="ou2018.thm2")


@derivation(nce.random_case)
def slope_in_c(theta, c, features, p_0, p_n, nu):
    """Where the potential is right up to its normaliser, the slope of the NCE objective in c vanishes at log Z only."""
    u = np.log(p_0) + theta[0]                          # a potential of the data: exp(u) = Z p_0 with log Z = theta[0]
    P_0, P_1 = nce.posterior(u - c, p_n, nu)

    yield start(r"\frac{\partial J}{\partial c}", grad(lambda c: nce.objective(u - c, p_0, p_n, nu))(c),
                claim="ou2018.nce.logZ_recovered")
    yield mistake("-1", -1.0, because="the likelihood's slope in c: it would fall forever")

    yield equals(r"-\mathbb E_{p_0}[P(1|x)] + \nu\,\mathbb E_{p_n}[P(0|x)]", -(p_0 @ P_1) + nu * (p_n @ P_0),
                 because="du_hat/dc = -1 in both lines of Eq. 44", claim="ou2018.eq44.noise")
    yield mistake(r"-\mathbb E_{p_0}[P(1|x)] - \nu\,\mathbb E_{p_n}[P(0|x)]", -(p_0 @ P_1) - nu * (p_n @ P_0),
                  because="Eq. 44 as printed: its slope could not vanish", claim="ou2018.eq44.noise")

    yield equals(r"\sum_x \left(\hat p(x) - p_0(x)\right) P(1|x)", np.sum((np.exp(u - c) - p_0) * P_1),
                 because="nu p_n(x) P(0|x) = p_hat(x) P(1|x): the odds of the classes")

    Z = np.exp(log_sum_exp(u))
    yield equals(r"\left(Z e^{-c} - 1\right)\mathbb E_{p_0}[P(1|x)]", (Z * np.exp(-c) - 1) * (p_0 @ P_1),
                 because="exp(u) = Z p_0; the second factor is positive, the first zero at c = log Z only")
    yield mistake(r"\left(Z e^{-c} - 1\right)", Z * np.exp(-c) - 1,
                  because="that would be so if all data were taken for noise: the limit of large nu")
