r"""Single-step f-EBM on the mixture of Sec. 6.1: what it learns, from where, and how well the ratio (yu2020 Sec. 6.1).

    energy      E = (x - mu)^2 / (2 sigma^2), its partition function unused
    H_omega     linear in the features of a tanh layer with random weights, orthonormal under a law that covers the data
    Alg. 1      omega <- omega + eta dV/domega,   theta <- theta - eta dV/dtheta,   in turn

The document trains a network of two layers with batches of 1000; here both expectations are exact sums over a grid,
so that what is seen is the algorithm's and not the noise's. The learned (mu, sigma) are the optima of
mixture_experiment.py up to what the features of H cannot express. From a start that does not cover the data p/q is too
large for them to follow, and the game leaves for ever wider models.
A target is that of models/gaussian_fit.py, theta = (mu, log sigma) (2,), H and E on the grid are (n_x,).

The standard deviation that the game learns with KL, near 1.83, that of the mixture itself:

>>> import numpy as np
>>> from refdgm.adversarial.mixture_training import train
>>> mixture = {"w": np.array([0.33, 0.67]), "mean": np.array([-1.0, 2.0]), "std": np.array([0.25, 2**0.5])}
>>> path, _ = train(mixture, "kl", np.array([0.2, np.log(2.25)]), seed=0)
>>> round(float(path[-1, 1]), 1)
1.8
"""

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to, is_at_most, provided
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models.gaussian_fit import (energy, grad_energy, is_near_printed, log_model, log_target, near_printed,
                                        optimum)
from refdgm.numerics import trapezoid

NAMES = ("kl", "reverse kl", "jensen-shannon", "squared hellinger")         # those of the paper's figures
GRID, WEIGHTS = trapezoid(-7.0, 9.0, 161)
WIDE = np.array([0.7, np.log(2.2)])             # (mu, log sigma) of a Gaussian that covers the data


def orthonormal_features(seed, log_p, units=40):
    """1, x, x^2 and tanh units, orthonormal under (p + a wide Gaussian)/2, and that law.  -> (n_x, k), (n_x,)"""
    rng, x = np.random.default_rng(seed), here(GRID)
    slopes, off = here((rng.uniform(2.0, 5.0, size=units), rng.normal(size=units)))
    centres = np.linspace(-3.5, 5.5, units) + off / 20
    raw = np.column_stack([np.ones_like(x), x, x**2, np.tanh(slopes * (x[:, None] - centres))])
    law = here(WEIGHTS) * (np.exp(log_p) + np.exp(log_model(here(WIDE), x))) / 2
    left, sizes, _ = np.linalg.svd(np.sqrt(law)[:, None] * raw, full_matrices=False)
    return left[:, sizes > 1e-3 * sizes[0]] / np.sqrt(law)[:, None], law


def train(target, name, start, seed, eta=0.1, steps=260, signs=(-1, 1), score=1.0):
    """Algorithm 1 from (mu, log sigma) = start and H close to -E (yu2020 Alg. 1, Sec. 6.1).

    Steps are eta / f''(1) long; `signs` are those of the steps of theta and omega, `score` is the factor of the score
    term in Eq. 18.
    -> the path of (mu, sigma) (steps + 1, 2), and H + E on the grid at its end (n_x,)
    """
    f, x, weights = F_DIVERGENCES[name], here(GRID), here(WEIGHTS)
    log_p = log_target(target, x)
    p, (features, law) = weights * np.exp(log_p), orthonormal_features(seed, log_p)
    eta = eta / f.second(1.0)
    theta, omega = start, features.T @ (law * -energy(start, x))
    path = [theta]
    for _ in range(steps):
        E = energy(theta, x)
        q = weights * np.exp(np.min(E) - E)
        q = q / np.sum(q)
        r = np.exp(features @ omega + E)
        omega = omega + signs[1] * eta * ((p - q * r) * r * f.second(r)) @ features
        r = np.exp(features @ omega + E)
        reward = r * f.derivative(r) - f.f(r)
        pull = (p - q * r) * r * f.second(r) + score * q * (reward - q @ reward)
        theta = theta + signs[0] * eta * pull @ grad_energy(theta, x)
        path.append(theta)
        if not np.max(np.abs(theta)) < 20:          # it has left for good
            break
    path = np.array(path)
    return np.stack([path[:, 0], np.exp(np.minimum(path[:, 1], 5.0))], axis=-1), features @ omega + energy(theta, x)


