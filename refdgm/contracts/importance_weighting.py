r"""Contracts of learning by weighted or accepted draws: reweighted wake-sleep, JSA, and what weights are worth.

    wbar_k = w_k / sum_j w_j,  w_k = p(x, h_k) / q(h_k|x)     constant where a loss is differentiated

(ou2018 Secs. 3.2.2 and 3.2.3.) In a loss, log p is differentiated for theta and log q for phi.
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import iwae, vimco
from refdgm.numerics import log_mean_exp, log_sum_exp, softmax, weighted_sum
from refdgm.samplers import importance, independence
from refdgm.values import values

LOG_P = Argument("log_p", "(B, K)", "log p(x_b, h_bk) of K draws for each datum")
LOG_Q = Argument("log_q", "(B, K)", "log q(h_bk|x_b) of the same draws")
LOG_W = Argument("log_w", "(B, K)", "log-weights, K draws for each of B")
SCORE = Argument("score", "(K, P)", "the score of each draw, a row of parameters")
OVERFLOW = "subtract the largest log-weight before exp"


def pair_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, K in ((1, 2), (2, 3), (3, 5), (2, 1)):
        yield Case(f"B = {B}, K = {K}", {"log_p": 1.5 * rng.normal(size=(B, K)) - 4,
                                         "log_q": rng.normal(size=(B, K)) - 1})
    yield Case("log p near -1e4", {"log_p": rng.normal(size=(2, 3)) - 1e4, "log_q": rng.normal(size=(2, 3))}, hard=True)
    yield Case("log p 1e4 apart", {"log_p": 1e4 * rng.normal(size=(2, 3)) - 1e4, "log_q": rng.normal(size=(2, 3))},
               hard=True)


def weight_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, K in ((1, 2), (2, 3), (3, 5), (2, 1)):
        yield Case(f"B = {B}, K = {K}", {"log_w": 1.5 * rng.normal(size=(B, K)) - 3})
    yield Case("equal weights", {"log_w": onp.full((2, 4), rng.normal())})
    yield Case("log-weights near -1e4", {"log_w": rng.normal(size=(2, 3)) - 1e4}, hard=True)
    yield Case("log-weights near +1e4", {"log_w": rng.normal(size=(2, 3)) + 1e4}, hard=True)
    yield Case("log-weights 1e4 apart", {"log_w": 1e4 * rng.normal(size=(2, 3))}, hard=True)
    yield Case("a weight of zero (log-weight -inf)", {"log_w": onp.array([[0.3, -onp.inf, rng.normal(), 1.0]])},
               hard=True)


def score_cases(seed):
    rng = onp.random.default_rng(seed)
    for K, P in ((1, 2), (2, 3), (5, 3)):
        yield Case(f"K = {K}, P = {P}", {"log_w": 2 * rng.normal(size=K) - 3, "score": rng.normal(size=(K, P))})
    yield Case("log-weights near -1e4", {"log_w": rng.normal(size=3) - 1e4, "score": rng.normal(size=(3, 2))},
               hard=True)
    yield Case("log-weights near +1e4", {"log_w": rng.normal(size=3) + 1e4, "score": rng.normal(size=(3, 2))},
               hard=True)


def step_cases(seed):
    """Chains that accept and chains that do not; no u is close to its acceptance probability."""
    rng = onp.random.default_rng(seed)
    for C in (2, 4, 7):
        log_w = rng.normal(size=C)
        gain = onp.where(onp.arange(C) % 2, rng.uniform(0.3, 2.0, C), -rng.uniform(1.0, 2.0, C))
        u = onp.where(onp.arange(C) % 3 == 0, 0.9, 0.05)
        h = rng.integers(0, 4, C)
        yield Case(f"{C} chains", {"h": h, "log_w": log_w, "proposal": (h + 1 + onp.arange(C) % 2) % 4,
                                   "log_w_proposal": log_w + gain, "u": u})
    yield Case("log-weights 1e4 apart", {
        "h": onp.array([0, 1]), "log_w": onp.array([1e4, -1e4]), "proposal": onp.array([2, 3]),
        "log_w_proposal": onp.array([-1e4, 1e4]), "u": onp.array([0.5, 0.5])}, hard=True)
    yield Case("a proposal of weight zero", {
        "h": onp.array([0]), "log_w": onp.array([0.3]), "proposal": onp.array([2]),
        "log_w_proposal": onp.array([-onp.inf]), "u": onp.array([0.5])}, hard=True)


# ---- reweighted wake-sleep ------------------------------------------------------------

def weighted_loss(of, weights=softmax, held=getval, reduce=np.mean):
    """- the mean over the data of sum_k wbar_k log p_k, or log q_k."""
    def loss(log_p, log_q):
        wbar = weights(held(log_p) - held(log_q))
        return -reduce(np.sum(wbar * {"p": log_p, "q": log_q}[of], axis=-1)) + 0 * np.sum(log_p + log_q)
    return loss


def loss_mistakes(of, other):
    return {
        "weights not constant": Other(weighted_loss(of, held=lambda a: a),
                                      "hold the weights constant: detach, stop_gradient"),
        "the bound's: equal weights": Other(weighted_loss(of, lambda w: 0 * w + 1 / w.shape[-1]),
                                            "weigh by softmax(log p - log q) over the draws"),
        "weights of the loss: softmax(-log w)": Other(weighted_loss(of, lambda w: softmax(-w)),
                                                      "the larger weight counts more"),
        "weights p / q, not normalised": Other(weighted_loss(of, lambda w: np.exp(w) / w.shape[-1]),
                                               "divide by the sum of the weights: softmax"),
        "weights from log p alone": Other(
            lambda log_p, log_q: weighted_loss(of, lambda w: softmax(w + getval(log_q)))(log_p, log_q),
            "the weights are p / q"),
        "normalised over the data": Other(weighted_loss(of, lambda w: softmax(w, axis=0)),
                                          "normalise over the draws, axis -1"),
        "summed over the data": Other(weighted_loss(of, reduce=np.sum), "average over the data"),
        "divided by K once more": Other(weighted_loss(of, lambda w: softmax(w) / w.shape[-1]), "wbar has sum one"),
        f"log {other} for log {of}": Other(weighted_loss(other), f"theta is in log p, phi in log q: use log {of}"),
        "the sign: to be maximised": Other(lambda *a: -weighted_loss(of)(*a), "a loss is minus the objective"),
    }


def iwae_loss(log_p, log_q):
    return -np.mean(log_mean_exp(log_p - log_q))


def rws_gradient(log_w, score, weights=softmax):
    return weighted_sum(weights(log_w), score)


# ---- what weights are worth -----------------------------------------------------------

def sample_size(log_w):
    return importance.effective_sample_size(log_w)


def size_from(wbar, of=lambda wbar: 1 / onp.sum(wbar**2, axis=-1)):
    return lambda log_w: of(wbar(log_w))


def naive_sample_size(log_w):
    w = onp.exp(log_w)
    return onp.sum(w, axis=-1)**2 / onp.sum(w**2, axis=-1)


def test_log_likelihood(log_p, log_q):
    return np.mean(iwae.estimate_log_p(log_p - log_q))


def stand_in_baseline(log_w, stand_in):
    """VIMCO's baseline with another number in the place of log w_k."""
    own = onp.eye(log_w.shape[-1], dtype=bool)
    return log_mean_exp(onp.where(own, stand_in(log_w)[..., :, None], log_w[..., None, :]))


