r"""Noise-contrastive estimation of a random field, and dynamic NCE (ou2018 Sec. 4.2.4, Eqs. 40-44, Algorithm 8).

With u_hat(x) = u(x) - c, data E, noise N ~ p_n, nu = |N| / |E|, and P(C=0|x) = sigmoid(u_hat - log nu p_n), ascend

    1/|E| sum_{x in E} P(C=1|x) du_hat(x)  -  nu/|N| sum_{x in N} P(C=0|x) du_hat(x)          in theta and in c

    NCE     p_n is fixed: a product of Bernoullis, or of normals, with each column's mean, or mean and variance
    DNCE    E takes noise for data, too, a share 1 - alpha of it, and p_n learns: F_phi = mean of dlog p_n/dphi over
            the data (Wang and Ou 2018b; undirected.nce_nonparametric)

What NCE reaches is the law of E, normalised, where the field can be that law: for DNCE alpha p_0 + (1 - alpha) p_n.
Elsewhere it is neither the maximum of the likelihood nor normalised, by terms in 1/nu.

The parameters are {"theta": of the field, "c": ()} and, of DNCE's noise, "phi". A Field is a neural random field or an
RBM, whose u is minus its free energy. c should become log Z; exact() says how far it is from that.
E (m, D), N (n, D), u and log p_n (n,).

Mean log p(x) of two bits that always agree, and what c is above log Z, after 60 steps of NCE:

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.nce_learning import exact, nce, neural
>>> x, field = np.tile([[0.0, 0.0], [1.0, 1.0]], (20, 1)), neural(J=4)
>>> fit = refdgm.fit(nce(field), x, 60, update=refdgm.updates.adam(), monitor=exact(field, x))
>>> round(float(fit.history["log_p"][-1]), 2), round(float(fit.history["log_z_error"][-1]), 2)
(-0.71, 0.09)
"""
from typing import NamedTuple
from collections.abc import Callable

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import autoregressive, rbm
from refdgm.numerics import bernoulli_log_prob, gaussian_log_prob, log_mean_exp, mean_log_odds, sigmoid, weighted_sum
from refdgm.streams import Stream, normals, uniforms
from refdgm.undirected import neural_field

NOISE, AS_DATA = 2**30, 3 * 2**29               # the first chain of the noise, and of noise that is taken for data


# ---- fields and noise -----------------------------------------------------------------

class Field(NamedTuple):
    """What NCE learns: u known, Z not; Z is asked for by the monitor only."""
    name: str
    start: Callable             # (x, seed) -> theta
    potential: Callable         # (theta, x (B, D)) -> u (B,)
    summed_gradient: Callable   # (theta, x (B, D), a (B,)) -> sum_n a_n du(x_n)/dtheta
    log_partition: Callable     # theta -> ()
    real: bool                  # x is real, not bits


def neural(J=16, sigma=None):
    """A neural random field with J hidden units, on bits, or on reals where there is a sigma (ou2018 Eq. 33)."""
    return Field("neural random field", neural_field.start(J, sigma),
                 lambda theta, x: neural_field.log_unnormalised(theta, x, sigma), neural_field.summed_gradient,
                 lambda theta: neural_field.log_partition(theta, sigma), sigma is not None)


def boltzmann(H=8):
    """An RBM with H hidden units: u(x) = -F(x) = log sum_z exp(-E(x, z)) (bachman2015 Eq. 38)."""
    valid.count("H", H)
    return Field("RBM", lambda x, seed: rbm.start(x, H, seed), lambda theta, x: -rbm.free_energy(theta, x),
                 lambda theta, x, a: rbm.mean_statistics(theta, a, x), rbm.log_partition, False)


class Noise(NamedTuple):
    """A law that can be drawn from and evaluated."""
    start: Callable             # x -> phi
    draw: Callable              # (phi, stream) -> (n, D)
    log_prob: Callable          # (phi, x) -> (n,)


PIXELS = Noise(lambda x: {"b": mean_log_odds(x)}, lambda phi, s: 1.0 * (uniforms(s, len(phi["b"])) < sigmoid(phi["b"])),
               lambda phi, x: bernoulli_log_prob(x, phi["b"]))
NORMALS = Noise(lambda x: {"mean": x.mean(axis=0), "variance": x.var(axis=0)},
                lambda phi, s: phi["mean"] + np.sqrt(phi["variance"]) * normals(s, len(phi["mean"])),
                lambda phi, x: gaussian_log_prob(x, phi["mean"], phi["variance"]))
CHAIN_RULE = Noise(lambda x: {"W": np.zeros((x.shape[1],) * 2), "b": mean_log_odds(x)},
                   lambda phi, s: autoregressive.sample(phi, uniforms(s, len(phi["b"]))), autoregressive.log_prob)


# ---- F --------------------------------------------------------------------------------

