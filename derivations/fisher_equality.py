r"""The score has mean zero, and how that drops a term from the gradient of an expectation.

The score $\nabla_\lambda \log p_\lambda(z)$ says which way to move the parameter to make z more probable. Averaged over
z from the model itself it is zero: the probabilities sum to one, so what one z gains the others lose. The review calls
this the Fisher equality and leans on it throughout: it is why a baseline costs no bias, why the entropy's own score
drops out of the ELBO's gradient, and why the maximum of a likelihood is a root of an expectation.

Everything is summed over the states of a small exponential family, except on the last page: there the support moves
with the parameter, and the equality fails by exactly the density at the moving end.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, hessian, jacobian

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models.exponential_family import fisher_information, log_p, random_case, score
from refdgm.numerics import gauss_legendre


@derivation(random_case)
def score_has_mean_zero(lam, s, r):
    """The mean of the score under its own density is zero."""
    p = onp.exp(log_p(lam, s, r))
    scores = jacobian(log_p)(lam, s, r)
    size = onp.max(p @ onp.abs(scores))

    yield start(r"\mathbb E_{p_\lambda(z)}[\nabla_\lambda \log p_\lambda(z)]", p @ scores, claim="ou2018.fisher")

    yield equals(r"\sum_z p_\lambda(z) \left(s(z) - \mathbb E_{p_\lambda}[s]\right)", p @ score(lam, s, r),
                 because="the score of an exponential family", scale=size)

    yield equals(r"\sum_z \nabla_\lambda\, p_\lambda(z)",
                 onp.sum(jacobian(lambda v: np.exp(log_p(v, s, r)))(lam), axis=0),
                 because="a derivative of a logarithm, times p, is the derivative of p", scale=size)

    yield equals(r"\nabla_\lambda \sum_z p_\lambda(z)", grad(lambda v: np.sum(np.exp(log_p(v, s, r))))(lam),
                 because="the states that are summed do not depend on lambda", scale=size)

    yield equals(r"0", 0 * lam, because="the sum is one for every lambda", scale=size)

    elsewhere = onp.exp(log_p(lam + 0.5, s, r))
    yield mistake(r"\mathbb E_{p_{\lambda'}(z)}[\nabla_\lambda \log p_\lambda(z)],\quad \lambda' \ne \lambda",
                  elsewhere @ scores, because="the mean is over the model's own draws, and not over the data",
                  scale=size)

    yield mistake(r"\mathbb E_{p_\lambda(z)}[(\nabla_\lambda \log p_\lambda(z))^2]", p @ scores**2,
                  because="only the first moment vanishes; the second is the Fisher information", scale=size)


@derivation(random_case)
def information(lam, s, r):
    """The Fisher equality, differentiated once more: the score's covariance is minus its mean slope."""
    p, g = onp.exp(log_p(lam, s, r)), jacobian(log_p)(lam, s, r)

    yield start(r"-\mathbb E_{p_\lambda}[\nabla^2_\lambda \log p_\lambda(z)]",
                -sum(p_z * hessian(lambda v: log_p(v, s, r)[z])(lam) for z, p_z in enumerate(p)))

    yield equals(r"\mathbb E_{p_\lambda}[\nabla_\lambda \log p_\lambda(z)\, \nabla_\lambda \log p_\lambda(z)^\top]",
                 sum(p_z * onp.outer(g_z, g_z) for p_z, g_z in zip(p, g)),
                 because="the derivative of sum p grad log p = 0 has two terms", claim="ou2018.fisher")

    yield equals(r"\mathrm{Cov}_{p_\lambda}[s(z)]", fisher_information(lam, s, r),
                 because="the score is s minus its mean, and has mean zero")

    yield mistake(r"\mathbb E_{p_\lambda}[s(z)\, s(z)^\top]", s.T @ (p[:, None] * s),
                  because="the statistics are not centred, only the score is")

    yield mistake(r"\mathbb E_{p_\lambda}[\nabla^2_\lambda \log p_\lambda(z)]",
                  hessian(lambda v: np.sum(p * log_p(v, s, r)))(lam),
                  because="a log-density is concave here: the information is minus its curvature")


