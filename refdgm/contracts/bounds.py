r"""Contracts of the variational bounds (ou2018 Sec. 3.2.1, Eqs. 9 and 14-15; kingma2019 Sec. 2).

Everything here takes log-weights log w_k = log p(x, h_k) - log q(h_k|x) of shape (..., K), draws along the last axis.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import iwae
from refdgm.directed.vimco import coefficients, leave_one_out
from refdgm.numerics import log_mean_exp, log_sum_exp, softmax
from refdgm.values import apart, values

LOG_W = Argument("log_w", "(..., K)", "log-weights log p(x, h_k) - log q(h_k|x)")
OVERFLOW = "subtract the largest log-weight before exp, and add it again after log"


def log_weight_cases(least=1):
    """Log-weights of several shapes, then the extremes: ties, a vanished weight, and sizes at which exp overflows."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        yield Case(f"K = {least}", {"log_w": rng.normal(size=least)})
        yield Case("K = 3", {"log_w": 2 * rng.normal(size=3)})
        yield Case("a batch of 2, K = 5", {"log_w": 2 * rng.normal(size=(2, 5))})
        yield Case("a batch of 5 x 2, K = 4", {"log_w": rng.normal(size=(5, 2, 4)) - 3})
        yield Case("all log-weights the same", {"log_w": onp.full((2, 4), rng.normal())})
        yield Case("log-weights near -1e4", {"log_w": rng.normal(size=(3, 4)) - 1e4}, hard=True)
        yield Case("log-weights near +1e4", {"log_w": rng.normal(size=(3, 4)) + 1e4}, hard=True)
        yield Case("log-weights 1e4 apart", {"log_w": 1e4 * rng.normal(size=(3, 4))}, hard=True)
        yield Case("a weight of zero (log-weight -inf)",
                   {"log_w": onp.array([[0.3, -onp.inf, rng.normal(), 1.0]])}, hard=True)
    return cases


def permuted(call, case):
    """Another order of the draws changes nothing."""
    return apart(call(log_w=case["log_w"][..., ::-1]), call(log_w=case["log_w"]))


def shifted(call, case):
    """A constant added to all log-weights is added to the bound."""
    return apart(call(log_w=case["log_w"] + 0.5), [part + 0.5 for part in call(log_w=case["log_w"])])


def unshifted(call, case):
    """A constant added to all log-weights changes nothing."""
    return apart(call(log_w=case["log_w"] + 0.5), call(log_w=case["log_w"]))


def naive_log_mean_exp(log_w):
    return np.log(np.mean(np.exp(log_w), axis=-1))


def naive_softmax(log_w):
    w = np.exp(log_w)
    return w / np.sum(w, axis=-1, keepdims=True)


IWAE_MISTAKES = {
    "the ELBO: mean outside the log": Other(lambda log_w: np.mean(log_w, axis=-1),
                                            "average the weights, not their logarithms: log-sum-exp minus log K"),
    "log K forgotten": Other(log_sum_exp, "subtract log K: the weights are averaged, not summed"),
    "mean over the first axis": Other(lambda log_w: log_mean_exp(log_w, axis=0), "the draws are along the last axis"),
    "mean over the whole batch": Other(lambda log_w: np.mean(log_mean_exp(log_w)) + 0 * log_w[..., 0],
                                       "return one bound for each example"),
    "one number for the batch": Other(lambda log_w: np.mean(log_mean_exp(log_w)), "return one bound for each example"),
    "the largest weight alone": Other(lambda log_w: np.max(log_w, axis=-1), "the maximum is only the shift"),
    "shift not added back": Other(lambda log_w: log_mean_exp(log_w - np.max(log_w, axis=-1, keepdims=True)),
                                  "add the largest log-weight after the logarithm"),
    "divided by log K": Other(lambda log_w: log_sum_exp(log_w) / np.log(log_w.shape[-1]), "subtract log K"),
    "K - 1 for K": Other(lambda log_w: log_sum_exp(log_w) - np.log(log_w.shape[-1] - 1), "divide by K"),
    "overflows": Other(naive_log_mean_exp, OVERFLOW),
}


def iwae_loss(log_w):
    return -np.mean(log_mean_exp(log_w))


