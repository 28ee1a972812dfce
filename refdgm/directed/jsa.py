r"""Joint stochastic approximation: maximum likelihood as root finding (ou2018 Sec. 3.2.3, Eqs. 22-23, Prop. 2).

    Eq. 22   min_theta KL[p~(x) || p(x)]        min_phi KL[p~(x) p(h|x) || p~(x) q(h|x)]       (theta held fixed)
    Eq. 23   E_{p~(x) p(h|x)} [dlog p(x, h)/dtheta] = 0        E_{p~(x) p(h|x)} [dlog q(h|x)/dphi] = 0
    Prop. 2  Eq. 23 is f(lambda) = E_{p(z;lambda)} F(z;lambda) = 0, with z = (k, h_1, ..., h_n),
             p(z) = (1/n) prod_j p(h_j|x_j) and F(z) = (dlog p(x_k, h_k)/dtheta, dlog q(h_k|x_k)/dphi)

The model is a pair of tables (refdgm.models.tables): theta["joint"], phi["q"] (X, H); data are a distribution p_data
(X,), or for Prop. 2 a list of observations, indices x_1..x_n.

With q the posterior the second line of Eq. 23 holds, whatever theta is:

    >>> from refdgm.directed.jsa import fields, random_case
    >>> theta, _, p_data = random_case(0).values()
    >>> field = fields(theta, {"q": theta["joint"]}, p_data)
    >>> round(float(abs(field["theta"]["joint"]).max()), 2), round(float(abs(field["phi"]["q"]).max()), 2)
    (0.14, 0.0)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import sbn
from refdgm.models.tables import log_joint, log_marginal, log_posterior, log_q, random_case, score_phi, score_theta
from refdgm.numerics import all_tuples, entropy, kl, softmax, weighted_sum


def posterior_mean_score(theta, x):
    """E_{p(h|x)} [dlog p(x, h)/dtheta] = dlog p(x)/dtheta (ou2018 Sec. 3.2.3, Fisher equality).  x (D,), an SBN"""
    return weighted_sum(sbn.posterior(theta, x), sbn.score_theta(theta, x, sbn.latent_states(theta)))


def divergences(theta, phi, p_data):
    """KL[p~(x) || p(x)] and KL[p~(x) p(h|x) || p~(x) q(h|x)] (ou2018 Eq. 22).  -> (2,)"""
    posterior = np.exp(log_posterior(theta))
    return np.array([np.sum(p_data * (np.log(p_data) - log_marginal(theta))),
                     np.sum(p_data[:, None] * posterior * (log_posterior(theta) - log_q(phi)))])


def scores(theta, phi):
    """dlog p(x, h)/dtheta and dlog q(h|x)/dphi for every cell (x, h).  -> {"theta": .., "phi": ..} of (X, H, *leaf)"""
    return {"theta": score_theta(theta), "phi": score_phi(phi)}


def fields(theta, phi, p_data):
    """The two expectations of Eq. 23: ascent directions that vanish at the root (ou2018 Eq. 23)."""
    return weighted_sum(p_data[:, None] * np.exp(log_posterior(theta)), scores(theta, phi))


def log_target(theta, observations, codes):
    """log p(z) = sum_j log p(h_j|x_j) - log n (ou2018 Prop. 2).  codes (..., n) -> (...)"""
    return np.sum(log_posterior(theta)[observations, codes], axis=-1) - np.log(len(observations))


def F(theta, phi, observations, k, codes):
    """The noisy measurement F(z) at z = (k, h_1..h_n) (ou2018 Prop. 2).  k (M,), codes (M, n) -> dicts of (M, *leaf)"""
    x, h = observations[k], codes[onp.arange(len(k)), k]
    return {part: {name: leaf[x, h] for name, leaf in score.items()} for part, score in scores(theta, phi).items()}


def mean_F(theta, phi, observations):
    """f(lambda) = E_{p(z)} F(z), a sum over all n H^n states z (ou2018 Prop. 2)."""
    k, codes = every_z(len(observations), theta["joint"].shape[1])
    return weighted_sum(np.exp(log_target(theta, observations, codes)), F(theta, phi, observations, k, codes))


def every_z(n, H):
    """Every (k, h_1..h_n): k (n H^n,), codes (n H^n, n)."""
    codes = all_tuples(H, n)
    return onp.repeat(onp.arange(n), len(codes)), onp.tile(codes, (n, 1))


# ---- claims ---------------------------------------------------------------------------

def gradient_case(seed):
    """Both parameters as one lambda, and theta once more, held fixed for the second line of Eq. 22."""
    c = random_case(seed)
    return {"lam": {"theta": c["theta"], "phi": c["phi"]}, "fixed": c["theta"], "p_data": c["p_data"]}


def objective(lam, fixed, p_data):
    """Minus the two divergences of Eq. 22, each in its own parameter."""
    return -divergences(lam["theta"], lam["phi"], p_data)[0] - divergences(fixed, lam["phi"], p_data)[1]


def field_under(weight, scores=scores):
    """Eq. 23 under another law of (x, h), or with other scores."""
    return lambda lam, fixed, p_data: weighted_sum(weight(**lam, p_data=p_data), scores(**lam))


def under_posterior(theta, phi, p_data): return p_data[:, None] * np.exp(log_posterior(theta))
def under_q(theta, phi, p_data): return p_data[:, None] * np.exp(log_q(phi))
def under_model(theta, phi, p_data): return np.exp(log_joint(theta))


def posterior_scores(theta, phi):
    """dlog p(h|x)/dtheta in place of dlog p(x, h)/dtheta."""
    return {"theta": {"joint": score_phi({"q": theta["joint"]})["q"]}, "phi": score_phi(phi)}


def sample_case(seed, n=4, X=3):
    """n observations of X values, one of them twice."""
    observations = onp.append(onp.arange(X), onp.random.default_rng([seed, 5]).integers(0, X, n - X))
    c = random_case(seed, X)
    return {"theta": c["theta"], "phi": c["phi"], "observations": observations}


def eq23_of_sample(theta, phi, observations):
    """The oracle of Prop. 2: the autograd gradient of Eq. 22, p~ the sample's frequencies."""
    p_data = onp.bincount(observations, minlength=3) / len(observations)
    return grad(objective)({"theta": theta, "phi": phi}, theta, p_data)


