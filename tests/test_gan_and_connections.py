"""GANs as adversarial inference (lecture12 Sec. 3): a continuous generator, laws that sum to one, bad input."""
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import elementwise_grad, grad, jacobian
from numpy.testing import assert_allclose, assert_array_equal

from refdgm.adversarial import lemma2, mode_selection
from refdgm.divergences import js
from refdgm.models import labelled_vae, labels
from refdgm.numerics import gaussian_log_prob, log_sigmoid, trapezoid

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_lemma_1_holds_for_a_generator_that_is_only_sampled(seed):
    """x = m + exp(s) z, differentiated through z as an implementation would, against the densities of Lemma 1."""
    rng = onp.random.default_rng(seed)
    theta0, knots, slopes = rng.normal(size=2) / 3, rng.normal(size=3), rng.normal(size=3)

    def log_odds(x): return np.dot(np.tanh(x[:, None] - knots), slopes)

    z, weight = trapezoid(-10.0, 10.0, 2001)
    weight = weight * np.exp(gaussian_log_prob(z[:, None], 0.0, 1.0))

    def sampled_loss(theta): return -np.dot(weight, log_sigmoid(log_odds(theta[0] + np.exp(theta[1]) * z))) / 2

    x, w = trapezoid(-20.0, 20.0, 2001)
    log_data = np.logaddexp(*(gaussian_log_prob(x[:, None], *mode) for mode in ((-1.0, 0.5), (2.0, 1.5)))) - np.log(2)

    def log_p_g(theta): return gaussian_log_prob(x[:, None], theta[0], np.exp(2 * theta[1]))
    def kl(log_a, log_b): return np.sum(w * np.exp(log_a) * (log_a - log_b))

    log_target = log_sigmoid(log_odds(x)) + np.logaddexp(log_p_g(theta0), log_data)

    def divergences(theta):
        log_g = log_p_g(theta)
        log_m = np.logaddexp(log_g, log_data) - np.log(2)
        return (kl(log_g, log_target) - kl(log_g, log_m) - kl(log_data, log_m)) / 2

    assert_allclose(grad(divergences)(theta0), grad(sampled_loss)(theta0), rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_and_laws(seed):
    case = labels.random_case(seed)
    score = jacobian(lambda x: labels.log_generator({"x": x}))(case["theta"]["x"])
    assert_allclose(labels.score_theta(case["theta"])["x"], score, atol=1e-14)
    q_x = labels.target(case["theta"], case["phi"], case["p_data"], case["p_y"])
    assert_allclose(q_x.sum(axis=1), 1, rtol=1e-12)
    theta, eta, p_data, fixed = labelled_vae.random_case(seed).values()
    assert_allclose(labelled_vae.joint(theta, p_data, fixed).sum(), 1, rtol=1e-12)
    assert_allclose(labelled_vae.posterior(theta, p_data, fixed).sum(axis=(1, 2)), 1, rtol=1e-12)
    for reversed_law in (labelled_vae.perfect_reversed, labelled_vae.optimal_reversed):
        law = labelled_vae.inference_law(1, eta, theta, p_data, fixed, reversed_law)
        assert_allclose(law.sum(axis=(1, 2)), 1, rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_perfect_discriminator_sees_laws_as_far_apart_as_can_be(seed):
    p_g, p_data = lemma2.laws_on(overlap=0)(seed).values()
    assert_array_equal(lemma2.perfect_from_x(p_g, p_data), lemma2.label_given_x(p_g, p_data))
    assert_allclose(js(p_g, p_data), np.log(2), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_generator_that_has_every_mode_leaves_none_out(seed):
    log_p = mode_selection.log_target(mode_selection.two_modes(seed)["target"])
    for divergence in (mode_selection.exclusive_kl, mode_selection.inclusive_kl, mode_selection.mixture_kl,
                       mode_selection.js):
        assert abs(divergence(log_p, log_p)) < 1e-12
        def of_normalised(a): return divergence(a - np.log(np.dot(mode_selection.WEIGHTS, np.exp(a))), log_p)
        assert_allclose(elementwise_grad(of_normalised)(log_p), 0, atol=1e-12)


def test_bad_input_is_named():
    theta, phi, p_data, p_y = labels.random_case(0).values()
    with pytest.raises(ValueError, match=r"phi\['D'\] must have shape \(6,\), but has shape \(5,\)"):
        labels.target(theta, {"D": phi["D"][1:]}, p_data, p_y)
    with pytest.raises(ValueError, match=r"theta\['x'\] must have shape"):
        labels.class_laws({"x": theta["x"][1:]}, p_data)
    with pytest.raises(ValueError, match="p_y must sum to one"):
        labels.marginal(theta, p_data, np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match="p_y must have shape"):
        labels.marginal(theta, p_data, np.ones(3) / 3)
    with pytest.raises(ValueError, match="p_data must be non-negative"):
        labels.class_laws(theta, p_data - 0.5)
    with pytest.raises(ValueError, match="no x is both generated and real, but 2 of 7 are"):
        lemma2.perfect_from_x(**lemma2.laws_on(overlap=2)(0))
    theta, eta, p_data, fixed = labelled_vae.random_case(0).values()
    with pytest.raises(ValueError, match=r"eta\['z'\] must have shape"):
        labelled_vae.vae_objective(theta, {"z": eta["z"][1:]}, p_data, fixed)
    with pytest.raises(ValueError, match=r"fixed\['q_1'\] must sum to one"):
        labelled_vae.vae_objective(theta, eta, p_data, {**fixed, "q_1": 2 * fixed["q_1"]})
    with pytest.raises(ValueError, match="the entries p_z, q_1, but q_1 is missing"):
        labelled_vae.joint(theta, p_data, {"p_z": fixed["p_z"]})
