r"""Contracts of what makes discrete latents differentiable: Gumbel-softmax (Concrete) and straight-through draws.

    n classes   z = softmax((logits + g) / tau),  g = -log(-log u)         bits   z = sigmoid((logit + l) / tau),
                                                                                  l = log u - log(1 - u)
    density     log p(z) = log Gamma(n) + (n - 1) log tau - sum_i log z_i
                           + sum_i log softmax(logits - tau log z)_i       (Maddison et al. 2016, Eq. 10)

(ou2018 Sec. 3.2.1.) u are uniform numbers in (0, 1), tau the temperature.
"""
from math import lgamma, log

import autograd.numpy as np
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import concrete
from refdgm.numerics import log_softmax, log_sum_exp, sigmoid, softmax
from refdgm.values import apart, values

CLASSES = Argument("logits", "(..., n)", "log-probabilities of the classes, up to a constant")
LOG_ODDS = Argument("logits", "(...)", "log-odds of a one")
TAU = Argument("tau", "", "the temperature, positive", "number")
POINT = Argument("z", "(..., n)", "a point of the simplex: positive, with sum one")


def class_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape, tau in (((3,), 0.5), ((2, 4), 1.7), ((2, 3, 2), 0.8)):
        yield Case(f"shape {shape}, tau = {tau}", {"logits": 1.5 * rng.normal(size=shape),
                                                   "u": rng.uniform(0.1, 0.9, shape), "tau": tau})
    yield Case("one class", {"logits": rng.normal(size=(2, 1)), "u": rng.uniform(0.1, 0.9, (2, 1)), "tau": 0.7})
    yield Case("logits of +-1e4", {"logits": onp.array([[1e4, -1e4, 0.0], [-1e4, -1e4, 0.0]]),
                                   "u": rng.uniform(0.1, 0.9, (2, 3)), "tau": 0.5}, hard=True)
    yield Case("a temperature of 0.001", {"logits": onp.array([[3.0, 1.0, -2.0]]), "u": onp.array([[0.5, 0.4, 0.3]]),
                                          "tau": 0.001}, hard=True)
    yield Case("u of 1e-30", {"logits": rng.normal(size=(1, 3)), "u": onp.array([[1e-30, 0.3, 0.6]]), "tau": 1.0},
               hard=True)


def bit_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape, tau in (((2,), 0.5), ((3, 2), 1.7), ((2, 1, 3), 0.8)):
        yield Case(f"shape {shape}, tau = {tau}", {"logits": rng.normal(size=shape),
                                                   "u": rng.uniform(0.1, 0.9, shape), "tau": tau})
    yield Case("logits of +-1e4", {"logits": onp.array([1e4, -1e4]), "u": onp.array([0.3, 0.6]), "tau": 0.5}, hard=True)


def density_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape, tau in (((3,), 0.5), ((2, 2), 0.8), ((3, 4), 1.7)):
        yield Case(f"shape {shape}, tau = {tau}", {"z": rng.dirichlet(2 * onp.ones(shape[-1]), shape[:-1]),
                                                   "logits": rng.normal(size=shape), "tau": tau})
    yield Case("a corner of the simplex", {"z": onp.array([[1 - 2e-6, 1e-6, 1e-6]]), "logits": rng.normal(size=(1, 3)),
                                           "tau": 0.3}, hard=True)


def threshold_cases(seed):
    """Uniform numbers that are not close to the probabilities: no rounding changes a bit."""
    rng = onp.random.default_rng(seed)
    for shape in ((2,), (5,), (2, 4)):
        logits = rng.normal(size=shape)
        p = sigmoid(logits)
        below = rng.uniform(size=shape) < p
        below.flat[:2] = [True, False]
        yield Case(f"shape {shape}", {"logits": logits, "u": onp.where(below, 0.6 * p, 1 - 0.6 * (1 - p))})
    yield Case("logits of +-1e4", {"logits": onp.array([1e4, -1e4]), "u": onp.array([0.5, 0.5])}, hard=True)


def sum_to_one(call, case):
    return apart([onp.sum(part, axis=-1) for part in call(**case)], [onp.ones(case["logits"].shape[:-1])])


def gumbel(u):
    return -onp.log(-onp.log(u))


def gumbel_softmax(logits, u, tau, noise=gumbel, axis=-1):
    return softmax((logits + noise(u)) / tau, axis=axis)


