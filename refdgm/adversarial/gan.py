r"""Generative adversarial networks (ou2018 Sec. 3.2.4, Eqs. 24-25; Goodfellow et al. 2014).

A discriminator D = sigmoid(V) tells data, x ~ p0, from what a generator makes of noise, x = G(eps) ~ p:

    Eq. 24   min_theta max_psi  F(theta, psi) = E_{p0}[log D(x)] + E_eps[log(1 - D(G(eps)))]
    after    D*(x) = p0(x) / (p0(x) + p(x)),   V*(x) = log p0(x)/p(x)
    Eq. 25   F(theta, psi*) = E_{p0}[log p0/(p0 + p)] + E_p[log p/(p0 + p)] = -log 4 + 2 JS[p0||p]
    saddle   p = p0, D = 1/2, F = -log 4

p0, p, V, D (n,), one entry per point; noise, G (m,), the law of eps and the point that each eps becomes.

At p = p0 the value is -log 4, its minimum; for another p it is larger.

>>> import numpy as np
>>> from refdgm.adversarial.gan import value
>>> fair = np.array([0.5, 0.5])
>>> round(float(value(fair, fair)), 3), round(float(value(fair, np.array([0.2, 0.8]))), 3)
(-1.386, -1.285)
"""
import math

import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, vanishes
from refdgm.divergences import js
from refdgm.models.finite_game import crossing, pushforward, random_generator, random_laws, supremum
from refdgm.numerics import kl, log_sigmoid


def objective(p0, noise, G, V):
    """F_GAN = E_{p0}[log D(x)] + E_eps[log(1 - D(G(eps)))], D = sigmoid(V) (ou2018 Eq. 24).  -> ()"""
    return np.sum(p0 * log_sigmoid(V)) + np.sum(noise * log_sigmoid(-V[G]))


def optimal_discriminator(p0, p):
    """D* = p0 / (p0 + p) (ou2018 Sec. 3.2.4, before Eq. 25).  (n,), (n,) -> (n,)"""
    return p0 / (p0 + p)


def value(p0, p):
    """max_psi F = -log 4 + 2 JS[p0||p] (ou2018 Eq. 25).  (n,), (n,) -> ()"""
    return -np.log(4) + 2 * js(p0, p)


def second_term(p0, noise, G):
    """E_eps[log p(x)/(p0(x) + p(x))] at x = G(eps) (ou2018 Eq. 25).  -> ()"""
    p = pushforward(noise, G, len(p0))
    return np.sum(noise * np.log(p / (p0 + p))[G])


# ---- oracles --------------------------------------------------------------------------

def table_objective(p0, p, V):
    """F with the generator's law as a table."""
    return np.sum(p0 * log_sigmoid(V) + p * log_sigmoid(-V))


def best_response(p0, p):
    """The discriminator with zero gradient, by bisection of each logit."""
    V = crossing(lambda V: grad(table_objective, 2)(p0, p, V), onp.full(p0.shape, -20.0), onp.full(p0.shape, 20.0))
    return 1 / (1 + onp.exp(-V))


def largest_value(p0, p):
    """max_D F, point by point."""
    return onp.sum(supremum(lambda D: p0[:, None] * onp.log(D) + p[:, None] * onp.log(1 - D),
                            onp.full(p0.shape, 1e-9), onp.full(p0.shape, 1 - 1e-9)))


def duality_gap(p0, p, D):
    """max_D' F(p, D') - min_p' F(p', D): what either player could gain alone; zero at a saddle point and only there.

    The generator's best answer puts all its mass where log(1 - D) is least.
    """
    return largest_value(p0, p) - (onp.sum(p0 * onp.log(D)) + onp.min(onp.log(1 - D)))


# ---- claims ---------------------------------------------------------------------------

def label_likelihood(p0, noise, G, V):
    """2 E log P(label|x): a fair coin chooses data or generator, and D says how probable the right label is."""
    of_data = [1 / (1 + math.exp(-v)) for v in V]
    joint = [(0.5 * mass, of_data[x]) for x, mass in enumerate(p0)]
    joint += [(0.5 * mass, 1 - of_data[x]) for x, mass in zip(G, noise)]
    return 2 * sum(mass * math.log(right) for mass, right in joint)


