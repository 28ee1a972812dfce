r"""Block Gibbs sampling of an RBM, and the law of its trajectories (bachman2015 Sec. 5.4).

    tau = (x_0, z_0, x_1, ..., z_{k-1}, x_k)
    forwards     q(tau) = D(x_0) prod_i p(z_i|x_i) p(x_{i+1}|z_i)
    backwards    p(tau) = p(x_k) prod_i p(z_i|x_{i+1}) p(x_i|z_i)
    Eq. 32       q(x_k) = sum over the rest of tau = (D T^k)(x_k),   T(x, x') = sum_z p(z|x) p(x'|z)

`step` and `run` take their uniforms as arguments. Everything else is exact: sums over all states, or over all
trajectories of a tiny machine. Tables over states have one axis of length 2**D (visible) or 2**H (hidden), in the
order of all_binary; theta is that of refdgm.models.rbm.

How much of where it began a chain of two coupled units keeps with each step, the second eigenvalue of T:

>>> import numpy as np
>>> from refdgm.samplers.block_gibbs import spectrum
>>> theta = {"w": np.array([[4.0]]), "b": np.array([-2.0]), "c": np.array([-2.0])}
>>> round(float(spectrum(theta)[0][1]), 3)
0.58
"""
import math
from typing import NamedTuple

import autograd.numpy as np
from autograd.tracer import getval

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, tends_to
from refdgm.models import rbm
from refdgm.numerics import all_binary, sigmoid


class Trajectory(NamedTuple):
    """k Gibbs steps of a batch of chains."""
    x: np.ndarray       # (..., k + 1, D)
    z: np.ndarray       # (..., k, H)


def step(theta, x, u_z, u_x):
    """One Gibbs step x -> z -> x' driven by uniforms.  (..., D), (..., H), (..., D) -> x' (..., D), z (..., H)"""
    z = (u_z < sigmoid(rbm.hidden_logits(theta, x))).astype(float)
    return (u_x < sigmoid(rbm.visible_logits(theta, z))).astype(float), z


def run(theta, x0, u_z, u_x):
    """k steps from x0.  (..., D), u_z (..., k, H), u_x (..., k, D) -> Trajectory"""
    rbm.validate(theta, x0)
    xs, zs = [x0], []
    for i in range(onp.shape(u_z)[-2]):
        x, z = step(theta, xs[-1], u_z[..., i, :], u_x[..., i, :])
        xs.append(x)
        zs.append(z)
    return Trajectory(onp.stack(xs, axis=-2), onp.stack(zs, axis=-2))


# ---- transition matrices --------------------------------------------------------------

def visible_to_hidden(theta):
    """p(z|x) for every pair.  -> (2**D, 2**H), rows sum to one"""
    x, z = _states(theta)
    return np.exp(rbm.log_z_given_x(theta, x[:, None, :], z))


def hidden_to_visible(theta):
    """p(x|z) for every pair.  -> (2**H, 2**D), rows sum to one"""
    x, z = _states(theta)
    return np.exp(rbm.log_x_given_z(theta, x, z[:, None, :]))


def transition_matrix(theta):
    """T(x, x') = sum_z p(z|x) p(x'|z).  -> (2**D, 2**D), rows sum to one"""
    return np.dot(visible_to_hidden(theta), hidden_to_visible(theta))


def marginal(theta, data, k):
    """q(x_k) = (D T^k)(x_k), the law of the visible state after k steps (bachman2015 Eq. 32).  (2**D,) -> (2**D,)"""
    valid.distribution("data", data)
    up, down = visible_to_hidden(theta), hidden_to_visible(theta)
    for _ in range(k):
        data = np.dot(np.dot(data, up), down)
    return data


