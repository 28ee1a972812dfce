r"""The starred cells of the table: algorithms that reparameterise a continuous h (ou2018 Table 1).

    VAE*    max_theta E_p~ L      max_phi E_p~ L       which is min_phi E_p~ KL[q(h|x) || p(h|x)]
    IWAE*   max_theta E_p~ I_K    max_phi E_p~ I_K

With h = m(x) + s(x) eps and eps ~ N(0, 1) both follow E_p~ E_eps nabla log (1/K) sum_k w_k along the path, K = 1 for
the VAE. The means over noise are sums over a grid; the objectives are integrals of densities over h, where nothing
is reparameterised.

Networks of models/vae with one latent; X (n, D) the data, p_data (n,) its weights, eps (M, K, 1), log_w (n, M, K).

VAE*, the update along the path and the slope of the exclusive KL:

    >>> from refdgm.directed.learning_table_pathwise import random_case, update, vae_slopes
    >>> [round(float(g["phi"]["m"][0]), 3) for g in (update(**random_case(0), K=1), vae_slopes(**random_case(0)))]
    [-0.082, -0.082]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.models import vae
from refdgm.numerics import LOG_2PI, all_tuples, log_mean_exp, log_sum_exp, trapezoid


def log_weights(params, X, eps):
    """log w at h = m(x) + s(x) eps, for every x and every draw of noise (ou2018 Sec. 3.2.1).  -> (n, M, K)"""
    x = X[:, None, None, :]
    h = vae.reparameterise(params["phi"], x, eps)
    return vae.log_joint(params["theta"], x, h) - vae.log_q(params["phi"], x, h)


def noise(K, n=65, reach=7.5):
    """A grid of (eps_1..eps_K) and its probabilities: (n**K, K, 1), (n**K,).

    log (w_1 + w_2) is singular where log w_1 - log w_2 = i pi, and the nearer to the real axis the steeper log w is:
    the step, not the reach, decides the error.
    """
    eps, weight = trapezoid(-reach, reach, n)
    index = all_tuples(n, K)
    return eps[index][..., None], onp.prod((weight * onp.exp(-0.5 * (eps**2 + LOG_2PI)))[index], axis=-1)


def update(params, X, p_data, K, log_w=log_weights):
    """The mean of nabla log (1/K) sum_k w_k along the path (ou2018 Table 1, VAE* and IWAE*).  -> as params"""
    eps, probability = noise(K)
    return grad(lambda p: np.dot(p_data, np.dot(log_mean_exp(log_w(p, X, eps)), probability)))(params)


# ---- claims ---------------------------------------------------------------------------

def tables_over_h(params, X, n=201):
    """log p(x, h) and log q(h|x) for every x and h of a grid, and the grid's weights: (n, g), (n, g), (g,)."""
    h, weight = vae.latent_grid(n)
    x = X[:, None, :]
    return vae.log_joint(params["theta"], x, h), vae.log_q(params["phi"], x, h), weight


def elbo(params, X, p_data):
    """E_p~ L, integrated over h."""
    log_p, log_q, weight = tables_over_h(params, X)
    return np.dot(p_data, np.dot(np.exp(log_q) * (log_p - log_q), weight))


def minus_exclusive_kl(params, X, p_data):
    """-E_p~ KL[q(h|x) || p(h|x)], integrated over h."""
    log_p, log_q, weight = tables_over_h(params, X)
    log_posterior = log_p - log_sum_exp(log_p + np.log(weight), keepdims=True)
    return np.dot(p_data, np.dot(np.exp(log_q) * (log_posterior - log_q), weight))


def iw_bound(params, X, p_data):
    """E_p~ I_2, integrated over (h_1, h_2)."""
    log_p, log_q, weight = tables_over_h(params, X)
    log_w, q = log_p - log_q, weight * np.exp(log_q)
    pairs = np.logaddexp(log_w[:, :, None], log_w[:, None, :]) - np.log(2)
    return np.dot(p_data, np.sum(q[:, :, None] * q[:, None, :] * pairs, axis=(1, 2)))


