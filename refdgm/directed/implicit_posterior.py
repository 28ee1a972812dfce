r"""A black-box inference model: q(h|x) is known by its sampler only (ou2018 Sec. 3.2.1, before Eq. 11).

    h = draw[x, u]  with  u ~ noise (U,),   so  q(h|x) = sum of noise[u] over the u with draw[x, u] = h

draw (X, U) holds states 0..H-1. Nothing here evaluates q(h|x) except the tally that serves as oracle: Eq. 13 needs
draws, a discriminator V (X, H), and the density log p(x|h) (X, H), which therefore has to stay prescribed.

The bound by the sampler alone, and with q tallied:

    >>> from refdgm.directed.implicit_posterior import bound, by_sampler, random_case
    >>> [round(float(value(**random_case(0))), 3) for value in (by_sampler, bound)]
    [-1.654, -1.654]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import tables
from refdgm.numerics import log_softmax


def draw_objective(log_likelihood, V, x, h):
    """-V(x, h) + log p(x|h) at draws (x, h) of p~ q, the summand of ou2018 Eq. 13.  (...), (...) -> (...)"""
    return log_likelihood[x, h] - V[x, h]


def mean_over_noise(summand, p_data, draw, noise):
    """E_{p~(x)} E_u[summand(x, draw[x, u])].  -> ()"""
    x = onp.arange(len(draw))[:, None]
    return np.sum(p_data[:, None] * noise * summand(x, draw))


def tally(draw, noise, H):
    """q(h|x) by collecting the noise that leads to h.  -> (X, H)"""
    return onp.sum(noise[:, None] * (draw[..., None] == onp.arange(H)), axis=1)


def random_case(seed, U=7):
    """Random tables and a sampler in which every h comes from two or three values of the noise."""
    rng = onp.random.default_rng([seed, 3])
    case = tables.random_case(seed)
    log_likelihood, log_prior = tables.log_likelihood(case["theta"]), log_softmax(rng.normal(size=3))
    draw = onp.stack([rng.permutation(onp.arange(U) % 3) for _ in case["p_data"]])
    noise = rng.dirichlet(onp.ones(U) * 2)
    return {"log_likelihood": log_likelihood, "log_prior": log_prior, "p_data": case["p_data"], "draw": draw,
            "noise": noise, "V": onp.log(tally(draw, noise, 3)) - log_prior}      # the optimum of ou2018 Eq. 12


# ---- claims ---------------------------------------------------------------------------

def bound(log_likelihood, log_prior, p_data, draw, noise, V):
    """E_{p~ q}[log p(h) + log p(x|h) - log q(h|x)], the density of q tallied (ou2018 Eq. 11)."""
    q = tally(draw, noise, len(log_prior))
    return np.sum(p_data[:, None] * q * (log_prior + log_likelihood - np.log(q)))


def by_sampler(log_likelihood, log_prior, p_data, draw, noise, V):
    return mean_over_noise(lambda x, h: draw_objective(log_likelihood, V, x, h), p_data, draw, noise)


def density_of_the_noise_for_q(log_likelihood, log_prior, p_data, draw, noise, V):
    return mean_over_noise(lambda x, h: log_prior[h] + log_likelihood[x, h] - np.log(noise), p_data, draw, noise)


def draws_of_the_prior(log_likelihood, log_prior, p_data, draw, noise, V):
    return np.sum(p_data[:, None] * np.exp(log_prior) * (log_likelihood - V))


def likelihood_free_decoder(log_likelihood, **rest):
    """p(x|h) as the implicit model: its log cannot be evaluated, and only -V is left."""
    return by_sampler(log_likelihood=0 * log_likelihood, **rest)


CLAIMS = [
    Claim("ou2018.avb.prose", by_sampler, equals(bound, random_case),
          {"density of the noise for that of q": density_of_the_noise_for_q,
           "draws of the prior": draws_of_the_prior,
           "+V": lambda V, **rest: by_sampler(V=-V, **rest)},
          printed=likelihood_free_decoder),
]
