r"""Gaussian inference models: factorised and with full covariance (kingma2019 Secs. 2.5 and 2.5.1).

    factorised       z = mu + sigma eps        log q(z) = sum_i log N(eps_i; 0, 1) - log sigma_i
                     KL[q || N(0, I)] = 1/2 sum_i (mu_i^2 + sigma_i^2 - 1 - log sigma_i^2)
    full covariance  z = mu + L eps            log q(z) = sum_i log N(eps_i; 0, 1) - log |L_ii|,   L triangular
                     KL[q || N(0, I)] = 1/2 (tr L L' + mu' mu - n - 2 sum_i log |L_ii|)

Both densities are of the sample's own noise eps, so that nothing has to be inverted.
mu, log_sigma (..., n);  L (n, n) lower triangular, with any signs on its diagonal;  eps, z (..., n), eps ~ N(0, I).

A posterior that has not learnt anything costs nothing; one at distance 1 from the prior costs half a nat.

>>> import numpy as np
>>> from refdgm.models.gaussian_posterior import kl_to_prior
>>> float(kl_to_prior(np.array([1.0, 0.0]), np.zeros(2)))
0.5
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import full_gaussian_log_prob, gaussian_log_prob, trapezoid


def sample(mu, log_sigma, eps):
    """z = mu + sigma eps (kingma2019 Sec. 2.5).  (..., n) -> (..., n)"""
    return mu + np.exp(log_sigma) * eps


def log_q(log_sigma, eps):
    """log q(z) of the sample that eps made (kingma2019 Sec. 2.5).  (..., n) -> (...)"""
    return gaussian_log_prob(eps, 0.0, 1.0) - np.sum(log_sigma, axis=-1)


def kl_to_prior(mu, log_sigma):
    """KL[q || N(0, I)] = 1/2 sum_i (mu_i^2 + sigma_i^2 - 1 - log sigma_i^2) (kingma2019 Sec. 2.5).  -> (...)"""
    return 0.5 * np.sum(mu**2 + np.exp(2 * log_sigma) - 1 - 2 * log_sigma, axis=-1)


def sample_full(mu, L, eps):
    """z = mu + L eps, with covariance L L' (kingma2019 Sec. 2.5.1).  (..., n) -> (..., n)"""
    validate(mu, L)
    return mu + np.dot(eps, L.T)


def log_q_full(L, eps):
    """log q(z) of the sample that eps made (kingma2019 Sec. 2.5.1).  (..., n) -> (...)"""
    return gaussian_log_prob(eps, 0.0, 1.0) - np.sum(np.log(np.abs(np.diag(L))))


def kl_to_prior_full(mu, L):
    """KL[q || N(0, I)] = 1/2 (tr L L' + mu' mu - n - log det L L') (kingma2019 Sec. 2.5.1).  -> ()"""
    validate(mu, L)
    return 0.5 * (np.sum(L**2) + np.sum(mu**2) - len(mu)) - np.sum(np.log(np.abs(np.diag(L))))


def plane(n=121, reach=9.0):
    """A square grid that holds all the mass of a random case and of the prior: nodes (n*n, 2), weights (n*n,)."""
    x, w = trapezoid(-reach, reach, n)
    return onp.stack(onp.meshgrid(x, x), axis=-1).reshape(-1, 2), onp.outer(w, w).ravel()


def random_case(seed):
    """mu and log sigma, two components, and a few eps."""
    rng = onp.random.default_rng(seed)
    return {"mu": rng.normal(size=2), "log_sigma": rng.uniform(-0.9, -0.1, 2), "eps": rng.normal(size=(4, 2))}


def random_full_case(seed):
    """mu and a triangular L of which one diagonal entry is negative, and a few eps."""
    rng = onp.random.default_rng(seed)
    L = onp.diag(rng.uniform(0.5, 0.9, 2) * rng.permutation([-1.0, 1.0]))
    L[1, 0] = rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
    return {"mu": rng.normal(size=2), "L": L, "eps": rng.normal(size=(4, 2))}


def validate(mu, L):
    """Raise ValueError, saying which, if a parameter has a wrong shape, or L is not triangular, or is singular."""
    n = np.shape(mu)[-1]
    valid.vector("mu", mu, n)
    valid.shape("L", L, (n, n))
    valid.finite("L", L)
    L = getval(L)
    valid.require(not onp.any(onp.triu(L, 1)), "L must be lower triangular, but has entries above its diagonal.")
    valid.require(onp.all(onp.diag(L) != 0), "L must have no zero on its diagonal, or q has no density.")


# ---- claims ---------------------------------------------------------------------------

def density_and_divergence(log_q=log_q, kl=kl_to_prior):
    """Both formulas of the factorised q: log q at the samples, and KL[q || N(0, I)]."""
    return lambda mu, log_sigma, eps: {"log q": log_q(log_sigma, eps), "KL": kl(mu, log_sigma)}


