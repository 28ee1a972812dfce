r"""One root for all: where the equations of variational, wake-sleep, RWS and JSA learning meet (ou2018 Sec. 3.2).

At theta with p_theta(x) = p~(x) and phi with q(h|x) = p_theta(h|x) every importance weight is p(x), and these vanish:

    Eq. 10    E_{p~ q}[dlog p(x, h)/dtheta],  E_{p~ q}[l dlog q/dphi]                    l = log p(x, h)/q(h|x)
    Eq. 18    the same in theta,              E_{p(x, h)}[dlog q/dphi]
    Eqs. 20-21, K = 2    E sum_k wbar_k dlog p(x, h_k)/dtheta,  E sum_k wbar_k dlog q(h_k|x)/dphi
    Eq. 23    E_{p~ p(h|x)}[dlog p(x, h)/dtheta],  E_{p~ p(h|x)}[dlog q/dphi]

With a q that misses the posterior the methods have different roots. Tables as in refdgm.models.tables: theta["joint"],
phi["q"] (X, H), p_data (X,).

The largest entry of any of the fields at the common root, and with another q:

    >>> from refdgm.directed.common_root import fields, root_case
    >>> root = root_case(0)
    >>> other = {**root, "phi": {"q": 0 * root["phi"]["q"]}}
    >>> [round(max(float(abs(f).max()) for f in fields(**at).values()), 4) for at in (root, other)]
    [0.0, 0.1754]
"""
import autograd.numpy as np

from refdgm.checking import Claim, vanishes
from refdgm.models.tables import (log_joint, log_marginal, log_posterior, log_prior, log_q, random_case, score_phi,
                                  score_theta)
from refdgm.numerics import weighted_sum


def importance_weights(theta, phi):
    """w = p(x, h)/q(h|x) for every cell.  -> (X, H)"""
    return np.exp(log_joint(theta) - log_q(phi))


def resampled(theta, phi, weights=importance_weights):
    """The law of one of two draws of q, picked by its normalised weight: 2 q(h) sum_h' q(h') wbar.  -> (X, H)"""
    q, w = np.exp(log_q(phi)), weights(theta, phi)
    return 2 * q * np.sum(q[:, None, :] * w[:, :, None] / (w[:, :, None] + w[:, None, :]), axis=-1)


def fields(theta, phi, p_data, weights=importance_weights):
    """The left sides of Eqs. 10, 18, 20-21 and 23 (ou2018 Sec. 3.2).  -> dict of (2, X, H), theta's and phi's"""
    data, dreamt = p_data[:, None], np.exp(log_joint(theta))
    q, posterior, two = np.exp(log_q(phi)), np.exp(log_posterior(theta)), resampled(theta, phi, weights)

    def pair(theta_law, phi_law):
        return np.stack([weighted_sum(theta_law, score_theta(theta)["joint"]),
                         weighted_sum(phi_law, score_phi(phi)["q"])])
    return {"variational": pair(data * q, data * q * (log_joint(theta) - log_q(phi))),
            "wake-sleep": pair(data * q, dreamt), "reweighted": pair(data * two, data * two),
            "joint stochastic approximation": pair(data * posterior, data * posterior)}


# ---- claims ---------------------------------------------------------------------------

def root_case(seed):
    """Data with the law of the model, and a q that is its posterior."""
    theta = random_case(seed)["theta"]
    return {"theta": theta, "phi": {"q": theta["joint"]}, "p_data": np.exp(log_marginal(theta))}


def size_of_scores(theta, phi, p_data):
    """The largest mean size of a score's component."""
    law = np.exp(log_joint(theta))
    return np.max(weighted_sum(law, np.abs(score_theta(theta)["joint"])))


def at(phi=lambda theta, phi: phi, p_data=lambda p: p):
    """The fields at another q, or for other data."""
    return lambda theta, **case: fields(theta, phi(theta, case["phi"]), p_data(case["p_data"]))


def with_resampled(weights):
    return lambda **case: fields(**case, weights=weights)


CLAIMS = [
    Claim("ou2018.x_common_root", fields, vanishes(size_of_scores, root_case),
          {"q is the prior": at(lambda theta, phi: {"q": log_prior(theta) + 0 * phi["q"]}),
           "q is the likelihood, normalised over h": at(lambda theta, phi: {
               "q": log_joint(theta) - log_prior(theta)}),
           "q is sharper than the posterior": at(lambda theta, phi: {"q": 1.1 * log_posterior(theta)}),
           "weights p(x, h) without 1/q": with_resampled(lambda theta, phi: np.exp(log_joint(theta) + 0 * phi["q"])),
           "the model has not reached the data": at(p_data=lambda p: p**0.9 / np.sum(p**0.9))}),
]
