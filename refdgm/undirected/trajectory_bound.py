r"""What the divergence of the Gibbs trajectories bounds, and how well (bachman2015 Sec. 5.4, Eqs. 5 and 24).

One step, k = 1, with any prior r(x_1): the backward chain is a model p(x_0) = sum_z p(z) p(x_0|z), whose prior over z
is p(z) = sum_x r(x) p(z|x), and the encoder of the forward chain is q(z|x_0) = p(z|x_0). The trajectory divergence is
E_D[log D] minus the ELBO of that autoencoder, plus what the last half-step adds:

    KL(q(tau)||p(tau)) = KL(D(x) q(z|x) || p(z) p(x|z)) + E_q(z) KL(q(x_1|z) || p(x_1|z)),   p(x_1|z) ~ r(x_1) p(z|x_1)

so the ELBO is the tighter bound, and both agree if and only if r is the RBM's marginal pi. For any k, with the prior
q(x_k) of Eq. 32, the divergence KL(D||pi) - KL(q_k||pi) rises with k, from zero to KL(D||pi).

theta is that of refdgm.models.rbm, data and prior (2**D,).

The divergence rises with the length of the trajectories, to KL(D||pi); here for one step and for twenty:

>>> import numpy as np
>>> from refdgm.undirected.trajectory_bound import divergence
>>> theta, data = {"w": np.array([[4.0]]), "b": np.array([-2.0]), "c": np.array([-2.0])}, np.array([0.9, 0.1])
>>> [round(float(divergence(theta, data, k)), 3) for k in (1, 20)]
[0.256, 0.368]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, is_at_most
from refdgm.models import rbm
from refdgm.numerics import kl
from refdgm.samplers import block_gibbs as gibbs


def elbo_divergence(theta, data, prior):
    """KL(D(x) q(z|x) || p(z) p(x|z)): E_D[log D] minus the ELBO, on average (bachman2015 Eq. 5).  -> ()"""
    up, down = gibbs.visible_to_hidden(theta), gibbs.hidden_to_visible(theta)
    return kl(data[:, None] * up, ((prior @ up)[:, None] * down).T, axis=None)


def last_half_step(theta, data, prior):
    """E_q(z) KL(q(x_1|z) || p(x_1|z)), by which one step of the trajectory loosens the bound.  -> ()"""
    up, down = gibbs.visible_to_hidden(theta), gibbs.hidden_to_visible(theta)
    backward = (prior[:, None] * up).T
    return (data @ up) @ kl(down, backward / np.sum(backward, axis=1, keepdims=True))


def divergence(theta, data, k):
    """KL(D||pi) - KL(q_k||pi), the trajectory divergence with the prior of Eq. 32 (bachman2015 Eq. 24).  -> ()"""
    pi = np.exp(rbm.log_marginal_table(theta))
    return kl(data, pi) - kl(gibbs.marginal(theta, data, k), pi)


# ---- claims ---------------------------------------------------------------------------

def one_step_case(seed):
    """A random RBM, data, and a prior that is not the RBM's marginal."""
    case = gibbs.random_case(seed)
    return {"theta": case["theta"], "data": case["data"],
            "prior": np.random.default_rng([seed, 74]).dirichlet(np.full(case["data"].size, 2.0))}


def divergence_by_tables(theta, data, prior):
    """The oracle: both laws of (x_0, z, x_1) as tables, from Boltzmann weights alone."""
    q, p = gibbs.forward_table(theta, data, 1), gibbs.backward_table(theta, prior, 1)
    return np.sum(q * np.log(q / p))


def plus(half_step, factor=1.0):
    return lambda **case: elbo_divergence(**case) + factor * half_step(**case)


def under_the_model(theta, data, prior):
    """The last half-step averaged over p(z)."""
    return last_half_step(theta, prior, prior)


def other_direction(theta, data, prior):
    up, down = gibbs.visible_to_hidden(theta), gibbs.hidden_to_visible(theta)
    backward = (prior[:, None] * up).T
    return (data @ up) @ kl(backward / np.sum(backward, axis=1, keepdims=True), down)


def steps_case(seed):
    case = gibbs.random_case(seed)
    return {"theta": case["theta"], "data": case["data"]}


def at_steps(ks, value=divergence):
    return lambda theta, data: np.array([value(theta, data, k) for k in ks])


def next_step_by_tables(theta, data):
    """The divergence at k = 1, 2, 3 by the chain's tables, and KL(D||pi)."""
    pi, weights = gibbs.visible_table(theta), rbm.boltzmann(theta)
    T = (weights / weights.sum(1, keepdims=True)) @ (weights / weights.sum(0)).T
    ratios = [np.sum(q * np.log(q / pi)) for q in (data @ np.linalg.matrix_power(T, k) for k in (1, 2, 3))]
    from_pi = np.sum(data * np.log(data / pi))
    return np.array([*(from_pi - np.array(ratios)), from_pi])


CLAIMS = [
    Claim("bachman2015.x_one_step", plus(last_half_step), equals(divergence_by_tables, one_step_case),
          {"the ELBO: nothing is added": plus(last_half_step, 0.0),
           "averaged over p(z)": plus(under_the_model),
           "KL(p(x_1|z) || q(x_1|z))": plus(other_direction),
           "the bound gets tighter": plus(last_half_step, -1.0)}),
    Claim("bachman2015.x_cdk_rises", at_steps((0, 1, 2, 3)), is_at_most(next_step_by_tables, steps_case),
          {"it falls with k": at_steps((2, 3, 4, 5)),
           "plus KL(q_k||pi)": at_steps((0, 1, 2, 3), lambda theta, data, k: 2 * divergence(
               theta, data, 60) - divergence(theta, data, k)),
           "a step changes nothing once the chain moves": at_steps((4, 4, 4, 4))}),
]
