r"""The bound as reconstruction less KL, and the prior that the notes count twice (lecture12 Secs. 1.1.4, 2.3).

    right      L = E_q[log p(x|z)] - KL[q(z|x) || p(z)] <= log p(x)
    printed    L = E_q[log p(x, z)] - KL[q(z|x) || p(z)], which is the right one plus E_q[log p(z)]

For discrete z the printed form is below the right one, so still a bound, but never tight. For continuous z a density
p(z) may exceed one, and then the printed form exceeds log p(x). Here z is one number, in two models: a linear one
whose prior has any width, in closed form, and a variational autoencoder, by quadrature.
Shapes: x (n,) holds n data of the linear model; in the autoencoder x (D,) is one datum.

How far the right and the printed form are from log p(x), under a narrow prior:

    >>> from refdgm.directed import reconstruction_and_kl as notes
    >>> case = notes.narrow_prior_case(0)
    >>> terms, log_p = notes.gaussian_terms(**case), notes.log_evidence(**case)
    >>> [round(float((form(terms) - log_p)[0]), 4) for form in (notes.bound, notes.printed)]
    [-0.0044, 0.9477]
"""
import autograd.numpy as np

from refdgm import numerics
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_most
from refdgm.models import vae
from refdgm.numerics import gaussian_log_prob, log_sum_exp, trapezoid


def gaussian_terms(theta, q, x):
    """E_q log p(x|z), KL[q || p(z)], E_q log p(z) for z ~ N(0, tau^2), x|z ~ N(w z + b, s), q(z|x) = N(m, v).

    theta = {"w", "b", "s", "tau"}, q = {"m": (n,), "v"}, x : (n,);  the three results are (n,).
    """
    w, b, s, tau, m, v = *(theta[name] for name in ("w", "b", "s", "tau")), q["m"], q["v"]
    likelihood = gaussian_log_prob(x[:, None], (w * m + b)[:, None], s) - w**2 * v / (2 * s)
    prior = gaussian_log_prob(m[:, None], 0.0, tau**2) - v / (2 * tau**2)
    entropy = 0.5 * (np.log(v) + numerics.LOG_2PI + 1)
    return likelihood, -entropy - prior, prior


def vae_terms(theta, phi, x):
    """E_q log p(x|z) by quadrature, KL[q || p(z)] in closed form and E_q log p(z), of a VAE with one z.  -> three ()"""
    vae.validate(theta, phi, x, H=1)
    z, weights = vae.latent_grid()
    law = weights * np.exp(vae.log_q(phi, x, z))
    mean, variance = vae.gaussian_head(phi, x)
    kl = 0.5 * np.sum(mean**2 + variance - 1.0 - np.log(variance))
    return law @ vae.log_likelihood(theta, x, z), kl, law @ vae.log_prior(z)


def bound(terms):
    """L = E_q[log p(x|z)] - KL[q(z|x) || p(z)], from one of the above (lecture12 Secs. 1.1.4, 2.3).  -> (...)"""
    log_likelihood, kl_to_prior, _ = terms
    return log_likelihood - kl_to_prior


# ---- claims ---------------------------------------------------------------------------

def narrow_prior_case(seed):
    """Five data, a prior much narrower than 1, so that its density is above 1, and q close to the posterior."""
    rng = onp.random.default_rng(seed)
    w, b, s, tau = rng.normal() + onp.sign(rng.normal()), rng.normal(), rng.uniform(0.1, 0.3), rng.uniform(0.05, 0.1)
    x = b + onp.sqrt(w**2 * tau**2 + s) * rng.normal(size=5)
    precision = 1 / tau**2 + w**2 / s
    q = {"m": w * (x - b) / s / precision + 0.1 * tau * rng.normal(size=5), "v": 1.1 / precision}
    return {"theta": {"w": w, "b": b, "s": s, "tau": tau}, "q": q, "x": x}


def log_evidence(theta, q, x):
    """The oracle: log int p(z) p(x|z) dz on a grid of z."""
    z, weights = trapezoid(-12 * theta["tau"], 12 * theta["tau"], 801)
    log_p = (gaussian_log_prob(z[:, None], 0.0, theta["tau"]**2)
             + gaussian_log_prob(x[:, None, None], (theta["w"] * z + theta["b"])[:, None], theta["s"]))
    return log_sum_exp(log_p + onp.log(weights))


def evidence_less_gap(theta, phi, x):
    """The oracle: log p(x) - KL[q(z|x) || p(z|x)], by quadrature over z."""
    z, weights = vae.latent_grid()
    log_q = vae.log_q(phi, x, z)
    return vae.log_marginal(theta, x) - weights @ (onp.exp(log_q) * (log_q - vae.log_posterior(theta, x, z)))


def printed(terms):
    """E_q[log p(x, z)] - KL[q(z|x) || p(z)]."""
    log_likelihood, kl_to_prior, log_prior = terms
    return log_likelihood + log_prior - kl_to_prior


def with_kl_times(factor):
    return lambda terms: terms[0] + factor * terms[1]


def gaussian(form):
    return lambda theta, q, x: form(gaussian_terms(theta, q, x))


def autoencoder(form):
    return lambda theta, phi, x: form(vae_terms(theta, phi, x))


CLAIMS = [
    Claim("lecture12.sec1.1.4_elbo", gaussian(bound), is_at_most(log_evidence, narrow_prior_case, method="quadrature"),
          {"plus the KL": gaussian(with_kl_times(+1)),
           "the reconstruction alone": gaussian(with_kl_times(0)),
           "half the KL": gaussian(with_kl_times(-0.5))},
          printed=gaussian(printed)),
    Claim("lecture12.sec2.3_elbo", autoencoder(bound),
          equals(evidence_less_gap, vae.random_case, method="quadrature"),
          {"plus the KL": autoencoder(with_kl_times(+1)),
           "the KL counted twice": autoencoder(with_kl_times(-2)),
           "the cross-entropy to the prior, without the entropy of q": autoencoder(lambda terms: terms[0] + terms[2])},
          printed=autoencoder(printed)),
]
