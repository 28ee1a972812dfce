r"""The Helmholtz machine: two stochastic layers learned by wake and sleep (lecture12 Sec. 2.2; ou2018 Eq. 18).

    wake     h ~ q(h|x) at data x,       F_theta = dlog p(x, h)/dtheta          descends F  = -log p + KL(q || p)
    sleep    (x, h) ~ p, a dream,        F_phi   = dlog q(h|x)/dphi             descends F' = -log p + KL(p || q)

with h = (h1, h2) and the model and recognition net of refdgm.models.deep_sbn. The two phases descend different things,
so there is no common objective: what the algorithm ends at is a zero of both mean fields, which mean_fields() gives by
enumeration. Where q can be the posterior that zero is the maximum of the likelihood.

exact() says what is reached: log p(x), the bound L = log p - KL(q || p), both KL divergences.
x (B, D), h (B, H1 + H2) are bits.

The mean log p(x) of two bits that always agree, at the start and after 60 steps of wake and sleep without noise:

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.helmholtz_learning import exact, mean_wake_sleep
>>> x = np.array([[0.0, 0.0], [1.0, 1.0]])
>>> fit = refdgm.fit(mean_wake_sleep(H1=1, H2=1), x, 60, update=refdgm.updates.adam(), monitor=exact(x))
>>> [round(float(log_p), 2) for log_p in fit.history["log_p"]]
[-1.39, -0.85]
"""
from itertools import accumulate
from typing import NamedTuple

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import deep_sbn
from refdgm.numerics import all_binary, log_softmax, log_sum_exp, mean_log_odds, weighted_sum
from refdgm.streams import Stream, fires, normals, stream, words


class Phases(NamedTuple):
    """What a step draws for its B rows."""
    h: np.ndarray               # (B, H1 + H2), awake
    dream_x: np.ndarray         # (B, D)
    dream_h: np.ndarray         # (B, H1 + H2)


def start(x, seed, H1, H2, scale=0.1):
    """Small random weights, and the pixels' mean log-odds as b0.  -> {"theta": .., "phi": ..}"""
    valid.require(valid.are_bits(x), "a Helmholtz machine with Bernoulli units takes bits, 0 or 1.")
    D = x.shape[1]
    noise = scale * normals(stream(seed, 1, first=2**31), 2 * H1 * (D + H2))[0]
    W0, W1, V1, V2 = np.split(noise, list(accumulate([D * H1, H1 * H2, H1 * D])))
    return {"theta": {"a": np.zeros(H2), "W1": W1.reshape(H1, H2), "b1": np.zeros(H1),
                      "W0": W0.reshape(D, H1), "b0": mean_log_odds(x)},
            "phi": {"V1": V1.reshape(H1, D), "c1": np.zeros(H1), "V2": V2.reshape(H2, H1), "c2": np.zeros(H2)}}


# ---- draws ----------------------------------------------------------------------------

def fire(logits, w):
    """A layer of Bernoulli units from its logits and its random words.  (B, n), (B, n) -> (B, n)"""
    return fires(w, logits).astype(float)


def recognise(phi, x, w1, w2):
    """h1 ~ q(h1|x), h2 ~ q(h2|h1).  (B, D) -> (B, H1 + H2)"""
    h1 = fire(x @ phi["V1"].T + phi["c1"], w1)
    return np.concatenate([h1, fire(h1 @ phi["V2"].T + phi["c2"], w2)], axis=1)


def dream(theta, w2, w1, w0):
    """h2 ~ p(h2), h1 ~ p(h1|h2), x ~ p(x|h1).  -> (B, D), (B, H1 + H2)"""
    h2 = fire(np.broadcast_to(theta["a"], w2.shape), w2)
    h1 = fire(h2 @ theta["W1"].T + theta["b1"], w1)
    return fire(h1 @ theta["W0"].T + theta["b0"], w0), np.concatenate([h1, h2], axis=1)


# ---- the algorithm --------------------------------------------------------------------

def wake_sleep(H1=6, H2=4):
    """Wake theta, sleep phi, one sample of each for every row."""
    valid.count("H1", H1)
    valid.count("H2", H2)

    def draw(parameters, memory, x, index, seed, t):
        sizes = [H1, H2, H2, H1, x.shape[1]]
        every_word = words(Stream(seed, np.asarray(index, np.uint32), t), sum(sizes))
        w = np.split(every_word, list(accumulate(sizes))[:-1], axis=1)
        return Phases(recognise(parameters["phi"], x, *w[:2]), *dream(parameters["theta"], *w[2:])), memory

    def field(parameters, z, x):
        each = np.full(len(x), 1 / len(x))
        return {"theta": weighted_sum(each, deep_sbn.score_theta(parameters["theta"], x, z.h)),
                "phi": weighted_sum(each, deep_sbn.score_phi(parameters["phi"], z.dream_x, z.dream_h))}
    return Algorithm("Helmholtz machine", lambda x, seed: (start(x, seed, H1, H2), ()), draw, field)


def mean_wake_sleep(H1=6, H2=4):
    """The same without noise: F is the mean over all wakes and all dreams, a sum over every state."""
    valid.count("H1", H1)
    valid.count("H2", H2)
    return Algorithm("Helmholtz machine, mean fields", lambda x, seed: (start(x, seed, H1, H2), ()),
                     lambda parameters, memory, x, index, seed, t: ((), memory),
                     lambda parameters, z, x: mean_fields(parameters, x))


# ---- exactly, by enumeration ----------------------------------------------------------

def mean_fields(parameters, data):
    """E_p~(x)q(h|x) dlog p(x, h)/dtheta and E_p(x,h) dlog q(h|x)/dphi, summed over all states (ou2018 Eq. 18)."""
    theta, phi = parameters["theta"], parameters["phi"]
    h = deep_sbn.latent_states(theta)
    awake = np.exp(deep_sbn.log_q_table(phi, data)) / len(data)
    every_x = all_binary(len(theta["b0"]))
    asleep = np.exp(deep_sbn.log_joint_table(theta, every_x))
    return {"theta": weighted_sum(awake, deep_sbn.score_theta(theta, data[:, None, :], h)),
            "phi": weighted_sum(asleep, deep_sbn.score_phi(phi, every_x[:, None, :], h))}


def exact(data, test=None):
    """A monitor: mean log p(x), the bound on it, and the mean KL divergences between q(h|x) and p(h|x)."""
    valid.data_and_test(data, test)

    def look(parameters):
        log_joint = deep_sbn.log_joint_table(parameters["theta"], data)
        log_q, log_posterior = deep_sbn.log_q_table(parameters["phi"], data), log_softmax(log_joint)
        log_p = np.mean(log_sum_exp(log_joint))
        exclusive = np.mean(np.sum(np.exp(log_q) * (log_q - log_posterior), axis=1))
        numbers = {"log_p": log_p, "bound": log_p - exclusive, "exclusive_kl": exclusive,
                   "inclusive_kl": np.mean(np.sum(np.exp(log_posterior) * (log_posterior - log_q), axis=1))}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(deep_sbn.log_marginal(parameters["theta"], test))
        return numbers
    return look