# ---- JSA ------------------------------------------------------------------------------

def mis_step(h, log_w, proposal, log_w_proposal, u):
    return tuple(independence.step(independence.State(h, log_w), proposal, log_w_proposal, u))


def mis_with(accepts=lambda w, new, u: u < independence.acceptance(new, w), weight=onp.where):
    def step(h, log_w, proposal, log_w_proposal, u):
        accepted = accepts(log_w, log_w_proposal, u)
        return onp.where(accepted, proposal, h), weight(accepted, log_w_proposal, log_w)
    return step


CONTRACTS = [
    Contract("rws_theta_loss", "reweighted wake-sleep, wake phase for theta: - the mean over the data of "
             "sum_k wbar_k log p(x, h_k), the weights held constant", "ou2018 Eq. 19, Sec. 3.2.2", (LOG_P, LOG_Q),
             "(): a number whose gradient in log p trains theta", weighted_loss("p"),
             values(pair_cases, gradients=("log_p",)), loss_mistakes("p", "q"),
             {"minus the importance weighted bound": Other(
                 iwae_loss, "another value, with the same gradient in theta (its gradient in phi is another)")}),
    Contract("rws_phi_loss", "reweighted wake-sleep, wake phase for phi: - the mean over the data of "
             "sum_k wbar_k log q(h_k|x), the weights held constant", "ou2018 Eq. 21, Sec. 3.2.2", (LOG_P, LOG_Q),
             "(): a number whose gradient in log q trains phi", weighted_loss("q"),
             values(pair_cases, gradients=("log_q",)),
             {**loss_mistakes("q", "p"),
              "minus the importance weighted bound": Other(
                  iwae_loss, "its gradient in phi has the other sign: theta's loss cannot train phi")}),
    Contract("rws_gradient", "sum_k wbar_k s_k for the scores s_k of K draws: of log p(x, h_k) in theta, "
             "of log q(h_k|x) in phi", "ou2018 Eqs. 19 and 21, line 3", (LOG_W._replace(shape="(K,)"), SCORE), "(P,)",
             rws_gradient, values(score_cases),
             {"equal weights": Other(lambda w, s: rws_gradient(w, s, lambda w: 0 * w + 1 / len(w)),
                                     "weigh by softmax(log w)"),
              "inverted weights": Other(lambda w, s: rws_gradient(w, s, lambda w: softmax(-w)), "softmax(+log w)"),
              "weights not normalised": Other(lambda w, s: rws_gradient(w, s, lambda w: np.exp(w) / len(w)),
                                              "divide by the sum of the weights, not by K"),
              "divided by K once more": Other(lambda w, s: rws_gradient(w, s) / len(w), "wbar has sum one"),
              "log-weights for weights": Other(lambda w, s: rws_gradient(w, s, lambda w: w / len(w)),
                                               "that is REINFORCE's signal: exponentiate and normalise"),
              "the heaviest draw alone": Other(
                  lambda w, s: rws_gradient(w, s, lambda w: 1.0 * (w == np.max(w))), "use all K draws"),
              "overflows": Other(lambda w, s: rws_gradient(w, s, lambda w: np.exp(w) / np.sum(np.exp(w))), OVERFLOW)},
             {"the gradient of the loss": Other(lambda w, s: -rws_gradient(w, s), "to be descended")}),
    Contract("effective_sample_size", "(sum_k w_k)^2 / sum_k w_k^2, between 1 and K", "ou2018 Eq. 19", (LOG_W,),
             "(B,): one number for each row", sample_size, values(weight_cases),
             {"(sum a)^2 for sum a^2": Other(size_from(softmax, lambda wbar: 1 / onp.sum(wbar, axis=-1)**2),
                                             "square each weight, then add"),
              "its inverse": Other(size_from(softmax, lambda wbar: onp.sum(wbar**2, axis=-1)), "1 / sum_k wbar_k^2"),
              "the root forgotten or taken": Other(lambda w: onp.sqrt(sample_size(w)), "no root"),
              "of log-weights": Other(lambda w: onp.sum(w, axis=-1)**2 / onp.sum(w**2, axis=-1), "exponentiate"),
              "the number of draws": Other(lambda w: 0 * sample_size(w) + w.shape[-1], "weigh the draws"),
              "over the first axis": Other(lambda w: sample_size(w.T), "the draws are along axis -1"),
              "overflows": Other(naive_sample_size, OVERFLOW)},
             {"as a share of K": Other(lambda w: sample_size(w) / w.shape[-1], "you divide it by K"),
              "one over the largest weight": Other(size_from(softmax, lambda wbar: 1 / onp.max(wbar, axis=-1)),
                                                   "another measure, the smaller one"),
              "the weights' perplexity": Other(size_from(softmax, lambda wbar: onp.exp(-onp.sum(
                  wbar * onp.log(onp.where(wbar > 0, wbar, 1.0)), axis=-1))), "another measure, the larger one")}),
    Contract("importance_log_likelihood", "the test log-likelihood by importance sampling, the mean over the data of "
             "log (1/K) sum_k p(x, h_k) / q(h_k|x)", "kingma2019 Sec. 2.6; ou2018 Eq. 14", (LOG_P, LOG_Q),
             "(): in nats for each datum", test_log_likelihood, values(pair_cases),
             {"the bound: the mean of the logarithms": Other(lambda p, q: np.mean(p - q), "average the weights first"),
              "no 1/K": Other(lambda p, q: np.mean(log_sum_exp(p - q)), "subtract log K"),
              "q / p": Other(lambda p, q: test_log_likelihood(q, p), "the weights are p / q"),
              "log q added": Other(lambda p, q: test_log_likelihood(p, -q), "subtract log q"),
              "log q left out": Other(lambda p, q: test_log_likelihood(p, 0 * q), "divide by q"),
              "all data under one logarithm": Other(lambda p, q: log_mean_exp(np.reshape(p - q, (-1,))),
                                                    "a logarithm for each datum, then their mean"),
              "summed over the data": Other(lambda p, q: len(p) * test_log_likelihood(p, q), "average over the data"),
              "overflows": Other(lambda p, q: np.mean(np.log(np.mean(np.exp(p - q), axis=-1))), OVERFLOW)},
             {"in bits": Other(lambda p, q: test_log_likelihood(p, q) / np.log(2.0), "you divide by log 2"),
              "minus the log-likelihood": Other(lambda p, q: -test_log_likelihood(p, q), "you return the NLL")}),
    Contract("jsa_step", "JSA's Monte Carlo step: the proposal h' ~ q(.|x) replaces the code h where u < w(h') / w(h), "
             "and its weight replaces the weight", "ou2018 Sec. 3.2.3, Algorithm 4",
             (Argument("h", "(C,)", "the codes, as numbers", "index"),
              Argument("log_w", "(C,)", "the codes' log-weights, as they are kept"),
              Argument("proposal", "(C,)", "the proposed codes", "index"),
              Argument("log_w_proposal", "(C,)", "log p(x, h') - log q(h'|x)"),
              Argument("u", "(C,)", "uniform in (0, 1)")), "(C,), (C,): the codes and their log-weights", mis_step,
             values(step_cases),
             {"the weight is never updated": Other(mis_with(weight=lambda yes, new, old: old),
                                                   "keep the proposal's weight where it is accepted: w <- w'"),
              "the weight is always updated": Other(mis_with(weight=lambda yes, new, old: new),
                                                    "keep the old weight where the proposal is rejected"),
              "every proposal accepted": Other(mis_with(lambda w, new, u: u < 2), "accept where u < w' / w"),
              "the ratio inverted": Other(mis_with(lambda w, new, u: u < independence.acceptance(w, new)),
                                          "accept where u < w(h') / w(h)"),
              "accepted and rejected exchanged": Other(
                  mis_with(lambda w, new, u: u >= independence.acceptance(new, w)), "accept where u < w' / w"),
              "u compared with the log-ratio": Other(mis_with(lambda w, new, u: u < new - w),
                                                     "exponentiate, or compare log u"),
              "the better one only: no u": Other(mis_with(lambda w, new, u: new > w), "a worse code is taken, too")},
             {"Barker's rule: u < w' / (w + w')": Other(
                 mis_with(lambda w, new, u: u < 1 / (1 + onp.exp(w - new))),
                 "it keeps the posterior as well, and moves less often")}),
    Contract("vimco_baseline", "VIMCO's baseline: for each k, the log of the mean of the K weights, w_k replaced by "
             "the geometric mean of the others", "ou2018 Sec. 3.2.1, VIMCO",
             (LOG_W._replace(says="log-weights, K >= 2 draws for each of B"),), "(B, K)", vimco.leave_one_out,
             values(lambda seed: (case for case in weight_cases(seed) if case.arguments["log_w"].shape[-1] > 1)),
             {"its own weight left in": Other(lambda w: log_mean_exp(w)[..., None] + 0 * w, "replace w_k"),
              "the others' sum over K for their mean": Other(
                  lambda w: stand_in_baseline(w, lambda w: vimco.mean_of_others(w) * (1 - 1 / w.shape[-1])),
                  "the mean of the others' log-weights divides by K - 1"),
              "its own weight in the geometric mean": Other(
                  lambda w: stand_in_baseline(w, lambda w: onp.mean(w, axis=-1, keepdims=True) + 0 * w),
                  "average the others' log-weights only"),
              "no 1/K": Other(lambda w: vimco.leave_one_out(w) + onp.log(w.shape[-1]), "subtract log K"),
              "the others' mean log-weight alone": Other(
                  vimco.mean_of_others, "put it in the place of w_k, and take the log of the mean of all K")},
             {"the arithmetic mean of the others": Other(
                 lambda w: vimco.leave_one_out(w, "arithmetic"), "Mnih & Rezende's other choice, as unbiased")}),
]
