r"""f-divergences and the variational bound on them (yu2020 Sec. 2.1).

    Sec. 2.1   D_f(P||Q) = E_q[f(p/q)],   f convex, f(1) = 0;   infinite where p = 0 < q and f(0) = inf
    Lemma 1    D_f(P||Q) = sup_T E_p[T] - E_q[f*(T)],   attained at T = f'(p/q)

Shapes: p, q (n,); one number for each generator of SMOOTH.

A linear term in f does not count: two f that differ by 3 (u - 1) have one divergence.

>>> import numpy as np
>>> from refdgm.adversarial.variational_bound import f_divergence_of
>>> p, q = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> [round(float(f_divergence_of(lambda u: (u - 1)**2 + slope * (u - 1), p, q)), 3) for slope in (0, 3)]
[0.36, 0.36]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, is_at_least, is_at_most
from refdgm.divergences import f_bound, f_divergence
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH
from refdgm.numerics import kl


def f_divergence_of(f, p, q):
    """D_f(P||Q) = E_q[f(p/q)] for any convex f (yu2020 Sec. 2.1).  (n,), (n,) -> ()"""
    return np.sum(q * f(p / q))


# ---- claims ---------------------------------------------------------------------------

def pair_case(seed, n=6):
    """Two different laws without zeros."""
    p, q = np.random.default_rng([seed, 71]).dirichlet(np.full(n, 2.0), size=2)
    return {"p": p, "q": q}


def each(function):
    """function(generator, **case) of every generator, as one array."""
    return lambda **case: np.array([function(F_DIVERGENCES[name], **case) for name in SMOOTH])


def textbook_forms(p, q):
    """The oracle: each divergence as it is known by its name."""
    m = (p + q) / 2
    return np.array([kl(p, q), kl(q, p), kl(p, m) + kl(q, m), 2 - 2 * np.sum(np.sqrt(p * q)), np.sum((p - q)**2 / q),
                     np.sum((p - q)**2 / p)])


def generators_case(seed):
    """Strictly convex generators, and f = (u - 1)^2 / 2 + 3 (u - 1), whose linear term does not count."""
    return {**pair_case(seed), "generators": [*(F_DIVERGENCES[name].f for name in SMOOTH),
                                           lambda u: (u - 1)**2 / 2 + 3 * (u - 1)]}


def flat_generators_case(seed):
    """Generators that are convex, and flat around 1: f(u) = max(u - c, 0), c beyond every ratio."""
    c = pair_case(seed)
    return {**c, "generators": [lambda u, k=k: np.maximum(u - k, 0.0) for k in np.max(c["p"] / c["q"]) + np.arange(3)]}


def away_and_at_home(divergence):
    """D_f(P||Q) and -D_f(P||P): the first is to exceed a squared distance, the second to be zero."""
    return lambda p, q, generators: np.array([divergence(f, p, q) for f in generators]
                                              + [-divergence(f, p, p) for f in generators])


def squared_variation(p, q, generators):
    n = len(generators)
    return np.concatenate([np.full(n, (np.sum(np.abs(p - q)) / 2)**2), np.zeros(n)])


def lost_state_case(seed):
    """The data never visit one state: p = 0 < q."""
    c = pair_case(seed)
    p = np.append(c["p"][:-1], 0.0)
    return {"p": p / np.sum(p), "q": c["q"]}


def similarity(at_zero):
    """exp(-D_f) for KL and reverse KL, with the value f(0) given for each: 0 where the divergence is infinite."""
    def value(p, q):
        return [sum(b * (f(a / b) if a > 0 else zero) for a, b in zip(p, q))
                for f, zero in zip((F_DIVERGENCES["kl"].f, F_DIVERGENCES["reverse kl"].f), at_zero)]
    return lambda p, q: np.exp(-np.array(value(p, q)))


def test_functions_case(seed):
    """As pair_case, with a guess r of the ratio p/q: the test functions are T = f'(r)."""
    c = pair_case(seed)
    return {**c, "r": c["p"] / c["q"] * np.exp(0.3 * np.random.default_rng([seed, 74]).normal(size=6))}


def value_and_optimum(bound):
    """The bound at T = f'(r), and minus the bound at T = f'(p/q): at most D_f, and -D_f."""
    return lambda p, q, r: np.array([bound(name, p, q, r) for name in SMOOTH]
                                     + [-bound(name, p, q, p / q) for name in SMOOTH])


