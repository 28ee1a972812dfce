r"""Maximum likelihood minimises the KL divergence from the data to the model.

A likelihood is a sum over observations, a KL divergence a sum over states. The empirical distribution $\tilde p$ turns
one into the other, and the entropy of the data makes up the difference. It does not depend on the model, so the two
have the same optimum; what does matter is the direction of the divergence. Every sum runs over all $2^D$ states of a
sigmoid belief net whose latent units have been summed out.
"""
import numpy as np
from autograd import grad

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import maximum_likelihood as ml
from refdgm.models import sbn
from refdgm.numerics import all_binary, entropy, kl, weighted_sum


def repeated_case(seed):
    """Nine observations of three bits, so that some state has been seen twice."""
    return sbn.random_data_case(seed, n=9)


@derivation(repeated_case)
def value(theta, phi, X):
    """The mean log-likelihood is minus the KL divergence from the data to the model, minus the data's entropy."""
    states = all_binary(X.shape[1])
    p_data = ml.empirical(ml.states_of(X), len(states))
    p = np.exp(sbn.log_marginal(theta, states))

    yield start(r"\frac1n \sum_{k=1}^n \log p_\theta(x_k)", ml.log_likelihood(theta, X) / len(X), claim="ou2018.eq6")

    yield equals(r"\sum_x \tilde p(x) \log p_\theta(x)", p_data @ np.log(p),
                 because="collect equal observations: state x occurs n p~(x) times", claim="ou2018.sec32.phat")

    yield mistake(r"\frac{1}{|\{x_k\}|} \sum_{x \in \{x_k\}} \log p_\theta(x)", np.mean(np.log(p[p_data > 0])),
                  because="a state that was observed twice counts twice")

    seen = p_data > 0
    yield equals(r"-\sum_x \tilde p(x) \log \frac{\tilde p(x)}{p_\theta(x)} + \sum_x \tilde p(x) \log \tilde p(x)",
                 -np.sum(p_data[seen] * np.log(p_data[seen] / p[seen])) + np.sum(p_data[seen] * np.log(p_data[seen])),
                 because="add and subtract log p~, with 0 log 0 = 0")

    yield equals(r"-\mathrm{KL}[\tilde p \| p_\theta] - H[\tilde p]", -kl(p_data, p) - entropy(p_data),
                 because="the definitions of KL divergence and entropy", claim="ou2018.eq6.kl")

    yield mistake(r"-\mathrm{KL}[\tilde p \| p_\theta]", -kl(p_data, p),
                  because="equivalent for the optimum, but not equal: the data have an entropy")

    yield at_most(r"-H[\tilde p]", -entropy(p_data),
                  because="a KL divergence is never negative: no model is more likely than the data's own frequencies",
                  claim="ou2018.sec32.consistency")


@derivation(sbn.random_data_case)
def gradient(theta, phi, X):
    """The likelihood's gradient is that of the KL divergence, and the difference of two means of the score."""
    states = all_binary(X.shape[1])
    p_data = ml.empirical(ml.states_of(X), len(states))
    p = np.exp(sbn.log_marginal(theta, states))

    def model(t): return np.exp(sbn.log_marginal(t, states))

    yield start(r"\nabla_\theta \frac1n \sum_{k=1}^n \log p_\theta(x_k)",
                grad(lambda t: ml.log_likelihood(t, X) / len(X))(theta), claim="ou2018.eq6")

    yield equals(r"-\nabla_\theta \mathrm{KL}[\tilde p \| p_\theta]", grad(lambda t: -kl(p_data, model(t)))(theta),
                 because="the entropy of the data does not depend on theta", claim="ou2018.eq6.kl")

    yield mistake(r"-\nabla_\theta \mathrm{KL}[p_\theta \| \tilde p_\epsilon]",
                  grad(lambda t: -kl(model(t), 0.99 * p_data + 0.01 / len(p_data)))(theta),
                  because="the other direction is infinite where nothing was observed, and pulls elsewhere if smoothed",
                  claim="ou2018.sec32.kl_asym")

    # The score of the marginal is the posterior mean of the score of the joint, Fisher's identity.
    joint_scores = sbn.score_theta(theta, states[:, None, :], sbn.latent_states(theta))
    scores = weighted_sum(sbn.posterior(theta, states), joint_scores, axis=-1)

    yield equals(r"\sum_x \tilde p(x) \sum_h p_\theta(h|x) \nabla_\theta \log p_\theta(x, h)",
                 weighted_sum(p_data, scores), because="the score of a marginal is the posterior mean of the joint's")

    yield equals(r"\sum_x (\tilde p(x) - p_\theta(x)) \sum_h p_\theta(h|x) \nabla_\theta \log p_\theta(x, h)",
                 weighted_sum(p_data - p, scores),
                 because="the score has mean zero under the model: at p = p~ the gradient vanishes")

    prior = np.exp(sbn.log_prior(theta, sbn.latent_states(theta)))
    yield mistake(r"\sum_x \tilde p(x) \sum_h p_\theta(h) \nabla_\theta \log p_\theta(x, h)",
                  weighted_sum(p_data[:, None] * prior, joint_scores),
                  because="latent states must come from the posterior, not from the prior")
