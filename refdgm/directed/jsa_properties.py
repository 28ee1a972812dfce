r"""What JSA is said to gain from its two objectives (ou2018 Sec. 3.2.3: comments after Eq. 23, Prop. 3).

    support   a finite KL[p(h|x) || q(h|x)] keeps q(h|x) > 0 wherever p(h|x) > 0: q stays a valid proposal
    no game   the equation for theta does not contain phi: q decides how fast the chain moves, not what it samples
    Prop. 3   with unlimited capacity both KLs reach zero, and then p(x) = p~(x) and q(h|x) = p(h|x)

Tables (refdgm.models.tables): theta["joint"], phi["q"] (X, H), a data distribution p_data (X,).

The inclusive KL of a q that all but misses one of two even states grows without limit:

    >>> import numpy as np
    >>> from refdgm.directed.jsa_properties import inclusive_kl
    >>> [round(float(inclusive_kl(np.array([0.5, 0.5]), np.array([q, 1 - q]))), 4) for q in (1e-3, 1e-9)]
    [2.7612, 9.6685]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least, vanishes
from refdgm.models.finite_chain import stationary_law
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_prior, log_q, random_case, score_theta
from refdgm.numerics import kl, weighted_sum
from refdgm.samplers.independence import transition_matrix


def inclusive_kl(p, q):
    """KL[p || q], without the guards of a general routine (ou2018 Eq. 22).  (H,), (..., H) -> (...)"""
    return np.sum(p * np.log(p / q), axis=-1)


def theta_field(theta, phi, p_data):
    """E[dlog p(x, h)/dtheta], h|x from the stationary law of MIS with proposal q (ou2018 Eq. 23, first line)."""
    P = transition_matrix(log_joint(theta) - log_q(phi), log_q(phi))        # p(x) cancels within a row
    return weighted_sum(p_data[:, None] * stationary_law(P), score_theta(theta)["joint"])


def saturated_optimum(theta, p_data):
    """A root of Eq. 23 with unlimited capacity: p(h|x) stays, p(x) becomes p~(x), q becomes p(h|x) (ou2018 Prop. 3)."""
    joint = np.log(p_data)[:, None] + log_posterior(theta)
    return {"joint": joint}, {"q": joint}


# ---- claims ---------------------------------------------------------------------------

def covering_case(seed, H=4):
    """A posterior p, and proposals q (3, H) that all but miss one of its states."""
    rng = onp.random.default_rng([seed, 6])
    p, q = rng.dirichlet(onp.full(H, 3.0)), rng.dirichlet(onp.full(H, 3.0))
    epsilon = onp.array([1e-2, 1e-5, 1e-9])[:, None]
    missed = onp.arange(H) == rng.integers(H)
    return {"p": p, "q": onp.where(missed, epsilon, (1 - epsilon) * q / onp.sum(q * ~missed)), "missed": missed}


def kl_of_missing(p, q, missed):
    """KL of the two-state laws (state missed or not): it grows like p log 1/q, without limit as q -> 0."""
    p, q = np.sum(p * missed), np.sum(q * missed, axis=-1)
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def two_proposals(seed):
    c = random_case(seed)
    return {**c, "other": random_case(seed + 10**6)["phi"]}


def moved_by_q(field):
    """How much a field for theta changes when q is replaced by an unrelated one."""
    return lambda theta, phi, p_data, other: field(theta, phi, p_data) - field(theta, other, p_data)


def variational_field(theta, phi, p_data):
    """The ELBO's gradient in theta."""
    return weighted_sum(p_data[:, None] * np.exp(log_q(phi)), score_theta(theta)["joint"])


def self_normalised_field(theta, phi, p_data):
    """The expected gradient in theta from K = 2 self-normalised draws of q."""
    q, w = np.exp(log_q(phi)), np.exp(log_joint(theta) - log_q(phi))
    wbar = w[:, :, None] / (w[:, :, None] + w[:, None, :])                  # of the first of draws (h, h')
    return weighted_sum(p_data[:, None] * 2 * q * np.sum(q[:, None, :] * wbar, axis=-1), score_theta(theta)["joint"])


def uncorrected_field(theta, phi, p_data):
    """MIS whose weights leave out q."""
    P = transition_matrix(log_joint(theta), log_q(phi))
    return weighted_sum(p_data[:, None] * stationary_law(P), score_theta(theta)["joint"])


def size_of_scores(theta, phi, p_data, other):
    return np.sum(p_data[:, None] * np.exp(log_posterior(theta)) * np.max(np.abs(score_theta(theta)["joint"]), (2, 3)))


def left_over(solve):
    """What is zero at the optimum `solve(theta, p_data)`: both KLs, p(x) - p~(x), q(h|x) - p(h|x)."""
    def residuals(theta, phi, p_data):
        theta, phi = solve(theta, p_data)
        p_x, posterior, q = np.exp(log_marginal(theta)), np.exp(log_posterior(theta)), np.exp(log_q(phi))
        return {"KL": np.array([kl(p_data, p_x), p_data @ kl(posterior, q)]), "p(x)": p_x - p_data, "q": q - posterior}
    return residuals


CLAIMS = [
    Claim("ou2018.jsa.support", lambda p, q, missed: inclusive_kl(p, q), is_at_least(kl_of_missing, covering_case),
          {"the exclusive KL": lambda p, q, missed: np.sum(q * np.log(q / p), axis=-1),
           "half the sum of both": lambda p, q, missed: np.sum((p - q) * np.log(p / q), axis=-1) / 2,
           "states of tiny q are skipped": lambda p, q, missed:
              np.sum(np.where(q < 1e-4, 0.0, p * np.log(p / q)), axis=-1)}),
    Claim("ou2018.jsa.not_nash", moved_by_q(theta_field), vanishes(size_of_scores, two_proposals, method="matrix"),
          {"variational learning": moved_by_q(variational_field),
           "self-normalised importance weights": moved_by_q(self_normalised_field),
           "MIS whose weights leave out q": moved_by_q(uncorrected_field)}),
    Claim("ou2018.prop3", left_over(saturated_optimum), vanishes(lambda **c: 1.0, random_case),
          {"q is the prior p(h)": left_over(lambda theta, p_data: (
              {"joint": np.log(p_data)[:, None] + log_posterior(theta)},
              {"q": log_prior(theta) + np.zeros_like(theta["joint"])})),
           "q is the posterior from before theta moved to p(x, h) = p~(x) p(h)": left_over(lambda theta, p_data: (
              {"joint": np.log(p_data)[:, None] + log_prior(theta)}, {"q": log_posterior(theta)})),
           "p(x) stays": left_over(lambda theta, p_data: (theta, {"q": theta["joint"]}))}),
]
