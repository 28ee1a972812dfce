r"""Minibatches: unbiased estimates of the log-likelihood and its gradient (kingma2019 Sec. 1.6.2).

    Eq. 1.11    (1/N_D) log p(D)       ~  (1/N_M) sum over x in M of log p(x)
    Eq. 1.12    (1/N_D) grad log p(D)  ~  (1/N_M) sum over x in M of grad log p(x)

    variance    Var = S^2 / N_M, and drawn without replacement (N_D - N_M) / (N_D - 1) of that;  S^2 over the data

where ~ says that the mean over the random minibatch M is the left-hand side. A minibatch is a row of indices into the
data, and there are finitely many: the mean over all of them is exact, drawn with or without replacement.

data : (N_D,) states of an exponential family p(x) = exp(lam . s(x) + r(x)) / Z(lam);  M : (..., N_M) indices;
lam (d,), s (m, d), r (m,) for m states.

The variance of a minibatch of three of five, drawn with and without replacement:

    >>> import numpy as np
    >>> from refdgm.directed.minibatch import variance_of_gradient
    >>> coin = {"lam": np.zeros(1), "s": np.array([[0.0], [1.0]]), "r": np.zeros(2), "data": np.array([0, 0, 1, 1, 1])}
    >>> [round(float(variance_of_gradient(**coin, size=3, replacement=back)[0]), 3) for back in (True, False)]
    [0.08, 0.04]
"""
import itertools

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models import exponential_family as model
from refdgm.numerics import all_tuples


def estimate_log_likelihood(lam, s, r, data, M):
    """(1/N_M) sum over x in M of log p(x) (kingma2019 Eq. 1.11).  M (..., N_M) -> (...)"""
    return np.mean(np.asarray(model.log_p(lam, s, r))[data[M]], axis=-1)


def estimate_gradient(lam, s, r, data, M):
    """(1/N_M) sum over x in M of grad log p(x) (kingma2019 Eq. 1.12).  M (..., N_M) -> (..., d)"""
    return np.mean(model.score(lam, s, r)[data[M]], axis=-2)


def minibatches(N, size, replacement):
    """Every minibatch, all of them equally likely (kingma2019 Sec. 1.6.2).  -> integers (number, size)"""
    valid.count("the size of the minibatch", size)
    valid.require(replacement or size <= N, f"a minibatch of {size} cannot be drawn from {N} data without replacement.")
    return all_tuples(N, size) if replacement else np.array(list(itertools.combinations(range(N), size)))


def variance_of_gradient(lam, s, r, data, size, replacement):
    """The variance of each component of the minibatch's gradient (implied by kingma2019 Eq. 1.12).  -> (d,)"""
    N = len(data)
    spread = np.var(model.score(lam, s, r)[data], axis=0)
    return spread / size * (1.0 if replacement else (N - size) / (N - 1))


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, N=7, size=3):
    """Data in which some states repeat; with replacement on every second instance."""
    rng = np.random.default_rng(seed)
    return {**model.random_case(seed), "data": rng.permutation([0, 0, 1, 2, *rng.integers(0, 5, N - 4)]),
            "batches": minibatches(N, size, replacement=seed % 2 == 1)}


def mean_over_minibatches(estimate, weights=None):
    """The exact mean of an estimate, under equal weights or weights(batches)."""
    def mean(lam, s, r, data, batches):
        each = estimate(lam, s, r, data, batches)
        return np.mean(each, axis=0) if weights is None else np.tensordot(weights(batches), each, axes=1)
    return mean


def average_log_likelihood(lam, s, r, data, batches):
    """(1/N_D) log p(D), datum by datum."""
    return sum(model.log_p(lam, s, r)[x] for x in data) / len(data)


def log_likelihood(lam, s, r, data, batches):
    return len(data) * average_log_likelihood(lam, s, r, data, batches)


def early_data_first(batches):
    """Unequal weights: a minibatch is the likelier, the smaller its indices."""
    w = np.exp(-np.sum(batches, axis=-1) / 5)
    return w / np.sum(w)


def log_of_average(lam, s, r, data, M):
    return np.log(np.mean(np.exp(model.log_p(lam, s, r))[data[M]], axis=-1))


