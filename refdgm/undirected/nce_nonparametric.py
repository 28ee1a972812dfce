r"""Noise-contrastive estimation with a value for each state: Theorem 2, overfitting, DNCE (ou2018 Sec. 4.2.4).

With infinite capacity log p_hat(x) is free in every state, and J falls apart into a concave function of each one,

    dJ / dlog p_hat(x) = p_0(x) P(C=1|x) - nu p_n(x) P(C=0|x),

and its only root is p_hat(x) = p_0(x), normalised without being told to (Theorem 2); where p_n(x) = 0 every
p_hat(x) is as good. With n samples in place of p_0 the root is their empirical law: J then exceeds what p_0 itself
reaches by (1 / 2n) sum_x P(C=1|x) (1 - p_0(x)) on average, about half the number of states over n.

DNCE, of which the review gives no formula, takes alpha p_0 + (1 - alpha) p_n for the data and trains p_n, too, towards
p_0 (Wang & Ou 2018b).

Shapes: p_0, p_n, log_p (..., S).

By how much J on 20 samples is too good on average, for two states:

>>> import numpy as np
>>> from refdgm.undirected.nce_nonparametric import mean_training_optimum, optimum
>>> p_0, p_n = np.array([0.2, 0.8]), np.array([0.5, 0.5])
>>> round(float(mean_training_optimum(p_0, p_n, 1.0, 20) - optimum(p_0, p_n, 1.0).sum()), 3)
0.018
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, has_order
from refdgm.models.noise_contrast import posterior, random_ratio, smooth_law
from refdgm.numerics import all_tuples


def ascend(log_p, p_0, p_n, nu, steps=40):
    """log p_hat after Newton's method on J, uphill from log_p, no step above 1 (Thm. 2).  (..., S) -> (..., S)"""
    return climb(log_p, p_0, nu * p_n, nu * p_n, steps)


def climb(log_p, pull, push, noise, steps=40):
    """Ascend sum_x pull log P + push log (1 - P), P = p_hat / (p_hat + noise); a state without slope stays."""
    for _ in range(steps):
        P, Q = posterior(log_p, noise, 1.0)
        slope, curvature = pull * Q - push * P, (pull + push) * P * Q
        log_p = log_p + np.clip(slope / np.maximum(curvature, 1e-300), -1.0, 1.0)
    return log_p


def optimum(p_0, p_n, nu):
    """max J over all p_hat: its value at p_hat = p_0 (ou2018 Thm. 2), with 0 log 0 = 0.  (..., S) -> (..., S)

    One number for each state, since J is a sum over states.
    """
    total = p_0 + nu * p_n
    return p_0 * np.log(np.where(p_0 > 0, p_0, 1.0) / total) + nu * p_n * np.log(nu * p_n / total)


def mean_training_optimum(p_0, p_n, nu, n):
    """E[max J] over data sets of n samples, the noise exact: a sum over the binomial counts of each state.  -> ()"""
    valid.count("the number of samples n", n)
    valid.require(np.all(p_0 > 0), "p_0 must be positive in every state.")
    k, log_factorial = np.arange(n + 1), np.append(0.0, np.cumsum(np.log(np.arange(1, n + 1))))
    log_binomial = log_factorial[n] - log_factorial - log_factorial[::-1]
    k = k[:, None]
    probability = np.exp(log_binomial[:, None] + k * np.log(p_0) + (n - k) * np.log1p(-p_0))
    return np.sum(probability * optimum(k / n, p_n, nu))


def dnce_estimate(p_data, p_n, nu, alpha):
    """p_hat at the optimum of DNCE: the data are alpha p_data + (1 - alpha) p_n.  (..., S) -> (..., S)"""
    return np.exp(ascend(np.log(p_n) + np.zeros(p_data.shape), alpha * p_data + (1 - alpha) * p_n, p_n, nu))


def mean_and_variance(estimate, n):
    """The exact mean and variance of estimate(p_data, ...) over all data sets of n samples.  -> dict of (S,)"""
    def moments(p_0, **rest):
        data = all_tuples(len(p_0), n)
        probability = np.prod(p_0[data], axis=-1)
        p_hat = estimate(np.mean(np.eye(len(p_0))[data], axis=1), **rest)
        mean = probability @ p_hat
        return {"mean": mean, "variance": probability @ (p_hat - mean)**2}
    return moments


# ---- claims ---------------------------------------------------------------------------

