r"""The density of a transformed variable, in one dimension, through a flow, and through an autoregressive one.

A flow sends $z_0 \sim N(0, I)$ through invertible maps. Probability is carried along, but space is stretched, so the
density is divided by the stretching: the absolute determinant of the Jacobian, taken *where the map is entered*. The
first derivation asks the distribution function what the density is; the second adds up layers; the third
shows why the inverse autoregressive flow gets its determinant for free.
"""
from math import erf

import autograd.numpy as np
import numpy as onp
from autograd import jacobian

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import flows
from refdgm.directed import inverse_autoregressive_flow as iaf
from refdgm.numerics import gauss_legendre, gaussian_log_prob


def one_layer(seed):
    """One planar layer in one dimension, z = e + u tanh(w e + b), and an interval of e."""
    layer = flows.random_flow(seed, K=1, n=1)[0]
    low = onp.random.default_rng([seed, 1]).uniform(-1.5, 0.0)
    return {"layer": layer, "low": low, "high": low + 1.2}


@derivation(one_layer)
def one_dimension(layer, low, high):
    """The probability of an interval is the same before and after the map; the density is not."""
    def f(e):
        return flows.planar(layer, np.atleast_1d(e)[:, None])[:, 0]

    def slope(e):
        return np.exp(flows.planar_log_det(layer, e[:, None]))

    def normal(e):
        return np.exp(-e**2 / 2) / np.sqrt(2 * np.pi)

    def Phi(e):
        return (1 + erf(e / np.sqrt(2))) / 2

    z, w = gauss_legendre(f(low)[0], f(high)[0], 60)
    e, v = gauss_legendre(low, high, 60)
    back = flows.planar_inverse(layer, z[:, None])[:, 0]
    ends = flows.planar_inverse(layer, np.array([f(low), f(high)]))[:, 0]

    yield start(r"P(f(a) < z_1 < f(b)) = \Phi(f^{-1}(f(b))) - \Phi(f^{-1}(f(a)))", Phi(ends[1]) - Phi(ends[0]))

    yield equals(r"P(a < z_0 < b) = \Phi(b) - \Phi(a)", Phi(high) - Phi(low),
                 because="f increases, so both are the same event")

    yield equals(r"\int_a^b q_0(z_0)\, dz_0", np.sum(v * normal(e)), because="the density is the slope of Phi")

    yield equals(r"\int_{f(a)}^{f(b)} q_0(f^{-1}(z_1)) \left|\frac{df}{dz_0}(f^{-1}(z_1))\right|^{-1} dz_1",
                 np.sum(w * normal(back) / slope(back)), because="substitution: dz_1 = f' dz_0", claim="ou2018.flow")

    yield mistake(r"\int_{f(a)}^{f(b)} q_0(f^{-1}(z_1))\, dz_1", np.sum(w * normal(back)),
                  because="no Jacobian: values of a density are not probabilities")

    yield mistake(r"\int_{f(a)}^{f(b)} q_0(f^{-1}(z_1)) \left|\frac{df}{dz_0}(f^{-1}(z_1))\right| dz_1",
                  np.sum(w * normal(back) * slope(back)), because="multiplied by the stretching instead of divided")

    yield mistake(r"\int_{f(a)}^{f(b)} q_0(f^{-1}(z_1)) \left|\frac{df}{dz_0}(z_1)\right|^{-1} dz_1",
                  np.sum(w * normal(back) / slope(z)), because="the slope is taken where the map is left, not entered")


def three_layers(seed):
    """Three planar layers in three dimensions, and one starting point."""
    return {"layers": flows.random_flow(seed, K=3, n=3), "z": onp.random.default_rng([seed, 2]).normal(size=3)}


