r"""The gradients of the variational bound (ou2018 Sec. 3.2.1, Eq. 10, footnote 6).

    Eq. 10   d/dtheta = E[dlog p(x, h)/dtheta]      d/dphi = E[log(p(x, h) / q(h|x)) dlog q(h|x)/dphi]
    fn. 6    REINFORCE: d/dphi E_q[g(h)] = E_q[g(h) dlog q/dphi];  Fisher: E_q[dlog q/dphi] = 0

Every expectation is under p_tilde(x) q(h|x), and is a sum over all cells of `refdgm.models.tables`.
Shapes: p_data (X,), tables (X, H), a score (X, H, *leaf).

Fisher's equality: a constant added to the signal changes nothing.

    >>> from refdgm.directed.score_function import log_ratio, reinforce, tables
    >>> theta, phi, p_data = tables.random_case(0).values()
    >>> [round(float(reinforce(phi, log_ratio(theta, phi) + c, p_data)["q"][0, 0]), 4) for c in (0.0, 100.0)]
    [0.0766, 0.0766]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_gradient_of, vanishes
from refdgm.models import tables
from refdgm.numerics import weighted_sum


def log_ratio(theta, phi):
    """log p(x, h) / q(h|x) for every cell, the learning signal (ou2018 Eq. 10).  -> (X, H)"""
    return tables.log_joint(theta) - tables.log_q(phi)


def cell_probabilities(phi, p_data):
    """p_tilde(x) q(h|x) for every cell, the law of the draws (ou2018 Eq. 10).  -> (X, H)"""
    return p_data[:, None] * onp.exp(tables.log_q(phi))


def grad_theta(theta, phi, p_data):
    """E[dlog p(x, h)/dtheta] (ou2018 Eq. 10, line 1).  -> dict"""
    return weighted_sum(cell_probabilities(phi, p_data), tables.score_theta(theta))


def grad_phi(theta, phi, p_data):
    """E[log(p(x, h) / q(h|x)) dlog q(h|x)/dphi] (ou2018 Eq. 10, line 2).  -> dict"""
    return weighted_sum(cell_probabilities(phi, p_data) * log_ratio(theta, phi), tables.score_phi(phi))


def expected_score(phi, p_data):
    """E[dlog q(h|x)/dphi], zero by Fisher's equality (ou2018 fn. 6).  -> dict"""
    return weighted_sum(cell_probabilities(phi, p_data), tables.score_phi(phi))


def reinforce(phi, g, p_data):
    """E[g(x, h) dlog q(h|x)/dphi] for any g without phi (ou2018 fn. 6).  g : (X, H) -> dict"""
    return weighted_sum(cell_probabilities(phi, p_data) * g, tables.score_phi(phi))


def product_rule(log_joint, log_q, score, p_data):
    """-E[score] + E[log(p/q) score], the two terms of footnote 6 with their signs (ou2018 fn. 6).  -> (*leaf)

    It is the derivative of E[log(p/q)] for any positive q, normalised or not; score : (X, H, *leaf) is dlog q/dphi.
    """
    weights = p_data[:, None] * onp.exp(log_q)
    return -weighted_sum(weights, score) + weighted_sum(weights * (log_joint - log_q), score)


# ---- claims ---------------------------------------------------------------------------

def average_bound(theta, phi, p_data):
    """The oracle: E_p_tilde[log p(x) - KL(q || p(h|x))], which autograd differentiates."""
    log_q = tables.log_q(phi)
    divergence = np.sum(np.exp(log_q) * (log_q - tables.log_posterior(theta)), axis=-1)
    return np.sum(p_data * (tables.log_marginal(theta) - divergence))


def reward_case(seed):
    case = tables.random_case(seed)
    return {"phi": case["phi"], "g": onp.random.default_rng([seed, 1]).normal(size=(4, 3)), "p_data": case["p_data"]}


def scale_of_score(phi, p_data):
    """E|dlog q/dphi|, the size of what cancels."""
    return float(onp.max(weighted_sum(cell_probabilities(phi, p_data), onp.abs(tables.score_phi(phi)["q"]))))


def unnormalised_case(seed):
    """An unnormalised q = exp(logits), whose expected score is not zero, and data that are counts of each x."""
    case = tables.random_case(seed)
    counts = 1.0 + onp.random.default_rng([seed, 2]).integers(0, 4, 4)
    return {"logits": case["phi"]["q"], "log_joint": tables.log_joint(case["theta"]), "counts": counts}


def pooled_bound(logits, log_joint, counts):
    return np.sum(counts[:, None] * np.exp(logits) * (log_joint - logits))


