r"""Where a rectified linear unit is not differentiable, and where noise makes up for it (kingma2019 App. A.3).

    encoder   q(z|x) = N(m, s^2),  m = relu(phi x)          decoder   p(z) = N(0, 1),  p(x|z) = N(relu(w z), 1)
    L(m) = E_q[log p(x, z)] + H[q]

L is smooth in m, although the decoder has a kink: the mean over z rounds it off. But nothing averages over the kink of
the encoder at phi = 0: there L has two one-sided derivatives, for x > 0

    on the right  x L'(0),   L'(0) = x w/2 - sign(w) w^2 s / sqrt(2 pi)          on the left  0

All arguments are numbers.

The two slopes at the encoder's kink:

    >>> from refdgm.directed.kinks import one_sided
    >>> [round(float(slope), 4) for slope in one_sided(x=1.0, w=1.0, s=0.5)]
    [0.0, 0.3005]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import QUADRATURE, Claim, equals
from refdgm.numerics import gauss_legendre


def slope_at_zero(x, w, s):
    """L'(0): the mean of the decoder's slope, with its kink inside (kingma2019 App. A.3).  -> ()"""
    return x * w / 2 - np.sign(w) * w**2 * s / np.sqrt(2 * np.pi)


def one_sided(x, w, s):
    """dL/dphi at the kink of the encoder, from the left and from the right.  -> (2,)"""
    return np.array([0.0, x * slope_at_zero(x, w, s)])


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    rng = onp.random.default_rng(seed)
    return {"x": rng.uniform(0.5, 2.0), "w": rng.choice([-1, 1]) * rng.uniform(0.5, 1.5), "s": rng.uniform(0.4, 0.9)}


HALF_LINE = gauss_legendre(0.0, 10.0, 80)


def elbo(phi, x, w, s):
    """The objective by quadrature, on either side of the decoder's kink.  (n,) -> (n,)"""
    z, weight = (onp.concatenate([sign * a, a]) for sign, a in zip((-1, 1), HALF_LINE))
    log_q = -0.5 * ((z - onp.maximum(phi[:, None] * x, 0.0))**2 / s**2 + onp.log(2 * onp.pi * s**2))
    log_p = -0.5 * z**2 - 0.5 * (x - onp.maximum(w * z, 0.0))**2
    return onp.sum(weight * onp.exp(log_q) * (log_p - log_q), axis=-1)


def from_one_side(x, w, s, points=9):
    """The oracle: the slopes at 0 of the polynomials through the objective at 0, -h, -2h, ... and at 0, h, 2h, ..."""
    h, steps = 0.03 * s / x, onp.arange(float(points))
    def slope(side):
        return onp.linalg.solve(onp.vander(side * steps, increasing=True), elbo(side * h * steps, x, w, s))[1] / h
    return onp.array([slope(-1), slope(1)])


CLAIMS = [
    Claim("kingma2019.x_kinks", one_sided, equals(from_one_side, random_case, rtol=QUADRATURE, method="quadrature"),
          {"one derivative, that of the right": lambda x, w, s: x * slope_at_zero(x, w, s) * np.ones(2),
           "relu'(0) = 1/2 on both sides": lambda x, w, s: x * slope_at_zero(x, w, s) * np.array([0.5, 0.5]),
           "relu'(0) = 0 on both sides, as programs have it": lambda x, w, s: np.zeros(2),
           "a decoder without a kink": lambda x, w, s: np.array([0.0, x * x * w])}),
]