# ---- claims ---------------------------------------------------------------------------

def covering_case(seed):
    """A start wide enough for both modes, away from every optimum."""
    rng = np.random.default_rng([seed, 67])
    return {"target": near_printed(seed), "name": NAMES[seed % len(NAMES)], "seed": seed,
            "start": np.array([rng.uniform(0.0, 0.4), np.log(rng.uniform(2.0, 2.5))])}


def starts_case(seed):
    """Two such starts, one of them on the other side."""
    rng, case = np.random.default_rng([seed, 68]), covering_case(seed)
    return {**case, "start": np.array([case["start"], [rng.uniform(1.9, 2.3), np.log(rng.uniform(2.0, 2.5))]])}


def narrow_case(seed):
    """Starts on the narrow mode alone."""
    case = starts_case(seed)
    return {**case, "start": np.array([[-1.0, -1.3], [-0.9, -1.2]])}


def goal(target, name, **_):
    """(mu*, sigma*)."""
    mu, log_sigma = optimum(target, F_DIVERGENCES[name])
    return np.array([mu, np.exp(log_sigma)])


def path(**change):
    return lambda **case: train(**{**case, **change})[0]


def paths(**change):
    """One path for each start; the shorter one stays where it has ended."""
    def both(start, **case):
        found = [train(start=s, **{**case, **change})[0] for s in start]
        longest = max(map(len, found))
        return np.stack([np.concatenate([p, np.tile(p[-1:], (longest - len(p), 1))]) for p in found], axis=1)
    return both


def two_goals(**case):
    return np.tile(goal(**case), (2, 1))


def ratio_error(guess=lambda log_ratio, E: log_ratio, steps=260):
    """|guess - log p/q| at the points x, for the q that has been learned and a guess in terms of H + E and E."""
    def error(x, target, **case):
        learned, log_ratio = train(target, **case, steps=steps)
        gaussian = np.array([learned[-1, 0], np.log(learned[-1, 1])])
        truth = log_target(target, GRID) - log_model(gaussian, GRID)
        return np.abs(guess(log_ratio, energy(gaussian, GRID)) - truth)[x]
    return error


def where(inside):
    """covering_case, and the grid points x at which to look, by the density of the data there."""
    return lambda seed: {**covering_case(seed), "x": inside(np.exp(log_target(near_printed(seed), GRID)))}


def dense_and_covered(target, start, x, **_):
    """The mixture of Sec. 6.1, a start that covers it, and points at which the data are dense."""
    return is_near_printed(target) and 0.0 <= start[0] <= 0.4 and np.log(2.0) <= start[1] <= np.log(2.5) \
        and np.all(np.exp(log_target(target, GRID))[x] > 0.08)


def a_quarter(x, **_):
    """A factor of exp(1/4) at each point: what counts as accurate."""
    return np.full(np.sum(x), 0.25)


UNIT = {"scale": lambda **_: 1.0}

CLAIMS = [
    Claim("yu2020.sec6.1.learned", path(), converges_to(goal, covering_case, rtol=0.03, **UNIT),
          {"KL, whatever the f": path(name="kl"),
           "both descend": path(signs=(-1, -1)),
           "theta ascends": path(signs=(1, 1)),
           "without the score term of Eq. 18": path(score=0.0)}),
    Claim("yu2020.fig4", paths(), converges_to(two_goals, starts_case, rtol=0.03, **UNIT),
          {"KL, whatever the f": paths(name="kl"),
           "both descend": paths(signs=(-1, -1)),
           "ten steps": paths(steps=10)},
          without=converges_to(two_goals, narrow_case, rtol=0.03, **UNIT)),
    Claim("yu2020.sec6.1.ratio", ratio_error(),
          provided(dense_and_covered, is_at_most(a_quarter, where(lambda p: p > 0.08), method="simulation")),
          {"exp(H) alone": ratio_error(lambda log_ratio, E: log_ratio - E),
           "q/p": ratio_error(lambda log_ratio, E: -log_ratio),
           "before learning": ratio_error(steps=1)},
          without=is_at_most(a_quarter, where(lambda p: p < 1e-5), method="simulation")),
]
