r"""What the KL divergence of Lemma 1 draws the generator towards (lecture12 Sec. 3.2).

    q^r(x|y) = q^r(y|x) p_theta0(x) / sum_x q^r(y|x) p_theta0(x),   p_theta0(x) = E_p(y) p_theta0(x|y)

It is a posterior over x given the label y, with prior p_theta0(x) and likelihood q^r(y|x), and p_theta(x|y) is
the variational law: KL(p_theta(x|y) || q^r(x|y)) is the gap of a bound. Only y = 0 contains theta. Its target is

    q^r(x|0), proportional to D(x) (p_g0(x) + p_data(x)),

which is p_data where D is optimal for theta0, and a mixture w p_g0 + (1 - w) p_data with a constant w where
D = (a p_g0 + b p_data) / (p_g0 + p_data), w = a/(a + b); for another D it is neither.

The model is that of models/labels.py: theta and theta0 {"x": (X,)}, phi {"D": (X,)}, p_data (X,), p_y (2,).

With the optimal discriminator the target q^r(x|0) is the law of the data:

>>> import numpy as np
>>> from refdgm.adversarial.generator_target import UNIFORM, optimal_phi, random_case, target
>>> theta0, _, p_data, _ = random_case(0).values()
>>> q = target(theta0, optimal_phi(theta0, p_data, UNIFORM), p_data, UNIFORM)
>>> round(float(np.abs(q[0] - p_data).max()), 6)
0.0
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, minimises
from refdgm.models.labels import (UNIFORM, average_kl, class_laws, log_generator, log_q, log_q_reversed, marginal,
                                  optimal_phi, random_case, target)
from refdgm.numerics import kl, log_softmax


def generated_kl(theta, q_x_0):
    """KL(p_g(x) || q^r(x|0)), the only part of Lemma 1's divergence that contains theta (lecture12 Sec. 3.2).  -> ()"""
    return kl(np.exp(log_generator(theta)), q_x_0)


def real_kl(q_x_1, p_data):
    """KL(p_data(x) || q^r(x|1)), constant in theta (lecture12 Sec. 3.2).  -> ()"""
    return kl(p_data, q_x_1)


def calibrated_phi(theta0, p_data, a, b):
    """The D = (a p_g0 + b p_data) / (p_g0 + p_data) for which q^r(x|0) is a mixture of the two; 0 <= a, b <= 1."""
    generated, real = class_laws(theta0, p_data)
    return {"D": np.log(a * generated + b * real) - np.log((1 - a) * generated + (1 - b) * real)}


# ---- oracles and cases ----------------------------------------------------------------

def softmax_law(theta):
    return np.exp(theta["x"]) / np.sum(np.exp(theta["x"]))


def bayes(theta0, phi, p_data, p_y):
    """p_theta0(x) and q^r(x|y) by explicit sums over the cells; q^r(y|x) from D = 1/(1 + exp(-a))."""
    prior = onp.array([p_y[0] * g + p_y[1] * d for g, d in zip(softmax_law(theta0), p_data)])
    D = 1 / (1 + onp.exp(-phi["D"]))
    rows = [[q * p for q, p in zip(likelihood, prior)] for likelihood in (D, 1 - D)]
    return {"marginal": prior, "target": onp.array([[cell / sum(row) for cell in row] for row in rows])}


def average_divergence(theta, theta0, phi, p_data, p_y):
    """sum_y p(y) sum_x p(x|y) log p(x|y) / q^r(x|y), over all cells."""
    laws, q_x = np.stack([softmax_law(theta), p_data]), bayes(theta0, phi, p_data, p_y)["target"]
    return np.sum(p_y[:, None] * laws * np.log(laws / q_x))


def minus_bound(laws, theta0, phi, p_data, p_y):
    """sum_y E_r(x|y)[log r(x|y) - log q^r(y|x) - log p_theta0(x)] for free laws r = softmax(laws), laws (2, X)."""
    log_r = log_softmax(laws)
    D, prior = 1 / (1 + np.exp(-phi["D"])), bayes(theta0, phi, p_data, p_y)["marginal"]
    return np.sum(np.exp(log_r) * (log_r - np.log(np.stack([D, 1 - D])) - np.log(prior)))


