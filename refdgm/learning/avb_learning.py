r"""Adversarial variational Bayes: q(h|x) is known by its sampler alone (ou2018 Eqs. 11-13, footnote 8).

    h_k = h_phi(x, eps_k) ~ q(.|x),   h'_k ~ p(h) = N(0, I),   V(x, h) a discriminator's logit

    F_psi   = gradient of  (1/K) sum_k log sigmoid(V(x, h_k)) + log sigmoid(-V(x, h'_k))                      (Eq. 12)
    F_theta = (1/K) sum_k dlog p(x|h_k)/dtheta                                                                (Eq. 13)
    F_phi   = (1/K) sum_k d(log p(x|h_k) - V(x, h_k))/dh_k dh_k/dphi,       V held fixed                      (Eq. 13)

averaged over the rows. At V* = log q(h|x) - log p(h) these are the gradients of the bound; a V that lags behind pulls
phi elsewhere, so that what is reached is measured: `exact` of vae_learning takes the same parameters.

    V(x, h) = v(x, h) + (x, h)' Q (x, h),  v a network of one tanh layer: V* of a linear-Gaussian q is a quadratic form

V has to keep up with q: `two_rates` lets it move faster than theta and phi. The decoder and the posterior are those of
learning/vae_learning and learning/inference_models; the posterior's log q is not looked at.
parameters = {"theta", "phi", "psi"}.

How well V = 0 tells posterior from prior, by a guess, 2 log 1/2:

>>> import numpy as np
>>> from refdgm.learning.avb_learning import avb, discriminator_bound
>>> from refdgm.learning.inference_models import diagonal
>>> from refdgm.learning.vae_learning import bernoulli
>>> x, h = np.ones((3, 2)), np.zeros((3, 1, 1))
>>> psi = avb(bernoulli(1), diagonal(1)).start(x, 0)[0]["psi"]
>>> round(float(discriminator_bound(psi, x, h, h)), 2)
-1.39
"""
import autograd.numpy as np
from autograd import grad, make_vjp

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.fitting import Algorithm
from refdgm.models.networks import Head, beside, network, outputs
from refdgm.numerics import log_sigmoid
from refdgm.streams import Stream, normals
from refdgm.updates import Update

EPS, PRIOR = 0, 1               # the draws of a step


def logit(psi, x, h):
    """V(x, h).  (B, D), (B, K, H) -> (B, K)"""
    u = beside(x[:, None, :], h)
    v, = outputs(psi["net"], u, "v")
    return v[..., 0] + np.sum(np.dot(u, psi["Q"]) * u, axis=-1)


def discriminator_bound(psi, x, h, h_prior):
    """How well V tells draws of q from draws of the prior (ou2018 Eq. 12), a mean over rows and draws.  -> ()"""
    return np.mean(log_sigmoid(logit(psi, x, h)) + log_sigmoid(-logit(psi, x, h_prior)))


def avb(decoder, posterior, K=1, J=16):
    """AVB with a discriminator of J tanh units."""
    valid.count("K", K)
    valid.require(decoder.H == posterior.H,
                  f"the decoder has {decoder.H} latents, the posterior {posterior.H}: H must be the same.")
    valid.require(not posterior.refined, f"the posterior '{posterior.name}' needs the density of q.")

    def start(x, seed):
        n = x.shape[1] + decoder.H
        psi = {"net": network(J, {"v": Head(1)}, "psi")(n, seed), "Q": onp.zeros((n, n))}
        return {"theta": decoder.start(x, seed), "phi": posterior.start(x.shape[1], seed), "psi": psi}, ()

    def draw(parameters, memory, x, index, seed, t):
        s = Stream(seed, onp.asarray(index, onp.uint32), t)
        return {"eps": normals(s, K * posterior.noise, EPS).reshape(len(x), K, posterior.noise),
                "prior": normals(s, K * decoder.H, PRIOR).reshape(len(x), K, decoder.H)}, memory

    def field(parameters, z, x):
        theta, phi, psi = parameters["theta"], parameters["phi"], parameters["psi"]
        back, h = make_vjp(lambda phi: posterior.sample(phi, x[:, None, :], z["eps"], None)[0])(phi)
        a = onp.full(h.shape[:2], 1 / (K * len(x)))
        by_theta, a_g = decoder.scores(theta, x, h, a)
        a_g += a[..., None] * h                                         # of log p(x|h): without the prior
        slope = grad(lambda h: np.mean(logit(psi, x, h)))(h)
        return {"theta": by_theta, "phi": back(a_g - slope),
                "psi": grad(discriminator_bound)(psi, x, h, z["prior"])}
    return Algorithm(f"AVB, {posterior.name} posterior", start, draw, field)


def two_rates(rule, factors):
    """An update rule (refdgm.updates) in which some parts move `factors[part]` times as fast, {"psi": 10.0}."""
    for part, factor in factors.items():
        valid.positive(f"the factor of {part} in factors", factor)

    def init(parameters):
        valid.require(factors.keys() <= parameters.keys(),
                      f"factors must be of {', '.join(parameters)}, but are of {', '.join(map(str, factors))}.")
        return {part: rule.init(leaves) for part, leaves in parameters.items()}

    def step(parameters, memory, F, gamma, t):
        moved = {part: rule.step(parameters[part], memory[part], F[part], gamma * factors.get(part, 1.0), t)
                 for part in parameters}
        return {part: new for part, (new, _) in moved.items()}, {part: kept for part, (_, kept) in moved.items()}
    return Update(f"{rule.name}, two rates", init, step)
