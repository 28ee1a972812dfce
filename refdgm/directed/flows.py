r"""Normalising flows (ou2018 Sec. 3.2.1; Rezende & Mohamed 2015).

    z_0 ~ N(0, I),   z_k = f_k(z_{k-1}) invertible
    log q_K(z_K) = log q_0(z_0) - sum_k log |det df_k/dz_{k-1}|

    planar layer   f(z) = z + u tanh(w'z + b)     det = 1 + u'w (1 - tanh^2(w'z + b)),   invertible if u'w > -1

layers = [{"u": (n,), "w": (n,), "b": ()}, ...];  z : (..., n).

A layer that doubles every area at the origin, where tanh has slope one:

    >>> import numpy as np
    >>> from refdgm.directed.flows import planar_log_det
    >>> layer = {"u": np.array([1.0, 0.0]), "w": np.array([1.0, 0.0]), "b": 0.0}
    >>> round(float(np.exp(planar_log_det(layer, z=np.zeros(2)))), 3)
    2.0
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import gaussian_log_prob, trapezoid


def planar(layer, z):
    """f(z) = z + u tanh(w'z + b).  (..., n) -> (..., n)"""
    return z + np.tanh(np.dot(z, layer["w"]) + layer["b"])[..., None] * layer["u"]


def planar_log_det(layer, z):
    """log |det df/dz|, by the matrix determinant lemma.  (..., n) -> (...)"""
    slope = 1 - np.tanh(np.dot(z, layer["w"]) + layer["b"])**2
    return np.log(np.abs(1 + np.dot(layer["u"], layer["w"]) * slope))


def planar_inverse(layer, z, steps=16):
    """f^{-1}(z): bisection for y = w'f^{-1}(z) in y + u'w tanh(y + b) = w'z, then Newton.  (..., n) -> (..., n)"""
    c, target = layer["u"] @ layer["w"], z @ layer["w"]
    valid.require(c > -1, f"the planar layer is invertible only if u'w > -1, but u'w is {c:.3g}.")
    low, high = target - abs(c), target + abs(c)
    for _ in range(steps):
        y = (low + high) / 2
        above = y + c * onp.tanh(y + layer["b"]) > target
        low, high = onp.where(above, low, y), onp.where(above, y, high)
    for _ in range(3):
        t = onp.tanh(y + layer["b"])
        y = y - (y + c * t - target) / (1 + c * (1 - t**2))
    return z - onp.tanh(y + layer["b"])[..., None] * layer["u"]


def log_density(layers, states):
    """log q_K(z_K) from the states z_0, ..., z_K of the flow (ou2018 Sec. 3.2.1).  K + 1 times (..., n) -> (...)"""
    log_dets = [planar_log_det(layer, z) for layer, z in zip(layers, states[:-1])]
    return gaussian_log_prob(states[0], 0.0, 1.0) - sum(log_dets)


def forward(layers, z):
    """z_0 -> [z_0, ..., z_K].  (..., n) -> K + 1 times (..., n)"""
    states = [z]
    for layer in layers:
        states.append(planar(layer, states[-1]))
    return states


def backward(layers, z):
    """z_K -> [z_0, ..., z_K].  (..., n) -> K + 1 times (..., n)"""
    states = [z]
    for layer in reversed(layers):
        states.insert(0, planar_inverse(layer, states[0]))
    return states


# ---- cases ----------------------------------------------------------------------------

def random_flow(seed, K=2, n=2):
    """K planar layers in n dimensions, with u'w in (-0.35, 0.8) and |w| in (0.6, 1.0): smooth enough for a grid."""
    rng = onp.random.default_rng(seed)
    layers = []
    for _ in range(K):
        w = rng.normal(size=n)
        w *= rng.uniform(0.6, 1.0) / onp.linalg.norm(w)
        across = rng.uniform(-0.5, 0.5, n)
        across -= (across @ w) / (w @ w) * w
        layers.append({"u": across + rng.uniform(-0.35, 0.8) * w / (w @ w), "w": w, "b": rng.normal() / 2})
    return layers


def plane(n=141, reach=10.0):
    """A square grid of points (n*n, 2) that holds all the mass of a random flow, and their weights (n*n,)."""
    x, w = trapezoid(-reach, reach, n)
    return onp.stack(onp.meshgrid(x, x), axis=-1).reshape(-1, 2), onp.outer(w, w).ravel()


def random_flow_case(seed):
    """A flow, and the states [z_0, z_1, z_2] that end at the points of a plane: the inverse maps are all it takes."""
    layers = random_flow(seed)
    return {"layers": layers, "states": backward(layers, plane()[0])}


# ---- claims ---------------------------------------------------------------------------

def moments(density):
    """int g(z) q_K(z) dz on the plane, for four functions g, the first of them 1."""
    return lambda layers, states: np.dot(plane()[1] * np.exp(density(layers, states)), _g(states[-1]))


def moments_of_samples(layers, states):
    """E[g(z_K)] over z_0 ~ N(0, I): no density but that of z_0."""
    z, w = plane()
    return np.dot(w * np.exp(gaussian_log_prob(z, 0.0, 1.0)), _g(forward(layers, z)[-1]))


def _g(z):
    return np.stack([np.ones(len(z)), z[:, 0], z[:, 1]**2, np.cos(z[:, 0] - z[:, 1])], axis=-1)


def with_log_dets(log_dets):
    """A wrong log-density: the standard normal's at z_0 plus whatever stands for the Jacobians."""
    return moments(lambda layers, states: gaussian_log_prob(states[0], 0.0, 1.0) + log_dets(layers, states))


CLAIMS = [
    Claim("ou2018.flow", moments(log_density), equals(moments_of_samples, random_flow_case, method="quadrature"),
          {"+ log det": with_log_dets(lambda layers, z: sum(map(planar_log_det, layers, z))),
           "no Jacobian": with_log_dets(lambda layers, z: 0.0),
           "the last layer's Jacobian only": with_log_dets(lambda layers, z: -planar_log_det(layers[-1], z[-2])),
           "Jacobians at z_k instead of z_{k-1}": with_log_dets(
               lambda layers, z: -sum(map(planar_log_det, layers, z[1:]))),
           "the base density at z_K": moments(
               lambda layers, z: gaussian_log_prob(z[-1], 0.0, 1.0) - sum(map(planar_log_det, layers, z)))}),
]
