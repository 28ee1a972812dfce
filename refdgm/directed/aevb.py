r"""Auto-encoding variational Bayes: the bound is raised in theta and phi by minibatches (lecture12 Secs. 2.3, 2.4).

    one datum      L~(x, eps) = log p(x|z) - KL[q(z|x) || p(z)],   z = m(x) + s(x) eps,  eps ~ N(0, I)
    minibatch      L~^M = (N/M) sum_{i=1}^M L~(x_i, eps_i),        E[L~^M] = sum of L(x) over all N data
    Algorithm 1    g <- the gradient of L~^M in (theta, phi);      (theta, phi) <- (theta, phi) + step g
    Sec. 2.3       or in theta and phi alternately: to first order in the step the same ascent of the same L

The notes print g <- L~^M, the value and not its gradient. Algorithm 1 runs on the autoencoder of models/vae.py with
one latent variable, X (N, D), eps (..., M, 1); alternation is shown on tables (models/tables.py), where L is a sum.

The three minibatches of one datum have the mean of the whole:

    >>> import numpy as np
    >>> from refdgm.directed.aevb import data_case, minibatch_bound
    >>> parameters, X = data_case(0).values()
    >>> ones = [minibatch_bound(**parameters, X=X[[i]], eps=np.ones((1, 1)), N=3) for i in range(3)]
    >>> round(float(np.mean(ones) / minibatch_bound(**parameters, X=X, eps=np.ones((3, 1)), N=3)), 3)
    1.0
"""
from itertools import combinations

import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, has_order, is_gradient_of
from refdgm.models import tables, vae
from refdgm.numerics import normal_trapezoid, trapezoid, weighted_sum


def sampled_bound(theta, phi, x, eps):
    """L~(x, eps) = log p(x|z) - KL[q(z|x) || p(z)], z = m(x) + s(x) eps (lecture12 Sec. 2.4).  (..., D) -> (...)"""
    mean, variance = vae.gaussian_head(phi, x)
    kl = 0.5 * np.sum(mean**2 + variance - 1.0 - np.log(variance), axis=-1)
    return vae.log_likelihood(theta, x, vae.reparameterise(phi, x, eps)) - kl


def minibatch_bound(theta, phi, X, eps, N):
    """L~^M = (N/M) sum_i L~(x_i, eps_i) (lecture12 Algorithm 1).  X (M, D), eps (..., M, 1) -> (...)"""
    valid.require(1 <= len(X) <= N, f"a minibatch must hold 1 to N = {N} data, but holds {len(X)}.")
    return N / len(X) * np.sum(sampled_bound(theta, phi, X, eps), axis=-1)


def minibatch_gradient(parameters, X, eps, N, weights=1.0):
    """g: the gradient of L~^M in (theta, phi) (lecture12 Algorithm 1).  -> a dict like parameters

    With several draws of the noise, eps (n, M, 1), their weighted mean: weights (n,).
    """
    return grad(lambda p: np.sum(weights * minibatch_bound(p["theta"], p["phi"], X, eps, N)))(parameters)


def average_bound(theta, phi, p_data):
    """L = E_p~(x)q(z|x)[log p(x, z) - log q(z|x)] of two tables (lecture12 Secs. 2.1, 2.3).  -> ()"""
    log_q = tables.log_q(phi)
    return np.sum(p_data[:, None] * np.exp(log_q) * (tables.log_joint(theta) - log_q))


def theta_direction(theta, phi, p_data):
    """dL/dtheta = E_p~ q dlog p(x, z)/dtheta (lecture12 Sec. 2.3).  -> a dict like theta"""
    return weighted_sum(p_data[:, None] * np.exp(tables.log_q(phi)), tables.score_theta(theta))


def phi_direction(theta, phi, p_data):
    """dL/dphi = E_p~ q log(p(x, z) / q(z|x)) dlog q(z|x)/dphi (lecture12 Sec. 2.3).  -> a dict like phi"""
    log_q = tables.log_q(phi)
    return weighted_sum(p_data[:, None] * np.exp(log_q) * (tables.log_joint(theta) - log_q), tables.score_phi(phi))


def step(values, direction, size):
    """values + size * direction, leaf by leaf."""
    return {name: values[name] + size * direction[name] for name in values}


# ---- claims ---------------------------------------------------------------------------

N, M = 3, 2


def data_case(seed):
    case = vae.random_case(seed)
    X = onp.random.default_rng([seed, 1]).normal(size=(N, 2))
    return {"parameters": {"theta": case["theta"], "phi": case["phi"]}, "X": X}


def full_bound(parameters, X):
    """The oracle: sum over the data of int q(z|x) log(p(x, z) / q(z|x)) dz, on a fixed grid of z."""
    z, w = trapezoid(-12.0, 12.0, 361)
    x, z = X[:, None, :], z[:, None]
    log_q = vae.log_q(parameters["phi"], x, z)
    return np.sum(w * np.exp(log_q) * (vae.log_joint(parameters["theta"], x, z) - log_q))


def noise():
    """Nodes eps (n, 1, 1) and weights (n,) of a mean over N(0, 1).

    A minibatch's bound is a sum over its data, so one node may serve them all.
    """
    eps, w = normal_trapezoid(141, reach=8.0)
    return eps[:, None, None], w


