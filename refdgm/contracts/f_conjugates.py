r"""Contracts of what f-GAN and f-EBM need of each f: its conjugate f* and an output activation g_f (ou2018 Sec. 3.2.4).

    f*(t) = sup_{u >= 0} ut - f(u), for t up to f'(inf); constant below f'(0), where that is finite
    g_f   an increasing map of all numbers into the domain of f*: the f-GAN paper's choices

The f are those of f_divergences.F_DIVERGENCES. To scale f, or to add c (u - 1), changes f* and not what is trained.
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence, in_domain, weighted_jensen_shannon
from refdgm.numerics import log_sigmoid, sigmoid
from refdgm.values import values

T = Argument("t", "(...)", "points of the domain of f*: below f'(inf)")
V = Argument("v", "(...)", "the critic's output, any real numbers")
ALPHA = Argument("alpha", "", "the order, neither 0 nor 1", "number")
WEIGHT = Argument("weight", "", "the weight of p, between 0 and 1", "number")
CHOICES = {"alpha": (1.7, 0.4, 2.5), "weight": (0.3, 0.8, 0.6)}


class Row(NamedTuple):
    """A divergence and what one may mistake it for."""
    of: Callable                    # (*parameter) -> FDivergence
    opposite: Callable | None       # the f of D_f[q||p]; None where it is the same
    mistakes: dict = {}             # noqa: RUF012  of f*
    conventions: dict = {}          # noqa: RUF012  of f*
    parameters: tuple = ()
    activations: dict = {}          # noqa: RUF012  mistakes of g_f


def table(name):
    return lambda: F_DIVERGENCES[name]


def scaled(of, c, what):
    """The conjugate of c f."""
    return Other(lambda t, *a: c * of(*a).conjugate(t / c), what)


def halved(name):
    return {"of f / 2": scaled(table(name), 0.5, "your f has the factor 1/2: f*(t) is then half of f*(2 t)")}


def naive_log_sigmoid(v):
    return np.log(1 / (1 + np.exp(-v)))


NAIVE = "use -logaddexp(0, -v), or your library's logsigmoid"
ROWS = {
    "kl": Row(lambda: F_DIVERGENCES["kl"]._replace(f=lambda u: u * np.log(u)), table("reverse kl"),
              {"exp(t)": Other(np.exp, "f* of u log u is exp(t - 1)")},
              {"of u log u - u + 1": Other(np.expm1, "your f has the slope 0 at u = 1")}),
    "reverse_kl": Row(table("reverse kl"), table("kl"),
                      {"-1 forgotten": Other(lambda t: -np.log(-t), "f*(t) = -1 - log(-t)")},
                      {"of -log u + u - 1": Other(lambda t: -np.log(1 - t), "your f has the slope 0 at u = 1")}),
    "jensen_shannon": Row(table("jensen-shannon"), None,
                          {"the GAN's": Other(F_DIVERGENCES["gan"].conjugate, "f*(t) = -log(2 - exp(t))"),
                           "minus it": Other(lambda t: np.log(2 - np.exp(t)), "f*(t) = -log(2 - exp(t))")},
                          halved("jensen-shannon"),
                          activations={"log 2 forgotten": Other(log_sigmoid, "g = log 2 + log sigmoid(v): with less, "
                                                                             "p > q cannot be said")}),
    "weighted_js": Row(weighted_jensen_shannon, lambda w: weighted_jensen_shannon(1 - w),
                       {"of the unweighted one": Other(lambda t, w: F_DIVERGENCES["jensen-shannon"].conjugate(t),
                                                       "(1 - w) log((1 - w) / (1 - w exp(t/w)))")},
                       parameters=(WEIGHT,),
                       activations={"-w log w forgotten": Other(lambda v, w: log_sigmoid(v),
                                                                "g = -w log w + log sigmoid(v), up to f'(inf)")}),
    "squared_hellinger": Row(table("squared hellinger"), None,
                             {"upside down": Other(lambda t: (1 - t) / t, "f*(t) = t / (1 - t)")},
                             halved("squared hellinger")),
    "pearson": Row(table("pearson"), table("neyman"),
                   {"t forgotten": Other(lambda t: t**2 / 4, "f*(t) = t + t^2/4")},
                   {"t + t^2/4 below -2, too": Other(lambda t: t + t**2 / 4, "as in the f-GAN paper; with u >= 0 it is "
                                                     "-1 there. Yours bounds as well, not as tightly"),
                    **halved("pearson")}),
    "neyman": Row(table("neyman"), table("pearson"),
                  {"the factor 2 forgotten": Other(lambda t: 1 - np.sqrt(1 - t), "f*(t) = 2 - 2 sqrt(1 - t)")},
                  halved("neyman")),
    "jeffreys": Row(table("jeffrey"), None,
                    {"the sum of KL's and reverse KL's": Other(
                        lambda t: F_DIVERGENCES["kl"].conjugate(t) + F_DIVERGENCES["reverse kl"].conjugate(t),
                        "the conjugate of a sum is not the sum: w + 1/w + t - 2 with w = W(exp(1 - t)), Lambert's W")}),
    "gan": Row(table("gan"), None,
               {"Jensen-Shannon's": Other(F_DIVERGENCES["jensen-shannon"].conjugate, "f*(t) = -log(1 - exp(t))"),
                "minus it": Other(lambda t: np.log(-np.expm1(t)), "f*(t) = -log(1 - exp(t))"),
                "cancels where t is near zero": Other(lambda t: -np.log(1 - np.exp(t)), "use expm1 for exp(t) - 1")}),
    "total_variation": Row(table("total variation"), None,
                           {"t below -1/2, too": Other(lambda t: 1.0 * t, "f* = -1/2 there: t itself is no bound")},
                           {"of |u - 1|": scaled(table("total variation"), 2.0, "your f is without the factor 1/2")}),
    "alpha": Row(alpha_divergence, lambda a: alpha_divergence(1 - a),
                 {"1/alpha forgotten": Other(lambda t, a: a * alpha_divergence(a).conjugate(t),
                                             "((1 + (alpha - 1) t)^(alpha/(alpha - 1)) - 1) / alpha")},
                 {"of Tsallis' f": Other(lambda t, a: a * alpha_divergence(a).conjugate(t / a),
                                         "your f is divided by alpha - 1 alone")}, (ALPHA,)),
}
IDENTITY = ("kl", "pearson", "jeffreys")
ONE_SIDED = ("reverse_kl", "gan", "jensen_shannon", "weighted_js")      # f*(-t) and f(t) are NaN for most t < f'(inf)
SOFT = ("gan", "jensen_shannon", "weighted_js")     # made of a log sigmoid: any size of v has a finite value


def choice(row, i):
    """The parameter that the divergence has, if any, for case i."""
    return {p.name: CHOICES[p.name][i % 3] for p in row.parameters}


def conjugate_cases(row):
    """Arguments in the domain of f*; then its lower end, the upper end, and no arguments at all."""
    def cases(seed):
        rng = onp.random.default_rng(seed)

        def case(i, label, t_of, hard=False):
            number = choice(row, i)
            return Case(label, {"t": t_of(row.of(*number.values())), **number}, hard)
        for i, shape in enumerate(((2,), (3,), (2, 5))):
            s = 1.5 * rng.normal(size=shape) - 0.2
            yield case(i, f"shape {shape}", lambda d, s=s: in_domain(d, onp.minimum(s, 2.0)))
        yield case(0, "far down", lambda d: onp.array([-1e4, -40.0, -5.5]), True)
        yield case(1, "far up", lambda d: onp.array([{onp.inf: 30.0, 0.0: -1e-20}.get(
            d.slopes[1], d.slopes[1] - 1e-3)]), True)
        yield case(2, "an empty batch", lambda d: onp.zeros((0, 2)), True)
    return cases


def output_cases(row, name):
    def cases(seed):
        rng = onp.random.default_rng(seed)
        far = onp.array([-1.0, 1.0]) * (1e4 if name in SOFT else 60.0)
        for i, shape in enumerate(((2,), (3,), (2, 5))):
            yield Case(f"shape {shape}", {"v": 2 * rng.normal(size=shape), **choice(row, i)})
        yield Case("far out", {"v": far, **choice(row, 0)}, hard=True)
        yield Case("an empty batch", {"v": onp.zeros((0, 2)), **choice(row, 1)}, hard=True)
    return cases


def conjugate(name, row):
    def f_star(t, *a): return row.of(*a).conjugate(t)
    mistakes = dict(row.mistakes)
    if name not in ONE_SIDED:
        mistakes["f itself"] = Other(lambda t, *a: row.of(*a).f(t), "f*(t) is the largest ut - f(u)")
        mistakes["the sign of t"] = Other(lambda t, *a: f_star(-t, *a), "f*(t), not f*(-t)")
    if name != "kl":            # whose f* is its own derivative
        mistakes["its derivative"] = Other(lambda t, *a: row.of(*a).inverse_derivative(t) + 0 * t,
                                           "this is the u that attains the supremum: ut - f(u) is due")
    if row.opposite:
        mistakes["of the other direction"] = Other(lambda t, *a: row.opposite(*a).conjugate(t),
                                                   "this is f* of D_f[q||p], with u f(1/u) for f(u)")
    return Contract(f"f_conjugate_{name}", f"f*(t) of the f of {spoken(row, name)}", "ou2018 Sec. 3.2.4, before Eq. 27",
                    (T, *row.parameters), "(...)", f_star,
                    values(conjugate_cases(row), gradients=() if name == "jeffreys" else ("t",)), mistakes,
                    row.conventions)


def activation(name, row):
    def g(v, *a): return row.of(*a).activation(v)
    mistakes = {**row.activations,
                "e^v": Other(lambda v, *a: np.exp(v), "this is the ratio u; T is f'(u)"),
                "the sigmoid": Other(lambda v, *a: sigmoid(v), "its values are not all of the domain of f*")}
    if name in IDENTITY:
        mistakes["a bounded output"] = Other(lambda v: np.tanh(v), "the domain of f* is not bounded: use v itself")
    else:
        mistakes["no activation"] = Other(lambda v, *a: 1.0 * v, "T must stay in the domain of f*, below f'(inf)")
    if name not in (*IDENTITY, "total_variation"):
        mistakes["minus it"] = Other(lambda v, *a: -g(v, *a), "this leaves the domain of f*")
    if name == "gan":
        mistakes["a sigmoid that has underflowed"] = Other(naive_log_sigmoid, NAIVE)
    if name == "jensen_shannon":
        mistakes["a sigmoid that has underflowed"] = Other(lambda v: np.log(2.0) + naive_log_sigmoid(v), NAIVE)
    conventions = {"V reversed": Other(lambda v, *a: g(-v, *a), "the same values; your critic is small for data")}
    if name not in ("reverse_kl", "gan", "jensen_shannon"):
        conventions["the rule f'(e^v)"] = Other(lambda v, *a: row.of(*a).at_log(v),
                                                "the best v is then log p/q, whatever f is (ou2018 Sec. 3.2.4)")
    return Contract(f"f_activation_{name}", f"an output activation, increasing, into the domain of f* of "
                    f"{spoken(row, name)}: the f-GAN paper's", "ou2018 Eqs. 30-31", (V, *row.parameters), "(...)", g,
                    values(output_cases(row, name), gradients=("v",)), mistakes, conventions)


def spoken(row, name):
    return F_NAMES.get(name, name.replace("_", " "))


F_NAMES = {"kl": "KL, u log u", "reverse_kl": "the reverse KL, -log u", "squared_hellinger": "(sqrt u - 1)^2",
           "jensen_shannon": "2 JS, u log u - (u + 1) log((u + 1)/2)", "pearson": "Pearson's (u - 1)^2",
           "neyman": "Neyman's (u - 1)^2/u", "jeffreys": "Jeffreys' (u - 1) log u",
           "gan": "the GAN, u log u - (u + 1) log(u + 1)", "total_variation": "the total variation, |u - 1|/2",
           "weighted_js": "the weighted JS, w u log u - (1 - w + w u) log(1 - w + w u)",
           "alpha": "the alpha-divergence, (u^alpha - 1 - alpha (u - 1)) / (alpha (alpha - 1))"}

CONTRACTS = [make(name, row) for make in (conjugate, activation) for name, row in ROWS.items()]