def posterior_of_data(p0, p, prior=0.5):
    """P(data|x) by Bayes from the table of P(label, x)."""
    joint = onp.array([prior * p0, (1 - prior) * p])
    return joint[0] / joint.sum(0)


def other_objective(of_data=log_sigmoid, of_fake=lambda V: log_sigmoid(-V)):
    return lambda p0, noise, G, V: onp.sum(p0 * of_data(V)) + onp.sum(noise * of_fake(V[G]))


def rest_of_value(p0, noise, G):
    """What Eq. 25's first term leaves of the value."""
    p = pushforward(noise, G, len(p0))
    return largest_value(p0, p) - sum(a * math.log(a / (a + b)) for a, b in zip(p0, p))


def generator_case(seed):
    case = random_generator(seed)
    del case["V"]
    return case


def integral(law, numerator=lambda p0, p: p):
    """The mean of log numerator/(p0 + p) under a law of x."""
    def mean(p0, noise, G):
        p = pushforward(noise, G, len(p0))
        return onp.sum(law(p0, p) * onp.log(numerator(p0, p) / (p0 + p)))
    return mean


def gap_at(point):
    """The duality gap at point(p0) = (p, D)."""
    return lambda p0: duality_gap(p0, *point(p0))


def data_case(seed):
    return {"p0": random_laws(seed)["p0"]}


def half(p0):
    return onp.full(p0.shape, 0.5)


CLAIMS = [
    Claim("ou2018.eq24", objective, equals(label_likelihood, random_generator),
          {"log D(G) in the second term": other_objective(of_fake=log_sigmoid),
           "the labels exchanged": other_objective(lambda V: log_sigmoid(-V), log_sigmoid),
           "the loss of D, not its reward": lambda **c: -objective(**c),
           "1 - log D": other_objective(of_fake=lambda V: 1 - log_sigmoid(V)),
           "the mean over all samples, not the sum of two means": lambda **c: objective(**c) / 2}),
    Claim("ou2018.eq24.D_meaning", best_response, equals(posterior_of_data, random_laws),
          {"P(generated|x)": lambda p0, p: 1 - best_response(p0, p),
           "p0(x)": lambda p0, p: p0,
           "the ratio p0/p": lambda p0, p: p0 / p,
           "two fakes for each datum": lambda p0, p: best_response(p0, 2 * p)}),
    Claim("ou2018.optD", optimal_discriminator, equals(best_response, random_laws, method="optimisation"),
          {"p/(p0 + p)": lambda p0, p: optimal_discriminator(p, p0),
           "p0/p": lambda p0, p: p0 / p,
           "p0 over the mixture": lambda p0, p: 2 * p0 / (p0 + p),
           "squared densities: sigmoid(2 V)": lambda p0, p: optimal_discriminator(p0**2, p**2)}),
    Claim("ou2018.eq25", value, equals(largest_value, random_laws, method="optimisation"),
          {"JS, without the factor 2": lambda p0, p: -onp.log(4) + js(p0, p),
           "-log 2": lambda p0, p: -onp.log(2) + 2 * js(p0, p),
           "+log 4": lambda p0, p: onp.log(4) + 2 * js(p0, p),
           "KL for JS": lambda p0, p: -onp.log(4) + 2 * kl(p0, p)}),
    Claim("ou2018.eq25.notation", second_term, equals(rest_of_value, generator_case, method="optimisation"),
          {"the mixture as the law of x": integral(lambda p0, p: (p0 + p) / 2),
           "a sum over points": integral(lambda p0, p: 1.0),
           "log D* for log(1 - D*)": integral(lambda p0, p: p, lambda p0, p: p0)},
          printed=integral(lambda p0, p: p0)),    # the one x in sight is that of the first expectation
    Claim("ou2018.gan.saddle", gap_at(lambda p0: (p0, half(p0))),
          vanishes(lambda p0: onp.log(4), data_case, method="optimisation"),
          {"a discriminator that is sure": gap_at(lambda p0: (p0, half(p0) + 0.4)),
           "a uniform generator": gap_at(lambda p0: (0 * p0 + 1 / p0.size, half(p0))),
           "D = p0": gap_at(lambda p0: (p0, p0)),
           "D* against a uniform generator": gap_at(
               lambda p0: (0 * p0 + 1 / p0.size, optimal_discriminator(p0, 1 / p0.size)))}),
]
