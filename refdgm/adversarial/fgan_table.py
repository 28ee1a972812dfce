r"""The activations that f-GAN tabulates, against the rule g_f(v) = f'(e^v) (ou2018 Sec. 3.2.4; Nowozin et al. 2016).

The rule makes log p0/p the best V, whatever f is. The review says that it gives the output activations of the f-GAN
paper's Table 2. Row by row (those marked * are only in Table 6 of that paper's supplement):

    total variation *     sign(v)/2                              tanh(v)/2                           never: a step
    kl                    1 + v                                  v                                   after v -> v - 1
    reverse kl            -exp(-v)                               -exp(-v)     (Table 6: -exp(v))     the same
    pearson               2 (exp(v) - 1)                         v                                   never: bounded
    neyman *              1 - exp(-2 v)                          1 - exp(v)                          after v -> -v/2
    squared hellinger     1 - exp(-v/2)                          1 - exp(-v)  (Table 6: 1 - exp(v))  after v -> 2 v
    jeffrey *             1 + v - exp(-v)                        v
    jensen-shannon        log 2 - log(1 + exp(-v))               the same                            the same
    weighted j.-s. *      -a log(a + (1 - a) exp(-v))            -a log a - log(1 + exp(-v))
    gan                   -log(1 + exp(-v))                      the same                            the same
    alpha < 1 *           (exp((a - 1) v) - 1)/(a - 1)           1/(1 - a) - log(1 + exp(-v))
    alpha > 1 *           (exp((a - 1) v) - 1)/(a - 1)           v                                   never: bounded

Columns: the divergence, the rule, the table, and when the two agree (nothing: after no linear change of v).
v (n,); a is the weight of the data in the weighted Jensen-Shannon divergence, or the order alpha.

Squared Hellinger: the table's activation at v = 1 is the rule's at v = 2.

>>> from refdgm.adversarial.fgan_table import ROWS
>>> row = ROWS["squared hellinger"]
>>> round(float(row.table(1.0, 0.5)), 3), round(float(row.rule(2.0, 0.5)), 3)
(0.632, 0.632)
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np
from autograd import elementwise_grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence, weighted_jensen_shannon
from refdgm.numerics import log_sigmoid


class Row(NamedTuple):
    """One divergence: its f(u, a), the rule's activation and the table's, both of (v, a)."""
    f: Callable
    rule: Callable
    table: Callable


def named(divergence):
    """f(u, a) of an entry of F_DIVERGENCES, which has no parameter a."""
    return lambda u, a: F_DIVERGENCES[divergence].f(u)


def power(v, a):
    """(exp((a - 1) v) - 1) / (a - 1): the rule for an alpha-divergence of order a."""
    return np.expm1((a - 1) * v) / (a - 1)


ROWS = {
    "total variation": Row(named("total variation"), lambda v, a: np.sign(v) / 2, lambda v, a: np.tanh(v) / 2),
    "kl": Row(named("kl"), lambda v, a: 1 + v, lambda v, a: v),
    "reverse kl": Row(named("reverse kl"), lambda v, a: -np.exp(-v), lambda v, a: -np.exp(-v)),
    "pearson": Row(named("pearson"), lambda v, a: 2 * (np.exp(v) - 1), lambda v, a: v),
    "neyman": Row(named("neyman"), lambda v, a: 1 - np.exp(-2 * v), lambda v, a: 1 - np.exp(v)),
    "squared hellinger": Row(named("squared hellinger"), lambda v, a: 1 - np.exp(-v / 2), lambda v, a: 1 - np.exp(-v)),
    "jeffrey": Row(named("jeffrey"), lambda v, a: 1 + v - np.exp(-v), lambda v, a: v),
    "jensen-shannon": Row(named("jensen-shannon"), lambda v, a: np.log(2) + log_sigmoid(v),
                          lambda v, a: np.log(2) - np.log(1 + np.exp(-v))),
    "weighted jensen-shannon": Row(lambda u, a: weighted_jensen_shannon(a).f(u),
                                   lambda v, a: -a * np.log(a + (1 - a) * np.exp(-v)),
                                   lambda v, a: -a * np.log(a) - np.log(1 + np.exp(-v))),
    "gan": Row(named("gan"), lambda v, a: log_sigmoid(v), lambda v, a: -np.log(1 + np.exp(-v))),
    "alpha < 1": Row(lambda u, a: alpha_divergence(a).f(u), power, lambda v, a: 1 / (1 - a) + log_sigmoid(v)),
    "alpha > 1": Row(lambda u, a: alpha_divergence(a).f(u), power, lambda v, a: v),
}


# ---- claims ---------------------------------------------------------------------------

def outputs(low, high):
    """Outputs v of the network, away from 0 where total variation has its step; a between low and high."""
    def case(seed):
        rng = onp.random.default_rng([seed, 71])
        return {"v": rng.choice([-1, 1], 9) * rng.uniform(0.1, 2.5, 9), "a": rng.uniform(low, high)}
    return case


def derivative_at(row, of=lambda v: v):
    """The oracle: f'(e^of(v)) by autograd of f."""
    return lambda v, a: elementwise_grad(ROWS[row].f)(np.exp(of(v)), a)