def mean_over_minibatches(g=minibatch_gradient):
    """The exact mean of g over every minibatch of M out of N data and over the noise."""
    def mean(parameters, X):
        eps, weights = noise()
        gradients = [g(parameters, X[list(rows)], eps, N, weights) for rows in combinations(range(N), M)]
        return {part: {name: sum(each[part][name] for each in gradients) / len(gradients) for name in parameters[part]}
                for part in parameters}
    return mean


def gradient_of(bound):
    """g, with another bound of one minibatch."""
    return mean_over_minibatches(lambda parameters, X, eps, N, weights: grad(
        lambda p: np.sum(weights * bound(p["theta"], p["phi"], X, eps, N)))(parameters))


def the_value(parameters, X, eps, N, weights):
    """g <- L~^M: a number, by which every parameter would be moved alike."""
    value = weights @ minibatch_bound(parameters["theta"], parameters["phi"], X, eps, N)
    return {part: {name: value + 0 * leaf for name, leaf in leaves.items()} for part, leaves in parameters.items()}


def kl_not_rescaled(theta, phi, X, eps, N):
    """N/M on the reconstruction only: the bound plus (N/M - 1) times the KL of the minibatch."""
    reconstruction = np.sum(vae.log_likelihood(theta, X, vae.reparameterise(phi, X, eps)), axis=-1)
    kl = reconstruction - minibatch_bound(theta, phi, X, eps, M)
    return minibatch_bound(theta, phi, X, eps, N) + (N / M - 1) * kl


def variance_for_deviation(theta, phi, X, eps, N):
    """z = m + s^2 eps."""
    mean, variance = vae.gaussian_head(phi, X)
    right = np.sum(vae.log_likelihood(theta, X, vae.reparameterise(phi, X, eps)), axis=-1)
    wrong = np.sum(vae.log_likelihood(theta, X, mean + variance * eps), axis=-1)
    return minibatch_bound(theta, phi, X, eps, N) + N / M * (wrong - right)


def draws_detached(parameters, X, eps, N, weights):
    """The draws z taken for constants: phi is moved by the KL alone."""
    z = vae.reparameterise(parameters["phi"], X, eps)

    def bound(p):
        kl_only = minibatch_bound(parameters["theta"], p["phi"], X, eps, N) - N / M * np.sum(
            vae.log_likelihood(parameters["theta"], X, vae.reparameterise(p["phi"], X, eps)), axis=-1)
        return np.sum(weights * (kl_only + N / M * np.sum(vae.log_likelihood(p["theta"], X, z), axis=-1)))
    return grad(bound)(parameters)


def alternate(directions):
    """n times the change of L by a step of size 1/n in theta, and then one in phi at the new theta."""
    def of(theta, phi, p_data, n):
        theta_way, phi_way = directions
        moved = step(theta, theta_way(theta, phi, p_data), 1 / n)
        phi_moved = step(phi, phi_way(moved, phi, p_data), 1 / n)
        return n * (average_bound(moved, phi_moved, p_data) - average_bound(theta, phi, p_data))
    return of


def squared_gradient(theta, phi, p_data):
    """The oracle: |dL/dtheta|^2 + |dL/dphi|^2, by autograd."""
    by_theta, by_phi = grad(average_bound, 0)(theta, phi, p_data), grad(average_bound, 1)(theta, phi, p_data)
    return np.sum(by_theta["joint"]**2) + np.sum(by_phi["q"]**2)


def sleep_direction(theta, phi, p_data):
    """E_p(x,z) dlog q(z|x)/dphi: the sleep phase in place of the bound."""
    return weighted_sum(np.exp(tables.log_joint(theta)), tables.score_phi(phi))


def printed_direction(theta, phi, p_data):
    """The phi-gradient of the bound with the prior counted twice, as in the formula of Sec. 2.3."""
    log_q = tables.log_q(phi)
    signal = tables.log_joint(theta) + tables.log_prior(theta) - log_q
    return weighted_sum(p_data[:, None] * np.exp(log_q) * signal, tables.score_phi(phi))


CLAIMS = [
    Claim("lecture12.sec2.3_alternate", alternate((theta_direction, phi_direction)),
          has_order(squared_gradient, tables.random_case, "n", [512, 1024], order=1),
          {"the sleep phase in phi, as in wake-sleep": alternate((theta_direction, sleep_direction)),
           "phi by the bound as printed": alternate((theta_direction, printed_direction)),
           "descent in phi": alternate((theta_direction, lambda *c: step({"q": 0.0}, phi_direction(*c), -1.0))),
           "theta alone": alternate((theta_direction, lambda theta, phi, p_data: {"q": 0 * phi["q"]}))}),
    Claim("lecture12.sec2.4_aevb", mean_over_minibatches(),
          is_gradient_of(full_bound, "parameters", data_case, method="quadrature"),
          {"no N/M": gradient_of(lambda theta, phi, X, eps, N: minibatch_bound(theta, phi, X, eps, M)),
           "N/M on the reconstruction alone": gradient_of(kl_not_rescaled),
           "z = m + s^2 eps": gradient_of(variance_for_deviation),
           "the draws taken for constants": mean_over_minibatches(draws_detached),
           "descent": gradient_of(lambda *args: -minibatch_bound(*args))},
          printed=mean_over_minibatches(the_value)),
]