def gradient_of_log_of_average(lam, s, r, data, M):
    """The gradient of log (1/N_M) sum p(x), not of (1/N_M) sum log p(x)."""
    p = np.exp(model.log_p(lam, s, r))[data[M]]
    weights = p / np.sum(p, axis=-1, keepdims=True)
    return np.sum(weights[..., None] * model.score(lam, s, r)[data[M]], axis=-2)


def clipped(lam, s, r, data, M, norm=1.0):
    """Each datum's gradient shortened to at most `norm`, as is done against outliers."""
    g = model.score(lam, s, r)[data[M]]
    return np.mean(g * np.minimum(1.0, norm / np.linalg.norm(g, axis=-1, keepdims=True)), axis=-2)


def drawing_case(seed):
    """As random_case, with the way of drawing in place of the minibatches."""
    case, rng = random_case(seed), np.random.default_rng([seed, 1])
    del case["batches"]
    return {**case, "size": int(rng.integers(2, 5)), "replacement": seed % 2 == 1}


def spread_over_minibatches(lam, s, r, data, size, replacement):
    """The oracle: the variance over every minibatch."""
    return np.var(estimate_gradient(lam, s, r, data, minibatches(len(data), size, replacement)), axis=0)


def times(factor):
    """The variance times factor(N_D, N_M, replacement)."""
    return lambda data, size, replacement, **case: variance_of_gradient(
        data=data, size=size, replacement=replacement, **case) * factor(len(data), size, replacement)


def scaled(estimate, factor):
    """An estimate times factor(N_D, N_M)."""
    return lambda lam, s, r, data, M: factor(len(data), M.shape[-1]) * estimate(lam, s, r, data, M)


CLAIMS = [
    Claim("kingma2019.eq1.11", mean_over_minibatches(estimate_log_likelihood),
          equals(average_log_likelihood, random_case),
          {"divided by N_D, not N_M": mean_over_minibatches(scaled(estimate_log_likelihood, lambda D, M: M / D)),
           "unequal minibatches, no weights": mean_over_minibatches(estimate_log_likelihood, early_data_first),
           "the log of the average probability": mean_over_minibatches(log_of_average),
           "the probability, unbiased, too": lambda **c: np.log(mean_over_minibatches(
              lambda *a: np.exp(estimate_log_likelihood(*a)))(**c))}),
    Claim("kingma2019.eq1.11.prose",
          mean_over_minibatches(scaled(estimate_log_likelihood, lambda D, M: D)), equals(log_likelihood, random_case),
          {"scaled by N_D on top of the sum": mean_over_minibatches(
              scaled(estimate_log_likelihood, lambda D, M: D * M)),
           "the scale upside down": mean_over_minibatches(scaled(estimate_log_likelihood, lambda D, M: M**2 / D))},
          printed=mean_over_minibatches(scaled(estimate_log_likelihood, lambda D, M: M))),
    Claim("kingma2019.eq1.12", mean_over_minibatches(estimate_gradient),
          is_gradient_of(average_log_likelihood, "lam", random_case, rtol=GRADIENT),
          {"no 1/N_M": mean_over_minibatches(scaled(estimate_gradient, lambda D, M: M)),
           "each datum's gradient clipped": mean_over_minibatches(clipped),
           "the gradient of the log of the average": mean_over_minibatches(gradient_of_log_of_average),
           "of the loss": mean_over_minibatches(scaled(estimate_gradient, lambda D, M: -1.0))}),
    Claim("kingma2019.x_minibatch_variance", variance_of_gradient, equals(spread_over_minibatches, drawing_case),
          {"1/N_M, however it is drawn": times(lambda D, M, again: 1.0 if again else (D - 1) / (D - M)),
           "the factor 1 - N_M/N_D": times(lambda D, M, again: 1.0 if again else (D - 1) / D),
           "the unbiased variance of the data": times(lambda D, M, again: D / (D - 1)),
           "1/sqrt N_M": times(lambda D, M, again: np.sqrt(M)),
           "with replacement, too": times(lambda D, M, again: (D - M) / (D - 1) if again else 1.0)}),
]
