r"""The GAN's two objectives as expectations over x and its label (lecture12 Secs. 3-3.2).

    conventional   max_phi   E_p_data log D(x) + E_p_g log(1 - D(x))        max_theta   E_p_g log D(x)
    rewritten      max_phi   L_phi   = E_{p_theta(x|y) p(y)} log q(y|x)
                   max_theta L_theta = E_{p_theta(x|y) p(y)} log q^r(y|x),  q^r(y|x) = q(1 - y|x)

With uniform labels L_phi is half of the conventional objective, so the best discriminator is the same,
D* = p_data / (p_data + p_g): the posterior of the label, not of a latent variable. L_theta is half of its own plus a
constant, so generators that follow it move alike, at any p(y).

The model is that of models/labels.py: theta = {"x": (X,)}, phi = {"D": (X,)}, p_data (X,), p_y (2,).

With uniform labels twice L_phi is the conventional objective of the discriminator:

>>> from refdgm.adversarial.adversarial_inference import conventional_objectives, discriminator_objective, uniform_case
>>> theta, phi, p_data, _ = uniform_case(0).values()
>>> conventional, _ = conventional_objectives(theta, phi, p_data)
>>> round(float(2 * discriminator_objective(theta, phi, p_data)), 2), round(float(conventional), 2)
(-1.83, -1.83)
"""
import math

import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, minimises
from refdgm.models import tables
from refdgm.models.labels import (UNIFORM, expectation, log_generator, log_q, log_q_reversed, marginal,
                                  optimal_phi, random_case, score_theta, uniform_case)
from refdgm.numerics import kl, log_sigmoid, weighted_sum


def discriminator_objective(theta, phi, p_data, p_y=UNIFORM):
    """L_phi = E_{p_theta(x|y) p(y)} log q_phi(y|x) (lecture12 Sec. 3.1).  -> ()"""
    return expectation(theta, p_data, p_y, log_q(phi))


def generator_gradient(theta, phi, p_y=UNIFORM):
    """dL_theta/dtheta = p(y=0) E_p_g[log D(x) dlog p_g(x)/dtheta] (lecture12 Sec. 3.1): the data do not enter."""
    return weighted_sum(p_y[0] * np.exp(log_generator(theta)) * log_q_reversed(phi)[0], score_theta(theta))


def evidence_and_gap(theta, phi, x):
    """-log p(x) + KL(q(z|x) || p(z|x)), what variational EM minimises (lecture12 Sec. 3.2).  -> ()"""
    return -tables.log_marginal(theta)[x] + kl(np.exp(tables.log_q(phi))[x], np.exp(tables.log_posterior(theta))[x])


def pushforward(G, p_z, X):
    """p_g(x) = sum_z p(z) 1[G(z) = x], the law of G(z) for a table G (Z,) of images (lecture12 Sec. 3.1).  -> (X,)"""
    return onp.bincount(G, weights=p_z, minlength=X)


# ---- oracles and cases ----------------------------------------------------------------

def conventional_objectives(theta, phi, p_data):
    """E_p_data log D + E_p_g log(1 - D) and E_p_g log D, with plain ratios (lecture12 Sec. 3)."""
    D, p_g = 1 / (1 + np.exp(-phi["D"])), np.exp(theta["x"]) / np.sum(np.exp(theta["x"]))
    return np.sum(p_data * np.log(D)) + np.sum(p_g * np.log(1 - D)), np.sum(p_g * np.log(D))


def without_labels(case):
    """The arguments of a fixed generator and data law: for objectives of a discriminator."""
    return lambda seed: {name: value for name, value in case(seed).items() if name in ("theta", "p_data")}


def mapped_noise(seed, Z=9, X=6, n=8):
    """A generator that maps Z noise states to X images, some from several and some from none; data; a function f."""
    rng = onp.random.default_rng(seed)
    return {"G": rng.integers(0, X, Z), "p_z": rng.dirichlet(onp.ones(Z)), "data": rng.integers(0, X, n),
            "f": rng.normal(size=X)}


