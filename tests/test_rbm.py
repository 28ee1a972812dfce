"""The RBM and its Gibbs chain: oracles, the sampler against its transition matrix, and what a wrong input is told."""
import numpy as np
import pytest
from autograd import grad

from refdgm.distances import distance
from refdgm.models import rbm
from refdgm.numerics import all_binary
from refdgm.samplers import block_gibbs as gibbs
from refdgm.undirected import trajectory


def theta_of(D, H, biases=True, seed=0):
    return rbm.random_theta(np.random.default_rng(seed), D, H, biases)


@pytest.mark.parametrize("D, H", [(3, 2), (2, 3), (3, 1), (1, 3)])
@pytest.mark.parametrize("biases", [True, False])
def test_scores_are_autograd_and_probabilities_sum_to_one(D, H, biases):
    theta, (x, z) = theta_of(D, H, biases), (all_binary(D)[-1], all_binary(H)[-1])
    assert distance(rbm.score(theta, x), grad(rbm.log_marginal)(theta, x)) < 1e-12
    assert distance(rbm.grad_log_z(theta, x), grad(lambda t: -rbm.free_energy(t, x))(theta)) < 1e-12
    assert distance(rbm.score_z_given_x(theta, x, z), grad(rbm.log_z_given_x)(theta, x, z)) < 1e-12
    assert distance(rbm.score_x_given_z(theta, x, z), grad(rbm.log_x_given_z)(theta, x, z)) < 1e-12
    assert abs(rbm.log_partition(theta) - np.log(rbm.boltzmann(theta).sum())) < 1e-12
    assert abs(np.exp(rbm.log_marginal(theta, all_binary(D))).sum() - 1) < 1e-12


def test_a_step_follows_the_transition_matrix():
    theta, n, rng = theta_of(3, 2), 200_000, np.random.default_rng(1)
    x0 = all_binary(3)[5]
    tau = gibbs.run(theta, np.tile(x0, (n, 1)), rng.random((n, 2, 2)), rng.random((n, 2, 3)))
    for k in (1, 2):
        expected = np.linalg.matrix_power(gibbs.transition_matrix(theta), k)[5]
        seen = np.bincount(gibbs.state_index(tau.x[:, k]), minlength=8) / n
        assert np.all(np.abs(seen - expected) < 6 * np.sqrt(expected / n))          # 16 z-tests at 6 sigma
    assert tau.x.shape == (n, 3, 3) and tau.z.shape == (n, 2, 2)


def test_the_chain_is_reversible_and_its_spectrum_is_real():
    theta = theta_of(3, 2)
    pi, T = np.exp(rbm.log_marginal_table(theta)), gibbs.transition_matrix(theta)
    values, f = gibbs.spectrum(theta)
    assert distance(pi[:, None] * T, (pi[:, None] * T).T) < 1e-14
    assert distance(T @ f, f * values) < 1e-13 and distance((f.T * pi) @ f, np.eye(8)) < 1e-13
    assert abs(values[0] - 1) < 1e-13 and np.all(values > -1e-13)


def test_trajectories_stand_in_the_order_of_the_tables():
    case = gibbs.random_case(1)
    t = trajectory.terms(**case, prior=trajectory.GIBBS)
    q, p = trajectory.laws_by_tables(**case, prior=trajectory.GIBBS)
    assert distance(t.q, q.ravel()) < 1e-12 and distance(np.log(t.q) - t.ratio, np.log(p).ravel()) < 1e-12


def test_the_gradient_of_the_marginal_is_autograd():
    case = gibbs.random_case(2)
    c = np.random.default_rng(3).normal(size=case["data"].size)
    by_hand = {name: np.tensordot(c, leaf, 1) for name, leaf in gibbs.marginal_gradient(**case).items()}
    auto = grad(lambda theta: np.sum(c * gibbs.marginal_table(theta, case["data"], case["k"])))(case["theta"])
    assert distance(by_hand, auto) < 1e-11


def test_errors_are_sentences():
    theta = theta_of(3, 2)
    with pytest.raises(ValueError, match="must hold w, and may hold b and c"):
        rbm.validate({"W": theta["w"]})
    with pytest.raises(ValueError, match=r"theta\['b'\] must have shape \(3,\)"):
        rbm.validate({**theta, "b": np.zeros(2)})
    with pytest.raises(ValueError, match="must be finite"):
        rbm.validate({**theta, "c": np.array([0.0, np.nan])})
    with pytest.raises(ValueError, match="x must have 3 components"):
        rbm.validate(theta, np.zeros((4, 2)))
    with pytest.raises(ValueError, match="bits, 0 or 1"):
        gibbs.run(theta, np.full(3, 0.5), np.zeros((1, 2)), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="Use a smaller model"):
        rbm.log_partition({"w": np.zeros((30, 40))})
    with pytest.raises(ValueError, match="Use a smaller model"):
        gibbs.all_trajectories(3, 2, 5)
    with pytest.raises(ValueError, match="data must sum to one"):
        gibbs.marginal(theta, np.ones(8), 1)
