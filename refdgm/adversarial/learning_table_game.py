r"""The adversarial row and column of the table of learning algorithms (ou2018 Table 1, Eqs. 24 and 29).

    min_theta max_psi F(theta, psi)        F = E_p[T] - E_q[f*(T)] <= D_f[p || q]

with p the data, q the model and T = T_psi. F is a lower bound on a divergence, so psi has to raise it: then theta
lowers the divergence itself. Lowering F in psi has no end, as F is concave in T and unbounded below.

    GAN   T = log D, D = sigmoid(V)    F = E_p log D + E_q log(1 - D)    reaches 2 JS[p || q] - log 4
    KL    T = V                        F = E_p V - E_q exp(V - 1)        reaches KL[p || q]

p, q and V are (n,), one value for every x.

Up its gradient the discriminator of the KL game comes to KL[p || q]; down it there is no end.

>>> import numpy as np
>>> from refdgm.adversarial.learning_table_game import kl, kl_slope, kl_value, play
>>> p, q = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> round(float(play(p, q, kl_value, kl_slope)[-1]), 3), round(float(kl(p, q)), 3)
(0.193, 0.193)
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to
from refdgm.divergences import js
from refdgm.numerics import kl, log_sigmoid, sigmoid


def gan_value(p, q, V):
    """F = E_p log D + E_q log(1 - D), D = sigmoid(V) (ou2018 Eq. 24).  -> ()"""
    return p @ log_sigmoid(V) + q @ log_sigmoid(-V)


def kl_value(p, q, V):
    """F = E_p T - E_q exp(T - 1), T = V (ou2018 Eq. 29 for f = u log u).  -> ()"""
    return p @ V - q @ np.exp(V - 1)


def gan_slope(p, q, V):
    """What data and model each add to dF/dV: p (1 - D) upwards and q D downwards.  -> (n,), (n,)"""
    return p * sigmoid(-V), q * sigmoid(V)


def kl_slope(p, q, V):
    """The same for the KL: p upwards and q exp(V - 1) downwards.  -> (n,), (n,)"""
    return p, q * np.exp(V - 1)


def play(p, q, value, slope, sign=+1, steps=60):
    """F along steps of the discriminator, up (sign = 1) or down its gradient (ou2018 Table 1).  -> (steps + 1,)

    The step (up - down) / (up + down) has the sign of the gradient, is at most 1, and halves the error near the top.
    """
    V, path = np.zeros_like(p), []
    for _ in range(steps + 1):
        path.append(value(p, q, V))
        up, down = slope(p, q, V)
        V = V + sign * (up - down) / (up + down)
    return np.array(path)


# ---- claims ---------------------------------------------------------------------------

def pair_case(seed, n=5):
    p, q = np.random.default_rng([seed, 33]).dirichlet(np.full(n, 2.0), size=2)
    return {"p": p, "q": q}


def divergences(p, q):
    """The two divergences that F is a lower bound on."""
    return np.array([2 * js(p, q) - np.log(4), kl(p, q)])


def games(**how):
    """F of both games, step by step."""
    return lambda p, q: np.stack([play(p, q, gan_value, gan_slope, **how),
                                  play(p, q, kl_value, kl_slope, **how)], axis=1)


def interchanged(p, q):
    return games()(q, p)


def both_labelled_real(p, q):
    """A discriminator that is shown the samples of the model as data."""
    return np.stack([play(p, q, gan_value, lambda p, q, V: (p * sigmoid(-V) + q * sigmoid(-V), 0 * V)),
                     play(p, q, kl_value, kl_slope)], axis=1)


CLAIMS = [
    Claim("ou2018.table1.adv", games(), converges_to(divergences, pair_case, rtol=1e-10, method="optimisation"),
          {"data and model interchanged": interchanged,
           "samples labelled as data": both_labelled_real,
           "stopped after three steps": games(steps=3)},
          printed=games(sign=-1)),
]
