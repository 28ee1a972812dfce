r"""The importance weighted bound (ou2018 Sec. 3.2.1, Eqs. 14-15; Burda et al. 2015).

With h_1..h_K ~ q(.|x) and w_k = p(x, h_k) / q(h_k|x):

    Eq. 14   p_hat = (1/K) sum_k w_k,   E[p_hat] = p(x)
    Eq. 15   I_K(x) = E[log p_hat] <= log E[p_hat] = log p(x)
    after    L = I_1 <= I_2 <= ... <= log p(x)

Shapes: x (D,), h (..., K, H), log_w (..., K). The estimators take the draws h as an argument, so
their exact mean is a finite sum over all 2**(K H) draws and no claim below needs Monte Carlo.

How far the bound is below log p(x) for one and for four samples:

    >>> from refdgm.directed.iwae import bound, log_p, random_case
    >>> case = random_case(0)
    >>> [round(float(log_p(**case) - bound(**case, K=K)), 3) for K in (1, 4)]
    [0.21, 0.053]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_most, is_gradient_of, is_ordered
from refdgm.models.sbn import (all_draws, good_encoder_case, log_joint_table, log_marginal, log_q_table, log_weights,
                               mean_over_draws, normalized_weights, random_case, score_phi, score_theta, validate)
from refdgm.numerics import log_mean_exp, log_sum_exp, weighted_sum


def estimate_log_p(log_w):
    """log p_hat = log (1/K) sum_k w_k (ou2018 Eq. 14).  (..., K) -> (...)"""
    return log_mean_exp(log_w)


def bound(theta, phi, x, K):
    """I_K(x) exactly (ou2018 Eq. 15).  -> ()"""
    validate(theta, phi, x)
    h, probability = all_draws(phi, x, K)
    return np.sum(probability * estimate_log_p(log_weights(theta, phi, x, h)))


def estimate_grad_theta(theta, phi, x, h):
    """One draw of dI_K/dtheta: sum_k wbar_k dlog p(x, h_k)/dtheta (ou2018 Eq. 20).  -> dict of (..., *leaf)"""
    wbar = normalized_weights(log_weights(theta, phi, x, h))
    return weighted_sum(wbar, score_theta(theta, x, h), axis=-1)


def estimate_grad_phi(theta, phi, x, h, baseline=lambda log_w: 0.0):
    """One draw of dI_K/dphi for discrete h: sum_k (log p_hat - baseline_k - wbar_k) dlog q(h_k|x)/dphi.

    baseline(log_w) (..., K) may use, for each k, all weights but w_k: the score then still has mean zero under it
    (ou2018 footnote 9; Mnih & Rezende 2016).
    """
    log_w = log_weights(theta, phi, x, h)
    signal = estimate_log_p(log_w)[..., None] - baseline(log_w) - normalized_weights(log_w)
    return weighted_sum(signal, score_phi(phi, x, h), axis=-1)


def log_mean_of_others(log_w):
    """log of the mean of the other K - 1 weights, for every k.  (..., K) -> (..., K)"""
    K = log_w.shape[-1]
    others = onp.where(onp.eye(K, dtype=bool), -onp.inf, log_w[..., None, :])
    return log_sum_exp(others) - onp.log(K - 1)


# ---- claims ---------------------------------------------------------------------------

def elbo(theta, phi, x):
    """L(x) = sum_h q(h|x) log p(x, h) / q(h|x), the oracle for K = 1."""
    log_q = log_q_table(phi, x)
    return np.sum(np.exp(log_q) * (log_joint_table(theta, x) - log_q))


def bounds(*Ks):
    """I_K for each K."""
    return lambda theta, phi, x: np.array([bound(theta, phi, x, K) for K in Ks])


def log_p(theta, phi, x):
    return log_marginal(theta, x)


def mean_p_hat(power=1.0, factor=1.0):
    """E[(factor p_hat)^power]; Eq. 14 has both equal to one."""
    return mean_over_draws(lambda *args: (factor * np.exp(estimate_log_p(log_weights(*args)))) ** power, 3)


def mean_of(log_p_hat, *Ks):
    """E[log_p_hat(log_w)] for each K."""
    return lambda **c: np.array([mean_over_draws(lambda *a: log_p_hat(log_weights(*a)), K)(**c) for K in Ks])


def case_with_exact_posterior(seed):
    """A case with one latent bit, in which q(h|x) is the posterior at this x and so the weights are constant."""
    case = random_case(seed, H=1)
    log_joint = log_joint_table(case["theta"], case["x"])
    V = case["phi"]["V"]
    return {**case, "phi": {"V": V, "c": log_joint[1:] - log_joint[:1] - V @ case["x"]}}


def grad_phi(baseline, K=3):
    """The exact mean of estimate_grad_phi under a baseline."""
    return mean_over_draws(lambda *args: estimate_grad_phi(*args, baseline), K)


def bound_gradient(theta, phi, x, of):
    """dI_3 in the parameters named by `of`, by autograd: Eqs. 12 and 14 of bachman2015 have the same gradient."""
    params = {"theta": theta, "phi": phi}
    return grad(lambda part: bound(**{**params, of: part}, x=x, K=3))(params[of])


def rws_update(weights=normalized_weights):
    """The exact mean of the wake-phase update of reweighted wake-sleep, sum_k wbar_k dlog p/dtheta or dlog q/dphi."""
    def update(theta, phi, x, of):
        def one(t, p, x, h):
            score = score_theta(t, x, h) if of == "theta" else score_phi(p, x, h)
            return weighted_sum(weights(log_weights(t, p, x, h)), score, axis=-1)
        return mean_over_draws(one, 3)(theta, phi, x)
    return update


def case_of(name):
    """random_case, for the parameters `name`."""
    return lambda seed: {**random_case(seed), "of": name}


def uniform_grad_theta(theta, phi, x, h):
    return weighted_sum(np.full(h.shape[:2], 1 / 3), score_theta(theta, x, h), axis=-1)


def unnormalised_grad_theta(theta, phi, x, h):
    return weighted_sum(np.exp(log_weights(theta, phi, x, h)) / 3, score_theta(theta, x, h), axis=-1)


CLAIMS = [
    Claim("ou2018.sym.iw_k1", bounds(1), equals(lambda **c: np.array([elbo(**c)]), random_case),
          {"I_1 = log p(x)": lambda **c: np.array([log_p(**c)]),
           "I_2 = L": bounds(2)}),
    Claim("ou2018.eq14", mean_p_hat(), equals(lambda theta, phi, x: np.exp(log_marginal(theta, x)), random_case),
          {"no 1/K": mean_p_hat(factor=3.0),
           "unbiased for sqrt p, too": lambda **c: mean_p_hat(power=0.5)(**c) ** 2,
           "log p_hat is unbiased, too": lambda **c: np.exp(bound(**c, K=3))}),
    Claim("ou2018.eq15", bounds(1, 2, 3), is_at_most(lambda **c: np.full(3, log_p(**c)), good_encoder_case),
          {"no 1/K": lambda **c: bounds(1, 2, 3)(**c) + np.log([1, 2, 3]),
           "weights q/p": lambda theta, phi, x: -bounds(1, 2, 3)(theta, phi, x),
           "the best of the K weights": mean_of(lambda log_w: np.max(log_w, axis=-1), 1, 2, 3)}),
    Claim("ou2018.eq15.mono", bounds(1, 2, 3), is_at_most(bounds(2, 3, 4), random_case),
          {"reversed": bounds(3, 4, 5), "nothing gained": bounds(2, 3, 4)}),
    Claim("ou2018.eq15.tighter", bounds(1, 2, 3), is_ordered(random_case),
          {"1/K outside the log": mean_of(lambda log_w: np.mean(log_w, axis=-1), 1, 2, 3),
           "K copies of one draw": mean_of(lambda log_w: estimate_log_p(log_w[..., :1] + 0 * log_w), 1, 2, 3)},
          without=is_ordered(case_with_exact_posterior)),
    Claim("ou2018.iwae.continuous_only", grad_phi(log_mean_of_others),
          is_gradient_of(lambda theta, phi, x: bound(theta, phi, x, 3), "phi", random_case),
          {"own draw in the baseline: log w_k": grad_phi(lambda log_w: log_w),
           "draws held fixed: only -wbar_k": mean_over_draws(lambda t, p, x, h: weighted_sum(
               -normalized_weights(log_weights(t, p, x, h)), score_phi(p, x, h), axis=-1), 3),
           "no wbar_k: as if log w_k were a reward": mean_over_draws(lambda t, p, x, h: weighted_sum(
               estimate_log_p(log_weights(t, p, x, h))[..., None] + 0 * h[..., 0], score_phi(p, x, h), axis=-1), 3)}),
    Claim("ou2018.eq20", mean_over_draws(estimate_grad_theta, 3),
          is_gradient_of(lambda theta, phi, x: bound(theta, phi, x, 3), "theta", random_case),
          {"uniform weights: the ELBO's gradient": mean_over_draws(uniform_grad_theta, 3),
           "unnormalised weights": mean_over_draws(unnormalised_grad_theta, 3)}),
    Claim("bachman2015.sec3_rws", rws_update(),
          equals(bound_gradient, case_of("theta"), rtol=GRADIENT, method="autodiff"),
          {"uniform weights: plain wake-sleep": rws_update(lambda log_w: np.full(log_w.shape, 1 / 3)),
           "unnormalised weights": rws_update(lambda log_w: np.exp(log_w) / 3)},
          without=equals(bound_gradient, case_of("phi"), rtol=GRADIENT, method="autodiff")),
]
