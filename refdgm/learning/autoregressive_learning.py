r"""Autoregressive models by exact maximum likelihood: no latent, no bound, no partition function (ou2018 Sec. 3.1.3).

    p(x) = prod_j p(x_j | x_<j),     p(x_j = 1 | x_<j) = sigmoid(l_j(x_<j)),     F = mean over x of dlog p(x)/dtheta

    fully visible    l = tril(W, -1) x + b                     D logistic regressions: concave, with one maximum
    masked           l = (V * out) tanh((W * into) x + b) + c  MADE, kingma2019 Sec. 4.3: masks keep l_j to x_<j

The parameters are {"theta": ...} of refdgm.models.autoregressive and refdgm.models.masked_network. Nothing is drawn to
learn; sample() draws from what was learned, unit by unit.
x (B, D) bits, l (B, D).

Mean log p(x) of two bits that always agree, at the start and after 100 steps; at most it is -log 2.

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.autoregressive_learning import exact, fully_visible
>>> x, steps = np.array([[0.0, 0.0], [1.0, 1.0]]), refdgm.updates.constant(1.0)
>>> fit = refdgm.fit(fully_visible(), x, 100, schedule=steps, monitor=exact(x))
>>> [round(float(log_p), 2) for log_p in fit.history["log_p"]]
[-1.39, -0.75]
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import autoregressive, masked_network
from refdgm.numerics import mean_log_odds, sigmoid
from refdgm.streams import normals, stream, uniforms


def _algorithm(name, start, gradient):
    def first(x, seed):
        valid.require(valid.are_bits(x), "an autoregressive model with Bernoulli units takes bits, 0 or 1.")
        return {"theta": start(mean_log_odds(x), seed)}, ()
    return Algorithm(name, first, lambda parameters, memory, x, index, seed, t: ((), memory),
                     lambda parameters, z, x: {"theta": gradient(parameters["theta"], x)})


# ---- the gradients, by hand -----------------------------------------------------------

def visible_gradient(theta, x):
    """The mean over rows of dlog p(x)/dtheta, fully visible.  (B, D) -> dict"""
    valid.count("the number of rows of x", len(x))
    error = x - sigmoid(autoregressive.logits(theta, x))
    return {"W": np.tril(error.T @ x, -1) / len(x), "b": error.mean(axis=0)}


def masked_gradient(theta, x):
    """The same of a masked network; what a mask hides gets zero.  (B, D) -> dict"""
    valid.count("the number of rows of x", len(x))
    J, D = theta["W"].shape
    into, out = masked_network.masks(D, J)
    hidden = np.tanh(x @ (theta["W"] * into).T + theta["b"])
    error = x - sigmoid(hidden @ (theta["V"] * out).T + theta["c"])
    slope = (error @ (theta["V"] * out)) * (1 - hidden**2)
    return {"W": into * (slope.T @ x) / len(x), "b": slope.mean(axis=0),
            "V": out * (error.T @ hidden) / len(x), "c": error.mean(axis=0)}


# ---- the algorithms -------------------------------------------------------------------

def fully_visible():
    """Logistic conditionals, from independent pixels."""
    return _algorithm("fully visible belief net",
                      lambda log_odds, seed: {"W": np.zeros((len(log_odds),) * 2), "b": log_odds}, visible_gradient)


def masked(J=64):
    """A masked network with J hidden units, from small random weights."""
    valid.count("J", J)

    def start(log_odds, seed):
        D = len(log_odds)
        valid.count("the number of units of x", D, 2)
        noise = 0.1 * normals(stream(seed, 1, first=2**31), 2 * J * D)[0]
        return {"W": noise[:J * D].reshape(J, D), "b": np.zeros(J), "V": noise[J * D:].reshape(D, J), "c": log_odds}
    return _algorithm("MADE", start, masked_gradient)


def log_prob(theta, x):
    """log p(x) of either model.  (B, D) -> (B,)"""
    return masked_network.log_prob(theta, x) if "V" in theta else autoregressive.log_prob(theta, x)


def sample(theta, n, seed):
    """n draws from p(x), one unit after the other.  -> (n, D)"""
    u = uniforms(stream(seed, n), theta["W"].shape[1])
    if "V" not in theta:
        return autoregressive.sample(theta, u)
    x = np.zeros(u.shape)
    for j in range(u.shape[1]):
        x[:, j] = u[:, j] < sigmoid(masked_network.logits(theta, x)[:, j])
    return x


def exact(data, test=None):
    """A monitor: the mean log p(x), a sum of D terms."""
    valid.data_and_test(data, test)

    def look(parameters):
        numbers = {"log_p": np.mean(log_prob(parameters["theta"], data))}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(log_prob(parameters["theta"], test))
        return numbers
    return look
