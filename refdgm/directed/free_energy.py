r"""The free energy and the bound it is the negative of (lecture12 Sec. 2.1).

    joint           p(x, z) = p(x|z) p(z)
    bound           L = E_q[log p(x, z) - log q(z|x)]
    identity        log p(x) = KL[q(z|x) || p(z|x)] + L >= L
    free energy     F = -log p(x) + KL[q(z|x) || p(z|x)] = -L
    E-step          argmin_q F is proportional to exp log p(x, z), which is the posterior

F and L take two tables over every z, log p(x, z) and log q(z|x), (..., Z); leading axes are the values of x.

Two states of z, p(x) = 0.1 + 0.3: F with an even q, and with the posterior, -log 0.4.

    >>> import numpy as np
    >>> from refdgm.directed.free_energy import free_energy
    >>> [round(float(free_energy(np.log([0.1, 0.3]), np.log(q))), 3) for q in ([0.5, 0.5], [0.25, 0.75])]
    [1.06, 0.916]
"""
import autograd.numpy as np

from refdgm import numerics
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.models import linear_gaussian, sbn, tables
from refdgm.numerics import full_gaussian_log_prob, gauss_hermite, gauss_legendre, log_softmax, log_sum_exp, softmax


def bound(log_joint, log_q):
    """L = E_q[log p(x, z) - log q(z|x)] (lecture12 Sec. 2.1).  (..., Z) -> (...)"""
    return np.sum(np.exp(log_q) * (log_joint - log_q), axis=-1)


def free_energy(log_joint, log_q):
    """F = -log p(x) + KL[q(z|x) || p(z|x)] (lecture12 Sec. 2.1).  (..., Z) -> (...)"""
    return -log_sum_exp(log_joint) + numerics.kl(np.exp(log_q), softmax(log_joint))


# ---- claims ---------------------------------------------------------------------------

def random_tables(seed):
    """log p(x, z) and log q(z|x) of a sigmoid belief net and its recognition net, for two x."""
    case = sbn.random_case(seed, D=3, H=2)
    x = onp.array([case["x"], 1 - case["x"]])
    return {"log_joint": sbn.log_joint_table(case["theta"], x), "log_q": sbn.log_q_table(case["phi"], x)}


def gap_by_variances(log_joint, log_q):
    """log p(x) - L as int_0^1 t Var_t[log q/p] dt, Var_t under q_t proportional to p(x, z)^(1-t) q^t.

    So the gap is positive unless q/p(x, z) is constant, that is unless q is the posterior: a bound, and when it is
    tight, in one line that names neither log p(x) nor the posterior.
    """
    t, w = gauss_legendre(0.0, 1.0, 40)
    ratio = (log_q - log_joint)[..., None, :]
    path = softmax(log_joint[..., None, :] + t[:, None] * ratio)
    mean = np.sum(path * ratio, axis=-1, keepdims=True)
    return np.sum(w * t * np.sum(path * (ratio - mean) ** 2, axis=-1), axis=-1)


def gap(log_joint, log_q):
    return log_sum_exp(log_joint) - bound(log_joint, log_q)


def energy_minus_entropy(log_joint, log_q):
    """The oracle of F: E_q[-log p(x, z)] - H[q], term by term."""
    p, q = onp.exp(log_joint), onp.exp(log_q)
    return onp.array([sum(-b * onp.log(a) + b * onp.log(b) for a, b in zip(*rows)) for rows in zip(p, q)])


def inclusive(log_joint, log_q):
    """KL[p(z|x) || q(z|x)], the other direction."""
    return numerics.kl(softmax(log_joint), np.exp(log_q))


def gaussian_pair(theta, x, h):
    """The oracle of the joint: one Gaussian over (z, x), with covariance [[I, W'], [W, W W' + Psi]]."""
    W = theta["W"]
    covariance = onp.block([[onp.eye(W.shape[1]), W.T], [W, W @ W.T + theta["Psi"]]])
    mean = onp.concatenate([onp.zeros(W.shape[1]), theta["b"]])
    return full_gaussian_log_prob(onp.concatenate([h, onp.broadcast_to(x, (len(h), len(x)))], axis=1), mean, covariance)


def gaussian_case(seed):
    case = linear_gaussian.random_case(seed)
    return {"theta": case["theta"], "x": case["x"], "h": onp.random.default_rng([seed, 1]).normal(size=(4, 2))}


