r"""The adversarial net's objectives as the sleep phase, extended to the generator (lecture12 Sec. 3.4).

    discriminator   max_phi     L_phi   = E_{p_theta(x|y) p(y)} log q_phi(y|x)      the sleep phase, with h = y
    generator       max_theta   L_theta = E_{p_theta(x|y) p(y)} log q^r_phi(y|x)    the notes print max_phi

The sleep phase fits q to the posterior of what was hidden when x was made, here of the label: its divergence is
E_p(x) KL(p(y|x) || q(y|x)). The generator's step adds the generative parameters on the same pairs; a likelihood of the
data, which is what the wake phase ascends, occurs nowhere.

The model is that of models/labels.py: theta {"x": (X,)}, phi {"D": (X,)}, p_data (X,), p_y (2,).

The generator's step is the same for any other data, where the wake phase would follow them:

>>> import numpy as np
>>> from refdgm.adversarial.gan_sleep_phase import generator_step, other_data_case
>>> theta, phi, p_data, p_y, other = other_data_case(0).values()
>>> steps = [generator_step(theta, phi, data, p_y)["theta"]["x"] for data in (p_data, other)]
>>> round(float(np.abs(steps[0] - steps[1]).max()), 6)
0.0
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models import labels
from refdgm.models.labels import expectation, log_q, log_q_reversed
from refdgm.numerics import weighted_sum


def discriminator_objective(theta, phi, p_data, p_y):
    """L_phi = E_{p_theta(x|y) p(y)} log q(y|x), a sleep phase with h = y (lecture12 Sec. 3.4).  -> ()"""
    return expectation(theta, p_data, p_y, log_q(phi))


def generator_objective(theta, phi, p_data, p_y):
    """L_theta = E_{p_theta(x|y) p(y)} log q^r(y|x) (lecture12 Sec. 3.4).  -> ()"""
    return expectation(theta, p_data, p_y, log_q_reversed(phi))


def generator_step(theta, phi, p_data, p_y):
    """The generator moves along dL_theta/dtheta, the discriminator stays (lecture12 Sec. 3.4)."""
    return {"theta": grad(generator_objective)(theta, phi, p_data, p_y), "phi": stay(phi)}


def stay(params):
    """A step of no length: these parameters do not stand under the maximum."""
    return {name: onp.zeros(onp.shape(leaf)) for name, leaf in params.items()}


# ---- oracles and cases ----------------------------------------------------------------

def label_gap(theta, phi, p_data, p_y):
    """-E_p(x) KL(p(y|x) || q(y|x)), with the posterior of the label by Bayes' rule."""
    p_g = np.exp(theta["x"]) / np.sum(np.exp(theta["x"]))
    joint, D = np.stack([p_y[0] * p_g, p_y[1] * p_data]), 1 / (1 + np.exp(-phi["D"]))
    return -np.sum(joint * np.log(joint / np.sum(joint, axis=0) / np.stack([1 - D, D])))


def conventional_step(theta, phi, p_data, p_y):
    """Uphill on p(0) E_p_g log D(x) in theta, with plain ratios; the discriminator is held fixed."""
    def reward(t):
        return p_y[0] * np.sum(np.exp(t["x"]) / np.sum(np.exp(t["x"])) * np.log(1 / (1 + np.exp(-phi["D"]))))
    return {"theta": grad(reward)(theta), "phi": stay(phi)}


def other_data_case(seed):
    """As labels.random_case, with a second law of the data."""
    return {**labels.random_case(seed), "other_data": onp.random.default_rng([seed, 1]).dirichlet(onp.ones(6))}


# ---- claims ---------------------------------------------------------------------------

def in_phi(objective):
    return lambda theta, phi, p_data, p_y: grad(lambda f: objective(theta, f, p_data, p_y))(phi)


def exclusive_label_gap(theta, phi, p_data, p_y):
    q, best = np.exp(log_q(phi)), np.exp(log_q(labels.optimal_phi(theta, p_data, p_y)))
    return -np.sum(labels.marginal(theta, p_data, p_y) * q * np.log(q / best))


def mean_on_data(theta, phi, p_data, p_y): return np.dot(p_data, np.dot(p_y, log_q(phi)))


def moved(theta=None, phi=None):
    """A step along theta(**case) and phi(**case), where given."""
    def step(**case):
        return {"theta": theta(**case) if theta else stay(case["theta"]),
                "phi": phi(**case) if phi else stay(case["phi"])}
    return step


def ascent(objective, sign=1):
    return lambda theta, **rest: {"x": sign * grad(lambda t: objective(t, **rest))(theta)["x"]}


def explained_by_generator(weight):
    """E_data[weight(D(x)) dlog p_g(x)/dtheta], p(y = 0) times: a likelihood of the data."""
    return lambda theta, phi, p_data, p_y, other_data: weighted_sum(
        p_y[0] * other_data * weight(np.exp(log_q(phi))), labels.score_theta(theta))


CLAIMS = [
    Claim("lecture12.sec3.4_gan_phi", in_phi(discriminator_objective), is_gradient_of(label_gap, "phi",
                                                                                     labels.random_case),
          {"log q^r": in_phi(generator_objective),
           "KL(q || p(y|x)), the other direction": in_phi(exclusive_label_gap),
           "x from the data, whatever the label": in_phi(mean_on_data)}),
    Claim("lecture12.sec3.4_gan_theta", generator_step,
          equals(conventional_step, labels.random_case, rtol=GRADIENT, method="autodiff"),
          {"q for q^r": moved(theta=ascent(discriminator_objective)),
           "the minimum over theta": moved(theta=ascent(generator_objective, -1)),
           "the maximum over both": moved(ascent(generator_objective), in_phi(generator_objective))},
          printed=moved(phi=in_phi(generator_objective))),
    Claim("lecture12.sec3.4_gan_wake", lambda theta, phi, p_data, p_y, other_data: grad(generator_objective)(
        theta, phi, other_data, p_y),
          equals(lambda theta, phi, p_data, p_y, other_data: conventional_step(theta, phi, p_data, p_y)["theta"],
                 other_data_case, rtol=GRADIENT, method="autodiff"),
          {"the wake phase: x from the data, y from q": explained_by_generator(lambda q: q[0]),
           "the wake phase with q^r": explained_by_generator(lambda q: q[1]),
           "maximum likelihood": explained_by_generator(lambda q: 1.0)}),
]
