r"""VIMCO: leave-one-out learning signals for the K-sample bound (ou2018 Sec. 3.2.1; Mnih & Rezende 2016).

With h_1..h_K ~ q(.|x), w_k = p(x, h_k) / q(h_k|x), wbar_k = w_k / sum_j w_j and p_hat = (1/K) sum_k w_k, one draw
estimates the phi-gradient of the bound I_K(x) = E[log p_hat] (ou2018 Eq. 15) by

    sum_k (log p_hat - b_k - wbar_k) dlog q(h_k|x)/dphi

The term in wbar is dlog p_hat/dphi. The mean is right for every baseline b_k that does not look at h_k. NVIL's look at
x alone and are learned. VIMCO's are log p_hat once more with w_k replaced by a mean of the other weights: nothing is
learned, and each draw is judged by what it adds to the others.

Shapes: examples X (B, D), draws h (..., B, K, H), log_w (..., B, K). The mean is a sum over all 2**(B K H) draws.

What the weakest and the strongest of three draws add to log p_hat:

    >>> import numpy as np
    >>> from refdgm.directed.vimco import leave_one_out, signal
    >>> [round(float(gain), 4) for gain in signal(np.array([0.0, 1.0, 4.0]), leave_one_out)[[0, 2]]]
    [-0.1754, 2.3856]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_gradient_of
from refdgm.models import sbn
from refdgm.numerics import all_binary, all_tuples, log_mean_exp, log_sum_exp, softmax, weighted_sum


def mean_of_others(log_w, kind="geometric"):
    """log of the mean of the K - 1 other weights, for each k (ou2018 Sec. 3.2.1, VIMCO).  (..., K) -> (..., K)"""
    K = log_w.shape[-1]
    valid.require(K >= 2, f"leave-one-out needs at least K = 2 samples, but K is {K}.")
    valid.require(kind in ("geometric", "arithmetic"), f"the mean is 'geometric' or 'arithmetic', not {kind!r}.")
    own, each = onp.eye(K, dtype=bool), log_w[..., None, :]
    if kind == "geometric":             # not the sum of all minus one's own: that is NaN where a weight is zero
        return onp.sum(onp.where(own, 0.0, each), axis=-1) / (K - 1)
    return log_sum_exp(onp.where(own, -onp.inf, each)) - onp.log(K - 1)


def leave_one_out(log_w, kind="geometric"):
    """b_k = log (1/K) (mean of the others + sum_{j != k} w_j) (ou2018 Sec. 3.2.1, VIMCO).  (..., K) -> (..., K)"""
    stand_in = mean_of_others(log_w, kind)
    K = log_w.shape[-1]
    replaced = onp.where(onp.eye(K, dtype=bool), stand_in[..., None], log_w[..., None, :])
    return log_mean_exp(replaced)


def coefficients(log_w, baseline=leave_one_out):
    """log p_hat - b_k - wbar_k, what multiplies dlog q(h_k|x)/dphi (ou2018 Sec. 3.2.1, VIMCO).  (..., K) -> (..., K)"""
    return log_mean_exp(log_w)[..., None] - baseline(log_w) - softmax(log_w)


def estimate_grad_phi(theta, phi, X, h, baseline=leave_one_out):
    """One draw of the phi-gradient of the mean of I_K over the examples (ou2018 Sec. 3.2.1, VIMCO).

    (B, D), (..., B, K, H) -> dict of (..., *leaf)
    """
    x = X[:, None, :]
    c = coefficients(sbn.log_weights(theta, phi, x, h), baseline)
    return mean_over_examples(weighted_sum(c, sbn.score_phi(phi, x, h), axis=-1), h.ndim - 3)


def mean_over_examples(tree, axis):
    return {name: onp.mean(leaf, axis=axis) for name, leaf in tree.items()}


# ---- exact, by enumeration ------------------------------------------------------------

def all_draws(phi, X, K):
    """Every (h_11..h_BK) and its probability under prod_b prod_k q(h_bk|x_b).  -> (N, B, K, H), (N,)"""
    log_q = sbn.log_q_table(phi, X)
    B, states = log_q.shape
    index = all_tuples(states, B * K).reshape(-1, B, K)
    log_probability = onp.sum(log_q[onp.arange(B)[:, None], index], axis=(1, 2))
    return all_binary(phi["c"].size)[index], onp.exp(log_probability)


def bound(theta, phi, X, K):
    """The mean over the examples of I_K(x), each a sum over its own draws (ou2018 Eq. 15).  -> ()"""
    log_q = sbn.log_q_table(phi, X)
    index = all_tuples(log_q.shape[-1], K)
    log_w = (sbn.log_joint_table(theta, X) - log_q)[:, index]
    return np.sum(np.exp(np.sum(log_q[:, index], axis=-1)) * log_mean_exp(log_w)) / len(X)


# ---- claims ---------------------------------------------------------------------------

K = 3


def leave_one_out_case(seed):
    """Two examples, one or two hidden units, and a baseline of either kind: both leave h_k out."""
    return {**sbn.random_data_case(seed, n=2, D=2, H=1 + seed // 2 % 2), "baseline": lambda log_w: leave_one_out(
        log_w, "geometric" if seed % 2 else "arithmetic")}


def own_draw_case(seed):
    """A baseline that replaces w_k by the geometric mean of all K weights, w_k among them."""
    def baseline(log_w):
        stand_in = log_w.mean(axis=-1)[..., None, None] + 0 * log_w[..., None]
        return log_mean_exp(onp.where(onp.eye(K, dtype=bool), stand_in, log_w[..., None, :]))
    return {**leave_one_out_case(seed), "baseline": baseline}


def mean(estimator):
    """The exact mean of estimator(theta, phi, X, h, baseline) over all draws."""
    def exact(theta, phi, X, baseline):
        h, probability = all_draws(phi, X, K)
        return weighted_sum(probability, estimator(theta, phi, X, h, baseline))
    return exact


def altered(combine, reduce=mean_over_examples):
    """The estimator with another coefficient combine(log_w, baseline) of the score, and another sum over examples."""
    def estimator(theta, phi, X, h, baseline):
        x = X[:, None, :]
        c = combine(sbn.log_weights(theta, phi, x, h), baseline)
        return reduce(weighted_sum(c, sbn.score_phi(phi, x, h), axis=-1), 1)
    return estimator


def signal(log_w, baseline):
    return log_mean_exp(log_w)[..., None] - baseline(log_w)


def objective(theta, phi, X, baseline):
    return bound(theta, phi, X, K)


def summed_over_examples(theta, phi, X, h, baseline):
    """The signal's part summed over the batch, the weights' part averaged."""
    total = altered(signal, lambda tree, axis: {n: leaf.sum(axis) for n, leaf in tree.items()})
    direct = altered(lambda log_w, baseline: -softmax(log_w))
    a, b = [part(theta, phi, X, h, baseline) for part in (total, direct)]
    return {name: a[name] + b[name] for name in a}


CLAIMS = [
    Claim("ou2018.vimco", mean(estimate_grad_phi), is_gradient_of(objective, "phi", leave_one_out_case),
          {"the weights' part forgotten": mean(altered(signal)),
           "the weights' part with a plus": mean(altered(lambda log_w, b: signal(log_w, b) + softmax(log_w))),
           "1/K before the signals": mean(altered(lambda log_w, b: signal(log_w, b) / K - softmax(log_w))),
           "signals summed over the batch, weights averaged": mean(summed_over_examples),
           "p_hat over the batch, not over the samples": mean(altered(
               lambda log_w, b: log_mean_exp(log_w, axis=-2)[..., None, :] - b(log_w) - softmax(log_w)))},
          without=is_gradient_of(objective, "phi", own_draw_case)),
]