def noise_chance(field, theta, c, x, log_p_n, nu):
    """P(C=1|x), from log-densities of any size (ou2018 Eqs. 41-42).  (B, D), (B,) -> (B,)"""
    return sigmoid(np.log(nu) + log_p_n - field.potential(theta, x) + c)


def contrast(field, parameters, E, N, log_p_n):
    """What Algorithm 8 ascends; log_p_n is a function of x.  (m, D), (n, D) -> {"theta": dict, "c": ()}"""
    theta, c, nu = parameters["theta"], parameters["c"], len(N) / len(E)
    pull = noise_chance(field, theta, c, E, log_p_n(E), nu) / len(E)
    push = nu * (1 - noise_chance(field, theta, c, N, log_p_n(N), nu)) / len(N)
    up, down = field.summed_gradient(theta, E, pull), field.summed_gradient(theta, N, push)
    return {"theta": {name: up[name] - down[name] for name in up}, "c": push.sum() - pull.sum()}


# ---- the algorithms -------------------------------------------------------------------

class Draws(NamedTuple):
    """What a step draws: noise, noise to be taken for data, and the noise's parameters."""
    N: np.ndarray               # (nu |E|, D)
    as_data: np.ndarray         # (|E| - B, D)
    phi: dict


def nce(field=None, nu=5):
    """Noise with the columns' own means; c begins where importance sampling puts log Z (ou2018 Alg. 8)."""
    field = field or neural()
    noise = NORMALS if field.real else PIXELS

    def begin(x, seed):
        phi = noise.start(x)
        return first_c(field, noise, phi, x, seed), {"noise": phi}

    def draw(parameters, memory, x, index, seed, t):
        return Draws(drawn(noise, memory["noise"], nu * len(x), NOISE, seed, t), x[:0], memory["noise"]), memory

    def step(parameters, z, x):
        return contrast(field, parameters, x, z.N, lambda x: noise.log_prob(z.phi, x))
    valid.count("nu", nu)
    return Algorithm(f"NCE ({field.name})", begin, draw, step)


def dnce(field=None, nu=1, alpha=0.5):
    """Autoregressive noise that learns from the data, of which it makes a share 1 - alpha (Wang and Ou 2018b)."""
    field = field or neural()
    valid.count("nu", nu)
    valid.require(0 < alpha <= 1, f"the data's share alpha must lie in (0, 1], but is {alpha}.")
    valid.require(not field.real, "the noise that learns here makes bits: the field must be on bits.")

    def begin(x, seed):
        phi = CHAIN_RULE.start(x)
        return {**first_c(field, CHAIN_RULE, phi, x, seed), "phi": phi}, ()

    def draw(parameters, memory, x, index, seed, t):
        phi, more = parameters["phi"], round(len(x) * (1 - alpha) / alpha)
        valid.count("the noise taken for data, (1 - alpha) / alpha of its rows,", more, 0)
        as_data = drawn(CHAIN_RULE, phi, more, AS_DATA, seed, t) if more else x[:0]
        return Draws(drawn(CHAIN_RULE, phi, nu * (len(x) + more), NOISE, seed, t), as_data, {}), memory

    def step(parameters, z, x):
        F = contrast(field, parameters, np.concatenate([x, z.as_data]), z.N,
                     lambda x: autoregressive.log_prob(parameters["phi"], x))
        score = autoregressive.score_theta(parameters["phi"], x)
        return {**F, "phi": weighted_sum(np.full(len(x), 1 / len(x)), score)}
    return Algorithm(f"DNCE ({field.name})", begin, draw, step)


def drawn(noise, phi, n, first, seed, t):
    """n draws of the noise at step t.  -> (n, D)"""
    return noise.draw(phi, Stream(seed, first + np.arange(n, dtype=np.uint32), t))


def first_c(field, noise, phi, x, seed, n=1000):
    """A field's first theta, and c = log mean exp(u) / p_n over n draws of the noise.  -> {"theta": dict, "c": ()}"""
    theta, N = field.start(x, seed), drawn(noise, phi, n, NOISE, seed, 0)
    return {"theta": theta, "c": log_mean_exp(field.potential(theta, N) - noise.log_prob(phi, N))}


# ---- what is reached, exactly ---------------------------------------------------------

def exact(field, data, test=None):
    """A monitor: the mean log p(x), normalised exactly, and what c is above log Z; what DNCE's noise makes of it."""
    valid.data_and_test(data, test)

    def look(parameters):
        theta, log_Z = parameters["theta"], field.log_partition(parameters["theta"])
        numbers = {"log_p": np.mean(field.potential(theta, data)) - log_Z}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(field.potential(theta, test)) - log_Z
        if "phi" in parameters:
            numbers["noise_log_p"] = np.mean(autoregressive.log_prob(parameters["phi"], data))
        return {**numbers, "log_z_error": parameters["c"] - log_Z}
    return look