def class_means(p_g, swap=False):
    """[E f(x) given y = 0, E f(x) given y = 1], with the table p(x|y) made of p_g(G, p_z, X) and the data's shares."""
    def means(G, p_z, data, f):
        laws = onp.stack([p_g(G, p_z, len(f)), onp.bincount(data, minlength=len(f)) / len(data)])
        return (laws[::-1] if swap else laws) @ f
    return means


def means_of_draws(G, p_z, data, f):
    """The same without a table: the mean over the noise, and the mean over the data set."""
    return onp.array([sum(p * f[G[z]] for z, p in enumerate(p_z)), sum(f[x] for x in data) / len(data)])


def latent_generator(seed, X=5):
    """A generator with one latent bit z, p(x|z) in two rows; y is the label, with a prior of its own."""
    rng = onp.random.default_rng(seed)
    return {"p_x_given_z": rng.dirichlet(onp.ones(X), size=2), "p_z": rng.dirichlet(2 * onp.ones(2)),
            "p_data": rng.dirichlet(2 * onp.ones(X)), "p_y": rng.permutation([0.3, 0.7])}


def loss_of_labels(phi, p_x_given_z, p_z, p_data, p_y):
    """-L_phi with the latent bit as one of the variables: -sum over y, z and x of p(y) p(z) p(x|z, y) log q(y|x)."""
    D = 1 / (1 + np.exp(-phi["D"]))
    generated = p_z[:, None] * p_x_given_z * np.log(1 - D)
    return -p_y[0] * np.sum(generated) - p_y[1] * np.sum(p_data * np.log(D))


def free_energy(theta, phi, x):
    """sum_z q(z|x) [log q(z|x) - log p(x, z)], with both tables normalised by plain sums."""
    p, q = onp.exp(theta["joint"]), onp.exp(phi["q"][x])
    p, q = p / p.sum(), q / q.sum()
    return sum(q[z] * (math.log(q[z]) - math.log(p[x, z])) for z in range(len(q)))


def recognition_case(seed):
    case = tables.random_case(seed)
    return {"theta": case["theta"], "phi": case["phi"], "x": seed % 4}


# ---- claims ---------------------------------------------------------------------------

def logit_of(odds):
    """The parameters of a discriminator with odds(p_data, p_g) that x is real."""
    def phi(theta, p_data):
        return {"D": np.log(odds(p_data, np.exp(log_generator(theta))))}
    return phi


def reversed_table(flip):
    """[q^r(0|x), q^r(1|x), their sum] for a way to turn the table q(y|x) round."""
    def table(theta, phi):
        q_r = flip(np.exp(log_q(phi)))
        return np.stack([q_r[0], q_r[1], q_r[0] + q_r[1]])
    return table


def reversed_by_hand(theta, phi):
    D = [1 / (1 + math.exp(-a)) for a in phi["D"]]
    return onp.array([D, [1 - d for d in D], [1.0 for _ in D]])


def nets_case(seed):
    case = random_case(seed)
    return {"theta": case["theta"], "phi": case["phi"]}


def twice(objective):
    return lambda theta, phi, p_data, p_y: 2 * objective(theta, phi, p_data, p_y)


def on_data_only(theta, phi, p_data, p_y):
    return p_data @ np.log(np.exp(log_q(phi)).T @ p_y)


def generator_moves(log_reward, law=lambda theta, p_data: np.exp(log_generator(theta)), share=0):
    """p(y=share) E_law[log_reward(phi) dlog p_g/dtheta]."""
    return lambda theta, phi, p_data, p_y: weighted_sum(p_y[share] * law(theta, p_data) * log_reward(phi),
                                                        score_theta(theta))


def label_posterior(p_x_given_z, p_z, p_data, p_y):
    return {"D": np.log(p_y[1] * p_data) - np.log(p_y[0] * (p_z @ p_x_given_z))}


def latent_posterior(p_x_given_z, p_z, p_data, p_y):
    return {"D": np.log(p_z[1] * p_x_given_z[1]) - np.log(p_z[0] * p_x_given_z[0])}


