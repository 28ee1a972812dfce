r"""What a restricted family of inference models cannot reach (ou2018 Sec. 3.2.1).

In the linear-Gaussian model p(h|x) = N(m(x), Lambda^{-1}), and the best q with independent blocks B of h is
N(m(x), blockdiag Lambda_BB^{-1}): conditional variances, not the posterior's marginal ones. Its gap is free of x:

    min_{q in Q} KL[q || p(h|x)] = (1/2) (sum_B log det Lambda_BB - log det Lambda)

zero for Q = all Gaussians, positive for factorised q unless Lambda is diagonal, and smaller for coarser blocks.
blocks is a list of lists of indices of h; theta and x are those of models.linear_gaussian.

Two latents with Lambda = [[2, 1], [1, 2]]: the gap is log(4/3) / 2.

    >>> import numpy as np
    >>> from refdgm.directed.expressive import smallest_gap
    >>> theta = {"W": np.ones((1, 2)), "b": np.zeros(1), "Psi": np.eye(1)}
    >>> round(float(smallest_gap(theta, blocks=[[0], [1]])), 3)
    0.144
"""
import autograd.numpy as np
from autograd import grad, hessian, value_and_grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most
from refdgm.models import linear_gaussian as model
from refdgm.numerics import LOG_2PI

FACTORISED, PAIR, FULL = [[0], [1], [2]], [[0, 1], [2]], [[0, 1, 2]]


def smallest_gap(theta, blocks):
    """min KL[q || p(h|x)] over Gaussians with independent blocks, for every x (ou2018 Sec. 3.2.1).  -> ()"""
    precision = model.posterior_precision(theta)
    valid.require(sorted(sum(blocks, [])) == list(range(len(precision))),
                  f"the blocks must hold each of the {len(precision)} latents once, but are {blocks}.")
    return 0.5 * (sum(_log_det(precision[onp.ix_(B, B)]) for B in blocks) - _log_det(precision))


def _log_det(A):
    return np.linalg.slogdet(A)[1]


def random_case(seed):
    case = model.random_case(seed, D=4, H=3)
    return {"theta": case["theta"], "x": case["x"]}


# ---- the oracle -----------------------------------------------------------------------

def searched_gap(theta, x, family):
    """log p(x) - max L(x) over q = N(m, L L') with L = family(free entries), by numerical ascent of the bound.

    log p(x, h) is quadratic in h, so its expectation needs no more than its slope and curvature at h = 0.
    """
    from scipy.optimize import minimize

    def log_joint(h): return model.log_joint(theta, x, h)
    zero = onp.zeros(3)
    slope, curvature = grad(log_joint)(zero), hessian(log_joint)(zero)

    def negative_bound(free):
        m, L = free[:3], family(np.reshape(free[3:], (3, 3)))
        quadratic = np.dot(m, np.dot(curvature, m)) + np.sum(L * np.dot(curvature, L))
        return -np.dot(slope, m) - 0.5 * quadratic - np.sum(np.log(np.abs(np.diag(L))))
    begin = onp.concatenate([zero, onp.eye(3).ravel()])
    found = minimize(value_and_grad(negative_bound), begin, jac=True, method="BFGS", options={"gtol": 1e-8})
    entropy_of_unit = 1.5 * (1 + LOG_2PI)
    return model.log_marginal(theta, x) - log_joint(zero) - entropy_of_unit + found.fun


def block_family(blocks):
    """Lower triangular factors L that are zero between different blocks."""
    mask = onp.tril(sum(onp.outer(onp.isin(range(3), B), onp.isin(range(3), B)) for B in blocks))
    return lambda free: free * mask


def unit_variance_family(free):
    """Correlations as one likes, but unit variances: as many parameters as a factorised q, and not nested with it."""
    L = free * onp.tril(onp.ones((3, 3)))
    return L / np.sqrt(np.sum(L**2, axis=1, keepdims=True))


# ---- claims ---------------------------------------------------------------------------

def searched(*families):
    return lambda theta, x: np.array([searched_gap(theta, x, family) for family in families])


def smallest(*partitions):
    return lambda theta, x: np.array([smallest_gap(theta, blocks) for blocks in partitions])


def gap_of_marginal_variances(theta, x):
    covariance = np.linalg.inv(model.posterior_precision(theta))
    return np.array([model.kl_gaussian(np.zeros(3), np.diag(np.diag(covariance)), np.zeros(3), covariance)])


def smallest_reversed_kl(theta, x):
    """min over factorised q of KL[p(h|x) || q]: the same number for two latents, not for three."""
    covariance = np.linalg.inv(model.posterior_precision(theta))
    return np.array([0.5 * (np.sum(np.log(np.diag(covariance))) - _log_det(covariance))])


CLAIMS = [
    Claim("ou2018.mismatch_gap", smallest(FACTORISED), equals(searched(block_family(FACTORISED)), random_case,
                                                              method="optimisation"),
          {"no gap": lambda theta, x: np.zeros(1),
           "the posterior's marginal variances": gap_of_marginal_variances,
           "the other KL": smallest_reversed_kl,
           "no 1/2": lambda theta, x: 2 * smallest(FACTORISED)(theta, x),
           "as of two blocks": smallest(PAIR)}),
    Claim("ou2018.expressive", smallest(PAIR, FULL),
          is_at_most(searched(block_family(FACTORISED), block_family(PAIR)), random_case, method="optimisation"),
          {"a richer family does worse": smallest(FACTORISED, FACTORISED),
           "a richer family gains nothing": smallest(FACTORISED, PAIR),
           "as many parameters, but not nested": lambda theta, x: np.append(
               searched(unit_variance_family)(theta, x), smallest_gap(theta, FULL))}),
]
