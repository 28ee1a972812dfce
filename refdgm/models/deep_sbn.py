r"""Sigmoid belief net with two layers of binary latents, and its recognition net (ou2018 Eq. 2 with L = 2).

    p(x, h1, h2) = p(h2) p(h1|h2) p(x|h1)          q(h1, h2|x) = q(h1|x) q(h2|h1)
    p(h2)    = FB[h2 | sigmoid(a)]                  q(h1|x)  = FB[h1 | sigmoid(V1 x + c1)]
    p(h1|h2) = FB[h1 | sigmoid(W1 h2 + b1)]         q(h2|h1) = FB[h2 | sigmoid(V2 h1 + c2)]
    p(x|h1)  = FB[x  | sigmoid(W0 h1 + b0)]

FB is the factorial Bernoulli. theta = {"a": (H2,), "W1": (H1, H2), "b1": (H1,), "W0": (D, H1), "b0": (D,)};
phi = {"V1": (H1, D), "c1": (H1,), "V2": (H2, H1), "c2": (H2,)}.
The two layers travel as one vector h = (h1, h2) of H1 + H2 bits, so that every function has the signature of its
twin in sbn.py and any estimator for discrete latents runs on both. x : (..., D), h : (..., H1 + H2).

The bound E_q[log w], a sum over the eight (h1, h2), and log p(x):

>>> import numpy as np
>>> from refdgm.models.deep_sbn import log_joint_table, log_marginal, log_q_table, random_case
>>> theta, phi, x = random_case(0).values()
>>> log_q = log_q_table(phi, x)
>>> bound = np.exp(log_q) @ (log_joint_table(theta, x) - log_q)
>>> round(float(bound), 3), round(float(log_marginal(theta, x)), 3)
(-1.19, -0.798)
"""
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, all_tuples, bernoulli_log_prob, log_softmax, log_sum_exp, sigmoid, weighted_sum


def transform(W, b, above):
    """T_l(h_{l+1}) = sigmoid(W_l h_{l+1} + b_l), the means (ou2018 after Eq. 2).  (..., H_{l+1}) -> (..., H_l)"""
    return sigmoid(np.dot(above, W.T) + b)


def log_layer(W, b, below, above):
    """log p(h_l|h_{l+1}) = log FB[h_l | T_l(h_{l+1})] (ou2018 Eq. 2).  (..., H_l), (..., H_{l+1}) -> (...)"""
    return bernoulli_log_prob(below, np.dot(above, W.T) + b)


def log_joint(theta, x, h):
    """log p(h2) + log p(h1|h2) + log p(x|h1) (ou2018 Sec. 3.1.1).  (..., D), (..., H1 + H2) -> (...)"""
    h1, h2 = split(theta["b1"], h)
    return (bernoulli_log_prob(h2, theta["a"]) + log_layer(theta["W1"], theta["b1"], h1, h2)
            + log_layer(theta["W0"], theta["b0"], x, h1))


def log_q(phi, x, h):
    """log q(h1|x) + log q(h2|h1).  (..., D), (..., H1 + H2) -> (...)"""
    h1, h2 = split(phi["c1"], h)
    return log_layer(phi["V1"], phi["c1"], h1, x) + log_layer(phi["V2"], phi["c2"], h2, h1)


def log_weights(theta, phi, x, h):
    """log w = log p(x, h) - log q(h|x) (ou2018 after Eq. 19).  (..., D), (..., H1 + H2) -> (...)"""
    return log_joint(theta, x, h) - log_q(phi, x, h)


def split(bias1, h):
    """h = (h1, h2), where h1 has as many units as `bias1`."""
    H1 = np.shape(bias1)[0]
    return h[..., :H1], h[..., H1:]


# ---- exact, by enumeration ------------------------------------------------------------

def latent_states(theta):
    """Every (h1, h2), (2**(H1 + H2), H1 + H2)."""
    return all_binary(sum(np.shape(theta["W1"])))


def log_joint_table(theta, x):
    """log p(x, h) for every h.  (..., D) -> (..., 2**(H1 + H2))"""
    validate(theta, x=x)
    return log_joint(theta, np.expand_dims(x, -2), latent_states(theta))


def log_q_table(phi, x):
    """log q(h|x) for every h.  (..., D) -> (..., 2**(H1 + H2))"""
    validate(phi=phi, x=x)
    return log_q(phi, np.expand_dims(x, -2), all_binary(sum(np.shape(phi["V2"]))))


def log_marginal(theta, x):
    """log p(x) = log sum_h p(x, h).  (..., D) -> (...)"""
    return log_sum_exp(log_joint_table(theta, x))


