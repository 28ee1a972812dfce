r"""Data against noise: the classification problem of noise-contrastive estimation (ou2018 Sec. 4.2.4, Eqs. 40-43).

    Eq. 40   p_hat(x) = exp(u_hat(x)),  u_hat(x) = u(x) - c      c is a parameter: nothing makes p_hat sum to one
    Eq. 41   P(C=0|x) = p_hat(x) / (p_hat(x) + nu p_n(x))        class 0 is data, class 1 is noise, their ratio 1 : nu
    Eq. 42   P(C=1|x) = 1 - P(C=0|x)
    Eq. 43   J = E_p0[log P(C=0|x)] + nu E_pn[log P(C=1|x)]

Shapes: x is one of S states; u_hat, p_0 and p_n (..., S), the noise ratio nu > 0 need not be an integer. The field is
log-linear, u = f theta with features f (S, d), where an optimum must be unique; a field enters by its u_hat alone.

Where the model says what the noise says, and nu = 1, nothing can be told:

>>> import numpy as np
>>> from refdgm.models.noise_contrast import posterior
>>> p = np.array([0.2, 0.8])
>>> float(posterior(np.log(p), p, nu=1.0)[0][0])
0.5
"""
import math

import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import log_sigmoid, log_softmax, sigmoid


def u_hat(theta, c, features):
    """log p_hat(x) = u(x) - c for every state (ou2018 Eq. 40).  (d,), (), (S, d) -> (S,)"""
    return np.dot(features, theta) - c


def log_odds(u_hat, p_n, nu):
    """log p_hat(x) / (nu p_n(x)), the logit of P(C=0|x); infinite where there is no noise.  (..., S) -> (..., S)"""
    return u_hat - np.log(nu * p_n)


def posterior(u_hat, p_n, nu):
    """P(C=0|x) and P(C=1|x) (ou2018 Eqs. 41-42).  (..., S) -> (..., S), (..., S)"""
    odds = log_odds(u_hat, p_n, nu)
    return sigmoid(odds), sigmoid(-odds)


def objective(u_hat, p_0, p_n, nu):
    """J (ou2018 Eq. 43).  A state without noise is surely data and adds nothing.  (..., S) -> (...)"""
    validate(p_0, p_n, nu)
    valid.vector("u_hat", u_hat, onp.shape(getval(p_n))[-1])
    covered = getval(p_n) > 0
    odds = log_odds(u_hat, np.where(covered, p_n, 1.0), nu)
    return np.sum(np.where(covered, p_0 * log_sigmoid(odds) + nu * p_n * log_sigmoid(-odds), 0.0), axis=-1)


def log_partition(theta, features):
    """log Z(theta) = log sum_x exp(u(x)): what c should become.  -> ()"""
    return np.log(np.sum(np.exp(np.dot(features, theta))))


def random_case(seed, S=6, d=2):
    """A field with a wrong c, data that it need not fit, noise that is not uniform, and a ratio nu away from one."""
    rng = onp.random.default_rng(seed)
    return {"theta": rng.normal(size=d), "c": rng.uniform(0.3, 1.3), "features": rng.normal(size=(S, d)),
            "p_0": smooth_law(rng, S), "p_n": smooth_law(rng, S), "nu": random_ratio(rng)}


def smooth_law(rng, S):
    """A random distribution with no state rarer than 1 / (4 S)."""
    return 0.75 * rng.dirichlet(onp.full(S, 2.0)) + 0.25 / S


def random_ratio(rng):
    """nu or 1/nu between 1.5 and 4: at nu = 1 a forgotten nu would not show."""
    return onp.exp(rng.choice([-1, 1]) * rng.uniform(0.4, 1.4))


def validate(p_0, p_n, nu):
    """Raise ValueError, saying which, if p_0 or p_n is no distribution or nu is not positive."""
    valid.distribution("p_0", p_0)
    valid.distribution("p_n", p_n)
    valid.require(nu > 0, f"the noise ratio nu must be positive, but is {nu}.")


