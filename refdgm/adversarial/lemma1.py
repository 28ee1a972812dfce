r"""Lemma 1: the generator's step as a step on a KL divergence, less a Jensen-Shannon divergence (lecture12 Sec. 3.2).

With p_theta(x) = E_p(y) p_theta(x|y) and q^r(x|y) proportional to q^r(y|x) p_theta0(x), both at a fixed theta0:

    exactly, everywhere   -E_{p_theta(x|y)p(y)} log q^r(y|x) = E_p(y) KL(p_theta(x|y) || q^r(x|y)) - JS(theta)
                                                               - KL(p_theta(x) || p_theta0(x)) + constant
    Lemma 1               the gradients of the left side and of the first two terms are equal at theta = theta0

JS(theta) = E_p(y) KL(p_theta(x|y) || p_theta(x)) is JSD(p_g || p_data) where the labels are equally probable. The
third term is what the lemma leaves out: a divergence that is zero at theta0, and flat there.
For the optimal discriminator q^r(x|0) = p_data, and the step descends KL((p_g + p_data)/2 || p_data).

The model is that of models/labels.py: theta and theta0 {"x": (X,)}, phi {"D": (X,)}, p_data (X,), p_y (2,).

Both gradients of the lemma at theta0, in one component:

>>> from refdgm.adversarial.lemma1 import conventional_loss, gradient_of, kl_less_js, uniform_at_reference
>>> case = uniform_at_reference(0)
>>> [round(float(gradient_of(side)(**case)["x"][1]), 3) for side in (conventional_loss, kl_less_js)]
[-0.032, -0.032]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.divergences import js
from refdgm.models.labels import (UNIFORM, average_kl, class_laws, expectation, log_generator, log_q, log_q_reversed,
                                  marginal, optimal_phi, random_case, target, weighted_js)
from refdgm.numerics import kl


def generator_loss(theta, phi, p_data, p_y):
    """-E_{p_theta(x|y) p(y)} log q^r(y|x), the left side of Lemma 1 (lecture12 Sec. 3.2).  -> ()"""
    return -expectation(theta, p_data, p_y, log_q_reversed(phi))


def kl_less_js(theta, theta0, phi, p_data, p_y=UNIFORM):
    """E_p(y) KL(p_theta(x|y) || q^r(x|y)) - JSD(p_g || p_data), its right side (lecture12 Lemma 1).  -> ()"""
    return average_kl(theta, target(theta0, phi, p_data, p_y), p_data, p_y) - js(*class_laws(theta, p_data))


def kl_less_weighted_js(theta, theta0, phi, p_data, p_y):
    """The same for any p(y), with JS(theta) weighted by p(y), too (lecture12 Lemma 1, generalised).  -> ()"""
    return average_kl(theta, target(theta0, phi, p_data, p_y), p_data, p_y) - weighted_js(theta, p_data, p_y)


def left_out(theta, theta0, p_data, p_y):
    """KL(p_theta(x) || p_theta0(x)), by how much the two sides differ away from theta0 (lecture12 Lemma 1).  -> ()"""
    return kl(marginal(theta, p_data, p_y), marginal(theta0, p_data, p_y))


def mixture_kl(theta, p_data):
    """KL((p_g + p_data)/2 || p_data), descended where D is optimal (lecture12 Lemma 1, consequence).  -> ()"""
    return kl(marginal(theta, p_data, UNIFORM), p_data)


# ---- oracles and cases ----------------------------------------------------------------

def softmax_law(theta):
    return np.exp(theta["x"]) / np.sum(np.exp(theta["x"]))


def conventional_loss(theta, theta0, phi, p_data, p_y):
    """-p(0) E_p_g log D - p(1) E_p_data log(1 - D), with plain ratios; theta0 has no place in it."""
    D, p_g = 1 / (1 + np.exp(-phi["D"])), softmax_law(theta)
    return -p_y[0] * np.sum(p_g * np.log(D)) - p_y[1] * np.sum(p_data * np.log(1 - D))


def relative_entropy_to_reference(theta, theta0, phi, p_data, p_y):
    """sum_x p_theta(x) log p_theta(x) / p_theta0(x); the discriminator has no place in it."""
    p, p0 = (p_y[0] * softmax_law(t) + p_y[1] * p_data for t in (theta, theta0))
    return np.sum(p * np.log(p / p0))


def away_from_reference(seed):
    """theta is not theta0, p(y) not uniform, the discriminator not optimal."""
    return {**random_case(seed), "theta0": random_case(seed + 1000)["theta"]}


def at_reference(seed):
    """theta = theta0, any p(y) and any discriminator."""
    case = random_case(seed)
    return {**case, "theta0": case["theta"]}


def uniform_at_reference(seed):
    """theta = theta0 and uniform labels, as Lemma 1 has it; any discriminator."""
    return {**at_reference(seed), "p_y": UNIFORM}


def optimal_reference(seed):
    """A generator theta0 = theta and data; the discriminator is the one that is optimal for them."""
    case = random_case(seed)
    return {"theta": case["theta"], "theta0": case["theta"], "p_data": case["p_data"]}


# ---- claims ---------------------------------------------------------------------------

def reweighted(likelihood, prior):
    """Bayes' rule with another likelihood(phi) or another prior(theta0, p_data, p_y)."""
    def wrong(theta0, phi, p_data, p_y):
        r = np.exp(likelihood(phi)) * prior(theta0, p_data, p_y)
        return r / np.sum(r, axis=1, keepdims=True)
    return wrong


