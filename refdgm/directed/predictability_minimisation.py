r"""Predictability minimisation: units of a code that cannot be guessed from each other (lecture12 Sec. 1.1.3).

    y = (y_1..y_n) is a code of bits with law p(y); predictor P_i sees all units but the i-th, y_{-i}.

    the game         max over codes  min over P  of  V(p, P) = sum_i E (P_i(y_{-i}) - y_i)^2
    best predictor   P_i(y_{-i}) = E[y_i|y_{-i}]
    its error        min_P V = sum_i E Var(y_i|y_{-i}) = sum_i Var(y_i) - sum_i Var(E[y_i|y_{-i}])

So the error of the best predictors is at most the variance of the units, with equality where every unit is mean-
independent of the others, which for bits is independence of each unit from the rest: a factorial code. The notes give
no formula; this is Schmidhuber's (1992) with a quadratic loss. p : (2, .., 2), one axis a unit.

The error of the best predictors of two bits that mostly agree, and of two independent ones:

    >>> import numpy as np
    >>> from refdgm.directed.predictability_minimisation import best_predictors, prediction_error
    >>> agreeing, independent = np.array([[0.45, 0.05], [0.05, 0.45]]), np.full((2, 2), 0.25)
    >>> [round(float(prediction_error(p, best_predictors(p))), 3) for p in (agreeing, independent)]
    [0.18, 0.5]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, least_squares


def best_predictors(p):
    """P_i = E[y_i|y_{-i}] for every unit i and every y (it does not vary with y_i).  (2, ..) -> (n, 2, ..)"""
    validate(p)
    on = [np.take(p, [1], axis=i) / np.sum(p, axis=i, keepdims=True) for i in range(np.ndim(p))]
    return np.array([mean + 0 * p for mean in on])


def prediction_error(p, P):
    """V(p, P) = sum_i E (P_i(y_{-i}) - y_i)^2 (lecture12 Sec. 1.1.3).  (2, ..), (n, 2, ..) -> ()"""
    y = onp.indices(np.shape(p))
    return np.sum(p * (P - y) ** 2)


def unit_variances(p):
    """Var(y_i) for every unit: the errors of predictors that see nothing.  -> (n,)"""
    means = np.sum(p * onp.indices(np.shape(p)), axis=tuple(range(1, np.ndim(p) + 1)))
    return means * (1 - means)


def validate(p):
    """Raise ValueError unless p is a distribution over bits, with every state of all units but one possible."""
    valid.require(set(np.shape(p)) == {2},
                  f"p must have one axis of length 2 for each unit, but has shape {np.shape(p)}.")
    valid.distribution("p", np.reshape(p, -1))
    for i in range(np.ndim(p)):
        valid.require(np.min(np.sum(p, axis=i)) > 0, f"every state of the units other than {i} must have positive "
                                                     "probability: a predictor is not defined elsewhere.")


# ---- claims ---------------------------------------------------------------------------

def random_code(seed, n=3):
    """A law over n bits in which the units depend on each other."""
    return {"p": onp.random.default_rng([seed, n]).dirichlet(onp.ones(2**n)).reshape((2,) * n)}


def factorial(p):
    """The code of independent units with the same means: the goal of the code's training."""
    product = 1.0
    for i in range(p.ndim):
        product = product * np.sum(p, axis=tuple(j for j in range(p.ndim) if j != i), keepdims=True)
    return product


def what_predictors_do(P=best_predictors, ceiling=unit_variances, goal=factorial):
    """Best predictors, the error they leave, how far that is below the units' variance, and the error at the goal."""
    def of(p):
        error, at_goal = prediction_error(p, P(p)), prediction_error(goal(p), P(goal(p)))
        return {"predictors": P(p), "error": error, "explained": np.sum(ceiling(p)) - error, "at the goal": at_goal}
    return of


def by_least_squares(p):
    """The oracle: regress y_i on an indicator of every state of y_{-i}, weighted by p; no conditional is formed."""
    n, y = p.ndim, all_binary(p.ndim)
    weights = p.transpose().ravel()                     # all_binary counts the first axis fastest
    root, fits, error, explained = onp.sqrt(weights), [], 0.0, 0.0
    for i in range(n):
        others = onp.delete(y, i, axis=1) @ 2**onp.arange(n - 1)
        indicators = (others[:, None] == onp.arange(2**(n - 1))).astype(float)
        fit = indicators @ least_squares(root[:, None] * indicators, root * y[:, i])
        fits.append(fit.reshape((2,) * n).transpose())
        error += weights @ (y[:, i] - fit) ** 2
        explained += weights @ (fit - weights @ fit) ** 2
    return {"predictors": onp.array(fits), "error": error, "explained": explained,
            "at the goal": weights @ onp.sum((y - weights @ y) ** 2, axis=1)}


def blind(p):
    """Predictors that see nothing: the units' means."""
    return np.array([np.full(p.shape, np.sum(np.take(p, 1, axis=i))) for i in range(p.ndim)])


def most_likely_bit(p):
    return np.round(best_predictors(p))


def of_the_next_unit(p):
    return np.roll(best_predictors(p), 1, axis=0)


def copies(p):
    """Units that nearly always agree: the most predictable code."""
    agree = onp.zeros(p.shape)
    agree[(0,) * p.ndim], agree[(1,) * p.ndim] = 0.5, 0.5
    return 0.99 * agree + 0.01 * p


CLAIMS = [
    Claim("lecture12.sec1.1.3_pm", what_predictors_do(), equals(by_least_squares, random_code),
          {"predictors that see nothing": what_predictors_do(blind),
           "the unit itself is among the inputs": what_predictors_do(lambda p: onp.indices(p.shape).astype(float)),
           "the likelier bit in place of its mean": what_predictors_do(most_likely_bit),
           "each predictor guesses its neighbour": what_predictors_do(of_the_next_unit),
           "the code is trained to be predictable": what_predictors_do(goal=copies),
           "p(1 - p) of the code's states, not of its units": what_predictors_do(ceiling=lambda p: p * (1 - p))}),
]
