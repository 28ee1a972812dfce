r"""The log-derivative trick: its gradient, its estimate from draws, its noise (lecture12 Secs. 2.2.2, 2.3).

    trick      d/dphi E_q[log p(x, z)] = sum_z dq(z|x)/dphi log p(x, z) = E_q[log p(x, z) dlog q(z|x)/dphi]
    estimate   (1/S) sum_s log p(x, z_s) dlog q(z_s|x)/dphi,   z_s ~ q(.|x)
    noise      with log p + c in place of log p the mean stays and the variance is a parabola in c:
               Var(c) = Var(0) + 2 c E_q[log p |dlog q/dphi|^2] + c^2 E_q|dlog q/dphi|^2

The last term is the trace of the Fisher information of q: a log p far from zero, as that of many variables x is, costs
its square in variance. Model and q are those of models/sbn.py; z is summed over all its states.
Shapes: x (D,), draws z (..., S, H).

The variance of one draw, and with log p ten further from zero:

    >>> from refdgm.directed.log_derivative import sbn, variance
    >>> [round(float(variance(**sbn.random_case(0), shift=c)), 4) for c in (0.0, -10.0)]
    [5.1535, 84.795]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import sbn
from refdgm.numerics import weighted_sum


def estimate(theta, phi, x, z):
    """(1/S) sum_s log p(x, z_s) dlog q(z_s|x)/dphi (lecture12 Sec. 2.2.2).  z (..., S, H) -> dict of (..., *leaf)"""
    return weighted_sum(sbn.log_joint(theta, x, z) / np.shape(z)[-2], sbn.score_phi(phi, x, z), axis=-1)


def gradient(theta, phi, x):
    """E_q[log p(x, z) dlog q(z|x)/dphi], summed over every z (lecture12 Sec. 2.2.2).  -> a dict like phi"""
    q = np.exp(sbn.log_q_table(phi, x))
    return weighted_sum(q * sbn.log_joint_table(theta, x), sbn.score_phi(phi, x, sbn.latent_states(theta)))


def variance(theta, phi, x, shift=0.0):
    """The variance of one draw of (log p + shift) dlog q/dphi, all components together (lecture12 Sec. 2.3).  -> ()"""
    q, signal = np.exp(sbn.log_q_table(phi, x)), sbn.log_joint_table(theta, x) + shift
    scores = sbn.score_phi(phi, x, sbn.latent_states(theta))
    mean = weighted_sum(q * signal, scores)
    return np.sum(q * signal**2 * squared(scores)) - sum(np.sum(leaf**2) for leaf in mean.values())


def squared(scores):
    """|dlog q/dphi|^2, all leaves together.  dict of (Z, *leaf) -> (Z,)"""
    return sum(np.sum(np.reshape(leaf, (len(leaf), -1))**2, axis=-1) for leaf in scores.values())


# ---- claims ---------------------------------------------------------------------------

def expectation(theta, phi, x):
    """The oracle: E_q log p(x, z), which autograd differentiates."""
    return np.sum(np.exp(sbn.log_q_table(phi, x)) * sbn.log_joint_table(theta, x))


def weighing(weights):
    """sum_z weights(log p(x, z), log q(z|x)) dlog q(z|x)/dphi."""
    def of(theta, phi, x):
        w = weights(sbn.log_joint_table(theta, x), sbn.log_q_table(phi, x))
        return weighted_sum(w, sbn.score_phi(phi, x, sbn.latent_states(theta)))
    return of


S = 2


def mean_of(estimator):
    return sbn.mean_over_draws(estimator, S)


def signalled(signal):
    """The estimate with another factor (..., S) in place of log p(x, z_s)."""
    def one(theta, phi, x, z):
        return weighted_sum(signal(theta, phi, x, z) / S, sbn.score_phi(phi, x, z), axis=-1)
    return mean_of(one)


def draws_from_prior(theta, phi, x):
    """The estimate with every z_s ~ p(z)."""
    blind = {"V": 0 * phi["V"], "c": theta["a"]}
    z, probability = sbn.all_draws(blind, x, S)
    return weighted_sum(probability, estimate(theta, phi, x, z))


def shifted_case(seed):
    return sbn.random_case(seed) | {"shift": 3.0 * onp.random.default_rng([seed, 1]).normal()}


def parabola(theta, phi, x, shift):
    """The oracle: Var(0) draw by draw, the covariance, and the Fisher information from the units' variances."""
    q, log_p = onp.exp(sbn.log_q_table(phi, x)), sbn.log_joint_table(theta, x)
    means = 1 / (1 + onp.exp(-phi["V"] @ x - phi["c"]))
    scores = [onp.concatenate([onp.outer(z - means, x).ravel(), z - means]) for z in sbn.latent_states(theta)]
    draws = [f * score for f, score in zip(log_p, scores)]
    mean = sum(weight * draw for weight, draw in zip(q, draws))
    at_zero = sum(weight * (draw - mean) @ (draw - mean) for weight, draw in zip(q, draws))
    covariance = sum(weight * draw @ score for weight, draw, score in zip(q, draws, scores))
    fisher = sum(means * (1 - means)) * (x @ x + 1)
    return at_zero + 2 * shift * covariance + shift**2 * fisher


