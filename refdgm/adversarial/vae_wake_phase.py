r"""The autoencoder's objective as the wake phase, extended to the recognition model (lecture12 Sec. 3.4).

    wake    max_theta    E_{p_data(x) q(h|x)} log p_theta(x|h)         for a p(h) that is not learnt
    sleep   max_lambda   E_{p_theta(x|h) p(h)} log q_lambda(h|x)       the notes print max_theta
    VAE     max_theta,eta   E_{p_data(x) q_eta(z|x)} log p_theta(x|z) - E_p_data KL(q_eta(z|x) || p(z))

The VAE's gradients in both models are means over the wake phase's pairs, and no x is ever dreamt.

The model is that of models/labelled_vae.py with y = 0, eta in the place of lambda and z in that of h:
theta {"x": (X, Z)}, eta {"z": (X, Z)}, p_data (X,), p_z (Z,). A table over x and z is (X, Z).

The wake objective, less the divergence from the prior that the VAE adds, is a bound on E log p(x):

>>> from refdgm.adversarial.vae_wake_phase import bound, prior_kl, vae_case, wake_objective
>>> theta, eta, p_data, p_z = vae_case(0).values()
>>> L = wake_objective(theta, eta, p_data) - prior_kl(eta, p_data, p_z)
>>> round(float(L), 2), round(float(bound(theta, eta, p_data, p_z)), 2)
(-1.67, -1.67)
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.models import labelled_vae, tables
from refdgm.models.labelled_vae import evidence_less_gap, log_decoder, log_encoder
from refdgm.numerics import kl, softmax, weighted_sum


def wake_law(eta, p_data):
    """p_data(x) q(z|x), what the wake phase draws from.  -> (X, Z)"""
    return p_data[:, None] * np.exp(log_encoder(eta))


def dream_law(theta, p_z):
    """p_theta(x|z) p(z), what the sleep phase draws from.  -> (X, Z)"""
    return np.exp(log_decoder(theta)) * p_z


def wake_objective(theta, eta, p_data):
    """E_{p_data(x) q(z|x)} log p_theta(x|z) (lecture12 Sec. 3.4, wake).  -> ()"""
    return np.sum(wake_law(eta, p_data) * log_decoder(theta))


def sleep_objective(theta, eta, p_z):
    """E_{p_theta(x|z) p(z)} log q(z|x) (lecture12 Sec. 3.4, sleep).  -> ()"""
    return np.sum(dream_law(theta, p_z) * log_encoder(eta))


def sleep_step(theta, eta, p_z):
    """The recognition model moves along E_p(x,z) dlog q(z|x)/deta, the generative one stays (lecture12 Sec. 3.4)."""
    return {"theta": stay(theta), "eta": {"z": weighted_sum(dream_law(theta, p_z), score_eta(eta))}}


def prior_kl(eta, p_data, p_z):
    """E_p_data KL(q(z|x) || p(z)), the term that the VAE adds to the wake phase (lecture12 Sec. 3.4).  -> ()"""
    q = np.exp(log_encoder(eta))
    return np.dot(p_data, kl(q, p_z + onp.zeros(onp.shape(q))))


def vae_gradients(theta, eta, p_data, p_z):
    """The gradients of L_vae as means over the wake phase's pairs: a score, and a score with a learning signal."""
    log_w = log_decoder(theta) + np.log(p_z) - log_encoder(eta)
    law = wake_law(eta, p_data)
    return {"theta": {"x": weighted_sum(law, score_decoder(theta))},
            "eta": {"z": weighted_sum(law * log_w, score_eta(eta))}}


def score_eta(eta):
    """dlog q(z|x)/deta for every cell.  -> (X, Z, X, Z)"""
    return tables.score_phi({"q": eta["z"]})["q"]


def score_decoder(theta):
    """dlog p_theta(x|z)/dtheta for every cell: one-hot minus p(.|z), in column z only.  -> (X, Z, X, Z)"""
    X, Z = theta["x"].shape
    one_hot = onp.eye(X)[:, None, :, None] - onp.exp(log_decoder(theta))[None, None]
    return one_hot * onp.eye(Z)[None, :, None, :]


def stay(params):
    """A step of no length: these parameters do not stand under the maximum."""
    return {name: onp.zeros(onp.shape(leaf)) for name, leaf in params.items()}


# ---- oracles and cases ----------------------------------------------------------------

def vae_case(seed):
    """An autoencoder with one fixed prior p(z)."""
    case = labelled_vae.random_case(seed)
    return {"theta": case["theta"], "eta": case["eta"], "p_data": case["p_data"], "p_z": case["fixed"]["p_z"][0]}


def nets_only(seed):
    case = vae_case(seed)
    return {name: case[name] for name in ("theta", "eta", "p_z")}


def in_both(objective):
    """The gradients of objective(theta, eta, ...) in both."""
    return lambda theta, eta, **rest: grad(lambda both: objective(both["theta"], both["eta"], **rest))(
        {"theta": theta, "eta": eta})


def bound(theta, eta, p_data, p_z):
    """E_p_data[log p(x) - KL(q(z|x) || p(z|x))]."""
    return evidence_less_gap(theta, eta, p_data, {"p_z": [p_z]})


def inclusive_gap(theta, eta, p_z):
    """E_p_theta(x) KL(p(z|x) || q(z|x)), which the sleep phase descends in eta."""
    p, q = labelled_vae.plain_tables(theta, eta)
    p = p * p_z
    return np.sum(p * np.log(p / np.sum(p, axis=1, keepdims=True) / q))


