r"""The two players of a GAN: objectives, best responses, equilibrium (lecture12 Sec. 3).

    generator       x = G(z), z ~ p(z), which gives x the law p_G
    discriminator   D(x) in (0, 1), the probability that x is data
    L_D             max_D E_data log D(x) + E_G log(1 - D(x))         attained at D = p_data / (p_data + p_G)
    equilibrium     p_G = p_data and D = 1/2: neither player can gain

The notes print log 1 - D(x) without brackets, which read literally is -D(x), and x = G(x). Laws and D are vectors over
finitely many x, (X,); a generator is the vector G (Z,) of the x that each z becomes.

What the best discriminator makes of a generator with p_G = 0.5, and at the equilibrium, -log 4:

>>> import numpy as np
>>> from refdgm.adversarial.gan_lecture import best_discriminator, discriminator_objective
>>> p_data = np.array([0.2, 0.8])
>>> values = [discriminator_objective(best_discriminator(p_data, p), p_data, p) for p in (np.ones(2) / 2, p_data)]
>>> [round(float(value), 3) for value in values]
[-1.285, -1.386]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises, vanishes
from refdgm.models.finite_game import pushforward, supremum
from refdgm.numerics import log_sigmoid, sigmoid


def generated_law(G, p_z, X):
    """p_G(x), the law of x = G(z) for z ~ p(z) (lecture12 Sec. 3).  G (Z,) integers, p_z (Z,) -> (X,)"""
    valid.require(0 <= min(G) and max(G) < X, f"G must map to x = 0..{X - 1}, but reaches {min(G)} and {max(G)}.")
    return pushforward(p_z, G, X)


def discriminator_objective(D, p_data, p_G):
    """L_D = E_data log D(x) + E_G log(1 - D(x)), to be maximised (lecture12 Sec. 3).  (X,), (X,), (X,) -> ()"""
    return np.sum(p_data * np.log(D)) + np.sum(p_G * np.log(1 - D))


def best_discriminator(p_data, p_G):
    """D(x) = p_data / (p_data + p_G) (lecture12 Sec. 3).  (X,), (X,) -> (X,)"""
    valid.require(np.min(p_data + p_G) > 0, "every x must be possible as data or as a sample: elsewhere D is free.")
    return p_data / (p_data + p_G)


def equilibrium(p_data):
    """D and p_G from which neither player moves: D = 1/2 on p_G = p_data (lecture12 Sec. 3).  (X,) -> (X,), (X,)"""
    return best_discriminator(p_data, p_data), p_data


# ---- claims ---------------------------------------------------------------------------

def random_laws(seed, X=5):
    rng = onp.random.default_rng([seed, X])
    return {"p_data": rng.dirichlet(onp.ones(X)), "p_G": rng.dirichlet(onp.ones(X))}


def random_players(seed):
    return random_laws(seed) | {"D": sigmoid(onp.random.default_rng([seed, 1]).normal(size=5))}


def generator_case(seed, X=4):
    """Six values of z, a map of them to four values of x, and a law of the data."""
    rng = onp.random.default_rng([seed, X])
    return {"G": onp.append(rng.permutation(X), rng.integers(0, X, 2)), "p_z": rng.dirichlet(onp.ones(6)),
            "p_data": rng.dirichlet(onp.ones(X))}


def by_inverse_images(G, p_z, p_data):
    """The oracle of p_G: the probability of G^{-1}(x), x by x."""
    return onp.array([sum(p for p, image in zip(p_z, G) if image == x) for x in range(len(p_data))])


def decomposed(D, p_data, p_G):
    """The oracle of L_D: 2 JS - log 4 less the KL from the Bayes label probabilities, in 2 x the number of pairs."""
    total = -2 * onp.log(2)
    for p, q, d in zip(p_data, p_G, D):
        bayes = p / (p + q)
        total += p * onp.log(2 * bayes) + q * onp.log(2 * (1 - bayes))
        total -= p * onp.log(bayes / d) + q * onp.log((1 - bayes) / (1 - d))
    return total


def without_brackets(D, p_data, p_G):
    """E_data log D + E_G[log 1 - D]."""
    return np.sum(p_data * np.log(D)) + np.sum(p_G * (np.log(1) - D))


def class_case(low, high):
    """Real and generated examples with a share of real ones between low and high; and any logits to start from."""
    def case(seed):
        rng = onp.random.default_rng([seed, 2])
        return random_laws(seed) | {"logits": rng.normal(size=5), "share": rng.uniform(low, high)}
    return case


def logits_of(D=best_discriminator):
    """log D / (1 - D) of a discriminator told how often each x is data and how often it is generated."""
    def logits(logits, p_data, p_G, share):
        output = D(share * p_data, (1 - share) * p_G)
        return np.log(output) - np.log(1 - output)
    return logits


def negative_L_D(logits, p_data, p_G, share):
    return -np.sum(p_data * log_sigmoid(logits)) - np.sum(p_G * log_sigmoid(-logits))


def balanced_case(seed):
    return class_case(0.5, 0.5)(seed)


def exploitability(D, p_G, p_data):
    """What the two players together could gain by best responses, found by brute force: zero only at an equilibrium.

    Against p_G every D(x) is searched for on its own; against D all samples go where D is largest.
    """
    def summand(candidates): return p_data[:, None] * np.log(candidates) + p_G[:, None] * np.log(1 - candidates)
    best_for_D = np.sum(supremum(summand, np.full(len(p_data), 1e-9), 1 - 1e-9))
    best_for_G = np.sum(p_data * np.log(D)) + np.log(1 - np.max(D))
    return best_for_D - best_for_G


def at(players):
    return lambda p_data: exploitability(*players(p_data), p_data)


def with_best_discriminator(generator):
    return at(lambda p_data: (best_discriminator(p_data, generator(p_data)), generator(p_data)))


def with_right_generator(D):
    return at(lambda p_data: (D(p_data), p_data))


def data_case(seed):
    return {"p_data": random_laws(seed)["p_data"]}


CLAIMS = [
    Claim("lecture12.sec3_gen", lambda G, p_z, p_data: generated_law(G, p_z, len(p_data)),
          equals(by_inverse_images, generator_case),
          {"each z counts once, whatever p(z)": lambda G, p_z, p_data: generated_law(
              G, onp.full(len(G), 1 / len(G)), len(p_data)),
           "the last z that reaches x, not all of them": lambda G, p_z, p_data: onp.array(
               [p_z[onp.flatnonzero(G == x)[-1]] for x in range(len(p_data))]),
           "p(z) at z = G(x): the map applied the wrong way": lambda G, p_z, p_data: p_z[G[:len(p_data)]]},
          printed=lambda G, p_z, p_data: generated_law(G[:len(p_data)], p_data, len(p_data))),
    Claim("lecture12.sec3_disc", logits_of(), minimises(negative_L_D, "logits", balanced_case),
          {"the probability of being generated": logits_of(lambda real, generated: generated / (real + generated)),
           "the density ratio as a probability, cut below one": logits_of(
               lambda real, generated: np.minimum(real / generated, 0.999)),
           "D = p_data": logits_of(lambda real, generated: real / np.sum(real)),
           "the share of data among all x, not at x": logits_of(
               lambda real, generated: np.full(len(real), np.sum(real))),
           "twice as sure": logits_of(lambda real, generated: real**2 / (real**2 + generated**2))},
          without=minimises(negative_L_D, "logits", class_case(0.7, 0.9))),
    Claim("lecture12.sec3_LD", discriminator_objective, equals(decomposed, random_players),
          {"log D on both terms": lambda D, p_data, p_G: np.sum((p_data + p_G) * np.log(D)),
           "data and samples exchanged": lambda D, p_data, p_G: discriminator_objective(D, p_G, p_data),
           "the mean of both, a factor 1/2": lambda D, p_data, p_G: discriminator_objective(D, p_data, p_G) / 2,
           "cross-entropy, to be minimised": lambda D, p_data, p_G: -discriminator_objective(D, p_data, p_G)},
          printed=without_brackets),
    Claim("lecture12.sec3_equilibrium", at(equilibrium), vanishes(lambda p_data: onp.log(4), data_case),
          {"a sharper generator, with its best discriminator": with_best_discriminator(
              lambda p_data: p_data**2 / np.sum(p_data**2)),
           "a uniform generator, with its best discriminator": with_best_discriminator(
               lambda p_data: np.full(len(p_data), 1 / len(p_data))),
           "D = 1/2 against any generator": at(lambda p_data: (np.full(len(p_data), 0.5), p_data[::-1])),
           "D = 2/3 on the right generator": with_right_generator(lambda p_data: np.full(len(p_data), 2 / 3)),
           "D = p_data": with_right_generator(lambda p_data: p_data)}),
]
