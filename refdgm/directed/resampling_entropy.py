r"""The entropy of the resampling weights (bachman2015 Sec. 5.3, Eqs. 21-23).

With f_i = log p(x, z_i) / q(z_i|x) for k draws z_i, and w = softmax(f):

    Eq. 21   E[sum_i w_i f_i], the objective with the logarithm inside
    Eq. 22   nabla log sum_i e^{f_i} = sum_i w_i nabla f_i: the gradient of Eq. 21 with the weights held constant
    Eq. 23   log sum_i e^{f_i} - H(w) = sum_i w_i f_i

Eq. 21 is log k - E H(w) above the mean-log bound, and tends to log p(x) + KL[p(z|x) || q(z|x)]: it bounds log p(x) from
neither side. E[sum_i w_i f_i] + E H(w) - log k is a lower bound.

params = {"theta": ..., "phi": ...} of a sigmoid belief net, x (D,), draws z (B, k, H), f (B, k); draws are held fixed
(or are functions of noise) when a gradient is taken.

Both sides of Eq. 23 for two draws:

    >>> import numpy as np
    >>> from refdgm.directed.resampling_entropy import log_of_sum, mean_of_log, resampling_entropy
    >>> f = np.array([0.0, 1.0])
    >>> round(float(log_of_sum(f) - resampling_entropy(f)), 3), round(float(mean_of_log(f)), 3)
    (0.731, 0.731)
"""
from functools import partial

import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_most, is_gradient_of
from refdgm.models import sbn
from refdgm.numerics import entropy, log_softmax, log_sum_exp, softmax, weighted_sum


def log_ratios(params, x, z):
    """f_i = log p(x, z_i) / q(z_i|x) (bachman2015 Eq. 22).  -> (..., k)"""
    return sbn.log_weights(params["theta"], params["phi"], x, z)


def log_of_sum(f):
    """log sum_i e^{f_i} (bachman2015 Eq. 14, as printed).  (..., k) -> (...)"""
    return log_sum_exp(f)


def mean_of_log(f):
    """sum_i w_i f_i (bachman2015 Eq. 21).  (..., k) -> (...)"""
    return np.sum(softmax(f) * f, axis=-1)


def resampling_entropy(f):
    """H(w_1..w_k), the entropy of the choice among the draws (bachman2015 Eq. 23).  (..., k) -> (...)"""
    log_w = log_softmax(f)
    return -np.sum(np.exp(log_w) * log_w, axis=-1)


def lower_bound(f):
    """sum_i w_i f_i + H(w) - log k, its mean is at most log p(x) (bachman2015 Eq. 21, corrected).  (..., k) -> (...)"""
    return mean_of_log(f) + resampling_entropy(f) - np.log(np.shape(f)[-1])


def gradients_of_ratios(params, x, z):
    """nabla f_i by hand, for fixed draws: the score of p, and minus that of q.  -> as params, leaves (..., k, *leaf)"""
    minus_q = {name: -leaf for name, leaf in sbn.score_phi(params["phi"], x, z).items()}
    return {"theta": sbn.score_theta(params["theta"], x, z), "phi": minus_q}


def weighted_gradient(params, x, z, weights=softmax):
    """sum_i w_i nabla f_i, weights constant, added over the sets of draws (bachman2015 Eq. 22).  -> as params"""
    w = weights(log_ratios(params, x, z))
    return weighted_sum(w, gradients_of_ratios(params, x, z))


def columns(f, c):
    """Eq. 22 line by line for any f(c) (k,): left column, right column before 1/e^{f_i} cancels, and their last line.

    c (n,) -> (3, n)
    """
    e, nabla_e, nabla_f = np.exp(f(c)), jacobian(lambda c: np.exp(f(c)))(c), jacobian(f)(c)
    total = np.sum(e)
    return np.stack([np.sum(nabla_e, axis=0) / total,
                     (e / total / e) @ nabla_e,
                     (e / total) @ nabla_f])


# ---- claims ---------------------------------------------------------------------------

def draws_case(seed):
    """A random net and five fixed sets of three draws."""
    case = sbn.random_case(seed)
    z = onp.random.default_rng([seed, 1]).integers(0, 2, (5, 3, 2)).astype(float)
    return {"params": {"theta": case["theta"], "phi": case["phi"]}, "x": case["x"], "z": z}


def columns_case(seed):
    """f_1..f_3 as functions of the encoder's biases c, draws fixed."""
    case = draws_case(seed)
    def f(params, x, z, c): return log_ratios({**params, "phi": {**params["phi"], "c": c}}, x, z)
    return {"f": partial(f, case["params"], case["x"], case["z"][0]), "c": case["params"]["phi"]["c"]}


