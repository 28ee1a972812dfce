"""Chains, schedules and divergences of the background section: exact counterparts, and what bad input is told."""
from itertools import product

import numpy as np
import pytest
from autograd import jacobian

from refdgm.directed import divergence_fits, robbins_monro, stochastic_approximation, stochastic_gradient
from refdgm.distances import distance
from refdgm.divergences import f_divergence, js, kl_symmetric
from refdgm.models import exponential_family, sequences
from refdgm.numerics import kl
from refdgm.samplers import metropolis_hastings as mh


def target_and_proposal(one_way=False):
    """A target on four states and an unsymmetric proposal, its entries multiples of 1/8."""
    R = np.array([[2, 3, 2, 1], [1, 1, 4, 2], [3, 3, 1, 1], [0 if one_way else 2, 4, 1, 3 if one_way else 1]]) / 8
    return np.array([0.3, -1.0, 0.8, 0.1]), R


@pytest.mark.parametrize("one_way", [False, True])
def test_a_step_follows_the_transition_matrix(one_way):
    """Over a grid of uniforms a step is a table: exact in the proposal, and within a cell of the exact acceptance."""
    log_p, R = target_and_proposal(one_way)
    n, cells = len(R), 4000
    z, u, v = (a.ravel() for a in np.meshgrid(np.arange(n), (np.arange(8) + 0.5) / 8, (np.arange(cells) + 0.5) / cells))
    moved = mh.step(np.broadcast_to(log_p, (z.size, n)), R, z, u, v)
    seen = np.zeros((n, n))
    np.add.at(seen, (z, moved), 1 / (8 * cells))
    assert np.max(np.abs(seen - mh.transition_matrix(log_p, R))) < n / cells


@pytest.mark.parametrize("one_way", [False, True])
def test_the_kernel_is_reversible_for_any_proposal(one_way):
    log_p, R = target_and_proposal(one_way)
    flow = np.exp(log_p)[:, None] * mh.transition_matrix(log_p, R)
    assert distance(flow, flow.T) < 1e-15 and np.allclose(flow.sum(axis=0), np.exp(log_p), rtol=1e-15)
    assert flow[0, 3] > 0 or one_way


def test_the_edge_uniforms_are_harmless():
    """Where a row's sum ends a rounding below one, and in zeros, no uniform proposes what the row forbids."""
    R = np.array([[0.1, 0.1, 0.1, 0.7, 0], [0.2] * 5, [0.3, 0.3, 0.4, 0, 0], [0.7, 0.1, 0.1, 0.1, 0], [0.2] * 5])
    assert np.any(np.cumsum(R, axis=1)[:, -1] < 1)
    log_p, z = np.zeros((5, 5)), np.arange(5)
    for u in (0.0, np.nextafter(1, 0)):
        assert np.all(R[z, mh.step(log_p, R, z, np.full(5, u), np.zeros(5))] > 0)


def test_a_proposal_must_be_a_transition_matrix():
    with pytest.raises(ValueError, match="each row of the proposal R must sum to one"):
        mh.transition_matrix(np.zeros(3), np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"the proposal R must have shape \(3, 3\)"):
        mh.transition_matrix(np.zeros(3), np.eye(4))


def test_score_and_information_are_derivatives_of_the_log_density():
    case = exponential_family.random_case(0)
    assert distance(exponential_family.score(**case), jacobian(exponential_family.log_p)(*case.values())) < 1e-14
    slope = jacobian(exponential_family.mean_statistics)(*case.values())
    assert distance(exponential_family.fisher_information(**case), slope) < 1e-14


def test_the_mean_square_error_is_the_mean_over_all_noises():
    """Every sequence of noises +-sqrt(S) is run through lam - gamma a lam + gamma noise."""
    a, noise, error, T = np.array([0.7, 1.3]), np.array([0.4, 2.0]), np.array([1.5, -0.3]), 6
    finals = []
    for signs in product([-1, 1], repeat=T):
        lam = error
        for t, sign in enumerate(signs, 1):
            lam = lam + robbins_monro.harmonic(t) * (-a * lam + sign * np.sqrt(noise))
        finals.append(lam)
    exact = robbins_monro.mean_square_error(a, noise, error, T, robbins_monro.harmonic)
    assert distance(exact, np.mean(np.square(finals), axis=0)) < 1e-14


