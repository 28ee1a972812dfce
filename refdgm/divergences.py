r"""Divergences between distributions on a finite set, and the variational bound on an f-divergence.

    H[p] = -sum p log p                                              (ou2018 Notations, Sec. 1)
    KL[p||q] = sum p log p/q     inclusive (forward) for the target p; KL[q||p] is exclusive (reverse)
    JS[p||q] = KL[p||m]/2 + KL[q||m]/2,  m = (p + q)/2
    KLsym[p||q] = (KL[p||q] + KL[q||p]) / 2
    D_f[p||q] = sum q f(p/q) >= F_f(T) = sum p T - sum q f*(T)       (ou2018 Eqs. 26-27)

Conventions, those of the f-GAN paper (Nowozin et al. 2016, Table 6); others in use differ by a factor or a constant:

    jensen-shannon      D_f = 2 JS[p||q], at most log 4
    weighted j.-s.      D_f = w KL[p||m] + (1 - w) KL[q||m], so w = 1/2 is JS[p||q] itself, half the row above
    gan                 D_f = 2 JS[p||q] - log 4: the one f with f(1) = -log 4 and not 0
    squared hellinger   D_f = sum (sqrt p - sqrt q)^2, without 1/2
    jeffrey             D_f = KL[p||q] + KL[q||p], without 1/2
    total variation     D_f = sum |p - q| / 2

Shapes: p, q, T (n,). Everything is in nats.
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import entropy, gaussian_log_prob, kl, softplus, trapezoid

LOG_2 = float(onp.log(2.0))


def js(p, q):
    """JS[p||q] in nats, at most log 2 (ou2018 Notations, Sec. 1).  (n,), (n,) -> ()"""
    m = (p + q) / 2
    return kl(p, m) / 2 + kl(q, m) / 2


def kl_symmetric(p, q):
    """KLsym[p||q], half of Jeffreys' divergence (ou2018 Notations, Sec. 1).  (n,), (n,) -> ()"""
    return (kl(p, q) + kl(q, p)) / 2


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


def f_divergence(name, p, q):
    """D_f[p||q] = sum q f(p/q) (ou2018 Eq. 26).  (n,), (n,) -> ()

    Raises ValueError unless p and q are distributions and q > 0 wherever p > 0; states with p = q = 0 do not count.
    """
    f = named(name).f
    valid.distribution("p", p)
    valid.distribution("q", q)
    valid.covers("q", q, "p", p)
    present = getval(q) > 0
    return np.sum(q * f(np.where(present, p, 1.0) / np.where(present, q, 1.0)))


def f_bound(name, p, q, T):
    """F_f(T) = E_p[T] - E_q[f*(T)] <= D_f[p||q], tight at T = f'(p/q) (ou2018 Eq. 27).  (n,), (n,), (n,) -> ()

    Raises ValueError where T is above dom f*.
    """
    d = named(name)
    largest = onp.max(getval(T))
    valid.require(largest <= d.slopes[1], f"T must be in the domain of f*, at most {d.slopes[1]:.6g} for {name!r}, "
                                          f"but reaches {largest:.6g}.")
    return np.sum(p * T) - np.sum(q * d.conjugate(T))


# ---- claims ---------------------------------------------------------------------------

def random_pair(seed, n=5):
    """Two different distributions without zeros, and factors u by which a guess of p/q is off."""
    rng = onp.random.default_rng(seed)
    p, q = rng.dirichlet(onp.full(n, 3.0), size=2)
    return {"p": p, "q": q, "u": onp.exp(rng.normal(size=n) / 10)}


def normal_case(seed):
    rng = onp.random.default_rng(seed)
    return {"mean": rng.normal(), "std": rng.gamma(4.0) / 4}


def normal_entropy_by_quadrature(mean, std, power=1):
    """-int q^power log q for N(mean, std^2)."""
    x, w = trapezoid(mean - 40 * std, mean + 40 * std, 2001)
    log_q = gaussian_log_prob(x[:, None], mean, std**2)
    return -onp.sum(w * onp.exp(power * log_q) * log_q)


def kl_by_states(p, q):
    return sum(a * (onp.log(a) - onp.log(b)) for a, b in zip(p, q))


def both_directions(p, q, u):
    return onp.array([kl(p, q), kl(q, p)])


def gaps(p, q, u, conjugate=None, swapped=False):
    """D_f - F_f at T = f'(v), v = u p/q a nearly right ratio, for each f; every such T lies in the domain of f*."""
    a, b = (q, p) if swapped else (p, q)

    def bound(name, T):
        return f_bound(name, a, b, T) if conjugate is None else np.sum(a * T) - np.sum(b * conjugate(T))
    return onp.array([f_divergence(name, p, q) - bound(name, d.derivative(u * p / q))
                      for name, d in F_DIVERGENCES.items()])


def bregman_gaps(p, q, u):
    """The oracle, without f*: how far f lies above its tangent at v, on average; never negative, as f is convex."""
    def above_tangent(d, r, v):
        return d.f(r) - d.f(v) - d.derivative(v) * (r - v)
    return onp.array([onp.sum(q * above_tangent(d, p / q, u * p / q)) for d in F_DIVERGENCES.values()])


CLAIMS = [
    Claim("ou2018.sym.entropy", lambda mean, std: onp.log(std * onp.sqrt(2 * onp.pi * onp.e)),
          equals(normal_entropy_by_quadrature, normal_case, method="quadrature"),
          {"sign: int q log q": lambda **c: -normal_entropy_by_quadrature(**c),
           "q^2 log q": lambda **c: normal_entropy_by_quadrature(**c, power=2),
           "variance for standard deviation": lambda mean, std: onp.log(std**2 * onp.sqrt(2 * onp.pi * onp.e))}),
    Claim("ou2018.sym.kl_names", both_directions,
          equals(lambda p, q, u: onp.array([kl_by_states(p, q), kl_by_states(q, p)]), random_pair),
          {"the names exchanged": lambda p, q, u: both_directions(q, p, u),
           "KL[p||q] = sum q log q/p": lambda p, q, u: onp.array([kl(q, p), kl(q, p)]),
           "symmetric": lambda p, q, u: onp.array([kl_symmetric(p, q)] * 2)}),
    Claim("ou2018.sym.js", lambda p, q, u: js(p, q),
          equals(lambda p, q, u: entropy((p + q) / 2) - entropy(p) / 2 - entropy(q) / 2, random_pair),
          {"without the factors 1/2": lambda p, q, u: 2 * js(p, q),
           "KL from the mixture": lambda p, q, u: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2,
           "self-normalised: minus 2 log 2": lambda p, q, u: 2 * js(p, q) - 2 * onp.log(2)}),
    Claim("ou2018.sym.klsym", lambda p, q, u: kl_symmetric(p, q),
          equals(lambda p, q, u: onp.sum((p - q) * onp.log(p / q)) / 2, random_pair),
          {"Jeffreys' divergence, without 1/2": lambda p, q, u: 2 * kl_symmetric(p, q),
           "one direction only": lambda p, q, u: kl(p, q),
           "Jensen-Shannon": lambda p, q, u: js(p, q)}),
    Claim("ou2018.sym.Ff_bound", gaps, equals(bregman_gaps, random_pair),
          {"expectations exchanged: p for q": lambda **c: gaps(**c, swapped=True),
           "f* = exp for every f": lambda **c: gaps(**c, conjugate=np.exp),
           "an upper bound": lambda **c: -gaps(**c),
           "equality for every T": lambda **c: 0 * gaps(**c)}),
]
