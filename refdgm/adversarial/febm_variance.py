r"""Whose gradient varies more, that of Theorem 1 or of Theorem 3, and from which dimension on (yu2020 Sec. 3.1.2).

KL, at the optimum of the critic: u = p/q, and F = f*(f'(u)) = u. For one component of theta, from one sample of q (and
one of p for Theorem 3), with the means E_q[dE] and E_q[F] = 1 known:

    Theorem 1   g = (dE(x) - E_q[dE]) (F(x) - 1),  x ~ q
    Theorem 3   g = dE(x') - dE(x),                x' ~ p, x ~ q:  F dE and the gradient of F cancel

For q = N(theta, I) and p = N(theta + delta (1..1), I) in d dimensions, and theta_1:

    Var 1 = e^{d delta^2} (1 + 4 delta^2) - 1 - 3 delta^2,       Var 3 = 2

so Theorem 1 is the better one until d delta^2 > log (3 + 3 delta^2)/(1 + 4 delta^2), and then worse exponentially.

delta is a number; the dimension d too.

Half a standard deviation apart, Theorem 1 has the larger variance from this dimension on:

>>> from refdgm.adversarial.febm_variance import first_worse_dimension
>>> int(first_worse_dimension(0.5))
3
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import gauss_hermite


def variance_of_theorem_1(delta, d):
    """Var of (dE - E_q[dE])(F - 1), F = p/q (yu2020 Theorem 1).  -> ()"""
    return np.exp(d * delta**2) * (1 + 4 * delta**2) - 1 - 3 * delta**2


def variance_of_theorem_3(delta, d):
    """Var of dE(x') - dE(x): one for each of the two samples (yu2020 Theorem 3).  -> ()"""
    return 2.0


def first_worse_dimension(delta):
    """The first d in which Theorem 1 has the larger variance (yu2020 Sec. 3.1.2)."""
    return int(np.floor(np.log((3 + 3 * delta**2) / (1 + 4 * delta**2)) / delta**2)) + 1


# ---- claims ---------------------------------------------------------------------------

DIMENSIONS = (1, 2, 3)


def near_case(seed):
    """Model and data at most 0.6 apart in each dimension."""
    return {"delta": np.random.default_rng([seed, 86]).uniform(0.3, 0.6)}


def both(theorem_1=variance_of_theorem_1, theorem_3=variance_of_theorem_3, first=first_worse_dimension):
    return lambda delta: {"Theorem 1": np.array([theorem_1(delta, d) for d in DIMENSIONS]),
                          "Theorem 3": np.array([theorem_3(delta, d) for d in DIMENSIONS]),
                          "first worse": float(first(delta))}


def variances(delta, d):
    """The oracle: both variances by quadrature over all d dimensions, with x - theta = noise under q."""
    noise, weight = gauss_hermite(16, d)
    u = np.exp(-0.5 * np.sum((noise - delta)**2 - noise**2, axis=-1))
    one = -noise[:, 0] * (u - 1)
    of_p = weight * u @ noise[:, 0]**2 - (weight * u @ noise[:, 0])**2
    return weight @ one**2 - (weight @ one)**2, of_p + weight @ noise[:, 0]**2 - (weight @ noise[:, 0])**2


def by_quadrature(delta):
    """The variances in few dimensions, and the first worse dimension with the others as powers of one integral."""
    valid.require(abs(delta) >= 0.01, f"delta must be 0.01 or more, or the dimension is too large, but is {delta}.")
    one, three = np.array([variances(delta, d) for d in DIMENSIONS]).T
    noise, weight = gauss_hermite(40)
    z, u = noise[:, 0], np.exp(delta * noise[:, 0] - delta**2 / 2)
    others, d = weight @ u**2, 1
    while (others**(d - 1) * (weight @ (z * u)**2) - 2 * weight @ (z**2 * u) + 1 - (weight @ (z * u))**2) < 2:
        d += 1
    return {"Theorem 1": one, "Theorem 3": three, "first worse": float(d)}


CLAIMS = [
    Claim("yu2020.x_variance_by_dimension", both(), equals(by_quadrature, near_case, method="quadrature"),
          {"worse in every dimension": both(first=lambda delta: 1),
           "linear in the dimension": both(lambda delta, d: d * variance_of_theorem_1(delta, 1)),
           "the samples of the data vary alone": both(theorem_3=lambda delta, d: 1.0),
           "the reward without its mean": both(
               lambda delta, d: np.exp(d * delta**2) * (1 + 4 * delta**2) - delta**2)}),
]
