r"""Bayesian inference of parameters, and the predictions that it makes (kingma2019 App. A.1.3-A.1.4).

    Eq. A.1     p(a, b) = p(a) p(b|a)
    Eq. A.2     p(a|b) = p(b|a) p(a) / p(b)
    A.1.4       p(theta, D) = p(theta|D) p(D) = p(theta) p_theta(D)
    Eq. A.3     p(theta|D) = p_theta(D) p(theta) / p(D)
    A.1.4       p(x = x'|D) = int p_theta(x = x') p(theta|D) dtheta

Eqs. A.1 and A.2 are about any two variables: here the columns a, b (n,) of a list of records, whose shares are p.
The rest is about the coin of `refdgm.models.beta_bernoulli`, by quadrature over its bias theta and in closed form.
That the predictions are the best ones is shown for T parameters: their prior (T,) and the model p_theta(x), (T, X).

Three ones in a row, a flat prior: Laplace's rule gives the next one 4/5.

    >>> import numpy as np
    >>> from refdgm.directed.bayesian_inference import predictive
    >>> round(float(predictive({"a": 1.0, "b": 1.0}, D=np.ones(3))[1]), 3)
    0.8
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, minimises
from refdgm.models import beta_bernoulli as coin
from refdgm.numerics import all_tuples, log_softmax, log_sum_exp


def share(event, among):
    """p(event|among): the share of the records `among` in which the event is true.  (n,), (n,) bools -> ()"""
    valid.require(onp.any(among), "among must hold a record, but holds none.")
    return onp.mean(event[among])


def chain_rule(a, b):
    """p(a) p(b|a) for every pair of values (kingma2019 Eq. A.1).  -> (A, B)"""
    every = onp.ones(len(a), dtype=bool)
    return onp.array([[share(a == i, every) * share(b == j, a == i) for j in onp.unique(b)]
                      for i in onp.unique(a)])


def bayes_rule(a, b):
    """p(b|a) p(a) / p(b) for every pair of values (kingma2019 Eq. A.2).  -> (A, B)"""
    every = onp.ones(len(a), dtype=bool)
    return onp.array([[share(b == j, a == i) * share(a == i, every) / share(b == j, every) for j in onp.unique(b)]
                      for i in onp.unique(a)])


def log_evidence(prior, D, log_likelihood=coin.log_likelihood):
    """log p(D) = log int p_theta(D) p(theta) dtheta, by quadrature (kingma2019 App. A.1.4).  -> ()"""
    theta, log_w = coin.grid()
    return log_sum_exp(log_likelihood(theta, D) + coin.log_prior(prior, theta) + log_w)


def log_posterior(prior, D, theta, log_likelihood=coin.log_likelihood):
    """log p(theta|D) = log p_theta(D) + log p(theta) - log p(D) (kingma2019 Eq. A.3).  (...) -> (...)"""
    return log_likelihood(theta, D) + coin.log_prior(prior, theta) - log_evidence(prior, D, log_likelihood)


def predictive(prior, D, log_likelihood=coin.log_likelihood):
    """p(x = x'|D) for x' = 0 and 1: the model averaged over its posterior (kingma2019 App. A.1.4).  -> (2,)"""
    theta, log_w = coin.grid()
    mass = np.exp(log_posterior(prior, D, theta, log_likelihood) + log_w)
    return np.array([np.sum(mass * (1 - theta)), np.sum(mass * theta)])


def log_predictive(prior, model, N):
    """log p(x'|D) for every data set D of N values and every x' (kingma2019 App. A.1.4).  -> (X**N, X)"""
    log_p_D = data_sets(model, N)
    return log_softmax(log_sum_exp(np.log(prior)[:, None, None] + log_p_D[:, :, None] + np.log(model)[:, None], axis=0))


def data_sets(model, N):
    """log p_theta(D) for every data set D of N values.  (T, X) -> (T, X**N)"""
    return np.sum(np.log(model)[:, all_tuples(model.shape[1], N)], axis=-1)


# ---- claims ---------------------------------------------------------------------------

def records(seed, values=(3, 4), n=30):
    """Two dependent columns of n records, in which every value occurs."""
    rng = onp.random.default_rng(seed)
    a = onp.append(rng.integers(0, values[0], n - values[1]), onp.arange(values[1]) % values[0])
    b = onp.append((a[:-values[1]] + rng.integers(0, 2, n - values[1])) % values[1], onp.arange(values[1]))
    return {"a": a, "b": b}


def shares_of_pairs(a, b, among=lambda a, b, i, j: a == a):
    """The oracle: how often each pair occurs among the records that among(a, b, i, j) selects, counted.  -> (A, B)"""
    return onp.array([[share((a == i) & (b == j), among(a, b, i, j)) for j in onp.unique(b)]
                      for i in onp.unique(a)])


def from_shares(combine):
    """A wrong rule: combine(p(a), p(b), p(b|a), p(a|b)) for every pair of values, each as a table (A, B)."""
    def rule(a, b):
        joint = shares_of_pairs(a, b)
        p_a, p_b = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
        return combine(p_a, p_b, joint / p_a, joint / p_b)
    return rule


def at_some_biases(seed):
    """The coin, with a few values of its bias."""
    return {**coin.random_case(seed), "theta": onp.random.default_rng([seed, 1]).uniform(0.05, 0.95, 9)}


def joint_by_posterior(prior, D, theta):
    """p(theta|D) p(D), both in closed form."""
    after = coin.posterior(prior, D)
    return np.exp(coin.log_beta_density(theta, after["a"], after["b"]) + coin.log_evidence(prior, D))


def joint_by_prior(prior, D, theta):
    """p(theta) p_theta(D), the bits one by one."""
    return np.exp(coin.log_prior(prior, theta)) * np.prod(np.where(D == 1, theta[:, None], 1 - theta[:, None]), axis=1)


def conjugate_posterior(prior, D, theta):
    """The oracle of Eq. A.3: the beta density with the data counted in, normalised by the gamma function."""
    after = coin.posterior(prior, D)
    return np.exp(coin.log_beta_density(theta, after["a"], after["b"]))


def by_quadrature(prior, D, theta):
    return np.exp(log_posterior(prior, D, theta))


def sticky(s):
    """A likelihood in which each bit copies the one before with probability s; s = 0: independent given theta."""
    def log_likelihood(theta, D):
        p_one = s * D[:-1, None] + (1 - s) * theta
        first, rest = np.log(theta) if D[0] else np.log1p(-theta), np.where(D[1:, None] == 1, p_one, 1 - p_one)
        return first + np.sum(np.log(rest), axis=0)
    return log_likelihood


def averaged_model(prior, D, s):
    return predictive(prior, D, sticky(s))


def ratio_of_evidences(prior, D, s):
    """The oracle of the predictive: p(D, x') / p(D), of which D, x' are data like any other."""
    if s == 0:
        extended = [coin.log_evidence(prior, onp.append(D, x)) for x in (0, 1)]
        return np.exp(np.array(extended) - coin.log_evidence(prior, D))
    extended = [log_evidence(prior, onp.append(D, x), sticky(s)) for x in (0, 1)]
    return np.exp(np.array(extended) - log_evidence(prior, D, sticky(s)))


def plug_in(estimate):
    """The model at one value of theta, in place of the average over all."""
    def predict(prior, D, s):
        theta = estimate(prior, D)
        return np.array([1 - theta, theta])
    return predict


def coin_case(s):
    return lambda seed: {**coin.random_case(seed), "s": s}


def finite_case(correct):
    """Five parameter values for a variable of three states; nature's prior over them is ours, or (not) another one."""
    def case(seed):
        rng = onp.random.default_rng(seed)
        prior = rng.dirichlet(onp.ones(5) * 2)
        nature = prior if correct else rng.dirichlet(onp.ones(5) * 2)
        return {"prior": prior, "nature": nature, "model": rng.dirichlet(onp.ones(3), 5)}
    return case


def expected_log_loss(log_r, prior, nature, model):
    """- E log r(x'|D) over theta, two data and what comes next, for any predictions log_r (9, 3)."""
    p_D = np.exp(data_sets(model, 2))
    return -np.sum(nature[:, None, None] * p_D[:, :, None] * model[:, None] * log_softmax(log_r))


def at_best_theta(log_criterion):
    """log p_theta(x') at the theta that is best for D by log_criterion(prior, log p_theta(D)) (T, D)."""
    return lambda prior, nature, model: np.log(model)[np.argmax(log_criterion(prior, data_sets(model, 2)), axis=0)]


CLAIMS = [
    Claim("kingma2019.eqA.1", chain_rule, equals(shares_of_pairs, records),
          {"p(a) p(a|b)": from_shares(lambda p_a, p_b, b_given_a, a_given_b: p_a * a_given_b),
           "p(b) p(b|a)": from_shares(lambda p_a, p_b, b_given_a, a_given_b: p_b * b_given_a),
           "p(a) p(b): as if independent": from_shares(lambda p_a, p_b, b_given_a, a_given_b: p_a * p_b)}),
    Claim("kingma2019.eqA.2", bayes_rule,
          equals(lambda a, b: shares_of_pairs(a, b, among=lambda a, b, i, j: b == j), records),
          {"divided by p(a)": from_shares(lambda p_a, p_b, b_given_a, a_given_b: b_given_a * p_b / p_a),
           "not divided by p(b)": from_shares(lambda p_a, p_b, b_given_a, a_given_b: b_given_a * p_a),
           "p(b|a) for p(a|b)": from_shares(lambda p_a, p_b, b_given_a, a_given_b: b_given_a),
           "the prior p(a) forgotten": from_shares(lambda p_a, p_b, b_given_a, a_given_b: b_given_a
                                                   / np.sum(b_given_a, axis=0))}),
    Claim("kingma2019.A.1.4.joint", joint_by_posterior, equals(joint_by_prior, at_some_biases),
          {"p_theta(D) p(D)": lambda prior, D, theta: np.exp(
              coin.log_likelihood(theta, D) + coin.log_evidence(prior, D)),
           "p(theta|D) p(theta)": lambda prior, D, theta: conjugate_posterior(prior, D, theta) * np.exp(
               coin.log_prior(prior, theta)),
           "the evidence of the counts, in any order": lambda prior, D, theta: joint_by_posterior(prior, D, theta)
           * np.exp(-np.log(len(D) + 1) - coin.log_beta_function(np.sum(D) + 1, np.sum(1 - D) + 1))},
          host_only="its gamma function is Python's, of a number"),
    Claim("kingma2019.eqA.3", by_quadrature, equals(conjugate_posterior, at_some_biases, method="quadrature"),
          {"a flat prior": lambda prior, D, theta: by_quadrature({"a": 1.0, "b": 1.0}, D, theta),
           "not normalised": joint_by_prior,
           "divided by p_theta(D) at the same theta": lambda prior, D, theta: np.exp(coin.log_prior(prior, theta)),
           "the likelihood, normalised over the data": lambda prior, D, theta: np.exp(coin.log_likelihood(theta, D)),
           "p(theta) in the evidence only": lambda prior, D, theta: np.exp(
               coin.log_likelihood(theta, D) - log_evidence(prior, D))}),
    Claim("kingma2019.A.1.4.pred", averaged_model, equals(ratio_of_evidences, coin_case(s=0.0), method="quadrature"),
          {"the maximum likelihood parameter plugged in": plug_in(lambda prior, D: np.mean(D)),
           "the MAP parameter plugged in": plug_in(lambda prior, D: (prior["a"] + np.sum(D) - 1)
                                                   / (prior["a"] + prior["b"] + len(D) - 2)),
           "averaged over the prior": plug_in(lambda prior, D: prior["a"] / (prior["a"] + prior["b"])),
           "a flat prior": lambda prior, D, s: predictive({"a": 1.0, "b": 1.0}, D),
           "the last datum not counted": lambda prior, D, s: predictive(prior, D[:-1])},
          without=equals(ratio_of_evidences, coin_case(s=0.5), method="quadrature")),
    Claim("kingma2019.A.1.4.opt", lambda prior, nature, model: log_predictive(prior, model, 2),
          minimises(expected_log_loss, "log_r", finite_case(correct=True)),
          {"a flat prior": lambda prior, nature, model: log_predictive(np.ones(5) / 5, model, 2),
           "the data ignored": lambda prior, nature, model: np.log(np.ones((9, 1)) * (prior @ model)),
           "the maximum likelihood parameter plugged in": at_best_theta(lambda prior, log_p_D: log_p_D),
           "the MAP parameter plugged in": at_best_theta(lambda prior, log_p_D: log_p_D + np.log(prior)[:, None])},
          without=minimises(expected_log_loss, "log_r", finite_case(correct=False))),
]