def naive_gumbel_softmax(logits, u, tau):
    w = np.exp((logits + gumbel(u)) / tau)
    return w / np.sum(w, axis=-1, keepdims=True)


def one_hot_of(z):
    return (onp.arange(z.shape[-1]) == onp.argmax(z, axis=-1)[..., None]).astype(z.dtype)


def binary_concrete(logits, u, tau):
    return concrete.relax(logits, tau, onp.log(u) - onp.log1p(-u))


def log_density(z, logits, tau, of_log_z=False, n_less_one=True, log_n=True):
    """The log-density of a Gumbel-softmax draw, on the simplex or as one of log z; the flags are for mistakes."""
    n = z.shape[-1]
    power = n - 1 if n_less_one else n
    score = np.sum(log_softmax(logits - tau * np.log(z)), axis=-1)
    return score + lgamma(n) * log_n + power * log(tau) - (0.0 if of_log_z else np.sum(np.log(z), axis=-1))


def fired(logits, u):
    return (u < sigmoid(getval(logits))).astype(getval(logits).dtype)


def with_slope_of(soft, hard):
    """The value `hard`, the derivative of `soft`."""
    return hard + (soft - getval(soft))


def straight_through(logits, u):
    return with_slope_of(sigmoid(logits), fired(logits, u))