def fisher_alone(theta, phi, x, shift):
    q = np.exp(sbn.log_q_table(phi, x))
    return variance(theta, phi, x) + shift**2 * np.sum(q * squared(sbn.score_phi(phi, x, sbn.latent_states(theta))))


def as_if_independent(theta, phi, x, shift):
    """E[(log p + c)^2] E|score|^2, less the squared mean: as if signal and score were independent."""
    q, signal = np.exp(sbn.log_q_table(phi, x)), sbn.log_joint_table(theta, x) + shift
    fisher = np.sum(q * squared(sbn.score_phi(phi, x, sbn.latent_states(theta))))
    return np.sum(q * signal**2) * fisher - sum(np.sum(leaf**2) for leaf in gradient(theta, phi, x).values())


def second_moment(theta, phi, x, shift):
    return variance(theta, phi, x, shift) + sum(np.sum(leaf**2) for leaf in gradient(theta, phi, x).values())


CLAIMS = [
    Claim("lecture12.sec2.2.2_logderiv", gradient, is_gradient_of(expectation, "phi", sbn.random_case),
          {"log p/q: the gradient of the bound": weighing(lambda log_p, log_q: np.exp(log_q) * (log_p - log_q)),
           "dq in place of dlog q under E_q": weighing(lambda log_p, log_q: np.exp(2 * log_q) * log_p),
           "the expectation under p(z|x)": weighing(
               lambda log_p, log_q: np.exp(log_p) / np.sum(np.exp(log_p)) * log_p),
           "log p dropped, as if it did not depend on z": weighing(lambda log_p, log_q: np.exp(log_q)),
           "p in place of log p": weighing(lambda log_p, log_q: np.exp(log_q + log_p))}),
    Claim("lecture12.sec2.2.2_mc", mean_of(estimate), is_gradient_of(expectation, "phi", sbn.random_case),
          {"the sum, no 1/S": signalled(lambda theta, phi, x, z: S * sbn.log_joint(theta, x, z)),
           "another draw's log p: mean zero": signalled(
               lambda theta, phi, x, z: np.roll(sbn.log_joint(theta, x, z), 1, axis=-1)),
           "z from the prior": draws_from_prior,
           "the mean log p as a baseline, own draw included": signalled(
               lambda theta, phi, x, z: sbn.log_joint(theta, x, z)
               - np.mean(sbn.log_joint(theta, x, z), axis=-1, keepdims=True))}),
    Claim("lecture12.sec2.3_highvar", variance, equals(parabola, shifted_case),
          {"a constant changes nothing": lambda theta, phi, x, shift: variance(theta, phi, x),
           "no covariance of log p and the score": fisher_alone,
           "signal and score independent": as_if_independent,
           "the second moment": second_moment}),
]
