r"""The importance weighted bound for large K (ou2018 Sec. 3.2.1, after Eq. 15).

If q(h|x) > 0 wherever p(x, h) > 0, the bound tends to log p(x), and the gap is that of a mean of K weights:

    I_K -> log p(x)        K (log p(x) - I_K) -> Var_q(w) / (2 p(x)^2) = v/2
    second order           K^2 (log p(x) - I_K - v/2K) -> 3 v^2/4 - t/3,   v, t = E_q (w/p(x) - 1)^2, E_q (w/p(x) - 1)^3

Where q misses states no number of samples finds them: I_K tends to the log of the mass that q covers.

Shapes: p (m,) is p(x, h) for every h at one x, and q (m,) is q(h|x). I_K is exact for any K; see models/iid_weights.

Weights of 0.5 p(x) and 1.5 p(x) have v = 1/4, so K (log p(x) - I_K) tends to 1/8:

    >>> import numpy as np
    >>> from refdgm.directed.iwae_limit import limit_and_rate
    >>> round(float(limit_and_rate(p=np.array([0.1, 0.3]), q=np.array([0.5, 0.5]), K=1000)[1]), 3)
    0.125
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, tends_to
from refdgm.models import tables
from refdgm.models.iid_weights import gap


def bound(p, q, K):
    """I_K(x) exactly, for any K (ou2018 Eq. 15).  (m,), (m,) -> ()"""
    valid.distribution("q", q)
    drawn = q > 0
    weights = p[drawn] / q[drawn]
    return np.log(np.sum(p[drawn])) - gap(weights, q[drawn], K)


def limit_and_rate(p, q, K):
    """I_K and K (log p(x) - I_K).  -> (2,)"""
    I_K = bound(p, q, K)
    return np.array([I_K, K * (np.log(np.sum(p)) - I_K)])


def second_order(p, q, K):
    """K^2 (log p(x) - I_K - v/2K): what the 1/K law of the gap leaves over (implied by ou2018 Eq. 15).  -> ()"""
    v, _ = central_moments(p, q)
    return K**2 * (gap(p / q, q, K) - v / (2 * K))


def central_moments(p, q):
    """v and t, the second and third central moments of w/p(x).  -> (), ()"""
    excess = p / q / np.sum(p) - 1
    return q @ excess**2, q @ excess**3


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """p(x, h) and q(h|x) over the h of one x, from a random table.

    Half of q is spread evenly over the h: no weight exceeds 8 p(x), and the last K is large for all of them.
    """
    case = tables.random_case(seed, X=3, H=4)
    return {"p": np.exp(tables.log_joint(case["theta"])[0]), "q": (np.exp(tables.log_q(case["phi"])[0]) + 1 / 4) / 2}


def seldom_case(seed):
    """As random_case, but q seldom draws the h that has about half of the posterior; the other weights are alike.

    For two samples the gap and the variance of the log-mean are then below what their limits say, for every seed.
    Tiny weights would raise them, and by chance they might be at their limits from the start.
    """
    rng = np.random.default_rng([seed, 1])
    half, seldom, rest = rng.uniform(0.4, 0.7), rng.uniform(0.05, 0.15), rng.dirichlet(np.full(3, 2.0))
    drawn = rest * rng.uniform(0.5, 1.5, size=3)
    return {"p": np.exp(rng.normal()) * np.append(half, (1 - half) * rest),
            "q": np.append(seldom, (1 - seldom) * drawn / np.sum(drawn))}


def case_that_misses_a_state(seed):
    """As random_case, but q never draws the first h."""
    case = random_case(seed)
    q = case["q"] * (np.arange(4) > 0)
    return {"p": case["p"], "q": q / np.sum(q)}


def log_p_and_constant(p, q):
    """log p(x) and Var_q(w) / (2 p(x)^2), with E_q w^2 = sum_h p(x, h)^2 / q(h|x) over what q draws."""
    total, drawn = np.sum(p), q > 0
    return np.array([np.log(total), (np.sum(p[drawn]**2 / q[drawn]) / total**2 - 1) / 2])


def coefficient(p, q):
    """3 v^2/4 - t/3 by the raw moments of p/q."""
    one, two, three = (np.sum(p * (p / q)**n) / np.sum(p)**(n + 1) for n in range(3))
    return 0.75 * (two - one)**2 - (three - 3 * two + 2 * one) / 3


def size_of_coefficient(p, q):
    v, t = central_moments(p, q)
    return 0.75 * v**2 + abs(t) / 3


def even_case(seed):
    """Weights that differ, but by a factor of 8 at most: the next order is then below 3e-4 at K = 3,000."""
    rng = np.random.default_rng([seed, 73])
    q, w = rng.dirichlet(np.full(4, 5.0)), np.exp(rng.uniform(-1.0, 1.0, size=4))
    return {"p": q * w * rng.uniform(0.1, 0.9), "q": q}


LARGE_K = (2, 1_000, 1_000_000)

CLAIMS = [
    Claim("ou2018.eq15.limit", limit_and_rate,
          tends_to(log_p_and_constant, random_case, "K", LARGE_K, rtol=1e-4),
          {"rate 1/K^2": lambda p, q, K: limit_and_rate(p, q, K) * [1, K],
           "the constant is Var(w)/p^2": lambda p, q, K: limit_and_rate(p, q, K) * [1, 2],
           "no 1/K": lambda p, q, K: limit_and_rate(p, q, K) + [np.log(K), -K * np.log(K)],
           "Var_p(1/w): weights q/p": lambda p, q, K: np.append(bound(p, q, K), K * gap(q / p, p / np.sum(p), K))},
          without=tends_to(log_p_and_constant, case_that_misses_a_state, "K", LARGE_K, rtol=1e-4)),
    Claim("ou2018.x_eq15_second_order", second_order,
          tends_to(coefficient, even_case, "K", (1, 3_000), rtol=5e-4, scale=size_of_coefficient),
          {"the 1/K law is exact": lambda p, q, K: 0 * second_order(p, q, K),
           "no third moment": lambda p, q, K: second_order(p, q, K) + central_moments(p, q)[1] / 3,
           "no square of the variance": lambda p, q, K: second_order(p, q, K) - 0.75 * central_moments(p, q)[0]**2,
           "v/2(K + 1) for v/2K": lambda p, q, K: second_order(p, q, K)
               + central_moments(p, q)[0] * K / (2 * (K + 1))}),
]
