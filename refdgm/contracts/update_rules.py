"""Contracts of the update rules and step sizes (ou2018 Sec. 2, Algorithm 1; kingma2019 App. A.3).

F is the direction of ascent, an estimate of a gradient. What a rule remembers is given, and returned when it is new.
"""

from refdgm import updates
from refdgm.backend import xp as np
from refdgm.contract import INTEGER, NUMBER, Argument, Case, Contract, Other
from refdgm.values import values

PARAMETER = Argument("parameter", "(...)", "where the parameter is")
F = Argument("F", "(...)", "the direction of ascent: an estimate of the objective's gradient")
GAMMA = Argument("gamma", "", "the step size of this step", NUMBER)
M = Argument("m", "(...)", "the first moment so far: a decaying sum of earlier F")
B1 = Argument("b1", "", "decay of the first moment", NUMBER)
B2 = Argument("b2", "", "decay of the second moment", NUMBER)
T = Argument("t", "", "the number of this step: 1, 2, ...", INTEGER)
EPSILON = Argument("epsilon", "", "what keeps the division from 0", NUMBER)
DESCENDS = "it moves against its argument: give it the gradient of a loss"


def cases(numbers, memory=(), positive=()):
    """Parameters of several shapes in the middle of learning; the numbers are tuples of values to take in turn."""
    def of(seed):
        rng = np.random.default_rng(seed)
        for turn, shape in enumerate([(2,), (2, 3), (4,), (3, 1)]):
            given = {"parameter": rng.normal(size=shape), **{name: rng.normal(size=shape) for name in memory},
                     **{name: rng.uniform(0.1, 2.0, size=shape) for name in positive}, "F": rng.normal(size=shape),
                     **{name: choices[turn % len(choices)] for name, choices in numbers.items()}}
            yield Case(f"shape {shape}" + (f", t = {given['t']}" if "t" in given else ""), given)
        given = {name: 1e4 * value if np.ndim(value) else value for name, value in given.items()}
        yield Case("all arrays times 1e4", given, hard=True)
    return of


# ---- one step of each rule ------------------------------------------------------------

def sgd(parameter, F, gamma):
    return updates.sgd().step(parameter, (), F, gamma, 1)[0]


def momentum(parameter, m, F, gamma, b):
    return updates.momentum(b).step(parameter, m, F, gamma, 1)


def polyak(damping=0.0, nesterov=False, in_memory=False, sign=1.0):
    """Momentum by its parts, for conventions and mistakes."""
    def step(parameter, m, F, gamma, b):
        m = b * m + (1 - damping * b) * F * (gamma if in_memory else 1.0)
        return parameter + sign * (1.0 if in_memory else gamma) * (F + b * m if nesterov else m), m
    return step