def q_and_posterior(theta, phi, x):
    """(mean, covariance) of q(z|x) and of p(z|x)."""
    covariance = np.linalg.inv(linear_gaussian.posterior_precision(theta))
    return (np.dot(phi["V"], x) + phi["c"], phi["S"]), (linear_gaussian.posterior_mean(theta, x), covariance)


def exclusive_kl(q, posterior):
    return linear_gaussian.kl_gaussian(*q, *posterior)


def log_ratio(log_p, log_q):
    return log_p - log_q


def kl_plus_bound(divergence=exclusive_kl, integrand=log_ratio):
    """KL[q || p(z|x)] in closed form plus int q log(p/q), by a quadrature that is exact for the quadratic log p/q."""
    def total(theta, phi, x):
        eps, weights = gauss_hermite(3, 2)
        z = linear_gaussian.reparameterise(phi, x, eps)
        values = integrand(linear_gaussian.log_joint(theta, x, z), linear_gaussian.log_q(phi, x, z))
        return divergence(*q_and_posterior(theta, phi, x)) + weights @ values
    return total


def e_step_case(seed):
    case = tables.random_case(seed)
    return {"logits": case["phi"]["q"], "log_joint": tables.log_joint(case["theta"])}


def log_density_of_the_pair(theta, x, h):
    return linear_gaussian.log_prior(h) + linear_gaussian.log_likelihood(theta, x, h)


CLAIMS = [
    Claim("lecture12.sec2.1_joint", log_density_of_the_pair, equals(gaussian_pair, gaussian_case),
          {"p(x|z) / p(z)": lambda theta, x, h: log_density_of_the_pair(theta, x, h) - 2 * linear_gaussian.log_prior(h),
           "p(x) p(z): z and x independent": lambda theta, x, h: linear_gaussian.log_prior(h)
           + linear_gaussian.log_marginal(theta, x),
           "p(z|x) p(z)": lambda theta, x, h: linear_gaussian.log_prior(h)
           + linear_gaussian.log_posterior(theta, x, h),
           "p(x|z) alone": linear_gaussian.log_likelihood}),
    Claim("lecture12.sec2.1_identity", kl_plus_bound(),
          equals(lambda theta, phi, x: linear_gaussian.log_marginal(theta, x), linear_gaussian.random_case),
          {"minus the KL": kl_plus_bound(lambda q, posterior: -exclusive_kl(q, posterior)),
           "the KL in the other direction": kl_plus_bound(lambda q, posterior: exclusive_kl(posterior, q)),
           "log q/p under the integral": kl_plus_bound(integrand=lambda log_p, log_q: log_q - log_p),
           "no -log q: the entropy is lost": kl_plus_bound(integrand=lambda log_p, log_q: log_p)}),
    Claim("lecture12.sec2.1_bound", gap, equals(gap_by_variances, random_tables, method="quadrature"),
          {"an upper bound": lambda **c: -gap(**c),
           "tight at the prior, not at the posterior": lambda log_joint, log_q: gap(log_joint, log_q)
           - gap(log_joint, log_softmax(log_sum_exp(log_joint, axis=0) + 0 * log_q)),
           "KL[posterior || q]": inclusive,
           "the posterior squared in place of the posterior": lambda log_joint, log_q: numerics.kl(
               np.exp(log_q), softmax(2 * log_joint))}),
    Claim("lecture12.sec2.1_free_energy", free_energy, equals(energy_minus_entropy, random_tables),
          {"+log p(x)": lambda log_joint, log_q: free_energy(log_joint, log_q) + 2 * log_sum_exp(log_joint),
           "F = L, without the minus": bound,
           "KL[posterior || q]: the F' of the sleep phase": lambda log_joint, log_q: inclusive(log_joint, log_q)
           - log_sum_exp(log_joint),
           "the energy without the entropy": lambda log_joint, log_q: -np.sum(np.exp(log_q) * log_joint, axis=-1)}),
    Claim("lecture12.sec2.1_estep", lambda logits, log_joint: log_joint,
          minimises(lambda logits, log_joint: -np.sum(bound(log_joint, log_softmax(logits))), "logits", e_step_case),
          {"proportional to p(x|z)": lambda logits, log_joint: log_joint - log_sum_exp(log_joint, axis=0),
           "proportional to p(x|z) p(z)^2": lambda logits, log_joint: log_joint + log_sum_exp(log_joint, axis=0),
           "nearly all on the likeliest z": lambda logits, log_joint: 5 * log_joint,
           "proportional to log p(x, z), not its exponential": lambda logits, log_joint: np.log(-log_joint)}),
]