CONTRACTS = [
    Contract("elbo", "the variational bound, a mean over K draws: (1/K) sum_k log w_k", "ou2018 Eq. 9", (LOG_W,),
             "(...): one bound for each example, in nats", lambda log_w: np.mean(log_w, axis=-1),
             values(log_weight_cases(), gradients=("log_w",)),
             {"summed over draws": Other(lambda log_w: np.sum(log_w, axis=-1), "divide by K"),
              "the importance weighted bound": Other(log_mean_exp, "average the log-weights, not the weights"),
              "mean over the first axis": Other(lambda log_w: np.mean(log_w, axis=0), "draws are along the last axis"),
              "one number for the batch": Other(np.mean, "return one bound for each example")},
             {"the loss: minus the bound": Other(lambda log_w: -np.mean(log_w, axis=-1),
                                                 "you return the loss, to be minimised; refdgm states the bound")},
             {"any order of the draws": permuted, "a shift of the log-weights shifts the bound": shifted}),
    Contract("iwae_bound", "one draw of the importance weighted bound, log (1/K) sum_k w_k", "ou2018 Eqs. 14-15",
             (LOG_W,), "(...): one bound for each example, in nats", iwae.estimate_log_p,
             values(log_weight_cases(), gradients=("log_w",)), IWAE_MISTAKES,
             {"the loss: minus the bound": Other(lambda log_w: -log_mean_exp(log_w),
                                                 "you return the loss, to be minimised; refdgm states the bound")},
             {"any order of the draws": permuted, "a shift of the log-weights shifts the bound": shifted}),
    Contract("iwae_loss", "minus the importance weighted bound, averaged over the batch, to be minimised",
             "ou2018 Eq. 15", (LOG_W,), "(): a number whose gradient trains", iwae_loss,
             values(log_weight_cases(), gradients=("log_w",)),
             {"the bound itself": Other(lambda log_w: -iwae_loss(log_w), "a loss is minus the bound"),
              "weights not held constant: softmax(log w) times loss": Other(
                  lambda log_w: -np.mean(np.sum(softmax(log_w) * log_w, axis=-1)),
                  "hold the weights constant (detach, stop_gradient), or differentiate log-mean-exp itself"),
              "weights of the loss: softmax(-log w)": Other(
                  lambda log_w: -np.mean(np.sum(softmax(-log_w) * log_w, axis=-1)), "the weights are softmax(log w)"),
              "weights of the loss, held constant: softmax(-log w)": Other(
                  lambda log_w: -np.mean(np.sum(getval(softmax(-log_w)) * log_w, axis=-1)),
                  "the weights are softmax(log w)"),
              "the negative ELBO": Other(lambda log_w: -np.mean(log_w), "average weights, not log-weights"),
              "log K forgotten": Other(lambda log_w: -np.mean(log_sum_exp(log_w)), "subtract log K"),
              "summed over the batch": Other(lambda log_w: -np.sum(log_mean_exp(log_w)), "average over the batch"),
              "overflows": Other(lambda log_w: -np.mean(naive_log_mean_exp(log_w)), OVERFLOW)},
             {"a surrogate: constant softmax(log w) times loss": Other(
                 lambda log_w: -np.mean(np.sum(getval(softmax(log_w)) * log_w, axis=-1)),
                 "its gradient is that of the loss, its value is not: do not report it as a bound")},
             {"any order of the draws": permuted}),
    Contract("normalized_weights", "the self-normalised importance weights w_k / sum_j w_j", "ou2018 Eq. 19", (LOG_W,),
             "(..., K): positive, with sum one", softmax, values(log_weight_cases()),
             {"uniform": Other(lambda log_w: 0 * log_w + 1 / log_w.shape[-1], "these weights give the ELBO's gradient"),
              "not normalised": Other(np.exp, "divide by the sum over k"),
              "times K": Other(lambda log_w: softmax(log_w) * log_w.shape[-1], "they sum to one, not to K"),
              "inverted: softmax(-log w)": Other(lambda log_w: softmax(-log_w), "the larger weight counts more"),
              "normalised over the batch": Other(lambda log_w: softmax(log_w, axis=0), "sum over the draws, axis -1"),
              "overflows": Other(naive_softmax, OVERFLOW)},
             properties={"a shift of the log-weights changes nothing": unshifted}),
    Contract("vimco_coefficients", "what multiplies dlog q(h_k|x)/dphi in VIMCO: log p_hat - b_k - wbar_k, with the "
             "geometric mean of the others in b_k", "ou2018 Sec. 3.2.1, VIMCO", (LOG_W,), "(..., K)", coefficients,
             values(log_weight_cases(2)),
             {"the weights' part forgotten": Other(lambda log_w: coefficients(log_w) + softmax(log_w),
                                                   "subtract the normalised weights: dlog p_hat/dphi has a part in w"),
              "the weights' part with a plus": Other(lambda log_w: coefficients(log_w) + 2 * softmax(log_w),
                                                     "subtract the normalised weights"),
              "no baseline": Other(lambda log_w: coefficients(log_w, lambda log_w: 0 * log_w), "subtract b_k"),
              "log p_hat summed over the batch": Other(
                  lambda log_w: coefficients(log_w, leave_one_out) - log_mean_exp(log_w)[..., None]
                  + np.sum(log_mean_exp(log_w)), "each example has its own signal"),
              "own draw in the baseline": Other(
                  lambda log_w: coefficients(log_w, lambda log_w: log_mean_exp(log_w)[..., None] + 0 * log_w),
                  "replace w_k by a mean of the other weights")},
             {"arithmetic mean of the others": Other(
                 lambda log_w: coefficients(log_w, lambda log_w: leave_one_out(log_w, "arithmetic")),
                 "Mnih & Rezende's other choice: as unbiased, with another variance"),
              "the weights' part with the loss's sign": Other(lambda log_w: -coefficients(log_w),
                                                              "you return the loss's coefficient")},
             {"a shift of the log-weights changes nothing": unshifted}),
]