def is_the_rule(row, low=0.2, high=0.4, of=lambda v: v):
    return equals(derivative_at(row, of), outputs(low, high), method="autodiff")


def wrong(row):
    """What is wrong for every f."""
    return {"V reversed: f'(e^-v)": lambda v, a: ROWS[row].rule(-v, a),
            "f(e^v), not f'(e^v)": lambda v, a: ROWS[row].f(np.exp(v), a),
            "half of it": lambda v, a: ROWS[row].rule(v, a) / 2}


def agrees(id, row, **also_wrong):
    """The table's activation is the rule's."""
    return Claim(id, ROWS[row].table, is_the_rule(row), {**wrong(row), **also_wrong})


def disagrees(id, row, low=0.2, high=0.4, **also_wrong):
    """The table's activation is not the rule's; both stand in ROWS."""
    return Claim(id, ROWS[row].rule, is_the_rule(row, low, high), {**wrong(row), **also_wrong}, printed=ROWS[row].table)


CLAIMS = [
    disagrees("ou2018.gf.row.tv", "total variation", **{"without 1/2": lambda v, a: np.sign(v)}),
    Claim("ou2018.gf.row.kl", ROWS["kl"].table, is_the_rule("kl", of=lambda v: v - 1),
          {"shifted the other way": lambda v, a: v + 2,
           "V reversed": lambda v, a: -v,
           "f(e^v), not f'(e^v)": lambda v, a: v * np.exp(v)}, without=is_the_rule("kl")),
    agrees("ou2018.gf.row.rkl", "reverse kl", **{"as in Table 6: -e^v": lambda v, a: -np.exp(v)}),
    disagrees("ou2018.gf.row.pearson", "pearson", **{"a shift and a scale of v": lambda v, a: 2 * v + 1}),
    disagrees("ou2018.gf.row.neyman", "neyman",
              **{"the table's with V reversed: 1 - e^-v": lambda v, a: 1 - np.exp(-v)}),
    disagrees("ou2018.gf.row.hellinger", "squared hellinger", **{"as in Table 6: 1 - e^v": lambda v, a: 1 - np.exp(v)}),
    disagrees("ou2018.gf.row.jeffrey", "jeffrey", **{"as for KL: v + 1": lambda v, a: v + 1}),
    agrees("ou2018.gf.row.js", "jensen-shannon", **{"without log 2: the GAN's": ROWS["gan"].rule}),
    disagrees("ou2018.gf.row.jsw", "weighted jensen-shannon",
              **{"the weights exchanged": lambda v, a: ROWS["weighted jensen-shannon"].rule(v, 1 - a)}),
    agrees("ou2018.gf.row.gan", "gan", **{"with log 2: Jensen-Shannon's": ROWS["jensen-shannon"].rule}),
    disagrees("ou2018.gf.row.alpha_lt1", "alpha < 1", **{"without 1/(a - 1)": lambda v, a: np.expm1((a - 1) * v)}),
    disagrees("ou2018.gf.row.alpha_gt1", "alpha > 1", 1.5, 2.5, **{"exp(a v)": lambda v, a: power(v, a + 1)}),
]
