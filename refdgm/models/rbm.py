r"""Bernoulli restricted Boltzmann machine (bachman2015 Sec. 5.4, Eqs. 38-42).

    E(x, z) = -x'wz - b'x - c'z          p(x, z) = exp(-E(x, z)) / Z
    log Z_x = log sum_z exp(-E(x, z)) = -F(x) = b'x + sum_j softplus((w'x + c)_j),      p(x) = Z_x / Z

theta = {"w": (D, H), "b": (D,), "c": (H,)}; b and c may be left out, which is the form of bachman2015 Eq. 39.
x : (..., D) and z : (..., H) are bits; leading axes are batches and broadcast. Given one layer the units of the
other are independent, so Z is a sum over the states of the smaller layer only.

log Z as a sum over the eight states of x, and over the four of z:

>>> import numpy as np
>>> from refdgm.models.rbm import free_energy, log_partition, random_case
>>> theta, x = random_case(0).values()
>>> round(float(np.log(np.exp(-free_energy(theta, x)).sum())), 2), round(float(log_partition(theta)), 2)
(3.66, 3.66)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import (all_binary, bernoulli_log_prob, log_softmax, log_sum_exp, mean_log_odds, sigmoid,
                             softmax, softplus)
from refdgm.streams import normals, stream


def energy(theta, x, z):
    """E(x, z) = -x'wz - b'x - c'z (bachman2015 Eq. 39).  (..., D), (..., H) -> (...)"""
    return -(np.sum(np.dot(x, theta["w"]) * z, axis=-1) + np.sum(x * _bias(theta, "b"), axis=-1)
             + np.sum(z * _bias(theta, "c"), axis=-1))


def hidden_logits(theta, x):
    """w'x + c, the log-odds of each hidden unit given x (bachman2015 Eq. 42).  (..., D) -> (..., H)"""
    return np.dot(x, theta["w"]) + _bias(theta, "c")


def visible_logits(theta, z):
    """wz + b, the log-odds of each visible unit given z.  (..., H) -> (..., D)"""
    return np.dot(z, theta["w"].T) + _bias(theta, "b")


def free_energy(theta, x):
    """F(x) = -log Z_x = -b'x - sum_j log(1 + exp((w'x + c)_j)) (bachman2015 Eqs. 38, 41).  (..., D) -> (...)"""
    return -np.sum(x * _bias(theta, "b"), axis=-1) - np.sum(softplus(hidden_logits(theta, x)), axis=-1)


def hidden_free_energy(theta, z):
    """-log sum_x exp(-E(x, z)).  (..., H) -> (...)"""
    return -np.sum(z * _bias(theta, "c"), axis=-1) - np.sum(softplus(visible_logits(theta, z)), axis=-1)


def log_z_given_x(theta, x, z):
    """log p(z|x), the first half of a Gibbs step.  (..., D), (..., H) -> (...)"""
    return bernoulli_log_prob(z, hidden_logits(theta, x))


def log_x_given_z(theta, x, z):
    """log p(x|z), the second half of a Gibbs step.  (..., D), (..., H) -> (...)"""
    return bernoulli_log_prob(x, visible_logits(theta, z))


# ---- exact, by enumeration of the smaller layer ---------------------------------------

def log_partition(theta):
    """log Z, a sum over 2**min(D, H) states.  -> ()"""
    validate(theta)
    D, H = np.shape(theta["w"])
    if D <= H:
        return log_sum_exp(-free_energy(theta, all_binary(D)))
    return log_sum_exp(-hidden_free_energy(theta, all_binary(H)))


def log_marginal(theta, x):
    """log p(x) = -F(x) - log Z.  (..., D) -> (...)"""
    return -free_energy(theta, x) - log_partition(theta)


def log_marginal_table(theta):
    """log p(x) for every x: the stationary law pi of the Gibbs chain.  -> (2**D,)"""
    return log_softmax(-free_energy(theta, all_binary(np.shape(theta["w"])[0])))


# ---- gradients by hand ----------------------------------------------------------------

def grad_log_z(theta, x):
    """The gradient of log Z_x = -F(x): x sigma(w'x + c)' in w (bachman2015 Eq. 43).  -> dict of (..., *leaf)"""
    return _statistics(theta, x, sigmoid(hidden_logits(theta, x)))


def mean_statistics(theta, weights, x=None):
    """sum_n weights_n grad log Z_{x_n} for rows x, or for a law, or a difference of laws, over every x.

    (N,), (N, D) or (2**D,) -> dict of (*leaf)
    """
    x = all_binary(theta["w"].shape[0]) if x is None else x
    return _weighted_statistics(theta, weights, x, sigmoid(hidden_logits(theta, x)))


def model_mean(theta):
    """E_p[x z'], E_p[x], E_p[z] under the model: the gradient of log Z.  -> dict of (*leaf)"""
    D, H = np.shape(theta["w"])
    if D <= H:
        return mean_statistics(theta, softmax(-free_energy(theta, all_binary(D))))
    z = all_binary(H)
    return _weighted_statistics(theta, softmax(-hidden_free_energy(theta, z)), sigmoid(visible_logits(theta, z)), z)


def score(theta, x):
    """The gradient of log p(x): data minus model, log Z included.  (..., D) -> dict of (..., *leaf)"""
    mean = model_mean(theta)
    return {name: leaf - mean[name] for name, leaf in grad_log_z(theta, x).items()}


def score_z_given_x(theta, x, z):
    """The gradient of log p(z|x).  (..., D), (..., H) -> dict of (..., *leaf)"""
    return _statistics(theta, x, z - sigmoid(hidden_logits(theta, x)), b=0.0)


