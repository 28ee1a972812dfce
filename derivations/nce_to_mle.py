r"""With ever more noise, noise-contrastive estimation becomes maximum likelihood.

Maximum likelihood needs $\mathbb E_p[\nabla u]$, a sum over all states. NCE needs samples of a noise only, and pays
for it with variance. How much, and what for? Its gradient is the likelihood's with each state weighted by $P(C=1|x)$,
the probability of being taken for noise; with so much noise that everything is taken for noise, the weights are one.
The price at finite $\nu$ falls like $1/\nu$, with the factor $p_0/p_n$ inside: noise that is rare where the data are
makes it dear.

All expectations are sums over six states, all covariances exact matrices.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.models import noise_contrast as nce
from refdgm.models.exponential_family import fisher_information
from refdgm.numerics import log_softmax, softmax
from refdgm.undirected import nce_estimator as est

RATIOS = (1e1, 1e4, 1e7, 1e10)


@derivation(nce.random_case)
def finite_ratio(theta, c, features, p_0, p_n, nu):
    """The gradient of NCE is that of the likelihood, each state weighted by the probability that it is noise."""
    def J(theta): return nce.objective(nce.u_hat(theta, c, features), p_0, p_n, nu)

    u_hat = nce.u_hat(theta, c, features)
    P_0, P_1 = nce.posterior(u_hat, p_n, nu)
    yield start(r"\nabla_\theta J", grad(J)(theta), claim="ou2018.eq43")

    yield equals(r"\mathbb E_{p_0}[P(1|x)\nabla u(x)] - \nu\,\mathbb E_{p_n}[P(0|x)\nabla u(x)]",
                 (p_0 * P_1) @ features - nu * (p_n * P_0) @ features, because="the two lines of Eq. 44",
                 claim="ou2018.alg8")

    yield equals(r"\sum_x \left(p_0(x) - \hat p(x)\right) P(1|x)\,\nabla u(x)",
                 ((p_0 - np.exp(u_hat)) * P_1) @ features,
                 because="nu p_n(x) P(0|x) = p_hat(x) P(1|x): the odds of the classes")

    yield equals(r"\sum_x \left(p_0(x) - \hat p(x)\right) \frac{\nabla u(x)}{1 + \hat p(x)/\nu p_n(x)}",
                 ((p_0 - np.exp(u_hat)) / (1 + np.exp(u_hat) / (nu * p_n))) @ features,
                 because="the definition of P(1|x); the denominator tends to one with nu", claim="ou2018.eq41")

    yield mistake(r"\sum_x \left(p_0(x) - \hat p(x)\right)\nabla u(x)", (p_0 - np.exp(u_hat)) @ features,
                  because="the limit of large nu, not yet reached")
    yield mistake(r"\sum_x \left(p_0(x) - \hat p(x)\right) P(0|x)\,\nabla u(x)",
                  ((p_0 - np.exp(u_hat)) * P_0) @ features, because="samples that are surely data teach nothing")


@derivation(nce.random_case)
def many_noise_samples(theta, c, features, p_0, p_n, nu):
    """As the noise ratio grows the gradient of NCE at c = log Z tends to the likelihood's."""
    def J(theta, c, ratio): return nce.objective(nce.u_hat(theta, c, features), p_0, p_n, ratio)

    log_Z = nce.log_partition(theta, features)
    yield start(r"\nabla_\theta\,\mathbb E_{p_0}[\log p_\theta(x)]",
                grad(lambda theta: np.sum(p_0 * log_softmax(np.dot(features, theta))))(theta))
    yield equals(r"\mathbb E_{p_0}[\nabla u] - \mathbb E_{p_\theta}[\nabla u]",
                 (p_0 - softmax(features @ theta)) @ features, because="the gradient of log Z is a mean",
                 claim="ou2018.eq34")
    yield approaches(r"\nabla_\theta J \text{ at } c = \log Z,\ \nu \to \infty",
                     [grad(J)(theta, log_Z, ratio) for ratio in RATIOS],
                     because="P(C=1|x) tends to one", claim="ou2018.nce.large_nu", allowed=1e-7)
    yield mistake(r"\nabla_\theta J \text{ at another } c", grad(J)(theta, log_Z + c, RATIOS[-1]),
                  because="with a wrong normaliser p_hat is not p: c must be learned along")
    yield mistake(r"\frac1\nu\nabla_\theta J", grad(J)(theta, log_Z, nu) / nu,
                  because="the data term has weight one, not 1/nu")