def log_likelihood(params, X, p_data):
    log_p, _, weight = tables_over_h(params, X)
    return np.dot(p_data, log_sum_exp(log_p + np.log(weight)))


def inclusive_kl(params, X, p_data, at):
    """-E_p~ KL[p(h|x) || q(h|x)], the posterior taken at the parameters `at`."""
    log_p, _, weight = tables_over_h(at, X)
    log_posterior = log_p - log_sum_exp(log_p + np.log(weight), keepdims=True)
    return np.dot(p_data, np.dot(np.exp(log_posterior) * tables_over_h(params, X)[1], weight))


def random_case(seed):
    """Networks with a gentle decoder, and two data points of unequal weight."""
    case = vae.random_case(seed)
    theta = {**case["theta"], "M": case["theta"]["M"] / 3, "W": case["theta"]["W"] / 3}
    rng = onp.random.default_rng([seed, 1])
    return {"params": {"theta": theta, "phi": case["phi"]}, "X": onp.stack([case["x"], rng.normal(size=2)]),
            "p_data": rng.dirichlet(onp.full(2, 3.0))}


def vae_slopes(params, X, p_data):
    """The table's gradients: of E_p~ L in theta, and of minus the exclusive KL in phi."""
    return {"theta": grad(elbo)(params, X, p_data)["theta"], "phi": grad(minus_exclusive_kl)(params, X, p_data)["phi"]}


def parts(theta, phi):
    """The theta part of one gradient beside the phi part of another."""
    return lambda **case: {"theta": theta(**case)["theta"], "phi": phi(**case)["phi"]}


def at_K(K, log_w=lambda params, X, eps, at: log_weights(params, X, eps)):
    """The update from K draws; a mistake takes another log w, which may keep parameters fixed at `params`."""
    return lambda params, X, p_data: update(params, X, p_data, K, lambda p, X, eps: log_w(p, X, eps, params))


def no_path(params, X, eps, at):
    """log w whose draws do not move with phi: all that is left for discrete h."""
    x, h = X[:, None, None, :], vae.reparameterise(at["phi"], X[:, None, None, :], eps)
    return vae.log_joint(params["theta"], x, h) - vae.log_q(params["phi"], x, h)


def no_entropy(params, X, eps, at):
    """log p(x, h) alone."""
    x = X[:, None, None, :]
    return vae.log_joint(params["theta"], x, vae.reparameterise(params["phi"], x, eps))


def by(objective):
    """Autograd of an objective, for both networks."""
    return lambda params, X, p_data: grad(objective)(params, X, p_data)


def by_inclusive_kl(params, X, p_data):
    return grad(inclusive_kl)(params, X, p_data, params)


CLAIMS = [
    Claim("ou2018.table1.vae", at_K(1), equals(vae_slopes, random_case, rtol=GRADIENT, method="quadrature"),
          {"theta by the likelihood": parts(by(log_likelihood), at_K(1)), "theta by the IW-LB": parts(at_K(2), at_K(1)),
           "phi by the IW-LB": parts(at_K(1), at_K(2)), "phi by the inclusive KL": parts(at_K(1), by_inclusive_kl),
           "path not differentiated": at_K(1, no_path), "no -log q": at_K(1, no_entropy)}),
    Claim("ou2018.table1.iwae", at_K(2), equals(by(iw_bound), random_case, rtol=GRADIENT, method="quadrature"),
          {"theta by the likelihood": parts(by(log_likelihood), at_K(2)), "theta by the V-LB": parts(at_K(1), at_K(2)),
           "phi by the V-LB": parts(at_K(2), at_K(1)), "phi by the inclusive KL": parts(at_K(2), by_inclusive_kl),
           "path not differentiated": at_K(2, no_path), "no -log q": at_K(2, no_entropy)}),
]
