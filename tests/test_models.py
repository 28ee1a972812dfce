"""The oracles of the models: hand scores are autograd's, everything sums to one, bad input is told in one sentence."""
import numpy as np
import pytest
from autograd import grad, jacobian

from refdgm.checking import GRADIENT, IDENTITY
from refdgm.directed import efficiency, maximum_likelihood
from refdgm.distances import distance
from refdgm.models import autoregressive, deep_sbn, dlgm, graphical, implicit, linear_gaussian, sbn, tables, vae
from refdgm.numerics import all_binary, all_tuples, gauss_hermite, gaussian_log_prob, sigmoid, trapezoid

SEEDS = range(3)


def latent(model, case, seed, batch=4):
    """A batch of latent vectors of the right kind and length."""
    rng = np.random.default_rng([seed, 7])
    if model is linear_gaussian:
        return rng.normal(size=(batch, case["theta"]["W"].shape[1]))
    return rng.permutation(model.latent_states(case["theta"]))[:batch]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [sbn, deep_sbn, linear_gaussian], ids=lambda m: m.__name__.split(".")[-1])
def test_hand_scores_are_autograds(model, seed):
    case = model.random_case(seed)
    theta, phi, x = case["theta"], case["phi"], case["x"]
    h = latent(model, case, seed)
    by_theta, by_phi = model.score_theta(theta, x, h), model.score_phi(phi, x, h)
    for k in range(len(h)):
        assert distance({n: s[k] for n, s in by_theta.items()}, grad(model.log_joint)(theta, x, h[k])) < GRADIENT
        assert distance({n: s[k] for n, s in by_phi.items()}, grad(model.log_q)(phi, x, h[k])) < GRADIENT


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_binary_models_sum_to_one(model, seed):
    case = model.random_case(seed)
    xs = all_binary(len(case["x"]))
    assert abs(np.sum(np.exp(model.log_marginal(case["theta"], xs))) - 1) < IDENTITY
    np.testing.assert_allclose(np.sum(model.posterior(case["theta"], xs), axis=-1), 1, rtol=IDENTITY)
    np.testing.assert_allclose(np.sum(np.exp(model.log_q_table(case["phi"], xs)), axis=-1), 1, rtol=IDENTITY)


@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_the_mean_weight_over_draws_is_the_marginal(model):
    case = model.random_case(1)
    mean = model.mean_over_draws(lambda *args: np.mean(np.exp(model.log_weights(*args)), axis=-1), 2)(**case)
    assert distance(mean, np.exp(model.log_marginal(case["theta"], case["x"]))) < IDENTITY


@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_a_parameter_of_the_wrong_shape_is_named(model):
    case = model.random_case(0)
    model.validate(case["theta"], case["phi"])
    with pytest.raises(ValueError, match=r"theta\['a'\] must have shape"):
        model.validate(case["theta"] | {"a": np.zeros(7)})
    with pytest.raises(ValueError, match=r"phi must be finite|phi\['.*'\] must be finite"):
        model.validate(case["theta"], {name: leaf * np.nan for name, leaf in case["phi"].items()})


@pytest.mark.parametrize("seed", SEEDS)
def test_autoregressive_model_sums_to_one_and_its_score_is_autograds(seed):
    theta = autoregressive.random_case(seed)["theta"]
    xs = all_binary(4)
    assert abs(np.sum(np.exp(autoregressive.log_prob(theta, xs))) - 1) < IDENTITY
    scores = autoregressive.score_theta(theta, xs)
    for k in (3, 9):
        by_autograd = grad(autoregressive.log_prob)(theta, xs[k])
        assert distance({name: score[k] for name, score in scores.items()}, by_autograd) < GRADIENT


def test_ancestral_sampling_returns_x_with_probability_p():
    """Uniforms inside the box that belongs to x give x, and the box has the volume p(x)."""
    theta = autoregressive.random_case(5)["theta"]
    xs = all_binary(4)
    c = sigmoid(autoregressive.logits(theta, xs))
    low, high = np.where(xs == 1, 0, c), np.where(xs == 1, c, 1)
    for inside in (0.01, 0.99):
        np.testing.assert_array_equal(autoregressive.sample(theta, low + inside * (high - low)), xs)
    np.testing.assert_allclose(np.prod(high - low, axis=-1), np.exp(autoregressive.log_prob(theta, xs)), rtol=IDENTITY)


