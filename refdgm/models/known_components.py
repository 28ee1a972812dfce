r"""A mixture whose components are known: only the mixing weights are learned.

    p(x, h) = softmax(a)_h B(x|h)        q(h) = softmax(c)_h, one and the same for every x

theta = {"a": (H,)}, phi = {"c": (H,)}; log_B (X, H) and p_data (X,) are given. The log-likelihood is concave in the
weights, so the maximum likelihood estimate is unique, and a q that cannot see x never contains the posterior: what a
learning algorithm owes to q shows at once.

What the weights of maximum likelihood gain over those at the start, in nats per datum:

>>> import numpy as np
>>> from refdgm.models.known_components import maximum_likelihood, mean_log_likelihood, random_case
>>> theta, _, log_B, p_data = random_case(0).values()
>>> best = {"a": np.log(maximum_likelihood(log_B, p_data))}
>>> round(float(mean_log_likelihood(best, log_B, p_data) - mean_log_likelihood(theta, log_B, p_data)), 4)
0.0103
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import log_softmax, log_sum_exp, softmax


def log_joint(theta, log_B):
    """log p(x, h) for every cell.  -> (X, H)"""
    return log_softmax(theta["a"]) + log_B


def log_posterior(theta, log_B):
    """log p(h|x) for every cell.  -> (X, H)"""
    return log_softmax(log_joint(theta, log_B))


def mean_log_likelihood(theta, log_B, p_data):
    """E_p~ log p(x).  -> ()"""
    return np.sum(p_data * log_sum_exp(log_joint(theta, log_B)))


def log_q(phi, log_B):
    """log q(h), repeated for every x.  -> (X, H)"""
    return log_softmax(phi["c"]) + np.zeros(np.shape(log_B))


def score(logits):
    """dlog softmax(logits)_h / dlogits for every h: dlog p(x, h)/da and dlog q(h)/dc.  (H,) -> (H, H)"""
    return onp.eye(len(logits)) - softmax(logits)


def maximum_likelihood(log_B, p_data):
    """The weights that maximise the mean log-likelihood: EM until near, then Newton.  -> (H,)

    Raises ValueError where a weight goes to zero: there the maximum has no logits.
    """
    B, weights = onp.exp(log_B), onp.full(log_B.shape[1], 1 / log_B.shape[1])
    for _ in range(100):
        weights = p_data @ (B * weights / (B @ weights)[:, None])
    for _ in range(20):
        valid.require(onp.min(weights) >= 1e-3,
                      f"a weight of the maximum likelihood estimate is {onp.min(weights):.1e}: too small.")
        ratio = B / (B @ weights)[:, None]
        hessian = -ratio.T @ (p_data[:, None] * ratio)                  # of the log-likelihood, concave in the weights
        n, one = len(weights), onp.ones(len(weights))
        system = onp.vstack([onp.column_stack([hessian, one]), onp.append(one, 0.0)])               # keeps their sum
        weights = weights - onp.linalg.solve(system, onp.append(p_data @ ratio, 0.0))[:n]
    return weights


def information(log_B, p_data, weights):
    """What a datum says of the weights in the direction of which it says least: a curvature of -E log p(x).  -> ()"""
    ratio, n = onp.exp(log_B) / (onp.exp(log_B) @ weights)[:, None], len(weights)
    along = onp.linalg.svd(onp.ones((1, n)))[2][1:]                         # (n - 1, n), orthonormal, each of sum zero
    return onp.linalg.eigvalsh(along @ (ratio.T @ (p_data[:, None] * ratio)) @ along.T)[0]


def random_case(seed, X=6, H=3, n=40, least=0.0):
    """Components that differ, start parameters, and n observations that the mixture does not fit exactly.

    No weight of the maximum likelihood estimate is near zero, and there the information is at least `least`.
    """
    rng = onp.random.default_rng([seed, X, H])
    for _ in range(1000):
        B = onp.stack([rng.dirichlet(own) for own in 1.0 + 4.0 * (onp.arange(X) % H == onp.arange(H)[:, None])], axis=1)
        counts = 1 + rng.multinomial(n - X, B @ rng.dirichlet(onp.full(H, 5.0)))
        try:
            best = maximum_likelihood(onp.log(B), counts / n)
            if onp.min(best) > 0.1 and information(onp.log(B), counts / n, best) >= least:
                return {"theta": {"a": rng.normal(size=H)}, "phi": {"c": rng.normal(size=H)},
                        "log_B": onp.log(B), "p_data": counts / n}
        except ValueError:
            continue
    raise ValueError(f"of 1,000 mixtures with X = {X}, H = {H} and n = {n} none had an information of {least}.")
