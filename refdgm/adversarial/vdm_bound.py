r"""f-divergences and the variational bound that adversarial learning climbs (ou2018 Sec. 3.2.4, Eqs. 26-28).

    Eq. 26   D_f[p0||p] = sum p f(p0/p)                  f convex with f(1) = 0, so that D_f[p0||p0] = 0
    Eq. 27   D_f[p0||p] >= sup_T E_{p0}[T] - E_p[f*(T)]  for any class of T with values in dom f*, if p0 << p
    Eq. 28   equality at T* = f'(p0/p); T* > f'(1) where p0 > p

Three cases: f = u log u - (u + 1) log(u + 1) gives 2 JS - log 4; u log u gives KL[p0||p]; -log u gives KL[p||p0].

Over all functions T the supremum and the sum can be exchanged without loss. In a class of T that cannot tell the points
of a block apart, the best bound is the divergence of the two laws of the block.

p0, p, T : (n,), one entry for each point. A table over divergences has one row each.

The bound at T = 1, which is f'(1) for KL, and at T*, where it is KL[p0||p]:

>>> import numpy as np
>>> from refdgm.adversarial.vdm_bound import F_DIVERGENCES, bound, optimal_T
>>> d, p0, p = F_DIVERGENCES["kl"], np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> [round(abs(float(bound(d, p0, p, T))), 3) for T in (np.ones(2), optimal_T(d, p0, p))]
[0.0, 0.193]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most, vanishes
from refdgm.divergences import f_divergence, js
from refdgm.f_divergences import F_DIVERGENCES, u_log_u
from refdgm.models.finite_game import random_laws, supremum
from refdgm.numerics import kl

NORMALISED = tuple(name for name in F_DIVERGENCES if name != "gan")     # those with f(1) = 0


def divergence(f, p0, p):
    """sum p f(p0/p) for any f (ou2018 Eq. 26).  (n,), (n,) -> ()"""
    return np.sum(p * f(p0 / p))


def divergences(p0, p):
    """D_f of every row of the table (ou2018 Eq. 26).  -> (12,)"""
    return onp.array([f_divergence(name, p0, p) for name in F_DIVERGENCES])


def bound(d, p0, p, T):
    """E_{p0}[T] - E_p[f*(T)] (ou2018 Eq. 27).  (n,), (n,), (n,) -> ()"""
    return np.sum(p0 * T) - np.sum(p * d.conjugate(T))


def optimal_T(d, p0, p):
    """T* = f'(p0/p) (ou2018 Eq. 28).  (n,), (n,) -> (n,)"""
    return d.derivative(p0 / p)


def block_laws(p0, p, block):
    """The laws of the block in which x lies; block (n,) has its number.  -> two (blocks,)"""
    return onp.bincount(block, p0), onp.bincount(block, p)


# ---- oracles --------------------------------------------------------------------------

def textbook(p0, p):
    """The divergences by name, each written as in its own literature."""
    m, w = (p0 + p) / 2, 0.3
    mixed = w * p0 + (1 - w) * p
    return onp.array([
        kl(p0, p), kl(p, p0), kl(p0, p) + kl(p, p0), onp.sum((p0 - p)**2 / p), onp.sum((p0 - p)**2 / p0),
        onp.sum((onp.sqrt(p0) - onp.sqrt(p))**2), kl(p0, m) + kl(p, m), w * kl(p0, mixed) + (1 - w) * kl(p, mixed),
        kl(p0, m) + kl(p, m) - onp.log(4), onp.sum(onp.abs(p0 - p)) / 2,
        *[(onp.sum(p0**a * p**(1 - a)) - 1) / (a * (a - 1)) for a in (0.4, 1.7)]])


def best_constants(d, p0, p, block):
    """sup of Eq. 27's bound over T that are constant on each block: a search for one ratio r, T = f'(r), in each."""
    P0, P = block_laws(p0, p, block)

    def one_block(log_r):
        T = d.at_log(log_r)
        return P0[:, None] * T - P[:, None] * d.conjugate(T)
    return onp.sum(supremum(one_block, onp.full(P.shape, -15.0), 15.0))


# ---- small random cases ---------------------------------------------------------------

def one_law(seed):
    return {"p0": random_laws(seed)["p0"]}


def odds_case(seed):
    return {**random_laws(seed), "nu": 0.5 + onp.random.default_rng([seed, 1]).gamma(2.0)}


