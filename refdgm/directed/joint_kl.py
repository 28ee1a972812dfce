r"""Likelihood and bound as divergences between joint laws (kingma2019 Secs. 2.2, 2.7, 2.8 and 4.2).

    Sec. 2.2   L(x) = E_q[log p(x, z) - log q(z|x)] = log p(x) - KL[q(z|x) || p(z|x)]
                    = E_q[log p(x|z)] - KL[q(z|x) || p(z)]
    Sec. 2.7   KL[q_D(x) q(z|x) || p(x, z)] = KL[q_D(x) || p(x)] + E_q_D KL[q(z|x) || p(z|x)] = -H[q_D] - E_q_D L(x)
    Sec. 2.8   where p(x|z) = p(x) for every z, the best q is the prior: the latents carry nothing
    Sec. 4.2   argmin_p E_q_D KL[q(z|x) || p(z)] = q(z) = E_q_D q(z|x), the aggregate posterior

The model is `refdgm.models.tables`: theta["joint"] (X, H) gives p(x, z), phi["q"] (X, H) gives
q(z|x), and p_data (X,) is q_D(x).

Sec. 2.7, the joint divergence and the sum of its two parts:

    >>> from refdgm.directed.joint_kl import joint_divergence, marginal_divergence, posterior_divergence, tables
    >>> case = theta, phi, p_data = tuple(tables.random_case(0).values())
    >>> parts = marginal_divergence(theta, p_data) + posterior_divergence(theta, phi, p_data)
    >>> round(float(joint_divergence(*case)), 3), round(float(parts), 3)
    (0.582, 0.582)
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.models import tables
from refdgm.numerics import entropy, kl, log_softmax, log_sum_exp, softmax


def bound_by_posterior(theta, phi):
    """log p(x) - KL[q(z|x) || p(z|x)] for every x (kingma2019 Sec. 2.2).  -> (X,)"""
    return tables.log_marginal(theta) - kl(np.exp(tables.log_q(phi)), np.exp(tables.log_posterior(theta)))


def bound_by_reconstruction(theta, phi):
    """E_q[log p(x|z)] - KL[q(z|x) || p(z)] for every x (kingma2019 Sec. 2.2).  -> (X,)"""
    q = np.exp(tables.log_q(phi))
    prior = np.exp(tables.log_prior(theta)) + np.zeros_like(q)
    return np.sum(q * tables.log_likelihood(theta), axis=-1) - kl(q, prior)


def marginal_divergence(theta, p_data):
    """KL[q_D(x) || p(x)]: what maximum likelihood minimises (kingma2019 Sec. 2.7).  -> ()"""
    return kl(p_data, np.exp(tables.log_marginal(theta)))


def posterior_divergence(theta, phi, p_data):
    """E_q_D KL[q(z|x) || p(z|x)] (kingma2019 Sec. 2.7).  -> ()"""
    return np.sum(p_data * kl(np.exp(tables.log_q(phi)), np.exp(tables.log_posterior(theta))))


def joint_divergence(theta, phi, p_data):
    """KL[q_D(x) q(z|x) || p(x, z)]: what maximising the bound minimises (kingma2019 Sec. 2.7).  -> ()"""
    joint = p_data[:, None] * np.exp(tables.log_q(phi))
    return kl(np.reshape(joint, -1), np.reshape(np.exp(tables.log_joint(theta)), -1))


def collapsed_q(theta):
    """The best q(z|x) where the decoder ignores z: the prior at every x (kingma2019 Sec. 2.8).  -> phi"""
    return {"q": tables.log_prior(theta) + np.zeros_like(theta["joint"])}


def aggregate_posterior(phi, p_data):
    """log q(z) = log E_q_D q(z|x): the best prior for a given q (kingma2019 Sec. 4.2).  -> (H,)"""
    return log_sum_exp(np.log(p_data)[:, None] + tables.log_q(phi), axis=0)


# ---- claims ---------------------------------------------------------------------------

def model_case(seed):
    case = tables.random_case(seed)
    return {"theta": case["theta"], "phi": case["phi"]}


def bound_term_by_term(theta, phi):
    """The oracle: E_q[log p(x, z) - log q(z|x)] in plain Python, for both of its other forms."""
    joint = onp.exp(theta["joint"]) / onp.sum(onp.exp(theta["joint"]))
    q = onp.exp(phi["q"])
    q = q / onp.sum(q, axis=1, keepdims=True)
    L = onp.array([sum(q[x, z] * onp.log(joint[x, z] / q[x, z]) for z in range(q.shape[1])) for x in range(len(q))])
    return {"by posterior": L, "by reconstruction": L}


def forms(by_posterior=bound_by_posterior, by_reconstruction=bound_by_reconstruction):
    return lambda theta, phi: {"by posterior": by_posterior(theta, phi),
                               "by reconstruction": by_reconstruction(theta, phi)}


def q_and_posterior(theta, phi):
    return np.exp(tables.log_q(phi)), np.exp(tables.log_posterior(theta))


def decompositions(parts=lambda theta, phi, p_data: marginal_divergence(theta, p_data)
                   + posterior_divergence(theta, phi, p_data),
                   constant=lambda p_data: entropy(p_data)):
    """The joint divergence from its two parts; and the mean bound from the joint divergence and a constant."""
    return lambda theta, phi, p_data: {
        "joint": parts(theta, phi, p_data), "mean bound": -joint_divergence(theta, phi, p_data) - constant(p_data)}


def cell_by_cell(theta, phi, p_data):
    """The oracle: both sums over the cells (x, z)."""
    L = bound_term_by_term(theta, phi)["by posterior"]
    joint = onp.exp(theta["joint"]) / onp.sum(onp.exp(theta["joint"]))
    q = p_data[:, None] * onp.exp(phi["q"]) / onp.sum(onp.exp(phi["q"]), axis=1, keepdims=True)
    return {"joint": onp.sum(q * onp.log(q / joint)), "mean bound": p_data @ L}


def ignoring_case(seed):
    """A decoder that ignores z: p(x, z) = p(x) p(z)."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"joint": rng.normal(size=(4, 1)) + rng.normal(size=3)}}


