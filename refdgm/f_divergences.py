r"""The convex f of the f-divergences D_f[p||q] = sum q f(p/q), and for each its f', f*, domain and activation.

    f*(t) = sup_{u >= 0} ut - f(u),      (f*)' is the inverse of f'

Conventions, those of the f-GAN paper (Nowozin et al. 2016, Table 6); others in use differ by a factor or a constant:

    jensen-shannon      D_f = 2 JS[p||q], at most log 4
    weighted j.-s.      D_f = w KL[p||m] + (1 - w) KL[q||m], so w = 1/2 is JS[p||q] itself, half the row above
    gan                 D_f = 2 JS[p||q] - log 4: the one f with f(1) = -log 4 and not 0
    squared hellinger   D_f = sum (sqrt p - sqrt q)^2, without 1/2
    jeffrey             D_f = KL[p||q] + KL[q||p], without 1/2
    total variation     D_f = sum |p - q| / 2
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import softplus

LOG_2 = float(onp.log(2.0))


class FDivergence(NamedTuple):
    """A convex f on u >= 0 and what belongs to it; every function works elementwise and differentiates.

    dom f* is everything up to slopes[1], which is f'(inf). Below slopes[0] = f'(0), where that is finite, f* has the
    constant value -f(0): u cannot become negative.
    """
    f: Callable
    derivative: Callable            # f'(u)
    conjugate: Callable             # f*(t) = sup_{u >= 0} ut - f(u)
    second: Callable                # f''(u)
    inverse_derivative: Callable    # (f*)'(t), the u with f'(u) = t
    slopes: tuple                   # f'(0) and f'(inf): f' has its values between them
    at_log: Callable                # f'(exp(v)), without overflow in exp(v)
    activation: Callable            # the f-GAN paper's g_f(v), increasing (its Table 6 has some with -v for v)


def alpha_divergence(alpha):
    """f(u) = (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1)), alpha not 0 or 1, where it becomes reverse KL and KL.

    alpha = 2 is Pearson / 2, alpha = -1 is Neyman / 2, alpha = 1/2 is squared Hellinger * 2.
    """
    valid.require(onp.isfinite(alpha) and alpha not in (0, 1),
                  f"alpha must be a number other than 0 and 1 (those are reverse KL and KL), but is {alpha}.")
    a, end = alpha - 1, 1 / (1 - alpha)

    def base(t):
        return np.maximum(1 + a * t, 0.0) if a > 0 else 1 + a * t
    return FDivergence(lambda u: (u**alpha - 1 - alpha * (u - 1)) / (alpha * a), lambda u: (u**a - 1) / a,
                       lambda t: (base(t)**(alpha / a) - 1) / alpha, lambda u: u**(alpha - 2),
                       lambda t: base(t)**(1 / a), (end, onp.inf) if a > 0 else (-onp.inf, end),
                       lambda v: np.expm1(a * v) / a, lambda v: v if a > 0 else end - softplus(-v))


def weighted_jensen_shannon(weight):
    """D_f = weight KL[p||m] + (1 - weight) KL[q||m] with m = weight p + (1 - weight) q; weight 1/2 is JS[p||q]."""
    valid.require(0 < weight < 1, f"the weight of p must be between 0 and 1, but is {weight}.")
    w, other, end = weight, 1 - weight, -weight * onp.log(weight)
    return FDivergence(lambda u: w * u_log_u(u) - (other + w * u) * np.log(other + w * u),
                       lambda u: -w * np.log(w + other / u),
                       lambda t: other * np.log(other / (1 - w * np.exp(t / w))),
                       lambda u: w * other / (u * (other + w * u)), lambda t: other / (np.exp(-t / w) - w),
                       (-onp.inf, end),
                       lambda v: -w * np.logaddexp(onp.log(w), onp.log(other) - v), lambda v: end - softplus(-v))


def u_log_u(u):
    """u log u, and 0 at u = 0."""
    positive = getval(u) > 0
    return np.where(positive, u * np.log(np.where(positive, u, 1.0)), 0.0)


@primitive
def wright_omega(z):
    """The w with w + log w = z, that is Lambert's W(exp(z)) without overflow.

    Three steps of order four (Fritsch, Shafer and Crowley 1973). Below -50 w is exp(z) to rounding, above 1e20 z.
    """
    near = onp.minimum(onp.maximum(z, -50.0), 1e20)
    low, high = onp.minimum(near, 0.0), onp.maximum(near, 0.0)          # near is their sum
    w = onp.log1p(onp.exp(low)) + high
    for _ in range(3):
        r, above = high + onp.log(onp.exp(low) / w) - w, 1 + w
        q = 2 * above * (above + 2 / 3 * r)
        w = w * (1 + r / above * (q - r) / (q - 2 * r))
    return onp.where(near == z, w, onp.where(z < 0, onp.exp(onp.minimum(z, 0.0)), z))[()]


defvjp(wright_omega, lambda w, z: lambda g: g * w / (1 + w))


def jeffrey_conjugate(t):
    """With w = 1/u at the supremum, where w + log w = 1 - t."""
    w = wright_omega(1 - t)
    return w + 1 / w + t - 2


F_DIVERGENCES = {
    "kl": FDivergence(u_log_u, lambda u: 1 + np.log(u), lambda t: np.exp(t - 1),
                      lambda u: 1 / u, lambda t: np.exp(t - 1), (-onp.inf, onp.inf),
                      lambda v: 1 + v, lambda v: v),
    "reverse kl": FDivergence(lambda u: -np.log(u), lambda u: -1 / u, lambda t: -1 - np.log(-t),
                              lambda u: 1 / u**2, lambda t: -1 / t, (-onp.inf, 0.0),
                              lambda v: -np.exp(-v), lambda v: -np.exp(-v)),
    "jeffrey": FDivergence(lambda u: (u - 1) * np.log(u), lambda u: np.log(u) + 1 - 1 / u, jeffrey_conjugate,
                           lambda u: 1 / u + 1 / u**2, lambda t: 1 / wright_omega(1 - t), (-onp.inf, onp.inf),
                           lambda v: v - np.expm1(-v), lambda v: v),
    "pearson": FDivergence(lambda u: (u - 1)**2, lambda u: 2 * (u - 1),
                           lambda t: np.where(t > -2, t + t**2 / 4, -1.0),
                           lambda u: 2 + 0 * u, lambda t: np.maximum(1 + t / 2, 0.0), (-2.0, onp.inf),
                           lambda v: 2 * np.expm1(v), lambda v: v),
    "neyman": FDivergence(lambda u: (u - 1)**2 / u, lambda u: 1 - 1 / u**2, lambda t: 2 - 2 * np.sqrt(1 - t),
                          lambda u: 2 / u**3, lambda t: 1 / np.sqrt(1 - t), (-onp.inf, 1.0),
                          lambda v: -np.expm1(-2 * v), lambda v: -np.expm1(-v)),
    "squared hellinger": FDivergence(lambda u: (np.sqrt(u) - 1)**2, lambda u: 1 - 1 / np.sqrt(u),
                                     lambda t: t / (1 - t), lambda u: 0.5 / u**1.5, lambda t: 1 / (1 - t)**2,
                                     (-onp.inf, 1.0), lambda v: -np.expm1(-v / 2), lambda v: -np.expm1(-v)),
    "jensen-shannon": FDivergence(lambda u: u_log_u(u) - (u + 1) * np.log((u + 1) / 2),
                                  lambda u: LOG_2 - np.log1p(1 / u), lambda t: -np.log1p(-np.expm1(t)),
                                  lambda u: 1 / (u * (u + 1)), lambda t: 1 / (2 * np.exp(-t) - 1), (-onp.inf, LOG_2),
                                  lambda v: LOG_2 - softplus(-v), lambda v: LOG_2 - softplus(-v)),
    "weighted jensen-shannon": weighted_jensen_shannon(0.3),
    "gan": FDivergence(lambda u: u_log_u(u) - (u + 1) * np.log1p(u), lambda u: -np.log1p(1 / u),
                       lambda t: -np.log(-np.expm1(t)), lambda u: 1 / (u * (u + 1)), lambda t: 1 / np.expm1(-t),
                       (-onp.inf, 0.0), lambda v: -softplus(-v), lambda v: -softplus(-v)),
    "total variation": FDivergence(lambda u: np.abs(u - 1) / 2, lambda u: np.sign(u - 1) / 2,
                                   lambda t: np.maximum(t, -0.5), lambda u: 0 * u,      # everywhere but at u = 1
                                   lambda t: np.where(t > -0.5, 1.0, 0.0), (-0.5, 0.5),
                                   lambda v: np.sign(v) / 2, lambda v: np.tanh(v) / 2),
    "alpha 0.4": alpha_divergence(0.4),
    "alpha 1.7": alpha_divergence(1.7),
}

SMOOTH = ("kl", "reverse kl", "jensen-shannon", "squared hellinger", "pearson", "neyman")    # f(1) = 0, f smooth


def named(name):
    """The entry of F_DIVERGENCES, or a ValueError that says which there are."""
    valid.require(name in F_DIVERGENCES, f"there is no f-divergence {name!r}: there are {', '.join(F_DIVERGENCES)}.")
    return F_DIVERGENCES[name]


def in_domain(d, s):
    """Arguments of f*, one for each number s, increasing: s itself, or what stays below the end of dom f*."""
    end = d.slopes[1]
    return s if end == onp.inf else end - np.exp(-s)
