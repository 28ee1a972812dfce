r"""Learning a sigmoid belief net, by the cells of ou2018's Table 1 that apply to discrete h.

With h_1..h_K ~ q(.|x), log w_k = log p(x, h_k) - log q(h_k|x), every algorithm moves along

    F_theta = sum_k a_k dlog p(x, h_k)/dtheta          F_phi = sum_k c_k dlog q(h_k|x)/dphi,         averaged over x

                theta  a_k                         phi  c_k
    NVIL        1/K                  (Eq. 8)       (log w_k - c - C(x)) / K, C learned in psi        (Sec. 3.2.1)
    VIMCO       wbar_k = w_k / sum   (Eq. 19)      log p_hat - b_k - wbar_k, b_k leave-one-out       (Sec. 3.2.1)
    RWS         wbar_k               (Eq. 19)      wbar_k (Eq. 21), or dreams (x, h) ~ p with c = 1 (Eq. 18), or both
    wake-sleep  1/K                  (Eq. 18)      dreams (x, h) ~ p with c = 1                      (Eq. 18)
    JSA         1/K                  (Eq. 22)      1/K, the h_k a Markov chain of MIS steps          (Eq. 22, Alg. 4)

parameters = {"theta": ..., "phi": ...} as in refdgm.models.sbn, and {"psi": ...} where a baseline is learned; z is a
Draws. Starts, draws, scores and the exact monitor are those of directed/sbn_steps.

VIMCO's c_k for two draws of log weights 0 and 2: the better one is to become likelier, and the other less likely.

>>> import numpy as np
>>> from refdgm.learning.sbn_learning import vimco_coefficients
>>> [round(float(c), 2) for c in vimco_coefficients(np.array([[0.0, 2.0]]))[0]]
[-0.69, 0.55]
"""
from typing import NamedTuple

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.directed.sbn_steps import (ACCEPT, draw_model, draw_q, exact, log_weights, row_stream, start,
                                        uniform_weights, weighted_score_phi, weighted_score_theta)
from refdgm.directed.vimco import coefficients as vimco_coefficients
from refdgm.fitting import Algorithm
from refdgm.numerics import softmax
from refdgm.streams import uniforms

__all__ = ["exact", "jsa", "nvil", "rws", "start", "vimco", "wake_sleep"]


class Draws(NamedTuple):
    """What a step draws for its B rows."""
    h: np.ndarray               # (B, K, H)
    dream: tuple | None         # (x (B, D), h (B, H)) from the model, where phi sleeps


def _algorithm(name, K, H, theta_weights, phi_weights=None, sleep=0.0):
    """Draws from q, and from the model where phi sleeps a part `sleep` of its gradient."""
    def draw(parameters, memory, x, index, seed, t):
        s = row_stream(index, seed, t)
        return Draws(draw_q(parameters["phi"], x, K, s), draw_model(parameters["theta"], s) if sleep else None), memory

    def field(parameters, z, x):
        theta, phi = parameters["theta"], parameters["phi"]
        log_w, error = log_weights(theta, phi, x, z.h)
        F = {"theta": weighted_score_theta(theta, x, z.h, theta_weights(log_w), error)}
        F["phi"] = weighted_score_phi(phi, x, z.h, phi_weights(log_w)) if phi_weights else None
        if sleep:
            dreamt = weighted_score_phi(phi, z.dream[0], z.dream[1][:, None, :], np.ones((len(x), 1)))
            F["phi"] = dreamt if F["phi"] is None else {
                leaf: (1 - sleep) * F["phi"][leaf] + sleep * dreamt[leaf] for leaf in dreamt}
        return F

    valid.count("K", K)
    begin = start(H)
    return Algorithm(name, lambda x, seed: (begin(x, seed), ()), draw, field)


# ---- the algorithms -------------------------------------------------------------------

def vimco(K=5, H=8):
    """The IW bound for theta, leave-one-out signals for phi (ou2018 Sec. 3.2.1)."""
    valid.count("K", K, 2)
    return _algorithm("VIMCO", K, H, softmax, vimco_coefficients)


def wake_sleep(K=1, H=8):
    """Wake theta, sleep phi (ou2018 Eq. 18)."""
    return _algorithm("wake-sleep", K, H, uniform_weights, sleep=1.0)


def rws(K=5, H=8, phi="wake"):
    """Reweighted wake-sleep; phi learns awake (Eq. 21), asleep (Eq. 18), or half and half (ou2018 Sec. 3.2.2)."""
    part = {"wake": 0.0, "sleep": 1.0, "both": 0.5}
    valid.require(phi in part, f"phi learns 'wake', 'sleep' or 'both', not {phi!r}.")
    return _algorithm(f"RWS ({phi} phi)", K, H, softmax, None if phi == "sleep" else softmax, sleep=part[phi])


def nvil(K=1, H=8):
    """The variational bound with a learned baseline C(x) = x'u + v and a running mean c (ou2018 Sec. 3.2.1, Alg. 2)."""
    base = _algorithm("NVIL", K, H, uniform_weights)

    def begin(x, seed):
        parameters, _ = base.start(x, seed)
        return {**parameters, "psi": {"u": np.zeros(x.shape[1]), "v": np.zeros(())}}, ()

    def field(parameters, z, x):
        theta, phi, psi = parameters["theta"], parameters["phi"], parameters["psi"]
        log_w, error = log_weights(theta, phi, x, z.h)
        signal = log_w - (x @ psi["u"] + psi["v"])[:, None]
        residual = signal.mean(axis=1)                          # the baseline descends the square of what it leaves
        return {"theta": weighted_score_theta(theta, x, z.h, uniform_weights(log_w), error),
                "phi": weighted_score_phi(phi, x, z.h, signal / K),
                "psi": {"u": residual @ x / len(x), "v": residual.mean()}}
    return Algorithm("NVIL", begin, base.draw, field)


def jsa(K=5, H=8):
    """Joint stochastic approximation: a code for each datum, kept between its turns and moved by K steps of MIS.

    The weights are those of today's parameters, for the old code as for the new (ou2018 Sec. 3.2.3, Alg. 4).
    """
    valid.count("K", K)
    begin = start(H)

    def first(x, seed):
        parameters = begin(x, seed)
        return parameters, {"codes": draw_q(parameters["phi"], x, 1, row_stream(np.arange(len(x)), seed, 0))[:, 0]}

    def draw(parameters, memory, x, index, seed, t):
        s, theta, phi = row_stream(index, seed, t), parameters["theta"], parameters["phi"]
        proposals = draw_q(phi, x, K, s)
        log_u, h = np.log(uniforms(s, K, ACCEPT)), memory["codes"][index]
        log_w, _ = log_weights(theta, phi, x, np.concatenate([h[:, None, :], proposals], axis=1))
        log_w_old, log_w = log_w[:, 0], log_w[:, 1:]
        path = np.empty_like(proposals)
        for k in range(K):
            accepted = log_u[:, k] < log_w[:, k] - log_w_old
            h = np.where(accepted[:, None], proposals[:, k], h)
            log_w_old = np.where(accepted, log_w[:, k], log_w_old)
            path[:, k] = h
        codes = memory["codes"].copy()
        codes[index] = h
        return Draws(path, None), {"codes": codes}

    def field(parameters, z, x):
        weights = np.full(z.h.shape[:2], 1 / K)
        return {"theta": weighted_score_theta(parameters["theta"], x, z.h, weights),
                "phi": weighted_score_phi(parameters["phi"], x, z.h, weights)}
    return Algorithm("JSA", first, draw, field)
