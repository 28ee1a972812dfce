r"""What maximum likelihood is good for (ou2018 Sec. 3.2): consistent, efficient, and invariant under functions.

    invariance     the maximum likelihood estimate of g(t) is g(t^)
    efficiency     n E (g(t^) - g(t))^2  ->  g'(t)^2 / I(t), the Cramer-Rao bound; the error falls like 1/n: consistency

Fisher's linkage model has three outcomes with p(t) = ((2 + t)/4, (1 - t)/2, t/4). Given the counts (a, b, c) of n
observations t^ is the root of a quadratic, so every mean over data sets is a sum over all counts. The function of
interest is the recombination fraction g(t) = 1 - sqrt(t).

Both limits need a model that contains the law of the data. From data of another law t^ goes to the best t that the
model has, with another variance than 1/I(t). And the number of parameters must stay: where every m observations bring
a mean of their own, the estimate of their common variance goes to (1 - 1/m) of it (Neyman & Scott 1948).
t is a number, p(t) and a law (3,), counts (..., 3).

The squared error of g(t^) over the Cramer-Rao bound, for 10 and for 80 observations:

    >>> from refdgm.directed.efficiency import fisher_information, learned, linkage
    >>> bound = 1 / (4 * 0.7) / fisher_information(0.7)
    >>> [round(float(learned()(0.7, linkage(0.7), [[1, 1, 1]], n)["n MSE"] / bound), 3) for n in (10, 80)]
    [1.818, 1.032]
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, has_order
from refdgm.models.counts import multinomial
from refdgm.numerics import gauss_hermite


def linkage(t):
    """The probabilities of the three outcomes.  (...,) -> (..., 3)"""
    return np.stack([(2 + t) / 4, (1 - t) / 2, t / 4], axis=-1)


def linkage_mle(counts):
    """The t that maximises sum_i counts_i log p_i(t): n t^2 - (a - 2b - c) t - 2c = 0, t >= 0.  (..., 3) -> (...)"""
    counts = np.asarray(counts, dtype=float)
    valid.require(np.all(np.sum(counts, axis=-1) > 0), "the maximum likelihood of no data is not defined.")
    a, b, c = np.moveaxis(counts, -1, 0)
    n, half = a + b + c, (a - 2 * b - c) / 2
    return (half + np.sqrt(half**2 + 2 * n * c)) / n


def fisher_information(t):
    """I(t) = sum_i p_i'(t)^2 / p_i(t), of one observation."""
    return np.sum(np.array([1, -2, 1])**2 / 16 / linkage(t))


def recombination(t):
    """g(t) = 1 - sqrt(t)."""
    return 1 - np.sqrt(t)


def mean_squared_error(estimator, truth, law, n):
    """E (estimator(counts) - truth)^2 over all data sets of n observations from `law` (3,), a finite sum."""
    counts, log_p = multinomial(np.log(law), n)
    return np.sum(np.exp(log_p) * (estimator(counts) - truth)**2)


def limit_of_the_variance(variance, m):
    """What the estimate of a variance goes to if each m observations have a mean of their own: (1 - 1/m) of it."""
    return (1 - 1 / m) * variance


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """A parameter away from the boundary, data of its law, and the counts of four small data sets."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.55, 0.85)
    return {"t": t, "law": linkage(t), "tables": rng.integers(2, 30, size=(4, 3))}


def misspecified_case(seed):
    """Data of a law outside of the model, among whose laws that of t is the most likely one."""
    case = random_case(seed)
    p = case["law"]
    away = np.cross(np.ones(3), np.array([1, -2, 1]) / p)       # keeps the sum, and the mean of dlog p/dt at zero
    return {**case, "law": p + 0.6 * away / np.max(-away / p)}


def learned(estimator=linkage_mle, g=recombination):
    """g of the estimate for each table of counts, and n times its mean squared error at t."""
    def of(t, law, tables, n):
        return {"estimates": g(estimator(tables)),
                "n MSE": n * mean_squared_error(lambda counts: g(estimator(counts)), recombination(t), law, n)}
    return of


def most_likely_recombination(counts):
    """The r at which sum_i counts_i log p_i((1 - r)^2) is largest, by bisection of its slope: knows nothing of t^."""
    a, b, c = np.moveaxis(counts, -1, 0)
    low, high = np.zeros(np.shape(a)), np.ones(np.shape(a))
    for _ in range(60):
        r = (low + high) / 2
        t = (1 - r)**2
        rises = a / (2 + t) - b / (1 - t) + c / t < 0           # dt/dr < 0
        low, high = np.where(rises, r, low), np.where(rises, high, r)
    return r


def best_possible(t, law, tables):
    """The oracle: r maximised directly, and the Cramer-Rao bound g'(t)^2 / I(t)."""
    return {"estimates": most_likely_recombination(tables),
            "n MSE": 1 / (4 * t) / fisher_information(t)}


GROUPS = 2      # the mean of the estimate is the same for any number of groups, and its variance goes to zero


def groups_case(seed):
    return {"variance": np.random.default_rng(seed).gamma(2.0) + 0.2, "m": 2 + seed % 3}


def mean_of_the_estimate(variance, m):
    """The oracle: E over all the data of the variance at which the likelihood of two groups of m is largest."""
    noise, weight = gauss_hermite(3, GROUPS * m)            # exact for the squares that are averaged
    data = np.array([5.0, -3.0])[:, None] + np.sqrt(variance) * noise.reshape(-1, GROUPS, m)
    fitted = data.mean(axis=-1, keepdims=True)
    return weight @ np.mean((data - fitted)**2, axis=(1, 2))


def moment_estimator(counts):
    """(a - b + c) / n: its mean is t, but its variance (1 - t^2)/n is above the bound."""
    a, b, c = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return np.maximum(a - b + c, 0) / (a + b + c)


def one_outcome(counts):
    """4 c / n: uses one count of three."""
    counts = np.asarray(counts, dtype=float)
    return 4 * counts[..., 2] / np.sum(counts, axis=-1)


CLAIMS = [
    Claim("ou2018.sec32.mle_props", learned(),
          has_order(best_possible, random_case, "n", (120, 240), order=1),
          {"the method of moments: consistent, not efficient": learned(moment_estimator),
           "an estimate from one count of three": learned(one_outcome),
           "counts of the first two outcomes swapped": learned(lambda counts: linkage_mle(counts[..., [1, 0, 2]])),
           "dt/dr in the likelihood, as if it were a density of r": learned(
               lambda counts: linkage_mle(counts + np.array([0, 0, 0.5]))),
           "the estimate of t for that of g(t)": learned(g=lambda t: t)},
          without=has_order(best_possible, misspecified_case, "n", (120, 240), order=1)),
    Claim("ou2018.x_neyman_scott", limit_of_the_variance,
          equals(mean_of_the_estimate, groups_case, method="quadrature"),
          {"consistent": lambda variance, m: variance,
           "one degree of freedom lost in all": lambda variance, m: (1 - 1 / (GROUPS * m)) * variance,
           "(1 + 1/m), as for a prediction": lambda variance, m: (1 + 1 / m) * variance}),
]
