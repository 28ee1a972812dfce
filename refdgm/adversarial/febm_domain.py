r"""Why f-EBM needs no output activation: its critic is in the domain of f* by construction (yu2020 Sec. 3.2, Eq. 14).

    T = f'(u),  u = exp(H + E) > 0:     f'(u) < f'(inf), the end of dom f*, and  f*(T) = u f'(u) - f(u)

for any number H + E. A critic T that may be any number, as Eq. 12 has it, leaves the domain of most f*, where the
bound is minus infinity; f-GAN needs an activation of its own for each f. v = H + E : (n,).

Reverse KL has f* for t < 0 only; T = f'(e^v) is there for any v, and f*(T) = v - 1:

>>> import numpy as np
>>> from refdgm.adversarial.febm_domain import conjugate_at_critic
>>> float(conjugate_at_critic("reverse kl", np.array([3.0]))[0])
2.0
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.f_divergences import SMOOTH, named
from refdgm.models.finite_game import supremum


def conjugate_at_critic(name, v):
    """f*(f'(u)) = u f'(u) - f(u), u = e^v (yu2020 Theorem 2).  (n,) -> (n,)"""
    d, u = named(name), np.exp(v)
    return u * d.at_log(v) - d.f(u)


# ---- claims ---------------------------------------------------------------------------

def outputs_case(seed):
    """Energies and outputs of a net that add up to anything in [-4, 4]."""
    return {"v": np.random.default_rng([seed, 87]).uniform(-4.0, 4.0, size=5)}


def every(formula, critic=lambda d, v: d.at_log(v)):
    """For every generator whether T < f'(inf), and formula(name, v)."""
    def found(v):
        return {"inside": np.array([critic(named(name), v) < named(name).slopes[1] for name in SMOOTH], dtype=float),
                "f*": np.array([formula(name, v) for name in SMOOTH])}
    return found


def searched(v):
    """The oracle: f*(T) = sup over u of u T - f(u) by search, which ends inside of the range for T in the domain."""
    def conjugate(name):
        d = named(name)
        T = d.derivative(np.exp(v))
        return supremum(lambda log_u: np.exp(log_u) * T[:, None] - d.f(np.exp(log_u)), np.full(len(v), -12.0), 12.0)
    return {"inside": np.ones((len(SMOOTH), len(v))), "f*": np.array([conjugate(name) for name in SMOOTH])}


CLAIMS = [
    Claim("yu2020.x_critic_in_domain", every(conjugate_at_critic),
          equals(searched, outputs_case, method="optimisation"),
          {"T = H + E, not f' of its exponential": every(conjugate_at_critic, critic=lambda d, v: v),
           "T = exp(H + E), the ratio itself": every(conjugate_at_critic, critic=lambda d, v: np.exp(v)),
           "f for f*": every(lambda name, v: named(name).f(np.exp(v))),
           "u f'(u) alone": every(lambda name, v: np.exp(v) * named(name).at_log(v))}),
]
