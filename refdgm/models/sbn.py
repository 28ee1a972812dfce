r"""Sigmoid belief net with one layer of binary latents, and its recognition net (ou2018 Eq. 2 with L = 1).

    p(h) = Bern(sigmoid(a))    p(x|h) = Bern(sigmoid(W h + b))    q(h|x) = Bern(sigmoid(V x + c))

theta = {"a": (H,), "W": (D, H), "b": (D,)};  phi = {"V": (H, D), "c": (H,)}.
x : (..., D) and h : (..., H) are bits; leading axes are batches and broadcast. Everything is exact: the 2**H
latent states are summed.

Importance weights have the mean p(x) under q(h|x), however bad q is:

>>> import numpy as np
>>> from refdgm.models.sbn import latent_states, log_marginal, log_q_table, log_weights, random_case
>>> theta, phi, x = random_case(0).values()
>>> w = np.exp(log_weights(theta, phi, x, latent_states(theta)))
>>> round(float(np.exp(log_q_table(phi, x)) @ w / np.exp(log_marginal(theta, x))), 6)
1.0
"""
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_least
from refdgm.numerics import (all_binary, all_tuples, bernoulli_log_prob, log_softmax, log_sum_exp, sigmoid, softmax,
                             softplus, weighted_sum)


def log_joint(theta, x, h):
    """log p(x, h) = log p(h) + log p(x|h) (ou2018 Sec. 3.1.2).  (..., D), (..., H) -> (...)"""
    return bernoulli_log_prob(h, theta["a"]) + log_likelihood(theta, x, h)


def log_likelihood(theta, x, h):
    """log p(x|h) (ou2018 Eq. 2).  (..., D), (..., H) -> (...)"""
    return bernoulli_log_prob(x, np.dot(h, theta["W"].T) + theta["b"])


def log_prior(theta, h):
    """log p(h), factorial Bernoulli (ou2018 Sec. 3.1.1).  (..., H) -> (...)"""
    return bernoulli_log_prob(h, theta["a"])


def log_q(phi, x, h):
    """log q(h|x).  (..., D), (..., H) -> (...)"""
    return bernoulli_log_prob(h, np.dot(x, phi["V"].T) + phi["c"])


def log_weights(theta, phi, x, h):
    """log w = log p(x, h) - log q(h|x), the log importance weight (ou2018 Eq. 19).  (..., D), (..., H) -> (...)"""
    return log_joint(theta, x, h) - log_q(phi, x, h)


def normalized_weights(log_w):
    """wbar_k = w_k / sum_j w_j from log-weights of any size (ou2018 after Eq. 19).  (..., K) -> (..., K)

    Raises ValueError for K = 0.
    """
    valid.count("the number of samples K", np.shape(log_w)[-1])
    return softmax(log_w)


# ---- exact, by enumeration ------------------------------------------------------------

def latent_states(theta):
    """Every h, (2**H, H)."""
    return all_binary(np.shape(theta["a"])[0])


def log_joint_table(theta, x):
    """log p(x, h) for every h, the states of h in one matrix product: x'l - sum_i softplus(l_i), l = Wh + b.

    (..., D) -> (..., 2**H)
    """
    validate(theta, x=x)
    h = latent_states(theta)
    logits = np.dot(h, theta["W"].T) + theta["b"]
    return log_prior(theta, h) + np.dot(x, logits.T) - np.sum(softplus(logits), axis=-1)


def log_q_table(phi, x):
    """log q(h|x) for every h.  (..., D) -> (..., 2**H)"""
    validate(phi=phi, x=x)
    logits = np.dot(x, phi["V"].T) + phi["c"]
    return np.dot(logits, all_binary(np.shape(phi["c"])[0]).T) - np.sum(softplus(logits), axis=-1, keepdims=True)


def log_marginal(theta, x):
    """log p(x) = log sum_h p(x, h).  (..., D) -> (...)"""
    return log_sum_exp(log_joint_table(theta, x))


def posterior(theta, x):
    """p(h|x) for every h.  (..., D) -> (..., 2**H)"""
    return np.exp(log_softmax(log_joint_table(theta, x)))


# ---- scores by hand -------------------------------------------------------------------

def score_theta(theta, x, h):
    """The gradient of log p(x, h) in theta, for a whole batch.  (..., D), (..., H) -> dict of (..., *leaf)"""
    x_error = x - sigmoid(onp.dot(h, theta["W"].T) + theta["b"])
    h_error = h - sigmoid(theta["a"])
    h_error, _ = onp.broadcast_arrays(h_error, x_error[..., :1])
    return {"a": h_error, "W": x_error[..., :, None] * h[..., None, :], "b": x_error}


def score_phi(phi, x, h):
    """The gradient of log q(h|x) in phi, for a whole batch.  (..., D), (..., H) -> dict of (..., *leaf)"""
    h_error = h - sigmoid(onp.dot(x, phi["V"].T) + phi["c"])
    return {"V": h_error[..., :, None] * x[..., None, :], "c": h_error}