def adam(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    parameter, (m, v) = updates.adam(b1, b2, epsilon).step(parameter, (m, v), F, gamma, t)
    return parameter, m, v


def adam_by(square=np.square, later=0, correct=(1, 1), sign=1.0, denominator=lambda v, c, e: np.sqrt(v / c) + e):
    """Adam by its parts, for conventions and mistakes."""
    def step(parameter, m, v, F, gamma, b1, b2, epsilon, t):
        m, v = b1 * m + (1 - b1) * F, b2 * v + (1 - b2) * square(F)
        c1, c2 = (1 - b**(t + later) if wanted else 1.0 for b, wanted in zip((b1, b2), correct))
        return parameter + sign * gamma * (m / c1) / denominator(v, c2, epsilon), m, v
    return step


def exchanged(parameter, m, v, F, gamma, b1, b2, epsilon, t):
    return adam(parameter, m, v, F, gamma, b2, b1, epsilon, t)


def adamax(parameter, m, u, F, gamma, b1, b2, t):
    parameter, (m, u) = updates.adamax(b1, b2).step(parameter, (m, u), F, gamma, t)
    return parameter, m, u


def adamax_by(norm=lambda u, F, b2: np.maximum(b2 * u, np.abs(F)), corrected=True, norm_corrected=False, sign=1.0):
    """Adamax by its parts, for conventions and mistakes."""
    def step(parameter, m, u, F, gamma, b1, b2, t):
        m, u = b1 * m + (1 - b1) * F, norm(u, F, b2)
        rate = gamma / (1 - b1**t if corrected else 1.0)
        return parameter + sign * rate * m / (u / (1 - b2**t) if norm_corrected else u), m, u
    return step


def schedule_cases(seed):
    rng = np.random.default_rng(seed)
    for t, power in ((1, 0.75), (2, 0.75), (10, 1.0), (40, 0.6)):
        yield Case(f"t = {t}", {"first": rng.uniform(1.0, 2.0), "power": power, "offset": float(rng.integers(1, 4)),
                                "t": t})
    yield Case("t = 10^6", {"first": 1.5, "power": 1.0, "offset": 2.0, "t": 10**6}, hard=True)


def step_size(first, power, offset, t):
    return np.asarray(updates.robbins_monro(first, power, offset)(t))


STEPS = {"gamma": (0.5, 0.3)}
ADAMS = {**STEPS, "b1": (0.9, 0.6), "b2": (0.99, 0.9, 0.95), "t": (1, 2, 7, 1)}
RETURNS_NEW = "the new parameter and what is remembered of"

CONTRACTS = [
    Contract("sgd_update", "a step of stochastic gradient ascent, parameter + gamma F", "ou2018 Sec. 2, Algorithm 1",
             (PARAMETER, F, GAMMA), "(...): the new parameter", sgd, values(cases(STEPS)),
             {"the step size squared": Other(lambda p, F, gamma: p + gamma**2 * F, "multiply F by gamma once"),
              "only the sign of F": Other(lambda p, F, gamma: p + gamma * np.sign(F), "F's size counts"),
              "the parameter decays": Other(lambda p, F, gamma: (1 - gamma) * p + gamma * F, "add to the parameter"),
              "F at length one": Other(lambda p, F, gamma: p + gamma * F / np.sqrt(np.sum(F**2)), "F's size counts"),
              "the mean of F for every entry": Other(lambda p, F, gamma: p + gamma * np.mean(F),
                                                     "each entry has its own direction")},
             {"descends": Other(lambda p, F, gamma: p - gamma * F, DESCENDS)}),
    Contract("momentum_update", "a step with Polyak's momentum: m = b m + F, parameter + gamma m", "ou2018 Sec. 2",
             (PARAMETER, M, F, GAMMA, Argument("b", "", "decay of the memory", NUMBER)),
             f"two arrays (...): {RETURNS_NEW} F, m", momentum,
             values(cases({**STEPS, "b": (0.9, 0.5, 0.7)}, memory=("m",))),
             {"the memory does not decay": Other(lambda p, m, F, gamma, b: (p + gamma * (m + F), m + F),
                                                 "multiply the old m by b"),
              "the old memory is used": Other(lambda p, m, F, gamma, b: (p + gamma * m, b * m + F),
                                              "bring m up to date first"),
              "the memory is not returned new": Other(lambda p, m, F, gamma, b: (p + gamma * (b * m + F), m),
                                                      "return b m + F"),
              "the decay on F": Other(lambda p, m, F, gamma, b: (p + gamma * (m + b * F), m + b * F),
                                      "b multiplies the old m"),
              "F counted twice": Other(lambda p, m, F, gamma, b: (p + gamma * (b * m + 2 * F), b * m + F),
                                       "the new m contains F")},
             {"descends": Other(polyak(sign=-1.0), DESCENDS),
              "damped: m = b m + (1 - b) F": Other(polyak(damping=1.0),
                                                   "the step size has to be 1 / (1 - b) times larger"),
              "damped, and descends": Other(polyak(damping=1.0, sign=-1.0), DESCENDS),
              "Nesterov's: parameter + gamma (F + b m)": Other(polyak(nesterov=True), "another method"),
              "Nesterov's, and descends": Other(polyak(nesterov=True, sign=-1.0), "another method; " + DESCENDS),
              "the step size in the memory: m = b m + gamma F": Other(
                  polyak(in_memory=True), "the same steps while gamma is constant (Sutskever et al. 2013)")}),
    Contract("adam_update", "a step of Adam: parameter + gamma m_hat / (sqrt(v_hat) + epsilon)", "kingma2019 App. A.3",
             (PARAMETER, M, Argument("v", "(...)", "the second moment so far, of F^2"), F, GAMMA, B1, B2, EPSILON, T),
             f"three arrays (...): {RETURNS_NEW} F and of F^2", adam,
             values(cases({**ADAMS, "epsilon": (1e-1, 1e-8, 0.3)}, memory=("m",), positive=("v",))),
             {"no bias correction": Other(adam_by(correct=(0, 0)), "divide m by 1 - b1^t and v by 1 - b2^t"),
              "no bias correction of m": Other(adam_by(correct=(0, 1)), "divide m by 1 - b1^t"),
              "no bias correction of v": Other(adam_by(correct=(1, 0)), "divide v by 1 - b2^t"),
              "t counted from 0": Other(adam_by(later=1), "the first step is t = 1"),
              "(sum F)^2 for F^2": Other(adam_by(square=lambda F: np.sum(F)**2 + 0 * F), "square each entry by itself"),
              "the norm of F for each entry": Other(adam_by(square=lambda F: np.sum(F**2) + 0 * F),
                                                    "square each entry by itself"),
              "|F| for F^2": Other(adam_by(square=np.abs), "v is the second moment: square F"),
              "the root forgotten": Other(adam_by(denominator=lambda v, c, e: v / c + e), "divide by sqrt(v_hat)"),
              "b1 and b2 exchanged": Other(exchanged, "b1 is for F, b2 for F^2")},
             {"descends": Other(adam_by(sign=-1.0), DESCENDS),
              "epsilon inside of the root": Other(adam_by(denominator=lambda v, c, e: np.sqrt(v / c + e)),
                                                  "sqrt(v_hat + epsilon): with a tiny epsilon nearly the same"),
              "epsilon inside of the root, and descends": Other(
                  adam_by(sign=-1.0, denominator=lambda v, c, e: np.sqrt(v / c + e)), DESCENDS),
              "epsilon before the bias correction": Other(
                  adam_by(denominator=lambda v, c, e: (np.sqrt(v) + e) / np.sqrt(c)),
                  "Kingma and Ba's epsilon hat, as in TensorFlow: epsilon is divided by sqrt(1 - b2^t)"),
              "epsilon before the bias correction, and descends": Other(
                  adam_by(sign=-1.0, denominator=lambda v, c, e: (np.sqrt(v) + e) / np.sqrt(c)), DESCENDS)}),
    Contract("adamax_update", "a step of Adamax: parameter + gamma m_hat / max(b2 u, |F|)", "kingma2019 App. A.3",
             (PARAMETER, M, Argument("u", "(...)", "the decaying largest |F| so far"), F, GAMMA, B1, B2, T),
             f"three arrays (...): {RETURNS_NEW} F and of |F|", adamax,
             values(cases(ADAMS, memory=("m",), positive=("u",))),
             {"no bias correction": Other(adamax_by(corrected=False), "divide m by 1 - b1^t"),
              "u corrected as Adam's v": Other(adamax_by(norm_corrected=True), "a maximum needs no bias correction"),
              "a mean in place of the maximum": Other(adamax_by(lambda u, F, b2: b2 * u + (1 - b2) * np.abs(F)),
                                                      "u = max(b2 u, |F|)"),
              "u does not decay": Other(adamax_by(lambda u, F, b2: np.maximum(u, np.abs(F))), "u = max(b2 u, |F|)"),
              "F without its absolute value": Other(adamax_by(lambda u, F, b2: np.maximum(b2 * u, F)), "take |F|"),
              "the largest over all entries": Other(
                  adamax_by(lambda u, F, b2: np.maximum(b2 * u, np.max(np.abs(F)))), "each entry has its own u")},
             {"descends": Other(adamax_by(sign=-1.0), DESCENDS)}),
    Contract("robbins_monro_step_size", "the step size gamma_t = first / (offset + t)^power, 1/2 < power <= 1",
             "ou2018 Sec. 2", (Argument("first", "", "the scale", NUMBER), Argument("power", "", "of decay", NUMBER),
                               Argument("offset", "", "delays the decay", NUMBER), T),
             "a number", step_size, values(schedule_cases),
             {"t counted from 0": Other(lambda first, power, offset, t: np.asarray(first / (offset + t - 1)**power),
                                        "the first step is t = 1"),
              "the offset forgotten": Other(lambda first, power, offset, t: np.asarray(first / t**power), "add it"),
              "1/t whatever the power": Other(lambda first, power, offset, t: np.asarray(first / (offset + t)),
                                              "raise offset + t to the power"),
              "the power on t alone": Other(lambda first, power, offset, t: np.asarray(first / (offset + t**power)),
                                            "raise offset + t to the power"),
              "grows": Other(lambda first, power, offset, t: np.asarray(first * (offset + t)**power), "divide"),
              "exponential decay": Other(lambda first, power, offset, t: np.asarray(first * power**(offset + t)),
                                         "the steps must sum to infinity")}),
]