def footnote_6(sign=-1.0, pooled=True):
    """The phi-gradient of the pooled bound: n (sign E[score] + E[log(p/q) score]); pooled = False forgets n."""
    def gradient(logits, log_joint, counts):
        n, p_data = counts.sum(), counts / counts.sum()
        score = onp.eye(logits.size).reshape(logits.shape * 2)          # of q = exp(logits): one-hot
        right = product_rule(log_joint, logits, score, p_data)
        flipped = (sign + 1.0) * weighted_sum(p_data[:, None] * onp.exp(logits), score)
        return (n if pooled else 1.0) * (right + flipped)
    return gradient


def with_conditional_score(log_law, axis):
    """The theta-gradient of Eq. 10 with the score of a conditional of p(x, h): the joint's, centred along `axis`."""
    def gradient(theta, phi, p_data):
        score = tables.score_theta(theta)["joint"]
        centre = onp.sum(onp.exp(log_law(theta))[..., None, None] * score, axis=axis, keepdims=True)
        return weighted_sum(cell_probabilities(phi, p_data), {"joint": score - centre})
    return gradient


def signalled(signal):
    """The phi-gradient of Eq. 10 with another learning signal."""
    return lambda theta, phi, p_data: weighted_sum(
        cell_probabilities(phi, p_data) * signal(theta, phi), tables.score_phi(phi))


CLAIMS = [
    Claim("ou2018.eq10.theta", grad_theta, is_gradient_of(average_bound, "theta", tables.random_case),
          {"the score of p(h|x): p(x) forgotten": with_conditional_score(tables.log_posterior, axis=1),
           "the score of p(x|h): p(h) forgotten": with_conditional_score(tables.log_likelihood, axis=0),
           "h from the posterior": lambda theta, phi, p_data: weighted_sum(
               p_data[:, None] * onp.exp(tables.log_posterior(theta)), tables.score_theta(theta)),
           "every x alike": lambda theta, phi, p_data: grad_theta(theta, phi, onp.full(4, 0.25))}),
    Claim("ou2018.eq10.phi", grad_phi, is_gradient_of(average_bound, "phi", tables.random_case),
          {"log p alone, no -log q": signalled(lambda theta, phi: tables.log_joint(theta)),
           "log q/p": signalled(lambda theta, phi: -log_ratio(theta, phi)),
           "p/q without the logarithm": signalled(lambda theta, phi: onp.exp(log_ratio(theta, phi))),
           "the prior forgotten: log p(x|h)/q": signalled(
               lambda theta, phi: tables.log_likelihood(theta) - tables.log_q(phi)),
           "dq/dphi for dlog q/dphi": signalled(
               lambda theta, phi: log_ratio(theta, phi) * onp.exp(tables.log_q(phi)))}),
    Claim("ou2018.fn6.fisher", expected_score,
          vanishes(scale_of_score, lambda seed: {k: v for k, v in tables.random_case(seed).items() if k != "theta"}),
          {"h uniform in place of h ~ q": lambda phi, p_data: weighted_sum(
              p_data[:, None] * onp.full(phi["q"].shape, 1 / 3), tables.score_phi(phi)),
           "the score of an unnormalised q": lambda phi, p_data: weighted_sum(
               cell_probabilities(phi, p_data), onp.eye(12).reshape(4, 3, 4, 3)),
           "x and h from one joint softmax": lambda phi, p_data: weighted_sum(
               cell_probabilities(phi, p_data), tables.score_theta({"joint": phi["q"]}))}),
    Claim("ou2018.fn6.sign", footnote_6(), is_gradient_of(pooled_bound, "logits", unnormalised_case),
          {"the sign as printed, n right": footnote_6(sign=+1.0),
           "the sign right, n missing": footnote_6(pooled=False),
           "the score term dropped before q is normalised": footnote_6(sign=0.0)},
          printed=footnote_6(sign=+1.0, pooled=False)),
    Claim("ou2018.fn6.reinforce", reinforce,
          is_gradient_of(lambda phi, g, p_data: np.sum(p_data[:, None] * np.exp(tables.log_q(phi)) * g), "phi",
                         reward_case),
          {"the score not multiplied by q: a sum over h": lambda phi, g, p_data: weighted_sum(
              p_data[:, None] * g, tables.score_phi(phi)),
           "E[g] E[score]": lambda phi, g, p_data: reinforce(
               phi, onp.sum(onp.exp(tables.log_q(phi)) * g, axis=-1, keepdims=True) + 0 * g, p_data),
           "log g for g": lambda phi, g, p_data: reinforce(phi, onp.log(onp.abs(g)), p_data),
           "minus: descent": lambda phi, g, p_data: reinforce(phi, -g, p_data)}),
]