def marginal_gradient(theta, data, k):
    """The gradient of q(x_k) by the product rule along the chain: dq' = dq K + q dK for each half step.

    -> dict of (2**D, *leaf)
    """
    x, z = _states(theta)
    up, down = visible_to_hidden(theta), hidden_to_visible(theta)
    d_up = _scaled(up, rbm.score_z_given_x(theta, x[:, None, :], z))
    d_down = _scaled(down, rbm.score_x_given_z(theta, x, z[:, None, :]))
    q, dq = data, {name: onp.zeros(data.shape + onp.shape(leaf)) for name, leaf in theta.items()}
    for _ in range(k):
        for kernel, d_kernel in ((up, d_up), (down, d_down)):
            dq = {name: onp.tensordot(kernel.T, dq[name], 1) + onp.tensordot(q, d_kernel[name], 1) for name in theta}
            q = q @ kernel
    return dq


def marginal_score(theta, data, k):
    """grad log q(x_k).  -> dict of (2**D, *leaf)"""
    return _scaled(1 / marginal(theta, data, k), marginal_gradient(theta, data, k))


def spectrum(theta):
    """Eigenvalues 1 = lambda_1 > lambda_2 >= ... >= 0 of T and its eigenfunctions, orthonormal under pi = p(x).

    -> (2**D,), (2**D, 2**D) with one eigenfunction in each column. T = A A' in L2(pi), hence real and non-negative.
    """
    root = onp.sqrt(onp.exp(rbm.log_marginal_table(theta)))
    symmetric = root[:, None] * transition_matrix(theta) / root
    values, vectors = onp.linalg.eigh((symmetric + symmetric.T) / 2)
    return values[::-1], (vectors / root[:, None])[:, ::-1]


# ---- trajectories ---------------------------------------------------------------------

def all_trajectories(D, H, k):
    """Every trajectory of k steps, the last state changing fastest: x (M, k + 1, D), z (M, k, H)."""
    _enumerable(D, H, k)
    shape = (2**D,) + (2**H, 2**D) * k
    index = onp.stack(onp.unravel_index(onp.arange(math.prod(shape)), shape), axis=-1)
    return Trajectory(all_binary(D)[index[:, 0::2]], all_binary(H)[index[:, 1::2]])


def state_index(x):
    """The row of all_binary that holds x.  (..., D) -> (...) of int"""
    return onp.dot(x, 2 ** onp.arange(onp.shape(x)[-1])).astype(int)


def log_forward(theta, tau):
    """log q(z_0, x_1, ..., x_k | x_0) = sum_i log p(z_i|x_i) + log p(x_{i+1}|z_i).  -> (...)"""
    x, z = tau
    return np.sum(rbm.log_z_given_x(theta, x[..., :-1, :], z) + rbm.log_x_given_z(theta, x[..., 1:, :], z), axis=-1)


def log_backward(theta, tau):
    """log p(x_0, z_0, ..., z_{k-1} | x_k) = sum_i log p(z_i|x_{i+1}) + log p(x_i|z_i).  -> (...)"""
    x, z = tau
    return np.sum(rbm.log_z_given_x(theta, x[..., 1:, :], z) + rbm.log_x_given_z(theta, x[..., :-1, :], z), axis=-1)


def score_forward(theta, tau):
    """The gradient of log_forward.  -> dict of (..., *leaf)"""
    x, z = tau
    return _sum_over_steps(rbm.score_z_given_x(theta, x[..., :-1, :], z),
                           rbm.score_x_given_z(theta, x[..., 1:, :], z), onp.ndim(z) - 2)


def score_backward(theta, tau):
    """The gradient of log_backward.  -> dict of (..., *leaf)"""
    x, z = tau
    return _sum_over_steps(rbm.score_z_given_x(theta, x[..., 1:, :], z),
                           rbm.score_x_given_z(theta, x[..., :-1, :], z), onp.ndim(z) - 2)


# ---- the oracle: both laws as tables, from Boltzmann weights alone --------------------

def forward_table(theta, data, k):
    """q(tau), one axis for each of x_0, z_0, ..., x_k: weights normalised over z or over x.  -> (2**D, 2**H, ...)"""
    _enumerable(*np.shape(theta["w"]), k)
    weights = rbm.boltzmann(theta)
    up, down = weights / np.sum(weights, axis=1, keepdims=True), np.transpose(weights / np.sum(weights, axis=0))
    table = data
    for _ in range(k):
        table = (table[..., None] * up)[..., None] * down
    return table


