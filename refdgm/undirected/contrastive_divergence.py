r"""Contrastive divergence from the ends of a Gibbs trajectory (bachman2015 Eqs. 37-43; Hinton 2002).

Forwards over backwards, everything along a trajectory cancels but the partition functions of its two ends:

    Eq. 37      log q(z_0, ..., x_k|x_0) / p(x_0, ..., z_{k-1}|x_k) = log Z_{x_k} - log Z_{x_0}
    Eqs. 40-41     = F(x_0) - F(x_k),   F(x) = -sum_j log(1 + exp(ztilde_j)),   ztilde = w'x
    Eq. 43      its gradient in w = x_k sigma(ztilde_k)' - x_0 sigma(ztilde_0)'

Minus the last line is one draw of the CD-k update. The estimators take x_0 and x_k (..., D), or a Trajectory, as
arguments, so their means are sums over all trajectories. Biases, elided in the paper, are kept wherever theta has them.

One unit each, w = 1: from x_0 = 0 to x_1 = 1 the free energy falls by log(1 + e) - log 2.

>>> import numpy as np
>>> from refdgm.undirected.contrastive_divergence import free_energy_difference
>>> round(float(free_energy_difference({"w": np.eye(1)}, np.zeros(1), np.ones(1))), 3)
0.62
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import rbm
from refdgm.numerics import all_binary, all_tuples, log_sum_exp, sigmoid, softplus, weighted_sum
from refdgm.samplers import block_gibbs as gibbs


def log_z(theta, x):
    """log Z_x = log sum_z exp(-E(x, z)), by its definition (bachman2015 Eq. 38).  (..., D) -> (...)"""
    return log_sum_exp(-rbm.energy(theta, x[..., None, :], all_binary(theta["w"].shape[1])))


def telescoped(theta, tau):
    """log of the forward over the backward steps of a trajectory (bachman2015 Eq. 37).  -> (...)"""
    return log_z(theta, tau.x[..., -1, :]) - log_z(theta, tau.x[..., 0, :])


def free_energy_difference(theta, x0, xk):
    """F(x_0) - F(x_k) (bachman2015 Eq. 40).  (..., D), (..., D) -> (...)"""
    return rbm.free_energy(theta, x0) - rbm.free_energy(theta, xk)


def softplus_difference(theta, x0, xk):
    """-sum_j log(1 + exp(ztilde_0^j)) + sum_j log(1 + exp(ztilde_k^j)), j = 1..|z| (bachman2015 Eq. 41, corrected)."""
    return np.sum(softplus(np.dot(xk, theta["w"])) - softplus(np.dot(x0, theta["w"])), axis=-1)


def gradient(theta, x0, xk):
    """x_k sigma(ztilde_k)' - x_0 sigma(ztilde_0)': one draw of a descent gradient (bachman2015 Eq. 43)."""
    first, last = rbm.grad_log_z(theta, x0), rbm.grad_log_z(theta, xk)
    return {name: last[name] - first[name] for name in theta}


def update(theta, x0, xk):
    """One draw of the CD-k update <v_0 h_0'> - <v_k h_k'>, to be added to theta (bachman2015 Eq. 44)."""
    return {name: -leaf for name, leaf in gradient(theta, x0, xk).items()}


def mean_over_trajectories(estimator):
    """The exact mean of estimator(theta, tau), tau drawn forwards from the data: mean(theta, data, k)."""
    def mean(theta, data, k):
        tau = gibbs.all_trajectories(*theta["w"].shape, k)
        q = data[gibbs.state_index(tau.x[:, 0])] * onp.exp(gibbs.log_forward(theta, tau))
        return weighted_sum(q, estimator(theta, tau))
    return mean


# ---- claims ---------------------------------------------------------------------------

def trajectory_case(seed):
    """A small RBM and every trajectory of k steps."""
    case = gibbs.random_case(seed)
    return {"theta": case["theta"], "tau": gibbs.all_trajectories(*case["theta"]["w"].shape, case["k"])}


def sampled_case(seed):
    """Three chains of 20 steps in a machine whose trajectories nobody could enumerate."""
    rng = onp.random.default_rng(seed)
    theta = rbm.random_theta(rng, D=5, H=4)
    x0 = rng.integers(0, 2, (3, 5)).astype(float)
    return {"theta": theta, "tau": gibbs.run(theta, x0, rng.random((3, 20, 4)), rng.random((3, 20, 5)))}


def pair_case(seed, D=3, H=2, biases=True):
    """Every pair (x_0, x_k) of a small RBM, and a random covector over the pairs."""
    rng = onp.random.default_rng(seed)
    pairs = all_binary(D)[all_tuples(2**D, 2)]
    return {"theta": rbm.random_theta(rng, D, H, biases), "x0": pairs[:, 0], "xk": pairs[:, 1],
            "c": rng.normal(size=len(pairs))}


def steps_case(seed):
    """Pairs without biases, |z| = 4, and a number of steps k with k + 1 < |z|."""
    case = pair_case(seed, H=4, biases=False)
    return {name: case[name] for name in ("theta", "x0", "xk")} | {"k": 1 + seed % 2}


def log_steps(theta, tau):
    """The left-hand side of Eq. 37, step by step from Boltzmann weights: the oracle."""
    log_weights = onp.log(rbm.boltzmann(theta))
    up = log_weights - log_sum_exp(log_weights, axis=1, keepdims=True)
    down = log_weights - log_sum_exp(log_weights, axis=0, keepdims=True)
    x, z = gibbs.state_index(tau.x), gibbs.state_index(tau.z)
    before, after = x[..., :-1], x[..., 1:]
    return onp.sum(up[before, z] + down[after, z] - up[after, z] - down[before, z], axis=-1)


def log_z_by_table(theta):
    """log Z_x for every x, from Boltzmann weights."""
    return np.log(np.sum(rbm.boltzmann(theta), axis=1))


def difference_by_table(theta, x0, xk, **_):
    table = log_z_by_table(theta)
    return table[gibbs.state_index(xk)] - table[gibbs.state_index(x0)]


def contracted(leaves):
    """sum over pairs of c times the gradient."""
    return lambda theta, x0, xk, c: weighted_sum(c, leaves(theta, x0, xk))


def outer(x, h):
    return x[..., :, None] * h[..., None, :]


def with_hidden(h):
    """Eq. 43 in w with another h(theta, x) in the place of sigma(ztilde)."""
    return contracted(lambda theta, x0, xk: {**gradient(theta, x0, xk),
                                             "w": outer(xk, h(theta, xk)) - outer(x0, h(theta, x0))})


def at_ends(estimator):
    return lambda theta, tau: estimator(theta, tau.x[:, 0], tau.x[:, -1])


def sampled_pairs_by_table(theta, data, k):
    """E[x_0 z_0'] - E[x_k z_k'] (and E of x, z) with z ~ p(z|x): sums over tables, the oracle of CD-k's update."""
    weights = rbm.boltzmann(theta)
    x, z = all_binary(theta["w"].shape[0]), all_binary(theta["w"].shape[1])
    pairs = (data - gibbs.marginal_table(theta, data, k))[:, None] * weights / weights.sum(1, keepdims=True)
    return {"w": x.T @ pairs @ z, "b": x.T @ pairs.sum(1), "c": pairs.sum(0) @ z}