def posterior(theta, x):
    """p(h|x) for every h.  (..., D) -> (..., 2**(H1 + H2))"""
    return np.exp(log_softmax(log_joint_table(theta, x)))


# ---- scores by hand -------------------------------------------------------------------

def score_theta(theta, x, h):
    """The gradient of log p(x, h) in theta, for a whole batch.  (..., D), (..., H1 + H2) -> dict of (..., *leaf)"""
    h1, h2 = split(theta["b1"], h)
    top = h2 - sigmoid(theta["a"])
    middle = h1 - transform(theta["W1"], theta["b1"], h2)
    bottom = x - transform(theta["W0"], theta["b0"], h1)
    batch = onp.broadcast_shapes(top.shape[:-1], bottom.shape[:-1])
    scores = {"a": top, "W1": middle[..., :, None] * h2[..., None, :], "b1": middle,
              "W0": bottom[..., :, None] * h1[..., None, :], "b0": bottom}
    return {name: onp.broadcast_to(score, batch + np.shape(theta[name])) for name, score in scores.items()}


def score_phi(phi, x, h):
    """The gradient of log q(h|x) in phi, for a whole batch.  (..., D), (..., H1 + H2) -> dict of (..., *leaf)"""
    h1, h2 = split(phi["c1"], h)
    error1 = h1 - transform(phi["V1"], phi["c1"], x)
    error2 = h2 - transform(phi["V2"], phi["c2"], h1)
    batch = onp.broadcast_shapes(error1.shape[:-1], error2.shape[:-1])
    scores = {"V1": error1[..., :, None] * x[..., None, :], "c1": error1,
              "V2": error2[..., :, None] * h1[..., None, :], "c2": error2}
    return {name: onp.broadcast_to(score, batch + np.shape(phi[name])) for name, score in scores.items()}


# ---- expectations over draws ----------------------------------------------------------

def all_draws(phi, x, K):
    """Every (h_1..h_K) and its probability under prod_k q(h_k|x): (M, K, H1 + H2), (M,).  x : (D,)"""
    log_q_x = log_q_table(phi, x)
    index = all_tuples(log_q_x.shape[-1], K)
    return all_binary(sum(np.shape(phi["V2"])))[index], np.exp(np.sum(log_q_x[index], axis=-1))


def mean_over_draws(estimator, K):
    """The exact mean of estimator(theta, phi, x, h) over h ~ q(.|x), h (M, K, H1 + H2); see sbn.mean_over_draws."""
    def mean(theta, phi, x):
        h, probability = all_draws(phi, x, K)
        return weighted_sum(probability, estimator(theta, phi, x, h))
    return mean


# ---- small random cases ---------------------------------------------------------------

def random_case(seed, D=3, H1=2, H2=1):
    """A random theta, phi and one x."""
    rng = onp.random.default_rng(seed)
    theta = {"a": rng.normal(size=H2), "W1": rng.normal(size=(H1, H2)), "b1": rng.normal(size=H1),
             "W0": rng.normal(size=(D, H1)), "b0": rng.normal(size=D)}
    phi = {"V1": rng.normal(size=(H1, D)), "c1": rng.normal(size=H1),
           "V2": rng.normal(size=(H2, H1)), "c2": rng.normal(size=H2)}
    return {"theta": theta, "phi": phi, "x": rng.integers(0, 2, D).astype(float)}


