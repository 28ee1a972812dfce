r"""Two laws on a few points, a generator that throws noise onto them, and one free number per point to play with.

    p0 (n,)   the law of the data                 noise (m,)  the law of eps
    p (n,)    the generator's law p_theta         G (m,)      the point G_theta(eps) on which each eps lands

In these games a discriminator or a variational function is a table with one entry per point, so its best response
splits into n searches along a line. `supremum` and `crossing` do those by brute force, for all points together.

The largest value of 3 log v - v is at v = 3, to many digits after ten zooms:

>>> import numpy as np
>>> from refdgm.models.finite_game import supremum
>>> round(float(supremum(lambda v: 3 * np.log(v) - v, np.array(0.1), np.array(10.0))), 6)
0.295837
"""

from refdgm import validation as valid
from refdgm.backend import xp as np


def pushforward(noise, G, n):
    """p(x) = the noise that lands on x, for n points.  (m,), (m,) -> (n,)"""
    valid.distribution("noise", noise)
    return np.bincount(G, weights=noise, minlength=n)


# ---- best responses by brute force ------------------------------------------------------

def supremum(objective, low, high, zooms=10):
    """The largest value on [low, high] of each of many functions that rise and then fall.

    objective maps candidates (..., 33) to values (..., 33), one function for each leading index;
    low and high are arrays of the leading shape. Each zoom keeps the two cells beside the best candidate, a
    16th of the interval; the error of the value is the square of the last cell's width.  -> (...)
    """
    low, high = np.broadcast_arrays(np.asarray(low, dtype=float), high)
    for _ in range(zooms):
        candidates = np.linspace(low, high, 33, axis=-1)
        values = objective(candidates)
        best = np.argmax(values, axis=-1)[..., None]
        low, high = (np.take_along_axis(candidates, np.clip(best + step, 0, 32), -1)[..., 0] for step in (-1, 1))
    return np.max(values, axis=-1)


def crossing(slope, low, high):
    """Where each component of slope(v), positive at `low` and negative at `high`, changes its sign, by bisection.

    low and high are arrays of the shape of v; at the place of the crossing a rising and then falling objective
    is largest.
    """
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    for _ in range(64):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return (low + high) / 2


# ---- small random cases -----------------------------------------------------------------

def random_laws(seed, n=6):
    """Two different laws without zeros, p0 of the data and p of the generator."""
    rng = np.random.default_rng(seed)
    return {"p0": rng.dirichlet(np.full(n, 2.0)), "p": rng.dirichlet(np.full(n, 2.0))}


def random_logits(seed, n=6):
    """The same, with an unrestricted output V of the network at every point."""
    return {**random_laws(seed, n), "V": 2 * np.random.default_rng([seed, 1]).normal(size=n)}


def random_generator(seed, n=5, m=9):
    """A law p0 of the data, a generator that reaches every point from some noise, and outputs V."""
    rng = np.random.default_rng(seed)
    G = rng.permutation(np.concatenate([np.arange(n), rng.integers(0, n, m - n)]))
    return {"p0": rng.dirichlet(np.full(n, 2.0)), "noise": rng.dirichlet(np.full(m, 2.0)), "G": G,
            "V": 2 * rng.normal(size=n)}