def likelihood_gradient(theta, data, k):
    return weighted_sum(data, rbm.score(theta, all_binary(theta["w"].shape[0])))


def negative(function):
    return lambda **case: {name: -leaf for name, leaf in function(**case).items()}


def moments(hidden, variance_saved):
    """The mean of x_k h' where h = hidden(theta, x), and how much less each entry varies than x_k z_k' does."""
    def both(theta, data, k):
        q, x = gibbs.marginal(theta, data, k), all_binary(theta["w"].shape[0])
        h = hidden(theta, x, q)
        return {"mean": onp.einsum("s,si,sj->ij", q, x, h),
                "variance saved": onp.einsum("s,si,sj->ij", q, x, variance_saved(h))}
    return both


def moments_by_table(theta, data, k):
    """E[x_k z_k'] and Var(x z) - Var(x E[z|x]) with z_k ~ p(z|x_k), summed over both."""
    x, z = all_binary(theta["w"].shape[0]), all_binary(theta["w"].shape[1])
    weights = rbm.boltzmann(theta)
    given_x = weights / weights.sum(1, keepdims=True)
    pairs = gibbs.marginal_table(theta, data, k)[:, None] * given_x
    products = x[:, None, :, None] * z[None, :, None, :]
    mean = onp.einsum("sh,shij->ij", pairs, products)
    sampled = onp.einsum("sh,shij->ij", pairs, (products - mean)**2)
    averaged = onp.einsum("sh,sij->ij", pairs, (x[:, :, None] * (given_x @ z)[:, None, :] - mean)**2)
    return {"mean": mean, "variance saved": sampled - averaged}


