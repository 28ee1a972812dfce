r"""The wake phase of a sigmoid belief net, sample by sample (lecture12 Sec. 2.2.1).

    L(x)    = E_q[log p(x, Z) - log q(Z|x)],   Z ~ q(Z|x)
    wake      dL/dtheta = E_q dlog p(x, Z)/dtheta
    weights   dL/dW = E_q (x - sigmoid(W Z + b)) Z'        the delta rule: Z is the input, x the target
    prior     dL/da = E_q (Z - sigmoid(a))                 here Z is the target

What is trained is p(x|Z) and p(Z), of which p(Z|x) is a consequence and can only be had by Bayes' rule. The model and
its recognition net are those of models/sbn.py; X (n, D) are data, x (D,) is one of them.

The delta rule averaged over Z, and at the mean of Z:

    >>> from refdgm.directed.wake_phase import at_the_mean, decoder_case, decoder_step
    >>> decoder, _, phi, x = decoder_case(0).values()
    >>> mean, at_mean = decoder_step(decoder, phi, x), at_the_mean(**decoder_case(0))
    >>> round(float(mean["W"][0, 0]), 3), round(float(at_mean["W"][0, 0]), 3)
    (-0.211, -0.172)
"""
import autograd.numpy as np

from refdgm.checking import Claim, is_gradient_of
from refdgm.models import sbn
from refdgm.numerics import sigmoid, weighted_sum


def wake_step(theta, phi, X):
    """The mean over the data of E_q dlog p(x, Z)/dtheta (lecture12 Sec. 2.2.1).  (n, D) -> a dict like theta"""
    scores = sbn.score_theta(theta, X[:, None, :], sbn.latent_states(theta))
    return weighted_sum(np.exp(sbn.log_q_table(phi, X)) / len(X), scores)


def delta_rule(decoder, Z, x):
    """(x - sigmoid(W Z + b)) Z' and its like for b, for each sampled Z (lecture12 Sec. 2.2.1).  (..., H) -> dict"""
    error = x - sigmoid(np.dot(Z, decoder["W"].T) + decoder["b"])
    return {"W": error[..., :, None] * Z[..., None, :], "b": error}


def decoder_step(decoder, phi, x):
    """E_q of the delta rule: how the samples train p(x|Z) (lecture12 Sec. 2.2.1).  -> a dict like decoder"""
    law = np.exp(sbn.log_q_table(phi, x))
    return weighted_sum(law, delta_rule(decoder, sbn.all_binary(len(phi["c"])), x))


# ---- claims ---------------------------------------------------------------------------

def mean_bound(theta, phi, X):
    """The oracle: the bound, averaged over the rows of X."""
    log_p, log_q = sbn.log_joint_table(theta, X), sbn.log_q_table(phi, X)
    return np.mean(np.sum(np.exp(log_q) * (log_p - log_q), axis=-1))


def mean_score(law, score=sbn.score_theta):
    """The mean over the rows of X of sum_Z law(theta, phi, X) score(theta, x, Z)."""
    def of(theta, phi, X):
        scores = score(theta, X[:, None, :], sbn.latent_states(theta))
        return weighted_sum(law(theta, phi, X) / len(X), scores)
    return of


def recognition(theta, phi, X): return np.exp(sbn.log_q_table(phi, X))
def posterior(theta, phi, X): return sbn.posterior(theta, X)
def prior(theta, phi, X): return np.exp(sbn.log_prior(theta, sbn.latent_states(theta))) * np.ones((len(X), 1))


def score_of_posterior(theta, x, h):
    """dlog p(Z|x)/dtheta: the score of the joint less its mean under the posterior."""
    joint = sbn.score_theta(theta, x, h)
    means = weighted_sum(sbn.posterior(theta, x[..., 0, :]), joint, axis=-1)
    return {name: joint[name] - means[name][:, None] for name in joint}


def score_of_likelihood(theta, x, h):
    """dlog p(x|Z)/dtheta: nothing for the prior's a."""
    scores = sbn.score_theta(theta, x, h)
    return scores | {"a": 0 * scores["a"]}


def decoder_case(seed):
    """A sigmoid belief net whose decoder W, b is one argument and whose prior is another."""
    theta, phi, x = sbn.random_case(seed).values()
    return {"decoder": {"W": theta["W"], "b": theta["b"]}, "a": theta["a"], "phi": phi, "x": x}


def bound_of_decoder(decoder, a, phi, x):
    return mean_bound({"W": decoder["W"], "b": decoder["b"], "a": a}, phi, x[None])


def in_decoder(law, score=sbn.score_theta):
    """mean_score, of which only W and b are kept."""
    def of(decoder, a, phi, x):
        whole = mean_score(law, score)(decoder | {"a": a}, phi, x[None])
        return {name: whole[name] for name in decoder}
    return of


def at_the_mean(decoder, a, phi, x):
    """The delta rule with the mean of Z under q as its input."""
    return delta_rule(decoder, sigmoid(np.dot(phi["V"], x) + phi["c"]), x)


CLAIMS = [
    Claim("lecture12.sec2.2.1_wake", wake_step, is_gradient_of(mean_bound, "theta", sbn.random_data_case),
          {"Z from the posterior: EM": mean_score(posterior),
           "Z from the prior": mean_score(prior),
           "the score of p(Z|x)": mean_score(recognition, score_of_posterior),
           "the score of p(x|Z): the prior is not trained": mean_score(recognition, score_of_likelihood)}),
    Claim("lecture12.sec2.2.1_target", lambda decoder, a, phi, x: decoder_step(decoder, phi, x),
          is_gradient_of(bound_of_decoder, "decoder", decoder_case),
          {"Z at its mean in place of samples": at_the_mean,
           "Z from the prior: not inferred from x": in_decoder(prior),
           "descent": lambda decoder, a, phi, x: {name: -g for name, g in decoder_step(decoder, phi, x).items()},
           "the target is the mean of x that b alone predicts": lambda decoder, a, phi, x: decoder_step(
               decoder, phi, sigmoid(decoder["b"]))},
          printed=in_decoder(recognition, score_of_posterior)),
]
