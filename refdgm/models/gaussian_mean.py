r"""The mean of a Gaussian with known noise and a Gaussian prior: exact Bayesian inference in any dimension.

    p(theta) = N(m, V)    p_theta(x) = N(theta, S)    p_theta(X) = prod_i p_theta(x_i)

    p(theta|X) = N(theta_MAP, (V^{-1} + N S^{-1})^{-1}),   theta_MAP = m + V (V + S / N)^{-1} (xbar - m)

prior = {"m": (d,), "V": (d, d)};  S (d, d);  X (..., N, d) or its mean xbar (..., d);  theta (..., d).

One datum of noise 1 against a prior of variance 1: the posterior has half of the variance.

>>> import numpy as np
>>> from refdgm.models.gaussian_mean import posterior
>>> prior = {"m": np.zeros(1), "V": np.eye(1)}
>>> float(posterior(prior, np.eye(1), np.array([[3.0]]))[1][0, 0])
0.5
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import full_gaussian_log_prob


def log_prior(prior, theta):
    """log p(theta).  (..., d) -> (...)"""
    return full_gaussian_log_prob(theta, prior["m"], prior["V"])


def log_likelihood(theta, S, X):
    """log p_theta(X), a sum over the N rows.  (d,), (N, d) -> ()"""
    return np.sum(full_gaussian_log_prob(X, theta, S))


def log_evidence(prior, S, X):
    """log p(X): the N rows as one Gaussian vector whose parts share theta.  (N, d) -> ()"""
    validate(prior, S, X)
    N, d = X.shape
    covariance = onp.kron(onp.eye(N), S) + onp.kron(onp.ones((N, N)), prior["V"])
    return full_gaussian_log_prob(onp.reshape(X, N * d), onp.tile(prior["m"], N), covariance)


def posterior(prior, S, X):
    """Mean and covariance of p(theta|X): precisions add up.  (N, d) -> (d,), (d, d)"""
    validate(prior, S, X)
    V_inv, S_inv = onp.linalg.inv(prior["V"]), onp.linalg.inv(S)
    covariance = onp.linalg.inv(V_inv + len(X) * S_inv)
    return covariance @ (V_inv @ prior["m"] + S_inv @ onp.sum(X, axis=0)), covariance


def random_covariance(rng, d):
    """A full covariance matrix with eigenvalues of order one."""
    A = rng.normal(size=(d, d + 1)) / 2
    return A @ A.T + onp.diag(rng.uniform(0.3, 0.6, d))


def random_case(seed, d=2, N=4):
    """A random prior, noise and data; the data do not come from the prior's mean."""
    rng = onp.random.default_rng(seed)
    prior = {"m": rng.normal(size=d), "V": random_covariance(rng, d)}
    return {"prior": prior, "S": random_covariance(rng, d), "X": rng.normal(size=d) + rng.normal(size=(N, d))}


def validate(prior, S, X):
    """Raise ValueError, saying which, if a parameter or the data have a wrong shape, are not finite or not positive."""
    d = onp.shape(prior["m"])[-1]
    valid.parameters("prior", prior, {"m": (d,), "V": (d, d)})
    valid.shape("S", S, (d, d))
    valid.vector("X", X, d)
    for name, matrix in (("prior['V']", prior["V"]), ("S", S)):
        smallest = onp.linalg.eigvalsh(matrix)[0]
        valid.require(smallest > 0, f"{name} must be positive definite, but has the eigenvalue {smallest:.3g}.")