def mean_F_with(log_p=log_target, k_of_code=lambda k, n: k):
    """E F under another p(z), or with x_k beside the code of another observation."""
    def mean(theta, phi, observations):
        n = len(observations)
        k, codes = every_z(n, theta["joint"].shape[1])
        codes_used = onp.stack([codes[:, k_of_code(j, n)] for j in range(n)], axis=-1)
        return weighted_sum(np.exp(log_p(theta, observations, codes)), F(theta, phi, observations, k, codes_used))
    return mean


CLAIMS = [
    Claim("ou2018.jsa.fisher", lambda theta, phi, x: posterior_mean_score(theta, x),
          is_gradient_of(lambda theta, phi, x: sbn.log_marginal(theta, x), "theta", sbn.random_case),
          {"mean over q(h|x)": lambda theta, phi, x: weighted_sum(
              np.exp(sbn.log_q_table(phi, x)), sbn.score_theta(theta, x, sbn.latent_states(theta))),
           "mean over p(h)": lambda theta, phi, x: weighted_sum(
              np.exp(sbn.log_prior(theta, sbn.latent_states(theta))),
              sbn.score_theta(theta, x, sbn.latent_states(theta))),
           "sum over h without weights": lambda theta, phi, x: weighted_sum(
              np.ones(4), sbn.score_theta(theta, x, sbn.latent_states(theta)))}),
    Claim("ou2018.eq22", divergences,
          equals(lambda theta, phi, p_data: np.array([
              kl(p_data, np.exp(log_marginal(theta))),
              sum(p_data[x] * kl(softmax(theta["joint"][x]), softmax(phi["q"][x])) for x in range(len(p_data)))]),
                 random_case),
          {"the exclusive KL": lambda theta, phi, p_data: np.array([
              kl(p_data, np.exp(log_marginal(theta))), p_data @ kl(np.exp(log_q(phi)), np.exp(log_posterior(theta)))]),
           "x from the model, as in wake-sleep": lambda theta, phi, p_data: np.array([
              kl(p_data, np.exp(log_marginal(theta))),
              np.exp(log_marginal(theta)) @ kl(np.exp(log_posterior(theta)), np.exp(log_q(phi)))]),
           "without the data's entropy": lambda theta, phi, p_data:
              divergences(theta, phi, p_data) + np.array([entropy(p_data), 0.0])}),
    Claim("ou2018.eq23", lambda lam, fixed, p_data: fields(**lam, p_data=p_data),
          is_gradient_of(objective, "lam", gradient_case),
          {"h from q: the ELBO's gradient in theta": field_under(under_q),
           "(x, h) from the model, as in the sleep phase": field_under(under_model),
           "score of p(h|x) in place of p(x, h)": field_under(under_posterior, posterior_scores)}),
    Claim("ou2018.prop2", mean_F, equals(eq23_of_sample, sample_case),
          {"p(z) without 1/n": mean_F_with(lambda theta, o, codes: log_target(theta, o, codes) + np.log(len(o))),
           "p(z) from the joint p(x_j, h_j)": mean_F_with(lambda theta, o, codes:
              log_target(theta, o, codes) + np.sum(log_marginal(theta)[o])),
           "x_k beside the code of the next observation": mean_F_with(k_of_code=lambda k, n: (k + 1) % n)}),
]
