r"""Importance weighted autoencoders: the reparameterised bound and its gradient (ou2018 Sec. 3.2.1; Burda et al. 2015).

With h_phi(x, eps) ~ q(.|x) for eps ~ N(0, I), and w_k = p(x, h_k) / q(h_k|x) at h_k = h_phi(x, eps_k):

    I_K(x)      = E_eps log (1/K) sum_k w_k
    nabla I_K   = E_eps nabla log (1/K) sum_k w_k = E_eps sum_k wbar_k nabla log w_k,   nabla along the path, too

params = {"theta": ..., "phi": ...}, networks of models/vae with one latent.  x (D,), eps (..., K, 1), log_w (..., K).
Means over the noise are sums over a product grid, exact to rounding; the oracle integrates densities over (h_1, h_2)
instead and never reparameterises.

I_1 and I_2 of a small network:

    >>> from refdgm.directed.iwae_pathwise import bound, random_case
    >>> [round(float(bound(**random_case(0), K=K)), 3) for K in (1, 2)]
    [-6.813, -6.767]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import vae
from refdgm.numerics import LOG_2PI, all_tuples, log_mean_exp, log_sum_exp, softmax, trapezoid


def log_weights(params, x, eps):
    """log w at h = h_phi(x, eps) (ou2018 Sec. 3.2.1).  (D,), (..., K, 1) -> (..., K)"""
    h = vae.reparameterise(params["phi"], x, eps)
    return vae.log_joint(params["theta"], x, h) - vae.log_q(params["phi"], x, h)


def noise_draws(K, n=57, reach=8.0):
    """A grid of (eps_1..eps_K) and its probabilities: (n**K, K, 1), (n**K,)."""
    eps, weight = trapezoid(-reach, reach, n)
    probability = weight * onp.exp(-0.5 * (eps**2 + LOG_2PI))
    index = all_tuples(n, K)
    return eps[index][..., None], onp.prod(probability[index], axis=-1)


def bound(params, x, K=2):
    """I_K(x) as a mean over noise (ou2018 Sec. 3.2.1).  -> ()"""
    eps, probability = noise_draws(K)
    return np.sum(probability * log_mean_exp(log_weights(params, x, eps)))


def weighted_gradient(params, x, eps, weights, log_w=log_weights):
    """sum of weights * nabla log w over all draws, the weights held constant.  weights (..., K) -> as params"""
    return grad(lambda p: np.sum(weights * log_w(p, x, eps)))(params)


def update(params, x, eps, probability):
    """The mean of sum_k wbar_k nabla log w_k over draws of given probability (ou2018 Sec. 3.2.1).  -> as params"""
    wbar = softmax(log_weights(params, x, eps))
    return weighted_gradient(params, x, eps, probability[:, None] * wbar)


def grad_bound(params, x, K=2):
    """nabla I_K(x) in (theta, phi), the gradient moved inside the mean over noise (ou2018 Sec. 3.2.1).  -> as params"""
    return update(params, x, *noise_draws(K))


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """Networks as in models/vae, with a decoder gentle enough for a product grid of 57 x 57 noises."""
    case = vae.random_case(seed)
    theta = {**case["theta"], "M": case["theta"]["M"] / 3, "W": case["theta"]["W"] / 3}
    return {"params": {"theta": theta, "phi": case["phi"]}, "x": case["x"]}


def data_case(seed):
    """As random_case, with two data points X in place of x."""
    case = random_case(seed)
    return {"params": case["params"], "X": onp.stack([case["x"], onp.random.default_rng([seed, 1]).normal(size=2)])}


def single_draws_case(seed):
    """As random_case, with five draws of K = 1 noise and an arbitrary coefficient for each."""
    rng = onp.random.default_rng([seed, 2])
    return {**random_case(seed), "eps": rng.normal(size=(5, 1, 1)), "probability": rng.normal(size=5)}


def bound_over_densities(params, x):
    """I_2(x) = int q(h_1|x) q(h_2|x) log (w_1 + w_2)/2 dh_1 dh_2 on a fixed grid of h."""
    h, weight = vae.latent_grid(n=161)
    log_q = vae.log_q(params["phi"], x, h)
    log_w = vae.log_joint(params["theta"], x, h) - log_q
    q = weight * np.exp(log_q)
    return np.dot(q, np.dot(np.logaddexp(log_w[:, None], log_w) - np.log(2), q))


def pooled_over_densities(params, X):
    return bound_over_densities(params, X[0]) + bound_over_densities(params, X[1])


def vae_objective(params, x, eps, probability):
    """The VAE's estimate of its bound, log p(x|h) + log p(h) - log q(h|x), for each draw."""
    h = vae.reparameterise(params["phi"], x, eps[:, 0])
    each = vae.log_likelihood(params["theta"], x, h) + vae.log_prior(h) - vae.log_q(params["phi"], x, h)
    return np.sum(probability * each)


def objective_with_analytic_kl(params, x, eps, probability):
    """log p(x|h) - KL[q(h|x) || p(h)]: another estimator of the same mean."""
    mean, variance = vae.gaussian_head(params["phi"], x)
    kl = 0.5 * np.sum(mean**2 + variance - 1 - np.log(variance))
    h = vae.reparameterise(params["phi"], x, eps[:, 0])
    return np.sum(probability * (vae.log_likelihood(params["theta"], x, h) - kl))


