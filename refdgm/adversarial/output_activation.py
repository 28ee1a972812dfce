r"""Output activations T = g_f(V), and a principled one (ou2018 Sec. 3.2.4, Eqs. 30-32; Nowozin et al. 2016).

    Eq. 30    F = E_{p0}[g_f(V)] - E_p[f*(g_f(V))],   g_f from all numbers into dom f*, increasing: V is large for data
    rule      g_f(v) = f'(e^v)
    Eq. 32    F = E_{p0}[f'(e^v)] - E_p[e^v f'(e^v) - f(e^v)]     since f*(f'(u)) = u f'(u) - f(u); no conjugate needed
    optimum   V* = log p0/p, if f' is strictly increasing

The f-GAN paper chose its activations one by one (divergences' `activation`). Under one of them the optimal V is
w^{-1}(log p0/p), where w(v) = log (f*)'(g_f(v)), that is f'(exp w(v)) = g_f(v):

    GAN, Jensen-Shannon, reverse KL   w = v            squared Hellinger   w = 2 v
    KL                                w = v - 1        Pearson             w = log(1 + v/2), for v > -2 only

p0, p, V (n,), one entry for each point; v (k,) any numbers. A table over divergences has one row each.

The principled activation makes V* = log p0/p for every f; there Eq. 32 is the divergence, here reverse KL:

>>> import numpy as np
>>> from refdgm.adversarial.output_activation import F_DIVERGENCES, f_divergence, objective_without_conjugate
>>> p0, p = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> F = objective_without_conjugate(F_DIVERGENCES["reverse kl"], p0, p, np.log(p0 / p))
>>> round(float(F), 3), round(float(f_divergence("reverse kl", p0, p)), 3)
(0.223, 0.223)
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most, is_ordered, provided
from refdgm.divergences import f_divergence
from refdgm.f_divergences import F_DIVERGENCES, in_domain
from refdgm.models.finite_game import random_logits, supremum

STRICT = tuple(name for name in F_DIVERGENCES if name != "total variation")     # f' strictly increasing
MAIN_TABLE = ("kl", "reverse kl", "pearson", "squared hellinger", "jensen-shannon", "gan")   # of the f-GAN paper


def objective(d, p0, p, V, activation):
    """F = E_{p0}[g_f(V)] - E_p[f*(g_f(V))] (ou2018 Eq. 30).  (n,), (n,), (n,) -> ()"""
    T = activation(V)
    return np.sum(p0 * T) - np.sum(p * d.conjugate(T))


def principled_activation(d, v):
    """g_f(v) = f'(u) at u = e^v (ou2018 Sec. 3.2.4, after Eq. 31).  (...) -> (...)"""
    return d.at_log(v)


def objective_without_conjugate(d, p0, p, V):
    """F = E_{p0}[f'(e^v)] - E_p[e^v f'(e^v) - f(e^v)] (ou2018 Eq. 32).  (n,), (n,), (n,) -> ()"""
    u = np.exp(V)
    return np.sum(p0 * d.derivative(u)) - np.sum(p * (u * d.derivative(u) - d.f(u)))


def log_ratio_at(name, v):
    """w(v): the log-ratio p0/p for which v is the optimal output under the f-GAN paper's activation."""
    return {"kl": v - 1, "squared hellinger": 2 * v, "pearson": np.log(1 + v / 2)}.get(name, v)


# ---- small random cases ---------------------------------------------------------------

def outputs_case(seed, k=6):
    """Outputs in increasing order, on both sides of zero."""
    rng = onp.random.default_rng(seed)
    return {"v": -1.0 + onp.cumsum(0.1 + 0.6 * rng.random(k))}


def direction_case(seed, names=STRICT, n=4):
    """Where V might go from the log-ratio: a random direction for each divergence."""
    case = random_logits(seed, n)
    return {"p0": case["p0"], "p": case["p"], "away": onp.random.default_rng([seed, 2]).normal(size=n), "names": names}


# ---- claims ---------------------------------------------------------------------------

def every(formula, names=tuple(F_DIVERGENCES)):
    """formula(d, ...) for every divergence d."""
    return lambda *args, **case: onp.array([formula(F_DIVERGENCES[name], *args, **case) for name in names])


def divergences(p0, p, V):
    return onp.array([f_divergence(name, p0, p) for name in F_DIVERGENCES])


def terms(of_data, of_fake):
    """E_{p0}[of_data] - E_p[of_fake] for other integrands, functions of (d, V)."""
    return every(lambda d, p0, p, V: onp.sum(p0 * of_data(d, V)) - onp.sum(p * of_fake(d, V)))


def over_pairs(d, p0, p, V):
    """E over pairs x ~ p0, x' ~ p of g_f(V(x)) - f*(g_f(V(x'))) with the principled g_f."""
    T = principled_activation(d, V)
    return sum(a * b * (T[i] - d.conjugate(T[j])) for i, a in enumerate(p0) for j, b in enumerate(p))


def principled_objective(d, p0, p, V):
    return objective(d, p0, p, V, lambda v: principled_activation(d, v))


def without_conjugate(at=onp.exp, factor=onp.exp, sign=-1.0):
    """Eq. 32 with another argument of f' and f, another factor, another sign."""
    return terms(lambda d, v: d.derivative(at(v)),
                 lambda d, v: factor(v) * d.derivative(at(v)) + sign * d.f(at(v)))


def reached(activation):
    """e^v T - f*(T) at T = g_f(v): what one point with p = 1, p0 = e^v contributes to the bound."""
    return every(lambda d, v: onp.exp(v) * activation(d, v) - d.conjugate(activation(d, v)))


