r"""The inverse autoregressive flow (ou2018 Sec. 3.2.1; Kingma et al. 2016).

    z_i = mu_i(eps_<i) + sigma_i(eps_<i) eps_i
    dz/deps is triangular with the diagonal sigma, so  log |det| = sum_i log sigma_i

All z_i are computed at once from eps, and the log-determinant costs nothing.
net = {"M": (n, n), "m": (n,), "S": (n, n), "s": (n,)};  mu = M tanh(eps) + m  and  log sigma = S tanh(eps) + s, where
only what is strictly below the diagonal of M and S is used. eps and z : (..., n).

The sum of the log sigma_i, and the log-determinant of the whole Jacobian:

    >>> from refdgm.directed.inverse_autoregressive_flow import log_det, log_det_by_autodiff, random_case
    >>> [round(float(value(**random_case(0))[0]), 3) for value in (log_det, log_det_by_autodiff)]
    [1.811, 1.811]
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals


def transform(net, eps):
    """z and log sigma, each component from those of eps before it (ou2018 Sec. 3.2.1).  (..., n) -> 2 times (..., n)"""
    seen = np.tanh(eps)
    log_sigma = np.dot(seen, np.tril(net["S"], -1).T) + net["s"]
    return np.dot(seen, np.tril(net["M"], -1).T) + net["m"] + np.exp(log_sigma) * eps, log_sigma


def log_det(net, eps):
    """log |det dz/deps| = sum_i log sigma_i(eps_<i).  (..., n) -> (...)"""
    return np.sum(transform(net, eps)[1], axis=-1)


def random_case(seed, n=4):
    rng = onp.random.default_rng(seed)
    return {"net": {"M": rng.normal(size=(n, n)), "m": rng.normal(size=n), "S": rng.normal(size=(n, n)) / 2,
                    "s": rng.normal(size=n)}, "eps": rng.normal(size=(3, n))}


# ---- claims ---------------------------------------------------------------------------

def log_det_by_autodiff(net, eps):
    """log |det| of the full Jacobian matrix at each eps."""
    return np.array([np.linalg.slogdet(jacobian(lambda e: transform(net, e)[0])(e))[1] for e in eps])


def log_det_of_unmasked(net, eps):
    """The same for a net in which z_i sees eps_i and all that comes after it."""
    def z(e):
        seen = np.tanh(e)
        return np.dot(seen, net["M"].T) + net["m"] + np.exp(np.dot(seen, net["S"].T) + net["s"]) * e
    return np.array([np.linalg.slogdet(jacobian(z)(e))[1] for e in eps])


CLAIMS = [
    Claim("ou2018.iaf", log_det, equals(log_det_by_autodiff, random_case, method="autodiff"),
          {"the inverse's: - sum log sigma": lambda net, eps: -log_det(net, eps),
           "sum sigma": lambda net, eps: np.sum(np.exp(transform(net, eps)[1]), axis=-1),
           "prod log sigma": lambda net, eps: np.prod(transform(net, eps)[1], axis=-1),
           "sigma taken for a variance": lambda net, eps: log_det(net, eps) / 2,
           "sigma_i sees eps_i": lambda net, eps: np.sum(
               np.dot(np.tanh(eps), np.tril(net["S"]).T) + net["s"], axis=-1)},
          without=equals(log_det_of_unmasked, random_case, method="autodiff")),
]
