r"""A discrete exponential family, and the Fisher equality: the score has mean zero (ou2018 Sec. 1).

    p(z; lam) = exp(lam . s(z) + r(z)) / Z(lam),   z in {0..m-1}
    score     d/dlam log p(z; lam) = s(z) - E[s],    E[score] = 0,    E[score score'] = -E[Hessian of log p]
    free c    p_hat(z; lam, c) = exp(lam . s(z) + r(z) - c),   a density iff c = log Z(lam)

Shapes: lam (d,), sufficient statistics s (m, d), log reference r (m,). The smallest family with a parameter vector,
an intractable-looking Z and everything summable: the workbench of stochastic approximation.

A Bernoulli variable at log-odds 0 has the Fisher information 1/4:

>>> import numpy as np
>>> from refdgm.models.exponential_family import fisher_information
>>> float(fisher_information(np.zeros(1), np.array([[0.0], [1.0]]), np.zeros(2))[0, 0])
0.25
"""
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import autograd.numpy as np
from autograd import hessian, make_jvp

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, vanishes
from refdgm.numerics import gaussian_log_prob, log_softmax, softmax, trapezoid


def log_p(lam, s, r):
    """log p(z; lam) for every z.  (d,), (m, d), (m,) -> (m,)"""
    return log_softmax(np.dot(s, lam) + r)


def log_p_free(lam, c, s, r):
    """log p_hat(z; lam, c), the log normaliser a parameter like the others (ou2018 Sec. 1, Eq. 40).  -> (m,)"""
    return np.dot(s, lam) + r - c


def score(lam, s, r):
    """d/dlam log p(z; lam) for every z: s(z) - E[s].  -> (m, d)"""
    return s - onp.dot(softmax(onp.dot(s, lam) + r), s)


def mean_statistics(lam, s, r):
    """E[s] under p(.; lam).  -> (d,)"""
    return np.dot(softmax(np.dot(s, lam) + r), s)


def fisher_information(lam, s, r):
    """The covariance of s, which is minus the mean Hessian of log p and the Hessian of log Z.  -> (d, d)"""
    p, g = onp.exp(log_p(lam, s, r)), score(lam, s, r)
    return (p[:, None] * g).T @ g


def random_case(seed, m=5, d=2):
    """A random parameter and family."""
    rng = onp.random.default_rng(seed)
    return {"lam": rng.normal(size=d), "s": rng.normal(size=(m, d)), "r": rng.normal(size=m)}


# ---- claims ---------------------------------------------------------------------------

class Family(NamedTuple):
    """Any density: log_p(theta, x) at the nodes x, with the weights that turn a sum over x into an integral."""
    log_p: Callable
    theta: onp.ndarray
    x: onp.ndarray
    w: onp.ndarray


def scores(family):
    """d/dtheta_i log p(x; theta) at every node, by forward differentiation.  -> (d, nodes)"""
    slope = make_jvp(lambda theta: family.log_p(theta, family.x))(family.theta)
    return onp.stack([slope(direction)[1] for direction in onp.eye(len(family.theta))])


def expected_score(families, off=0.0, power=1, root=1.0):
    """E[d/dtheta log p(x; theta)] of each family (ou2018 Mathematical Properties, Sec. 1).  -> (sum of d,)"""
    return onp.concatenate([scores(f)**power @ (f.w * onp.exp(root * f.log_p(f.theta + off, f.x))) for f in families])


def regular_case(seed):
    """A discrete family, and a bimodal one on the line whose scale and skewness are the parameters."""
    c, rng = random_case(seed), onp.random.default_rng([seed, 1])
    line = trapezoid(-60, 60, 6001)

    def log_mixture(theta, x):
        scale = np.exp(theta[0])
        parts = [gaussian_log_prob(x[:, None], 0.0, scale**2), gaussian_log_prob(x[:, None], theta[1], scale**2 / 4)]
        return np.logaddexp(parts[0] + np.log(0.6), parts[1] + np.log(0.4))
    log_discrete = partial(lambda s, r, lam, z: log_p(lam, s, r), c["s"], c["r"])
    return {"families": [Family(log_discrete, c["lam"], onp.arange(5), onp.ones(5)),
                         Family(log_mixture, rng.normal(size=2) / 3, *line)]}


def moving_support_case(seed):
    """U(0, theta): the support moves with the parameter, and the mean score is -1/theta."""
    theta = onp.random.default_rng(seed).gamma(3.0, size=1)
    return {"families": [Family(lambda t, x: -np.log(t) + 0 * x, theta, *trapezoid(0, theta[0], 11))]}


def score_size(families):
    """The largest mean absolute score."""
    return max(onp.max(onp.abs(scores(f)) @ (f.w * onp.exp(f.log_p(f.theta, f.x)))) for f in families)


def information(families, off=0.0, root=1.0, power=1):
    """The Fisher information E[score score'] of each family (ou2018 Mathematical Properties, footnote 2).  -> flat"""
    def of(f):
        g = scores(f)
        return onp.ravel(f.w * onp.exp(root * f.log_p(f.theta + off, f.x)) * g**power @ g.T)
    return onp.concatenate([of(f) for f in families])


def mean_curvature(families):
    """The oracle: minus the Hessian, by autograd, of E[log p(x; theta')] in theta' at theta."""
    def of(f):
        law = f.w * onp.exp(f.log_p(f.theta, f.x))
        return onp.ravel(-hessian(lambda theta: np.sum(law * f.log_p(theta, f.x)))(f.theta))
    return onp.concatenate([of(f) for f in families])


def log_p_by_products(lam, s, r):
    """The oracle of log p, in plain Python: u(z) = prod_i exp(lam_i s_i(z)), divided by its sum."""
    u = [math.exp(r_z) * math.prod(math.exp(lam_i * s_i) for lam_i, s_i in zip(lam, s_z)) for s_z, r_z in zip(s, r)]
    return onp.array([math.log(u_z / math.fsum(u)) for u_z in u])


def with_c(c):
    """log p_hat with c taken from the sum of exp(u)."""
    return lambda lam, s, r: log_p_free(lam, c(onp.sum(onp.exp(onp.dot(s, lam) + r))), s, r)


CLAIMS = [
    Claim("ou2018.sym.nce_param", with_c(onp.log), equals(log_p_by_products, random_case),
          {"c = Z, not its logarithm": with_c(lambda Z: Z),
           "sign: u + c": with_c(lambda Z: -onp.log(Z)),
           "c = 0: exp(u) taken for a density": with_c(lambda Z: 0.0)}),
    Claim("ou2018.fisher", expected_score, vanishes(score_size, regular_case, method="quadrature"),
          {"expectation under another parameter": lambda families: expected_score(families, off=0.1),
           "the squared score: its mean is the Fisher information": lambda families: expected_score(families, power=2),
           "expectation under sqrt p": lambda families: expected_score(families, root=0.5)},
          without=vanishes(score_size, moving_support_case, method="quadrature")),
    Claim("ou2018.x_fisher_information", information,
          equals(mean_curvature, regular_case, rtol=GRADIENT, method="quadrature"),
          {"the mean Hessian itself, without its minus": lambda families: -information(families),
           "expectation under another parameter": lambda families: information(families, off=0.1),
           "expectation under sqrt p": lambda families: information(families, root=0.5),
           "the sign of one score": lambda families: information(families, power=0)},
          without=equals(mean_curvature, moving_support_case, rtol=GRADIENT, method="quadrature")),
]
