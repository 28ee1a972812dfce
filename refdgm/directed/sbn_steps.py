r"""What every algorithm for a sigmoid belief net starts from, draws, adds up and is judged by, in batches.

    h_k ~ q(.|x), k = 1..K, for each row x           F_theta = sum_k a_k dlog p(x, h_k)/dtheta,  averaged over the rows
    (x, h) ~ p, what a sleep phase dreams            F_phi   = sum_k c_k dlog q(h_k|x)/dphi,     averaged over the rows

theta and phi as in refdgm.models.sbn;  x (B, D), h (B, K, H), a and c (B, K). Random numbers by address: each row of
the data has a chain of its own, each step and each kind of draw another place. exact() says what is reached: likelihood
and both KL divergences, summed over all 2**H states of h.

The mean log p(x) of two data, estimated from 1000 draws each and exactly:

    >>> import numpy as np
    >>> from refdgm.directed.sbn_steps import draw_q, exact, log_weights, row_stream, start
    >>> x = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    >>> theta, phi = start(H=2, scale=1.0)(x, seed=1).values()
    >>> log_w, _ = log_weights(theta, phi, x, draw_q(phi, x, K=1000, s=row_stream([0, 1], seed=1, t=0)))
    >>> p_hat, log_p = np.exp(log_w).mean(axis=1), exact(x)({"theta": theta, "phi": phi})["log_p"]
    >>> round(float(np.log(p_hat).mean()), 4), round(float(log_p), 4)
    (-1.8004, -1.7862)
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fused import bernoulli_log_prob, log_prob_and_residual
from refdgm.models import sbn
from refdgm.numerics import log_softmax, mean_log_odds, sigmoid
from refdgm.streams import Stream, fires, normals, stream, words

PROPOSE, ACCEPT, DREAM_H, DREAM_X = 0, 1, 2, 3      # the draws of a step


def start(H, scale=0.05):
    """Small random weights, and the pixels' mean log-odds as b.  -> a function of (data, seed)"""
    valid.count("H", H)

    def make(x, seed):
        D = x.shape[1]
        valid.require(valid.are_bits(x), "a sigmoid belief net with Bernoulli units takes bits, 0 or 1.")
        noise = scale * normals(stream(seed, 1, first=2**31), 2 * D * H)[0].reshape(2, D, H)
        return {"theta": {"a": np.zeros(H), "W": noise[0], "b": mean_log_odds(x)},
                "phi": {"V": noise[1].T, "c": np.zeros(H)}}
    return make


# ---- draws ----------------------------------------------------------------------------

def row_stream(index, seed, t):
    """The stream of step t: each row of the data has numbers of its own."""
    return Stream(seed, np.asarray(index, np.uint32), t)


def draw_q(phi, x, K, s):
    """K codes for each row, h_k ~ q(.|x).  (B, D) -> (B, K, H)"""
    H = len(phi["c"])
    logits = x @ phi["V"].T + phi["c"]
    return fires(words(s, K * H, PROPOSE).reshape(len(x), K, H), logits[:, None, :]).astype(float)


def draw_model(theta, s):
    """(x, h) ~ p for each chain of the stream: what a sleep phase dreams.  -> (B, D), (B, H)"""
    h = fires(words(s, len(theta["a"]), DREAM_H), theta["a"][None, :]).astype(float)
    return fires(words(s, len(theta["b"]), DREAM_X), h @ theta["W"].T + theta["b"]).astype(float), h


# ---- weights and F --------------------------------------------------------------------

def log_weights(theta, phi, x, h):
    """log w_k as sbn.log_weights, and x - sigmoid(W h_k + b), which the score needs too, in one compiled pass.

    (B, D), (B, K, H) -> (B, K), (B, K, D)
    """
    log_p, error = log_prob_and_residual(x[:, None, :], h @ theta["W"].T + theta["b"])
    log_prior, log_q = bernoulli_log_prob(h, theta["a"]), bernoulli_log_prob(h, (x @ phi["V"].T + phi["c"])[:, None, :])
    return log_prior + log_p - log_q, error


def weighted_score_theta(theta, x, h, a, error_x=None):
    """The mean over rows of sum_k a_k dlog p(x, h_k)/dtheta.  (B, D), (B, K, H), (B, K), (B, K, D) -> dict"""
    error_h = h - sigmoid(theta["a"])
    if error_x is None:
        _, error_x = log_prob_and_residual(x[:, None, :], h @ theta["W"].T + theta["b"])
    weighted = a[..., None] * error_x
    return {"a": np.einsum("bk,bkh->h", a, error_h) / len(x), "b": weighted.sum(axis=(0, 1)) / len(x),
            "W": weighted.reshape(-1, x.shape[1]).T @ h.reshape(-1, h.shape[2]) / len(x)}


def weighted_score_phi(phi, x, h, c):
    """The mean over rows of sum_k c_k dlog q(h_k|x)/dphi.  (B, D), (B, K, H), (B, K) -> dict"""
    weighted = np.sum(c[..., None] * (h - sigmoid(x @ phi["V"].T + phi["c"])[:, None, :]), axis=1)
    return {"V": weighted.T @ x / len(x), "c": weighted.sum(axis=0) / len(x)}


def uniform_weights(log_w):
    """1/K: the variational bound's theta-gradient (ou2018 Eq. 8)."""
    return np.full(log_w.shape, 1 / log_w.shape[-1])


# ---- what is reached, exactly ---------------------------------------------------------

def exact(data, test=None):
    """A monitor: mean log p(x), and the mean KL divergences between q(h|x) and p(h|x), by summing over all h."""
    valid.data_and_test(data, test)

    def look(parameters):
        log_joint, log_q = sbn.log_joint_table(parameters["theta"], data), sbn.log_q_table(parameters["phi"], data)
        log_posterior = log_softmax(log_joint)
        numbers = {"log_p": np.mean(log_joint[:, 0] - log_posterior[:, 0])}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(sbn.log_marginal(parameters["theta"], test))
        return {**numbers, "exclusive_kl": np.mean(np.sum(np.exp(log_q) * (log_q - log_posterior), axis=1)),
                "inclusive_kl": np.mean(np.sum(np.exp(log_posterior) * (log_posterior - log_q), axis=1))}
    return look