@pytest.mark.parametrize("seed", SEEDS)
def test_table_scores_are_autograds(seed):
    case = tables.random_case(seed)
    for name, score, log_prob in [("theta", tables.score_theta, tables.log_joint),
                                  ("phi", tables.score_phi, tables.log_q)]:
        (leaf, by_hand), = score(case[name]).items()
        assert distance(by_hand, jacobian(lambda value: log_prob({leaf: value}))(case[name][leaf])) < GRADIENT


@pytest.mark.parametrize("seed", SEEDS)
def test_vae_posterior_integrates_to_one_and_reparameterised_noise_has_the_law_of_q(seed):
    case = vae.random_case(seed)
    h, w = vae.latent_grid()
    assert abs(w @ np.exp(vae.log_posterior(case["theta"], case["x"], h)) - 1) < IDENTITY
    eps = np.linspace(-3, 3, 5)[:, None]
    draws = vae.reparameterise(case["phi"], case["x"], eps)
    stretch = jacobian(lambda e: vae.reparameterise(case["phi"], case["x"], e))(np.zeros(1))[0, 0]
    np.testing.assert_allclose(vae.log_q(case["phi"], case["x"], draws),
                               gaussian_log_prob(eps, 0.0, 1.0) - np.log(stretch), rtol=IDENTITY)


@pytest.mark.parametrize("seed", SEEDS)
def test_linear_gaussian_bound_is_the_mean_log_weight(seed):
    """With few nodes: log p(x, h) - log q(h|x) is quadratic in the noise."""
    case = linear_gaussian.random_case(seed)
    eps, w = gauss_hermite(4, 2)
    h = linear_gaussian.reparameterise(case["phi"], case["x"], eps)
    log_w = (linear_gaussian.log_joint(case["theta"], case["x"], h)
             - linear_gaussian.log_q(case["phi"], case["x"], h))
    assert distance(w @ log_w, linear_gaussian.elbo(**case)) < IDENTITY


def test_dlgm_joint_integrates_to_its_marginal():
    case = dlgm.random_case(3, D=2, H1=1, H2=1)
    x = np.array([0.3, -1.1])
    grid, w = trapezoid(-12.0, 12.0, 301)
    index = all_tuples(301, 2)
    h1, h2 = grid[index][:, :1] * 2, grid[index][:, 1:]
    joint = np.exp(dlgm.log_joint(case["theta"], x, h1, h2))
    assert distance(np.log(2 * np.sum(np.prod(w[index], -1) * joint)), dlgm.log_marginal(case["theta"], x)) < IDENTITY


def test_implicit_inverse_undoes_the_network():
    theta = implicit.random_case(2)["theta"]
    eps = np.random.default_rng(0).normal(size=(6, 2))
    assert distance(implicit.inverse(theta, implicit.generate(theta, eps)), eps) < IDENTITY


@pytest.mark.parametrize("call, sentence", [
    (lambda: autoregressive.validate({"W": np.zeros((2, 3)), "b": np.zeros(2)}), r"must have shape \(2, 2\)"),
    (lambda: autoregressive.chain_rule(np.full((2, 2), 0.3), [0, 1]), "p must sum to one"),
    (lambda: autoregressive.chain_rule(np.full((2, 2), 0.25), [0, 0]), "order must list each of 2 units once"),
    (lambda: linear_gaussian.validate({"W": np.ones((2, 1)), "b": np.zeros(2), "Psi": -np.eye(2)}),
     "must be positive definite"),
    (lambda: linear_gaussian.validate({"W": np.ones((2, 1)), "b": np.zeros(2), "Psi": np.triu(np.ones((2, 2)))}),
     "must be symmetric"),
    (lambda: dlgm.validate(dlgm.random_case(0)["theta"] | {"G": np.zeros((3, 3))}), "must have full rank"),
    (lambda: implicit.validate(implicit.random_case(0)["theta"] | {"A": np.ones((2, 2))}), "must be invertible"),
    (lambda: implicit.count_pieces(0, 2), "number of rectifiers J must be an integer of at least 1"),
    (lambda: graphical.undirected_joint(np.ones((2, 2)), -np.ones((2, 2))), "phi_2 must be non-negative"),
    (lambda: maximum_likelihood.empirical([], 3), "give an observation"),
    (lambda: maximum_likelihood.empirical([0, 3], 3), r"must be states 0\.\.2, but run from 0 to 3"),
    (lambda: efficiency.linkage_mle([0, 0, 0]), "no data"),
    (lambda: deep_sbn.latent_states({"W1": np.zeros((20, 20))}), "more than the"),
])
def test_bad_input_is_told_in_one_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