def listening_case(seed):
    return {"theta": tables.random_case(seed)["theta"]}


def negative_bound(phi, theta):
    q = softmax(phi["q"])
    return -np.sum(q * (tables.log_joint(theta) - np.log(q)))


def at_every_x(row):
    """A q that is the same at every x."""
    return lambda theta: {"q": row(theta) + np.zeros_like(theta["joint"])}


def mean_divergence(log_prior, phi, p_data):
    """E_q_D KL[q(z|x) || p(z)], in terms of the logits of p(z)."""
    q = softmax(phi["q"])
    return np.sum(p_data[:, None] * q * (np.log(q) - log_softmax(log_prior)))


def prior_case(seed):
    case = tables.random_case(seed)
    return {"phi": case["phi"], "p_data": case["p_data"]}


CLAIMS = [
    Claim("kingma2019.toc.2.2", forms(), equals(bound_term_by_term, model_case),
          {"log p + KL": forms(lambda *c: 2 * tables.log_marginal(c[0]) - bound_by_posterior(*c)),
           "KL[p(z|x) || q]": forms(lambda *c: tables.log_marginal(c[0]) - kl(*q_and_posterior(*c)[::-1])),
           "reconstruction with KL to p(z|x)": forms(by_reconstruction=lambda theta, phi: np.sum(
               np.exp(tables.log_q(phi)) * tables.log_likelihood(theta), axis=-1) - kl(*q_and_posterior(theta, phi))),
           "E_q log p(x, z) - KL[q || p(z)]: the prior twice": forms(by_reconstruction=lambda theta, phi:
                                                                   bound_by_reconstruction(theta, phi) + np.sum(
                   np.exp(tables.log_q(phi)) * tables.log_prior(theta), axis=-1))}),
    Claim("kingma2019.toc.2.7", decompositions(), equals(cell_by_cell, tables.random_case),
          {"the posterior's divergence under p(x)": decompositions(lambda theta, phi, p_data: marginal_divergence(
              theta, p_data) + posterior_divergence(theta, phi, np.exp(tables.log_marginal(theta)))),
           "the marginal divergence alone": decompositions(lambda theta, phi, p_data: marginal_divergence(
               theta, p_data)),
           "KL[p(z|x) || q]": decompositions(lambda theta, phi, p_data: marginal_divergence(theta, p_data) + np.sum(
               p_data * kl(*q_and_posterior(theta, phi)[::-1]))),
           "the mean bound is -KL: no entropy of the data": decompositions(constant=lambda p_data: 0.0),
           "the data's entropy with the other sign": decompositions(constant=lambda p_data: -entropy(p_data))}),
    Claim("kingma2019.toc.2.8", collapsed_q, minimises(negative_bound, "phi", ignoring_case),
          {"a uniform q": at_every_x(lambda theta: np.zeros(3)),
           "the most probable z": at_every_x(lambda theta: 5 * tables.log_prior(theta)),
           "a q that codes x": lambda theta: {"q": np.eye(4, 3) + collapsed_q(theta)["q"]}},
          without=minimises(negative_bound, "phi", listening_case)),
    Claim("kingma2019.toc.4.2", aggregate_posterior, minimises(mean_divergence, "log_prior", prior_case),
          {"the average of the logits": lambda phi, p_data: p_data @ phi["q"],
           "every x counted alike": lambda phi, p_data: aggregate_posterior(phi, np.ones(4) / 4),
           "a uniform prior": lambda phi, p_data: np.zeros(3),
           "the posterior of the most frequent x": lambda phi, p_data: phi["q"][np.argmax(p_data)]}),
]