def test_the_schedules_satisfy_the_conditions():
    """Sums over t to T and to 2T: of gamma they grow by a constant, of gamma^2 by a vanishing amount."""
    for gamma in (robbins_monro.harmonic, stochastic_approximation.robbins_monro):
        late, later = (np.arange(T + 1.0, 2 * T + 1) for T in (10**4, 10**5))
        assert gamma(late).sum() == pytest.approx(gamma(later).sum(), rel=0.01) and gamma(late).sum() > 0.1
        assert gamma(later) @ gamma(later) < 0.11 * (gamma(late) @ gamma(late))
        assert np.all(np.diff(gamma(late)) < 0)


def test_more_moves_fluctuate_less_but_not_by_the_full_factor():
    case = stochastic_approximation.family_case(3)
    spread = [np.trace(stochastic_approximation.of_average(**case, K=K)["covariance"]) for K in (1, 4, 16)]
    assert spread[0] > spread[1] > spread[2] and spread[1] > spread[0] / 4 and spread[2] > spread[0] / 16


def test_minibatches_are_all_there():
    assert len(stochastic_gradient.all_minibatches(5, 2)) == 25
    distinct = stochastic_gradient.all_minibatches(5, 2, replace=False)
    assert len(distinct) == 20 and np.all(distinct[:, 0] != distinct[:, 1])
    with pytest.raises(ValueError, match="a minibatch of 6 from 5 terms needs replacement"):
        stochastic_gradient.all_minibatches(5, 6, replace=False)


def test_divergences_are_the_named_members_of_the_table():
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.1, 0.5])
    assert f_divergence("kl", p, q) == pytest.approx(kl(p, q), rel=1e-14)
    assert f_divergence("reverse kl", p, q) == pytest.approx(kl(q, p), rel=1e-14)
    assert f_divergence("jensen-shannon", p, q) == pytest.approx(2 * js(p, q), rel=1e-14)
    assert kl_symmetric(p, q) == pytest.approx(kl_symmetric(q, p), rel=1e-15)


def test_what_divergences_say_of_distributions_apart():
    p, q = np.array([0.3, 0.7, 0.0]), np.array([0.0, 0.0, 1.0])
    assert js(p, q) == pytest.approx(np.log(2), rel=1e-15) and js(p, p) == 0
    assert kl(p, q, infinite=True) == np.inf
    with pytest.raises(ValueError, match="q must be positive wherever p is"):
        kl_symmetric(p, q)
    with pytest.raises(ValueError, match="p must sum to one"):
        js(np.array([0.3, 0.3]), np.array([0.3, 0.3]))


def test_the_grid_of_the_fits_is_fine_and_wide_enough():
    """Normalised and with the moments of the mixture, to rounding; the divergences vanish at a perfect fit."""
    X, W = divergence_fits.X, divergence_fits.W
    log_p = divergence_fits.log_mixture(0.6, [-2.0, 2.0], [0.7, 0.9])
    mean, std = divergence_fits.moments(log_p)
    assert W @ np.exp(log_p) == pytest.approx(1, abs=1e-13) and mean == pytest.approx(-0.4, abs=1e-13)
    assert std**2 == pytest.approx(0.6 * 0.7**2 + 0.4 * 0.9**2 + 0.24 * 16, rel=1e-13)
    perfect = np.array([0.5, np.log(1.2)])
    normal = -0.5 * ((X - 0.5) / 1.2)**2 - np.log(1.2 * np.sqrt(2 * np.pi))
    assert abs(divergence_fits.reverse_kl(perfect, normal)) < 1e-13
    assert abs(divergence_fits.jensen_shannon(perfect, normal)) < 1e-13
    p, q = W * np.exp(log_p), W * np.exp(normal)
    assert divergence_fits.reverse_kl(perfect, log_p) == pytest.approx(kl(q, p), rel=1e-12)
    assert divergence_fits.jensen_shannon(perfect, log_p) == pytest.approx(js(p, q), rel=1e-12)


def test_ranges():
    z = np.arange(10, 70, 10)
    assert sequences.between(z, 1, 6).tolist() == z.tolist() and sequences.between(z, 4, 4).tolist() == [40]
    with pytest.raises(ValueError, match="needs 1 <= i <= j <= 6, but is 0:3"):
        sequences.between(z, 0, 3)
