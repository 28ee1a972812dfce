r"""The best baseline of the score-function gradient, and its variance in closed form (ou2018 Sec. 3.2.1, NVIL).

One draw h ~ q(.|x), with the learning signal l = log p(x, h) - log q(h|x) and the score s = dlog q(h|x)/dphi, estimates
g = dL/dphi by (l - C) s. All components together its variance is a parabola in the baseline C:

    V(C) = V(C*) + (C - C*)^2 E|s|^2          C*    = E[l |s|^2] / E|s|^2
                                              V(C*) = E[l^2 |s|^2] - E[l |s|^2]^2 / E|s|^2 - |g|^2

Centring, C = E[l] = L(x), is not the best: it forgets that some h have a longer score than others.
Shapes: x (D,), C (n,) baselines to compare. The means are sums over all h; the model is refdgm.models.sbn.

The variance with C = L(x), and with C*:

    >>> from refdgm.directed.optimal_baseline import best_baseline, mean_signal, sbn, variance
    >>> case = sbn.random_case(0)
    >>> [round(float(variance(**case, C=C(**case))), 4) for C in (mean_signal, best_baseline)]
    [0.1254, 0.1223]
"""
import autograd.numpy as np
from autograd import jacobian
from autograd.misc import flatten

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import sbn
from refdgm.numerics import weighted_sum


def squared_score(phi, x):
    """|dlog q(h|x)/dphi|^2 for every h.  -> (2**H,)"""
    scores = sbn.score_phi(phi, x, sbn.all_binary(len(phi["c"])))
    return sum(np.sum(leaf**2, axis=tuple(range(1, leaf.ndim))) for leaf in scores.values())


def signal(theta, phi, x):
    """l = log p(x, h) - log q(h|x) for every h.  -> (2**H,)"""
    return sbn.log_joint_table(theta, x) - sbn.log_q_table(phi, x)


def best_baseline(theta, phi, x):
    """C* = E[l |s|^2] / E|s|^2.  -> ()"""
    weight = np.exp(sbn.log_q_table(phi, x)) * squared_score(phi, x)
    return weight @ signal(theta, phi, x) / np.sum(weight)


def least_variance(theta, phi, x):
    """V(C*) (implied by ou2018 Sec. 3.2.1).  -> ()"""
    q, log_ratio, size = np.exp(sbn.log_q_table(phi, x)), signal(theta, phi, x), squared_score(phi, x)
    g = weighted_sum(q * log_ratio, sbn.score_phi(phi, x, sbn.all_binary(len(phi["c"]))))
    second = q @ (log_ratio**2 * size) - (q @ (log_ratio * size))**2 / (q @ size)
    return second - sum(np.sum(leaf**2) for leaf in g.values())


def variance(theta, phi, x, C, best=best_baseline, curvature=1.0):
    """V(C) = V(C*) + (C - C*)^2 E|s|^2; `best` and `curvature` are changed by mistakes.  (n,) -> (n,)"""
    mean_size = np.exp(sbn.log_q_table(phi, x)) @ squared_score(phi, x)
    return least_variance(theta, phi, x) + curvature * (C - best(theta, phi, x))**2 * mean_size


# ---- claims ---------------------------------------------------------------------------

def draw_by_draw(theta, phi, x, C):
    """The oracle: the variance of (l - C) s about its mean, with the scores by autograd."""
    q = onp.exp(sbn.log_q_table(phi, x))
    flat, unflatten = flatten(phi)
    scores = jacobian(lambda v: sbn.log_q_table(unflatten(v), x))(flat)
    draws = (onp.log(onp.exp(sbn.log_joint_table(theta, x)) / q) - C[:, None])[:, :, None] * scores
    return onp.sum(q[:, None] * (draws - onp.tensordot(draws, q, (1, 0))[:, None])**2, axis=(1, 2))


def baselines_case(seed):
    """No baseline, one that is drawn, L(x) and C*."""
    case = sbn.random_case(seed)
    q, log_ratio = onp.exp(sbn.log_q_table(case["phi"], case["x"])), signal(**case)
    drawn = 3.0 * onp.random.default_rng([seed, 1]).normal()
    return {**case, "C": onp.array([0.0, drawn, q @ log_ratio, best_baseline(**case)])}


def mean_signal(theta, phi, x):
    return np.exp(sbn.log_q_table(phi, x)) @ signal(theta, phi, x)


CLAIMS = [
    Claim("ou2018.x_nvil_best", variance, equals(draw_by_draw, baselines_case),
          {"the mean signal is the best baseline": lambda **c: variance(**c, best=mean_signal),
           "no baseline is the best": lambda **c: variance(**c, best=lambda *_: 0.0),
           "half the curvature": lambda **c: variance(**c, curvature=0.5),
           "all h have scores of one length": lambda theta, phi, x, C: least_variance(theta, phi, x)
               + (C - mean_signal(theta, phi, x))**2 * onp.mean(squared_score(phi, x))}),
]