def guess_case(seed):
    """Guesses r of the ratio p0/p, from good to bad: off by a factor of 20 at most, so that f(r) loses no digits."""
    case = random_laws(seed)
    rng = onp.random.default_rng([seed, 1])
    off = rng.uniform(-1.0, 1.0, size=case["p"].shape) * rng.uniform(0.2, 3.0)
    return {**case, "r": case["p0"] / case["p"] * onp.exp(off)}


def uncovered_case(seed):
    """The generator never reaches the last point, and T says so: data are 50 times as likely there."""
    p0, p, _ = guess_case(seed).values()
    p = onp.append(p[:-1] / onp.sum(p[:-1]), 0.0)
    return {"p0": p0, "p": p, "r": onp.append(p0[:-1] / p[:-1], 50.0)}


def blocks_case(seed):
    return {**random_laws(seed), "block": onp.random.default_rng([seed, 1]).permutation([0, 0, 1, 1, 2, 2])}


# ---- claims ---------------------------------------------------------------------------

def every(formula, names=tuple(F_DIVERGENCES)):
    """formula(d, ...) for every divergence d."""
    return lambda *args, **case: onp.array([formula(F_DIVERGENCES[name], *args, **case) for name in names])


def where_covered(p0, p, r):
    """D_f as a sum over the points with p > 0."""
    there = p > 0
    return every(lambda d: divergence(d.f, p0[there], p[there]))()


def guessed(formula):
    """formula(d, p0, p, T) at T = f'(r)."""
    return every(lambda d, p0, p, r: formula(d, p0, p, d.derivative(r)))


def log_odds_f(nu):
    """u log u - (u + nu) log(u + nu): nu = 1 in the GAN case, nu > 0 in Appendix A."""
    return lambda u: u_log_u(u) - (u + nu) * np.log(u + nu)


def odds_divergences(shift):
    """D_f[p0||p0] and D_f[p0||p] for f + shift(nu, f)."""
    def both(p0, p, nu):
        f = log_odds_f(nu)
        return onp.array([divergence(lambda u: f(u) + shift(nu, f), p0, q) for q in (p0, p)])
    return both


def mixture_kl(p0, p, nu):
    """0, and KL[p0||m] + nu KL[p||m] with the mixture m of p0 and nu parts of p."""
    m = (p0 + nu * p) / (1 + nu)
    return onp.array([0.0, kl(p0, m) + nu * kl(p, m)])


def losses(split):
    """What the bound loses in exchanging sup and sum, and what in the class of T that are constant on blocks."""
    return every(lambda d, p0, p, block: split(d, divergence(d.f, p0, p), divergence(d.f, *block_laws(p0, p, block))),
                 NORMALISED)


def searched_losses(d, p0, p, block):
    whole = divergence(d.f, p0, p)
    every_T = best_constants(d, p0, p, onp.arange(p.size))
    return [whole - every_T, every_T - best_constants(d, p0, p, block)]


def is_data(d, p0, p, threshold):
    return onp.where(optimal_T(d, p0, p) > threshold, 1.0, 0.0)


def of(name, factor=1.0):
    return lambda p0, p: factor * f_divergence(name, p0, p)


