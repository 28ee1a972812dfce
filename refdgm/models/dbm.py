r"""Deep Boltzmann machine with two hidden layers (Salakhutdinov and Hinton 2009; ou2018 Sec. 4.1).

    E(v, h1, h2) = -v'W1 h1 - h1'W2 h2 - b'v - c1'h1 - c2'h2          p(v, h1, h2) = exp(-E) / Z

Given the middle layer the two outer ones are independent, and all their units; given the outer ones so are the units of
the middle one. Either is summed out by a product, so that Z is a sum over the states of the other alone:

    h1 out       -F(v, h2) = b'v + c2'h2 + sum_j softplus((W1'v + W2 h2 + c1)_j)
    v, h2 out    -F(h1) = c1'h1 + sum_i softplus((W1 h1 + b)_i) + sum_k softplus((W2'h1 + c2)_k)

theta = {"W1": (D, H), "W2": (H, G), "b": (D,), "c1": (H,), "c2": (G,)}.
v : (..., D), h1 : (..., H), h2 : (..., G) are bits; leading axes are batches and broadcast.

The bound on log p(v) after 20 rounds of mean field, and what it bounds:

>>> import numpy as np
>>> from refdgm.models.dbm import bound, log_marginal, mean_field, random_theta
>>> theta, v = random_theta(np.random.default_rng(0), D=3, H=2, G=2), np.array([1.0, 0.0, 1.0])
>>> round(float(bound(theta, v, *mean_field(theta, v, 20))), 3), round(float(log_marginal(theta, v)), 3)
(-4.812, -4.706)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.numerics import all_binary, entropy, log_softmax, log_sum_exp, sigmoid, softplus


def energy(theta, v, h1, h2):
    """E(v, h1, h2).  (..., D), (..., H), (..., G) -> (...)"""
    return -(np.sum(np.dot(v, theta["W1"]) * h1, axis=-1) + np.sum(np.dot(h1, theta["W2"]) * h2, axis=-1)
             + np.sum(v * theta["b"], axis=-1) + np.sum(h1 * theta["c1"], axis=-1) + np.sum(h2 * theta["c2"], axis=-1))


def middle_logits(theta, v, h2):
    """W1'v + W2 h2 + c1, the log-odds of h1 given both its neighbours.  (..., D), (..., G) -> (..., H)"""
    return np.dot(v, theta["W1"]) + np.dot(h2, theta["W2"].T) + theta["c1"]


def visible_logits(theta, h1):
    """W1 h1 + b, the log-odds of v given h1.  (..., H) -> (..., D)"""
    return np.dot(h1, theta["W1"].T) + theta["b"]


def top_logits(theta, h1):
    """W2'h1 + c2, the log-odds of h2 given h1.  (..., H) -> (..., G)"""
    return np.dot(h1, theta["W2"]) + theta["c2"]


def outer_free_energy(theta, v, h2):
    """F(v, h2) = -log sum_h1 exp(-E).  (..., D), (..., G) -> (...)"""
    return -(np.sum(v * theta["b"], axis=-1) + np.sum(h2 * theta["c2"], axis=-1)
             + np.sum(softplus(middle_logits(theta, v, h2)), axis=-1))


def middle_free_energy(theta, h1):
    """F(h1) = -log sum_v,h2 exp(-E).  (..., H) -> (...)"""
    return -(np.sum(h1 * theta["c1"], axis=-1) + np.sum(softplus(visible_logits(theta, h1)), axis=-1)
             + np.sum(softplus(top_logits(theta, h1)), axis=-1))


def as_rbm(theta):
    """The RBM whose visible layer is (v, h2), W1 upon W2', and whose hidden layer is h1: the same law.  -> dict"""
    return {"w": np.concatenate([theta["W1"], theta["W2"].T]), "b": np.concatenate([theta["b"], theta["c2"]]),
            "c": theta["c1"]}


