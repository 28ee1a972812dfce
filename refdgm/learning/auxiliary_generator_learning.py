r"""Learning a neural random field p together with a generator q that stands in for its sampler (ou2018 Sec. 4.2.2-3).

    F_theta = mean of du(x~)/dtheta over the data - mean of du(x)/dtheta over x                            (Eq. 34)

              x                                          F_phi
    EAG       from q (Kim and Bengio), or from p         -dKL[q || p]/dphi                         (Eqs. 35-36)
    IAG       from p                                     mean of dlog q(x, h)/dphi, h ~ q(h|x)     (Eq. 38, Alg. 7)

from p: chains that go on, moved by MIS with q as proposal (w = exp(u) r / q, of today's parameters) and by sweeps, or
MALA. For x = G(eps), -KL[q || p] is the mean of u + log r at G(eps) plus H[q], whose gradient is that of the mean of
-log q(G(eps)), or of the activations' normal entropies, Kim and Bengio's approximation. On bits x has no slope in phi,
and the gradient is the mean of (log w(x) - baseline) dlog q(x)/dphi.

With x from q, theta and phi play max min of  E_p~ u - E_q u - H[q], of which min over every q is the log-likelihood:
where q's family falls short, theta goes on to where the mean of du/dtheta under q is the data's, not that under p.

A Generator is autoregressive or a sigmoid belief net on bits, an invertible layer on reals (models.implicit).
x (C, D), noise (C, M), log w and log q (C,).

The mean log p(x) of two bits that always agree, at the start and after 40 steps beside a generator:

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.auxiliary_generator_learning import autoregressive_generator, exact, iag
>>> x, q = np.array([[0.0, 0.0], [1.0, 1.0]]), autoregressive_generator()
>>> fit = refdgm.fit(iag(J=4, generator=q), x, 40, update=refdgm.updates.adam(), monitor=exact(x, q))
>>> [round(float(log_p), 2) for log_p in fit.history["log_p"]]
[-1.38, -0.76]
"""
from typing import NamedTuple
from collections.abc import Callable

import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.models import autoregressive, implicit, sbn
from refdgm.models.random_field import potential
from refdgm.numerics import log_softmax, mean_log_odds, sigmoid, weighted_sum
from refdgm.samplers import independence
from refdgm.streams import Stream, normals, stream, uniforms
from refdgm.undirected import neural_field
from refdgm.undirected.batch_norm_entropy import normal_entropy

CHAINS = 2**30                                      # the number of the first chain
NOISE, LATENT, PROPOSE, ACCEPT = 1000, 1001, 1002, 2002     # the draws of a step; below them the moves'


class Generator(NamedTuple):
    """A directed model q(x); noise comes in rows (C, M)."""
    name: str
    start: Callable         # (x, seed) -> phi
    noise: Callable         # (phi, stream, draw) -> (C, M)
    make: Callable          # (phi, noise) -> x (C, D)
    log_q: Callable         # (phi, x) -> (C,)
    score: Callable         # (phi, x, a (C,), u (C,)) -> sum_n a_n dlog q/dphi; u_n draws a latent for x_n
    real: bool              # x = make(phi, noise) is real, and has a slope in phi


# ---- generators -----------------------------------------------------------------------

def autoregressive_generator():
    """Logistic conditionals: log q(x) is a sum of D terms (ou2018 Eq. 39)."""
    return Generator(
        "autoregressive", lambda x, seed: {"W": onp.zeros((x.shape[1],) * 2), "b": mean_log_odds(x)},
        lambda phi, s, draw: uniforms(s, len(phi["b"]), draw), autoregressive.sample, autoregressive.log_prob,
        lambda phi, x, a, u: weighted_sum(a, autoregressive.score_theta(phi, x)), False)