def projection_on_segment(theta0, phi, p_data):
    """The point of the segment from p_g0 to p_data, all mixtures with a constant weight, that is nearest q^r(x|0)."""
    p_g, q = softmax_law(theta0), bayes(theta0, phi, p_data, UNIFORM)["target"][0]
    w = (q - p_data) @ (p_g - p_data) / onp.sum((p_g - p_data)**2)
    return onp.clip(w, 0, 1) * p_g + (1 - onp.clip(w, 0, 1)) * p_data


def reference_case(seed):
    """A reference theta0, and a discriminator that is not optimal for it."""
    case = random_case(seed)
    return {"theta0": case.pop("theta"), **case}


def with_free_laws(seed):
    return {"laws": onp.zeros((2, 6)), **reference_case(seed)}


def moved_case(seed):
    """theta is not theta0."""
    return {"theta": random_case(seed + 1000)["theta"], **reference_case(seed)}


def any_discriminator(seed):
    case = reference_case(seed)
    return {name: case[name] for name in ("theta0", "phi", "p_data")}


def calibrated_discriminator(seed):
    """D = (a p_g0 + b p_data) / (p_g0 + p_data) for random a and b."""
    case = any_discriminator(seed)
    a, b = onp.random.default_rng([seed, 1]).uniform(0.1, 0.9, size=2)
    return {**case, "phi": calibrated_phi(case["theta0"], case["p_data"], a, b)}


def step_from(discriminator):
    """A step on KL(p_g || q^r(x|0)) from theta0, with the target of discriminator(theta0, p_data, phi)."""
    def case(seed):
        theta0, phi, p_data = any_discriminator(seed).values()
        q_x = bayes(theta0, discriminator(theta0, p_data, phi), p_data, UNIFORM)["target"]
        return {"theta": theta0, "theta0": theta0, "q_x_0": q_x[0], "p_data": p_data}
    return case


def kl_to_target(theta, theta0, q_x_0, p_data):
    """sum_x p_g(x) log p_g(x) / q^r(x|0) with a given q^r(x|0)."""
    return np.sum(softmax_law(theta) * np.log(softmax_law(theta) / q_x_0))


# ---- claims ---------------------------------------------------------------------------

def bayes_terms(make_target=target, make_marginal=marginal):
    def terms(theta0, phi, p_data, p_y):
        return {"marginal": make_marginal(theta0, p_data, p_y), "target": make_target(theta0, phi, p_data, p_y)}
    return terms


def bayes_with(likelihood=log_q_reversed, prior=marginal):
    """Bayes' rule with another log-likelihood(phi) or another prior(theta0, p_data, p_y)."""
    def posterior(theta0, phi, p_data, p_y):
        r = np.exp(likelihood(phi)) * prior(theta0, p_data, p_y)
        return r / np.sum(r, axis=1, keepdims=True)
    return posterior


def data_prior(theta0, p_data, p_y): return p_data
def unweighted_marginal(theta0, p_data, p_y): return marginal(theta0, p_data, UNIFORM)


def variational_law(posterior):
    return lambda laws, **rest: np.log(posterior(**rest))


def equal_labels(combine):
    return lambda theta, p_data: combine(softmax_law(theta), p_data)


def two_terms(generated=lambda p, q_x: kl(p, q_x[0]), real=lambda p, q_x: kl(p, q_x[1])):
    """p(0) times the generated term plus p(1) times the real one."""
    def total(theta, theta0, phi, p_data, p_y):
        p_g, q_x = np.exp(log_generator(theta)), target(theta0, phi, p_data, p_y)
        return p_y[0] * generated(p_g, q_x) + p_y[1] * real(p_data, q_x)
    return total


def slope(objective):
    return lambda theta, **rest: grad(lambda t: objective(theta=t, **rest))(theta)


def generated_term(theta, theta0, phi, p_data, p_y):
    return p_y[0] * generated_kl(theta, target(theta0, phi, p_data, p_y)[0])


def moving_real_term(theta, theta0, phi, p_data, p_y):
    """The y = 1 term with a target that follows theta."""
    return generated_term(theta, theta0, phi, p_data, p_y) \
        + p_y[1] * real_kl(target(theta, phi, p_data, p_y)[1], p_data)


def moving_target(theta, theta0, phi, p_data, p_y):
    return average_kl(theta, target(theta, phi, p_data, p_y), p_data, p_y)