def likelihood_and_ratio(params, x):
    """log p(x|h_k) and log p(h_k)/q(h_k|x) for every draw of two noises, and the probability of each."""
    eps, probability = noise_draws(2)
    h = vae.reparameterise(params["phi"], x, eps)
    return vae.log_likelihood(params["theta"], x, h), vae.log_prior(h) - vae.log_q(params["phi"], x, h), probability


def bound_in_two_terms(ratio_term):
    """E log (1/K) sum_k p(x|h_k) + E ratio_term(log u, log r): u_k normalised likelihoods, r_k = p(h_k)/q(h_k|x)."""
    def value(params, x):
        log_lik, log_r, probability = likelihood_and_ratio(params, x)
        log_u = log_lik - log_sum_exp(log_lik, keepdims=True)
        return np.sum(probability * (log_mean_exp(log_lik) + ratio_term(log_u, log_r)))
    return value


def log_w_without(path=True, density=True):
    """log w whose gradient in phi misses the path or the density q: the value at the point is the same."""
    def log_w(params, x, eps, at):
        h = vae.reparameterise(params["phi"] if path else at["phi"], x, eps)
        return vae.log_joint(params["theta"], x, h) - vae.log_q(params["phi"] if density else at["phi"], x, h)
    return log_w


def wrong_update(weights=softmax, **without):
    """A gradient with other weights of log w, or with a part of the total derivative missing."""
    def gradient(params, x, eps=None, probability=None):
        if eps is None:
            eps, probability = noise_draws(2)
        w = probability[:, None] * weights(log_weights(params, x, eps))
        return weighted_gradient(params, x, eps, w, lambda p, x, eps: log_w_without(**without)(p, x, eps, params))
    return gradient


def differentiated_weights(params, x):
    """The gradient of E sum_k wbar_k log w_k with the weights left inside."""
    eps, probability = noise_draws(2)

    def surrogate(p):
        log_w = log_weights(p, x, eps)
        return np.sum(probability[:, None] * softmax(log_w) * log_w)
    return grad(surrogate)(params)


def mean_over_noise(f):
    """E f(params, x, eps) for K = 2."""
    def mean(params, x):
        eps, probability = noise_draws(2)
        return np.sum(probability * f(params, x, eps))
    return mean


def scaled_sum(params, X, factor=1.0, rows=slice(None)):
    """factor times the sum of nabla I_2(x) over some rows x of X."""
    eps, probability = noise_draws(2)
    X = X[rows]
    return grad(lambda p: factor * sum(np.sum(probability * log_mean_exp(log_weights(p, x, eps))) for x in X))(params)


CLAIMS = [
    Claim("ou2018.iwae.reparam", bound, equals(bound_over_densities, random_case, method="quadrature"),
          {"1/K outside the log": mean_over_noise(lambda p, x, eps: log_sum_exp(log_weights(p, x, eps)) / 2),
           "one noise shared by all k": mean_over_noise(lambda p, x, eps: log_weights(p, x, eps)[:, 0]),
           "the density of eps in place of q(h|x)": mean_over_noise(lambda p, x, eps: log_mean_exp(
               log_weights(p, x, eps) - 0.5 * np.sum(np.log(vae.gaussian_head(p["phi"], x)[1]))))}),
    Claim("ou2018.iwae.grad", grad_bound,
          is_gradient_of(bound_over_densities, "params", random_case, method="quadrature"),
          {"uniform weights: K averaged ELBOs": wrong_update(lambda log_w: 0.5 + 0 * log_w),
           "softmax(+loss)": wrong_update(lambda log_w: softmax(-log_w)),
           "squared weights": wrong_update(lambda log_w: softmax(log_w)**2),
           "weights not constant": differentiated_weights,
           "density of q not differentiated": wrong_update(density=False),
           "path not differentiated": wrong_update(path=False)}),
    Claim("ou2018.iwae.grad_symbol", scaled_sum,
          is_gradient_of(pooled_over_densities, "params", data_case, method="quadrature"),
          {"average for the sum": lambda params, X: scaled_sum(params, X, factor=0.5),
           "n times the first": lambda params, X: scaled_sum(params, X, factor=2.0, rows=slice(1))},
          printed=lambda params, X: grad_bound(params, X[0])),
    Claim("ou2018.iwae.k1", update, is_gradient_of(vae_objective, "params", single_draws_case),
          {"analytic KL: the same only in the mean": lambda params, **draws: grad(
              lambda p: objective_with_analytic_kl(p, **draws))(params),
           "density of q not differentiated": wrong_update(density=False),
           "path not differentiated": wrong_update(path=False)}),
    Claim("ou2018.iwae.no_analytic", bound_in_two_terms(lambda log_u, log_r: log_sum_exp(log_u + log_r)),
          equals(bound_over_densities, random_case, method="quadrature"),
          {"the KL integrated out, as for K = 1": bound_in_two_terms(lambda log_u, log_r: log_r[:, 0]),
           "log taken inside the mean over k": bound_in_two_terms(
               lambda log_u, log_r: np.sum(np.exp(log_u) * log_r, axis=-1))}),
]