def density_and_divergence_full(log_q=log_q_full, kl=kl_to_prior_full):
    """Both formulas of the q with full covariance."""
    return lambda mu, L, eps: {"log q": log_q(L, eps), "KL": kl(mu, L)}


def kl_by_quadrature(log_density, mu):
    """int q log(q / N(0, I)) dz on a plane around mu."""
    z, w = plane()
    z = z + mu
    log_q = log_density(z)
    return np.sum(w * np.exp(log_q) * (log_q - gaussian_log_prob(z, 0.0, 1.0)))


def factorised_oracle(mu, log_sigma, eps):
    """The density of z itself, a product of one-dimensional ones; the divergence by quadrature."""
    def log_density(z):
        s = np.exp(log_sigma)
        return sum(np.log(np.exp(-(z[:, i] - mu[i])**2 / (2 * s[i]**2)) / (s[i] * np.sqrt(2 * np.pi))) for i in (0, 1))
    return {"log q": log_density(mu + np.exp(log_sigma) * eps), "KL": kl_by_quadrature(log_density, mu)}


def full_oracle(mu, L, eps):
    """The density of z itself, from the covariance matrix; the divergence by quadrature."""
    def log_density(z): return full_gaussian_log_prob(z, mu, np.dot(L, L.T))
    return {"log q": log_density(mu + np.dot(eps, L.T)), "KL": kl_by_quadrature(log_density, mu)}


def reversed_kl(mu, log_sigma):
    """KL[N(0, I) || q]."""
    return 0.5 * np.sum((1 + mu**2) * np.exp(-2 * log_sigma) - 1 + 2 * log_sigma, axis=-1)


def covariance_case(seed):
    case = random_full_case(seed)
    return {"mu": case["mu"], "Sigma": case["L"] @ case["L"].T}


def moments(log_density):
    """int N dz, int z N dz and int (z - mu)(z - mu)' N dz on a plane around mu."""
    def integrals(mu, Sigma):
        d, w = plane()
        mass = w * np.exp(log_density(d + mu, mu, Sigma))
        return {"mass": np.sum(mass), "mean": mass @ (d + mu), "covariance": (mass[:, None] * d).T @ d}
    return integrals


CLAIMS = [
    Claim("kingma2019.A.1.norm", moments(full_gaussian_log_prob),
          equals(lambda mu, Sigma: {"mass": 1.0, "mean": mu, "covariance": Sigma}, covariance_case,
                 method="quadrature"),
          {"Sigma read as a standard deviation": moments(lambda z, mu, Sigma: full_gaussian_log_prob(
              z, mu, Sigma @ Sigma)),
           "Sigma read as a precision": moments(lambda z, mu, Sigma: full_gaussian_log_prob(
               z, mu, np.linalg.inv(Sigma))),
           "|Sigma| without its square root": moments(lambda z, mu, Sigma: full_gaussian_log_prob(z, mu, Sigma)
                                                      - 0.5 * np.linalg.slogdet(Sigma)[1]),
           "the diagonal of Sigma only": moments(lambda z, mu, Sigma: gaussian_log_prob(z, mu, np.diag(Sigma)))}),
    Claim("kingma2019.toc.2.5", density_and_divergence(),
          equals(factorised_oracle, random_case, method="quadrature"),
          {"log sigma taken for log sigma^2": density_and_divergence(
              kl=lambda mu, log_sigma: kl_to_prior(mu, log_sigma / 2)),
           "no factor 1/2": density_and_divergence(kl=lambda *args: 2 * kl_to_prior(*args)),
           "KL[N(0, I) || q]": density_and_divergence(kl=reversed_kl),
           "no Jacobian": density_and_divergence(log_q=lambda log_sigma, eps: gaussian_log_prob(eps, 0.0, 1.0)),
           "+ log sigma": density_and_divergence(log_q=lambda log_sigma, eps: log_q(-log_sigma, eps)),
           "sigma for log sigma": density_and_divergence(log_q=lambda log_sigma, eps: log_q(
               np.exp(log_sigma), eps))}),
    Claim("kingma2019.toc.2.5.1", density_and_divergence_full(),
          equals(full_oracle, random_full_case, method="quadrature"),
          {"log det S without 1/2": density_and_divergence_full(
              log_q=lambda L, eps: log_q_full(np.diag(np.diag(L)**2), eps)),
           "+ log |L_ii|": density_and_divergence_full(log_q=lambda L, eps: log_q_full(np.diag(1 / np.diag(L)), eps)),
           "the density of z as if its noise were z": density_and_divergence_full(
               log_q=lambda L, eps: log_q_full(L, np.dot(eps, L.T))),
           "tr L for tr S": density_and_divergence_full(kl=lambda mu, L: kl_to_prior_full(mu, L) + 0.5 * (
               np.trace(L) - np.sum(L**2))),
           "the diagonal of S only: no correlation": density_and_divergence_full(
               kl=lambda mu, L: kl_to_prior(mu, 0.5 * np.log(np.sum(L**2, axis=1))))}),
]