def log_of(law):
    return lambda theta, theta0, q_x_0, p_data: {"x": np.log(law(softmax_law(theta0), p_data))}


def target_law(label=0, likelihood=log_q_reversed):
    return lambda theta0, phi, p_data: bayes_with(likelihood)(theta0, phi, p_data, UNIFORM)[label]


def weighted_pointwise(theta0, phi, p_data):
    q = np.exp(log_q_reversed(phi))
    return q[1] * softmax_law(theta0) + q[0] * p_data


CLAIMS = [
    Claim("lecture12.sec3.2_ptheta0", bayes_terms(), equals(bayes, reference_case),
          {"p_data as the prior": bayes_terms(bayes_with(prior=data_prior)),
           "q for q^r": bayes_terms(bayes_with(log_q)),
           "not normalised": bayes_terms(lambda theta0, phi, p_data, p_y: np.exp(log_q_reversed(phi))
                                         * marginal(theta0, p_data, p_y)),
           "the mean of the two laws, whatever p(y) is": bayes_terms(make_marginal=unweighted_marginal)}),
    Claim("lecture12.sec3.2_posterior", variational_law(target), minimises(minus_bound, "laws", with_free_laws),
          {"p_data as the prior": variational_law(bayes_with(prior=data_prior)),
           "q for q^r": variational_law(bayes_with(log_q)),
           "the likelihood alone": variational_law(bayes_with(prior=lambda theta0, p_data, p_y: 1.0)),
           "the prior alone": variational_law(bayes_with(likelihood=lambda phi: np.zeros((2, len(phi["D"])))))}),
    Claim("lecture12.sec3.2_drive", log_of(lambda p_g, p: p),
          minimises(kl_to_target, "theta", step_from(lambda theta0, p_data, _: optimal_phi(theta0, p_data, UNIFORM))),
          {"half of the way, to (p_g + p_data)/2": log_of(lambda p_g, p: (p_g + p) / 2),
           "nowhere: p_g is optimal already": log_of(lambda p_g, p: p_g),
           "beyond the data, p_data^2 / p_g": log_of(lambda p_g, p: p**2 / p_g)},
          without=minimises(kl_to_target, "theta", step_from(lambda theta0, p_data, phi: phi))),
    Claim("lecture12.sec3.2_marginal", lambda theta, p_data: marginal(theta, p_data, UNIFORM),
          equals(lambda theta, p_data: onp.array([(g + d) / 2 for g, d in zip(softmax_law(theta), p_data)]),
                 lambda seed: {"theta": random_case(seed)["theta"], "p_data": random_case(seed)["p_data"]}),
          {"the sum, without 1/2": equal_labels(lambda p_g, p: p_g + p),
           "the geometric mean": equal_labels(lambda p_g, p: np.sqrt(p_g * p)),
           "the generator's law alone": equal_labels(lambda p_g, p: p_g)}),
    Claim("lecture12.sec3.2_const", slope(generated_term), is_gradient_of(average_divergence, "theta", moved_case),
          {"the target of y = 1 moves with theta": slope(moving_real_term),
           "both targets move with theta": slope(moving_target),
           "p(0) forgotten": slope(lambda p_y, **rest: generated_term(p_y=p_y, **rest) / p_y[0])}),
    Claim("lecture12.sec3.2_kl0", two_terms(), equals(average_divergence, moved_case),
          {"the constant taken to be zero": two_terms(real=lambda p, q_x: 0.0),
           "KL(q^r(x|0) || p_g), the other direction": two_terms(lambda p, q_x: kl(q_x[0], p)),
           "the targets exchanged": two_terms(lambda p, q_x: kl(p, q_x[1]), lambda p, q_x: kl(p, q_x[0]))}),
    Claim("lecture12.sec3.2_mixture", target_law(), equals(projection_on_segment, calibrated_discriminator),
          {"q^r(x|1)": target_law(label=1),
           "q for q^r": target_law(likelihood=log_q),
           "(1 - D(x)) p_g + D(x) p_data": weighted_pointwise,
           "equal weights": lambda theta0, phi, p_data: marginal(theta0, p_data, UNIFORM)},
          without=equals(projection_on_segment, any_discriminator)),
]