def lemma_1(name, p, q, r):
    return f_bound(name, p, q, F_DIVERGENCES[name].derivative(r))


def f_divergences(p, q, r):
    D = np.array([f_divergence(name, p, q) for name in SMOOTH])
    return np.concatenate([D, -D])


def no_conjugate(name, p, q, r):
    T = F_DIVERGENCES[name].derivative(r)
    return np.sum(p * T) - np.sum(q * T)


def bound_at(T):
    """E_p[T] - E_q[f*(T)] at one choice of T(d, p, q), for the generators of INFINITE_SLOPE."""
    def values(p, q):
        chosen = [(F_DIVERGENCES[name], T(F_DIVERGENCES[name], p, q)) for name in INFINITE_SLOPE]
        return np.array([np.sum(p * t) - np.sum(q * d.conjugate(t)) for d, t in chosen])
    return values


def divergences(p, q):
    return np.array([f_divergence(name, p, q) for name in INFINITE_SLOPE])


INFINITE_SLOPE = ("kl", "jensen-shannon")       # f'(0) = -inf while f(0) is finite

CLAIMS = [
    Claim("yu2020.sec2.1.def", each(lambda d, p, q: f_divergence_of(d.f, p, q)), equals(textbook_forms, pair_case),
          {"expectation under p": each(lambda d, p, q: np.sum(p * d.f(p / q))),
           "f(q/p)": each(lambda d, p, q: np.sum(q * d.f(q / p))),
           "no weights": each(lambda d, p, q: np.sum(d.f(p / q)))}),
    Claim("yu2020.sec2.1.nonneg", away_and_at_home(f_divergence_of), is_at_least(squared_variation, generators_case),
          {"expectation under p": away_and_at_home(lambda f, p, q: np.sum(p * f(p / q))),
           "f(1) = 1/10": away_and_at_home(lambda f, p, q: np.sum(q * f(p / q)) + 0.1),
           "-f": away_and_at_home(lambda f, p, q: -np.sum(q * f(p / q)))},
          without=is_at_least(squared_variation, flat_generators_case)),
    Claim("yu2020.sec2.1.kl", lambda p, q: np.array([f_divergence("kl", p, q), f_divergence("reverse kl", p, q)]),
          equals(lambda p, q: np.array([kl(p, q), kl(q, p)]), pair_case),
          {"the generators exchanged": lambda p, q: np.array([f_divergence("reverse kl", p, q),
                                                              f_divergence("kl", p, q)]),
           "f = log u": lambda p, q: np.array([f_divergence_of(lambda u: u * np.log(u), p, q),
                                               f_divergence_of(np.log, p, q)]),
           "both the forward KL": lambda p, q: np.array([f_divergence("kl", p, q)] * 2)}),
    Claim("yu2020.sec2.1.domain", similarity((0.0, np.inf)),
          equals(lambda p, q: np.exp(-np.array([kl(p, q), kl(q, p, infinite=True)])), lost_state_case),
          {"the state left out: f(0) = 0 for both": similarity((0.0, 0.0)),
           "f(0) = inf for both": similarity((np.inf, np.inf)),
           "f(0) = f(1e-6)": similarity((0.0, -np.log(1e-6)))},
          printed=similarity((0.0, 10.0))),     # f(0) of reverse KL a real number, whichever
    Claim("yu2020.lem1", value_and_optimum(lemma_1), is_at_most(f_divergences, test_functions_case),
          {"E_q[T] - E_p[f*(T)]": value_and_optimum(lambda name, p, q, r: lemma_1(name, q, p, r)),
           "no conjugate: E_p[T] - E_q[T]": value_and_optimum(no_conjugate),
           "both expectations under p": value_and_optimum(lambda name, p, q, r: lemma_1(name, p, p, r)),
           "an infimum": lambda **c: 2 * f_divergences(**c) - value_and_optimum(lemma_1)(**c)}),
    Claim("yu2020.lem1.attain", bound_at(lambda d, p, q: d.derivative(p / q)),
          equals(divergences, pair_case),
          {"f'(q/p)": bound_at(lambda d, p, q: d.derivative(q / p)),
           "f'(p)": bound_at(lambda d, p, q: d.derivative(p)),
           "any constant": bound_at(lambda d, p, q: d.derivative(np.ones(len(p))))},
          without=equals(divergences, lost_state_case)),
]
