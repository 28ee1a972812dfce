r"""Fenchel conjugates of the functions f that define f-divergences (ou2018 Sec. 3.2.4, between Eqs. 26 and 27).

    conjugate      f*(t) = sup_{u >= 0} ut - f(u)
    biconjugate    f(u) = sup_t tu - f*(t)      for f convex and lower semicontinuous
    Boyd           f*(f'(u)) = u f'(u) - f(u)   (Boyd & Vandenberghe 2004, Sec. 3.3.2)
    GAN            f = u log u - (u + 1) log(u + 1)    f* = -log(1 - e^t), t < 0
    KL             f = u log u                         f* = e^(t - 1)
    reverse KL     f = -log u                          f* = -1 - log(-t), t < 0

The closed forms are those of divergences.F_DIVERGENCES; the oracle searches for each supremum and knows f, or f*, only.
A table has one row for each divergence and one column for each argument: (12, k).

The conjugate of u log u at t = 2, found by search, and e^(t - 1):

>>> import numpy as np
>>> from refdgm.adversarial.conjugates import kl, search_over_u
>>> round(float(search_over_u(kl, np.array([2.0]))[0]), 3), round(float(np.exp(1)), 3)
(2.718, 2.718)
"""
from autograd import elementwise_grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.f_divergences import F_DIVERGENCES, in_domain
from refdgm.models.finite_game import supremum


def table(row):
    """row(d) for every divergence d, stacked."""
    return onp.array([row(d) for d in F_DIVERGENCES.values()])


def conjugates(s):
    """f* of every divergence at points of its domain (ou2018 Sec. 3.2.4).  (k,) -> (12, k)"""
    return table(lambda d: d.conjugate(in_domain(d, s)))


def functions(u):
    """f of every divergence.  (k,) -> (12, k)"""
    return table(lambda d: d.f(u))


def conjugate_at_derivative(u):
    """u f'(u) - f(u), which is f* at f'(u) (ou2018 Sec. 3.2.4, before Eq. 31).  (k,) -> (12, k)"""
    return table(lambda d: u * d.derivative(u) - d.f(u))


# ---- oracles --------------------------------------------------------------------------

def search_over_u(f, t):
    """sup_{u > 0} ut - f(u), with u = exp of a number in [-60, 60]."""
    return supremum(lambda log_u: onp.exp(log_u) * t[..., None] - f(onp.exp(log_u)), -60.0, onp.full(t.shape, 60.0))


def search_over_t(d, u):
    """sup_t tu - f*(t) over dom f*: t from -4000 to 4000, or to the end of dom f*, for u from 1/2000 to 2000."""
    bounded = d.slopes[1] < onp.inf

    def line(s):
        t = in_domain(d, s) if bounded else onp.sinh(s)
        with onp.errstate(over="ignore", divide="ignore"):      # where f* overflows it is too large to matter
            return t * u[:, None] - d.conjugate(t)
    low, high = (-17.0, 30.0) if bounded else (-9.0, 9.0)
    return supremum(line, onp.full(u.shape, low), high)


def steepest(f):
    """The end of dom f*: how steep f is at last, f(u)/u for u to infinity."""
    return f(1e30) / 1e30


# ---- claims ---------------------------------------------------------------------------

def points_case(seed, k=6):
    return {"s": onp.random.default_rng(seed).uniform(-3.0, 3.0, size=k)}


def ratios_case(seed, k=5):
    return {"u": onp.exp(onp.random.default_rng(seed).normal(size=k))}


def negative_case(seed, k=6):
    return {"t": -onp.random.default_rng(seed).gamma(1.0, size=k) - 0.01}


def any_case(seed, k=6):
    return {"t": 2 * onp.random.default_rng(seed).normal(size=k)}


def gan(u):
    """As printed."""
    return u * onp.log(u) - (u + 1) * onp.log(u + 1)


def kl(u):
    return u * onp.log(u)


def reverse_kl(u):
    return -onp.log(u)


def at_derivative(value):
    """value(u, f, f') for every divergence."""
    return lambda u: table(lambda d: value(u, d.f(u), d.derivative(u)))


def with_end(conjugate, end=0.0):
    """f* and the end of its domain."""
    return lambda t: {"conjugate": conjugate(t), "end": end}


def searched_with_end(f):
    return lambda t: {"conjugate": search_over_u(f, t), "end": steepest(f)}


CLAIMS = [
    Claim("ou2018.fenchel", conjugates,
          equals(lambda s: table(lambda d: search_over_u(d.f, in_domain(d, s))), points_case, method="optimisation"),
          {"inf for sup": lambda s: table(lambda d: -search_over_u(lambda u: -d.f(u), in_domain(d, s))),
           "sup of f(u) - ut": lambda s: -conjugates(s),
           "u at the supremum": lambda s: table(lambda d: d.inverse_derivative(in_domain(d, s))),
           "u at 1, not at its best": lambda s: table(lambda d: in_domain(d, s) - d.f(1.0))}),
    Claim("ou2018.biconj", functions,
          equals(lambda u: table(lambda d: search_over_t(d, u)), ratios_case, method="optimisation"),
          {"-f": lambda u: -functions(u),
           "f of p/q for f of q/p": lambda u: functions(1 / u),
           "the perspective u f(1/u)": lambda u: u * functions(1 / u),
           "one t for every u: the tangent at 1": lambda u: table(lambda d: d.f(1.0) + d.derivative(1.0) * (u - 1)),
           "f up to a constant": lambda u: table(lambda d: d.f(u) - d.f(1.0))}),
    Claim("ou2018.boyd", conjugate_at_derivative,
          equals(lambda u: table(lambda d: search_over_u(d.f, elementwise_grad(d.f)(u))), ratios_case,
                 method="optimisation"),
          {"u f' + f": at_derivative(lambda u, f, slope: u * slope + f),
           "f - u f'": at_derivative(lambda u, f, slope: f - u * slope),
           "f' - f, without u": at_derivative(lambda u, f, slope: slope - f),
           "u f'": at_derivative(lambda u, f, slope: u * slope)}),
    Claim("ou2018.gan.conj", with_end(F_DIVERGENCES["gan"].conjugate),
          equals(searched_with_end(gan), negative_case, method="optimisation"),
          {"-log(2 - e^t), that of Jensen-Shannon": with_end(lambda t: -onp.log(2 - onp.exp(t))),
           "log(1 - e^t)": with_end(lambda t: onp.log(1 - onp.exp(t))),
           "-log(1 + e^t)": with_end(lambda t: -onp.log(1 + onp.exp(t))),
           "the domain up to log 2": with_end(F_DIVERGENCES["gan"].conjugate, onp.log(2))}),
    Claim("ou2018.kl.conj", F_DIVERGENCES["kl"].conjugate,
          equals(lambda t: search_over_u(kl, t), any_case, method="optimisation"),
          {"e^t": lambda t: onp.exp(t),
           "e^t - 1": lambda t: onp.expm1(t),
           "e^(t + 1)": lambda t: onp.exp(t + 1),
           "t e^t, as if self-conjugate": lambda t: t * onp.exp(t)}),
    Claim("ou2018.rkl.conj", with_end(F_DIVERGENCES["reverse kl"].conjugate),
          equals(searched_with_end(reverse_kl), negative_case, method="optimisation"),
          {"1 - log(-t)": with_end(lambda t: 1 - onp.log(-t)),
           "-1 + log(-t)": with_end(lambda t: -1 + onp.log(-t)),
           "-log(-t)": with_end(lambda t: -onp.log(-t)),
           "the domain up to 1": with_end(F_DIVERGENCES["reverse kl"].conjugate, 1.0)}),
]