@derivation(est.misfitting_case)
def estimate(theta, features, p_0, p_n, nu):
    """Where the model cannot fit the data, the NCE estimate tends to maximum likelihood and its log Z."""
    limit = est.theta_and_log_Z(theta, features)

    yield start(r"(\hat\theta_{\mathrm{ML}}, \log Z(\hat\theta_{\mathrm{ML}}))", limit)
    yield approaches(r"\arg\max_{\theta,c} J,\ \nu\to\infty",
                     [est.estimate(features, p_0, p_n, ratio) for ratio in (1e1, 1e3, 1e5, 1e7)],
                     because="the gradients agree in the limit", claim="ou2018.nce.large_nu", allowed=1e-4)
    yield approaches(r"\arg\max_{\theta,c} J - b/\nu,\ \nu\to\infty",
                     [est.estimate(features, p_0, p_n, ratio)
                      - est.drift_from_likelihood(theta, features, p_0, p_n) / ratio for ratio in (1e1, 1e3, 1e5)],
                     because="the distance falls like 1/nu, and b is known: what is left falls like 1/nu^2",
                     claim="ou2018.nce.large_nu", allowed=1e-6)
    yield mistake(r"\arg\max_{\theta,c} J \text{ at a small } \nu", est.estimate(features, p_0, p_n, nu),
                  because="the noise decides where the fit matters", claim="ou2018.nce.logZ_recovered")


@derivation(est.fitting_case)
def variance(theta, features, p_0, p_n, nu):
    """The asymptotic variance of NCE exceeds the Cramer-Rao bound, and tends to it as the noise ratio grows."""
    theta_hat, g = est.theta_and_log_Z(theta, features), est.with_normaliser(features)
    P_1 = nu * p_n / (p_0 + nu * p_n)
    I_nu, m = g.T @ ((p_0 * P_1)[:, None] * g), (p_0 * P_1) @ g
    inverse, d = np.linalg.inv(I_nu), len(theta)

    yield start(r"A^{-1} B A^{-1}", est.covariance(theta_hat, features, p_0, p_n, nu))
    yield equals(r"I_\nu^{-1} - (1 + \tfrac1\nu)\, I_\nu^{-1} m m^\top I_\nu^{-1},"
                 r"\quad I_\nu = \mathbb E_{p_0}[P(1|x)\,g g^\top],\ m = \mathbb E_{p_0}[P(1|x)\,g]",
                 inverse - (1 + 1 / nu) * inverse @ np.outer(m, m) @ inverse,
                 because="A = I_nu, and data and noise have the same mean score, m")
    yield mistake(r"I_\nu^{-1}", inverse, because="the scores are not centred")

    only_c = np.outer(np.eye(d + 1)[d], np.eye(d + 1)[d])
    yield equals(r"I_\nu^{-1} - (1 + \tfrac1\nu)\, e_c e_c^\top", inverse - (1 + 1 / nu) * only_c,
                 because="the last entry of g is -1, so that I_nu e_c = -m: only the variance of c is changed")


@derivation(est.fitting_case)
def cramer_rao(theta, features, p_0, p_n, nu):
    """The variance of NCE tends to the Cramer-Rao bound, and exceeds it by a term in 1/nu that the noise decides."""
    g, d = est.with_normaliser(features), len(theta)

    def spread(ratio):
        """The block of I_nu^-1 that belongs to theta."""
        P_1 = ratio * p_n / (p_0 + ratio * p_n)
        return np.linalg.inv(g.T @ ((p_0 * P_1)[:, None] * g))[:d, :d]

    yield start(r"F^{-1},\quad F = \mathrm{Cov}_{p_0}[f]", np.linalg.inv(fisher_information(theta, features, 0 * p_0)))
    yield equals(r"\left(\mathbb E_{p_0}[g g^\top]^{-1}\right)_{\theta\theta}",
                 np.linalg.inv((p_0[:, None] * g).T @ g)[:d, :d],
                 because="a block of an inverse is that of the Schur complement, E[f f'] - E[f] E[f]'")
    yield mistake(r"\mathbb E_{p_0}[f f^\top]^{-1}", np.linalg.inv((p_0[:, None] * features).T @ features),
                  because="c is estimated along, which centres the features")

    yield approaches(r"\left(I_\nu^{-1}\right)_{\theta\theta},\ \nu\to\infty", [spread(ratio) for ratio in RATIOS],
                     because="P(C=1|x) tends to one", claim="ou2018.nce.large_nu", allowed=1e-7)
    yield approaches(r"\left(I_\nu^{-1}\right)_{\theta\theta} - \frac1\nu F^{-1}"
                     r"\mathbb E_{p_0}\left[\tfrac{p_0}{p_n}(f - \mathbb E f)(f - \mathbb E f)^\top\right] F^{-1}",
                     [spread(ratio) - est.price_of_noise(theta, features, p_n) / ratio for ratio in RATIOS[:3]],
                     because="to first order in 1/nu: now nu = 1e7 is exact to twelve digits",
                     claim="ou2018.nce.large_nu", allowed=1e-10)
    yield mistake(r"\left(I_\nu^{-1}\right)_{\theta\theta}\ \text{at a small }\nu", spread(nu),
                  because="NCE is not efficient at finite nu")
