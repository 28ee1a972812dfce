"""Random fields with auxiliary generators: what their claims take for granted, and what bad input says."""
import numpy as np
import pytest
from autograd import elementwise_grad, jacobian

from refdgm.models import implicit
from refdgm.numerics import trapezoid
from refdgm.samplers import independence, langevin
from refdgm.undirected import (autoregressive_generator, batch_norm_entropy, eag, iag, iag_convergence,
                               langevin_or_mis)


@pytest.mark.parametrize("seed", range(4))
def test_hand_gradients_on_the_line_are_autograds(seed):
    c = eag.draws_case(seed)
    theta, phi, eps = c["theta"], c["phi"], c["eps"]
    x = implicit.generate(phi, eps)
    np.testing.assert_allclose(eag.force(theta, x), elementwise_grad(lambda x: eag.potential(theta, x))(x)[:, 0],
                               rtol=1e-12)

    def log_slope(f):
        return np.log(elementwise_grad(lambda e: implicit.generate(f, e))(eps)[:, 0])
    for name in phi:
        def with_leaf(leaf, name=name): return {**phi, name: leaf}
        np.testing.assert_allclose(
            eag.generator_gradient(phi, eps)[name],
            jacobian(lambda leaf: implicit.generate(with_leaf(leaf), eps)[:, 0])(phi[name]), rtol=1e-12)
        step = 1e-5
        slope = (log_slope(with_leaf(phi[name] + step)) - log_slope(with_leaf(phi[name] - step))) / (2 * step)
        np.testing.assert_allclose(eag.entropy_gradient(phi, eps)[name].reshape(4), slope, atol=1e-9)


def test_noise_and_density_have_mass_one():
    assert abs(np.sum(eag.DENSITY) - 1) < 1e-14
    for seed in range(4):
        phi = eag.line_case(seed)["lam"]["phi"]
        assert abs(np.sum(eag.DX * np.exp(implicit.log_density(phi, eag.X))) - 1) < 1e-12


def test_law_of_z_has_mass_one():
    assert abs(np.sum(iag.law_of_z(**iag.case(0))) - 1) < 1e-14


@pytest.mark.parametrize("root", [iag_convergence.perfect_generator, iag_convergence.generator_that_ignores_h])
def test_both_roots_are_roots(root):
    for seed in range(4):
        assert np.max(np.abs(iag_convergence.field(**root(seed)))) < 1e-14


def test_parted_undoes_joined():
    theta, phi = iag_convergence.parted(np.arange(14.0))
    assert phi["W"].shape == (3, 1)
    np.testing.assert_array_equal(iag_convergence.joined(theta, phi), np.arange(14.0))


def test_batch_norm_deviations_are_those_of_the_activations():
    layers = batch_norm_entropy.generator_case(0)["layers"]
    for sigma, through in zip(batch_norm_entropy.deviations(layers), [layers[0], layers[1] @ layers[0]]):
        np.testing.assert_allclose(sigma**2, np.diag(through @ through.T), rtol=1e-12)


def test_mis_rate_is_the_second_eigenvalue_of_its_chain():
    """On a fine grid of the line, where the proposal's density has been made a law."""
    precision, wider = 1.7, 1.3
    x, dx = trapezoid(-8.0, 8.0, 301)
    log_q = -x**2 * precision / (2 * wider**2) + np.log(dx)
    log_q = log_q - np.log(np.sum(np.exp(log_q)))
    P = independence.transition_matrix(-x**2 * precision / 2 - log_q + np.log(dx), log_q)
    second = np.sort(np.linalg.eigvals(P).real)[-2]
    assert abs(second - langevin_or_mis.mis_rate(np.array([precision]), np.array([wider]))) < 1e-9


def test_langevin_rate_is_what_one_step_leaves_of_a_distance():
    precisions, eta = np.array([1.0, 4.0]), 0.3
    x, y, z = np.random.default_rng(0).normal(size=(3, 2))
    after = [langevin.step(v, lambda x: precisions * x, eta, z) for v in (x, y)]
    left = np.abs((after[0] - after[1]) / (x - y))
    np.testing.assert_allclose(left, 1 - eta * precisions / 2, rtol=1e-12)
    assert abs(langevin_or_mis.langevin_rate(precisions, eta) - 0.85) < 1e-14


def test_bad_data_are_named():
    c = iag.case(0)
    with pytest.raises(ValueError, match="p_data must sum to one"):
        iag.mean_F(c["theta"], c["phi"], 2 * c["p_data"])
    with pytest.raises(ValueError, match="p_data must sum to one"):
        autoregressive_generator.fields(**autoregressive_generator.field_and_generator(0), p_data=np.ones(8))
    with pytest.raises(ValueError, match="data must have shape"):
        eag.likelihood_gradient(eag.draws_case(0)["theta"], np.zeros(3))


def test_a_generator_narrower_than_the_field_has_no_rate():
    with pytest.raises(ValueError, match="wider than the field"):
        langevin_or_mis.mis_rate(np.ones(2), np.array([1.2, 0.9]))
