r"""Variational learning as stochastic approximation (ou2018 Sec. 3.2.1, after Eq. 10, Algorithm 2).

    Eq. 1    find lambda with f(lambda) = E_{z ~ p(z; lambda)}[F(z; lambda)] = 0
    here     lambda = (theta, phi), z = (x, h), p(z; lambda) = p_tilde(x) q(h|x),
             F = (dlog p(x, h)/dtheta, log(p(x, h) / q(h|x)) dlog q(h|x)/dphi), the summands of Eq. 10
    Alg. 2   ascend the mean of F over a minibatch of independent draws of z

The model is `refdgm.models.tables`, so that f is a sum over all cells, and the mean of a minibatch's step a sum over
all minibatches. Shapes: p_data (X,), tables (X, H), F (X, H, *leaf); a minibatch x, h (..., M) of integers.

f(lambda), and the mean step of Algorithm 2 over all minibatches of two:

    >>> from refdgm.directed.variational_learning import field, joint_case, mean_of, minibatch_step
    >>> [round(float(f(**joint_case(0))["phi"]["q"][0, 0]), 4) for f in (field(), mean_of(minibatch_step))]
    [0.0766, 0.0766]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_gradient_of
from refdgm.models import tables
from refdgm.numerics import all_tuples, weighted_sum


def log_ratio(theta, phi):
    """log p(x, h) / q(h|x) for every cell, the learning signal (ou2018 Eq. 10).  -> (X, H)"""
    return tables.log_joint(theta) - tables.log_q(phi)


def law_of_z(phi, p_data):
    """p(z; lambda) = p_tilde(x) q(h|x) for every z = (x, h) (ou2018 after Eq. 10).  -> (X, H)"""
    return p_data[:, None] * onp.exp(tables.log_q(phi))


def mean_over_z(law, F):
    """f(lambda) = sum_z p(z; lambda) F(z; lambda) (ou2018 Eq. 1).  law : (X, H), F : dict of dicts of (X, H, *leaf)"""
    return {name: weighted_sum(law, part) for name, part in F.items()}


def summands(theta, phi):
    """F(z; lambda), lambda = (theta, phi): what Eq. 10 averages, for every z = (x, h) (ou2018 after Eq. 10)."""
    signal = log_ratio(theta, phi)
    return {"theta": tables.score_theta(theta),
            "phi": {name: signal[..., None, None] * leaf for name, leaf in tables.score_phi(phi).items()}}


def minibatch_step(theta, phi, x, h):
    """The ascent directions from M pairs (x_m, h_m) (ou2018 Alg. 2).  (..., M) -> dict of dicts of (..., *leaf)"""
    M = np.shape(x)[-1]
    uniform = onp.full(np.shape(x), 1.0 / M)
    return {"theta": weighted_sum(uniform, {n: s[x, h] for n, s in tables.score_theta(theta).items()}, axis=-1),
            "phi": weighted_sum(uniform * log_ratio(theta, phi)[x, h],
                                {n: s[x, h] for n, s in tables.score_phi(phi).items()}, axis=-1)}


def all_minibatches(phi, p_data, M):
    """Every minibatch of M independent pairs (x, h), and its probability.  -> x, h (N, M), (N,)"""
    law = law_of_z(phi, p_data)
    index = all_tuples(law.size, M)
    x, h = onp.unravel_index(index, law.shape)
    return x, h, onp.prod(law[x, h], axis=-1)


# ---- claims ---------------------------------------------------------------------------

M = 2       # pairs in a minibatch: 144 minibatches of a 4 x 3 table


def average_bound(theta, phi, p_data):
    """The oracle: E_p_tilde[log p(x) - KL(q || p(h|x))], which autograd differentiates."""
    log_q = tables.log_q(phi)
    divergence = np.sum(np.exp(log_q) * (log_q - tables.log_posterior(theta)), axis=-1)
    return np.sum(p_data * (tables.log_marginal(theta) - divergence))


def average_bound_at(parameters, p_data):
    return average_bound(parameters["theta"], parameters["phi"], p_data)


def joint_case(seed):
    case = tables.random_case(seed)
    return {"parameters": {"theta": case["theta"], "phi": case["phi"]}, "p_data": case["p_data"]}


def field(law=lambda theta, phi, p_data: law_of_z(phi, p_data)):
    """f(lambda), whose root Eq. 10 asks for, with z drawn from `law`."""
    def f(parameters, p_data):
        return mean_over_z(law(p_data=p_data, **parameters), summands(**parameters))
    return f


def mean_of(step):
    """The exact mean over all minibatches of step(theta, phi, x, h) -> dict."""
    def mean(parameters, p_data):
        x, h, probability = all_minibatches(parameters["phi"], p_data, M)
        return {name: weighted_sum(probability, part) for name, part in step(**parameters, x=x, h=h).items()}
    return mean


def misread(signal):
    """Algorithm 2 with another learning signal (X, H) in the phi-update."""
    def step(theta, phi, x, h):
        phi_part = weighted_sum(signal(theta, phi)[x, h] / M, {"q": tables.score_phi(phi)["q"][x, h]}, axis=-1)
        return {**minibatch_step(theta, phi, x, h), "phi": phi_part}
    return step


CLAIMS = [
    Claim("ou2018.eq10.sa_form", field(), is_gradient_of(average_bound_at, "parameters", joint_case),
          {"p(z; lambda) = p_tilde(x) p(h|x)": field(
              lambda theta, phi, p_data: p_data[:, None] * onp.exp(tables.log_posterior(theta))),
           "p(z; lambda) = p(x, h)": field(lambda theta, phi, p_data: onp.exp(tables.log_joint(theta))),
           "p(z; lambda) = p_tilde(x) q(h)": field(
               lambda theta, phi, p_data: p_data[:, None] * law_of_z(phi, p_data).sum(0))}),
    Claim("ou2018.alg2", mean_of(minibatch_step), is_gradient_of(average_bound_at, "parameters", joint_case),
          {"the sum, not the mean": mean_of(lambda **args: {
              name: {n: M * leaf for n, leaf in part.items()} for name, part in minibatch_step(**args).items()}),
           "h of another pair": mean_of(
               lambda theta, phi, x, h: minibatch_step(theta, phi, x, onp.roll(h, 1, axis=-1))),
           "log p alone, no -log q": mean_of(misread(lambda theta, phi: tables.log_joint(theta))),
           "p/q without the logarithm": mean_of(misread(lambda theta, phi: onp.exp(log_ratio(theta, phi))))}),
]
