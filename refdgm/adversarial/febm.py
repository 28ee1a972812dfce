r"""f-EBM: the variational bound in terms of two energies (yu2020 Sec. 3.2).

With q = exp(-E)/Z, any function H, and r = exp(H + E), a guess of the ratio p/q:

    Eq. 14     L(E, H) = E_p[f'(r)] - E_q[f*(f'(r))]
    Theorem 2  D_f(P||Q) = sup_H L(E, H)
    Eq. 15     attained at H* = log(p Z)
    Eq. 16     exp(H* + E) = p/q
    Eq. 17     min_E L(E, H*) = min_E D_f(p||q):  the game's optimum is q = p with H = log(p Z)
    the gap    D_f - L = E_q[f(u) - f(r) - f'(r)(u - r)],  u = p/q:  a Bregman divergence of the two ratios

It is Lemma 1 with T = f'(r); what is new is that the energy stands in both terms.

Shapes: E, H, p, q, r (S,), tables over the states; one f by its name in refdgm.divergences.

At H = 0 the objective is below the divergence, at H* = log(p Z) it is the divergence, here KL:

>>> import numpy as np
>>> from refdgm.adversarial.febm import best_H, objective
>>> E, p = np.zeros(2), np.array([0.2, 0.8])
>>> [round(abs(float(objective(E, H, p, "kl"))), 3) for H in (np.zeros(2), best_H(E, p))]
[0.0, 0.193]
"""
import autograd.numpy as np
from autograd import value_and_grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most, minimises, vanishes
from refdgm.divergences import f_bound, f_divergence
from refdgm.f_divergences import F_DIVERGENCES, named, SMOOTH
from refdgm.models.energy import law_of, log_partition


def objective(E, H, p, name):
    """L(E, H) = E_p[f'(r)] - E_q[f*(f'(r))], r = exp(H + E) (yu2020 Eq. 14).  -> ()"""
    check_tables(E, H, p)
    d = named(name)
    T = d.at_log(H + E)
    return np.sum(p * T) - np.sum(law_of(E) * d.conjugate(T))


def check_tables(E, H, p):
    """Raise ValueError unless p is a distribution and E and H are finite, one number for each of its states."""
    valid.distribution("p", p)
    valid.vector("E", E, len(p))
    valid.vector("H", H, len(p))


def best_H(E, p):
    """H* = log(p Z) (yu2020 Eq. 15).  (S,), (S,) -> (S,)"""
    return np.log(p) + log_partition(E)


def ratio(E, H):
    """exp(H + E), which is p/q at the best H (yu2020 Eq. 16).  (S,), (S,) -> (S,)"""
    return np.exp(H + E)


def gap(E, H, p, name):
    """D_f - L = E_q[f(u) - f(r) - f'(r)(u - r)] with u = p/q (yu2020 Sec. 3.2).  -> ()"""
    d, q, r = named(name), law_of(E), ratio(E, H)
    u = p / q
    return np.sum(q * (d.f(u) - d.f(r) - d.derivative(r) * (u - r)))


# ---- claims ---------------------------------------------------------------------------

def tables_case(seed, S=6):
    """Energies far from normalised, a data law, and an H that is off from its optimum."""
    rng = onp.random.default_rng([seed, 91])
    E, p = rng.normal(size=S) + rng.normal(), rng.dirichlet(onp.full(S, 2.0))
    return {"E": E, "H": onp.log(p * onp.sum(onp.exp(-E))) + 0.4 * rng.normal(size=S), "p": p}


def each(function):
    """function(name, E, H, p) for every generator."""
    return lambda E, H, p: np.array([function(name, E, H, p) for name in SMOOTH])


def divergences(E, H, p):
    q = onp.exp(-E) / onp.sum(onp.exp(-E))
    return onp.array([f_divergence(name, p, q) for name in SMOOTH])


def value_and_supremum(L):
    """L at H, and minus L at log(p Z): at most D_f, and at most -D_f."""
    def values(E, H, p):
        best = onp.log(p * onp.sum(onp.exp(-E)))
        return onp.array([L(name, E, H, p) for name in SMOOTH] + [-L(name, E, best, p) for name in SMOOTH])
    return values


def written_out(name, E, H, p, exponent=lambda E, H: H + E, swap=False, T=lambda d, r: d.derivative(r),
                F=lambda d, r: r * d.derivative(r) - d.f(r)):
    """Eq. 14 word by word; the options are the mistakes."""
    d, r = F_DIVERGENCES[name], onp.exp(exponent(E, H))
    q = onp.exp(-E) / onp.sum(onp.exp(-E))
    first, second = (q, p) if swap else (p, q)
    return onp.sum(first * T(d, r)) - onp.sum(second * F(d, r))


def named_tables_case(seed):
    """As tables_case without H, one generator for each instance."""
    c = tables_case(seed)
    return {"E": c["E"], "p": c["p"], "name": SMOOTH[seed % len(SMOOTH)]}


def lost_state_case(seed):
    """A state with p = 0 < q, where log(p Z) is no number."""
    c = named_tables_case(seed)
    p = onp.append(c["p"][:-1], 0.0)
    return {**c, "p": p / onp.sum(p)}


def minus_objective(H, E, p, name):
    return -objective(E, H, p, name)


def two_energies_case(seed):
    return {**named_tables_case(seed), "before": tables_case(seed + 1000)["E"]}


def value_and_slope(L):
    """L(E) with its gradient in E, by autograd."""
    def both(E, p, name, before):
        value, slope = value_and_grad(lambda E: L(E, p, name, before))(E)
        return {"value": value, "slope": slope}
    return both


