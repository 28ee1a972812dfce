r"""The notes below the table of learning algorithms (ou2018 Table 1, notes 1-3).

    note 1   theta and phi need not share one bound: of M averaged K-sample bounds, N = M K draws in all, the gradient
             in phi has a signal-to-noise ratio that falls like sqrt(N) / K, although the bound gets tighter
    note 2   E_p(h|x) dlog q/dphi by IS: sum_k wbar_k dlog q(h_k|x)/dphi, biased by O(1/K); or by MIS, after burn-in
    note 3   E_p(h|x) dlog p(x, h)/dtheta = dlog p(x)/dtheta: with posterior samples no bound is needed

Notes 2 and 3: tables (models/tables) and an SBN (models/sbn). Note 1: p(z) = N(mu, 1), p(x|z) = N(z, v) and
q(z|x) = N(m, s^2), reparameterised; all means are quadratures over one noise, whatever K >= 2 is.
log_w, log_q (..., H); mu, m, log_s, x and v are numbers.

Note 1, phi's signal-to-noise ratio for the same 4096 draws:

    >>> from refdgm.directed.learning_table_notes import gaussian_case, phi_signal_to_noise
    >>> [round(float(phi_signal_to_noise(K, M=4096 // K, **gaussian_case(0))), 2) for K in (4, 64)]
    [4.88, 0.28]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, has_order, is_gradient_of
from refdgm.models import sbn, tables
from refdgm.models.counts import multinomial
from refdgm.models.finite_chain import stationary_law
from refdgm.models.iid_weights import self_normalised_moments
from refdgm.numerics import LOG_2PI, log_softmax, trapezoid, weighted_sum
from refdgm.samplers import independence


def importance_law(log_w, log_q, K, weights=lambda counts, w: counts * w):
    """r_K(h|x): the law of one of K draws from q, chosen by its normalised weight (ou2018 Eq. 21).  -> (..., H)"""
    counts, log_probability = multinomial(log_q, K)
    share = weights(counts, np.exp(log_w)[..., None, :])
    return weighted_sum(np.exp(log_probability), share / np.sum(share, axis=-1, keepdims=True), axis=-1)


def mis_law(log_w, log_q, steps, chain=independence.transition_matrix):
    """The law of h after `steps` steps of MIS from h ~ q (ou2018 Sec. 3.2.3).  -> (..., H)"""
    power = onp.linalg.matrix_power(chain(log_w, log_q), steps)
    return (np.exp(log_q)[..., None, :] @ power)[..., 0, :]


def posterior_means(theta, phi, p_data, K):
    """E_p~ E[dlog q/dphi] by IS with K draws, and by K steps of MIS (ou2018 Table 1, second note)."""
    log_q = tables.log_q(phi)
    log_w = tables.log_joint(theta) - log_q
    laws = {"IS": importance_law(log_w, log_q, K), "MIS": mis_law(log_w, log_q, K)}
    return {name: weighted_sum(p_data[:, None] * law, tables.score_phi(phi)) for name, law in laws.items()}


def mis_theta_update(theta, phi, X, steps=None, chain=independence.transition_matrix):
    """E_p~ of dlog p(x, h)/dtheta over the law of MIS, settled or after some steps (ou2018 Table 1, third note)."""
    log_q = sbn.log_q_table(phi, X)
    log_w = sbn.log_joint_table(theta, X) - log_q
    law = stationary_law(chain(log_w, log_q)) if steps is None else mis_law(log_w, log_q, steps)
    return weighted_sum(law / len(X), sbn.score_theta(theta, X[:, None, :], sbn.latent_states(theta)))


def phi_signal_to_noise(K, M, mu, m, log_s, x, v):
    """|mean| / deviation of M averaged gradients of log (1/K) sum_k w_k in (m, log s) (ou2018 Table 1, first note).

    As lengths of vectors, for a single component may happen to have no mean at some K.  -> ()
    """
    w, score, probability = weights_and_scores(mu, m, log_s, x, v)
    mean, variance = self_normalised_moments(w, score, probability, K)
    return onp.sqrt(M * onp.sum(mean**2) / onp.sum(variance))


def weights_and_scores(mu, m, log_s, x, v):
    """w, dlog w by m and log s along z = m + s eps, and the law of a grid of eps: (g,), (2, g), (g,)."""
    eps, weight = trapezoid(-9.0, 9.0, 241)
    z, s = m + onp.exp(log_s) * eps, onp.exp(log_s)
    slope = (x - z) / v - (z - mu)                                      # dlog p(x, z)/dz
    log_w = -0.5 * ((z - mu)**2 + (x - z)**2 / v - eps**2 + onp.log(v) + LOG_2PI) + log_s
    return onp.exp(log_w), onp.stack([slope, s * eps * slope + 1]), weight * onp.exp(-0.5 * (eps**2 + LOG_2PI))


# ---- claims ---------------------------------------------------------------------------

N = 4096        # draws in all, shared out as M = N / K estimates


def gaussian_case(seed):
    """A model whose q is wider than the posterior (so that all moments of w are finite) and off its mean."""
    rng = onp.random.default_rng([seed, 21])
    mu, x, v = rng.normal(), rng.normal() * 2, rng.uniform(0.5, 2)
    mean, variance = (mu * v + x) / (1 + v), v / (1 + v)
    return {"mu": mu, "m": mean + rng.choice([-1, 1]) * rng.uniform(0.3, 0.8) * onp.sqrt(variance),
            "log_s": 0.5 * onp.log(variance * rng.uniform(1.1, 1.6)), "x": x, "v": v}


def at_fixed_cost(copies=lambda K: N // K, draws=lambda K: K):
    """phi's signal-to-noise ratio as a function of K, the number of draws being the same."""
    return lambda K, **model: phi_signal_to_noise(draws(K), copies(K), **model)


