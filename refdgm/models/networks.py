r"""Networks of one tanh layer with several heads: how decoders, posteriors and discriminators are parametrised.

    z = tanh(M_0 x + m_0), or z = x where the layer has no units        head:  M z + m

net = {"body": {"M": (J, in), "m": (J,)}, head: {"M": (out, J), "m": (out,)}, ...}, without "body" for J = 0.

A network without a body is linear:

>>> import numpy as np
>>> from refdgm.models.networks import outputs
>>> net = {"mean": {"M": np.array([[2.0, -1.0]]), "m": np.array([0.5])}}
>>> float(outputs(net, np.array([1.0, 3.0]), "mean")[0][0])
-0.5
"""
from typing import NamedTuple

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.streams import normals, stream

DRAW = {"theta": 1, "phi": 2, "psi": 3}         # of the first parameters: each part has random numbers of its own


def random_layer(seed, inputs, outputs, part, site, scale=1.0):
    """A linear map with outputs of the size `scale` where the inputs are of size 1: layer number `site` of a part."""
    noise = normals(stream(seed, 1, first=2**31 + site), inputs * outputs, DRAW[part]).reshape(outputs, inputs)
    return {"M": scale * noise / onp.sqrt(inputs), "m": onp.zeros(outputs)}


def linear(layer, z):
    """M z + m.  (..., in) -> (..., out)"""
    return np.dot(z, layer["M"].T) + layer["m"]


class Head(NamedTuple):
    """The numbers a network gives for one purpose, and the size and the centre of what it gives at the start."""
    n: int
    scale: float = 0.1
    centre: float = 0.0


def network(J, heads, part, site=0):
    """A function of (inputs, seed) that makes a random network with J units and the heads {name: Head}."""
    valid.count("the number of units J", J, 0)

    def start(inputs, seed):
        net = {"body": random_layer(seed, inputs, J, part, site)} if J else {}
        for i, (name, head) in enumerate(heads.items(), site + 1):
            layer = random_layer(seed, J or inputs, head.n, part, i, head.scale)
            net[name] = {"M": layer["M"], "m": layer["m"] + head.centre}
        return net
    return start


def outputs(net, x, *heads):
    """Some heads of a network.  (..., in) -> a list of (..., out)"""
    z = np.tanh(linear(net["body"], x)) if "body" in net else x
    return [linear(net[name], z) for name in heads]


def beside(x, h):
    """x and h in one vector; axes of length 1 are stretched.  (B, 1, D), (.., K, H) -> (B, K, D + H)"""
    stretched = np.zeros(np.broadcast_shapes(x.shape[:-1], h.shape[:-1]) + (1,))
    return np.concatenate([x + stretched, h + stretched], axis=-1)