def sleep_direction(theta, eta, p_z):
    """Downhill on the inclusive gap in eta; the generative model is asleep."""
    return {"theta": stay(theta), "eta": grad(lambda e: -inclusive_gap(theta, e, p_z))(eta)}


def with_prior_weights(seed):
    """An autoencoder whose prior p(z) = softmax(theta["z"]) has weights, too."""
    case = vae_case(seed)
    return {"theta": {**case["theta"], "z": np.log(case["p_z"])}, "eta": case["eta"], "p_data": case["p_data"]}


def gradient_of_bound(prior_is_learnt):
    """The gradient of the bound in theta, with a step in the prior's weights or with none."""
    def gradient(theta, eta, p_data):
        g = grad(lambda t: bound(t, eta, p_data, softmax(t["z"])))(theta)
        return g if prior_is_learnt else {**g, "z": onp.zeros(len(g["z"]))}
    return gradient


# ---- claims ---------------------------------------------------------------------------

def wake_gradient(law=lambda theta, eta, p_data: wake_law(eta, p_data)):
    """E_law dlog p_theta(x|z)/dtheta; the prior's weights do not occur in it."""
    return lambda theta, eta, p_data: {"x": weighted_sum(law(theta, eta, p_data), score_decoder(theta)),
                                       "z": onp.zeros(len(theta["z"]))}


def dreams(theta, eta, p_data): return dream_law(theta, softmax(theta["z"]))


def with_posterior(theta, p_data, p_z):
    """p_data(x) p(z|x)."""
    p = dream_law(theta, p_z)
    return p_data[:, None] * p / np.sum(p, axis=1, keepdims=True)


def objective_with(extra):
    """The gradients of the wake objective plus extra(theta, eta, p_data, p_z)."""
    return in_both(lambda theta, eta, p_data, p_z: wake_objective(theta, eta, p_data) + extra(theta, eta, p_data, p_z))


def vae_with(theta_law=None, eta_law=None):
    """The VAE's gradients, with a plain score under another law for theta or eta."""
    def gradients(theta, eta, p_data, p_z):
        g = vae_gradients(theta, eta, p_data, p_z)
        if theta_law is not None:
            g["theta"] = {"x": weighted_sum(theta_law(theta, p_data, p_z), score_decoder(theta))}
        if eta_law is not None:
            g["eta"] = {"z": weighted_sum(eta_law(theta, p_data, p_z), score_eta(eta))}
        return g
    return gradients


CLAIMS = [
    Claim("lecture12.sec3.4_wake", wake_gradient(),
          equals(gradient_of_bound(prior_is_learnt=False), with_prior_weights, rtol=GRADIENT, method="autodiff"),
          {"pairs from the model: identically zero": wake_gradient(dreams),
           "z from the posterior: EM": wake_gradient(lambda theta, eta, p_data: with_posterior(
               theta, p_data, softmax(theta["z"]))),
           "z from the prior": wake_gradient(lambda theta, eta, p_data: np.outer(p_data, softmax(theta["z"])))},
          without=equals(gradient_of_bound(prior_is_learnt=True), with_prior_weights, rtol=GRADIENT,
                         method="autodiff")),
    Claim("lecture12.sec3.4_sleep", sleep_step, equals(sleep_direction, nets_only, rtol=GRADIENT, method="autodiff"),
          {"both models move": lambda theta, eta, p_z: grad(lambda m: sleep_objective(
              m["theta"], m["eta"], p_z))({"theta": theta, "eta": eta}),
           "z from q: identically zero": lambda theta, eta, p_z: {**sleep_step(theta, eta, p_z), "eta": {
               "z": weighted_sum(wake_law(eta, np.sum(dream_law(theta, p_z), axis=1)), score_eta(eta))}},
           "downhill": lambda theta, eta, p_z: {"theta": stay(theta),
                                                "eta": {"z": -sleep_step(theta, eta, p_z)["eta"]["z"]}}},
          printed=lambda theta, eta, p_z: {"theta": grad(sleep_objective)(theta, eta, p_z), "eta": stay(eta)}),
    Claim("lecture12.sec3.4_vae", objective_with(lambda theta, eta, p_data, p_z: -prior_kl(eta, p_data, p_z)),
          equals(in_both(bound), vae_case, rtol=GRADIENT, method="autodiff"),
          {"plus KL": objective_with(lambda theta, eta, p_data, p_z: prior_kl(eta, p_data, p_z)),
           "the wake phase alone": objective_with(lambda theta, eta, p_data, p_z: 0.0),
           "log p(x, z): the prior counted twice": objective_with(lambda theta, eta, p_data, p_z: np.sum(
               wake_law(eta, p_data) * np.log(p_z)) - prior_kl(eta, p_data, p_z))}),
    Claim("lecture12.sec3.4_vae_wake", vae_gradients, equals(in_both(bound), vae_case, rtol=GRADIENT,
                                                             method="autodiff"),
          {"eta learns from dreams: the sleep phase": vae_with(
              eta_law=lambda theta, p_data, p_z: dream_law(theta, p_z)),
           "eta learns from the posterior: reweighted wake-sleep": vae_with(eta_law=with_posterior),
           "theta learns from dreams": vae_with(theta_law=lambda theta, p_data, p_z: dream_law(theta, p_z))}),
]