# ---- claims ---------------------------------------------------------------------------

def mass_and_odds(log_p):
    """What Eq. 40 says of p_hat: its mass is Z exp(-c), and its log odds are differences of the potential."""
    def both(theta, c, features, **_):
        values = log_p(theta, c, features)
        return {"mass": np.sum(np.exp(values)), "odds": values[1:] - values[0]}
    return both


def mass_and_odds_by_hand(theta, c, features, **_):
    u = [sum(t * f for t, f in zip(theta, row)) for row in features]
    return {"mass": sum(map(math.exp, u)) / math.exp(c), "odds": onp.array([value - u[0] for value in u[1:]])}


def classes(of_odds=lambda u, p_n, nu: posterior(u, p_n, nu)):
    """P(C=0|x) and P(C=1|x) of the case's field."""
    return lambda theta, c, features, p_n, nu, **_: onp.array(of_odds(u_hat(theta, c, features), p_n, nu))


def bayes(theta, c, features, p_n, nu, **_):
    """The oracle of Eqs. 41-42: prior times class-conditional density, divided by its sum over the two classes."""
    prior = onp.array([1.0, nu]) / (1 + nu)
    joint = onp.array([prior[0] * onp.exp(features @ theta) / onp.exp(c), prior[1] * p_n])
    return joint / joint.sum(axis=0)


def mean_class_log_likelihood(theta, c, features, p_0, p_n, nu):
    """The oracle of Eq. 43: 1 + nu times the mean of log P(C|x) over labelled samples, where C = 0 has odds 1 : nu."""
    log_p = onp.log(bayes(theta, c, features, p_n, nu))
    labelled = onp.array([p_0, nu * p_n]) / (1 + nu)                # P(C, x), C in rows
    return (1 + nu) * onp.sum(labelled * log_p)


def objective_with(nu_of_class=lambda nu: nu, data=lambda nu: 1.0, noise=lambda nu: nu, sign=1):
    """J with its three appearances of nu free, and the sign of the noise sample's logit."""
    def J(theta, c, features, p_0, p_n, nu):
        odds = log_odds(u_hat(theta, c, features), p_n, nu_of_class(nu))
        return data(nu) * np.sum(p_0 * log_sigmoid(odds)) + noise(nu) * np.sum(p_n * log_sigmoid(-sign * odds))
    return J


CLAIMS = [
    Claim("ou2018.eq40", mass_and_odds(u_hat), equals(mass_and_odds_by_hand, random_case),
          {"u + c": mass_and_odds(lambda theta, c, features: u_hat(theta, -c, features)),
           "c is Z, not log Z": mass_and_odds(lambda theta, c, features: features @ theta - np.log(c)),
           "normalised, so that c has no effect": mass_and_odds(lambda *args: log_softmax(u_hat(*args))),
           "-u - c: the potential taken for an energy": mass_and_odds(
               lambda theta, c, features: u_hat(-theta, c, features))}),
    Claim("ou2018.eq41", classes(), equals(bayes, random_case),
          {"nu is forgotten": classes(lambda u, p_n, nu: posterior(u, p_n, 1.0)),
           "nu on the data": classes(lambda u, p_n, nu: posterior(u, p_n, 1 / nu)),
           "class 0 is the noise": classes(lambda u, p_n, nu: posterior(u, p_n, nu)[::-1]),
           "uniform noise": classes(lambda u, p_n, nu: posterior(u, 1 / len(p_n), nu))}),
    Claim("ou2018.eq43", lambda theta, c, features, **rest: objective(u_hat(theta, c, features), **rest),
          equals(mean_class_log_likelihood, random_case),
          {"no nu on the noise": objective_with(noise=lambda nu: 1.0),
           "1/nu on the noise": objective_with(noise=lambda nu: 1 / nu),
           "nu on the data, too": objective_with(data=lambda nu: nu),
           "log P(C=0) of the noise": objective_with(sign=-1),
           "no nu in the posterior": objective_with(nu_of_class=lambda nu: 1.0)}),
]