def score_x_given_z(theta, x, z):
    """The gradient of log p(x|z).  (..., D), (..., H) -> dict of (..., *leaf)"""
    return _statistics(theta, x - sigmoid(visible_logits(theta, z)), z, c=0.0)


def _statistics(theta, x, z, b=1.0, c=1.0):
    """x z', b x and c z: what multiplies w, b and c in -E(x, z), for the parameters that theta has."""
    x, z = x + 0 * z[..., :1], z + 0 * x[..., :1]       # one batch for both
    leaves = {"w": x[..., :, None] * z[..., None, :], "b": b * x, "c": c * z}
    return {name: leaves[name] for name in theta}


def _weighted_statistics(theta, weights, x, z):
    """sum_n weights_n times x_n z_n', x_n and z_n, by one product of matrices."""
    weighted = np.reshape(weights, (-1, 1)) * z
    leaves = {"w": np.dot(x.T, weighted), "b": np.dot(weights, x), "c": np.sum(weighted, axis=0)}
    return {name: leaves[name] for name in theta}


def _bias(theta, name):
    return theta[name] if name in theta else 0.0


# ---- small random cases ---------------------------------------------------------------

def random_theta(rng, D, H, biases=True, scale=1.0):
    """Weights of a few units: large enough to be far from independence, small enough for the chain to mix."""
    theta = {"w": scale * rng.normal(size=(D, H))}
    return {**theta, "b": rng.normal(size=D), "c": rng.normal(size=H)} if biases else theta


def start(x, H, seed, scale=0.1):
    """Small random weights, and as b the mean log-odds of the rows x (N, D): where learning starts.  -> theta"""
    valid.count("H", H)
    valid.require(valid.are_bits(x), "a Boltzmann machine of Bernoulli units takes bits, 0 or 1.")
    w = scale * normals(stream(seed, 1, first=2**31), x.shape[1] * H)[0].reshape(-1, H)
    return {"w": w, "b": mean_log_odds(x), "c": onp.zeros(H)}


def random_case(seed, D=3, H=2):
    """A random RBM without biases, as in bachman2015 Eq. 39, and a batch of every x."""
    return {"theta": random_theta(onp.random.default_rng(seed), D, H, biases=False), "x": all_binary(D)}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    valid.require("w" in theta and set(theta) <= {"w", "b", "c"},
                  f"theta must hold w, and may hold b and c, but holds {', '.join(sorted(theta)) or 'nothing'}.")
    D, H = valid.matrix("theta", theta, "w")
    shapes = {"w": (D, H), "b": (D,), "c": (H,)}
    valid.parameters("theta", theta, {name: shapes[name] for name in theta})
    if x is not None:
        valid.vector("x", x, D)
        valid.require(valid.are_bits(x), "x must consist of bits, 0 or 1.")


# ---- claims ---------------------------------------------------------------------------

def boltzmann(theta, sign=-1.0):
    """exp(-E) for every pair of states, unnormalised: all that the oracles know of the model.  -> (2**D, 2**H)"""
    D, H = np.shape(theta["w"])
    return np.exp(sign * energy(theta, all_binary(D)[:, None, :], all_binary(H)))


def hidden_log_odds(theta, x):
    """log p(z_j = 1|x) / p(z_j = 0|x), from the Boltzmann weights alone.  -> (2**D, H)"""
    weights, on = boltzmann(theta), all_binary(theta["w"].shape[1])
    return onp.log(weights @ on) - onp.log(weights @ (1 - on))


def hidden_given_visible(logits):
    """The table of p(z|x) that follows from log-odds of the hidden units."""
    return lambda theta, x: onp.exp(bernoulli_log_prob(all_binary(theta["w"].shape[1]), logits(theta, x)[:, None, :]))


CLAIMS = [
    Claim("bachman2015.eq38", lambda theta, x: -free_energy(theta, x),
          equals(lambda theta, x: onp.log(onp.sum(boltzmann(theta), axis=1)), random_case),
          {"log Z_x is plus the free energy": free_energy,
           "the global log Z": lambda theta, x: log_partition(theta) + 0 * x[:, 0],
           "spins of -1 and 1 in place of bits":
               lambda theta, x: onp.sum(onp.log(2 * onp.cosh(hidden_logits(theta, x))), axis=-1),
           "log of the activation, not softplus":
               lambda theta, x: -onp.sum(onp.log(sigmoid(hidden_logits(theta, x))), axis=-1)}),
    Claim("bachman2015.eq39", hidden_given_visible(hidden_logits),
          equals(lambda theta, x: boltzmann(theta) / onp.sum(boltzmann(theta), axis=1, keepdims=True), random_case),
          {"the energy printed with +": hidden_given_visible(lambda theta, x: -hidden_logits(theta, x)),
           "+-1 units: twice the log-odds": hidden_given_visible(lambda theta, x: 2 * hidden_logits(theta, x)),
           "visible units numbered backwards":
               hidden_given_visible(lambda theta, x: hidden_logits(theta, x[:, ::-1]))}),
    Claim("bachman2015.eq42", lambda theta, x: theta["w"].T @ x[..., None],
          equals(lambda theta, x: hidden_log_odds(theta, x)[..., None], random_case),
          {"-w'x": lambda theta, x: -(theta["w"].T @ x[..., None]),
           "the activation, not its log-odds": lambda theta, x: sigmoid(theta["w"].T @ x[..., None]),
           "half: symmetric weights counted once each way": lambda theta, x: theta["w"].T @ x[..., None] / 2},
          printed=lambda theta, x: x[..., None, :] @ theta["w"]),
]