def table_case(seed, S=5, starts=3):
    """Data, noise, and several p_hat to start from, none of them normalised."""
    rng = np.random.default_rng([seed, 41])
    return {"log_p": 2 * rng.normal(size=(starts, S)), "p_0": smooth_law(rng, S), "p_n": smooth_law(rng, S),
            "nu": random_ratio(rng)}


def uncovered_case(seed):
    """As table_case, but no noise falls on the first state."""
    case = table_case(seed)
    p_n = case["p_n"] * (np.arange(5) > 0)
    return {**case, "p_n": p_n / p_n.sum()}


def reached(pull=lambda p_0, p_n, nu: p_0, push=lambda p_0, p_n, nu: nu * p_n, noise=lambda p_n, nu: nu * p_n):
    """p_hat at the top of some other objective."""
    return lambda log_p, p_0, p_n, nu: np.exp(climb(log_p, pull(p_0, p_n, nu), push(p_0, p_n, nu), noise(p_n, nu)))


def sample_case(seed):
    case = table_case(seed, S=4)
    return {name: case[name] for name in ("p_0", "p_n", "nu")}


def attainable(p_0, p_n, nu):
    """J of the data's own law, by the classification that it is."""
    data, noise = posterior(np.log(p_0), p_n, nu)
    return p_0 @ np.log(data) + nu * p_n @ np.log(noise)


def without_optimism(optimism):
    """E[max J] for n samples, less n times the optimism that is claimed: should be J(p_0) but for a term in 1/n^2."""
    def corrected(p_0, p_n, nu, n):
        return mean_training_optimum(p_0, p_n, nu, n) - optimism(p_0, posterior(np.log(p_0), p_n, nu)[1]) / n
    return corrected


def dnce_case(seed, noise_has_converged=True):
    rng = np.random.default_rng([seed, 42])
    p_0, p_n = smooth_law(rng, 3), smooth_law(rng, 3)
    return {"p_0": p_0, "p_n": p_0 if noise_has_converged else p_n, "nu": random_ratio(rng),
            "alpha": rng.uniform(0.3, 0.8)}


def shrunk_moments(p_0, p_n, nu, alpha):
    """Right on average, and alpha^2 times the variance of the relative frequencies of four samples."""
    return {"mean": p_0, "variance": alpha**2 * p_0 * (1 - p_0) / 4}


def estimate_with(data):
    """NCE for other data."""
    return mean_and_variance(lambda p_data, p_n, nu, alpha: np.exp(
        ascend(np.zeros(p_data.shape), data(p_data, p_n, alpha), p_n, nu)), 4)


CLAIMS = [
    Claim("ou2018.thm2", lambda log_p, p_0, p_n, nu: np.exp(ascend(log_p, p_0, p_n, nu)),
          equals(lambda log_p, p_0, p_n, nu: p_0 + np.zeros(log_p.shape), table_case, method="optimisation"),
          {"no nu on the noise term": reached(push=lambda p_0, p_n, nu: p_n),
           "no nu in the posterior": reached(noise=lambda p_n, nu: p_n),
           "expectations exchanged": reached(lambda p_0, p_n, nu: p_n, lambda p_0, p_n, nu: nu * p_0),
           "the density ratio is learned": lambda log_p, p_0, p_n, nu: p_0 / p_n + np.zeros(log_p.shape)},
          without=equals(lambda log_p, p_0, p_n, nu: p_0 + np.zeros(log_p.shape), uncovered_case,
                         method="optimisation")),
    Claim("ou2018.nce.overfit", without_optimism(lambda p_0, noise: noise @ (1 - p_0) / 2),
          has_order(attainable, sample_case, "n", (150, 600), order=2),
          {"as good as on new data": without_optimism(lambda p_0, noise: 0.0),
           "(S - 1) / 2, as for the likelihood": without_optimism(lambda p_0, noise: (len(p_0) - 1) / 2),
           "twice": without_optimism(lambda p_0, noise: noise @ (1 - p_0)),
           "P(C=0)": without_optimism(lambda p_0, noise: (1 - noise) @ (1 - p_0) / 2)}),
    Claim("ou2018.dnce", mean_and_variance(dnce_estimate, 4), equals(shrunk_moments, dnce_case),
          {"the data alone, as in NCE": estimate_with(lambda p_data, p_n, alpha: p_data),
           "alpha on the noise": estimate_with(lambda p_data, p_n, alpha: (1 - alpha) * p_data + alpha * p_n),
           "the data and uniform noise": estimate_with(lambda p_data, p_n, alpha: alpha * p_data + (1 - alpha) / 3)},
          without=equals(shrunk_moments, lambda seed: dnce_case(seed, noise_has_converged=False))),
]
