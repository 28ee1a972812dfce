r"""The variational lower bound and its three forms (ou2018 Sec. 3.2.1, Eqs. 7-9, footnote 5).

    Eq. 7    log p(x) = L(x) + KL[q(h|x) || p(h|x)],   L(x) = E_q[log p(x, h) - log q(h|x)] <= log p(x)
    Eq. 8    L(x) = E_q[log p(x|h)] - KL[q(h|x) || p(h)]
    Eq. 9    the pooled bound sum_k L(x_k) is n times the average of the log ratio under p_tilde(x) q(h|x)
    fn. 5    log p(x) = log sum_h q p/q >= sum_h q log p/q, by Jensen

The bound is a function of two tables, log p(x, h) and log q(h|x) over every latent state h, so that it is a sum.
Shapes: log_joint, log_q, log_likelihood (..., H); log_prior (H,); leading axes are the values of x.

Two states of h, p(x) = 0.1 + 0.3: the bound, and with its gap log 0.4.

    >>> import numpy as np
    >>> from refdgm.directed.elbo import bound, gap
    >>> tables = np.log([0.1, 0.3]), np.log([0.5, 0.5])
    >>> round(float(bound(*tables)), 3), round(float(bound(*tables) + gap(*tables)), 3)
    (-1.06, -0.916)
"""
import autograd.numpy as np
from autograd import elementwise_grad
from autograd.tracer import getval

from refdgm import numerics
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most
from refdgm.models import sbn, tables
from refdgm.numerics import log_softmax, log_sum_exp


def log_ratio(log_joint, log_q):
    """log p(x, h) / q(h|x) for every h; 0 where q = 0, as its weight is (ou2018 Eq. 7).  (..., H) -> (..., H)"""
    drawn = getval(log_q) > -onp.inf
    return np.where(drawn, log_joint - np.where(drawn, log_q, 0.0), 0.0)


def bound(log_joint, log_q):
    """L(x) = E_q[log p(x, h) / q(h|x)] (ou2018 Eq. 7, second line).  (..., H) -> (...)"""
    return np.sum(np.exp(log_q) * log_ratio(log_joint, log_q), axis=-1)


def gap(log_joint, log_q):
    """KL[q(h|x) || p(h|x)], what the bound misses (ou2018 Eq. 7, first line).  (..., H) -> (...)"""
    return numerics.kl(np.exp(log_q), np.exp(log_softmax(log_joint)))


def bound_by_reconstruction(log_likelihood, log_prior, log_q):
    """E_q[log p(x|h)] - KL[q(h|x) || p(h)] (ou2018 Eq. 8).  (..., H), (H,), (..., H) -> (...)"""
    return np.sum(np.exp(log_q) * log_likelihood, axis=-1) - numerics.kl(np.exp(log_q), np.exp(log_prior))


def jensen_chain(log_joint, log_q):
    """log sum_h p(x, h), log sum_h q p/q and sum_h q log p/q, the three steps of footnote 5.  (..., H) -> (3, ...)"""
    ratio = log_ratio(log_joint, log_q)
    return np.array([log_sum_exp(log_joint), log_sum_exp(log_q + ratio), np.sum(np.exp(log_q) * ratio, axis=-1)])


def average_bound(theta, phi, X):
    """E[log p(x, h) / q(h|x)] under p_tilde(x) q(h|x), p_tilde the law of the rows of X (ou2018 Eq. 9).  -> ()"""
    x, count = onp.unique(X, axis=0, return_counts=True)
    p_tilde = count / len(X)
    return np.sum(p_tilde * bound(sbn.log_joint_table(theta, x), sbn.log_q_table(phi, x)))


# ---- claims ---------------------------------------------------------------------------

def random_tables(seed):
    """log p(x, h) and log q(h|x) for every cell of a random table, log p(x) far from constant."""
    case = tables.random_case(seed)
    return {"log_joint": tables.log_joint(case["theta"]), "log_q": tables.log_q(case["phi"])}


def random_parts(seed):
    case = tables.random_case(seed)
    return {"log_likelihood": tables.log_likelihood(case["theta"]), "log_prior": tables.log_prior(case["theta"]),
            "log_q": tables.log_q(case["phi"])}


def with_a_hole(seed):
    """A q that never draws the first state, so that it does not cover p(x, h)."""
    case = random_tables(seed)
    holed = onp.where(onp.arange(case["log_q"].shape[-1]) == 0, -onp.inf, case["log_q"])
    return {**case, "log_q": log_softmax(holed)}


def log_p(log_joint, log_q):
    """The oracle: log p(x) by summing p."""
    return onp.log(onp.exp(log_joint).sum(-1))


def divergence(a, b):
    """The oracle KL(a || b) = sum a log(a/b), from probabilities, with 0 log 0 = 0."""
    return onp.sum(a * onp.log(onp.where(a > 0, a, 1) / onp.where(a > 0, b, 1)), axis=-1)


def bound_by_bayes(log_joint, log_q):
    """The oracle of the bound: log p(x) minus its divergence from the posterior."""
    p = onp.exp(log_joint)
    return onp.log(p.sum(-1)) - divergence(onp.exp(log_q), p / p.sum(-1, keepdims=True))