def divergence_of_energies(E, p, name, before):
    q = np.exp(-E) / np.sum(np.exp(-E))
    return np.sum(q * F_DIVERGENCES[name].f(p / q))


def optimum_case(seed):
    return {"p": tables_case(seed)["p"], "c": 3 * onp.random.default_rng([seed, 92]).normal(),
            "other": tables_case(seed)["H"]}


def slopes_at(pair):
    """L and its gradients in E and H at a pair (E, H), for every generator: all zero at the optimum, and only there."""
    def slopes(p, c, other):
        E, H = pair(p, c, other)
        found = []
        for name in SMOOTH:
            value, slope = value_and_grad(lambda pair: objective(pair[0], pair[1], p, name))(onp.stack([E, H]))
            found.append(onp.append(slope, value))
        return onp.concatenate(found)
    return slopes


def bregman(under, a, b):
    """E of f(a) - f(b) - f'(b)(a - b) under one of the two laws."""
    def value(name, E, H, p):
        d, q, r = F_DIVERGENCES[name], law_of(E), ratio(E, H)
        ratios = {"u": p / q, "r": r}
        x, y = ratios[a], ratios[b]
        return np.sum({"p": p, "q": q}[under] * (d.f(x) - d.f(y) - d.derivative(y) * (x - y)))
    return each(value)


CLAIMS = [
    Claim("yu2020.thm2", value_and_supremum(lambda name, E, H, p: objective(E, H, p, name)),
          is_at_most(lambda **c: onp.concatenate([divergences(**c), -divergences(**c)]), tables_case),
          {"H - E": value_and_supremum(lambda name, E, H, p: objective(E, H - 2 * E, p, name)),
           "E_q and E_p exchanged": value_and_supremum(lambda *a: written_out(*a, swap=True)),
           "f for f' in the first term": value_and_supremum(lambda *a: written_out(*a, T=lambda d, r: d.f(r))),
           "an infimum": lambda **c: 2 * onp.concatenate([divergences(**c), -divergences(**c)])
                                      - value_and_supremum(lambda name, E, H, p: objective(E, H, p, name))(**c)}),
    Claim("yu2020.thm2.attain", lambda E, p, name: best_H(E, p),
          minimises(minus_objective, "H", named_tables_case),
          {"log p, without Z": lambda E, p, name: np.log(p),
           "log(p/Z)": lambda E, p, name: np.log(p) - log_partition(E),
           "log(p/q), the ratio itself": lambda E, p, name: np.log(p / law_of(E)),
           "-E: the model's own": lambda E, p, name: -E},
          without=minimises(minus_objective, "H", lost_state_case)),
    Claim("yu2020.eq14", each(lambda name, E, H, p: objective(E, H, p, name)),
          equals(each(lambda name, E, H, p: f_bound(name, p, law_of(E), F_DIVERGENCES[name].derivative(ratio(E, H)))),
                 tables_case),
          {"H - E": each(lambda *a: written_out(*a, exponent=lambda E, H: H - E)),
           "exp(H), the energy left out": each(lambda *a: written_out(*a, exponent=lambda E, H: H)),
           "E_q and E_p exchanged": each(lambda *a: written_out(*a, swap=True)),
           "r f' for r f' - f in the second term": each(lambda *a: written_out(
               *a, F=lambda d, r: r * d.derivative(r)))}),
    Claim("yu2020.eq16", lambda E, H, p: ratio(E, best_H(E, p)),
          equals(lambda E, H, p: p / (onp.exp(-E) / onp.sum(onp.exp(-E))), tables_case),
          {"q/p": lambda E, H, p: 1 / ratio(E, best_H(E, p)),
           "only up to Z": lambda E, H, p: ratio(E, np.log(p)),
           "before the maximum": lambda E, H, p: ratio(E, H),
           "exp(H) alone": lambda E, H, p: np.exp(best_H(E, p))}),
    Claim("yu2020.eq17", value_and_slope(lambda E, p, name, before: objective(E, best_H(E, p), p, name)),
          equals(value_and_slope(divergence_of_energies), two_energies_case),
          {"H* of an earlier E": value_and_slope(lambda E, p, name, before: objective(E, best_H(before, p), p, name)),
           "D_f(q||p)": value_and_slope(lambda E, p, name, before: np.sum(
               p * F_DIVERGENCES[name].f(law_of(E) / p))),
           "H = log p": value_and_slope(lambda E, p, name, before: objective(E, np.log(p), p, name))}),
    Claim("yu2020.eq17.iff", slopes_at(lambda p, c, other: (c - onp.log(p), onp.log(p) + onp.log(onp.exp(-c)))),
          vanishes(lambda **c: 1.0, optimum_case),
          {"any H once q = p": slopes_at(lambda p, c, other: (c - onp.log(p), other)),
           "H = log p, E = c - log p": slopes_at(lambda p, c, other: (c - onp.log(p), onp.log(p))),
           "H = log(p Z) with another E": slopes_at(lambda p, c, other: (other, best_H(other, p))),
           "H + E = 0 with another E": slopes_at(lambda p, c, other: (other, -other))}),
    Claim("yu2020.sec3.2.gap", each(lambda name, E, H, p: gap(E, H, p, name)),
          equals(lambda E, H, p: divergences(E, H, p) - each(written_out)(E, H, p), tables_case),
          {"the ratios exchanged": bregman("q", "r", "u"),
           "measured under p": bregman("p", "u", "r"),
           "the difference of f alone": each(lambda name, E, H, p: np.sum(law_of(E) * (
               F_DIVERGENCES[name].f(p / law_of(E)) - F_DIVERGENCES[name].f(ratio(E, H)))))}),
]
