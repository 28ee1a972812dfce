r"""NCE is the variational estimation of an f-divergence between data and noise (ou2018 Appendix A, Eqs. 45-46).

    f(u) = u log u - (u + nu) log(u + nu),   f'(u) = log u/(u + nu),   f*(t) = nu log nu - nu log(1 - e^t),  t < 0
    T(x) = f'(p_m/p_n) = log p_m/(p_m + nu p_n)                       which is log P(C=0|x)
    Eq. 45   D_f[p_0||p_n] >= F = E_p0[T] - E_pn[f*(T)]               equality at p_m = p_0
    Eq. 46   F = E_p0[log p_m/(p_m + nu p_n)] + nu E_pn[log nu p_n/(p_m + nu p_n)] - nu log nu
                                                                                          (printed + nu log nu)

f has f(1) = -(1 + nu) log(1 + nu), not 0: D_f is not zero at p_0 = p_n, which moves the bound and not its maximiser.

Shapes: p_0, p_n, p_m (..., S); p_m need not sum to one.

How far the bound is below the divergence: for a model with twice the mass of the data, and for the data themselves.

>>> import numpy as np
>>> from refdgm.undirected.nce_as_bound import bound, divergence
>>> p_0, p_n = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> gap = [divergence(p_0, p_n, 1.0) - bound(p_m, p_0, p_n, 1.0) for p_m in (2 * p_0, p_0)]
>>> [round(abs(float(g)), 4) for g in gap]
[0.1062, 0.0]
"""
import autograd.numpy as np
from autograd import elementwise_grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most, minimises
from refdgm.models import noise_contrast
from refdgm.models.noise_contrast import random_ratio, smooth_law


def f(u, nu):
    """The generator of NCE's divergence (ou2018 App. A).  (...) -> (...)"""
    return u * np.log(u) - (u + nu) * np.log(u + nu)


def f_prime(u, nu):
    """f'(u) (ou2018 App. A).  (...) -> (...)"""
    return np.log(u / (u + nu))


def f_conjugate(t, nu):
    """f*(t) = sup_u ut - f(u), for t < 0 (ou2018 App. A).  (...) -> (...)"""
    return nu * np.log(nu) - nu * np.log(-np.expm1(t))


def critic(p_m, p_n, nu):
    """T(x), the variational function that a model of the data gives (ou2018 App. A).  (..., S) -> (..., S)"""
    return np.log(p_m / (p_m + nu * p_n))


def divergence(p_0, p_n, nu):
    """D_f[p_0||p_n] (ou2018 Eqs. 26, 45).  (..., S) -> (...)"""
    noise_contrast.validate(p_0, p_n, nu)
    return np.sum(p_n * f(p_0 / p_n, nu), axis=-1)


def bound(p_m, p_0, p_n, nu):
    """F = E_p0[T] - E_pn[f*(T)] (ou2018 Eq. 45).  (..., S) -> (...)"""
    noise_contrast.validate(p_0, p_n, nu)
    valid.require(np.all(p_m > 0), "p_m must be positive in every state.")
    T = critic(p_m, p_n, nu)
    return np.sum(p_0 * T, axis=-1) - np.sum(p_n * f_conjugate(T, nu), axis=-1)


def expanded_bound(p_m, p_0, p_n, nu, constant=-1):
    """F written out (ou2018 Eq. 46, with the constant's sign corrected).  (..., S) -> (...)"""
    mixed = p_m + nu * p_n
    data, noise = np.sum(p_0 * np.log(p_m / mixed), axis=-1), np.sum(p_n * np.log(nu * p_n / mixed), axis=-1)
    return data + nu * noise + constant * nu * np.log(nu)


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, S=5, models=3):
    """Data, noise, and models p_m around the data: not normalised, the last but one nearer, and the data themselves."""
    rng = onp.random.default_rng([seed, 61])
    p_0, p_n = smooth_law(rng, S), smooth_law(rng, S)
    off = onp.array([0.5, 0.1, 0.0])[:models, None] * rng.normal(size=(models, S))
    return {"p_m": p_0 * onp.exp(off), "p_0": p_0, "p_n": p_n, "nu": random_ratio(rng)}


def points_case(seed):
    """Points u > 0 for f and t < 0 for its conjugate."""
    rng = onp.random.default_rng([seed, 62])
    return {"u": onp.exp(rng.normal(size=6)), "t": -onp.exp(rng.normal(size=4) / 2), "nu": random_ratio(rng)}


def by_definition(u, t, nu):
    """The oracle of f' and f*: autograd, and ternary search for the top of ut - f(u), concave in u."""
    low, high = onp.full(len(t), 1e-9), onp.full(len(t), 1e3)
    def height(u): return u * t - f(u, nu)
    for _ in range(150):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        rises = height(a) < height(b)
        low, high = onp.where(rises, a, low), onp.where(rises, high, b)
    return {"derivative": elementwise_grad(f)(u, nu), "conjugate": height((low + high) / 2)}


def derivative_and_conjugate(derivative=f_prime, conjugate=f_conjugate):
    return lambda u, t, nu: {"derivative": derivative(u, nu), "conjugate": conjugate(t, nu)}


def ratio_case(seed):
    """As random_case, without the data: T does not know them."""
    case = random_case(seed)
    return {name: case[name] for name in ("p_m", "p_n", "nu")}


def slope_at_ratio(p_m, p_n, nu):
    """f'(p_m/p_n) by autograd."""
    return elementwise_grad(f)(p_m / p_n, nu)