@derivation(random_case)
def gradient_of_expectation(lam, s, r):
    r"""The Fisher equality drops the score term from the gradient of an expectation.

    The case is the negative entropy, whose integrand $\log p_\lambda(z)$ depends on the parameter that moves z: the
    part of the ELBO's gradient in which students lose a term, or keep one too many.
    """
    log_density = log_p(lam, s, r)
    p, scores = onp.exp(log_density), score(lam, s, r)

    yield start(r"\nabla_\lambda \mathbb E_{p_\lambda(z)}[\log p_\lambda(z)]",
                grad(lambda v: np.sum(np.exp(log_p(v, s, r)) * log_p(v, s, r)))(lam))

    through_draws = grad(lambda v: np.sum(np.exp(log_p(v, s, r)) * log_density))(lam)
    through_integrand = grad(lambda v: np.sum(p * log_p(v, s, r)))(lam)
    yield equals(r"\sum_z \log p_\lambda(z)\, \nabla_\lambda\, p_\lambda(z)"
                 r" + \sum_z p_\lambda(z)\, \nabla_\lambda \log p_\lambda(z)", through_draws + through_integrand,
                 because="the product rule: lambda moves the draws, and the integrand")

    yield equals(r"\sum_z \log p_\lambda(z)\, \nabla_\lambda\, p_\lambda(z)", through_draws,
                 because="Fisher equality: the second sum is the mean score", claim="ou2018.fisher")

    yield equals(r"\mathbb E_{p_\lambda(z)}[\log p_\lambda(z)\, \nabla_\lambda \log p_\lambda(z)]",
                 p @ (log_density[:, None] * scores),
                 because="grad p = p grad log p turns the sum into a mean, which draws can estimate")

    yield equals(r"\mathbb E_{p_\lambda(z)}[(\log p_\lambda(z) - b)\, \nabla_\lambda \log p_\lambda(z)]",
                 sum(p_z * (log_p_z - 7.0) * score_z for p_z, log_p_z, score_z in zip(p, log_density, scores)),
                 because="Fisher equality again: a constant b, here 7, multiplies a mean of zero",
                 claim="ou2018.fisher")

    yield mistake(r"\mathbb E_{p_\lambda(z)}[(\log p_\lambda(z) - b(z))\, \nabla_\lambda \log p_\lambda(z)]",
                  p @ ((log_density - s[:, 0])[:, None] * scores),
                  because="a baseline that depends on z is correlated with the score")

    yield mistake(r"\mathbb E_{p_\lambda(z)}[\nabla_\lambda \log p_\lambda(z)]", through_integrand,
                  because="the draws held fixed: this is the term that vanishes, not the one that stays")

    elsewhere = onp.exp(log_p(lam + 0.5, s, r))
    yield mistake(r"\mathbb E_{p_{\lambda'}(z)}[(\log p_\lambda(z) - b)\, \nabla_\lambda \log p_\lambda(z)]",
                  elsewhere @ ((log_density - 7.0)[:, None] * scores),
                  because="with draws from another law nothing vanishes, and b biases the mean")


def truncated_case(seed):
    """An exponential density of rate a, cut off at theta."""
    rng = onp.random.default_rng(seed)
    return {"theta": rng.uniform(0.5, 2.0), "a": rng.choice([-1, 1]) * rng.uniform(0.5, 1.5)}


@derivation(truncated_case)
def moving_support(theta, a):
    r"""Where the support moves with the parameter the mean score is minus the density at the moving end.

    The density is $p_\theta(x) = e^{a x} / G(\theta)$ on $[0, \theta]$, with $G(\theta) = \int_0^\theta e^{a x} dx$;
    a = 0 is the uniform law.
    """
    x, w = gauss_legendre(0.0, theta, 40)
    unit_x, unit_w = gauss_legendre(0.0, 1.0, 40)

    def log_density(t, x):
        return a * x - np.log(np.expm1(a * t) / a)

    def mass(t):
        return np.sum(t * unit_w * np.exp(log_density(t, t * unit_x)))

    slope = jacobian(lambda t: log_density(t, x))(theta)
    inside = jacobian(lambda t: np.exp(log_density(t, x)))(theta)
    at_the_end = onp.exp(log_density(theta, theta))

    yield start(r"\mathbb E_{p_\theta(x)}[\partial_\theta \log p_\theta(x)]",
                onp.sum(w * onp.exp(log_density(theta, x)) * slope))

    yield equals(r"\int_0^\theta \partial_\theta\, p_\theta(x)\, dx", onp.sum(w * inside),
                 because="a derivative of a logarithm, times p, is the derivative of p")

    yield mistake(r"\partial_\theta \int_0^\theta p_\theta(x)\, dx", grad(mass)(theta),
                  because="the derivative does not pass through a limit that depends on theta")

    yield equals(r"\partial_\theta \int_0^\theta p_\theta(x)\, dx - p_\theta(\theta)",
                 grad(mass)(theta) - at_the_end, because="Leibniz: the moving end adds the density that stands there")

    yield equals(r"-p_\theta(\theta)", -a / (1 - onp.exp(-a * theta)), because="the mass is one for every theta")

    yield mistake(r"0", 0.0, because="the Fisher equality needs a support that does not move", claim="ou2018.fisher")
