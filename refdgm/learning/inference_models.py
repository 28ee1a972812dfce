r"""Posteriors q(h|x) of continuous latents, each a function of noise that says its own log-density.

    posterior        h                                          log q(h|x)
    diagonal         m + s eps                                  log N(eps) - sum log s            kingma2019 Sec. 2.5
    full             m + L eps, L triangular, diagonal s        the same                          kingma2019 Sec. 2.5.1
    planar           m + s z_T,  z_t = z_{t-1} + u_t tanh(w_t'z_{t-1} + b_t)
                                                                .. - sum_t log |det dz_t/dz_{t-1}|    ou2018 Sec. 3.2.1
    iaf              z_T,  z_t = mu_t(z_{t-1}) + sigma_t(z_{t-1}) z_{t-1}
                                                                .. - sum_t sum log sigma_t        kingma2019 Sec. 3.4
    auxiliary        m(x, a) + s(x, a) eps,  a ~ N(0, I)        log q(a, h|x) - log r(a|x, h)     ou2018 Sec. 3.2.1
    semi_amortised   diagonal; m and log s after some steps of ascent of the bound                ou2018 Sec. 3.2.1

eps ~ N(0, I), z_0 = eps. m, s, L, u_t, b_t and the constants in mu_t and log sigma_t are heads of one network of x;
w_t and the masked matrices of mu_t and log sigma_t are the same for all x.
The mean of p(x, h) / q(h|x) over eps is p(x) for each of them, with r(a|x, h) in the numerator for `auxiliary`.

The prior over a planar flow's own density, averaged over eps, is the integral of the prior:

>>> import numpy as np
>>> from refdgm.learning.inference_models import gauss_hermite, gaussian_log_prob, planar
>>> q, (eps, weight) = planar(H=1), gauss_hermite(80, 1)
>>> h, log_q = q.sample(q.start(2, seed=0), np.ones((1, 1, 2)), eps[None], None)
>>> round(float(weight @ np.exp(gaussian_log_prob(h[0], 0.0, 1.0) - log_q[0])), 3)
1.0
"""
from typing import NamedTuple
from collections.abc import Callable

import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.directed import flows, iaf_posterior
from refdgm.models import gaussian_posterior
from refdgm.models.networks import Head, beside, network, outputs, random_layer
from refdgm.numerics import gauss_hermite, gaussian_log_prob, softplus


class Posterior(NamedTuple):
    """q(h|x) as a function of noise."""
    name: str
    H: int
    noise: int                  # components of eps
    start: Callable             # (D, seed) -> phi
    sample: Callable            # (phi, x (B, 1, D), eps (B, K, noise), log_joint) -> h (B, K, H), log q(h|x) (B, K)
    kl: Callable | None = None  # (phi, x (B, D)) -> KL[q(h|x) || N(0, I)] (B,), where it has a closed form
    refined: bool = False       # whether `sample` uses log_joint, and so depends on theta


def gaussian_heads(H):
    """m and log s, which begin apart for different x and narrower than the prior: else many fits never use h at all."""
    valid.count("H", H)
    return {"m": Head(H, scale=1.0), "log_s": Head(H, centre=-1.0)}


def diagonal(H=2, J=16):
    """N(m, diag s^2)."""
    def sample(phi, x, eps, log_joint):
        m, log_s = outputs(phi, x, "m", "log_s")
        return gaussian_posterior.sample(m, log_s, eps), gaussian_posterior.log_q(log_s, eps)
    return Posterior("diagonal", H, H, network(J, gaussian_heads(H), "phi"), sample,
                     lambda phi, x: gaussian_posterior.kl_to_prior(*outputs(phi, x, "m", "log_s")))


def full(H=2, J=16):
    """N(m, L L'), L triangular with the diagonal s."""
    mask = onp.tril(onp.ones((H, H)), -1)

    def below(phi, x):
        entries, = outputs(phi, x, "L")
        return mask * np.reshape(entries, entries.shape[:-1] + (H, H))

    def sample(phi, x, eps, log_joint):
        m, log_s = outputs(phi, x, "m", "log_s")
        h = gaussian_posterior.sample(m, log_s, eps) + np.sum(below(phi, x) * eps[..., None, :], axis=-1)
        return h, gaussian_posterior.log_q(log_s, eps)

    def kl(phi, x):
        return (gaussian_posterior.kl_to_prior(*outputs(phi, x, "m", "log_s"))
                + 0.5 * np.sum(below(phi, x)**2, axis=(-2, -1)))
    return Posterior("full covariance", H, H, network(J, {**gaussian_heads(H), "L": Head(H * H)}, "phi"), sample, kl)


