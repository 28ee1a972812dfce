r"""Auxiliary variables a (ou2018 Sec. 3.2.1; Maaloe et al. 2016, Ranganath et al. 2016, Salimans et al. 2015).

    p(x, h, a) = p(x, h) r(a|x, h)                  the generative model is unchanged: sum_a p(x, h, a) = p(x, h)
    q(h|x) = sum_a q(a, h|x)                        a mixture over a, richer than its components
    L_aux(x) = E_{q(a,h|x)} log p(x, h) r(a|x, h) / q(a, h|x)
             = L(x) - E_{q(h|x)} KL[q(a|x, h) || r(a|x, h)]  <=  L(x)  <=  log p(x)

theta is that of models.tables; psi = {"q": (X, H, A), "r": (X, H, A)} are logits: q(a, h|x) is a softmax over H and A,
r(a|x, h) one over A.

L_aux and L at the last x:

    >>> from refdgm.directed.auxiliary import auxiliary_bound, marginal_bound, random_case
    >>> [round(float(bound(**random_case(0))[-1]), 4) for bound in (auxiliary_bound, marginal_bound)]
    [-2.4445, -1.9602]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import tables
from refdgm.numerics import kl, log_softmax, log_sum_exp


def log_q_joint(psi):
    """log q(a, h|x) (ou2018 Sec. 3.2.1).  -> (X, H, A)"""
    return psi["q"] - log_sum_exp(log_sum_exp(psi["q"]))[:, None, None]


def log_q(psi):
    """log q(h|x), which need not be known to use the bound.  -> (X, H)"""
    return log_sum_exp(log_q_joint(psi))


def log_r(psi):
    """log r(a|x, h), any conditional law.  -> (X, H, A)"""
    return log_softmax(psi["r"])


def log_extended_joint(theta, psi):
    """log p(x, h) r(a|x, h), the generative model with a attached.  -> (X, H, A)"""
    return tables.log_joint(theta)[..., None] + log_r(psi)


def auxiliary_bound(theta, psi):
    """L_aux(x), in which q(a, h|x) and r(a|x, h) are evaluated and q(h|x) is not (ou2018 Sec. 3.2.1).  -> (X,)"""
    log_q_ah = log_q_joint(psi)
    return np.sum(np.exp(log_q_ah) * (log_extended_joint(theta, psi) - log_q_ah), axis=(1, 2))


def marginal_bound(theta, psi):
    """L(x) of the marginal q(h|x) (ou2018 Eq. 7).  -> (X,)"""
    return np.sum(np.exp(log_q(psi)) * (tables.log_joint(theta) - log_q(psi)), axis=1)


def random_case(seed, X=3, H=4, A=2):
    rng = onp.random.default_rng([seed, A])
    return {"theta": tables.random_case(seed, X, H)["theta"],
            "psi": {"q": rng.normal(size=(X, H, A)), "r": rng.normal(size=(X, H, A))}}


# ---- claims ---------------------------------------------------------------------------

def chain(theta, psi, bound=auxiliary_bound, joint=log_extended_joint):
    """p(x, h) with a summed out, and both steps of L_aux <= L <= log p."""
    lower, upper = bound(theta, psi), marginal_bound(theta, psi)
    return {"joint": np.exp(log_sum_exp(joint(theta, psi))), "auxiliary": upper - lower,
            "marginal": tables.log_marginal(theta) - upper}


def divergences(theta, psi):
    """The same from KL divergences between tables, none of which is negative."""
    q = np.exp(log_q_joint(psi))
    q_h = np.sum(q, axis=2)
    return {"joint": np.exp(tables.log_joint(theta)),
            "auxiliary": np.sum(q_h * kl(q / q_h[..., None], np.exp(log_r(psi))), axis=1),
            "marginal": kl(q_h, np.exp(tables.log_posterior(theta)))}


def bound_without_r(theta, psi):
    return auxiliary_bound(theta, psi) - np.sum(np.exp(log_q_joint(psi)) * log_r(psi), axis=(1, 2))


def bound_without_entropy_of_a(theta, psi):
    log_q_ah = log_q_joint(psi)
    return np.sum(np.exp(log_q_ah) * (log_extended_joint(theta, psi) - log_q(psi)[..., None]), axis=(1, 2))


CLAIMS = [
    Claim("ou2018.auxvar", chain, equals(divergences, random_case),
          {"no r(a|x, h)": lambda theta, psi: chain(theta, psi, bound_without_r),
           "q(h|x) for q(a, h|x) under the log": lambda theta, psi: chain(theta, psi, bound_without_entropy_of_a),
           "the auxiliary bound is the tighter one": lambda theta, psi: chain(
               theta, psi, lambda theta, psi: 2 * marginal_bound(theta, psi) - auxiliary_bound(theta, psi)),
           "nothing is lost": lambda theta, psi: chain(theta, psi, marginal_bound),
           "r normalised over h: p(x, h) changes": lambda theta, psi: chain(
               theta, psi, joint=lambda *c: tables.log_joint(theta)[..., None] + log_softmax(psi["r"], axis=1))}),
]
