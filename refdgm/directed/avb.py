r"""Adversarial variational Bayes: a discriminator stands in for the density ratio of the bound
(ou2018 Sec. 3.2.1, Eqs. 11-13, footnotes 7-8; Mescheder et al. 2017).

    Eq. 11   L      = E_{p~ q}[log p(h) - log q(h|x) + log p(x|h)]
    Eq. 12   V*     = argmax_V E_{p~ q}[log sigma(V)] + E_{p~ p(h)}[log(1 - sigma(V))] = log q(h|x) - log p(h)
    Eq. 13   L_AVB  = E_{p~ q}[-V + log p(x|h)],   equal to L at V = V*
    fn. 8    the gradients of L_AVB with V frozen at V* are those of L, because E_q[grad_phi V*] = 0

A discriminator of unlimited capacity is a table V (X, H). As footnote 7 has it, the prior log_prior (H,) does not
depend on theta; p(x|h) = softmax over x of theta["joint"] (X, H). q(h|x) and p_data (X,) are as in models.tables.

The bound, and Eq. 13 at V*, which never evaluates q:

    >>> from refdgm.directed.avb import avb_objective, elbo, optimal_discriminator, random_case
    >>> theta, phi, p_data, log_prior, _ = random_case(0).values()
    >>> V = optimal_discriminator(phi, log_prior)
    >>> round(float(elbo(theta, phi, log_prior, p_data)), 4), round(float(avb_objective(theta, phi, V, p_data)), 4)
    (-1.9805, -1.9805)
"""
import autograd.numpy as np
from autograd import grad, jacobian

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_gradient_of, minimises, vanishes
from refdgm.models import tables
from refdgm.models.tables import log_likelihood, log_q, score_phi
from refdgm.numerics import kl, log_sigmoid, log_softmax, log_sum_exp, sigmoid, softmax, weighted_sum


def data_and_q(phi, p_data):
    """p~(x) q(h|x), the law of the draws.  -> (X, H)"""
    return p_data[:, None] * np.exp(log_q(phi))


def elbo(theta, phi, log_prior, p_data):
    """The bound, averaged over the data, in three terms (ou2018 Eq. 11).  -> ()"""
    return np.sum(data_and_q(phi, p_data) * (log_prior - log_q(phi) + log_likelihood(theta)))


def discriminator_objective(V, phi, log_prior, p_data):
    """How well sigma(V) tells draws of p~ q from draws of p~ p(h); 1 - sigma(V) = sigma(-V) (ou2018 Eq. 12).  -> ()"""
    data_and_prior = p_data[:, None] * np.exp(log_prior)
    return np.sum(data_and_q(phi, p_data) * log_sigmoid(V) + data_and_prior * log_sigmoid(-V))


def optimal_discriminator(phi, log_prior):
    """V*(x, h) = log q(h|x) - log p(h) (ou2018 before Eq. 12).  -> (X, H)"""
    return log_q(phi) - log_prior


def avb_objective(theta, phi, V, p_data):
    """L_AVB: the density of q is nowhere evaluated, only averaged over (ou2018 Eq. 13).  -> ()"""
    return np.sum(data_and_q(phi, p_data) * (-V + log_likelihood(theta)))


def grad_theta(theta, phi, p_data):
    """E_{p~ q}[grad_theta log p(x|h)]; V is free of theta (ou2018 footnote 8).  -> {"joint": (X, H)}"""
    return weighted_sum(data_and_q(phi, p_data), score_likelihood(theta))


def grad_phi(theta, phi, V, p_data):
    """E_{p~ q}[grad_phi log q(h|x) (-V + log p(x|h))] with V frozen (ou2018 footnote 8).  -> {"q": (X, H)}"""
    return weighted_sum(data_and_q(phi, p_data) * (-V + log_likelihood(theta)), score_phi(phi))


def mean_slope_of_discriminator(phi, log_prior):
    """E_{q(h|x)}[grad_phi V*(x, h)] for every x (ou2018 footnote 8, end).  -> (X, X, H)"""
    return np.sum(np.exp(log_q(phi))[..., None, None] * _slope(phi, log_prior), axis=1)


