"""Energy-based models, Langevin dynamics and f-EBM: what the claims leave open, and bad input."""
import numpy as np
import pytest

from refdgm.adversarial import febm, febm_algorithm, febm_dual
from refdgm.distances import distance
from refdgm.models import energy
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import all_binary
from refdgm.samplers import langevin
from refdgm.undirected import cd_surrogate


@pytest.mark.parametrize("accept", [cd_surrogate.barker, cd_surrogate.metropolis])
def test_kernels_of_cd_are_reversible(accept):
    case = cd_surrogate.case(0)
    E = energy.energy(case["theta"], case["s"])
    flow = energy.law_of(E)[:, None] * cd_surrogate.transition_matrix(E, case["R"], accept)
    assert distance(flow, flow.T) < 1e-12
    assert distance(stationary_law(cd_surrogate.transition_matrix(E, case["R"], accept)), energy.law_of(E)) < 1e-12


def test_cd_2_with_metropolis_has_a_curl_too():
    case = cd_surrogate.case(0)

    def field(theta, K):
        return cd_surrogate.surrogate(theta, case["s"], case["R"], case["p"], K, cd_surrogate.metropolis)
    one, two = (np.max(np.abs(cd_surrogate.curl(lambda theta, K=K: field(theta, K), case["theta"]))) for K in (1, 2))
    assert one < 1e-12 < 1e-4 < two


def test_langevin_run_has_the_moments_of_its_affine_maps():
    """Three steps driven by unit vectors and by zero: mean and covariance of x_T, column by column."""
    c = langevin.gaussian_case(3)
    P, m, x, eps = c["P"], c["m"], c["x"], 0.3

    def end(z): return langevin.run(x, lambda x: (x - m) @ P, eps, z)
    columns = np.stack([end(z.reshape(3, 3)) - end(np.zeros((3, 3))) for z in np.eye(9)])
    moments = langevin.moments_after(langevin.on_gaussian(P, m), m, eps, x, 3)
    assert distance(end(np.zeros((3, 3))), moments["mean"]) < 1e-12
    assert distance(columns.T @ columns, moments["covariance"]) < 1e-12


def test_the_second_moment_of_theorem_1_is_a_sum_over_states():
    """D = 3: the count of ones against all 2^3 states of two samples."""
    q, p, D = 0.4, 0.6, 3
    x = all_binary(D)
    law, data = (np.prod(np.where(x == 1, b, 1 - b), axis=1) for b in (q, p))
    F = data / law
    g = -(x[:, None, 0] - x[None, :, 0]) * (F[:, None] - F[None, :]) / 2
    exact = law @ g**2 @ law
    assert distance(febm_dual.second_moment()(q, p, "kl", D), exact) < 1e-12


def test_the_maximiser_of_the_bound_is_found_by_climbing():
    """Plain gradient ascent on H, from zero, ends at log(p Z)."""
    case = febm.tables_case(0, S=3)
    E, p, H = case["E"], case["p"], np.zeros(3)
    q = energy.law_of(E)
    for _ in range(3000):
        H = H + 0.5 * (p * febm_algorithm.slope_of_A(E, H, "kl") - q * febm_algorithm.slope_of_B(E, H, "kl"))
    assert distance(H, febm.best_H(E, p)) < 1e-9


@pytest.mark.parametrize("call, message", [
    (lambda: energy.law(np.zeros(3), np.zeros((5, 2))), "s must have 3 components"),
    (lambda: energy.law(np.array([0.0, np.inf]), np.zeros((5, 2))), "theta must be finite"),
    (lambda: langevin.stationary_covariance(np.eye(2), 4.0), "no stationary law"),
    (lambda: langevin.stationary_covariance(np.ones((2, 3)), 0.1), "P must have shape"),
    (lambda: cd_surrogate.transition_matrix(np.zeros(2), np.array([[0.5, 0.5], [0.4, 0.6]])), "must be symmetric"),
    (lambda: cd_surrogate.transition_matrix(np.zeros(2), np.ones((2, 2))), "must sum to one"),
    (lambda: febm.objective(np.zeros(3), np.zeros(3), np.ones(3), "kl"), "p must sum to one"),
    (lambda: febm.objective(np.zeros(3), np.zeros(2), np.ones(3) / 3, "kl"), "H must have 3 components"),
    (lambda: febm.objective(np.zeros(3), np.zeros(3), np.ones(3) / 3, "wasserstein"), "no f-divergence 'wasserstein'"),
    (lambda: febm_dual.estimate_score_gradient(np.zeros((1, 2)), np.zeros(1)), "at least 2"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