def validate(theta=None, phi=None, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    if theta is not None:
        (D, H1), (_, H2) = valid.matrix("theta", theta, "W0"), valid.matrix("theta", theta, "W1")
        valid.parameters("theta", theta, {"a": (H2,), "W1": (H1, H2), "b1": (H1,), "W0": (D, H1), "b0": (D,)})
    if phi is not None:
        (H1, D), (H2, _) = valid.matrix("phi", phi, "V1"), valid.matrix("phi", phi, "V2")
        valid.parameters("phi", phi, {"V1": (H1, D), "c1": (H1,), "V2": (H2, H1), "c2": (H2,)})
    if x is not None:
        valid.vector("x", x, D)



# ---- claims ---------------------------------------------------------------------------

def joint_table(theta, log_joint=log_joint):
    """p(x, h) for every x and every h, (2**D, 2**(H1 + H2))."""
    return np.exp(log_joint(theta, all_binary(len(theta["b0"]))[:, None], latent_states(theta)))


def ancestral_table(theta):
    """The oracle of joint_table: unit by unit down the layers, one Bernoulli at a time, in plain Python."""
    def unit(bit, W, b, above):
        c = 1 / (1 + math.exp(-b - sum(w * bit_above for w, bit_above in zip(W, above))))
        return c if bit else 1 - c

    def probability(x, h1, h2):
        return math.prod([unit(bit, (), a, ()) for bit, a in zip(h2, theta["a"])]
                         + [unit(bit, W, b, h2) for bit, W, b in zip(h1, theta["W1"], theta["b1"])]
                         + [unit(bit, W, b, h1) for bit, W, b in zip(x, theta["W0"], theta["b0"])])
    D, H1 = theta["W0"].shape
    return onp.array([[probability(x, h[:H1], h[H1:]) for h in latent_states(theta)] for x in all_binary(D)])


def means_go_down(theta, x, h):
    """A wrong joint: the layer below sees the mean of the layer above instead of its sample."""
    h1, h2 = split(theta["b1"], h)
    return (bernoulli_log_prob(h2, theta["a"]) + log_layer(theta["W0"], theta["b0"], x, h1)
            + log_layer(theta["W1"], theta["b1"], h1, sigmoid(theta["a"])))


def means_of_layer(theta):
    """P(h1_i = 1 | h2) for every h2, summed out of p(h1|h2), (2**H2, H1): the oracle of T_1."""
    h1, h2 = map(all_binary, theta["W1"].shape)
    return onp.exp(log_layer(theta["W1"], theta["b1"], h1, h2[:, None])) @ h1


def transformed(theta, changed=lambda W, b: (W, b), activation=sigmoid):
    """T_1(h2) for every h2 with another weight matrix, bias or activation, (2**H2, H1)."""
    W, b = changed(theta["W1"], theta["b1"])
    return activation(np.dot(all_binary(theta["W1"].shape[1]), W.T) + b)


def mass(means, n):
    """sum over every h_l of prod_{i=1}^n B[h_{l,i} | c_{l,i}]: one, if n is the number of units."""
    bits = all_binary(len(means))[:, :n]
    return np.sum(np.prod(np.where(bits == 1, means[:n], 1 - means[:n]), axis=-1))


def masses(upper):
    """The masses of p(x|h1), p(h1|h2) and p(h2), with the product's index running to upper(l, (D, H1, H2))."""
    def of(theta):
        h1, h2 = split(theta["b1"], latent_states(theta)[1])
        means = (transform(theta["W0"], theta["b0"], h1), transform(theta["W1"], theta["b1"], h2), sigmoid(theta["a"]))
        widths = tuple(len(c) for c in means)
        return np.array([mass(c, upper(layer, widths)) for layer, c in enumerate(means)])
    return of


def theta_case(seed, D=3, H1=2, H2=1):
    """The theta of random_case alone."""
    return {"theta": random_case(seed, D, H1, H2)["theta"]}


CLAIMS = [
    Claim("ou2018.model.layers", joint_table, equals(ancestral_table, theta_case),
          {"the layers are independent a priori": lambda theta: joint_table(theta | {"W1": 0 * theta["W1"]}),
           "the mean of a layer goes down, not its sample": lambda theta: joint_table(theta, means_go_down),
           "uniform prior on the top layer": lambda theta: joint_table(theta | {"a": 0 * theta["a"]})}),
    Claim("ou2018.eq2.T", lambda theta: transform(theta["W1"], theta["b1"], all_binary(theta["W1"].shape[1])),
          equals(means_of_layer, lambda seed: theta_case(seed, H1=3, H2=2)),
          {"W stored as (H_{l+1}, H_l)": lambda theta: transformed(theta, lambda W, b: (W.reshape(2, 3).T, b)),
           "no bias": lambda theta: transformed(theta, lambda W, b: (W, 0 * b)),
           "tanh for sigmoid": lambda theta: transformed(theta, activation=np.tanh)}),
    Claim("ou2018.eq2.index", masses(lambda layer, widths: widths[layer]),
          equals(lambda theta: np.ones(3), lambda seed: theta_case(seed, D=4, H1=3, H2=2)),
          {"1:H_{l+1}, the width of the layer above": masses(lambda layer, widths: (widths + (2,))[layer + 1]),
           "1:L, the number of layers": masses(lambda layer, widths: 2)},
          printed=masses(lambda layer, widths: 3)),       # one H for all layers, here that of h1
    Claim("ou2018.eq2.prior", lambda theta: masses(lambda layer, widths: widths[layer])(theta)[2],
          equals(lambda theta: 1.0, lambda seed: theta_case(seed, D=3, H1=4, H2=5)),
          {"1:L, the number of layers": lambda theta: masses(lambda layer, widths: 2)(theta)[2],
           "1:H_1, the width of the lowest layer": lambda theta: masses(lambda layer, widths: widths[1])(theta)[2]},
          printed=lambda theta: masses(lambda layer, widths: widths[0])(theta)[2]),
]
