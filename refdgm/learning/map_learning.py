r"""Maximum a posteriori learning with any algorithm: the prior's score beside the likelihood's (kingma2019 App. A.2.1).

    L^MAP(theta) / N = (1/N) log p(theta) + (1/N) sum_i log p_theta(x_i)             (Eq. A.5, a mean over the N data)
    F^MAP            = F + (1/N) dlog p(theta)/dtheta,    p(theta) = N(0, 1/precision) in every parameter

for an algorithm whose F in theta has a gradient of the mean log-likelihood, or of its bound, as its mean.

The prior N(0, 1) keeps the log-odds of one coin that showed only ones finite: b solves 1 - sigmoid(b) = b / 4.

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.map_learning import gaussian_prior
>>> algorithm = gaussian_prior(refdgm.learning.autoregressive_learning.fully_visible(), N=4)
>>> fit = refdgm.fit(algorithm, np.ones((4, 1)), 200, schedule=refdgm.updates.constant(1.0))
>>> round(float(fit.parameters["theta"]["b"][0]), 2)
1.04
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.trees import leaves, tree_map


def gaussian_prior(algorithm, N, precision=1.0):
    """The same algorithm under p(theta) = N(0, 1/precision), for N training rows."""
    valid.count("N", N)
    valid.positive("precision", precision)

    def field(parameters, z, x):
        F = algorithm.field(parameters, z, x)
        return {**F, "theta": tree_map(lambda f, p: f - precision * p / N, F["theta"], parameters["theta"])}
    return Algorithm(f"{algorithm.name}, MAP", algorithm.start, algorithm.draw, field)


def log_prior(theta, precision=1.0):
    """log p(theta) up to its constant.  -> ()"""
    return -0.5 * precision * sum(np.sum(leaf**2) for _, leaf in leaves(theta))
