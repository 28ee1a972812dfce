"""The game of f-EBM and the mixture experiment: oracles, the printed bound in one dimension, bad input."""
import numpy as np
import pytest
from autograd import grad, hessian

from refdgm.adversarial import bias_correction, game_field, likelihood_limits, stability
from refdgm.distances import distance
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models import energy_game, gaussian_fit


def test_blocks_come_in_batches():
    many = energy_game.random_gradients(3, off=0.7)
    K = energy_game.blocks(many["p"], many["dE"], many["dH"])
    one = energy_game.blocks(many["p"][4], many["dE"][4], many["dH"][4])
    assert all(distance(a[4], b) < 1e-14 for a, b in zip(K, one))
    J = energy_game.jacobian(K, many["curvature"])
    assert distance(J[4], energy_game.jacobian(one, many["curvature"][4])) < 1e-14
    assert np.allclose(energy_game.mean_in_covariances(many["p"], many["dE"]), 0.7, rtol=1e-12)


def test_an_equilibrium_is_one():
    case = energy_game.random_game(5)
    for name in game_field.SMOOTH:
        assert np.max(np.abs(game_field.field(**case, name=name))) < 1e-14


def test_the_printed_bound_holds_for_one_parameter():
    for seed in range(20):
        case = energy_game.definite(40, "real", d=1)(seed)
        K = energy_game.blocks(case["p"], case["dE"], case["dH"])
        bound = stability.printed_real_bound(K, case["curvature"])
        assert np.all(bound < 0) and np.all(stability.largest_real_part("real")(**case) < bound)


def test_a_singular_curvature_does_not_move():
    case = energy_game.definite()(0)
    assert not np.any(stability.game_jacobian(**{**case, "curvature": np.zeros(8)}))


def test_the_fit_by_hand():
    target, f = gaussian_fit.near_printed(2), F_DIVERGENCES["jensen-shannon"]
    log_p, at = gaussian_fit.log_target(target), np.array([0.7, 0.4])
    slope, curvature = gaussian_fit.slope_and_hessian(at, log_p, f)
    assert distance(slope, grad(gaussian_fit.divergence)(at, log_p, f)) < 1e-11
    assert distance(curvature, hessian(gaussian_fit.divergence)(at, log_p, f)) < 1e-11


def test_the_optima_of_the_printed_mixture():
    expected = {"kl": (1.0100, 1.8304), "reverse kl": (1.5841, 1.6294), "jensen-shannon": (1.3125, 1.7525),
                "squared hellinger": (1.3175, 1.7316)}
    for name, (mu, sigma) in expected.items():
        found = gaussian_fit.optimum(gaussian_fit.PRINTED, F_DIVERGENCES[name])
        assert abs(found[0] - mu) < 1e-4 and abs(np.exp(found[1]) - sigma) < 1e-4


def test_rejection_ignores_a_constant():
    q, r = np.array([0.2, 0.3, 0.5]), np.array([2.0, 0.5, 0.9])
    assert distance(bias_correction.accepted_law(q, 7 * r), bias_correction.accepted_law(q, r)) < 1e-15


def test_bad_input_is_named():
    case = energy_game.random_game(0)
    with pytest.raises(ValueError, match="theta must have 2 components"):
        game_field.field(np.zeros(3), case["omega"], case["game"], "kl")
    with pytest.raises(ValueError, match="p must sum to one"):
        game_field.field(case["theta"], case["omega"], {**case["game"], "p": 2 * case["game"]["p"]}, "kl")
    with pytest.raises(ValueError, match="standard deviations must be at least 0.1"):
        gaussian_fit.optimum({**gaussian_fit.PRINTED, "std": np.array([0.01, 1.0])}, F_DIVERGENCES["kl"])
    with pytest.raises(ValueError, match="w must sum to one"):
        gaussian_fit.optimum({**gaussian_fit.PRINTED, "w": np.array([0.3, 0.3])}, F_DIVERGENCES["kl"])
    with pytest.raises(ValueError, match="noise ratio nu must be positive"):
        likelihood_limits.nce(np.eye(2), np.full(2, 0.5), np.full(2, 0.5), 0.0)
