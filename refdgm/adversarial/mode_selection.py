r"""What a generator with one mode makes of data with two (lecture12 Secs. 3.2-3.3).

The data are p = w_1 N(m_1, s_1^2) + w_2 N(m_2, s_2^2) with w_1 > w_2, far apart; the generator is one Gaussian g.

    generator on the left    min KL(g || p)               g = N(m_1, s_1^2): the major mode, and nothing of the other
    as GANs have it          min KL((g + p)/2 || p)       the same: that is KL(g || p)/2 - JSD(g || p), Lemma 1 for D*
    generator on the right   min KL(p || g)               the mean and variance of p: all modes, and the gap between

g log(g/p) is large where p is small and g is not, and vanishes with g: leaving the minor mode out costs log(1/w_1).
The JSD alone leaves it out, too; so what is missed is not owed to the direction of a KL divergence alone, but to a
generator that cannot have both modes: one that can has p itself as its minimum in all of them.

A Gaussian is a row (mean, log std), many of them (n, 2); target = {"w": (2,), "mean": (2,), "std": (2,)}.
Integrals are sums over a grid, minima are taken over Gaussians at and around each mode and the moments, and everywhere.

Data with modes at -3 and 4: the mean of the Gaussian on the left of KL, and of the one on its right.

>>> import numpy as np
>>> from refdgm.adversarial.mode_selection import best, exclusive_kl, inclusive_kl
>>> data = {"w": np.array([0.6, 0.4]), "mean": np.array([-3.0, 4.0]), "std": np.array([0.7, 0.7])}
>>> [round(float(best(divergence, data)[0]), 1) for divergence in (exclusive_kl, inclusive_kl)]
[-3.0, -0.2]
"""
import math

import autograd.numpy as np

from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_ordered, provided
from refdgm.numerics import gaussian_log_prob, log_sum_exp, trapezoid

GRID, WEIGHTS = trapezoid(-16.0, 16.0, 321)
X = GRID[:, None]
AROUND = onp.repeat([0.01, 0.1, 0.5], 12)[:, None] * onp.random.default_rng(0).normal(size=(36, 2))
EVERYWHERE = onp.stack(onp.meshgrid(onp.linspace(-8, 8, 17), onp.linspace(-1, 1.6, 6)), axis=-1).reshape(-1, 2)


def log_target(target):
    """log p(x) on the grid.  -> (n_x,)"""
    return log_sum_exp(np.log(target["w"]) + gaussian_log_prob(here(X)[..., None], target["mean"][:, None],
                                                               target["std"][:, None]**2))


def log_generator(gaussians):
    """log g(x) on the grid, for each Gaussian.  (..., 2) -> (..., n_x)"""
    mean, log_std = gaussians[..., :1], gaussians[..., 1:]
    return gaussian_log_prob(here(X), mean[..., None], np.exp(2 * log_std)[..., None])


def exclusive_kl(log_g, log_p):
    """KL(g || p), the generator on the left (lecture12 Sec. 3.2).  (..., n_x) -> (...)"""
    return np.sum(here(WEIGHTS) * np.exp(log_g) * (log_g - log_p), axis=-1)


def inclusive_kl(log_g, log_p):
    """KL(p || g), the generator on the right (lecture12 Sec. 3.3).  (..., n_x) -> (...)"""
    return exclusive_kl(log_p, log_g)


def mixture_kl(log_g, log_p):
    """KL((g + p)/2 || p), which a GAN with the optimal discriminator descends (lecture12 Lemma 1).  -> (...)"""
    return exclusive_kl(np.logaddexp(log_g, log_p) - np.log(2), log_p)


def js(log_g, log_p):
    """JSD(g || p), which the saturating game descends.  (..., n_x) -> (...)"""
    log_m = np.logaddexp(log_g, log_p) - np.log(2)
    return exclusive_kl(log_g, log_m) / 2 + exclusive_kl(log_p + 0 * log_g, log_m) / 2


def candidates(target):
    """Gaussians at each mode and at the moments, near these, and everywhere else.  -> (n, 2)"""
    places = onp.stack([component(target, 0), component(target, 1), moments(target)])
    return onp.concatenate([here(EVERYWHERE), (places[:, None] + here(AROUND)).reshape(-1, 2), places])


def best(divergence, target):
    """The Gaussian of least divergence from the target, and that divergence.  -> (3,): mean, log std, minimum"""
    gaussians = candidates(target)
    values = divergence(log_generator(gaussians), log_target(target))
    i = np.argmin(values)
    return np.append(gaussians[i], values[i])


# ---- oracles and cases ----------------------------------------------------------------

def moments(target):
    """The mean and log std of the data."""
    mean = target["w"] @ target["mean"]
    return onp.array([mean, onp.log(target["w"] @ (target["std"]**2 + target["mean"]**2) - mean**2) / 2])


