r"""Reweighted wake-sleep: importance-weighted gradients (ou2018 Sec. 3.2.2, Eqs. 19-21; Bornschein & Bengio 2014).

With h_1..h_K ~ q(.|x), w_k = p(x, h_k)/q(h_k|x), p_hat = (1/K) sum_k w_k and wbar_k = w_k / sum_j w_j:

    Eq. 19   dlog p(x)/dtheta = (1/p(x)) sum_h q(h|x) w(h) dlog p(x, h)/dtheta  ~  sum_k wbar_k dlog p(x, h_k)/dtheta
    Eq. 21   sum_h p(h|x) dlog q(h|x)/dphi                                      ~  sum_k wbar_k dlog q(h_k|x)/dphi

The last step replaces p(x) by p_hat (ou2018 Eq. 14). It is an equality for no draw but by accident, and the result is
biased; the bias is in rws_bias.py.

Shapes: x (D,), h (..., K, H), log_w and weights (..., K); a score is a dict of (..., K, *leaf).

With one sample the mean update of phi is zero; with three it is not:

    >>> from refdgm.directed.rws import estimate_grad_phi, mean_over_draws, random_case
    >>> [round(abs(float(mean_over_draws(estimate_grad_phi, K)(**random_case(0))["c"][0])), 3) for K in (1, 3)]
    [0.0, 0.073]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, vanishes
from refdgm.models.sbn import (all_draws, latent_states, log_joint_table, log_marginal, log_q, log_q_table, log_weights,
                               mean_over_draws, normalized_weights, posterior, random_case, score_phi, score_theta)
from refdgm.numerics import log_mean_exp, softmax, weighted_sum


def exact_weights(log_w, log_p_x):
    """w_k / (K p(x)): unbiased, and of no use where p(x) is not known (ou2018 Eq. 19 line 2).  (..., K) -> (..., K)"""
    return np.exp(log_w - log_p_x) / log_w.shape[-1]


def estimated_weights(log_w, log_p_x):
    """w_k / (K p_hat): p(x) replaced by its estimate of ou2018 Eq. 14.  (..., K) -> (..., K)"""
    return np.exp(log_w - log_mean_exp(log_w)[..., None]) / log_w.shape[-1]


def estimate_grad_theta(theta, phi, x, h):
    """sum_k wbar_k dlog p(x, h_k)/dtheta (ou2018 Eq. 19 line 3).  (..., K, H) -> dict of (..., *leaf)"""
    return weighted_sum(normalized_weights(log_weights(theta, phi, x, h)), score_theta(theta, x, h), axis=-1)


def estimate_grad_phi(theta, phi, x, h):
    """sum_k wbar_k dlog q(h_k|x)/dphi (ou2018 Eq. 21 line 3).  (..., K, H) -> dict of (..., *leaf)"""
    return weighted_sum(normalized_weights(log_weights(theta, phi, x, h)), score_phi(phi, x, h), axis=-1)


def importance_sum(score, joint, q):
    """(1/p(x)) sum_h q(h|x) [p(x, h)/q(h|x)] s(h), over the h that q can draw (ou2018 Eqs. 19 and 21, line 1).

    score : dict of (M, *leaf), joint = p(x, h) : (M,), q : (M,), for the M latent states.
    """
    drawn = q > 0
    ratio = onp.where(drawn, joint / onp.where(drawn, q, 1.0), 0.0)
    return weighted_sum(q * ratio / onp.sum(joint), score)


def grad_after_sampling(theta, phi, x, h):
    """d/dphi of sum_k wbar_k log q(h_k|x) with the weights differentiated, too (ou2018 after Eq. 21).  -> dict

    As dwbar_k = -wbar_k (s_k - sum_j wbar_j s_j), it is Eq. 21 minus the weighted covariance of log q and s.
    """
    wbar, log_r = normalized_weights(log_weights(theta, phi, x, h)), log_q(phi, x, h)
    centred = log_r - np.sum(wbar * log_r, axis=-1, keepdims=True)
    return weighted_sum(wbar * (1 - centred), score_phi(phi, x, h), axis=-1)


# ---- oracles and cases ----------------------------------------------------------------

def elbo(theta, phi, x):
    log_r = log_q_table(phi, x)
    return np.sum(np.exp(log_r) * (log_joint_table(theta, x) - log_r))


def inclusive_kl(theta, phi, x):
    p = posterior(theta, x)
    return np.sum(p * (np.log(p) - log_q_table(phi, x)))


def self_normalised(score_of):
    """sum_k w_k s_k / sum_j w_j of every draw, one draw at a time."""
    def estimates(theta, phi, x, h):
        w, s = onp.exp(log_weights(theta, phi, x, h)), score_of(theta, phi, x, h)
        return {name: onp.stack([onp.tensordot(w[m] / w[m].sum(), leaf[m], 1) for m in range(len(w))])
                for name, leaf in s.items()}
    return estimates


def weights_case(seed):
    """Log-weights of four samples around 0 and around +-10,000, where w itself overflows or vanishes."""
    return {"log_w": onp.random.default_rng(seed).normal(size=(3, 4)) + onp.array([[0.0], [1e4], [-1e4]])}


def all_draws_case(seed, K=3):
    case = random_case(seed)
    return {**case, "h": all_draws(case["phi"], case["x"], K)[0]}


def drawn_case(seed, K=4):
    return {**random_case(seed), "h": onp.random.default_rng([seed, K]).integers(0, 2, (K, 2)).astype(float)}


def covering_case(seed):
    case = random_case(seed)
    return {"theta": case["theta"], "x": case["x"], "q": onp.exp(log_q_table(case["phi"], case["x"]))}


# ---- claims ---------------------------------------------------------------------------

def theta_score(theta, phi, x, h): return score_theta(theta, x, h)
def phi_score(theta, phi, x, h): return score_phi(phi, x, h)


def estimate_with(weights, score_of):
    """sum_k weights_k s_k of every draw."""
    return lambda theta, phi, x, h: weighted_sum(weights(log_weights(theta, phi, x, h), log_marginal(theta, x)),
                                                 score_of(theta, phi, x, h), axis=-1)


def uniform_weights(log_w, log_p_x): return np.full(log_w.shape, 1 / log_w.shape[-1])
def unnormalised_weights(log_w, log_p_x): return np.exp(log_w) / log_w.shape[-1]
def inverted_weights(log_w, log_p_x): return softmax(-log_w)


def theta_chain(theta, x, q):
    return importance_sum(score_theta(theta, x, latent_states(theta)), np.exp(log_joint_table(theta, x)), q)


def missing_a_state(theta, x, q):
    """q never draws the first latent state, though p(h|x) is positive there."""
    q = onp.where(onp.arange(len(q)) == 0, 0.0, q)
    return theta_chain(theta, x, q / q.sum())


def phi_chain(theta, phi, x):
    return importance_sum(score_phi(phi, x, latent_states(theta)), np.exp(log_joint_table(theta, x)),
                          np.exp(log_q_table(phi, x)))


def scaled(factor, formula):
    """`formula` times factor(**case), leaf by leaf."""
    return lambda **case: {k: factor(**case) * v for k, v in formula(**case).items()}


def p_of_x(theta, x, **_): return np.exp(log_marginal(theta, x))


def mean_size_of_score(theta, phi, x):
    """The largest component of E_q |dlog q(h|x)/dphi|."""
    sizes = mean_over_draws(lambda t, p, x, h: {k: onp.abs(v[:, 0]) for k, v in score_phi(p, x, h).items()}, 1)
    return max(onp.max(leaf) for leaf in sizes(theta, phi, x).values())


CLAIMS = [
    Claim("ou2018.eq19.chain", theta_chain,
          is_gradient_of(lambda theta, x, q: log_marginal(theta, x), "theta", covering_case),
          {"no 1/p(x)": scaled(p_of_x, theta_chain),
           "h drawn from q without a weight": lambda theta, x, q: weighted_sum(
               q, score_theta(theta, x, latent_states(theta))),
           "weights p/q summed without q": lambda theta, x, q: weighted_sum(
               posterior(theta, x) / q, score_theta(theta, x, latent_states(theta))),
           "a q that misses a state of the posterior": missing_a_state}),
    Claim("ou2018.eq19.selfnorm", estimate_with(estimated_weights, theta_score),
          equals(self_normalised(theta_score), all_draws_case),
          {"wbar_k = w_k/K": estimate_with(unnormalised_weights, theta_score),
           "uniform weights": estimate_with(uniform_weights, theta_score),
           "weights q/p": estimate_with(inverted_weights, theta_score)},
          printed=estimate_with(exact_weights, theta_score)),
    Claim("ou2018.eq19.weights", normalized_weights,
          equals(lambda log_w: np.array([[1 / sum(np.exp(row - a)) for a in row] for row in log_w]), weights_case),
          {"exponentiated before normalised": lambda log_w: np.exp(log_w) / np.sum(np.exp(log_w), -1, keepdims=True),
           "normalised over the batch": lambda log_w: softmax(log_w, axis=0),
           "weights q/p": lambda log_w: softmax(-log_w),
           "not normalised": lambda log_w: np.exp(log_w - np.max(log_w, axis=-1, keepdims=True))}),
    Claim("ou2018.eq20.k1", mean_over_draws(estimate_grad_theta, 1), is_gradient_of(elbo, "theta", random_case),
          {"also for K = 2": mean_over_draws(estimate_grad_theta, 2),
           "the likelihood's gradient": lambda theta, phi, x: grad(log_marginal)(theta, x),
           "weights not normalised": mean_over_draws(estimate_with(unnormalised_weights, theta_score), 1)}),
    Claim("ou2018.x_eq21_k1", mean_over_draws(estimate_grad_phi, 1), vanishes(mean_size_of_score, random_case),
          {"also for K = 2": mean_over_draws(estimate_grad_phi, 2),
           "the gradient of the V-LB": lambda theta, phi, x: grad(elbo, 1)(theta, phi, x),
           "the gradient of the inclusive KL": lambda theta, phi, x: grad(inclusive_kl, 1)(theta, phi, x)}),
    Claim("ou2018.eq21.grad", phi_chain, is_gradient_of(lambda **c: -inclusive_kl(**c), "phi", random_case),
          {"descending": scaled(lambda **_: -1.0, phi_chain),
           "no 1/p(x)": scaled(p_of_x, phi_chain),
           "h drawn from q without a weight: identically zero": mean_over_draws(
               estimate_with(uniform_weights, phi_score), 1),
           "the exclusive KL's": lambda theta, phi, x: grad(lambda f: elbo(theta, f, x))(phi)}),
    Claim("ou2018.eq21.equality", estimate_with(estimated_weights, phi_score),
          equals(self_normalised(phi_score), all_draws_case),
          {"wbar_k = w_k/K": estimate_with(unnormalised_weights, phi_score),
           "uniform weights: the sleep phase's form": estimate_with(uniform_weights, phi_score),
           "weights q/p": estimate_with(inverted_weights, phi_score)},
          printed=estimate_with(exact_weights, phi_score)),
    Claim("ou2018.eq21.order", grad_after_sampling,
          is_gradient_of(lambda theta, phi, x, h: np.sum(normalized_weights(log_weights(theta, phi, x, h))
                                                         * log_q(phi, x, h)), "phi", drawn_case),
          {"both orders agree": estimate_grad_phi,
           "the weights' normaliser held constant": lambda theta, phi, x, h: weighted_sum(
               normalized_weights(log_weights(theta, phi, x, h)) * (1 - log_q(phi, x, h)), score_phi(phi, x, h)),
           "the weights' derivative with the wrong sign": lambda **c: {
               k: 2 * estimate_grad_phi(**c)[k] - grad_after_sampling(**c)[k] for k in ("V", "c")}}),
]
