r"""A deep latent variable model of binary data: Gaussian latents, a network, Bernoulli pixels (kingma2019 Sec. 1.7.3).

    Eq. 1.14   p(x, z) = p(z) p(x|z)
    Eq. 1.15   p(z) = N(z; 0, I)
    Eq. 1.16   p = DecoderNeuralNet(z) = sigmoid(M tanh(W z + b) + m)
    Eq. 1.17   log p(x|z) = sum_j log Bernoulli(x_j; p_j)
    Eq. 1.18              = sum_j x_j log p_j + (1 - x_j) log(1 - p_j)

theta = {"W": (J, H), "b": (J,), "M": (D, J), "m": (D,)}.  x : (..., D) bits, z : (..., H); leading axes broadcast.
With H = 2 an integral over z is a sum over a product grid, exact to rounding.

Summed over every x the marginal is 1, so that the quadrature over z has missed nothing:

>>> import numpy as np
>>> from refdgm.models.bernoulli_dlvm import all_binary, log_marginal, random_case
>>> theta = random_case(0)["theta"]
>>> round(sum(float(np.exp(log_marginal(theta, x))) for x in all_binary(4)), 6)
1.0
"""
import itertools
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import LOG_2PI, all_binary, all_tuples, bernoulli_log_prob, log_sum_exp, sigmoid, trapezoid


def log_prior(z):
    """log p(z) = log N(z; 0, I) (kingma2019 Eq. 1.15).  (..., H) -> (...)"""
    return -0.5 * np.sum(z**2 + LOG_2PI, axis=-1)


def decoder_logits(theta, z):
    """The log odds of the pixels: the decoder before its last sigmoid.  (..., H) -> (..., D)"""
    return np.dot(np.tanh(np.dot(z, theta["W"].T) + theta["b"]), theta["M"].T) + theta["m"]


def decoder(theta, z):
    """p = DecoderNeuralNet(z), every p_j in (0, 1) (kingma2019 Eq. 1.16).  (..., H) -> (..., D)"""
    return sigmoid(decoder_logits(theta, z))


def negative_cross_entropy(x, p):
    """sum_j x_j log p_j + (1 - x_j) log(1 - p_j), for 0 < p_j < 1 (kingma2019 Eq. 1.18).  (..., D) -> (...)"""
    return np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=-1)


def log_likelihood(theta, x, z):
    """log p(x|z) = sum_j log Bernoulli(x_j; p_j), from the logits: no p_j rounds to 1 (kingma2019 Eq. 1.17)."""
    return bernoulli_log_prob(x, decoder_logits(theta, z))


def log_joint(theta, x, z):
    """log p(x, z) = log p(z) + log p(x|z) (kingma2019 Eq. 1.14).  (..., D), (..., H) -> (...)"""
    return log_prior(z) + log_likelihood(theta, x, z)


def score_theta(theta, x, z):
    """The gradient of log p(x, z) in theta, for a whole batch.  (..., D), (..., H) -> dict of (..., *leaf)"""
    hidden = onp.tanh(onp.dot(z, theta["W"].T) + theta["b"])
    error = x - sigmoid(onp.dot(hidden, theta["M"].T) + theta["m"])
    back = onp.dot(error, theta["M"]) * (1 - hidden**2)
    return {"W": back[..., :, None] * z[..., None, :], "b": back,
            "M": error[..., :, None] * hidden[..., None, :], "m": error}


# ---- exact, by quadrature -------------------------------------------------------------

def latent_grid(H=2, n=73, reach=9.0):
    """Nodes z (n**H, H) and weights (n**H,) that integrate over all z in which the prior has mass."""
    nodes, weights = trapezoid(-reach, reach, n)
    index = all_tuples(n, H)
    return nodes[index], onp.prod(weights[index], axis=-1)


def log_marginal(theta, x):
    """log p(x) = log int p(x, z) dz (kingma2019 Eq. 1.13).  (..., D) -> (...)"""
    validate(theta, x)
    z, w = latent_grid(theta["W"].shape[1])
    return log_sum_exp(log_joint(theta, np.expand_dims(x, -2), z) + np.log(w))


def random_case(seed, D=4, H=2, J=3):
    """A random decoder and one x."""
    rng = onp.random.default_rng(seed)
    theta = {"W": rng.normal(size=(J, H)), "b": rng.normal(size=J), "M": rng.normal(size=(D, J)),
             "m": rng.normal(size=D)}
    return {"theta": theta, "x": rng.integers(0, 2, D).astype(float)}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    (J, H), (D, _) = valid.matrix("theta", theta, "W"), valid.matrix("theta", theta, "M")
    valid.parameters("theta", theta, {"W": (J, H), "b": (J,), "M": (D, J), "m": (D,)})
    if x is not None:
        valid.vector("x", x, D)


# ---- claims ---------------------------------------------------------------------------

def theta_and_z(seed):
    return {"theta": random_case(seed)["theta"], "z": onp.random.default_rng([seed, 1]).normal(size=2)}


def masses(log_density=log_joint):
    """sum over x of p(x, z) at a few z, which is p(z), and its integral over z, which is one."""
    def table(theta, z):
        x, (grid, w) = all_binary(len(theta["m"]))[:, None], latent_grid(n=49)
        return {"at z": np.sum(np.exp(log_density(theta, x, z)), axis=0),
                "total": np.sum(w * np.exp(log_density(theta, x, grid)))}
    return table


def marginals_of_the_joint(theta, z):
    return {"at z": onp.array([math.prod(math.exp(-t * t / 2) / math.sqrt(2 * math.pi) for t in row) for row in z]),
            "total": 1.0}


