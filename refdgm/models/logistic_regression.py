r"""Bayesian logistic regression as a target that a chain sees by minibatches (Welling and Teh 2011, Sec. 5.2).

    log p(x | data)  =  -(tau/2) |x|^2 + sum_i log sigmoid(y_i a_i'x)           y_i = -1 or 1, a_i (n,) the features
                     ~  -(tau/2) |x|^2 + (N/m) sum_(i in M) log sigmoid(y_i a_i'x),         M: m of the N data
    score            =  -tau x + (N/m) sum_(i in M) y_i a_i sigmoid(-y_i a_i'x)

data (N, n) has the rows y_i a_i, which is all that is needed of both. The formula is here in NumPy; its form for a
block of chains, each with data of its own, is in refdgm.kernels.targets.

The gradient at x = 0 from all of the data, two of one label and one of the other, in any order:

>>> import numpy as np
>>> from refdgm.models.logistic_regression import logistic_regression
>>> target = logistic_regression(np.array([[1.0], [2.0], [3.0]]), np.array([1, 1, -1]), size=3)
>>> target.log_p_and_score(np.zeros((1, 1)), np.array([[2, 0, 1]]))[1].tolist()
[[0.0]]
"""
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid
from refdgm.elementary import exp, log

MOST = 2**24                # data: their numbers are exact in float32


class LogisticRegression(NamedTuple):
    """A posterior by minibatches. Make it with logistic_regression()."""
    data: np.ndarray            # (N, n) y_i a_i
    size: np.ndarray            # (1,) of a minibatch
    tau: np.ndarray             # (1,) the prior's precision

    positive = minibatch = form = True
    sizes = "Nn", "1", "1"

    @property
    def rows(self):
        return int(self.size[0]) + 2

    def log_p_and_score(self, x, batch):
        """The estimate from the data `batch` (C, size).  (C, n) -> (C,), (C, n)"""
        zero, half, one = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1)
        scale = x.dtype.type(len(self.data) / batch.shape[1])
        data = self.data[batch]                                                         # (C, size, n)
        log_p, score = np.zeros_like(x[:, 0]), -self.tau * x
        for j in range(x.shape[1]):
            log_p = log_p + half * score[:, j] * x[:, j]
        for i in range(batch.shape[1]):
            margin = np.zeros_like(log_p)
            for j in range(x.shape[1]):
                margin = margin + data[:, i, j] * x[:, j]
            log_p = log_p + scale * (np.minimum(margin, zero) - log(one + exp(-np.abs(margin))))
            score = score + (scale / (one + exp(margin)))[:, None] * data[:, i]
        return log_p, score


def logistic_regression(features, labels, size, tau=1.0):
    """features (N, n), labels (N,) of -1 and 1; `size` of the data are seen at once; tau > 0 is the prior's precision.

    Raises ValueError where one of them is something else.
    """
    features, labels = np.asarray(features, float), np.asarray(labels)
    valid.shape("features", features, (None, None))
    valid.shape("labels", labels, (len(features),))
    valid.finite("features", features)
    valid.require(0 < len(features) <= MOST, f"there must be 1 to 2**24 data, but there are {len(features)}.")
    valid.require(np.all(np.abs(labels) == 1), "labels must be -1 or 1.")
    valid.count("the size of the minibatch", size)
    valid.require(0 < tau < np.inf, f"tau must be a positive number, but is {tau}.")
    return LogisticRegression(labels[:, None] * features, np.array([float(size)]), np.array([float(tau)]))