# ---- expectations over draws ----------------------------------------------------------

def all_draws(phi, x, K):
    """Every (h_1..h_K) and its probability under prod_k q(h_k|x): (M, K, H), (M,) with M = 2**(K H).  x : (D,)"""
    log_q_x = log_q_table(phi, x)
    index = all_tuples(log_q_x.shape[-1], K)
    return all_binary(np.shape(phi["c"])[0])[index], np.exp(np.sum(log_q_x[index], axis=-1))


def mean_over_draws(estimator, K):
    """The exact mean of an estimator that takes its draws as an argument.

    estimator(theta, phi, x, h) with h (M, K, H) -> array or dict of (M, *leaf);
    the result is mean(theta, phi, x) -> array or dict of (*leaf), a sum over all M draws.
    """
    def mean(theta, phi, x):
        h, probability = all_draws(phi, x, K)
        return weighted_sum(probability, estimator(theta, phi, x, h))
    return mean


# ---- small random cases ---------------------------------------------------------------

def random_case(seed, D=3, H=2):
    """A random theta, phi and one x: the setting in which most claims about discrete latents are checked."""
    rng = onp.random.default_rng(seed)
    theta = {"a": rng.normal(size=H), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D)}
    phi = {"V": rng.normal(size=(H, D)), "c": rng.normal(size=H)}
    return {"theta": theta, "phi": phi, "x": rng.integers(0, 2, D).astype(float)}


def good_encoder_case(seed, D=3, H=2):
    """As random_case, but q(h|x) nearly has the posterior's marginals at this x: a gap that a wrong bound oversteps."""
    theta, phi, x = random_case(seed, D, H).values()
    marginals = posterior(theta, x) @ latent_states(theta)
    log_odds = onp.log(marginals / (1 - marginals)) + phi["c"] / 4
    return {"theta": theta, "phi": {"V": phi["V"], "c": log_odds - phi["V"] @ x}, "x": x}


def random_data_case(seed, n=5, D=3, H=2):
    """As random_case, with a data set X (n, D) (rows may repeat) in place of x."""
    rng = onp.random.default_rng([seed, n])
    case = random_case(seed, D, H)
    return {"theta": case["theta"], "phi": case["phi"], "X": rng.integers(0, 2, (n, D)).astype(float)}


def validate(theta=None, phi=None, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    D, H = valid.matrix("theta", theta, "W") if theta is not None else valid.matrix("phi", phi, "V")[::-1]
    if theta is not None:
        valid.parameters("theta", theta, {"a": (H,), "W": (D, H), "b": (D,)})
    if phi is not None:
        valid.parameters("phi", phi, {"V": (H, D), "c": (H,)})
    if x is not None:
        valid.vector("x", x, D)



# ---- claims ---------------------------------------------------------------------------

def theta_case(seed):
    """The theta of random_case, alone, with four units of x."""
    return {"theta": random_case(seed, D=4, H=2)["theta"]}


def layer_table(theta):
    """p(x|h) for every h and every x, (2**H, 2**D)."""
    return np.exp(log_likelihood(theta, all_binary(len(theta["b"])), latent_states(theta)[:, None]))


def unit_by_unit(theta, unit=lambda bit, c: c if bit else 1 - c, combine=math.prod):
    """The oracle of layer_table, in plain Python: the product of B[x_i | c_i], c_i = sigmoid(W_i h + b_i)."""
    def probability(h, x):
        means = [1 / (1 + math.exp(-W @ h - b)) for W, b in zip(theta["W"], theta["b"])]
        return combine([unit(bit, c) for bit, c in zip(x, means)])
    return onp.array([[probability(h, x) for x in all_binary(len(theta["b"]))] for h in latent_states(theta)])


def wide_activations(seed):
    """Activations from moderate to far out, where a careless sigmoid overflows or rounds to 0 or 1."""
    a = onp.random.default_rng(seed).normal(size=40)
    return {"a": onp.concatenate([a, 20 * a])}


def slack_of_means(means):
    """c and 1 - c: both must be positive for c to be the mean of a Bernoulli unit."""
    return lambda a: np.array([means(a), 1 - means(a)])


CLAIMS = [
    Claim("ou2018.eq2", layer_table, equals(unit_by_unit, theta_case),
          {"the sum over units, not the product": lambda theta: unit_by_unit(theta, combine=sum),
           "c is the probability of a 0": lambda theta: unit_by_unit(theta, unit=lambda bit, c: 1 - c if bit else c),
           "only the units that are on": lambda theta: unit_by_unit(theta, unit=lambda bit, c: c if bit else 1.0)}),
    Claim("ou2018.eq2.sigmoid_output", slack_of_means(sigmoid),
          is_at_least(lambda a: np.zeros((2, len(a))), wide_activations),
          {"tanh output": slack_of_means(np.tanh),
           "linear output": slack_of_means(lambda a: a),
           "softplus output": slack_of_means(softplus)}),
]