@derivation(three_layers)
def through_layers(layers, z):
    """Log-determinants of the layers add up."""
    states = flows.forward(layers, z)
    log_q0 = gaussian_log_prob(z, 0.0, 1.0)

    def whole(z0):
        return flows.forward(layers, z0)[-1]

    def inverse_matrix(layer, z):       # the Jacobian of f^{-1} by Sherman and Morrison
        slope = 1 - np.tanh(z @ layer["w"] + layer["b"])**2
        return np.eye(3) - slope * np.outer(layer["u"], layer["w"]) / (1 + slope * (layer["u"] @ layer["w"]))

    inverses = [inverse_matrix(layer, state) for layer, state in zip(layers, states)]

    yield start(r"\log q_0(z_0) - \log\left|\det\frac{\partial z_K}{\partial z_0}\right|",
                log_q0 - np.linalg.slogdet(jacobian(whole)(z))[1], claim="ou2018.flow")

    yield equals(r"\log q_0(z_0) - \sum_k \log\left|\det\frac{\partial f_k}{\partial z_{k-1}}\right|",
                 log_q0 - sum(np.linalg.slogdet(jacobian(lambda s: flows.planar(layer, s))(state))[1]
                              for layer, state in zip(layers, states)),
                 because="chain rule, and the determinant of a product is the product of determinants")

    yield equals(r"\log q_0(z_0) - \sum_k \log\left|1 + u_k^\top w_k\, \tanh'(w_k^\top z_{k-1} + b_k)\right|",
                 flows.log_density(layers, states), because="det(I + u v') = 1 + v'u: no determinant is computed")

    yield equals(r"\log q_0(f^{-1}(z_K)) + \log\left|\det\frac{\partial f^{-1}}{\partial z_K}\right|",
                 gaussian_log_prob(flows.backward(layers, states[-1])[0], 0.0, 1.0)
                 + np.linalg.slogdet(inverses[0] @ inverses[1] @ inverses[2])[1],
                 because="the Jacobian of the inverse is the inverse of the Jacobian")

    yield mistake(r"\log q_0(z_0) + \sum_k \log\left|\det\frac{\partial f_k}{\partial z_{k-1}}\right|",
                  2 * log_q0 - flows.log_density(layers, states), because="the sign of the inverse map")

    yield mistake(r"\log q_0(z_0) - \sum_k \log\left|\det\frac{\partial f_k}{\partial z}(z_0)\right|",
                  log_q0 - sum(flows.planar_log_det(layer, z) for layer in layers),
                  because="each layer's Jacobian is taken at its own input, not at the first")


@derivation(iaf.random_case)
def autoregressive(net, eps):
    """A triangular Jacobian has the product of its diagonal as determinant."""
    def z(e):
        return iaf.transform(net, e)[0]

    J = np.array([jacobian(z)(e) for e in eps])
    n = eps.shape[1]

    yield start(r"\log\left|\det\frac{\partial z}{\partial\epsilon}\right|", np.linalg.slogdet(J)[1])

    yield equals(r"\log\left|\det\left[\frac{\partial z_i}{\partial\epsilon_j}\, 1(j \le i)\right]\right|",
                 np.linalg.slogdet(J * np.tril(np.ones((n, n))))[1],
                 because="mu_i and sigma_i see only what comes before i, so nothing is lost")

    yield equals(r"\sum_i \log\left|\frac{\partial z_i}{\partial\epsilon_i}\right|",
                 np.sum(np.log(np.abs(J[:, range(n), range(n)])), axis=1),
                 because="the determinant of a triangular matrix")

    yield equals(r"\sum_i \log\sigma_i(\epsilon_{<i})", iaf.log_det(net, eps),
                 because="z_i is linear in eps_i with slope sigma_i", claim="ou2018.iaf")

    yield mistake(r"\sum_i \sigma_i(\epsilon_{<i})", np.sum(np.exp(iaf.transform(net, eps)[1]), axis=1),
                  because="the log is missing")

    yield mistake(r"-\sum_i \log\sigma_i(\epsilon_{<i})", -iaf.log_det(net, eps),
                  because="that is the change of log q, not of the volume")

    yield mistake(r"\sum_i \log\sigma_i(\epsilon_{\le i})",
                  np.sum(np.tanh(eps) @ np.tril(net["S"]).T + net["s"], axis=1),
                  because="a mask that lets sigma_i see eps_i: the diagonal is no longer sigma_i")