CLAIMS = [
    Claim("ou2018.eq26", divergences, equals(textbook, random_laws),
          {"sum p0 f(p/p0)": lambda p0, p: divergences(p, p0),
           "sum p0 f(p0/p)": every(lambda d, p0, p: onp.sum(p0 * d.f(p0 / p))),
           "sum f(p0/p), without p": every(lambda d, p0, p: onp.sum(d.f(p0 / p)))}),
    Claim("ou2018.eq26.f1", lambda p0: every(lambda d: divergence(d.f, p0, p0), NORMALISED)(),
          vanishes(lambda p0: 1.0, one_law),
          {"f'(1) = 0 instead: f = u^2/2 - u": lambda p0: divergence(lambda u: u**2 / 2 - u, p0, p0),
           "f(0) = 0 instead: f = u log u - u": lambda p0: divergence(lambda u: u_log_u(u) - u, p0, p0),
           "no condition: the f of the GAN": lambda p0: divergence(F_DIVERGENCES["gan"].f, p0, p0)}),
    Claim("ou2018.gan.f1", odds_divergences(lambda nu, f: -f(1.0)), equals(mixture_kl, odds_case),
          {"minus f(0)": odds_divergences(lambda nu, f: -f(0.0)),
           "plus f(1)": odds_divergences(lambda nu, f: f(1.0)),
           "log 4 also for nu parts of noise": odds_divergences(lambda nu, f: onp.log(4))},
          printed=odds_divergences(lambda nu, f: 0.0)),
    Claim("ou2018.eq27", guessed(bound), is_at_most(lambda p0, p, r: divergences(p0, p), guess_case),
          {"a bound on D_f[p||p0]": every(lambda d, p0, p, r: bound(d, p, p0, d.derivative(p / p0))),
           "T for f*(T)": guessed(lambda d, p0, p, T: onp.sum(p0 * T) - onp.sum(p * T)),
           "+E_p[f*(T)]": guessed(lambda d, p0, p, T: onp.sum(p0 * T) + onp.sum(p * d.conjugate(T))),
           "f for f*": every(lambda d, p0, p, r: onp.sum(p0 * d.derivative(r)) - onp.sum(p * d.f(r)))},
          without=is_at_most(where_covered, uncovered_case)),
    Claim("ou2018.eq27.reasons", losses(lambda d, whole, coarse: onp.append(0.0, whole - coarse)),
          equals(every(searched_losses, NORMALISED), blocks_case, method="optimisation"),
          {"the exchange costs all": losses(lambda d, whole, coarse: [whole - coarse, 0.0]),
           "nothing is lost in any class": losses(lambda d, whole, coarse: [0.0, 0.0]),
           "the class costs all of D_f": losses(lambda d, whole, coarse: [0.0, whole]),
           "one t for all x, E_p[f(p0/p)] >= f(1)": losses(lambda d, whole, coarse: [whole - d.f(1.0), 0.0])}),
    Claim("ou2018.eq28", every(lambda d, p0, p: bound(d, p0, p, optimal_T(d, p0, p))), equals(divergences, random_laws),
          {"f'(p/p0)": every(lambda d, p0, p: bound(d, p0, p, d.derivative(p / p0))),
           "f(p0/p)": every(lambda d, p0, p: bound(d, p0, p, d.f(p0 / p))),
           "the log-ratio for every f": every(lambda d, p0, p: bound(d, p0, p, onp.log(p0 / p))),
           "f'(1), the threshold": every(lambda d, p0, p: bound(d, p0, p, d.derivative(1.0 + 0 * p)))}),
    Claim("ou2018.gf.threshold", every(lambda d, p0, p: is_data(d, p0, p, d.derivative(1.0))),
          equals(lambda p0, p: onp.array([p0 > p] * len(F_DIVERGENCES), dtype=float), random_laws),
          {"f(1)": every(lambda d, p0, p: is_data(d, p0, p, d.f(1.0))),
           "0 for every f": every(lambda d, p0, p: is_data(d, p0, p, 0.0)),
           "1 for every f": every(lambda d, p0, p: is_data(d, p0, p, 1.0)),
           "data below the threshold": every(lambda d, p0, p: 1 - is_data(d, p0, p, d.derivative(1.0)))}),
    Claim("ou2018.gan.special", of("gan"), equals(lambda p0, p: 2 * js(p0, p) - onp.log(4), random_laws),
          {"JS[p0||p] itself": lambda p0, p: js(p0, p),
           "2 JS[p0||p]": lambda p0, p: 2 * js(p0, p),
           "2 JS[p0||p] + log 4": lambda p0, p: 2 * js(p0, p) + onp.log(4),
           "f with log((u + 1)/2) for log(u + 1)": of("jensen-shannon")}),
    Claim("ou2018.gan.Df", of("gan"),
          equals(lambda p0, p: onp.sum(p0 * onp.log(p0 / (p0 + p))) + onp.sum(p * onp.log(p / (p0 + p))), random_laws),
          {"log of 2 p0/(p0 + p)": of("jensen-shannon"),
           "half": of("gan", 0.5),
           "the first term alone": lambda p0, p: onp.sum(p0 * onp.log(p0 / (p0 + p)))}),
    Claim("ou2018.kl.Df", of("kl"), equals(lambda p0, p: onp.sum(p0 * onp.log(p0 / p)), random_laws),
          {"KL[p||p0]": lambda p0, p: f_divergence("kl", p, p0),
           "E_p[log p0/p]": lambda p0, p: onp.sum(p * onp.log(p0 / p)),
           "both directions": of("jeffrey")}),
    Claim("ou2018.rkl.Df", of("reverse kl"), equals(lambda p0, p: onp.sum(p * onp.log(p / p0)), random_laws),
          {"-log u gives KL[p0||p]": of("kl"),
           "log u for -log u": of("reverse kl", -1.0)},
          printed=lambda p0, p: f_divergence("reverse kl", p, p0)),
]