def theta_and_rows(seed):
    return {"theta": random_case(seed)["theta"], "z": onp.random.default_rng([seed, 1]).normal(size=(5, 2))}


def prior_moments(log_density=log_prior):
    """int p(z) dz, the mean, and the covariance of the prior, for H latents."""
    def moments(H):
        z, w = latent_grid(H, n=49)
        p = w * np.exp(log_density(z))
        return {"total": np.sum(p), "mean": p @ z, "covariance": (p[:, None] * z).T @ z}
    return moments


def mean_of_x(last_layer=sigmoid):
    """What the decoder gives for E[x|z]."""
    return lambda theta, z: last_layer(decoder_logits(theta, z))


def mean_over_states(theta, z):
    """E[x|z], summed over all x with the mass prod_j p_j^x_j (1 - p_j)^(1 - x_j), in plain Python."""
    odds = [math.exp(sum(M * math.tanh(float(W @ z + b)) for M, W, b in zip(row, theta["W"], theta["b"])) + m)
            for row, m in zip(theta["M"], theta["m"])]
    weight = {x: math.prod(o**bit for o, bit in zip(odds, x)) for x in itertools.product((0, 1), repeat=len(odds))}
    return onp.array([sum(w * x[j] for x, w in weight.items()) for j in range(len(odds))]) / sum(weight.values())


def mass_by_lookup(theta, z):
    """The oracle: prod_j (p_j where x_j = 1, else 1 - p_j) for every x, in plain Python."""
    p = decoder(theta, z)
    return onp.array([math.prod(p_j if bit else 1 - p_j for bit, p_j in zip(x, p)) for x in all_binary(len(p))])


def mass_table(log_mass):
    """exp log p(x|z) for every x, from log_mass(x, p)."""
    return lambda theta, z: np.exp(log_mass(all_binary(len(theta["m"])), decoder(theta, z)))


def by_factors(combine):
    """A mass from the D masses Bernoulli(x_j; p_j)."""
    return lambda x, p: combine(x * np.log(p) + (1 - x) * np.log(1 - p))


def total_mass(p):
    """sum over x of |exp of Eq. 1.18|, where 0 log 0 = 0, that is 0^0 = 1: one, if no mass is negative."""
    x = all_binary(len(p))
    return np.sum(np.abs(np.prod(p**x * (1 - p)**(1 - x), axis=-1)))


def closed_probabilities(seed):
    """A pixel that is always off, one that is always on, and three that may be either."""
    return {"p": onp.concatenate([[0.0, 1.0], onp.random.default_rng(seed).uniform(size=3)])}


CLAIMS = [
    Claim("kingma2019.eq1.14", masses(), equals(marginals_of_the_joint, theta_and_rows, method="quadrature"),
          {"p(x|z) without the prior": masses(log_likelihood),
           "p(x) p(x|z)": masses(lambda theta, x, z: log_marginal(theta, x) + log_likelihood(theta, x, z)),
           "the prior for every pixel": masses(lambda theta, x, z: 4 * log_prior(z) + log_likelihood(theta, x, z))}),
    Claim("kingma2019.eq1.15", prior_moments(),
          equals(lambda H: {"total": 1.0, "mean": onp.zeros(H), "covariance": onp.eye(H)},
                 lambda seed: {"H": 1 + seed % 2}, method="quadrature"),
          {"one normaliser for all dimensions": prior_moments(lambda z: -0.5 * (np.sum(z**2, axis=-1) + LOG_2PI)),
           "z^2 without its 1/2": prior_moments(lambda z: -np.sum(z**2 + LOG_2PI / 2, axis=-1)),
           "variance 1/H": prior_moments(lambda z: log_prior(z * z.shape[-1]**0.5) + z.shape[-1] * 0.5 * np.log(
               z.shape[-1]))}),
    Claim("kingma2019.eq1.16", decoder, equals(mean_over_states, theta_and_z),
          {"logits for probabilities": mean_of_x(lambda a: a),
           "softmax over the pixels": mean_of_x(lambda a: np.exp(a) / np.sum(np.exp(a))),
           "tanh for the sigmoid": mean_of_x(np.tanh),
           "the probability of a 0": mean_of_x(lambda a: sigmoid(-a))}),
    Claim("kingma2019.eq1.17",
          lambda theta, z: np.exp(log_likelihood(theta, all_binary(len(theta["m"])), z)),
          equals(mass_by_lookup, theta_and_z),
          {"the mean over pixels": mass_table(by_factors(lambda a: np.mean(a, axis=-1))),
           "the sum outside the log": mass_table(by_factors(lambda a: np.log(np.sum(np.exp(a), axis=-1)))),
           "one pixel": mass_table(by_factors(lambda a: a[..., 0]))}),
    Claim("kingma2019.eq1.18", mass_table(negative_cross_entropy), equals(mass_by_lookup, theta_and_z),
          {"x log(1 - p): the pixels exchanged": mass_table(lambda x, p: negative_cross_entropy(1 - x, p)),
           "the cross-entropy with its own sign": mass_table(lambda x, p: -negative_cross_entropy(x, p)),
           "only the pixels that are on": mass_table(lambda x, p: np.sum(x * np.log(p), axis=-1)),
           "squared error": mass_table(lambda x, p: -np.sum((x - p)**2, axis=-1))}),
    Claim("kingma2019.sec1.7.range", total_mass, equals(lambda p: 1.0, closed_probabilities),
          {"only the pixels that are on": lambda p: np.sum(np.prod(p**all_binary(len(p)), axis=-1)),
           "probabilities up to 2": lambda p: total_mass(2 * p),
           "0 log 0 left undefined": lambda p: np.sum(np.exp(negative_cross_entropy(all_binary(len(p)), p)))}),
]