def both_ways(F):
    """F on D_f[p_0||p_n], and on D_f[p_n||p_0] with the ratio 1 : 1/nu, for models that are as far from p_n."""
    return lambda p_m, p_0, p_n, nu: onp.array([F(p_m, p_0, p_n, nu), F(p_m * p_n / p_0, p_n, p_0, 1 / nu)])


def attained(p_m, p_0, p_n, nu):
    return divergence(p_0, p_n, nu) + onp.zeros(len(p_m))


def objective(p_m, p_0, p_n, nu):
    """J of NCE (ou2018 Eq. 43), at log p_hat = log p_m."""
    return noise_contrast.objective(onp.log(p_m), p_0, p_n, nu)


def with_conjugate(nu_in_f, sign=1):
    """F with f* of another nu, or with the sign of its constant nu log nu."""
    def F(p_m, p_0, p_n, nu):
        T, other = critic(p_m, p_n, nu), nu_in_f(nu)
        conjugate = sign * other * np.log(other) - other * np.log(-np.expm1(T))
        return np.sum(p_0 * T, axis=-1) - np.sum(p_n * conjugate, axis=-1)
    return F


def to_be_minimised(log_p_m, p_0, p_n, nu):
    return -bound(np.exp(log_p_m), p_0, p_n, nu)


def optimum_case(seed):
    case = random_case(seed, models=1)
    return {"log_p_m": onp.log(case.pop("p_m")[0]), **case}


CLAIMS = [
    Claim("ou2018.appA.f", derivative_and_conjugate(), equals(by_definition, points_case, method="optimisation"),
          {"f* without nu log nu": derivative_and_conjugate(conjugate=lambda t, nu: -nu * np.log(1 - np.exp(t))),
           "f* of the GAN: nu = 1": derivative_and_conjugate(conjugate=lambda t, nu: f_conjugate(t, 1.0)),
           "-nu log nu": derivative_and_conjugate(conjugate=lambda t, nu: f_conjugate(t, nu) - 2 * nu * np.log(nu)),
           "f' = log u/(u + 1)": derivative_and_conjugate(derivative=lambda u, nu: f_prime(u, 1.0)),
           "f' = log u - nu log(u + nu)": derivative_and_conjugate(
               derivative=lambda u, nu: np.log(u) - nu * np.log(u + nu))}),
    Claim("ou2018.appA.T", critic, equals(slope_at_ratio, ratio_case, method="autodiff"),
          {"nu is forgotten": lambda p_m, p_n, nu: critic(p_m, p_n, 1.0),
           "log P(C=1|x)": lambda p_m, p_n, nu: np.log(nu * p_n / (p_m + nu * p_n)),
           "the log density ratio": lambda p_m, p_n, nu: np.log(p_m / p_n),
           "f, not f'": lambda p_m, p_n, nu: f(p_m / p_n, nu)}),
    Claim("ou2018.eq45", both_ways(bound), is_at_most(both_ways(attained), random_case),
          {"on the divergence of p_n from p_0": lambda **case: both_ways(bound)(**case)[::-1],
           "an upper bound": both_ways(lambda *case: 2 * attained(*case) - bound(*case)),
           "the sign of nu log nu": both_ways(with_conjugate(lambda nu: nu, sign=-1)),
           "f* of the GAN: nu = 1": both_ways(with_conjugate(lambda nu: 1.0))}),
    Claim("ou2018.eq46", expanded_bound, equals(bound, random_case),
          {"no constant": lambda **case: expanded_bound(**case, constant=0),
           "the noise term without nu": lambda p_m, p_0, p_n, nu: expanded_bound(p_m, p_0, p_n, nu) + (1 - nu) * np.sum(
               p_n * np.log(nu * p_n / (p_m + nu * p_n)), axis=-1),
           "p_n for nu p_n in the numerator": lambda p_m, p_0, p_n, nu: expanded_bound(
               p_m, p_0, p_n, nu) - nu * np.log(nu)},
          printed=lambda **case: expanded_bound(**case, constant=+1)),
    Claim("ou2018.eq46.nce", lambda p_m, p_0, p_n, nu: bound(p_m, p_0, p_n, nu) + nu * np.log(nu),
          equals(objective, random_case),
          {"with the constant": bound,
           "minus nu log nu, as Eq. 46 is printed": lambda p_m, p_0, p_n, nu: (
               bound(p_m, p_0, p_n, nu) - nu * np.log(nu)),
           "a loss: -J": lambda p_m, p_0, p_n, nu: -bound(p_m, p_0, p_n, nu) - nu * np.log(nu),
           "J / nu": lambda p_m, p_0, p_n, nu: bound(p_m, p_0, p_n, nu) / nu + np.log(nu)}),
    Claim("ou2018.appA.opt", lambda log_p_m, p_0, p_n, nu: np.log(p_0), minimises(to_be_minimised, "log_p_m",
                                                                                 optimum_case),
          {"p_m = p_n": lambda log_p_m, p_0, p_n, nu: np.log(p_n),
           "p_m = p_0 / p_n": lambda log_p_m, p_0, p_n, nu: np.log(p_0 / p_n),
           "p_m = nu p_0": lambda log_p_m, p_0, p_n, nu: np.log(nu * p_0),
           "p_m halfway between data and noise": lambda log_p_m, p_0, p_n, nu: np.log((p_0 + p_n) / 2)}),
]
