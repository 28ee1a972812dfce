r"""Functions of x that a game learns: a discriminator's logit V, f-EBM's H, a generator G; small tanh networks.

    network     W_L tanh(.. tanh(W_1 x + b_1) ..) + b_L          {"W0": (J, D), "b0": (J,), "W1": (.., J), ...}
    features    omega . phi(x) for x on the line, phi orthonormal: 1, x, x^2 and tanh units, so that one step size
                suits every direction of omega; {"omega": (k,)}

A Critic is a pair of pure functions: start(seed) -> parameters, value(parameters, x (N, D)) -> (N,).

The last layer is linear, 3 tanh(0.2) + 0.5:

>>> import numpy as np
>>> from refdgm.models.critic import network
>>> net = {"W0": np.array([[1.0]]), "b0": np.zeros(1), "W1": np.array([[3.0]]), "b1": np.array([0.5])}
>>> round(float(network(net, np.array([0.2]))[0]), 3)
1.092
"""
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.streams import normals, stream

FIRST = 2**31               # the chain whose normal numbers make the weights at the start


class Critic(NamedTuple):
    """A scalar function of x, and how its parameters begin."""
    start: Callable
    value: Callable


def start_network(sizes, seed, scale=1.0, which=0):
    """Weights of variance scale^2 / fan-in, biases 0; `which` numbers the networks of one seed.  -> dict"""
    valid.require(len(sizes) >= 2, "a network needs the numbers of its inputs and of its outputs.")
    for size in sizes:
        valid.count("the size of a layer", size)
    leaves = {}
    for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        noise = normals(stream(seed, 1, first=FIRST + which), fan_in * fan_out, draw=i)[0]
        leaves |= {f"W{i}": scale / fan_in**0.5 * noise.reshape(fan_out, fan_in), f"b{i}": onp.zeros(fan_out)}
    return leaves


def network(parameters, x):
    """The output of a tanh network, its last layer linear.  (..., D) -> (..., outputs)"""
    layers = len(parameters) // 2
    for i in range(layers):
        x = np.dot(x, parameters[f"W{i}"].T) + parameters[f"b{i}"]
        x = np.tanh(x) if i < layers - 1 else x
    return x


def validate(D, hidden, scale):
    """Raise ValueError, saying which, if a number of units or the scale of a tanh network makes no sense."""
    valid.count("D", D)
    for size in hidden:
        valid.count("each of hidden", size)
    valid.moderate("scale", scale)


def tanh_critic(D, hidden=(64, 64), scale=1.0, which=0):
    """A tanh network with one output; yu2020 Sec. 6.1 has two hidden layers of 64 units for H."""
    validate(D, hidden, scale)
    valid.count("which", which, 0, FIRST - 1)

    def value(parameters, x):
        valid.require(x.shape[-1] == D, f"D must be the number of columns of x, {x.shape[-1]}, but is {D}.")
        return network(parameters, x)[..., 0]
    return Critic(lambda seed: start_network((D, *hidden, 1), seed, scale, which), value)


def linear_critic(data, units=40, widen=1.25, steep=1.0, keep=1e-3):
    """Linear in features that are orthonormal under (data + a Gaussian `widen` as wide as they)/2, on the line.

    Directions whose singular value is below `keep` times the largest are left out: there the features cannot be told
    from each other.  data (N, 1)
    """
    x = onp.asarray(data, dtype=float)
    valid.shape("data", x, (None, 1))
    valid.count("the number of data", len(x))
    valid.count("units", units)
    centre, spread = onp.mean(x), onp.std(x)
    valid.require(spread > 0, "the data must not all be the same number.")
    grid = onp.linspace(-4, 4, 401)
    even = centre + 3 * spread * onp.linspace(-1, 1, units - units // 2)
    centres = onp.sort(onp.concatenate([onp.quantile(x, (onp.arange(units // 2) + 0.5) / (units // 2)), even]))
    slopes = steep / onp.maximum(onp.gradient(centres), 0.02 * spread)

    def raw(x):
        z = (x - centre) / spread
        return np.concatenate([1 + 0 * z, z, z**2, np.tanh(slopes * (x - centres))], axis=-1)
    wide = onp.exp(-grid**2 / 2)
    rows = onp.concatenate([raw(x) / (2 * len(x))**0.5,
                            raw(centre + widen * spread * grid[:, None]) * onp.sqrt(wide / wide.sum() / 2)[:, None]])
    _, sizes, right = onp.linalg.svd(rows, full_matrices=False)
    large = sizes > keep * sizes[0]
    mix = right[large].T / sizes[large]
    return Critic(lambda seed: {"omega": onp.zeros(mix.shape[1])},
                  lambda parameters, x: np.dot(raw(x), np.dot(mix, parameters["omega"])))
