r"""Divergences between distributions on a finite set, and the variational bound on an f-divergence.

    H[p] = -sum p log p                                              (ou2018 Notations, Sec. 1)
    KL[p||q] = sum p log p/q     inclusive (forward) for the target p; KL[q||p] is exclusive (reverse)
    JS[p||q] = KL[p||m]/2 + KL[q||m]/2,  m = (p + q)/2
    KLsym[p||q] = (KL[p||q] + KL[q||p]) / 2
    D_f[p||q] = sum q f(p/q) >= F_f(T) = sum p T - sum q f*(T)       (ou2018 Eqs. 26-27)

What f is for each name, and by which convention, is in refdgm.f_divergences.

Shapes: p, q, T (n,). Everything is in nats.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.f_divergences import F_DIVERGENCES, named
from refdgm.numerics import entropy, gaussian_log_prob, kl, trapezoid


def js(p, q):
    """JS[p||q] in nats, at most log 2 (ou2018 Notations, Sec. 1).  (n,), (n,) -> ()"""
    m = (p + q) / 2
    return kl(p, m) / 2 + kl(q, m) / 2


def kl_symmetric(p, q):
    """KLsym[p||q], half of Jeffreys' divergence (ou2018 Notations, Sec. 1).  (n,), (n,) -> ()"""
    return (kl(p, q) + kl(q, p)) / 2


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