def table_case(seed):
    return tables.random_case(seed, H=2)


def inclusive_slopes(theta, phi, p_data):
    """Autograd of -E_p~ KL[p(h|x) || q(h|x)] in phi, which IS and MIS both estimate."""
    log_p = tables.log_posterior(theta)
    def objective(phi): return -np.sum(p_data[:, None] * np.exp(log_p) * (log_p - tables.log_q(phi)))
    return {"IS": grad(objective)(phi), "MIS": grad(objective)(phi)}


def by_other(of_is=importance_law, of_mis=mis_law):
    """posterior_means with another law in either part."""
    def means(theta, phi, p_data, K):
        log_q = tables.log_q(phi)
        log_w = tables.log_joint(theta) - log_q
        return {name: weighted_sum(p_data[:, None] * law(log_w, log_q, K), tables.score_phi(phi))
                for name, law in (("IS", of_is), ("MIS", of_mis))}
    return means


def all_but_missing(law):
    """`law` under a q that all but misses the first state."""
    def of(log_w, log_q, K):
        other = log_softmax(log_q - 60.0 * (onp.arange(log_q.shape[-1]) == 0))
        return law(log_w + log_q - other, other, K)
    return of


def stale_weight(log_w, log_q):
    """MIS whose weight to beat stays that of the first state."""
    moves = np.exp(log_q) * independence.acceptance(log_w, log_w[..., :1])
    return independence.with_rejections(moves[..., None, :] * np.ones_like(log_q)[..., None])


def settled(seed):
    return {**sbn.random_data_case(seed, n=3), "steps": None}


def log_likelihood(theta, phi, X, steps):
    return np.mean(sbn.log_marginal(theta, X))


def theta_update_under(law, score=sbn.score_theta):
    """E_p~ of a score over a law of h given by log w and log q."""
    def mean(theta, phi, X, steps):
        log_q = sbn.log_q_table(phi, X)
        h_law = law(sbn.log_joint_table(theta, X) - log_q, log_q)
        return weighted_sum(h_law / len(X), score(theta, X[:, None, :], sbn.latent_states(theta)))
    return mean


def likelihood_score(theta, x, h):
    """dlog p(x|h)/dtheta: the prior is forgotten."""
    score = sbn.score_theta(theta, x, h)
    return {**score, "a": 0 * score["a"]}


CLAIMS = [
    Claim("ou2018.table1.note_cross", at_fixed_cost(),
          has_order(lambda **model: 0.0, gaussian_case, "K", (512, 4096), order=1, within=0.02,
                    scale=lambda **model: 1.0, method="quadrature"),
          {"as if K did not matter": at_fixed_cost(copies=lambda K: N // 2, draws=lambda K: 2),
           "one estimate, however large K is": at_fixed_cost(copies=lambda K: 1),
           "M copies are M times as good": at_fixed_cost(copies=lambda K: (N // K)**2)},
          printed=at_fixed_cost(copies=lambda K: K, draws=lambda K: 2 * N // K)),     # the tighter, the better for phi
    Claim("ou2018.table1.note_is_mis", posterior_means,
          has_order(inclusive_slopes, table_case, "K", (10_000, 20_000), order=1, within=0.05),
          {"IS with uniform weights": by_other(of_is=lambda w, q, K: importance_law(w, q, K, lambda n, w: n + 0 * w)),
           "IS by the largest weight": by_other(of_is=lambda w, q, K: importance_law(
               w, q, K, lambda n, w: (n > 0) * (w == np.max((n > 0) * w, axis=-1, keepdims=True)))),
           "MIS that never updates its weight": by_other(of_mis=lambda w, q, K: mis_law(w, q, K, stale_weight)),
           "MIS that accepts everything": by_other(of_mis=lambda w, q, K: np.exp(q)),
           "IS from a q that misses a state": by_other(of_is=all_but_missing(importance_law)),
           "MIS from a q that misses a state": by_other(of_mis=all_but_missing(mis_law))}),
    Claim("ou2018.table1.note_mis_theta", mis_theta_update, is_gradient_of(log_likelihood, "theta", settled),
          {"h from q: the V-LB's gradient": theta_update_under(lambda log_w, log_q: np.exp(log_q)),
           "IS with two draws: the IW-LB's gradient": theta_update_under(lambda w, q: importance_law(w, q, 2)),
           "MIS that never updates its weight": lambda **c: mis_theta_update(**c, chain=stale_weight),
           "score of p(x|h) alone": theta_update_under(lambda w, q: stationary_law(
               independence.transition_matrix(w, q)), likelihood_score)},
          without=is_gradient_of(log_likelihood, "theta", lambda seed: {**settled(seed), "steps": 1})),
]