def belief_net(H=4):
    """q(x, h) = q(h) q(x|h) with H latent bits, over which q(x) and q(h|x) are summed (ou2018 Alg. 7)."""
    valid.count("H", H)

    def start(x, seed):
        W = normals(stream(seed, 1, first=2**31 + 1), x.shape[1] * H)[0].reshape(-1, H)
        return {"a": onp.zeros(H), "W": W, "b": mean_log_odds(x) - W.sum(axis=1) / 2}

    def make(phi, noise):
        h = 1.0 * (noise[:, :H] < sigmoid(phi["a"]))
        return 1.0 * (noise[:, H:] < sigmoid(h @ phi["W"].T + phi["b"]))

    def score(phi, x, a, u):
        up_to = onp.cumsum(sbn.posterior(phi, x), axis=1)
        h = sbn.latent_states(phi)[onp.sum(up_to[:, :-1] < u[:, None], axis=1)]
        return weighted_sum(a, sbn.score_theta(phi, x, h))
    return Generator("sigmoid belief net", start, lambda phi, s, draw: uniforms(s, H + len(phi["b"]), draw), make,
                     sbn.log_marginal, score, False)


def invertible():
    """x = A sinh(arcsinh(eps) + s) + m: an implicit model whose density can be had."""
    by_autograd = grad(lambda phi, x, a: np.sum(a * implicit.log_density(phi, x)))
    return Generator(
        "invertible", lambda x, seed: {"A": onp.diag(x.std(axis=0)), "s": onp.zeros(x.shape[1]), "m": x.mean(axis=0)},
        lambda phi, s, draw: normals(s, len(phi["m"]), draw), implicit.generate, implicit.log_density,
        lambda phi, x, a, u: by_autograd(phi, x, a), True)


# ---- x from p -------------------------------------------------------------------------

def log_weights(theta, phi, x, generator, sigma):
    """log w = u + log r - log q.  (C, D) -> (C,)"""
    return neural_field.log_unnormalised(theta, x, sigma) - generator.log_q(phi, x)


def independent_moves(parameters, x, generator, sigma, number, s):
    """`number` steps of MIS of every chain, q the proposal (ou2018 Sec. 4.2.3).  (C, D) -> (C, D)"""
    theta, phi = parameters["theta"], parameters["phi"]
    log_w = log_weights(theta, phi, x, generator, sigma)
    for k in range(number):
        y = generator.make(phi, generator.noise(phi, s, PROPOSE + k))
        log_w_new = log_weights(theta, phi, y, generator, sigma)
        accepted = uniforms(s, 1, ACCEPT + k)[:, 0] < independence.acceptance(log_w_new, log_w)
        x, log_w = onp.where(accepted[:, None], y, x), onp.where(accepted, log_w_new, log_w)
    return x


# ---- the algorithms -------------------------------------------------------------------

class Draws(NamedTuple):
    """What a step draws: noise for the generator, chains of the field, a uniform number for each one's latent."""
    noise: onp.ndarray
    chains: onp.ndarray
    latent: onp.ndarray


def iag(J=16, generator=None, chains=100, proposals=2, number=1, sigma=None, eps=0.1):
    """The inclusive auxiliary generator learns from the field's chains, for which it proposes (ou2018 Alg. 7)."""
    generator = generator or usual_generator(sigma)

    def phi_row(parameters, z):
        return generator.score(parameters["phi"], z.chains, onp.full(chains, 1 / chains), z.latent)
    return _algorithm("IAG", J, generator, chains, proposals, number, sigma, eps, False, phi_row)


