r"""The bias of self-normalised gradients, exactly and as K grows (ou2018 Sec. 3.2.2, after Eqs. 19 and 21).

With h_1..h_K ~ q(.|x), w_k = p(x, h_k)/q(h_k|x), p_hat = (1/K) sum_k w_k, and a score s(h), reweighted wake-sleep uses

    g = sum_k w_k s(h_k) / sum_j w_j          in place of  E_p(h|x)[s] = E[p_hat g] / p(x)

and "implicitly contains a division by the estimated p(x)". As E[p_hat] = p(x), the price is a covariance:

    every K         E[g] - E_p(h|x)[s] = -Cov(p_hat, g) / p(x)
    K -> infinity   b_K = K (E[g] - E_p(h|x)[s]) -> -Cov_p(h|x)(p(h|x)/q(h|x), s), with an error of order 1/K

The order shows in 2 b_2K - b_K, where c/K cancels, whatever c is, and a slower error would not.

With s = dlog p(x, h)/dtheta, E_p(h|x)[s] is the likelihood's gradient; with s = dlog q(h|x)/dphi it is minus that of
KL[p(h|x) || q(h|x)]. Shapes: x (D,), h (M, K, H) for all M draws, log_w (M, K).

K times the bias at K = 200, and its limit:

    >>> from refdgm.directed.rws_bias import limit_of_scaled_bias, one_bit_case, scaled_bias
    >>> b, limit = scaled_bias(**one_bit_case(0), K=200), limit_of_scaled_bias(**one_bit_case(0))
    >>> round(float(b["c"][0]), 4), round(float(limit["c"][0]), 4)
    (0.4592, 0.4566)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, tends_to
from refdgm.models.counts import multinomial
from refdgm.models.sbn import (all_draws, latent_states, log_joint_table, log_marginal, log_q_table, log_weights,
                               mean_over_draws, posterior, random_case, score_phi, score_theta)
from refdgm.numerics import log_mean_exp, softmax, weighted_sum


def estimate(theta, phi, x, h):
    """g = sum_k wbar_k dlog p(x, h_k)/dtheta (ou2018 Eq. 19).  (M, K, H) -> dict of (M, *leaf)"""
    return weighted_sum(softmax(log_weights(theta, phi, x, h)), score_theta(theta, x, h), axis=-1)


def bias(theta, phi, x, K):
    """E[g] - dlog p(x)/dtheta = -Cov(p_hat, g)/p(x) (ou2018 after Eq. 19).  -> dict"""
    h, probability = all_draws(phi, x, K)
    p_hat_ratio = np.exp(log_mean_exp(log_weights(theta, phi, x, h)) - log_marginal(theta, x))      # has mean one
    return weighted_sum(-probability * (p_hat_ratio - 1), estimate(theta, phi, x, h))


def mean_weights(theta, phi, x, K):
    """E[sum_k wbar_k 1{h_k = h}] for every h, a sum over the counts of K draws.  -> (2**H,)"""
    log_q = log_q_table(phi, x)
    counts, log_probability = multinomial(log_q, K)
    w = counts * onp.exp(log_joint_table(theta, x) - log_q - log_marginal(theta, x))
    return onp.exp(log_probability) @ (w / onp.sum(w, axis=-1, keepdims=True))


def scaled_bias(theta, phi, x, K):
    """K (E[g] - E_p(h|x)[s]) with s = dlog q(h|x)/dphi (ou2018 after Eq. 21).  -> dict"""
    excess = mean_weights(theta, phi, x, K) - posterior(theta, x)
    return weighted_sum(K * excess, score_phi(phi, x, latent_states(theta)))


def extrapolated_bias(theta, phi, x, K):
    """2 b_2K - b_K with b_K = K (E[g] - E_p(h|x)[s]): an error c/K of b_K cancels.  -> dict"""
    b_K, b_2K = scaled_bias(theta, phi, x, K), scaled_bias(theta, phi, x, 2 * K)
    return {name: 2 * b_2K[name] - b_K[name] for name in b_K}


def limit_of_scaled_bias(theta, phi, x):
    """-Cov_p(h|x)(p(h|x)/q(h|x), s) with s = dlog q(h|x)/dphi: K times the bias as K grows.  -> dict"""
    p = posterior(theta, x)
    ratio = p / np.exp(log_q_table(phi, x))
    return weighted_sum(-p * (ratio - p @ ratio), score_phi(phi, x, latent_states(theta)))


# ---- claims ---------------------------------------------------------------------------

def bias_by_subtraction(theta, phi, x):
    """E[g] - dlog p(x)/dtheta with K = 3, the sum over all draws and autograd."""
    mean, exact = mean_over_draws(estimate, 3)(theta, phi, x), grad(log_marginal)(theta, x)
    return {name: mean[name] - exact[name] for name in exact}


def one_bit_case(seed):
    """H = 1, so that the counts of K draws are only K + 1; the log-odds of q miss the posterior's by one to two."""
    theta, phi, x = random_case(seed, H=1).values()
    rng = onp.random.default_rng([seed, 1])
    miss = rng.choice([-1, 1]) * rng.uniform(1, 2)
    log_odds = onp.diff(log_joint_table(theta, x))
    return {"theta": theta, "phi": {"V": phi["V"], "c": log_odds + miss - phi["V"] @ x}, "x": x}


def bias_of(K, factor=lambda **case: 1.0):
    return lambda **case: {name: factor(**case) * leaf for name, leaf in bias(**case, K=K).items()}


def extrapolated_with(factor):
    """2 b_2K - b_K, were b_K another by a factor that depends on K."""
    def of(K, **case):
        b_K, b_2K = scaled_bias(**case, K=K), scaled_bias(**case, K=2 * K)
        return {name: 2 * factor(2 * K) * b_2K[name] - factor(K) * b_K[name] for name in b_K}
    return of


def uncentred(theta, phi, x):
    """-E[p_hat g]/p(x): the product's mean without subtracting the product of the means."""
    return {name: -leaf for name, leaf in grad(log_marginal)(theta, x).items()}


CLAIMS = [
    Claim("ou2018.eq19.bias", bias_of(3), equals(bias_by_subtraction, random_case),
          {"unbiased": bias_of(3, lambda **_: 0.0),
           "the other sign": bias_of(3, lambda **_: -1.0),
           "not divided by p(x)": bias_of(3, lambda theta, x, **_: np.exp(log_marginal(theta, x))),
           "the covariance not centred": uncentred,
           "the bias of K = 2": bias_of(2)}),
    Claim("ou2018.eq21.bias", extrapolated_bias,
          tends_to(limit_of_scaled_bias, one_bit_case, "K", (1, 1000), rtol=1e-4),
          {"unbiased": extrapolated_with(lambda K: 0.0),
           "a bias of order 1/sqrt K": extrapolated_with(lambda K: K**0.5),
           "a bias of order 1/K^2": extrapolated_with(lambda K: 1 / K),
           "an error of order 1/sqrt K": extrapolated_with(lambda K: 1 + K**-0.5),
           "the other sign": extrapolated_with(lambda K: -1.0)}),
]
