r"""K independent importance weights, for any K: exact means through the Laplace transform of one weight.

The K-sample bound is the mean of the logarithm of S = sum_k w_k, its gradient the mean of a ratio with S below. With
independent w_k both are integrals over t > 0 of phi(t) = E exp(-t w), because E exp(-t S) = phi(t)**K:

    log(S / c) = int (e^{-ct} - e^{-St}) dt / t      so  log E w - E log(S/K) = int (phi(t/K)^K - e^{-t E w}) dt / t
    1 / S      = int e^{-St} dt                      so  E[sum_k w_k g_k / S] = K int E[w g e^{-tw}] phi(t)^{K-1} dt
    1 / S^2    = int t e^{-St} dt                    so  the second moment likewise

In u = log t the integrands are analytic in a strip of half-width pi/2 and die out at both ends, so the trapezoid rule
of step 0.3 is exact to rounding. Nothing grows with K: K = 10**5 costs as much as K = 2.

w, probability : (m,), one weight and its law: a finite space, or the nodes of a quadrature.

With a thousand times as many samples the gap is a thousand times smaller, or nearly so:

>>> import numpy as np
>>> from refdgm.models.iid_weights import gap
>>> w, probability = np.exp([-1.0, 1.0]), np.array([0.5, 0.5])
>>> round(float(gap(w, probability, 100) / gap(w, probability, 100_000)), 1)
1008.8
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.numerics import log_sum_exp, trapezoid


def gap(w, probability, K):
    """log E w - E log (1/K) sum_k w_k, which is positive by Jensen.  -> ()"""
    w = _over_mean(w, probability, K)
    tau, weight = _nodes()
    # phi**K (1 - exp(-excess)) with excess = tau + K log phi >= 0, in a form that keeps its digits when K is large
    least = np.min(w)
    log_phi = np.log1p(np.expm1(-np.outer(tau / K, w - least)) @ probability) - tau / K * least
    return -weight @ (np.exp(K * log_phi) * np.expm1(-(tau + K * log_phi)))


def variance_of_log_mean(w, probability, K):
    """Var log (1/K) sum_k w_k.  -> ()

    T = E_1 / S with an independent exponential E_1 has the survival function phi(t)**K, and
    Var log T = Var log E_1 + Var log S, where Var log E_1 = pi**2 / 6.
    """
    w = _over_mean(w, probability, K)
    tau, weight = _nodes()
    log_phi, tilt = _tilted(w, probability, tau / K)
    density = weight * tau * np.exp((K - 1) * log_phi) * (tilt @ (probability * w))
    mean = density @ np.log(tau)
    return density @ (np.log(tau) - mean)**2 - np.pi**2 / 6


def self_normalised_moments(w, g, probability, K):
    """Mean and variance of sum_k w_k g_k / sum_k w_k for K >= 2.  g : (..., m) -> (...), (...)"""
    w = _over_mean(w, probability, K, least=2)
    tau, weight = _nodes()
    t, dt = tau / K, weight * tau / K                                   # dt = t du, and t = tau / K
    log_phi, tilt = _tilted(w, probability, t)
    law = probability * w
    mean = K * (dt * np.exp((K - 1) * log_phi)) @ tilt @ (law * g).T
    centred = g - mean[..., None]                                       # so that nothing large cancels below
    alone = K * (dt * t * np.exp((K - 1) * log_phi)) @ tilt @ (law * w * centred**2).T
    pairs = K * (K - 1) * (dt * t * np.exp((K - 2) * log_phi)) @ (tilt @ (law * centred).T)**2
    return mean, alone + pairs


def _over_mean(w, probability, K, least=1):
    valid.count("the number of samples K", K, least)
    valid.distribution("probability", probability)
    valid.finite("w", w)
    valid.require(np.min(w) > 0, f"every weight must be positive, but one is {np.min(w)}.")
    return w / (probability @ w)


def _nodes():
    """exp(u) and the weights of du: u runs from where the integrands are 1e-15 to where weights of 1e-15 have ended."""
    u, weight = trapezoid(-40.0, 40.0, 268)
    return np.exp(u), weight


def _tilted(w, probability, t):
    """log phi(t), (t,), and exp(-t w), (t, m)."""
    exponent = -np.outer(t, w)
    return log_sum_exp(exponent + np.log(probability)), np.exp(exponent)
