"""Joint tables, Gaussian codes and the encoder gradient: what the claims take for granted."""
import autograd.numpy as np
import pytest
from autograd import grad, jacobian
from autograd.misc import flatten

from refdgm.autoencoders import encoder_score
from refdgm.distances import distance
from refdgm.models import gaussian_encoder as gauss
from refdgm.models import joint_tables as tables


@pytest.mark.parametrize("seed", range(3))
def test_tables_are_distributions(seed):
    case = tables.random_case(seed)
    assert abs(np.sum(tables.encoder(case["phi"], case["D"])) - 1) < 1e-13
    assert np.max(np.abs(np.sum(tables.decoder(case["theta"]), axis=(0, 1, 2)) - 1)) < 1e-13
    for joint in tables.noisy_copies(seed).values():
        assert abs(np.sum(joint) - 1) < 1e-13 and np.min(joint) > 0


def test_an_island_has_codes_of_its_own():
    case = tables.islands_case(5)
    code = np.sum(tables.encoder(case["phi"], case["D"]), axis=(1, 2))
    assert np.all(np.sum(code > 0, axis=0) == 1) and np.all(np.sum(code > 0, axis=1) >= 2)


def test_information_of_a_copy_is_its_entropy_and_of_independent_variables_zero():
    p = np.array([0.2, 0.3, 0.5])
    assert abs(tables.mutual_information(np.diag(p), (0,), (1,)) + np.sum(p * np.log(p))) < 1e-14
    assert abs(tables.mutual_information(np.outer(p, p[:2] / 0.5), (0,), (1,))) < 1e-14


def test_kl_names_what_is_wrong():
    q = np.full((2, 2), 0.25)
    with pytest.raises(ValueError, match="same cells"):
        tables.kl(q, np.full((4,), 0.25))
    with pytest.raises(ValueError, match="sum to one"):
        tables.kl(q, q / 2)
    with pytest.raises(ValueError, match="positive wherever"):
        tables.kl(q, np.array([[0.5, 0.5], [0.0, 0.0]]))


@pytest.mark.parametrize("name, value, message", [
    ("D", [0.5, 0.4, 0.2], "D must sum to one"),
    ("phi", {"z0": np.zeros((3, 3))}, "z0.*shape"),
    ("theta", {"decoder": np.full((3, 2, 3, 4), np.nan)}, "decoder.*finite")])
def test_validate_names_the_parameter(name, value, message):
    case = tables.random_case(0)
    case[name] = {**case[name], **value} if isinstance(value, dict) else value
    with pytest.raises(ValueError, match=message):
        tables.validate(**case)


@pytest.mark.parametrize("seed", range(3))
def test_hand_scores_are_autograd_of_the_log_encoder(seed):
    case = tables.random_case(seed)
    phi, D, signal = case["phi"], case["D"], case["theta"]["decoder"]
    q = tables.encoder(phi, D)
    auto = grad(lambda phi: np.sum(q * signal * np.log(tables.encoder(phi, D))))(phi)
    assert distance(encoder_score.mean_score(phi, D, signal), auto) < 1e-12


@pytest.mark.parametrize("name", ["c", "d", "log_t"])
def test_hand_scores_are_autograd_of_gaussian_codes(name):
    case = gauss.random_case(2)
    phi, points = case["phi"], case["points"]
    y, zbar = np.array([[0.3], [-1.0], [0.8]]), np.array([[0.5], [0.1], [-2.0]])
    auto = jacobian(lambda value: gauss.log_q_zbar({**phi, name: value}, points, y, zbar))(phi[name])
    assert distance(gauss.score_q_zbar(phi, points, y, zbar)[name], auto) < 1e-13


@pytest.mark.parametrize("seed", range(5))
def test_the_grids_resolve_every_density(seed):
    case = gauss.random_case(seed)
    phi, points, D = case["phi"], case["points"], case["D"]
    log_q, y, zbar, w = gauss.joint_on_grid(phi, points, D)
    q_zbar = np.sum(np.exp(log_q), axis=(0, 1)) * (y[0, 1, 0] - y[0, 0, 0])
    assert abs(np.sum(w * np.exp(log_q)) - 1) < 1e-12
    assert distance(q_zbar, np.exp(gauss.log_aggregate(phi, points, D, zbar[0, 0]))) < 1e-12
    eps, eta, weights = gauss.noise()
    coarse, fine = [gauss.aggregate_entropy(phi, points, D, n) for n in (89, 401)]
    assert abs(np.sum(weights) - 1) < 1e-13 and abs(coarse - fine) < 1e-12


def test_the_decoder_of_gaussian_codes_sums_to_one_over_x_and_y():
    case = gauss.random_case(0)
    y, w = gauss.trapezoid(-12.0, 12.0, 241)
    log_p = gauss.log_p(case["theta"], y + np.zeros((3, 1)), np.full((3, 241), 0.7))
    assert abs(np.sum(w * np.exp(log_p)) - 1) < 1e-12


def test_samples_have_the_density_they_are_scored_with():
    """The change of variables (eps, eta) -> (y, zbar) has the Jacobian s t."""
    case = gauss.random_case(1)
    phi, points = case["phi"], case["points"]
    eps, eta = 0.3, np.array([-1.1, 0.4])
    y, zbar = gauss.sample(phi, points, eps, eta)
    y = y + 0 * zbar
    log_q = gauss.log_q_y(phi, points, y) + gauss.log_q_zbar(phi, points, y, zbar)
    expected = gauss.normal(eps, 0.0, 0.0) + gauss.normal(eta, 0.0, 0.0) - phi["log_s"] - phi["log_t"]
    assert flatten(log_q)[0].size == 6 and np.max(np.abs(log_q - expected)) < 1e-13