def eag(J=16, generator=None, chains=100, negative="generator", entropy="exact", proposals=2, number=1, sigma=None,
        eps=0.1):
    """The exclusive auxiliary generator climbs the field; `chains` is also how many x it makes (ou2018 Eq. 36).

    negative  x in theta's second mean: from the "generator", Kim and Bengio's way, or from "chains" of the field
    entropy   "exact", or the normal entropies of the "activations", which is for reals
    """
    valid.require(negative in ("generator", "chains"), f"negative must be 'generator' or 'chains', not {negative!r}.")
    valid.require(entropy in ("exact", "activations"), f"entropy must be 'exact' or 'activations', not {entropy!r}.")
    valid.require(entropy == "exact" or sigma is not None, "activations have normal entropies where x is real.")
    generator = generator or usual_generator(sigma)

    def minus_kl(phi, theta, noise):
        x = generator.make(phi, noise)
        spread = -np.mean(generator.log_q(phi, x)) if entropy == "exact" else np.sum(normal_entropy(np.var(x, axis=0)))
        return np.mean(neural_field.log_unnormalised(theta, x, sigma)) + spread
    along_path = grad(minus_kl)

    def phi_row(parameters, z):
        theta, phi = parameters["theta"], parameters["phi"]
        if generator.real:
            return along_path(phi, theta, z.noise)
        x = generator.make(phi, z.noise)
        signal = log_weights(theta, phi, x, generator, sigma)
        return generator.score(phi, x, (signal - signal.mean()) / (len(x) - 1), z.latent)
    moved = negative == "chains"
    return _algorithm("EAG", J, generator, chains, proposals if moved else 0, number if moved else 0, sigma, eps,
                      not moved, phi_row)


def usual_generator(sigma):
    """Autoregressive on bits, invertible on reals."""
    return autoregressive_generator() if sigma is None else invertible()


def _algorithm(name, J, generator, chains, proposals, number, sigma, eps, from_generator, phi_row):
    valid.count("chains", chains, 2)
    valid.count("proposals", proposals, 0, ACCEPT - PROPOSE)
    valid.count("number", number, 0, NOISE // 2)
    valid.positive("eps", eps)
    valid.require(generator.real == (sigma is not None),
                  f"a generator of the kind {generator.name} does not make {'bits' if sigma is None else 'reals'}.")
    begin = neural_field.start(J, sigma)

    def first(x, seed):
        parameters = {"theta": begin(x, seed), "phi": generator.start(x, seed)}
        return parameters, {"x": x[onp.arange(chains) % len(x)]}

    def draw(parameters, memory, x, index, seed, t):
        s = Stream(seed, CHAINS + onp.arange(chains, dtype=onp.uint32), t)
        z = independent_moves(parameters, memory["x"], generator, sigma, proposals, s)
        z = neural_field.moves(parameters["theta"], z, sigma, eps, number, s)
        return Draws(generator.noise(parameters["phi"], s, NOISE), z, uniforms(s, 1, LATENT)[:, 0]), {"x": z}

    def field(parameters, z, x):
        model = generator.make(parameters["phi"], z.noise) if from_generator else z.chains
        return {"theta": neural_field.direction(parameters["theta"], x, model), "phi": phi_row(parameters, z)}
    return Algorithm(f"{name} ({generator.name})", first, draw, field)


# ---- what is reached, exactly ---------------------------------------------------------

def exact(data, generator, test=None, sigma=None):
    """A monitor: mean log p(x), KL[q || p] and KL[p || q], by enumeration or quadrature."""
    valid.data_and_test(data, test)

    def look(parameters):
        theta, phi = parameters["theta"], parameters["phi"]
        numbers = {"log_p": onp.mean(neural_field.log_prob(theta, data, sigma))}
        if test is not None and len(test):
            numbers["test_log_p"] = onp.mean(neural_field.log_prob(theta, test, sigma))
        states, log_cells = neural_field.table(len(theta["c"]), sigma)
        log_p = log_softmax(potential(theta, states) + log_cells)
        log_q = log_softmax(generator.log_q(phi, states) + log_cells - neural_field.log_reference(states, sigma))
        return {**numbers, "exclusive_kl": onp.sum(onp.exp(log_q) * (log_q - log_p)),
                "inclusive_kl": onp.sum(onp.exp(log_p) * (log_p - log_q))}
    return look
