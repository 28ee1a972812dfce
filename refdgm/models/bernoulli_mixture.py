r"""A mixture of Bernoulli vectors: the latent variable model whose E- and M-step are both closed formulas.

    p(z) = softmax(a)_z    p(x|z) = Bern(sigmoid(B_z))    q(z|x_i) = softmax(phi_i)

theta = {"a": (H,), "B": (H, D)};  phi (N, H), a row of logits for each datum: local variational parameters;
X (N, D) bits. The sum over z is over H states.

Where the components are far apart one datum decides: p(z = 0 | x = 11) for two coins that prefer 1 and 0:

>>> import numpy as np
>>> from refdgm.models.bernoulli_mixture import log_posterior
>>> theta = {"a": np.zeros(2), "B": np.array([[2.0, 2.0], [-2.0, -2.0]])}
>>> round(float(np.exp(log_posterior(theta, np.ones((1, 2))))[0, 0]), 3)
0.982
"""

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import bernoulli_log_prob, log_softmax, log_sum_exp


def log_joint(theta, X):
    """log p(x_i, z) for every datum and z.  (N, D) -> (N, H)"""
    return log_softmax(theta["a"]) + bernoulli_log_prob(X[..., None, :], theta["B"])


def log_marginal(theta, X):
    """log p(x_i) for every datum.  (N, D) -> (N,)"""
    return log_sum_exp(log_joint(theta, X))


def log_posterior(theta, X):
    """log p(z|x_i) for every datum and z.  (N, D) -> (N, H)"""
    return log_softmax(log_joint(theta, X))


def random_case(seed, N=7, D=3, H=2):
    """Random theta, phi and data in which every unit is on for some datum and off for another."""
    rng = onp.random.default_rng(seed)
    X = rng.integers(0, 2, (N, D)).astype(float)
    X[0] = 1 - X[1]
    theta = {"a": rng.normal(size=H), "B": rng.normal(size=(H, D)) * 1.5}
    return {"theta": theta, "phi": rng.normal(size=(N, H)), "X": X}


def validate(theta, X=None, phi=None):
    """Raise ValueError, saying which, if a parameter or the data have a wrong shape or are not finite."""
    H, D = valid.matrix("theta", theta, "B")
    valid.parameters("theta", theta, {"a": (H,), "B": (H, D)})
    if X is not None:
        valid.vector("X", X, D)
    if phi is not None:
        valid.vector("phi", phi, H)