def full_ratio(theta, data, k, prior, sign=1.0):
    """log D(x_0)/p(x_k) + log Z_{x_k} - log Z_{x_0} on every trajectory: the end note, corrected, if prior = q(x_k)."""
    tau = gibbs.all_trajectories(*theta["w"].shape, k)
    first, last = gibbs.state_index(tau.x[:, 0]), gibbs.state_index(tau.x[:, -1])
    return onp.log(data[first] / prior[last]) + sign * telescoped(theta, tau)


def full_ratio_by_table(theta, data, k):
    prior = gibbs.marginal_table(theta, data, k)
    return onp.ravel(onp.log(gibbs.forward_table(theta, data, k) / gibbs.backward_table(theta, prior, k)))


CLAIMS = [
    Claim("bachman2015.eq37", telescoped, equals(log_steps, trajectory_case),
          {"log Z_{x_0} - log Z_{x_k}": lambda theta, tau: -telescoped(theta, tau),
           "the partition function of the last z as well": lambda theta, tau:
               telescoped(theta, tau) - rbm.hidden_free_energy(theta, tau.z[:, -1]),
           "the state before the last": lambda theta, tau: log_z(theta, tau.x[:, -2]) - log_z(theta, tau.x[:, 0]),
           "energies of the first and last edge": lambda theta, tau:
               rbm.energy(theta, tau.x[:, 0], tau.z[:, 0]) - rbm.energy(theta, tau.x[:, -1], tau.z[:, -1])}),
    Claim("bachman2015.eq40", lambda c, **pair: free_energy_difference(**pair), equals(difference_by_table, pair_case),
          {"F(x_k) - F(x_0)": lambda theta, x0, xk, c: free_energy_difference(theta, xk, x0),
           "Z in place of log Z": lambda theta, x0, xk, c:
               onp.exp(-rbm.free_energy(theta, xk)) - onp.exp(-rbm.free_energy(theta, x0)),
           "visible biases forgotten": lambda theta, x0, xk, c:
               free_energy_difference({**theta, "b": 0 * theta["b"]}, x0, xk)}),
    Claim("bachman2015.eq41", lambda k, **pair: softplus_difference(**pair), equals(difference_by_table, steps_case),
          {"the sum up to |x|": lambda theta, x0, xk, k: softplus_difference({"w": theta["w"][:, :3]}, x0, xk),
           "the signs exchanged": lambda theta, x0, xk, k: softplus_difference(theta, xk, x0),
           "log(1 + z) for log(1 + exp(z))": lambda theta, x0, xk, k:
               onp.sum(onp.log1p(onp.abs(xk @ theta["w"])) - onp.log1p(onp.abs(x0 @ theta["w"])), axis=-1)},
          printed=lambda theta, x0, xk, k: softplus_difference({"w": theta["w"][:, :k + 1]}, x0, xk)),
    Claim("bachman2015.eq41_computable",
          lambda theta, tau: free_energy_difference(theta, tau.x[..., 0, :], tau.x[..., -1, :]),
          equals(log_steps, sampled_case),
          {"the hidden states too": lambda theta, tau: rbm.energy(theta, tau.x[..., 0, :], tau.z[..., 0, :])
               - rbm.energy(theta, tau.x[..., -1, :], tau.z[..., -1, :]),
           "the global partition function too": lambda theta, tau: rbm.log_partition(theta)
               + free_energy_difference(theta, tau.x[..., 0, :], tau.x[..., -1, :]),
           "the first step only": lambda theta, tau:
               free_energy_difference(theta, tau.x[..., 0, :], tau.x[..., 1, :])}),
    Claim("bachman2015.eq43", contracted(gradient),
          is_gradient_of(lambda c, **pair: np.sum(c * difference_by_table(**pair)), "theta", pair_case),
          {"the update's sign": contracted(update),
           "sigma(1 - sigma)": with_hidden(lambda theta, x: sigmoid(rbm.hidden_logits(theta, x))
                                           * sigmoid(-rbm.hidden_logits(theta, x))),
           "hidden bits in place of their means": with_hidden(lambda theta, x: 1.0 * (rbm.hidden_logits(theta, x) > 0)),
           "the hidden bias left out": with_hidden(lambda theta, x: sigmoid(x @ theta["w"]))}),
    Claim("bachman2015.eq43_cd", mean_over_trajectories(at_ends(gradient)),
          equals(negative(sampled_pairs_by_table), gibbs.random_case),
          {"with the sign of Eq. 44": mean_over_trajectories(at_ends(update)),
           "minus the likelihood gradient": negative(likelihood_gradient),
           "a trajectory one step short": mean_over_trajectories(
               lambda theta, tau: gradient(theta, tau.x[:, 0], tau.x[:, -2])),
           "z_0 kept in the negative phase": mean_over_trajectories(lambda theta, tau: {
               **gradient(theta, tau.x[:, 0], tau.x[:, -1]), "w": outer(tau.x[:, -1] - tau.x[:, 0], tau.z[:, 0])})}),
    Claim("bachman2015.eq44_partial",
          moments(lambda theta, x, q: sigmoid(rbm.hidden_logits(theta, x)), lambda h: h * (1 - h)),
          equals(moments_by_table, gibbs.random_case),
          {"no variance is saved": moments(lambda theta, x, q: sigmoid(rbm.hidden_logits(theta, x)), lambda h: 0 * h),
           "x_k replaced by its mean, too": moments(
               lambda theta, x, q: sigmoid(rbm.hidden_logits(theta, q @ x)) + 0 * x[:, :1], lambda h: h * (1 - h)),
           "the likelier bit in place of the mean": moments(
               lambda theta, x, q: 1.0 * (rbm.hidden_logits(theta, x) > 0), lambda h: h * (1 - h))}),
    Claim("bachman2015.endnote",
          lambda theta, data, k: full_ratio(theta, data, k, gibbs.marginal(theta, data, k)),
          equals(full_ratio_by_table, gibbs.random_case),
          {"D(x_0)/pi(x_k), pi the RBM's marginal": lambda theta, data, k:
               full_ratio(theta, data, k, onp.exp(rbm.log_marginal_table(theta))),
           "D(x_0)/D(x_k)": lambda theta, data, k: full_ratio(theta, data, k, data),
           "minus the partition functions": lambda theta, data, k:
               full_ratio(theta, data, k, gibbs.marginal(theta, data, k), sign=-1.0)},
          printed=lambda theta, data, k: telescoped(theta, gibbs.all_trajectories(*theta["w"].shape, k))),
]
