r"""Stochastic gradient ascent (kingma2019 App. A.3, Eq. A.15).

    theta_{t+1} = theta_t + alpha_t g_t,    g_t = dL~(theta, xi_t)/dtheta at theta = theta_t

L~ is an unbiased estimate, E_{p(xi)} L~(theta, xi) = L(theta). Its gradient is an unbiased one of dL/dtheta where the
law of xi does not depend on theta: xi may be a data index, or the noise of a reparameterised sample.

score(theta, t) is the gradient of step t, its noise included; theta (..., n); a path is (T + 1, ..., n). The mean over
the noise is a sum over every sequence of data indices.

One pass over the data 2, 4, 9 with the rates 1, 1/2, 1/3 ends at their mean:

    >>> from refdgm.directed.sgd import sgd
    >>> data = (2.0, 4.0, 9.0)
    >>> float(sgd(lambda theta, t: data[t] - theta, theta=0.0, rates=(1, 1 / 2, 1 / 3))[-1])
    5.0
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.numerics import all_tuples, softmax


def sgd(score, theta, rates):
    """theta_{t+1} = theta_t + alpha_t g_t with g_t taken at theta_t (kingma2019 Eq. A.15).  -> (T + 1, ..., n)"""
    valid.finite("theta", theta)
    path = [theta]
    for t, rate in enumerate(rates):
        path.append(path[-1] + rate * score(path[-1], t))
    return onp.array(path)


# ---- claims ---------------------------------------------------------------------------

def data_case(seed, T=4):
    """Three data, a quadratic objective in two dimensions, and a rate for each of four steps."""
    rng = onp.random.default_rng(seed)
    B = rng.normal(size=(2, 2)) / 2
    return {"theta": rng.normal(size=2), "A": B @ B.T + onp.eye(2) / 4, "data": rng.normal(size=(3, 2)),
            "rates": 0.5 / (1 + onp.arange(T))}


def mean_end(step=lambda score, theta, start, t, rate: theta + rate * score(theta, t)):
    """E theta_T over every sequence of T data indices, for a rule step(score, theta_t, theta_0, t, alpha_t)."""
    def end(theta, A, data, rates):
        xi = data[all_tuples(len(data), len(rates))]                   # (3**T, T, 2)
        def score(at, t): return (xi[:, t] - at) @ A
        start = at = theta + onp.zeros((len(xi), 2))
        for t, rate in enumerate(rates):
            at = step(score, at, start, t, rate)
        return onp.mean(at, axis=0)
    return end


def sgd_mean_end(theta, A, data, rates):
    xi = data[all_tuples(len(data), len(rates))]
    start = theta + onp.zeros((len(xi), 2))
    return onp.mean(sgd(lambda at, t: (xi[:, t] - at) @ A, start, rates)[-1], axis=0)


def contraction(theta, A, data, rates):
    """The oracle: E theta_T = xbar + prod_t (I - alpha_t A) (theta_0 - xbar), since the gradients are unbiased."""
    centre, away = onp.mean(data, axis=0), theta - onp.mean(data, axis=0)
    for rate in rates:
        away = (onp.eye(2) - rate * A) @ away
    return centre + away


def noise_case(coupling):
    """An estimate L~(theta, xi) for five values of xi, whose law depends on theta (2,) by `coupling`."""
    def case(seed):
        rng = onp.random.default_rng(seed)
        return {"theta": rng.normal(size=2), "logits": rng.normal(size=5), "U": rng.normal(size=(5, 2)),
                "C": coupling * rng.normal(size=(5, 2))}
    return case


def estimates(theta, U):
    """L~(theta, xi) for each xi.  -> (5,)"""
    return np.cos(np.dot(U, theta)) + np.dot(U, theta)**2


def expected_objective(theta, logits, U, C):
    return np.sum(softmax(logits + np.dot(C, theta)) * estimates(theta, U))


def mean_gradient(weights=lambda p: p, factor=1.0):
    """E dL~(theta, xi)/dtheta by hand: xi is drawn from its law, and then held fixed."""
    def mean(theta, logits, U, C):
        a = U @ theta
        return factor * weights(softmax(logits + C @ theta)) * (2 * a - onp.sin(a)) @ U
    return mean


def score_added(theta, logits, U, C):
    """A score function term for the logits, which do not depend on theta."""
    p = softmax(logits)
    return mean_gradient()(theta, logits, U, C) + (p * (estimates(theta, U) - p @ estimates(theta, U))) @ U


CLAIMS = [
    Claim("kingma2019.eqA.15", sgd_mean_end, equals(contraction, data_case),
          {"descent": mean_end(lambda score, theta, start, t, rate: theta - rate * score(theta, t)),
           "the new parameters forget the old": mean_end(lambda score, theta, start, t, rate: rate * score(theta, t)),
           "the first rate for every step": mean_end(
               lambda score, theta, start, t, rate: theta + 0.5 * score(theta, t)),
           "the gradient at theta_{t+1}": mean_end(lambda score, theta, start, t, rate: theta + rate * score(
               theta + rate * score(theta, t), t))},
          printed=mean_end(lambda score, theta, start, t, rate: theta + rate * score(start, t))),
    Claim("kingma2019.A.3.unb", mean_gradient(),
          is_gradient_of(expected_objective, "theta", noise_case(coupling=0.0)),
          {"every xi counted alike": mean_gradient(lambda p: 1 / len(p)),
           "the most probable xi only": mean_gradient(lambda p: 1.0 * (p == onp.max(p))),
           "a score term for a law that is fixed": score_added,
           "the sum over five draws, not their mean": mean_gradient(factor=5.0)},
          without=is_gradient_of(expected_objective, "theta", noise_case(coupling=1.0))),
]