CONTRACTS = [
    Contract("gumbel_softmax", "a relaxed draw of one of n classes, softmax((logits + g) / tau), g = -log(-log u)",
             "ou2018 Sec. 3.2.1; Jang et al. 2016", (CLASSES, Argument("u", "(..., n)", "uniform in (0, 1)"), TAU),
             "(..., n): positive, with sum one", gumbel_softmax, values(class_cases),
             {"the noise not divided by tau": Other(lambda a, u, tau: softmax(a / tau + gumbel(u)),
                                                    "divide logits + g by tau, both"),
              "the logits not divided by tau": Other(lambda a, u, tau: softmax(a + gumbel(u) / tau),
                                                     "divide logits + g by tau, both"),
              "times tau": Other(lambda a, u, tau: gumbel_softmax(a, u, 1 / tau), "divide by the temperature"),
              "no noise": Other(lambda a, u, tau: softmax(a / tau), "add g"),
              "-g: the noise with the wrong sign": Other(
                  lambda a, u, tau: gumbel_softmax(a, u, tau, lambda u: -gumbel(u)), "g = -log(-log u)"),
              "exponential noise: one logarithm": Other(
                  lambda a, u, tau: gumbel_softmax(a, u, tau, lambda u: -onp.log(u)), "g = -log(-log u)"),
              "probabilities for logits": Other(lambda a, u, tau: gumbel_softmax(softmax(a), u, tau),
                                                "add the noise to log-probabilities"),
              "over the first axis": Other(lambda a, u, tau: gumbel_softmax(a, u, tau, axis=0),
                                           "the classes are along axis -1"),
              "overflows": Other(naive_gumbel_softmax, "subtract the largest before exp")},
             {"the noise from 1 - u": Other(lambda a, u, tau: gumbel_softmax(a, 1 - u, tau),
                                            "1 - u is as uniform as u: other draws of the same law"),
              "hard on the way forward, straight through": Other(
                  lambda a, u, tau: one_hot_of(a + gumbel(u)),
                  "the value is the hard draw: its derivative should be that of the relaxed one")},
             {"it has sum one": sum_to_one, "a shift of the logits changes nothing": lambda call, case: apart(
                 call(**{**case, "logits": case["logits"] + 0.5}), call(**case))}),
    Contract("binary_concrete", "a relaxed bit, sigmoid((logits + l) / tau), l = log u - log(1 - u)",
             "ou2018 Sec. 3.2.1; Maddison et al. 2016", (LOG_ODDS, Argument("u", "(...)", "uniform in (0, 1)"), TAU),
             "(...): in (0, 1)", binary_concrete, values(bit_cases, gradients=("logits",)),
             {"the noise not divided by tau": Other(
                 lambda a, u, tau: sigmoid(a / tau + onp.log(u) - onp.log1p(-u)), "divide logits + l by tau, both"),
              "times tau": Other(lambda a, u, tau: binary_concrete(a, u, 1 / tau), "divide by the temperature"),
              "no noise": Other(lambda a, u, tau: sigmoid(a / tau), "add l"),
              "one Gumbel variable for the logistic": Other(
                  lambda a, u, tau: sigmoid((a + gumbel(u)) / tau), "a difference of two: l = log u - log(1 - u)"),
              "probabilities for logits": Other(lambda a, u, tau: binary_concrete(sigmoid(a), u, tau),
                                                "add the noise to the log-odds"),
              "the hard bit": Other(lambda a, u, tau: 1 - fired(-a, u) + 0 * a,
                                    "this has no derivative: return the sigmoid")},
             {"the noise from 1 - u": Other(lambda a, u, tau: binary_concrete(a, 1 - u, tau),
                                            "1 - u is as uniform as u: other draws of the same law")}),
    Contract("concrete_log_density", "log-density of a Gumbel-softmax draw at the point z of the simplex",
             "ou2018 Sec. 3.2.1; Maddison et al. 2016, Eq. 10", (POINT, CLASSES, TAU), "(...): in nats", log_density,
             values(density_cases, gradients=("logits",)),
             {"no log Gamma(n)": Other(lambda z, a, tau: log_density(z, a, tau, log_n=False), "add log (n - 1)!"),
              "n log tau for (n - 1) log tau": Other(lambda z, a, tau: log_density(z, a, tau, n_less_one=False),
                                                     "the simplex has n - 1 dimensions"),
              "no log tau": Other(lambda z, a, tau: log_density(z, a, tau) - (z.shape[-1] - 1) * log(tau),
                                  "add (n - 1) log tau"),
              "the mass of a hard draw: sum z log softmax": Other(
                  lambda z, a, tau: np.sum(z * log_softmax(a), axis=-1), "a relaxed draw has a density of its own"),
              "a Dirichlet's: no normaliser that depends on z": Other(
                  lambda z, a, tau: log_density(z, a, tau) + z.shape[-1] * (
                      log_sum_exp(a - tau * np.log(z)) - log_sum_exp(a)),
                  "subtract n log sum_i exp(logits - tau log z)"),
              "the normaliser once, not n times": Other(
                  lambda z, a, tau: log_density(z, a, tau) + (z.shape[-1] - 1) * log_sum_exp(a - tau * np.log(z)),
                  "subtract it n times"),
              "one number for the batch": Other(lambda z, a, tau: np.sum(log_density(z, a, tau)), "one number a row")},
             {"the density of log z": Other(lambda z, a, tau: log_density(z, a, tau, of_log_z=True),
                                            "you state the density of log z, without the Jacobian sum_i log z_i"),
              "minus the log-density": Other(lambda z, a, tau: -log_density(z, a, tau), "you return the loss")}),
    Contract("straight_through", "a hard bit 1[u < p], p = sigmoid(logits), whose derivative is that of p",
             "ou2018 Sec. 3.2.1; Bengio et al. 2013", (LOG_ODDS, Argument("u", "(...)", "uniform in (0, 1)")),
             "(...): zeros and ones, differentiable", straight_through, values(threshold_cases, gradients=("logits",)),
             {"no derivative: the bit alone": Other(lambda a, u: fired(a, u) + 0 * a, "add p - stop_gradient(p)"),
              "the mean for the bit": Other(lambda a, u: sigmoid(a), "return the bit: p + stop_gradient(bit - p)"),
              "the bit and the mean added": Other(lambda a, u: fired(a, u) + sigmoid(a), "subtract stop_gradient(p)"),
              "1[u > p]: the complement": Other(lambda a, u: with_slope_of(sigmoid(a), 1 - fired(a, u)),
                                                "a one where u < p"),
              "the slope of the wrong sign": Other(lambda a, u: with_slope_of(-sigmoid(a), fired(a, u)),
                                                   "bit + p - stop_gradient(p)"),
              "the most likely bit, u not used": Other(lambda a, u: with_slope_of(sigmoid(a), fired(a, 0 * u + 0.5)),
                                                       "compare p with u, not with 1/2")},
             {"the gradient passed to the logit unchanged": Other(
                 lambda a, u: with_slope_of(a, fired(a, u)), "Hinton's form: here the bit is passed through to p"),
              "the gradient where |logit| <= 1 only": Other(
                  lambda a, u: with_slope_of(np.where(onp.abs(getval(a)) <= 1, a, 0 * a), fired(a, u)),
                  "the hard tanh's form, as in binarised networks")}),
]