def expansion_at(start):
    """Value, slope and curvature of the bound, at t = 0, where q_t = (1 - t) start(h|x) + t q(h|x).

    At the posterior they are log p, 0 and -chi^2(q || p(h|x)). The gap is convex in q, so that a strict minimum
    of zero there means that it vanishes at no other q.
    """
    def expansion(log_joint, log_q):
        a, b = np.exp(start(log_joint)), np.exp(log_q)

        def along(t):
            return bound(log_joint, np.log(a + t[:, None] * (b - a)))
        slope = elementwise_grad(along)
        t = np.zeros(len(log_q))
        return np.array([along(t), slope(t), elementwise_grad(slope)(t)])
    return expansion


def expansion_at_posterior(log_joint, log_q):
    p, q = onp.exp(log_joint), onp.exp(log_q)
    posterior = p / p.sum(-1, keepdims=True)
    chi_squared = onp.sum((q - posterior) ** 2 / posterior, axis=-1)
    return onp.array([log_p(log_joint, log_q), 0 * chi_squared, -chi_squared])


def prior_of(log_joint):
    return log_softmax(log_sum_exp(log_joint, axis=0) + 0 * log_joint)


def random_data(seed):
    return sbn.random_data_case(seed, n=6 + seed % 4)


def pooled_bound(theta, phi, X):
    """The oracle of the pooled bound: one datum after the other."""
    return sum(bound_by_bayes(sbn.log_joint_table(theta, x), sbn.log_q_table(phi, x)) for x in X)


CLAIMS = [
    Claim("ou2018.eq7", lambda **c: bound(**c) + gap(**c), equals(log_p, random_tables),
          {"minus the KL": lambda **c: bound(**c) - gap(**c),
           "KL(posterior || q)": lambda log_joint, log_q: bound(log_joint, log_q) + divergence(
               np.exp(log_softmax(log_joint)), np.exp(log_q)),
           "KL(q || prior)": lambda log_joint, log_q: bound(log_joint, log_q) + divergence(
               np.exp(log_q), np.exp(prior_of(log_joint)))}),
    Claim("ou2018.eq7.bound", bound, is_at_most(log_p, random_tables),
          {"the prior left out: E_q log p(x|h)": lambda log_joint, log_q: np.sum(
              np.exp(log_q) * (log_joint - log_sum_exp(log_joint, axis=0)), axis=-1),
           "the expectation under the posterior: an upper bound": lambda log_joint, log_q: np.sum(
               np.exp(log_softmax(log_joint)) * log_ratio(log_joint, log_q), axis=-1),
           "an unnormalised q of mass 1/2": lambda log_joint, log_q: bound(log_joint, log_q - np.log(2))}),
    Claim("ou2018.eq7.tight", expansion_at(log_softmax), equals(expansion_at_posterior, random_tables),
          {"tight at the prior": expansion_at(prior_of),
           "tight at q proportional to p(x|h)": expansion_at(
               lambda log_joint: log_softmax(log_joint - log_sum_exp(log_joint, axis=0))),
           "tight at the tempered posterior": expansion_at(lambda log_joint: log_softmax(1.01 * log_joint))}),
    Claim("ou2018.fn5", jensen_chain,
          equals(lambda **c: onp.array([log_p(**c), log_p(**c), bound_by_bayes(**c)]), random_tables),
          {"the log inside the sum without the weights q": lambda log_joint, log_q: np.array(
              [*jensen_chain(log_joint, log_q)[:2], np.sum(log_joint - log_q, axis=-1)]),
           "a plain average over h in place of q": lambda log_joint, log_q: jensen_chain(
               log_joint, log_softmax(0 * log_q)),
           "Jensen with equality": lambda **c: jensen_chain(**c)[[0, 1, 1]]},
          without=equals(lambda **c: onp.array([log_p(**c), log_p(**c), bound_by_bayes(**c)]), with_a_hole)),
    Claim("ou2018.eq8", bound_by_reconstruction,
          equals(lambda log_likelihood, log_prior, log_q: bound_by_bayes(log_likelihood + log_prior, log_q),
                 random_parts),
          {"plus the KL": lambda log_likelihood, log_prior, log_q: np.sum(
              np.exp(log_q) * log_likelihood, axis=-1) + divergence(np.exp(log_q), np.exp(log_prior)),
           "KL(prior || q)": lambda log_likelihood, log_prior, log_q: np.sum(
               np.exp(log_q) * log_likelihood, axis=-1) - divergence(np.exp(log_prior), np.exp(log_q)),
           "KL(q || posterior)": lambda log_likelihood, log_prior, log_q: np.sum(
               np.exp(log_q) * log_likelihood, axis=-1) - gap(log_likelihood + log_prior, log_q)}),
    Claim("ou2018.eq9", lambda theta, phi, X: len(X) * average_bound(theta, phi, X), equals(pooled_bound, random_data),
          {"1/n on the wrong side": lambda theta, phi, X: average_bound(theta, phi, X) / len(X),
           "every distinct x counted once": lambda theta, phi, X: len(onp.unique(X, axis=0)) * average_bound(
               theta, phi, onp.unique(X, axis=0))},
          printed=average_bound),
]
