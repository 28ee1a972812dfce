r"""The marginal, the posterior, and why both are hard (kingma2019 Secs. 1.7.1, 1.8).

    Eq. 1.13   p(x) = int p(x, z) dz
    Eq. 1.19   p(z|x) = p(x, z) / p(x)                      so p(x) = p(x, z) / p(z|x) at any z
    Sec. 1.8   grad log p(x) = E_{p(z|x)}[grad log p(x, z)] (Fisher's identity): with the posterior, the gradient, too
    Sec. 1.8   p^(x) = p(x|z), z ~ p(z), is unbiased, but E[p^^2] / p(x)^2 grows exponentially in the latent dimension

Checked where the right-hand sides have closed forms, in the linear-Gaussian model (theta, x (D,), z (..., H) as there),
and for the gradient in the Bernoulli model with one latent variable.

log E[p^^2] / p(x)^2 with one latent and with twenty of its kind:

    >>> import numpy as np
    >>> from refdgm.directed.intractability import log_relative_second_moment
    >>> models = [({"W": np.eye(d), "b": np.zeros(d), "Psi": np.eye(d) / 4}, np.ones(d)) for d in (1, 20)]
    >>> [round(float(log_relative_second_moment(theta, x)), 3) for theta, x in models]
    [0.866, 17.328]
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import bernoulli_dlvm
from refdgm.models import linear_gaussian as model
from refdgm.numerics import (LOG_2PI, all_tuples, full_gaussian_log_prob, log_sum_exp, softmax,
                             trapezoid, weighted_sum)


def latent_grid(H, n=181, reach=9.0):
    """Nodes (n**H, H) and log weights (n**H,) over all z in which the prior has mass."""
    nodes, weights = trapezoid(-reach, reach, n)
    index = all_tuples(n, H)
    return nodes[index], onp.sum(onp.log(weights)[index], axis=-1)


def log_marginal(theta, x, log_joint=model.log_joint):
    """log p(x) = log int p(x, z) dz, by quadrature (kingma2019 Eq. 1.13).  (D,) -> ()"""
    z, log_w = latent_grid(theta["W"].shape[1])
    return log_sum_exp(log_joint(theta, x, z) + log_w)


def log_posterior(theta, x, z):
    """log p(z|x) = log p(x, z) - log p(x) (kingma2019 Eq. 1.19).  (D,), (..., H) -> (...)"""
    return model.log_joint(theta, x, z) - model.log_marginal(theta, x)


def log_marginal_at(theta, x, z, log_posterior):
    """log p(x) = log p(x, z) - log p(z|x), whatever z is (kingma2019 Sec. 1.8).  (D,), (..., H) -> (...)"""
    return model.log_joint(theta, x, z) - log_posterior(theta, x, z)


def posterior_mean_score(theta, x, log_law=bernoulli_dlvm.log_joint):
    """E[grad log p(x, z)] over z ~ p(z|x), that is grad log p(x) (kingma2019 Sec. 1.8).  -> dict like theta

    log_law(theta, x, z) is the log of the law of z, up to a constant: the joint for the posterior.
    """
    z, log_w = latent_grid(theta["W"].shape[1])
    return weighted_sum(softmax(log_law(theta, x, z) + log_w), bernoulli_dlvm.score_theta(theta, x, z))


def log_second_moment(theta, x):
    """log E[p^(x)^2] of p^(x) = p(x|z), z ~ p(z) (kingma2019 Sec. 1.8).  (D,) -> ()

    N(x; m, Psi)^2 = N(x; m, Psi/2) (4 pi)^{-D/2} |Psi|^{-1/2}, and then z is integrated out.
    """
    D, W, Psi = len(x), theta["W"], theta["Psi"]
    constant = -0.5 * (D * onp.log(4 * onp.pi) + onp.linalg.slogdet(Psi)[1])
    return constant + full_gaussian_log_prob(x, theta["b"], W @ W.T + Psi / 2)


def log_relative_second_moment(theta, x):
    """log E[p^(x)^2] / p(x)^2, which is log(1 + relative variance) (kingma2019 Sec. 1.8).  (D,) -> ()"""
    valid.vector("x", x, len(theta["b"]))
    return log_second_moment(theta, x) - 2 * model.log_marginal(theta, x)


# ---- claims ---------------------------------------------------------------------------

def theta_and_x(seed):
    case = model.random_case(seed)
    return {"theta": case["theta"], "x": case["x"]}


def theta_x_and_z(seed):
    return {**theta_and_x(seed), "z": onp.random.default_rng([seed, 1]).normal(size=(5, 2))}


def by_log_posterior(log_posterior):
    return lambda theta, x, z: log_marginal_at(theta, x, z, log_posterior)


def completed_square(theta, x, z):
    """The posterior up to its constant, as after completing the square."""
    d = z - model.posterior_mean(theta, x)
    return -0.5 * np.sum(d * (d @ model.posterior_precision(theta)), axis=-1)


def same_everywhere(theta, x, z):
    """The oracle: log p(x) from the integral, once for each z."""
    return onp.full(len(z), log_marginal(theta, x))


def best_z(theta, x):
    """max_z log p(x, z), at the posterior's mean."""
    return model.log_joint(theta, x, model.posterior_mean(theta, x))


def posterior_case(seed):
    case = bernoulli_dlvm.random_case(seed, H=1)
    return {**case, "log_law": bernoulli_dlvm.log_joint}