with_p_data_as_prior = reweighted(log_q_reversed, lambda theta0, p_data, p_y: p_data)
with_q_for_q_r = reweighted(log_q, marginal)


def gradient_of(objective):
    """The gradient in theta of objective(theta, ...)."""
    return lambda theta, **rest: grad(lambda t: objective(theta=t, **rest))(theta)


def with_js_times(factor):
    """The right side of Lemma 1 with another multiple of the JSD."""
    def objective(theta, theta0, phi, p_data, p_y):
        return kl_less_js(theta, theta0, phi, p_data, p_y) + (factor + 1) * js(*class_laws(theta, p_data))
    return objective


def with_target(make_target):
    def objective(theta, theta0, phi, p_data, p_y):
        return average_kl(theta, make_target(theta0, phi, p_data, p_y), p_data, p_y) - js(*class_laws(theta, p_data))
    return objective


def moving_target(theta, theta0, phi, p_data, p_y):
    return kl_less_js(theta, theta, phi, p_data, p_y)


def reverse_kl(theta, theta0, phi, p_data, p_y):
    laws, q_x = class_laws(theta, p_data), target(theta0, phi, p_data, p_y)
    return np.dot(p_y, kl(q_x, laws)) - js(*laws)


def labels_exchanged(theta, theta0, phi, p_data, p_y):
    laws = class_laws(theta, p_data)
    return average_kl(theta, target(theta0, phi, p_data, p_y), p_data, p_y) \
        - np.dot(p_y[::-1], kl(laws, np.stack(2 * [np.dot(p_y[::-1], laws)])))


def difference(theta, theta0, phi, p_data, p_y):
    """The right side of Lemma 1, for this p(y), less the left one: what the lemma says is flat."""
    return kl_less_weighted_js(theta, theta0, phi, p_data, p_y) - generator_loss(theta, phi, p_data, p_y)


def gradient_and_value(objective):
    """Of objective(theta, p_data), for the optimal discriminator at theta0 = theta."""
    return lambda theta, theta0, p_data: {"gradient": grad(objective)(theta, p_data), "value": objective(theta, p_data)}


def with_optimal_discriminator(theta, theta0, p_data):
    """The gradient of the loss with D* held fixed, and KL(p_g || p_data)/2 - JSD(p_g || p_data)."""
    phi, p_g = optimal_phi(theta0, p_data, UNIFORM), np.exp(log_generator(theta))
    return {"gradient": grad(conventional_loss)(theta, theta0, phi, p_data, UNIFORM),
            "value": kl(p_g, p_data) / 2 - js(p_g, p_data)}


CLAIMS = [
    Claim("lecture12.lemma1", gradient_of(kl_less_js), is_gradient_of(conventional_loss, "theta", uniform_at_reference),
          {"+ JSD": gradient_of(with_js_times(+1)),
           "no JSD": gradient_of(with_js_times(0)),
           "2 JSD": gradient_of(with_js_times(-2)),
           "q for q^r": gradient_of(with_target(with_q_for_q_r)),
           "p_data as the prior": gradient_of(with_target(with_p_data_as_prior)),
           "q^r(x|y) moves with theta": gradient_of(moving_target),
           "KL(q^r || p), the other direction": gradient_of(reverse_kl)}),
    Claim("lecture12.lemma1_theta0", gradient_of(difference),
          is_gradient_of(relative_entropy_to_reference, "theta", away_from_reference),
          {"the lemma holds for every theta": lambda theta, **rest: {"x": 0 * theta["x"]},
           "KL(p_theta0(x) || p_theta(x)), the other direction": gradient_of(
               lambda theta, theta0, phi, p_data, p_y: left_out(theta0, theta, p_data, p_y)),
           "the divergence of the generators alone": gradient_of(
               lambda theta, theta0, phi, p_data, p_y: p_y[0] * kl(softmax_law(theta), softmax_law(theta0))),
           "q^r(x|y) moves with theta": gradient_of(lambda theta, theta0, **rest: difference(theta, theta, **rest))}),
    Claim("lecture12.lemma1_py", gradient_of(kl_less_weighted_js),
          is_gradient_of(conventional_loss, "theta", at_reference),
          {"the standard JSD for any p(y)": gradient_of(kl_less_js),
           "the weights of the JS exchanged": gradient_of(labels_exchanged),
           "no JS": gradient_of(with_js_times(0))}),
    Claim("lecture12.lemma1_optimalD", gradient_and_value(mixture_kl),
          equals(with_optimal_discriminator, optimal_reference, rtol=GRADIENT, method="autodiff"),
          {"KL(p_g || p_data)": gradient_and_value(lambda theta, p_data: kl(softmax_law(theta), p_data)),
           "JSD, as in the saturating game": gradient_and_value(lambda theta, p_data: js(softmax_law(theta), p_data)),
           "KL(p_data || mixture)": gradient_and_value(lambda theta, p_data: kl(p_data, marginal(theta, p_data,
                                                                                                UNIFORM))),
           "KL(p_g || p_data)/2, without the JSD": gradient_and_value(
               lambda theta, p_data: kl(softmax_law(theta), p_data) / 2)}),
]