def mean(objective, *ks):
    """E objective(f) over all draws, for each k."""
    return lambda **c: np.array([sbn.mean_over_draws(lambda *a: objective(sbn.log_weights(*a)), k)(**c) for k in ks])


def every(objective, k=3):
    """objective(f) for every set of k draws."""
    def values(theta, phi, x):
        h, _ = sbn.all_draws(phi, x, k)
        return objective(sbn.log_weights(theta, phi, x, h))
    return values


def entropy_over_draws(theta, phi, x, ks=(2, 3)):
    """E H(w), weights as ratios, one entropy a row."""
    out = []
    for k in ks:
        h, probability = sbn.all_draws(phi, x, k)
        r = np.exp(sbn.log_joint(theta, x, h)) / np.exp(sbn.log_q(phi, x, h))
        out.append(probability @ entropy(r / np.sum(r, axis=-1, keepdims=True)))
    return np.array(out)


def mean_of_log_by_ratios(theta, phi, x, k=3):
    """sum_i r_i log r_i / sum_i r_i for every set of draws."""
    h, _ = sbn.all_draws(phi, x, k)
    r = np.exp(sbn.log_joint(theta, x, h)) / np.exp(sbn.log_q(phi, x, h))
    return np.sum(r * np.log(r), axis=-1) / np.sum(r, axis=-1)


def summed(objective):
    """The sum over the sets of draws of objective(f)."""
    return lambda params, x, z: np.sum(objective(log_ratios(params, x, z)))


def sign_of_q_forgotten(params, x, z):
    g = weighted_gradient(params, x, z)
    return {**g, "phi": {name: -leaf for name, leaf in g["phi"].items()}}


def without_one_over_e(f, c):
    """The right column with 1/e^{f_i} forgotten."""
    w, nabla_e = softmax(f(c)), jacobian(lambda c: np.exp(f(c)))(c)
    return np.where(np.arange(3)[:, None] == 1, w @ nabla_e, columns(f, c))


def normalised_by_f(f, c):
    """The left column over sum_j f_j for sum_j e^{f_j}."""
    scale = np.sum(np.exp(f(c))) / np.sum(f(c))
    return columns(f, c) * np.array([[scale], [1.0], [1.0]])


BITS = float(onp.log(2))

CLAIMS = [
    Claim("bachman2015.eq21", mean(lower_bound, 2, 5),
          is_at_most(lambda theta, phi, x: np.full(2, sbn.log_marginal(theta, x)), sbn.good_encoder_case),
          {"entropy added, log k forgotten": mean(log_of_sum, 2, 5),
           "entropy counted twice": mean(lambda f: lower_bound(f) + resampling_entropy(f), 2, 5)},
          printed=mean(mean_of_log, 2, 5)),
    Claim("bachman2015.eq21_gradient", weighted_gradient,
          is_gradient_of(summed(log_of_sum), "params", draws_case),
          {"weights differentiated, too": lambda params, x, z: grad(summed(mean_of_log))(params, x, z),
           "uniform weights": lambda **c: weighted_gradient(**c, weights=lambda f: np.full(f.shape, 1 / 3)),
           "sign of nabla log q": sign_of_q_forgotten}),
    Claim("bachman2015.eq21_entropy", mean(lambda f: log_of_sum(f) - mean_of_log(f), 2, 3),
          equals(entropy_over_draws, sbn.random_case),
          {"the other way round": mean(lambda f: mean_of_log(f) - log_of_sum(f), 2, 3),
           "with 1/k in Eq. 14": mean(lambda f: log_of_sum(f) - np.log(f.shape[-1]) - mean_of_log(f), 2, 3),
           "log k, the largest entropy": mean(lambda f: np.log(f.shape[-1]) + 0 * f[..., 0], 2, 3)}),
    Claim("bachman2015.eq22", columns,
          equals(lambda f, c: np.tile(grad(lambda c: log_sum_exp(f(c)))(c), (3, 1)), columns_case,
                 rtol=GRADIENT, method="autodiff"),
          {"1/e^f missing on the right": without_one_over_e,
           "normalised by sum f on the left": normalised_by_f,
           "weights differentiated, too": lambda f, c: np.tile(grad(lambda c: mean_of_log(f(c)))(c), (3, 1))}),
    Claim("bachman2015.eq23", every(lambda f: log_of_sum(f) - resampling_entropy(f)),
          equals(mean_of_log_by_ratios, sbn.random_case),
          {"plus the entropy": every(lambda f: log_of_sum(f) + resampling_entropy(f)),
           "log k for the entropy": every(lambda f: log_of_sum(f) - np.log(3)),
           "entropy in bits": every(lambda f: log_of_sum(f) - resampling_entropy(f) / BITS)}),
]