def score_likelihood(theta):
    """dlog p(x|h)/dtheta for every cell: one-hot minus p(.|h), in column h only.  -> {"joint": (X, H, X, H)}"""
    X, H = theta["joint"].shape
    same_h = onp.eye(H)[None, :, None, :]
    return {"joint": same_h * (onp.eye(X)[:, None, :, None] - onp.exp(log_likelihood(theta)))}


def _slope(phi, log_prior):
    return jacobian(lambda logits: optimal_discriminator({"q": logits}, log_prior))(phi["q"])


# ---- cases ----------------------------------------------------------------------------

def random_case(seed):
    """Tables, a prior of their own, and V at its optimum."""
    case = tables.random_case(seed)
    log_prior = log_softmax(onp.random.default_rng([seed, 1]).normal(size=3))
    return {**case, "log_prior": log_prior, "V": optimal_discriminator(case["phi"], log_prior)}


def any_discriminator_case(seed):
    """As random_case, with some other V."""
    case = random_case(seed)
    return {**case, "V": onp.random.default_rng([seed, 2]).normal(size=case["V"].shape)}


def learned_prior_case(seed):
    """As random_case, with the prior that theta implies, against footnote 7."""
    case = random_case(seed)
    return {**case, "log_prior": tables.log_prior(case["theta"])}


def stale_case(seed):
    """As random_case, with the V that was optimal for an earlier phi_old."""
    case, phi_old = random_case(seed), tables.random_case(1000 + seed)["phi"]
    return {**case, "phi_old": phi_old, "V": optimal_discriminator(phi_old, case["log_prior"])}


# ---- claims: every function takes the whole case and names what it uses -----------------

def bound(theta, phi, log_prior, p_data, **_):
    return elbo(theta, phi, log_prior, p_data)


def plugged_in(theta, phi, V, p_data, **_):
    return avb_objective(theta, phi, V, p_data)


def frozen_grad_theta(theta, phi, p_data, **_):
    return grad_theta(theta, phi, p_data)


def frozen_grad_phi(theta, phi, V, p_data, **_):
    return grad_phi(theta, phi, V, p_data)


def evidence_less_kl(theta, phi, log_prior, p_data, **_):
    """E_p~[log p(x) - KL(q(h|x) || p(h|x))]: the bound without its three terms."""
    log_joint = log_prior + log_likelihood(theta)
    return np.sum(p_data * (log_sum_exp(log_joint) - kl(np.exp(log_q(phi)), softmax(log_joint))))


def bound_with_learned_prior(theta, phi, p_data, **_):
    return np.sum(data_and_q(phi, p_data) * (tables.log_joint(theta) - log_q(phi)))


def bound_pulled_to_old(theta, phi, log_prior, p_data, phi_old, pull=1.0, **_):
    """L + E_p~ KL(q || q_old): what phi ascends while psi stays where it was."""
    away = np.sum(data_and_q(phi, p_data) * (log_q(phi) - log_q(phi_old)))
    return elbo(theta, phi, log_prior, p_data) + pull * away


def mean_slope_under(weights):
    return lambda theta, phi, log_prior, **_: np.sum(
        weights(theta, phi, log_prior)[..., None, None] * _slope(phi, log_prior), axis=1)


def given(formula, **wrong):
    """The formula with some of its arguments replaced: name=function of the whole case."""
    return lambda **case: formula(**{**case, **{name: replace(**case) for name, replace in wrong.items()}})


def labels_exchanged(V, **_):
    return -V


def probability_for_logit(V, **_):
    return sigmoid(V)


def summed(p_data, **_):
    return np.ones(len(p_data))


def uniform(p_data, **_):
    return np.ones(len(p_data)) / len(p_data)