def component(target, i):
    return onp.array([target["mean"][i], onp.log(target["std"][i])])


def two_modes(seed, apart=1.0):
    """Data with two modes of unequal weight, far apart."""
    rng = onp.random.default_rng(seed)
    w, side = rng.uniform(0.6, 0.8), rng.choice([-1, 1])
    std = rng.uniform(0.4, 0.6, size=2)
    return {"target": {"w": onp.array([w, 1 - w]), "std": std if apart else std[:1].repeat(2),
                       "mean": apart * side * onp.array([-1, 1]) * rng.uniform(5, 7, size=2)}}


def one_mode(seed):
    """As two_modes, with both modes in one place: there is nothing to leave out."""
    return two_modes(seed, apart=0.0)


def apart(widths):
    """Two modes, at least so many widths of the wider one apart, the first the heavier, all of it well on the grid.

    No theorem: among random targets either fit may be the sharper where that is two widths or less. A gap between the
    modes, four widths from each, is there from eight.
    """
    def holds(target):
        (w, _), mean, std = target["w"], target["mean"], target["std"]
        return 0.55 <= w <= 0.9 and abs(mean[1] - mean[0]) >= widths * max(std) \
            and 0.3 <= min(std) and max(std) <= 2 and max(abs(mean)) < 8
    return holds


def major_mode(target):
    """The major mode, and its KL(g || p), KL((g + p)/2 || p) and JSD(g || p) where the modes do not overlap.

    In the mixture (g + p)/2 the modes then have the weights (1 + w_1)/2 and w_2/2.
    """
    w1, w2 = target["w"]
    m1, m2 = (1 + w1) / 2, w2 / 2
    of_mixture = m1 * math.log(m1 / w1) + m2 * math.log(m2 / w2)
    of_js = math.log(1 / m1) / 2 + (w1 * math.log(w1 / m1) + w2 * math.log(w2 / m2)) / 2
    return onp.array([[*component(target, 0), cost] for cost in (-math.log(w1), of_mixture, of_js)])


# ---- claims ---------------------------------------------------------------------------

def fits(*divergences):
    return lambda target: np.stack([best(d, target) for d in divergences])


def probability(log_g, where):
    return np.sum(here(WEIGHTS) * np.exp(log_g) * where)


def covered(left, right):
    """The probability of the minor mode, and of the gap, under the minima of `left` and of `right`.  -> (2, 2)"""
    def probabilities(target):
        x, (low, high) = here(GRID), np.sort(target["mean"])
        minor = np.abs(x - target["mean"][1]) < 3 * target["std"][1]
        margin = 4 * np.max(target["std"])
        gap = (x > low + margin) & (x < high - margin)
        laws = [log_generator(best(d, target)[:2]) for d in (left, right)]
        return np.array([[probability(log_g, where) for log_g in laws] for where in (minor, gap)])
    return probabilities


def plausibility(*divergences):
    """E_g log p, how much a generated x looks like data, under the minimum of each divergence."""
    def means(target):
        laws = [log_generator(best(d, target)[:2]) for d in divergences]
        return np.array([probability(log_g, log_target(target)) for log_g in laws])
    return means


CLAIMS = [
    Claim("lecture12.sec3.2_modes", fits(exclusive_kl, mixture_kl, js),
          equals(major_mode, two_modes, method="quadrature"),
          {"KL(p || g) leaves a mode out, too": fits(inclusive_kl, mixture_kl, js),
           "the JSD covers both": fits(exclusive_kl, mixture_kl, inclusive_kl),
           "the GAN descends KL(g || p)/2 alone": fits(exclusive_kl, lambda a, b: exclusive_kl(a, b) / 2, js),
           "leaving a mode out costs nothing": lambda **c: major_mode(**c) * [1, 1, 0],
           "the minor mode": lambda target: major_mode({k: v[::-1] for k, v in target.items()})}),
    Claim("lecture12.sec3.2_sharp", plausibility(inclusive_kl, mixture_kl),
          provided(apart(3), is_ordered(two_modes, method="quadrature")),
          {"the fit that covers is the sharper": plausibility(mixture_kl, inclusive_kl),
           "both are as sharp": plausibility(inclusive_kl, inclusive_kl)},
          without=is_ordered(one_mode, method="quadrature")),
    Claim("lecture12.sec3.3_cover", covered(mixture_kl, inclusive_kl),
          provided(apart(10), is_ordered(two_modes, method="quadrature")),
          {"the VAE selects, the GAN covers": covered(inclusive_kl, mixture_kl),
           "both select": covered(mixture_kl, exclusive_kl),
           "both cover": covered(inclusive_kl, inclusive_kl)},
          without=is_ordered(one_mode, method="quadrature")),
]
