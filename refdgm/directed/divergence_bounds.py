r"""How the divergences of the notation bound one another (ou2018 Notations, Sec. 1).

With TV = sum |p - q| / 2, the symmetric KLsym = (KL[p||q] + KL[q||p]) / 2 and everything in nats:

    TV^2 / 2  <=  JS[p||q]  <=  TV log 2  <=  log 2          (Pinsker; Lin 1991)
                  JS[p||q]  <=  KLsym[p||q] / 2               (convexity of the KL divergence)

so that JS is bounded where the two KL divergences are not, and small where either of TV and KLsym is. p, q (n,).

JS beside its bound TV log 2:

    >>> import numpy as np
    >>> from refdgm.directed.divergence_bounds import bounds, js
    >>> p, q = np.array([0.9, 0.1]), np.array([0.1, 0.9])
    >>> round(float(js(p, q)), 4), round(float(bounds(p, q)[1]), 4)
    (0.3681, 0.5545)
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, is_at_most
from refdgm.divergences import js, kl_symmetric
from refdgm.numerics import kl


def four_times(value):
    """A divergence, to be held against three upper bounds and, with its sign changed, a lower one.  -> (4,)"""
    return lambda p, q: value(p, q) * np.array([1.0, 1.0, 1.0, -1.0])


def bounds(p, q):
    """log 2, TV log 2, KLsym/2 and -TV^2/2 (implied by ou2018 Notations).  -> (4,)"""
    tv = np.sum(np.abs(p - q)) / 2
    symmetric = np.sum((p - q) * np.log(p / q)) / 2
    return np.array([np.log(2), tv * np.log(2), symmetric / 2, -tv**2 / 2])


# ---- claims ---------------------------------------------------------------------------

def near_or_far(seed, n=5):
    """Two laws that nearly agree, or (every second instance) each with little mass where the other has most."""
    rng = np.random.default_rng([seed, 72])
    p, q = rng.dirichlet(np.full(n, 2.0), size=2)
    if seed % 2:
        return {"p": p, "q": 0.9 * p + 0.1 * q}
    half = np.arange(n) < n // 2
    p, q = p * np.where(half, 1.0, 1e-3), q * np.where(half, 1e-3, 1.0)
    return {"p": p / np.sum(p), "q": q / np.sum(q)}


CLAIMS = [
    Claim("ou2018.x_js_bounds", four_times(js), is_at_most(bounds, near_or_far),
          {"without the factors 1/2": four_times(lambda p, q: 2 * js(p, q)),
           "KL from the mixture": four_times(lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2),
           "half of the symmetric KL": four_times(lambda p, q: kl_symmetric(p, q) / 2),
           "an eighth of it": four_times(lambda p, q: kl_symmetric(p, q) / 8)}),
]
