r"""A known mean that still helps the importance weighted bound (ou2018 Sec. 3.2.1, Some notes).

For K = 1 the KL term of the bound can be integrated, which cuts the variance. For K > 1 no such term splits off. But
its sample average is a control variate of known mean, whatever K is:

    c = (1/K) sum_k log p(h_k) / q(h_k|x),   E[c] = -KL[q(h|x)||p(h)]
    E[log p_hat - beta (c + KL)] = I_K       for every beta
    beta = Cov(log p_hat, c) / Var(c)        the least variance, (1 - corr^2) Var(log p_hat)

For K = 1 and beta = 1 it is the reconstruction term of a draw, less the integrated KL.

Shapes: x (D,), h (..., K, H), log_w (..., K); the means are sums over all 2**(K H) draws.

The variance of log p_hat for K = 3, and what the control variate leaves of it:

    >>> from refdgm.directed.iwae_control_variate import moments, random_case
    >>> [round(float(moments(**random_case(0), K=3, beta=beta)[1]), 3) for beta in (0.0, None)]
    [0.154, 0.117]
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.models.sbn import (all_draws, latent_states, log_joint_table, log_likelihood, log_prior, log_q, log_q_table,
                               random_case)
from refdgm.numerics import kl, least_squares, log_mean_exp


def control(theta, phi, x, h):
    """c = (1/K) sum_k log p(h_k) - log q(h_k|x).  (..., K, H) -> (...)"""
    return np.mean(log_prior(theta, h) - log_q(phi, x, h), axis=-1)


def mean_of_control(theta, phi, x):
    """-KL[q(h|x)||p(h)], exactly.  -> ()"""
    return -kl(np.exp(log_q_table(phi, x)), np.exp(log_prior(theta, latent_states(theta))))


def estimate(theta, phi, x, h, beta):
    """log p_hat - beta (c - E[c]): the bound of a draw, with the control variate.  (..., K, H) -> (...)"""
    log_w = log_prior(theta, h) + log_likelihood(theta, x, h) - log_q(phi, x, h)
    return log_mean_exp(log_w) - beta * (control(theta, phi, x, h) - mean_of_control(theta, phi, x))


def moments(theta, phi, x, K, beta=None):
    """The mean and the variance of the estimate over all draws; beta=None is the best one.  -> (), ()"""
    h, probability = all_draws(phi, x, K)
    plain, c = estimate(theta, phi, x, h, 0.0), control(theta, phi, x, h)
    if beta is None:
        off = c - probability @ c
        beta = probability @ (plain * off) / (probability @ off**2)
    values = estimate(theta, phi, x, h, beta)
    mean = probability @ values
    return mean, probability @ (values - mean)**2


# ---- claims ---------------------------------------------------------------------------

def three_draws(seed):
    return {**random_case(seed), "K": 3}


def best_and_any(beta=None, shift=0.0):
    """The mean and variance at the best beta, the mean at beta = 1."""
    def found(theta, phi, x, K):
        mean, variance = moments(theta, phi, x, K, beta)
        any_mean, _ = moments(theta, phi, x, K, 1.0)
        return {"mean": mean + shift * mean_of_control(theta, phi, x), "variance": variance,
                "mean at beta 1": any_mean + shift * mean_of_control(theta, phi, x)}
    return found


def by_regression(theta, phi, x, K):
    """The oracle: I_K draw by draw, and what a weighted least-squares fit on 1 and c leaves of log p_hat."""
    states = latent_states(theta)
    log_joint, log_r = log_joint_table(theta, x), log_q_table(phi, x)
    index = np.stack(np.meshgrid(*[np.arange(len(states))] * K), axis=-1).reshape(-1, K)
    root = np.sqrt(np.exp(np.sum(log_r[index], axis=-1)))
    values = np.log(np.mean(np.exp(log_joint - log_r)[index], axis=-1))
    c = np.mean((log_prior(theta, states) - log_r)[index], axis=-1)
    design = np.stack([np.ones_like(c), c], axis=-1) * root[:, None]
    left = root * values - design @ least_squares(design, root * values)
    mean = root**2 @ values
    return {"mean": mean, "variance": left @ left, "mean at beta 1": mean}


CLAIMS = [
    Claim("ou2018.x_control_variate", best_and_any(), equals(by_regression, three_draws),
          {"no control: nothing is gained": best_and_any(beta=0.0),
           "beta = 1 is the best for every K": best_and_any(beta=1.0),
           "beta with the wrong sign": best_and_any(beta=-1.0),
           "the known mean left out": best_and_any(shift=-1.0)}),
]
