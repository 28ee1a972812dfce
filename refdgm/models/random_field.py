r"""A neural random field on bits (ou2018 Sec. 4.1, Eq. 33).

    Eq. 33     p(x) = exp(u(x)) / Z,   Z = sum_x exp(u(x)),   u(x) = v' tanh(W x + b) + c'x
    energy     E(x) = -u(x)
    gradient   dlog p(x)/dtheta = du(x)/dtheta - E_p[du/dtheta],   because dlog Z/dtheta = E_p[du/dtheta]

theta = {"W": (J, D), "b": (J,), "v": (J,), "c": (D,)};  x : (..., D). Z is a sum over all 2**D states. With D = 1 and
real x it is an integral: the exponential tilting of a Gaussian reference below.

The gradient of log p(x) has mean zero, since that of log Z is E_p[du/dtheta]:

>>> import numpy as np
>>> from refdgm.models.random_field import grad_log_prob, law, random_case, states
>>> theta = random_case(0)["theta"]
>>> scores = [grad_log_prob(theta, x)["b"][0] for x in states(theta)]
>>> round(abs(float(law(theta) @ scores)), 6)
0.0
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.numerics import all_binary, gaussian_log_prob, log_softmax, log_sum_exp, trapezoid, weighted_sum


def potential(theta, x):
    """u(x), one number for each configuration (ou2018 Eq. 33).  (..., D) -> (...)"""
    return np.dot(np.tanh(np.dot(x, theta["W"].T) + theta["b"]), theta["v"]) + np.dot(x, theta["c"])


def energy(theta, x):
    """E(x) = -u(x) (ou2018 footnote 14).  (..., D) -> (...)"""
    return -potential(theta, x)


def grad_potential(theta, x):
    """du(x)/dtheta, for a whole batch (ou2018 Sec. 4.1).  (..., D) -> dict of (..., *leaf)"""
    t = onp.tanh(onp.dot(x, theta["W"].T) + theta["b"])
    before = theta["v"] * (1 - t**2)
    return {"W": before[..., :, None] * x[..., None, :], "b": before, "v": t, "c": x}


def grad_log_prob(theta, x):
    """du(x)/dtheta - E_p[du/dtheta] (ou2018 Sec. 4.1).  (D,) -> dict"""
    mean = mean_grad_potential(theta)
    return {name: leaf - mean[name] for name, leaf in grad_potential(theta, x).items()}


# ---- exact, by enumeration ------------------------------------------------------------

def states(theta):
    """Every x, (2**D, D)."""
    return all_binary(np.shape(theta["c"])[0])


def log_partition(theta):
    """log Z = log sum_x exp(u(x)) (ou2018 Sec. 4.1, after Eq. 33).  -> ()"""
    validate(theta)
    return log_sum_exp(potential(theta, states(theta)))


def log_prob(theta, x):
    """log p(x) = u(x) - log Z (ou2018 Eq. 33).  (..., D) -> (...)"""
    return potential(theta, x) - log_partition(theta)


def law(theta):
    """p(x) for every x.  -> (2**D,)"""
    validate(theta)
    return np.exp(log_softmax(potential(theta, states(theta))))


def mean_grad_potential(theta):
    """E_p[du/dtheta] = dlog Z/dtheta: what makes the gradient intractable (ou2018 Sec. 4, introduction)."""
    return weighted_sum(law(theta), grad_potential(theta, states(theta)))


def random_case(seed, D=3, J=4):
    """A random theta and one x."""
    rng = onp.random.default_rng(seed)
    theta = {"W": rng.normal(size=(J, D)), "b": rng.normal(size=J), "v": rng.normal(size=J), "c": rng.normal(size=D)}
    return {"theta": theta, "x": rng.integers(0, 2, D).astype(float)}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    J, D = valid.matrix("theta", theta, "W")
    valid.parameters("theta", theta, {"W": (J, D), "b": (J,), "v": (J,), "c": (D,)})
    if x is not None:
        valid.vector("x", x, D)



# ---- claims ---------------------------------------------------------------------------

def theta_case(seed):
    return {"theta": random_case(seed)["theta"]}


def mass_and_odds(p):
    """What Eq. 33 says of p: it sums to one, and its log odds are differences of the potential."""
    return lambda theta: {"mass": np.sum(p(theta)), "odds": np.log(p(theta)[1:] / p(theta)[0])}


def mass_and_odds_by_hand(theta):
    u = [theta["v"] @ onp.tanh(theta["W"] @ x + theta["b"]) + theta["c"] @ x for x in all_binary(3)]
    return {"mass": 1.0, "odds": onp.array([value - u[0] for value in u[1:]])}


def exp_u_over(Z, sign=1):
    return lambda theta: np.exp(sign * potential(theta, states(theta))) / Z(theta)


def Z(theta): return np.exp(log_partition(theta))


def mean_grad_under(weights):
    """The mean of du/dtheta under another law of x."""
    return lambda theta: weighted_sum(weights(theta), grad_potential(theta, states(theta)))


def plus(theta, x, factor, mean):
    return {name: leaf + factor * mean[name] for name, leaf in grad_potential(theta, x).items()}


# Exponential tilting, on the real line: the field is (u + log p_ref), the truth a mean under the reference.

def tilting_case(seed):
    return {"theta": random_case(seed, D=1)["theta"], "sigma": 0.7 + 0.6 * onp.random.default_rng([seed, 3]).random()}


def log_reference(x, sigma):
    """A Gaussian white noise reference.  (n, 1) -> (n,)"""
    return gaussian_log_prob(x, 0.0, sigma**2)


def field_with(absorb):
    """log density at a few points, of the random field with potential absorb(u, log p_ref), by the trapezoid rule."""
    def log_density(theta, sigma):
        grid, w = trapezoid(-20.0, 20.0, 1001)
        def new_potential(x): return absorb(potential(theta, x), log_reference(x, sigma))
        return new_potential(here(POINTS)) - log_sum_exp(new_potential(grid[:, None]) + np.log(w))
    return log_density


POINTS = onp.linspace(-2.0, 2.5, 6)[:, None]


def tilted_reference(theta, sigma):
    """log p_ref(x) e^u(x) / E_ref[e^u], the expectation over standardised noise x = sigma eps."""
    eps, w = trapezoid(-16.0, 16.0, 901)
    density = np.exp(-eps**2 / 2) / np.sqrt(2 * np.pi)
    mean_tilt = np.sum(w * density * np.exp(potential(theta, sigma * eps[:, None])))
    return log_reference(POINTS, sigma) + potential(theta, POINTS) - np.log(mean_tilt)


CLAIMS = [
    Claim("ou2018.eq33", mass_and_odds(law), equals(mass_and_odds_by_hand, theta_case),
          {"exp(-u)/Z, the potential taken for an energy": mass_and_odds(exp_u_over(Z, -1)),
           "normalised exp(-u)": mass_and_odds(lambda theta: np.exp(log_softmax(-potential(theta, states(theta))))),
           "exp(u/Z)": mass_and_odds(lambda theta: np.exp(potential(theta, states(theta)) / Z(theta))),
           "not normalised": mass_and_odds(exp_u_over(lambda theta: 1.0))}),
    Claim("ou2018.rf.energy", lambda theta: energy(theta, states(theta)),
          equals(lambda theta: -np.log(Z(theta) * law(theta)), theta_case),
          {"E = u": lambda theta: potential(theta, states(theta)),
           "E = -log p, with log Z in it": lambda theta: -np.log(law(theta)),
           "E = exp(-u)": lambda theta: np.exp(-potential(theta, states(theta)))}),
    Claim("ou2018.rf.intractable", mean_grad_potential, is_gradient_of(log_partition, "theta", theta_case),
          {"all states alike": mean_grad_under(lambda theta: np.full(8, 1 / 8)),
           "at the mode only": mean_grad_under(lambda theta: 1.0 * (law(theta) == np.max(law(theta)))),
           "Boltzmann weights of -u": mean_grad_under(lambda theta: np.exp(log_softmax(energy(theta, states(theta))))),
           "the gradient of Z, not of log Z": mean_grad_under(lambda theta: np.exp(potential(theta, states(theta))))}),
    Claim("ou2018.eq33.grad", grad_log_prob, is_gradient_of(log_prob, "theta", random_case),
          {"+ E_p": lambda theta, x: plus(theta, x, +1, mean_grad_potential(theta)),
           "Z taken for a constant": lambda theta, x: plus(theta, x, 0, mean_grad_potential(theta)),
           "- the mean over all states alike": lambda theta, x: plus(
              theta, x, -1, mean_grad_under(lambda theta: np.full(8, 1 / 8))(theta))}),
    Claim("ou2018.rf.tilting", field_with(lambda u, log_ref: u + log_ref),
          equals(tilted_reference, tilting_case, method="quadrature"),
          {"u - log p_ref": field_with(lambda u, log_ref: u - log_ref),
           "u p_ref": field_with(lambda u, log_ref: u * np.exp(log_ref)),
           "the reference is forgotten": field_with(lambda u, log_ref: u),
           "the tilt is p_ref, the reference exp(u)^2": field_with(lambda u, log_ref: 2 * u + log_ref)}),
]
