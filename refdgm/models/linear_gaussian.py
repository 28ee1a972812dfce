r"""The linear-Gaussian latent variable model (factor analysis): everything in closed form, in any dimension.

    p(h) = N(0, I)    p(x|h) = N(W h + b, Psi)    q(h|x) = N(V x + c, S)

    p(x)   = N(b, W W' + Psi)
    p(h|x) = N(m(x), Lambda^{-1}),   Lambda = I + W' Psi^{-1} W,   m(x) = Lambda^{-1} W' Psi^{-1} (x - b)

The one continuous model in which the bound, its gap and its gradients need no quadrature. Each line is derived, and
run, in derivations/linear_gaussian_posterior.py.

theta = {"W": (D, H), "b": (D,), "Psi": (D, D)} with Psi symmetric positive definite;
phi = {"V": (H, D), "c": (H,), "S": (H, H)} likewise. x : (..., D), h : (..., H); leading axes broadcast.

The bound, and log p(x), which it leaves by KL[q(h|x) || p(h|x)]:

>>> from refdgm.models.linear_gaussian import elbo, log_marginal, random_case
>>> theta, phi, x = random_case(0).values()
>>> round(float(elbo(theta, phi, x)), 2), round(float(log_marginal(theta, x)), 2)
(-19.93, -14.4)
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import full_gaussian_log_prob, gaussian_log_prob


def log_prior(h):
    """log N(h; 0, I).  (..., H) -> (...)"""
    return gaussian_log_prob(h, 0.0, 1.0)


def log_likelihood(theta, x, h):
    """log p(x|h) = log N(x; W h + b, Psi).  (..., D), (..., H) -> (...)"""
    return full_gaussian_log_prob(x, np.dot(h, theta["W"].T) + theta["b"], theta["Psi"])


def log_joint(theta, x, h):
    """log p(x, h).  (..., D), (..., H) -> (...)"""
    return log_prior(h) + log_likelihood(theta, x, h)


def log_q(phi, x, h):
    """log q(h|x) = log N(h; V x + c, S).  (..., D), (..., H) -> (...)"""
    return full_gaussian_log_prob(h, np.dot(x, phi["V"].T) + phi["c"], phi["S"])


def reparameterise(phi, x, eps):
    """h = V x + c + L eps with L L' = S: distributed as q(.|x) for eps ~ N(0, I).  (..., D), (..., H) -> (..., H)"""
    return np.dot(x, phi["V"].T) + phi["c"] + np.dot(eps, np.linalg.cholesky(phi["S"]).T)


# ---- exact, in closed form ------------------------------------------------------------

def log_marginal(theta, x):
    """log p(x) = log N(x; b, W W' + Psi).  (..., D) -> (...)"""
    validate(theta, x)
    return full_gaussian_log_prob(x, theta["b"], np.dot(theta["W"], theta["W"].T) + theta["Psi"])


def posterior_precision(theta):
    """Lambda = I + W' Psi^{-1} W.  -> (H, H)"""
    validate(theta)
    W = theta["W"]
    return np.eye(W.shape[1]) + np.dot(W.T, np.linalg.solve(theta["Psi"], W))


def posterior_mean(theta, x):
    """m(x) = Lambda^{-1} W' Psi^{-1} (x - b).  (..., D) -> (..., H)"""
    gain = np.linalg.solve(posterior_precision(theta), np.linalg.solve(theta["Psi"], theta["W"]).T)
    return np.dot(x - theta["b"], gain.T)


def log_posterior(theta, x, h):
    """log p(h|x).  (..., D), (..., H) -> (...)"""
    return full_gaussian_log_prob(h, posterior_mean(theta, x), np.linalg.inv(posterior_precision(theta)))


def kl_gaussian(mean0, covariance0, mean1, covariance1):
    """KL[N(mean0, covariance0) || N(mean1, covariance1)] in nats.  means (..., n), covariances (n, n) -> (...)"""
    d = mean1 - mean0
    precision1 = np.linalg.inv(covariance1)
    log_det0, log_det1 = np.linalg.slogdet(covariance0)[1], np.linalg.slogdet(covariance1)[1]
    squared = np.sum(d * np.dot(d, precision1), axis=-1)
    return 0.5 * (np.trace(np.dot(precision1, covariance0)) + squared - d.shape[-1] + log_det1 - log_det0)


def elbo(theta, phi, x):
    """L(x) = log p(x) - KL[q(h|x) || p(h|x)] (ou2018 Eq. 7).  (..., D) -> (...)"""
    gap = kl_gaussian(np.dot(x, phi["V"].T) + phi["c"], phi["S"],
                      posterior_mean(theta, x), np.linalg.inv(posterior_precision(theta)))
    return log_marginal(theta, x) - gap


# ---- scores by hand -------------------------------------------------------------------

def score_theta(theta, x, h):
    """The gradient of log p(x, h) in theta, for a whole batch.  (..., D), (..., H) -> dict of (..., *leaf)

    With the residual r = Psi^{-1} (x - W h - b):  dW = r h',  db = r,  dPsi = (r r' - Psi^{-1}) / 2.
    """
    precision = onp.linalg.inv(theta["Psi"])
    r = (x - onp.dot(h, theta["W"].T) - theta["b"]) @ precision
    return {"W": r[..., :, None] * h[..., None, :], "b": r,
            "Psi": (r[..., :, None] * r[..., None, :] - precision) / 2}


def score_phi(phi, x, h):
    """The gradient of log q(h|x) in phi, for a whole batch.  (..., D), (..., H) -> dict of (..., *leaf)"""
    precision = onp.linalg.inv(phi["S"])
    r = (h - onp.dot(x, phi["V"].T) - phi["c"]) @ precision
    return {"V": r[..., :, None] * x[..., None, :], "c": r,
            "S": (r[..., :, None] * r[..., None, :] - precision) / 2}


def random_case(seed, D=3, H=2):
    """A random theta, phi and one x (D,); Psi and S are full matrices."""
    rng = onp.random.default_rng(seed)

    def covariance(n):
        A = rng.normal(size=(n, n + 1)) / 2
        return A @ A.T + onp.diag(rng.uniform(0.3, 0.6, n))
    theta = {"W": rng.normal(size=(D, H)), "b": rng.normal(size=D), "Psi": covariance(D)}
    phi = {"V": rng.normal(size=(H, D)) / 2, "c": rng.normal(size=H), "S": covariance(H)}
    return {"theta": theta, "phi": phi, "x": rng.normal(size=D) * 1.5}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape, is not finite, or Psi is no covariance."""
    D, H = valid.matrix("theta", theta, "W")
    valid.parameters("theta", theta, {"W": (D, H), "b": (D,), "Psi": (D, D)})
    Psi = getval(theta["Psi"])
    valid.require(onp.allclose(Psi, Psi.T), "theta['Psi'] must be symmetric.")
    smallest = onp.linalg.eigvalsh(Psi)[0]
    valid.require(smallest > 0, f"theta['Psi'] must be positive definite, but has the eigenvalue {smallest:.3g}.")
    if x is not None:
        valid.vector("x", x, D)