def mean_statistics(theta, weights, v, h1, h2):
    """sum_n weights_n times the gradient of -E, that is v_n h1_n', h1_n h2_n', v_n, h1_n and h2_n.

    (N,), (N, D), (N, H), (N, G) -> dict of (*leaf)
    """
    weighted = weights[:, None] * h1
    return {"W1": np.dot(v.T, weighted), "W2": np.dot(weighted.T, h2), "b": np.dot(weights, v),
            "c1": np.sum(weighted, axis=0), "c2": np.dot(weights, h2)}


def mean_field(theta, v, rounds):
    """Means of q(h1) q(h2), units independent, that climb the bound on log p(v), one layer after the other.

    mu1 = sigmoid(W1'v + W2 mu2 + c1),  mu2 = sigmoid(W2'mu1 + c2), from mu2 = 1/2.  (..., D) -> (..., H), (..., G)
    """
    mu2 = np.full((*np.shape(v)[:-1], len(theta["c2"])), 0.5)
    for _ in range(rounds):
        mu1 = sigmoid(middle_logits(theta, v, mu2))
        mu2 = sigmoid(top_logits(theta, mu1))
    return mu1, mu2


def bound(theta, v, mu1, mu2, log_z=None):
    """E_q[-E] + H[q] - log Z <= log p(v) for independent units of means mu1 and mu2.  (..., D), ... -> (...)"""
    spread = sum(np.sum(entropy(np.stack([mu, 1 - mu], axis=-1)), axis=-1) for mu in (mu1, mu2))
    return spread - energy(theta, v, mu1, mu2) - (log_partition(theta) if log_z is None else log_z)


# ---- exact, by enumeration ------------------------------------------------------------

def outer_states(theta):
    """Every (v, h2): bits 0..D-1 of the number of a state are v, those above h2.  -> (2**(D+G), D), (2**(D+G), G)"""
    D, G = len(theta["b"]), len(theta["c2"])
    states = all_binary(D + G)
    return states[:, :D], states[:, D:]


def log_partition(theta):
    """log Z, a sum over the states of h1 or of (v, h2), whichever are fewer.  -> ()"""
    validate(theta)
    D, H, G = len(theta["b"]), len(theta["c1"]), len(theta["c2"])
    if H <= D + G:
        return log_sum_exp(-middle_free_energy(theta, all_binary(H)))
    return log_sum_exp(-outer_free_energy(theta, *outer_states(theta)))


def log_outer_table(theta):
    """log p(v, h2) for every state: the stationary law of block Gibbs sampling.  -> (2**(D+G),)"""
    validate(theta)
    return log_softmax(-outer_free_energy(theta, *outer_states(theta)))


def log_marginal(theta, v, log_z=None):
    """log p(v), a sum over h2; log Z is summed if it is not given.  (..., D) -> (...)"""
    top = all_binary(len(theta["c2"]))
    log_z = log_partition(theta) if log_z is None else log_z
    return log_sum_exp(-outer_free_energy(theta, np.expand_dims(v, -2), top)) - log_z


def random_theta(rng, D, H, G, scale=1.0):
    """Weights N(0, scale^2) and biases N(0, 1)."""
    shapes = {"W1": (D, H), "W2": (H, G), "b": D, "c1": H, "c2": G}
    return {name: (scale if name in ("W1", "W2") else 1.0) * rng.normal(size=shape) for name, shape in shapes.items()}


def validate(theta, **layers):
    """Raise ValueError, saying which, if a parameter or a layer (v, h1, h2) has a wrong shape or other values."""
    D, H = valid.matrix("theta", theta, "W1")
    _, G = valid.matrix("theta", theta, "W2")
    valid.parameters("theta", theta, {"W1": (D, H), "W2": (H, G), "b": (D,), "c1": (H,), "c2": (G,)})
    for name, layer in layers.items():
        if layer is not None:
            valid.vector(name, layer, {"v": D, "h1": H, "h2": G}[name])
            valid.require(valid.are_bits(layer), f"{name} must consist of bits, 0 or 1.")
