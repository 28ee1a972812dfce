r"""Generative and discriminative classifiers (kingma2019 Secs. 1.1, 1.3.1, 1.4).

    Sec. 1.1        p(y|x) = p(x|y) p(y) / sum_y' p(x|y') p(y')      Bayes' rule makes a generative model a classifier
    Eq. 1.3         p(y|x) close to p*(y|x) for every x and y
    Eqs. 1.4-1.5    p = NeuralNet(x), p(y|x) = Categorical(y; p)     a softmax layer last, so that sum_i p_i = 1

The pair that Sec. 1.1 compares: naive Bayes, p(x, y) = p(y) prod_i p(x_i|y), fitted to the joint law, and logistic
regression, p(y=1|x) = sigmoid(w.x + c), fitted to p(y|x) alone. Both have log odds linear in x, so what differs is the
criterion. x are D bits, y in {0, 1}; a law p(y, x) is an array (..., 2, 2**D), the x in the order of `all_binary`.
A table of counts is a law that does not sum to one, and is welcome in both fits.

Three copies of one bit: naive Bayes counts it three times, and pays for it in nats.

>>> import numpy as np
>>> from refdgm.models.discriminative import log_loss, logistic_regression, naive_bayes
>>> p = np.full((2, 8), 0.01)
>>> p[0, 0], p[0, 7], p[1, 0], p[1, 7] = 0.3, 0.14, 0.14, 0.3
>>> round(float(log_loss(p, naive_bayes(p)) - log_loss(p, logistic_regression(p))), 3)
0.125
"""
import math
from decimal import Decimal

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_least
from refdgm.numerics import all_binary, bernoulli_log_prob, log_softmax, sigmoid, softmax


def log_naive_bayes(theta, x):
    """log p(x, y) = log p(y) + sum_i log p(x_i|y) for each class (kingma2019 Sec. 1.1).  (..., D) -> (..., Y)

    theta = {"a": (Y,) logits of p(y), "b": (Y, D) logits of p(x_i = 1|y)}
    """
    return log_softmax(theta["a"]) + bernoulli_log_prob(np.expand_dims(x, -2), theta["b"])


def classifier(theta, x):
    """p(y|x) by Bayes' rule (kingma2019 Sec. 1.1).  (..., D) -> (..., Y)"""
    D = valid.matrix("theta", theta, "b")[1]
    valid.vector("x", x, D)
    return softmax(log_naive_bayes(theta, x))


def neural_classifier(net, x):
    """p = softmax(U tanh(V x + c) + u), the parameters of Categorical(y; p) (kingma2019 Eqs. 1.4-1.5)."""
    return softmax(np.dot(np.tanh(np.dot(x, net["V"].T) + net["c"]), net["U"].T) + net["u"])


# ---- the two fits, for x of D bits and two classes ------------------------------------

def naive_bayes(p, smoothing=0.0):
    """p(y|x) of the naive Bayes model of maximum likelihood for p; `smoothing` is added to each of its counts.

    (..., 2, 2**D) -> (..., 2, 2**D)
    """
    x = bits_of(p)
    of_class = onp.sum(p, axis=-1, keepdims=True)
    on = (p @ x + smoothing) / (of_class + 2 * smoothing)
    prior = (of_class + smoothing) / (onp.sum(of_class, axis=-2, keepdims=True) + 2 * smoothing)
    return softmax(onp.log(prior) + onp.log(on) @ x.T + onp.log(1 - on) @ (1 - x).T, axis=-2)


def logistic_regression(p, ridge=0.0, offset=True, steps=30):
    """p(y|x) of the logistic regression of maximum conditional likelihood for p, by Newton's method.

    `ridge` is the weight of a penalty |w|^2 / 2.  (..., 2, 2**D) -> (..., 2, 2**D)
    """
    x = bits_of(p)
    features = onp.column_stack([onp.ones(len(x)), x]) if offset else x
    p_x, w = onp.sum(p, axis=-2), onp.zeros((*p.shape[:-2], features.shape[1]))
    for _ in range(steps):
        mean = sigmoid(w @ features.T)
        gradient = (p[..., 1, :] - p_x * mean) @ features - ridge * w
        weighted = (p_x * mean * (1 - mean))[..., None] * features
        hessian = features.T @ weighted + ridge * onp.eye(features.shape[1])
        w = w + onp.linalg.solve(hessian, gradient[..., None])[..., 0]
    log_odds = w @ features.T
    return onp.stack([sigmoid(-log_odds), sigmoid(log_odds)], axis=-2)


def log_loss(p, q):
    """-E_p log q(y|x), in nats.  (..., 2, 2**D) -> (...)"""
    return -onp.sum(p * onp.log(q), axis=(-1, -2))


def error_rate(p, q):
    """The probability under p that the likelier class under q(y|x) is not y.  (..., 2, 2**D) -> (...)"""
    return onp.sum(p * (q < 0.5), axis=(-1, -2))


def bits_of(p):
    """The x that belong to the last axis of p."""
    D = onp.log2(p.shape[-1])
    valid.require(D % 1 == 0 and p.shape[-2] == 2, f"p must have shape (..., 2, 2**D), but has shape {p.shape}.")
    return all_binary(int(D))


# ---- claims ---------------------------------------------------------------------------

def classes_case(seed, Y=3, D=4):
    rng = onp.random.default_rng(seed)
    return {"theta": {"a": rng.normal(size=Y), "b": rng.normal(size=(Y, D))}, "x": all_binary(D)}


