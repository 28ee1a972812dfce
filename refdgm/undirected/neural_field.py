r"""A neural random field to be learned, on bits or reals: exact laws, moves of chains (ou2018 Sec. 4.1, Eq. 33).

    p(x) = r(x) exp(u(x)) / Z,      u(x) = v' tanh(W x + b) + c'x           (models.random_field)
    bits     r = 1                  Z is a sum over all 2**D states
    reals    r = N(0, sigma^2 I)    an exponential tilting: u grows linearly at most, so that Z is finite; an integral

sigma is None for bits. theta = {"W": (J, D), "b": (J,), "v": (J,), "c": (D,)}, x (B, D). The exact law is a table:
states (S, D) and log weights (S,), of which exp(u) is summed. Chains x (C, D) move by the numbers they are given:

    bits     a sweep: x_i = 1 with probability sigmoid(u(x_i = 1, rest) - u(x_i = 0, rest)), for each i in turn
    reals    MALA (samplers.mala), or the same proposal taken without a test: Langevin's, whose law is off

Tilting N(0, 1) by u(x) = x gives N(1, 1), and Z = E[e^x] = e^(1/2):

>>> import numpy as np
>>> from refdgm.undirected.neural_field import log_partition
>>> theta = {"W": np.zeros((1, 1)), "b": np.zeros(1), "v": np.zeros(1), "c": np.ones(1)}
>>> round(float(log_partition(theta, sigma=1.0)), 6)
0.5
"""
from functools import cache

from refdgm import backend
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.models.random_field import potential
from refdgm.numerics import (all_binary, all_tuples, gaussian_log_prob, log_softmax, log_sum_exp, mean_log_odds,
                             sigmoid, trapezoid)
from refdgm.samplers import mala
from refdgm.streams import normals, stream, uniforms

REACH, NODES = 8.0, {1: 1601, 2: 161}       # of a grid on the reals: how many sigmas, and nodes a side


def log_reference(x, sigma=None):
    """log r(x).  (B, D) -> (B,) or 0"""
    if sigma is None:
        return 0.0
    valid.positive("sigma", sigma)
    return gaussian_log_prob(x, 0.0, sigma**2)


def log_unnormalised(theta, x, sigma=None):
    """u(x) + log r(x), log p(x) without Z.  (B, D) -> (B,)"""
    return potential(theta, x) + log_reference(x, sigma)


def force(theta, x, sigma=None):
    """d(u(x) + log r(x))/dx.  (B, D) -> (B, D)"""
    slope = theta["v"] * (1 - np.tanh(x @ theta["W"].T + theta["b"])**2)
    return slope @ theta["W"] + theta["c"] - (0.0 if sigma is None else x / sigma**2)


def summed_gradient(theta, x, a):
    """sum_n a_n du(x_n)/dtheta.  (B, D), (B,) -> dict of (*leaf)"""
    t = np.tanh(x @ theta["W"].T + theta["b"])
    before = a[:, None] * theta["v"] * (1 - t**2)
    return {"W": before.T @ x, "b": before.sum(axis=0), "v": a @ t, "c": a @ x}


def direction(theta, data, model):
    """The mean of du/dtheta over the data less that over x from the model (ou2018 Eq. 34).  (B, D), (C, D) -> dict"""
    up = summed_gradient(theta, data, np.full(len(data), 1 / len(data)))
    down = summed_gradient(theta, model, np.full(len(model), 1 / len(model)))
    return {name: up[name] - down[name] for name in up}


def start(J, sigma=None, scale=0.3):
    """Small random W, no potential beyond the pixels' log-odds.  -> a function of (data, seed)"""
    valid.count("J", J)
    if sigma is not None:
        valid.positive("sigma", sigma)

    def make(x, seed):
        D = x.shape[1]
        valid.require(sigma is not None or valid.are_bits(x),
                      "a random field on bits takes 0 and 1; reals need a sigma.")
        c = mean_log_odds(x) if sigma is None else np.zeros(D)
        noise = scale * normals(stream(seed, 1, first=2**31), J * (D + 2))[0]
        return {"W": noise[:J * D].reshape(J, D), "b": noise[J * D:-J], "v": noise[-J:], "c": c}
    return make


# ---- exact ----------------------------------------------------------------------------

def table(D, sigma=None):
    """All states (S, D) and the log weights (S,) under which exp(u) is summed: a grid where x is real, D <= 2."""
    return _table(D, sigma, backend.name())


@cache
def _table(D, sigma, library):
    if sigma is None:
        return all_binary(D), np.zeros(2**D)
    valid.require(D in NODES, f"a law on the reals is integrated in one or two dimensions, not {D}.")
    nodes, w = trapezoid(-REACH * sigma, REACH * sigma, NODES[D])
    index = all_tuples(len(nodes), D)
    return nodes[index], np.log(w)[index].sum(axis=1) + log_reference(nodes[index], sigma)


def log_partition(theta, sigma=None):
    """log Z.  -> ()"""
    states, log_weights = table(len(theta["c"]), sigma)
    return log_sum_exp(potential(theta, states) + log_weights)


def log_prob(theta, x, sigma=None):
    """log p(x).  (B, D) -> (B,)"""
    return log_unnormalised(theta, x, sigma) - log_partition(theta, sigma)


def law(theta, sigma=None):
    """The probability of every row of the table.  -> (S,)"""
    states, log_weights = table(len(theta["c"]), sigma)
    return np.exp(log_softmax(potential(theta, states) + log_weights))


def mean_gradient(theta, sigma=None):
    """E_p[du/dtheta] = dlog Z/dtheta.  -> dict of (*leaf)"""
    return summed_gradient(theta, table(len(theta["c"]), sigma)[0], law(theta, sigma))


# ---- moves ----------------------------------------------------------------------------

def gibbs_sweep(theta, x, u):
    """Every bit of every chain drawn anew, bit i with the uniform number u_i.  (C, D), (C, D) -> (C, D)

    W x + b is kept up to date, so that a site costs one hidden layer.
    """
    x, hidden = x.copy(), x @ theta["W"].T + theta["b"]
    for i in range(x.shape[1]):
        without = hidden - x[:, i:i + 1] * theta["W"][:, i]
        gain = (np.tanh(without + theta["W"][:, i]) - np.tanh(without)) @ theta["v"] + theta["c"][i]
        x[:, i] = u[:, i] < sigmoid(gain)
        hidden = without + x[:, i:i + 1] * theta["W"][:, i]
    return x


def langevin_move(theta, x, sigma, eps, z, u=None):
    """One Langevin step of variance eps driven by z, tested against u where there is a u.  (C, D), (C, D), (C,)"""
    score = force(theta, x, sigma)
    y = mala.propose(x, score, eps, z)
    if u is None:
        return y
    here, there = ((a, log_unnormalised(theta, a, sigma), s) for a, s in ((x, score), (y, force(theta, y, sigma))))
    return np.where((np.log(u) < mala.log_ratio(here, there, eps))[:, None], y, x)


def moves(theta, x, sigma, eps, number, s, tested=True):
    """`number` sweeps, or Langevin steps, of every chain, with the numbers 2k and 2k + 1 of the stream's step.

    -> (C, D)
    """
    C, D = x.shape
    for k in range(number):
        if sigma is None:
            x = gibbs_sweep(theta, x, uniforms(s, D, 2 * k))
        else:
            x = langevin_move(theta, x, sigma, eps, normals(s, D, 2 * k),
                              uniforms(s, 1, 2 * k + 1)[:, 0] if tested else None)
    return x
