r"""Few data: when the generative model is right, it learns from fewer (kingma2019 Sec. 1.1).

Naive Bayes and logistic regression meet samples of size N from a known law p(y, x). What a fit loses to p(y|x) itself
is a sum over all samples, one term for each table of counts, so no sample is drawn:

    excess(N) = sum over counts n of p(n) KL_x[p(y|x) || fit(n)(y|x)]

The generative fit adds one to each of its counts (Laplace); the discriminative one has a ridge penalty, which is chosen
in hindsight, by the excess itself. p and each table of counts are (2, 2**D): y, and every x.

The mean excess after five data, generative and discriminative:

    >>> from refdgm.directed.few_data import discriminative, generative, right_case
    >>> [round(float(fit(**right_case(0))), 3) for fit in (generative, discriminative)]
    [0.14, 0.2]
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, is_at_most
from refdgm.models.counts import multinomial
from refdgm.models.discriminative import log_loss, logistic_regression, naive_bayes
from refdgm.numerics import all_binary


def mean_excess(fit, p, N):
    """The mean excess log-loss of fit(counts) after N data from p, by a sum over all counts (kingma2019 Sec. 1.1)."""
    valid.distribution("p", p.reshape(-1))
    possible = p > 0
    counts, log_probability = multinomial(np.log(p[possible]), N)
    tables = np.zeros((len(counts), *p.shape))
    tables[:, possible] = counts
    return np.exp(log_probability) @ log_loss(p, fit(tables)) - bayes_loss(p)


def bayes_loss(p):
    """The log-loss of p(y|x) itself: the conditional entropy."""
    possible = p > 0
    return -np.sum(p[possible] * np.log((p / np.sum(p, axis=0))[possible]))


def generative(p, N):
    """The mean excess of naive Bayes with Laplace's rule."""
    return mean_excess(lambda counts: naive_bayes(counts, smoothing=1.0), p, N)


def discriminative(p, N):
    """The mean excess of logistic regression, the better of two ridge penalties."""
    return min(mean_excess(lambda counts: logistic_regression(counts, ridge, steps=8), p, N) for ridge in (0.1, 0.3))


# ---- claims ---------------------------------------------------------------------------

def right_case(seed, D=2):
    """Informative features, independent given the class, and five data."""
    rng = np.random.default_rng(seed)
    prior, on, x = rng.uniform(0.35, 0.65), rng.uniform([[0.1], [0.7]], [[0.3], [0.9]], (2, D)), all_binary(D)
    of_x = np.exp(np.log(on) @ x.T + np.log(1 - on) @ (1 - x).T)
    return {"p": np.array([[1 - prior], [prior]]) * of_x, "N": 5}


def copied_feature(seed):
    """The condition violated: the second feature repeats the first, and there are fifteen data."""
    p = right_case(seed)["p"]
    of_first = np.stack([p[:, 0] + p[:, 2], p[:, 1] + p[:, 3]], axis=1)
    return {"p": of_first[:, [0, 0, 0, 1]] * np.array([1.0, 0.0, 0.0, 1.0]), "N": 15}


def no_features(counts):
    """Laplace's rule for the class, whatever x is."""
    of_class = np.sum(counts, axis=-1, keepdims=True) + 1
    return of_class / np.sum(of_class, axis=-2, keepdims=True) + 0 * counts


CLAIMS = [
    Claim("kingma2019.sec1.1.efficient", generative, is_at_most(discriminative, right_case),
          {"features not used": lambda p, N: mean_excess(no_features, p, N),
           "no gain: the discriminative fit": discriminative,
           "maximum likelihood, an unseen value is impossible": lambda p, N: mean_excess(naive_bayes, p, N)},
          without=is_at_most(discriminative, copied_feature)),
]