def posterior_by_counting(theta, x):
    """p(y|x) = p(x, y) / p(x), class by class in plain Python."""
    def mass(a, b, row):
        return math.exp(a) * math.prod(1 / (1 + math.exp(-t if bit else t)) for t, bit in zip(b, row))
    table = [[mass(a, b, row) for a, b in zip(theta["a"], theta["b"])] for row in x]
    return onp.array([[m / sum(row) for m in row] for row in table])


def random_laws(seed, n=30, D=3):
    """n random laws of (y, x), none of which naive Bayes contains."""
    return onp.random.default_rng(seed).dirichlet(onp.ones(2 * 2**D), size=n).reshape(n, 2, 2**D)


def price_of_the_generative_fit(p, loss):
    """How much more the fit to p(x, y) loses than the fit to p(y|x), in the limit of infinite data."""
    return loss(p, naive_bayes(p)) - loss(p, logistic_regression(p))


def price_if(change_p=lambda p: p, generative=naive_bayes, discriminative=logistic_regression):
    def price(p, loss):
        return loss(change_p(p), generative(change_p(p))) - loss(change_p(p), discriminative(change_p(p)))
    return price


def made_right(p):
    """The naive Bayes law with the class frequencies and the feature frequencies of p."""
    x, of_class = bits_of(p), onp.sum(p, axis=-1, keepdims=True)
    on = p @ x / of_class
    return of_class * onp.exp(onp.log(on) @ x.T + onp.log(1 - on) @ (1 - x).T)


def logistic_law(seed):
    """p*(y|x) logistic in x, p*(x) arbitrary."""
    rng = onp.random.default_rng(seed)
    p_y1 = sigmoid(all_binary(3) @ rng.normal(size=3) * 1.5 + rng.normal())
    return {"p_x": rng.dirichlet(onp.ones(8)), "p_y_given_x": onp.stack([1 - p_y1, p_y1])}


def fitted(fit):
    return lambda p_x, p_y_given_x: fit(p_x * p_y_given_x)


def wide_logits(seed):
    """Networks whose logits are moderate for some seeds and for others thousands: a careless softmax overflows."""
    rng = onp.random.default_rng(seed)
    scale = onp.array([1.0, 10.0, 700.0])[seed % 3]
    net = {"V": rng.normal(size=(3, 2)), "c": rng.normal(size=3), "U": scale * rng.normal(size=(4, 3)),
           "u": scale * (5 + rng.normal(size=4))}
    return {"net": net, "x": rng.normal(size=(5, 2))}


def in_decimals(net, x):
    """The oracle: exp in decimal arithmetic, whose exponent has no bound."""
    rows = onp.tanh(x @ net["V"].T + net["c"]) @ net["U"].T + net["u"]
    odds = [[Decimal(float(a)).exp() for a in row] for row in rows]
    return onp.array([[float(o / sum(row)) for o in row] for row in odds])


def with_last_layer(last):
    return lambda net, x: last(np.dot(np.tanh(np.dot(x, net["V"].T) + net["c"]), net["U"].T) + net["u"])


CLAIMS = [
    Claim("kingma2019.sec1.1.bayes", classifier, equals(posterior_by_counting, classes_case),
          {"no class prior": lambda theta, x: classifier({**theta, "a": 0 * theta["a"]}, x),
           "no normaliser": lambda theta, x: np.exp(log_naive_bayes(theta, x)),
           "normalised over x, not over y": lambda theta, x: softmax(log_naive_bayes(theta, x), axis=0)}),
    Claim("kingma2019.sec1.1.bias", price_of_the_generative_fit,
          is_at_least(lambda p, loss: onp.zeros(len(p)), lambda seed: {"p": random_laws(seed), "loss": log_loss}),
          {"also where the generative model is right": price_if(change_p=made_right),
           "a discriminative family without an offset": price_if(
              discriminative=lambda p: logistic_regression(p, offset=False)),
           "the two fits exchanged": price_if(generative=logistic_regression, discriminative=naive_bayes)},
          without=is_at_least(lambda p, loss: onp.zeros(len(p)),
                              lambda seed: {"p": random_laws(seed), "loss": error_rate})),
    Claim("kingma2019.eq1.3", fitted(logistic_regression),
          equals(lambda p_x, p_y_given_x: p_y_given_x, logistic_law, method="optimisation"),
          {"the joint fitted in its place": fitted(naive_bayes),
           "p(x|y), not p(y|x)": lambda p_x, p_y_given_x: (p_x * p_y_given_x) / onp.sum(
              p_x * p_y_given_x, axis=-1, keepdims=True),
           "a penalty on the weights": fitted(lambda p: logistic_regression(p, ridge=0.01)),
           "the fit stopped after one step": fitted(lambda p: logistic_regression(p, steps=1))}),
    Claim("kingma2019.eq1.4", neural_classifier, equals(in_decimals, wide_logits),
          {"a sigmoid for each class": with_last_layer(sigmoid),
           "exp without the largest logit taken off": with_last_layer(
              lambda a: np.exp(a) / np.sum(np.exp(a), axis=-1, keepdims=True)),
           "normalised over the batch": with_last_layer(lambda a: softmax(a, axis=0)),
           "base 2": with_last_layer(lambda a: softmax(np.log(2.0) * a))}),
]