CLAIMS = [
    Claim("lecture12.sec3_Dstar", lambda theta, p_data: optimal_phi(theta, p_data, UNIFORM),
          minimises(lambda theta, phi, p_data: -conventional_objectives(theta, phi, p_data)[0], "phi",
                    without_labels(random_case)),
          {"p_g / (p_data + p_g)": logit_of(lambda p, g: g / p),
           "D = 1/2, the equilibrium's, for every generator": logit_of(lambda p, g: g / g),
           "D = p_data": logit_of(lambda p, g: p / (1 - p)),
           "p_data / (p_data + p_g) taken for the odds": logit_of(lambda p, g: p / (p + g))}),
    Claim("lecture12.sec3.1_pxy", class_means(pushforward), equals(means_of_draws, mapped_noise),
          {"the labels exchanged": class_means(pushforward, swap=True),
           "every image of G equally likely": class_means(lambda G, p_z, X: (onp.bincount(G, minlength=X) > 0)
                                                          / len(set(G))),
           "every z equally likely": class_means(lambda G, p_z, X: onp.bincount(G, minlength=X) / len(G))}),
    Claim("lecture12.sec3.1_qr", reversed_table(lambda q: q[::-1]), equals(reversed_by_hand, nets_case),
          {"not reversed": reversed_table(lambda q: q),
           "1/q(y|x)": reversed_table(lambda q: 1 / q),
           "reversed in x": reversed_table(lambda q: q[:, ::-1])}),
    Claim("lecture12.sec3.1_Lphi", twice(discriminator_objective),
          equals(lambda theta, phi, p_data, p_y: conventional_objectives(theta, phi, p_data)[0], uniform_case),
          {"equal, not half of it": discriminator_objective,
           "the reversed discriminator": twice(lambda theta, phi, p_data, p_y: expectation(
               theta, p_data, p_y, log_q_reversed(phi))),
           "p(y) inside the logarithm": twice(on_data_only),
           "x from p(x), whatever its label": twice(lambda theta, phi, p_data, p_y: np.sum(
               p_y @ (marginal(theta, p_data, p_y) * log_q(phi)))),
           "three fakes to one real": lambda theta, phi, p_data, p_y: 2 * discriminator_objective(
               theta, phi, p_data, onp.array([0.75, 0.25]))}),
    Claim("lecture12.sec3.1_Ltheta", lambda theta, phi, p_data, p_y: generator_gradient(theta, phi, p_y),
          is_gradient_of(lambda theta, phi, p_data, p_y: p_y[0] * conventional_objectives(theta, phi, p_data)[1],
                         "theta", random_case),
          {"q for q^r: log(1 - D), ascended": generator_moves(lambda phi: log_sigmoid(-phi["D"])),
           "the saturating game: log(1 - D), descended": generator_moves(lambda phi: -log_sigmoid(-phi["D"])),
           "the weight of real x": generator_moves(lambda phi: log_sigmoid(phi["D"]), share=1),
           "x from the data": generator_moves(lambda phi: log_sigmoid(phi["D"]), lambda theta, p_data: p_data)}),
    Claim("lecture12.sec3.1_discriminator_note", label_posterior, minimises(loss_of_labels, "phi", latent_generator),
          {"the posterior of the latent z": latent_posterior,
           "p(y) forgotten": lambda p_x_given_z, p_z, p_data, p_y: label_posterior(p_x_given_z, p_z, p_data, UNIFORM),
           "z is always 1": lambda p_x_given_z, p_z, p_data, p_y: label_posterior(p_x_given_z, onp.array([0.0, 1.0]),
                                                                                 p_data, p_y)}),
    Claim("lecture12.sec3.2_em", evidence_and_gap, equals(free_energy, recognition_case),
          {"KL(p(z|x) || q), the other direction": lambda theta, phi, x: -tables.log_marginal(theta)[x] + kl(
              np.exp(tables.log_posterior(theta))[x], np.exp(tables.log_q(phi))[x]),
           "+ log p(x)": lambda theta, phi, x: evidence_and_gap(theta, phi, x) + 2 * tables.log_marginal(theta)[x],
           "KL to the prior": lambda theta, phi, x: -tables.log_marginal(theta)[x] + kl(
               np.exp(tables.log_q(phi))[x], np.exp(tables.log_prior(theta)))}),
]
