r"""Discrete tables: x in {0..X-1} and h in {0..H-1}, with nothing assumed about either law.

    p(x, h) = softmax over all cells of theta["joint"] (X, H)      q(h|x) = softmax over each row of phi["q"] (X, H)

The most general model with finite states: what holds here for every theta and phi is not owed to a special form.
Data are a distribution p_data (X,) over x, so an average over the data set is a sum.

KL[q(h|x) || p(h|x)] at the first x, for two tables that have nothing to do with each other:

>>> import numpy as np
>>> from refdgm.models.tables import log_posterior, log_q, random_case
>>> theta, phi, _ = random_case(0).values()
>>> q, p = log_q(phi)[0], log_posterior(theta)[0]
>>> round(float(np.exp(q) @ (q - p)), 3)
0.473
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm import validation as valid
from refdgm.numerics import log_softmax, log_sum_exp


def log_joint(theta):
    """log p(x, h) for every cell.  -> (X, H)"""
    valid.matrix("theta", theta, "joint")
    valid.finite("theta", theta)
    return theta["joint"] - log_sum_exp(np.reshape(theta["joint"], (-1,)))


def log_marginal(theta):
    """log p(x) for every x.  -> (X,)"""
    return log_sum_exp(log_joint(theta))


def log_prior(theta):
    """log p(h) for every h.  -> (H,)"""
    return log_sum_exp(log_joint(theta), axis=0)


def log_posterior(theta):
    """log p(h|x) for every cell.  -> (X, H)"""
    return log_softmax(theta["joint"])


def log_likelihood(theta):
    """log p(x|h) for every cell.  -> (X, H)"""
    return log_softmax(theta["joint"], axis=0)


def log_q(phi):
    """log q(h|x) for every cell.  -> (X, H)"""
    valid.matrix("phi", phi, "q")
    valid.finite("phi", phi)
    return log_softmax(phi["q"])


# ---- scores by hand -------------------------------------------------------------------

def score_theta(theta):
    """dlog p(x, h)/dtheta for every cell: one-hot minus p.  -> {"joint": (X, H, X, H)}"""
    X, H = theta["joint"].shape
    return {"joint": onp.eye(X * H).reshape(X, H, X, H) - onp.exp(log_joint(theta))}


def score_phi(phi):
    """dlog q(h|x)/dphi for every cell: one-hot minus q(.|x), in row x only.  -> {"q": (X, H, X, H)}"""
    X, H = phi["q"].shape
    same_x = onp.eye(X)[:, None, :, None]
    return {"q": same_x * (onp.eye(H)[None, :, None, :] - onp.exp(log_q(phi))[:, None, None, :])}


def random_case(seed, X=4, H=3):
    """A random theta, phi and data distribution p_data, none of them uniform."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"joint": rng.normal(size=(X, H))}, "phi": {"q": rng.normal(size=(X, H))},
            "p_data": rng.dirichlet(onp.ones(X) * 2)}


# ---- claims ---------------------------------------------------------------------------

def product_of(first, second):
    """The product of two laws, given as functions of theta that broadcast over the cells, as a table."""
    return lambda theta: np.exp(first(theta) + second(theta))


CLAIMS = [
    Claim("ou2018.model.vae_joint", product_of(log_prior, log_likelihood),
          equals(lambda theta: np.exp(log_joint(theta)), lambda seed: {"theta": random_case(seed)["theta"]}),
          {"p(x) p(x|h)": product_of(lambda theta: log_marginal(theta)[:, None], log_likelihood),
           "p(h|x) p(x|h)": product_of(log_posterior, log_likelihood),
           "p(h) p(h|x)": product_of(log_prior, log_posterior),
           "p(h) p(x)": product_of(log_prior, lambda theta: log_marginal(theta)[:, None])}),
]
