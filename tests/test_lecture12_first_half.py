"""Belief nets, EM, wake and sleep, AEVB and the players of a GAN: what no claim covers, and bad input."""
import numpy as np
import pytest
from autograd import elementwise_grad

from refdgm.adversarial import gan_lecture, generator_gradients
from refdgm.directed import aevb, em, helmholtz, path_gradient, predictability_minimisation, wake_phase
from refdgm.models import layered_sbn, sbn, tables, vae

SEEDS = range(3)


@pytest.mark.parametrize("widths", [(1, 2), (2, 3, 2), (3, 1, 2, 2)])
def test_layers_of_any_number_and_width_sum_to_one(widths):
    theta, phi, p_data = layered_sbn.random_case(1, widths).values()
    joint = layered_sbn.joint(theta)
    assert joint.shape == tuple(2**K for K in widths)
    np.testing.assert_allclose(joint.sum(), 1, rtol=1e-12)
    np.testing.assert_allclose(layered_sbn.generate(theta), joint.reshape(-1, joint.shape[-1]).sum(0), rtol=1e-12)
    np.testing.assert_allclose(layered_sbn.posterior(theta).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(layered_sbn.recognise(phi, p_data).sum(), 1, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_em_ends_where_the_likelihood_is_stationary(seed):
    case = em.random_case(seed)
    path = em.em(**case, steps=3000)
    values = [em.log_likelihood(theta, case["p_data"]) for theta in path[::300]]
    assert np.all(np.diff(values) > -1e-12)
    last, before = (em.log_joint(theta) for theta in (path[-1], path[-2]))
    np.testing.assert_allclose(np.exp(last), np.exp(before), atol=1e-7)


def test_an_independent_code_leaves_nothing_to_predict():
    p = predictability_minimisation.factorial(predictability_minimisation.random_code(0)["p"])
    error = predictability_minimisation.prediction_error(p, predictability_minimisation.best_predictors(p))
    np.testing.assert_allclose(error, predictability_minimisation.unit_variances(p).sum(), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_slopes_by_hand_are_autograds(seed):
    case = path_gradient.random_case(seed)
    z = np.linspace(-2, 2, 5)
    by_autograd = elementwise_grad(lambda u: path_gradient.log_joint(case["theta"], case["x"], u[:, None]))(z)
    np.testing.assert_allclose(path_gradient.slope_of_log_joint(case["theta"], case["x"], z[:, None]), by_autograd,
                               rtol=1e-12)


def test_one_draw_of_the_noise_gives_one_gradient():
    case = aevb.data_case(0)
    g = aevb.minibatch_gradient(case["parameters"], case["X"][:2], np.zeros((2, 1)), N=3)
    assert {part: set(leaves) for part, leaves in g.items()} == {"theta": set("WbMmSs"), "phi": set("WbMmSs")}


def test_both_generator_objectives_pull_alike_where_the_discriminator_says_one_half():
    theta, _ = generator_gradients.game_case(0).values()
    flat = np.array([0.0, 1e-9, 0.0])           # log-odds of zero, with a slope
    low, high = (generator_gradients.generator_gradient(theta, flat, signal)
                 for signal in (generator_gradients.saturating, generator_gradients.non_saturating))
    np.testing.assert_allclose([low[name] for name in low], [-high[name] for name in low], atol=1e-17)


def test_bad_input_is_named():
    theta, phi, p_data = layered_sbn.random_case(0).values()
    with pytest.raises(ValueError, match=r"theta\[1\] must have shape \(any, 3\), but has shape \(2, 5\)"):
        layered_sbn.joint([theta[0], np.ones((2, 5))])
    with pytest.raises(ValueError, match="theta must hold at least one weight matrix"):
        layered_sbn.generate([])
    with pytest.raises(ValueError, match=r"theta\[0\] must be finite"):
        layered_sbn.posterior([theta[0] * np.nan, theta[1]])
    with pytest.raises(ValueError, match="p must have one axis of length 2 for each unit"):
        predictability_minimisation.best_predictors(np.full((2, 3), 1 / 6))
    with pytest.raises(ValueError, match="a predictor is not defined elsewhere"):
        predictability_minimisation.best_predictors(np.array([[0.5, 0.0], [0.5, 0.0]]))
    case = em.random_case(0)
    with pytest.raises(ValueError, match=r"p_data must have shape \(3, 4\)"):
        em.em(case["theta"], case["p_data"].T, 1)
    with pytest.raises(ValueError, match="every value of each feature must occur"):
        em.em(case["theta"], np.eye(3, 4) / 3, 1)
    with pytest.raises(ValueError, match="groups must name every row"):
        helmholtz.sleep_optimum(tables.random_case(0)["theta"], np.array([0, 2, 2, 0]))
    case = sbn.random_case(0)
    with pytest.raises(ValueError, match="x must have 3 components"):
        wake_phase.decoder_step({name: case["theta"][name] for name in ("W", "b")}, case["phi"], np.ones(2))
    case = vae.random_case(0)
    with pytest.raises(ValueError, match="a minibatch must hold 1 to N = 2 data, but holds 3"):
        aevb.minibatch_bound(case["theta"], case["phi"], np.ones((3, 2)), np.zeros((3, 1)), N=2)
    with pytest.raises(ValueError, match="G must map to x = 0..3, but reaches 0 and 4"):
        gan_lecture.generated_law(np.array([0, 4]), np.array([0.5, 0.5]), 4)
    with pytest.raises(ValueError, match="every x must be possible"):
        gan_lecture.best_discriminator(np.array([1.0, 0.0]), np.array([1.0, 0.0]))