def reachable(d, v):
    """sup_T e^v T - f*(T), by search over dom f*."""
    def line(s):
        T = in_domain(d, s)
        return onp.exp(v)[:, None] * T - d.conjugate(T)
    low, high = (-60.0, 200.0) if d.slopes[1] == onp.inf else (-10.0, 30.0)
    return supremum(line, onp.full(v.shape, low), high)


def way_home(target=lambda p0, p: onp.log(p0 / p)):
    """Eq. 32 on the way to a V from either side, for each divergence: it must rise all the way."""
    def values(p0, p, away, names):
        there = target(p0, p)
        return onp.array([[[objective_without_conjugate(F_DIVERGENCES[name], p0, p, there + side * r * away)
                            for r in (1.0, 0.3, 0.1, 0.0)] for side in (1, -1)] for name in names])
    return values


def rows(activation, names=MAIN_TABLE):
    """activation(name, v) for each row of the f-GAN paper's main table."""
    return lambda v: onp.array([activation(name, v) for name in names])


def by_rule(name, w):
    return principled_activation(F_DIVERGENCES[name], w)


def only(*exact):
    """The rule applied to w(v), but with w = v in some rows."""
    return rows(lambda name, v: by_rule(name, v if name in exact else log_ratio_at(name, v)))


def from_the_right(v):
    return v[::-1]


def increasing(v):
    return onp.all(onp.diff(v) > 0.01)


def increasing_above_the_kinks(v):
    """Where g_f(v) = v, f* is constant below f'(0): that is -2 for Pearson, and nearest to zero for alpha = 1.7."""
    return increasing(v) and v[0] > -1 / 0.7


CLAIMS = [
    Claim("ou2018.eq30", every(lambda d, p0, p, V: objective(d, p0, p, V, d.activation)),
          is_at_most(divergences, random_logits),
          {"V itself, without g_f": terms(lambda d, V: V, lambda d, V: d.conjugate(V)),
           "f*(V), with g_f in the first term only": terms(lambda d, V: d.activation(V), lambda d, V: d.conjugate(V)),
           "g_f(V), without f*": terms(lambda d, V: d.activation(V), lambda d, V: d.activation(V)),
           "f* in the other term": terms(lambda d, V: d.conjugate(d.activation(V)), lambda d, V: d.activation(V))}),
    Claim("ou2018.gf.monotone", every(lambda d, v: d.activation(v)), provided(increasing, is_ordered(outputs_case)),
          {"-e^v, as Table 6 has it for reverse KL": lambda v: -onp.exp(v),
           "1 - e^v, as Table 6 has it for Hellinger and Neyman": lambda v: 1 - onp.exp(v),
           "V large for samples": every(lambda d, v: d.activation(-v))}),
    Claim("ou2018.gf.second_term", every(lambda d, v: -d.conjugate(d.activation(from_the_right(v)))),
          provided(increasing_above_the_kinks, is_ordered(outputs_case)),
          {"with V large for samples": every(lambda d, v: -d.conjugate(d.activation(v))),
           "-g_f": every(lambda d, v: -d.activation(v)),
           "Pearson, too, below -2": lambda v: -F_DIVERGENCES["pearson"].conjugate(from_the_right(v) - 3)},
          printed=every(lambda d, v: d.conjugate(d.activation(from_the_right(v))))),
    Claim("ou2018.gf.principled", reached(principled_activation),
          equals(every(reachable), outputs_case, method="optimisation"),
          {"f'(e^-v)": reached(lambda d, v: d.derivative(onp.exp(-v))),
           "f(e^v)": reached(lambda d, v: d.f(onp.exp(v))),
           "f'(2 + v)": reached(lambda d, v: d.derivative(2 + v)),
           "the f-GAN paper's": reached(lambda d, v: d.activation(v))}),
    Claim("ou2018.eq31", every(principled_objective), equals(every(over_pairs), random_logits),
          {"one v ~ p0 for both terms": every(lambda d, p0, p, V: principled_objective(d, p0, p0, V)),
           "+E_p[f*]": every(lambda d, p0, p, V: 2 * onp.sum(p0 * d.at_log(V)) - principled_objective(d, p0, p, V)),
           "data and samples exchanged": every(lambda d, p0, p, V: principled_objective(d, p, p0, V)),
           "v for g_f(v)": terms(lambda d, V: V, lambda d, V: d.conjugate(d.at_log(V)))}),
    Claim("ou2018.eq32", every(objective_without_conjugate), equals(every(principled_objective), random_logits),
          {"e^v f' + f": without_conjugate(sign=1.0),
           "f' - f, without e^v": without_conjugate(factor=lambda v: 1.0),
           "e^-v f' - f": without_conjugate(factor=lambda v: onp.exp(-v)),
           "at u = e^-v": without_conjugate(at=lambda v: onp.exp(-v))}),
    Claim("ou2018.gf.Vstar", way_home(), is_ordered(direction_case),
          {"log p/p0": way_home(lambda p0, p: onp.log(p / p0)),
           "the ratio itself": way_home(lambda p0, p: p0 / p),
           "1 + log p0/p": way_home(lambda p0, p: 1 + onp.log(p0 / p)),
           "half the log-ratio": way_home(lambda p0, p: onp.log(p0 / p) / 2)},
          without=is_ordered(lambda seed: direction_case(seed, ("total variation",)))),
    Claim("ou2018.gf.claim", rows(lambda name, v: by_rule(name, log_ratio_at(name, v))),
          equals(rows(lambda name, v: F_DIVERGENCES[name].activation(v)), outputs_case),
          {"KL reproduced exactly": only("kl"),
           "squared Hellinger reproduced exactly": only("squared hellinger"),
           "Pearson reproduced exactly": only("pearson"),
           "all shifted like KL": rows(lambda name, v: by_rule(name, v - 1))},
          printed=rows(by_rule)),
]
