r"""NVIL: the learning signal centred and normalised (ou2018 Sec. 3.2.1; Mnih & Gregor 2014).

One draw h ~ q(.|x) has the learning signal l = log p(x, h) - log q(h|x), and estimates the phi-gradient of L(x) by

    (l - c - C(x)) / sigma  dlog q(h|x)/dphi

A baseline c + C(x) that does not look at h leaves the mean alone, by Fisher's equality E_q[dlog q/dphi] = 0.
A spread sigma that does not look at h either only shortens the step. Both are estimated while learning runs, and
whoever includes the current draws in that estimate changes the mean:

    c = mean of l over the same M draws         the mean is (1 - 1/M) of the gradient
    sigma = spread of l over the same draws     the mean is no multiple of the gradient

Shapes: x (D,), M draws h (..., M, H), l (..., M). The means are sums over all 2**(M H) draws.

Three draws centred by their own mean have two thirds of the gradient:

    >>> from refdgm.directed.nvil import estimate_grad_phi, over_all_draws, sbn
    >>> case, mean = sbn.random_case(0), over_all_draws(estimate_grad_phi)
    >>> centred = mean(**case, baseline=lambda x, log_w: log_w.mean(axis=-1, keepdims=True))
    >>> round(float(centred["c"][0] / mean(**case, baseline=lambda x, log_w: 0.0)["c"][0]), 3)
    0.667
"""
from functools import partial

import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of
from refdgm.models import sbn
from refdgm.models.sbn import all_draws, log_weights, score_phi
from refdgm.numerics import log_softmax, weighted_sum


def estimate_grad_phi(theta, phi, x, h, baseline):
    """(1/M) sum_m (l_m - c - C(x)) dlog q(h_m|x)/dphi (ou2018 Sec. 3.2.1).  (..., M, H) -> dict of (..., *leaf)"""
    log_w = log_weights(theta, phi, x, h)
    signal = log_w - baseline(x, log_w)
    return weighted_sum(signal / h.shape[-2], score_phi(phi, x, h), axis=-1)


def normalise(estimate, sigma):
    """An estimate divided by the spread of its learning signal (ou2018 Sec. 3.2.1, NVIL).  dict, (...) -> dict"""
    return {name: leaf / onp.reshape(onp.asarray(sigma), onp.shape(sigma) + (1,) * (leaf.ndim - onp.ndim(sigma)))
            for name, leaf in estimate.items()}


def running_spread(past, log_w, decay=0.8):
    """Square root of decay past^2 + (1 - decay) Var(l), where l (..., M) are the newest draws.  -> (...)"""
    return onp.sqrt(decay * past**2 + (1.0 - decay) * onp.var(log_w, axis=-1))


# ---- claims ---------------------------------------------------------------------------

M = 3       # draws of h in one estimate; not the number of hidden units, so that no axis stands in for another


def bound(theta, phi, x):
    """The oracle: L(x) = log p(x) - KL(q || p(h|x))."""
    log_q = sbn.log_q_table(phi, x)
    log_posterior = log_softmax(sbn.log_joint_table(theta, x))
    return sbn.log_marginal(theta, x) - np.sum(np.exp(log_q) * (log_q - log_posterior))


def input_dependent(seed):
    """A constant and a linear baseline in x: neither looks at the draws."""
    case = sbn.random_case(seed)
    c, v = (rng := onp.random.default_rng([seed, 1])).normal() - 3.0, rng.normal(size=3)
    return {**case, "baseline": partial(lambda c, v, x, log_w: c + x @ v, c, v)}


def spread_of_the_past(seed):
    past = onp.random.default_rng([seed, 2]).gamma(3.0)
    return {**input_dependent(seed), "spread": lambda log_w: past + 0 * log_w[..., 0]}


def spread_with_the_present(seed):
    """The running estimate is brought up to date with the same draws before it divides them."""
    past = onp.random.default_rng([seed, 2]).gamma(3.0)
    return {**input_dependent(seed), "spread": lambda log_w: running_spread(past, log_w)}


def over_all_draws(estimate):
    """The exact mean of estimate(theta, phi, x, h, ...) with M draws."""
    def mean(theta, phi, x, **how):
        h, probability = all_draws(phi, x, M)
        return weighted_sum(probability, estimate(theta, phi, x, h, **how))
    return mean


def normalised(power=1.0):
    """The estimate over sigma; another power is a mistake."""
    def estimate(theta, phi, x, h, baseline, spread):
        sigma = spread(log_weights(theta, phi, x, h))
        return normalise(estimate_grad_phi(theta, phi, x, h, baseline), sigma**power)
    return estimate


def per_draw(theta, phi, x, h, baseline, spread):
    """Every signal divided by its own size: only its sign is left."""
    log_w = log_weights(theta, phi, x, h)
    signal = log_w - baseline(x, log_w)
    return weighted_sum(onp.sign(signal) / M, score_phi(phi, x, h), axis=-1)


def shortened_gradient(theta, phi, x, baseline, spread):
    """E[1 / sigma] dL/dphi: a shorter step in the same direction."""
    h, probability = all_draws(phi, x, M)
    shortening = probability @ (1.0 / spread(log_weights(theta, phi, x, h)))
    return {name: shortening * leaf for name, leaf in grad(bound, 1)(theta, phi, x).items()}


CLAIMS = [
    Claim("ou2018.nvil.center", over_all_draws(estimate_grad_phi),
          is_gradient_of(lambda theta, phi, x, baseline: bound(theta, phi, x), "phi", input_dependent),
          {"the baseline taken from the gradient, not from the signal": over_all_draws(
              lambda theta, phi, x, h, baseline: {name: leaf - baseline(x, None) for name, leaf in estimate_grad_phi(
                  theta, phi, x, h, lambda x, log_w: 0.0).items()}),
           "the baseline fits the draw itself": over_all_draws(
               lambda theta, phi, x, h, baseline: estimate_grad_phi(theta, phi, x, h, lambda x, log_w: 0.5 * log_w)),
           "the mean signal of the same draws for c": over_all_draws(
               lambda theta, phi, x, h, baseline: estimate_grad_phi(
                   theta, phi, x, h, lambda x, log_w: log_w.mean(axis=-1, keepdims=True))),
           "log p alone, no -log q": over_all_draws(lambda theta, phi, x, h, baseline: weighted_sum(
               (sbn.log_joint(theta, x, h) - baseline(x, None)) / M, score_phi(phi, x, h), axis=-1)),
           "the sum over the draws, not the mean": over_all_draws(lambda theta, phi, x, h, baseline: weighted_sum(
               log_weights(theta, phi, x, h), score_phi(phi, x, h), axis=-1))}),
    Claim("ou2018.nvil.varnorm", over_all_draws(normalised()), equals(shortened_gradient, spread_of_the_past),
          {"divided by the variance": over_all_draws(normalised(power=2.0)),
           "multiplied by the spread": over_all_draws(normalised(power=-1.0)),
           "every signal divided by its own size": over_all_draws(per_draw)},
          without=equals(shortened_gradient, spread_with_the_present)),
]