CLAIMS = [
    Claim("ou2018.eq11", bound, equals(evidence_less_kl, random_case),
          {"+ log q": lambda phi, p_data, **c: bound(phi=phi, p_data=p_data, **c) + 2 * np.sum(
              data_and_q(phi, p_data) * log_q(phi)),
           "no log p(h)": given(bound, log_prior=lambda log_prior, **_: 0 * log_prior),
           "log p(x, h) for log p(x|h), the prior counted twice": given(bound, log_prior=lambda log_prior, **_: (
               2 * log_prior)),
           "summed over x instead of averaged": given(bound, p_data=summed)}),
    Claim("ou2018.eq12", lambda theta, phi, V, log_prior, p_data: optimal_discriminator(phi, log_prior),
          minimises(lambda theta, phi, V, log_prior, p_data: -discriminator_objective(V, phi, log_prior, p_data),
                    "V", random_case),
          {"labels exchanged": labels_exchanged,
           "the probability instead of its logit": probability_for_logit,
           "log q alone": lambda phi, **_: log_q(phi),
           "the ratio to the posterior": lambda theta, phi, log_prior, **_: (
               log_q(phi) - log_softmax(log_prior + log_likelihood(theta))),
           "p~(x) in the first law only": lambda V, p_data, **_: V + np.log(p_data)[:, None]}),
    Claim("ou2018.eq13", plugged_in, equals(evidence_less_kl, random_case),
          {"+V": given(plugged_in, V=labels_exchanged),
           "the probability instead of its logit": given(plugged_in, V=probability_for_logit),
           "V a little off its optimum": given(plugged_in, V=lambda V, **_: V + 0.1 * np.sin(V)),
           "no log p(x|h)": lambda phi, V, p_data, **_: np.sum(data_and_q(phi, p_data) * -V)}),
    Claim("ou2018.fn8.theta", frozen_grad_theta, is_gradient_of(bound, "theta", random_case),
          {"the score of log p(x, h)": lambda theta, phi, p_data, **_: weighted_sum(
              data_and_q(phi, p_data), tables.score_theta(theta)),
           "averaged over the posterior": lambda theta, log_prior, p_data, **_: weighted_sum(
              p_data[:, None] * softmax(log_prior + log_likelihood(theta)), score_likelihood(theta)),
           "uniform p~": given(frozen_grad_theta, p_data=uniform)},
          without=is_gradient_of(bound_with_learned_prior, "theta", learned_prior_case)),
    Claim("ou2018.fn8.phi", frozen_grad_phi, is_gradient_of(bound, "phi", random_case),
          {"labels exchanged": given(frozen_grad_phi, V=labels_exchanged),
           "the probability instead of its logit": given(frozen_grad_phi, V=probability_for_logit),
           "through V only, no score": lambda phi, log_prior, p_data, **_: {
               "q": -np.sum(p_data[:, None, None] * mean_slope_of_discriminator(phi, log_prior), axis=0)},
           "no log p(x|h)": lambda phi, V, p_data, **_: weighted_sum(-data_and_q(phi, p_data) * V, score_phi(phi))},
          without=is_gradient_of(bound, "phi", any_discriminator_case)),
    Claim("ou2018.fn8.ptilde", frozen_grad_phi, is_gradient_of(plugged_in, "phi", any_discriminator_case),
          {"the gradient in (theta, phi)": lambda **c: {**frozen_grad_theta(**c), **frozen_grad_phi(**c)},
           "uniform p~": given(frozen_grad_phi, p_data=uniform),
           "any V taken for the optimal one": given(
               frozen_grad_phi, V=lambda phi, log_prior, **_: optimal_discriminator(phi, log_prior))},
          printed=given(frozen_grad_phi, p_data=summed)),       # an expectation under q alone does not weigh the x
    Claim("ou2018.fn8.prop2", lambda phi, log_prior, **_: mean_slope_of_discriminator(phi, log_prior),
          vanishes(lambda phi, log_prior, **_: np.mean(np.abs(_slope(phi, log_prior))), random_case),
          {"under p(h)": mean_slope_under(lambda theta, phi, log_prior: np.exp(log_prior + 0 * log_q(phi))),
           "under p(h|x)": mean_slope_under(lambda theta, phi, log_prior: softmax(log_prior + log_likelihood(theta))),
           "at every h": lambda phi, log_prior, **_: _slope(phi, log_prior)}),
    Claim("ou2018.avb.tradeoff", frozen_grad_phi, is_gradient_of(bound_pulled_to_old, "phi", stale_case),
          {"an old discriminator does no harm": given(
               frozen_grad_phi, V=lambda phi, log_prior, **_: optimal_discriminator(phi, log_prior)),
           "pushed away from the old q": lambda phi, **c: grad(
               lambda p: bound_pulled_to_old(phi=p, pull=-1.0, **c))(phi),
           "labels exchanged": given(frozen_grad_phi, V=labels_exchanged)}),
]