def without_posterior(seed):
    """The condition violated: z from the prior, the only law that can be drawn from directly."""
    return {**posterior_case(seed), "log_law": lambda theta, x, z: bernoulli_dlvm.log_prior(z)}


def log_p_of_x(theta, x, log_law):
    return log_marginal(theta, x, bernoulli_dlvm.log_joint)


def squared_case(seed, dimensions=(1, 2, 5, 10, 20)):
    """Independent coordinates x_d = w_d z_d + b_d + noise, of which models of growing dimension see rotations."""
    rng = onp.random.default_rng(seed)
    H = dimensions[-1]
    one = {"w": rng.uniform(1.0, 2.0, H), "b": rng.normal(size=H), "psi": rng.uniform(0.2, 0.5, H),
           "x": rng.normal(size=H)}
    rotations = [onp.linalg.qr(rng.normal(size=(d, d)))[0] for d in dimensions]
    return {**one, "rotations": rotations}


def by_dimension(of_model=log_relative_second_moment):
    """of_model for each rotation, in the model that the rotation makes of the first d coordinates."""
    def all_of_them(w, b, psi, x, rotations):
        found = []
        for R in rotations:
            d = len(R)
            theta = {"W": R * w[:d], "b": R @ b[:d], "Psi": (R * psi[:d]) @ R.T}
            found.append(of_model({**theta, "Psi": (theta["Psi"] + theta["Psi"].T) / 2}, R @ x[:d]))
        return onp.array(found)
    return all_of_them


def coordinate_by_coordinate(w, b, psi, x, rotations):
    """The oracle: a sum over coordinates of the log ratio of two integrals over one z, by quadrature."""
    z, weight = trapezoid(-9.0, 9.0, 401)
    log_p = -0.5 * ((x - b - w * z[:, None])**2 / psi + onp.log(psi) + LOG_2PI)
    prior = weight * onp.exp(-z**2 / 2) / onp.sqrt(2 * onp.pi)
    ratios = onp.log(prior @ onp.exp(2 * log_p)) - 2 * onp.log(prior @ onp.exp(log_p))
    return onp.array([onp.sum(ratios[:len(R)]) for R in rotations])


def linear_growth(w, b, psi, x, rotations):
    """log(1 + the sum of the relative variances of the coordinates)."""
    each = coordinate_by_coordinate(w, b, psi, x, [onp.eye(d) for d in range(1, len(w) + 1)])
    variances = onp.expm1(onp.diff(each, prepend=0.0))
    return onp.array([onp.log1p(onp.sum(variances[:len(R)])) for R in rotations])


CLAIMS = [
    Claim("kingma2019.eq1.13", log_marginal, equals(model.log_marginal, theta_and_x, method="quadrature"),
          {"the best z, not the integral": best_z,
           "p(x|z) without the prior": lambda theta, x: log_marginal(theta, x, model.log_likelihood),
           "p(x|z) at the prior's mean": lambda theta, x: model.log_likelihood(theta, x, onp.zeros(2)),
           "the prior counted twice": lambda theta, x: log_marginal(
              theta, x, lambda t, x, z: model.log_joint(t, x, z) + model.log_prior(z))}),
    Claim("kingma2019.eq1.19", log_posterior,
          equals(lambda theta, x, z: model.log_posterior(theta, x, z), theta_x_and_z, method="matrix"),
          {"over p(z), not p(x)": lambda theta, x, z: model.log_likelihood(theta, x, z),
           "p(x|z) / p(x)": lambda theta, x, z: model.log_likelihood(theta, x, z) - model.log_marginal(theta, x),
           "not normalised": lambda theta, x, z: model.log_joint(theta, x, z),
           "upside down": lambda theta, x, z: -log_posterior(theta, x, z)}),
    Claim("kingma2019.sec1.8.equiv", by_log_posterior(model.log_posterior),
          equals(same_everywhere, theta_x_and_z, method="quadrature"),
          {"the prior in place of the posterior": by_log_posterior(lambda theta, x, z: model.log_prior(z)),
           "a posterior that is not normalised": by_log_posterior(completed_square),
           "only the likelihood": lambda theta, x, z: (
              model.log_likelihood(theta, x, z) - model.log_posterior(theta, x, z)),
           "averaged over z: p(x, z) summed, without weights": lambda theta, x, z: onp.full(
              len(z), log_sum_exp(model.log_joint(theta, x, z)))}),
    Claim("kingma2019.sec1.8.nodiff", posterior_mean_score,
          is_gradient_of(log_p_of_x, "theta", posterior_case),
          {"the mean under the prior": lambda theta, x, log_law: posterior_mean_score(
              theta, x, lambda t, x, z: bernoulli_dlvm.log_prior(z)),
           "the score at z = 0": lambda theta, x, log_law: bernoulli_dlvm.score_theta(
              theta, x, onp.zeros(1)),
           "the likelihood as the law of z": lambda theta, x, log_law: posterior_mean_score(
              theta, x, bernoulli_dlvm.log_likelihood)},
          without=is_gradient_of(log_p_of_x, "theta", without_posterior)),
    Claim("kingma2019.sec1.8.intract", by_dimension(),
          equals(coordinate_by_coordinate, squared_case, method="quadrature"),
          {"linear in the dimension: variances add up": linear_growth,
           "the second moment, not relative to p(x)": by_dimension(log_second_moment),
           "relative to p(x), not to its square": by_dimension(
              lambda theta, x: log_second_moment(theta, x) - model.log_marginal(theta, x)),
           "the same for every dimension": lambda **c: by_dimension()(**c)[[0, 0, 0, 0, 0]]}),
]