def planar(H=2, J=16, T=2):
    """m + s z_T, z_T the end of T planar layers; u_t is moved along w_t so that u_t'w_t > -1: invertible."""
    valid.count("T", T)
    layers = {f"{name}{t}": Head(n) for t in range(T) for name, n in (("u", H), ("b", 1))}
    heads = network(J, {**gaussian_heads(H), **layers}, "phi")

    def start(D, seed):
        return {**heads(D, seed), "w": tuple(random_layer(seed, H, 1, "phi", 100 + t)["M"][0] for t in range(T))}

    def layer(phi, x, t):
        (u, b), w = outputs(phi, x, f"u{t}", f"b{t}"), phi["w"][t]
        along = np.dot(u, w)[..., None]
        return {"u": u + (softplus(along) - 1 - along) * w / np.sum(w**2), "w": w, "b": b[..., 0]}

    def sample(phi, x, eps, log_joint):
        m, log_s = outputs(phi, x, "m", "log_s")
        layers = [layer(phi, x, t) for t in range(T)]
        z = flows.forward(layers, eps)
        return gaussian_posterior.sample(m, log_s, z[-1]), flows.log_density(layers, z) - np.sum(log_s, axis=-1)
    return Posterior("planar flow", H, H, start, sample)


def iaf(H=2, J=16, T=2):
    """z_T, the end of T affine autoregressive steps from eps, their order reversed in between."""
    valid.count("T", T)
    last = dict(zip((f"m{T - 1}", f"s{T - 1}"), gaussian_heads(H).values()))
    heads = network(J, {**{f"{name}{t}": Head(H) for t in range(T - 1) for name in "ms"}, **last}, "phi")

    def start(D, seed):
        return {**heads(D, seed), "seen": tuple({name: random_layer(seed, H, H, "phi", 100 + 2 * t + i, 0.1)["M"]
                                                 for i, name in enumerate("MS")} for t in range(T))}

    def sample(phi, x, eps, log_joint):
        nets = [{**seen, **dict(zip("ms", outputs(phi, x, f"m{t}", f"s{t}")))} for t, seen in enumerate(phi["seen"])]
        return iaf_posterior.flow(nets, eps)
    return Posterior("inverse autoregressive flow", H, H, start, sample)


def auxiliary(H=2, J=16, A=1):
    """q(h|x) = int q(h|x, a) N(a; 0, I) da and r(a|x, h), both diagonal Gaussians, for A auxiliary variables."""
    valid.count("A", A)
    q, r = network(J, gaussian_heads(H), "phi"), network(J, {"m": Head(A), "log_s": Head(A)}, "phi", site=100)

    def sample(phi, x, eps, log_joint):
        a = eps[..., :A]
        m, log_s = outputs(phi["q"], beside(x, a), "m", "log_s")
        h = gaussian_posterior.sample(m, log_s, eps[..., A:])
        log_q = gaussian_log_prob(a, 0.0, 1.0) + gaussian_posterior.log_q(log_s, eps[..., A:])
        m, log_s = outputs(phi["r"], beside(x, h), "m", "log_s")
        return h, log_q - gaussian_log_prob(a, m, np.exp(2 * log_s))
    return Posterior("auxiliary variable", H, A + H, lambda D, seed: {"q": q(D + A, seed), "r": r(D + H, seed)}, sample)


def semi_amortised(H=2, J=16, refinements=2, rate=0.1, nodes=4):
    """diagonal, and from there `refinements` steps of ascent of L(x; m, log s), through which theta and phi learn.

    dL/dm = E g, dL/dlog s = E g s eps + 1, g = dlog p(x, h)/dh (directed/reparameterisation), by Gauss-Hermite.
    """
    valid.count("refinements", refinements)
    valid.moderate("rate", rate)
    eta, weight = gauss_hermite(nodes, H)

    def sample(phi, x, eps, log_joint):
        m, log_s = outputs(phi, x, "m", "log_s")
        for _ in range(refinements):
            h = gaussian_posterior.sample(m, log_s, eta)
            g = weight[:, None] * grad(lambda h: np.sum(log_joint(h)))(h)
            m, log_s = (m + rate * np.sum(g, axis=-2, keepdims=True),
                        log_s + rate * (np.sum(g * eta, axis=-2, keepdims=True) * np.exp(log_s) + 1))
        return gaussian_posterior.sample(m, log_s, eps), gaussian_posterior.log_q(log_s, eps)
    return Posterior("semi-amortised", H, H, network(J, gaussian_heads(H), "phi"), sample,
                     refined=True)
