r"""Probabilities and log-odds: the sigmoid and its inverse (ou2018 Main symbols, Sec. 1).

    sigmoid(v) = 1 / (1 + e^-v)      V = log D / (1 - D)      D = sigmoid(V)

A discriminator D in (0, 1) and its logit V in R say the same; training works with V, whose loss is stable.
V, D (...): any shape, element by element.

D = 0.9 says that the odds are nine to one, V = log 9:

>>> import numpy as np
>>> from refdgm.models.logit import logit
>>> round(float(np.exp(logit(0.9))), 6)
9.0
"""
from autograd import elementwise_grad

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import log_sigmoid, sigmoid


def logit(D):
    """V = log D / (1 - D), D in (0, 1) (ou2018 Main symbols, Sec. 1).  (...) -> (...)"""
    return np.log(D) - np.log1p(-D)


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    rng = np.random.default_rng(seed)
    return {"V": rng.normal(size=6) * 3, "D": rng.uniform(0.01, 0.99, 6)}


def both_ways(to_logit=logit, to_probability=sigmoid):
    """V to D to V, and D to V to D."""
    return lambda V, D: {"V": to_logit(to_probability(V)), "D": to_probability(to_logit(D))}


def by_exponentials(V, D):
    """sigmoid, its derivative sigmoid (1 - sigmoid), and its logarithm, from e^-v alone."""
    e = np.exp(-V)
    return {"value": 1 / (1 + e), "slope": e / (1 + e)**2, "log": -np.log(1 + e)}


def of(f, log_f):
    return lambda V, D: {"value": f(V), "slope": elementwise_grad(f)(V), "log": log_f(V)}


CLAIMS = [
    Claim("ou2018.sym.logit", both_ways(), equals(lambda V, D: {"V": V, "D": D}, random_case),
          {"log D alone": both_ways(to_logit=np.log),
           "odds, not log-odds": both_ways(to_logit=lambda D: D / (1 - D)),
           "sign: log (1 - D)/D": both_ways(to_logit=lambda D: -logit(D))}),
    Claim("ou2018.sym.sigmoid", of(sigmoid, log_sigmoid), equals(by_exponentials, random_case),
          {"1 / (1 + e^v)": of(lambda v: sigmoid(-v), lambda v: log_sigmoid(-v)),
           "tanh, rescaled wrongly": of(lambda v: (1 + sigmoid(2 * v)) / 2, log_sigmoid),
           "softplus for log sigmoid": of(sigmoid, lambda v: -log_sigmoid(v))}),
]