def backward_table(theta, prior, k):
    """p(tau) for a prior (2**D,) over x_k: the same chain, its axes reversed.  -> (2**D, 2**H, ...)"""
    return np.transpose(forward_table(theta, prior, k))


def marginal_table(theta, data, k):
    """q(x_k), every other axis of q(tau) summed away.  -> (2**D,)"""
    return np.sum(forward_table(theta, data, k), axis=tuple(range(2 * k)))


def visible_table(theta):
    """The RBM's marginal p(x) from Boltzmann weights.  -> (2**D,)"""
    weights = rbm.boltzmann(theta)
    return np.sum(weights, axis=1) / np.sum(weights)


# ---- small random cases ---------------------------------------------------------------

SIZES = ((3, 2, 1), (2, 3, 2), (2, 1, 3), (1, 3, 2))        # D, H, k: the two layers never of one size


def random_case(seed):
    """A random RBM with biases, a data distribution over its 2**D visible states, and k."""
    rng = onp.random.default_rng(seed)
    D, H, k = SIZES[seed % len(SIZES)]
    return {"theta": rbm.random_theta(rng, D, H), "data": rng.dirichlet(onp.full(2**D, 2.0)), "k": k}


def random_long_case(seed):
    """As random_case without k, for limits: 64 steps forget the data (lambda_2 < 0.61 for seeds below 1000)."""
    rng = onp.random.default_rng(seed)
    D, H, _ = SIZES[seed % len(SIZES)]
    return {"theta": rbm.random_theta(rng, D, H, scale=1.5), "data": rng.dirichlet(onp.full(2**D, 2.0))}


def _enumerable(D, H, k):
    valid.count("k", k, 0)
    bits = D + k * (D + H)
    valid.enumerable(valid.power(2, bits), f"a trajectory of {k} steps with {D} visible and {H} hidden units", bits)


def _states(theta):
    D, H = np.shape(getval(theta["w"]))
    return all_binary(D), all_binary(H)


def _scaled(table, tree):
    return {name: table.reshape(table.shape + (1,) * (leaf.ndim - table.ndim)) * leaf for name, leaf in tree.items()}


def _sum_over_steps(a, b, axis):
    return {name: onp.sum(a[name] + b[name], axis=axis) for name in a}


# ---- claims ---------------------------------------------------------------------------

def greedy_marginal(theta, data, k):
    """A chain that takes the likeliest z at each step in place of a draw: it forgets the data, but for another law."""
    x, z = _states(theta)
    best = onp.argmax(visible_to_hidden(theta), axis=1)
    return data @ onp.linalg.matrix_power(hidden_to_visible(theta)[best], k)


CLAIMS = [
    Claim("bachman2015.eq32", marginal, equals(marginal_table, random_case),
          {"one step too few": lambda theta, data, k: marginal(theta, data, k - 1),
           "one step too many": lambda theta, data, k: marginal(theta, data, k + 1),
           "columns, not rows: T D": lambda theta, data, k: onp.linalg.matrix_power(transition_matrix(theta), k) @ data,
           "the RBM's marginal already": lambda theta, data, k: onp.exp(rbm.log_marginal_table(theta))}),
    Claim("bachman2015.fn6", marginal,
          tends_to(lambda theta, data: visible_table(theta), random_long_case, "k", (1, 64), rtol=1e-10),
          {"the limit is the data": lambda theta, data, k: data,
           "a uniform limit": lambda theta, data, k: (data + 2.0**k * (0 * data + 1 / data.size)) / (1 + 2.0**k),
           "the chain of the energy printed with +":
               lambda theta, data, k: marginal({name: -leaf for name, leaf in theta.items()}, data, k),
           "the likeliest z in place of a draw": greedy_marginal}),
]
