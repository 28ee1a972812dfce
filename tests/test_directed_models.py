"""Bayesian networks, latent variable models of binary data, mixtures, classifiers: oracles and refusals."""
import numpy as np
import pytest
from autograd import grad

from refdgm.checking import GRADIENT, IDENTITY
from refdgm.directed import batch_gradient, few_data, fully_observed, minibatch, neural_bayes_net, recognition
from refdgm.distances import distance
from refdgm.models import bayes_net, bernoulli_dlvm, discriminative, hierarchy, linear_gaussian, mixture, notation
from refdgm.numerics import all_binary, trapezoid

SEEDS = range(3)
CHAIN = ((), (0,))
TABLES = [np.array([0.4, 0.6]), np.array([[0.3, 0.7], [0.2, 0.8]])]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_score_of_the_bernoulli_model_is_autograds(seed):
    case = bernoulli_dlvm.random_case(seed)
    z = np.random.default_rng([seed, 1]).normal(size=(3, 2))
    score = bernoulli_dlvm.score_theta(case["theta"], case["x"], z)
    for k in range(3):
        auto = grad(bernoulli_dlvm.log_joint)(case["theta"], case["x"], z[k])
        assert distance({name: leaf[k] for name, leaf in score.items()}, auto) < GRADIENT


@pytest.mark.parametrize("seed", SEEDS)
def test_the_bernoulli_marginal_sums_to_one(seed):
    theta = bernoulli_dlvm.random_case(seed)["theta"]
    assert abs(np.sum(np.exp(bernoulli_dlvm.log_marginal(theta, all_binary(4)))) - 1) < IDENTITY


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mixture_integrates_to_one(seed):
    theta = mixture.random_case(seed)["theta"]
    t, w = trapezoid(-20.0, 20.0, 401)
    x = np.stack(np.meshgrid(t, t), axis=-1)
    assert abs(w @ np.exp(mixture.log_marginal(theta, x)) @ w - 1) < IDENTITY


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gain_of_the_discriminative_fit_is_a_divergence(seed):
    """The fits to p(y|x) and to p(x, y) differ in log-loss by KL[disc || gen], averaged over x: Pythagoras."""
    p = discriminative.random_laws(seed)
    disc, gen = discriminative.logistic_regression(p), discriminative.naive_bayes(p)
    gain = discriminative.log_loss(p, gen) - discriminative.log_loss(p, disc)
    divergence = np.sum(np.sum(p, axis=-2, keepdims=True) * disc * np.log(disc / gen), axis=(-1, -2))
    np.testing.assert_allclose(gain, divergence, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_newtons_fit_is_stationary(seed):
    case = fully_observed.random_case(seed)
    lam = fully_observed.maximum_likelihood(**case)
    assert np.max(np.abs(grad(fully_observed.log_likelihood)(lam, **case))) < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_of_the_ascent_is_along_the_gradient(seed):
    case = batch_gradient.product_net_case(seed)
    step = batch_gradient.product_net_ascent(**case, rate=0.5, steps=1) - case["start"]
    assert distance(step, -0.5 * grad(batch_gradient.product_net_loss)(case["start"], case["u"], case["y"])) < GRADIENT


@pytest.mark.parametrize("seed", SEEDS)
def test_both_gradient_estimators_are_unbiased(seed):
    case = recognition.smooth_case(seed)
    means = [recognition.mean_and_variance(estimator, **case)[0]
             for estimator in (recognition.score_function, recognition.pathwise)]
    assert distance(*means) < IDENTITY


def test_variances_known_by_hand():
    """f = z^2, m = 2, s = 1: 4 s^2 = 4 along the path, m^4 + 14 m^2 s^2 + 15 s^4 = 87 by the score."""
    case = {"f": lambda z: z**2, "slope": lambda z: 2 * z, "m": 2.0, "s": 1.0}
    found = [recognition.mean_and_variance(e, **case)[1] for e in (recognition.pathwise, recognition.score_function)]
    np.testing.assert_allclose(found, [4.0, 87.0], rtol=IDENTITY)


def test_the_best_encoder_is_the_posterior_mean():
    case = recognition.amortised_case(0)
    mean, _ = recognition.encoder(case["phi"], case["X"])
    np.testing.assert_allclose(mean, linear_gaussian.posterior_mean(case["theta"], case["X"]), rtol=1e-10)


REFUSALS = {
    "must be acyclic, but nodes": lambda: bayes_net.joint(((1,), (0,)), TABLES),
    "table of node 1 must have shape": lambda: bayes_net.joint(CHAIN, [np.array([0.2, 0.3, 0.5]), TABLES[1]]),
    "table of node 1 must sum to one": lambda: bayes_net.joint(CHAIN, [TABLES[0], TABLES[1] * 1.1]),
    "table of node 0 must be non-negative": lambda: bayes_net.sample(CHAIN, [np.array([-0.5, 1.5]), TABLES[1]],
                                                                    np.zeros((1, 2))),
    r"theta\[2\] must have the entries": lambda: neural_bayes_net.joint(
        **{**neural_bayes_net.random_case(0), "theta": [{"V": net["V"]} if j == 2 else net for j, net in enumerate(
            neural_bayes_net.random_case(0)["theta"])]}),
    "first law must sum to one": lambda: hierarchy.generative(np.array([0.5, 0.6]), []),
    "table 0 of the chain must have shape": lambda: hierarchy.generative(np.array([0.5, 0.5]), [np.eye(3)]),
    "x must have 4 components": lambda: bernoulli_dlvm.log_marginal(bernoulli_dlvm.random_case(0)["theta"], np.ones(3)),
    r"every theta\['Sigma'\] must be positive definite": lambda: mixture.log_marginal(
        {**mixture.random_case(0)["theta"], "Sigma": -np.stack([np.eye(2)] * 3)}, np.zeros(2)),
    "nu must be positive": lambda: mixture.log_scale_mixture(0.0, nu=-1.0),
    "x must have 4 components, but": lambda: discriminative.classifier(discriminative.classes_case(0)["theta"],
                                                                       np.ones(2)),
    r"p must have shape \(..., 2, 2\*\*D\)": lambda: discriminative.naive_bayes(np.ones((3, 4)) / 12),
    "N is 0": lambda: fully_observed.empirical(np.array([], dtype=int), 3),
    "a minibatch of 4 cannot be drawn from 3 data": lambda: minibatch.minibatches(3, 4, replacement=False),
    "the size of the minibatch must be an integer": lambda: minibatch.minibatches(3, 0, replacement=True),
    "p must sum to one": lambda: few_data.generative(np.ones((2, 4)), 3),
    "y must have shape": lambda: notation.hadamard(np.ones(2), np.ones(3)),
    r"every p_i must be in \[0, 1\]": lambda: notation.bernoulli_mass(np.ones(2), np.array([0.5, 1.5])),
}


@pytest.mark.parametrize("message", REFUSALS)
def test_bad_input_is_refused_in_one_sentence(message):
    with pytest.raises(ValueError, match=message):
        REFUSALS[message]()
