"""Wake-sleep and RWS: what no claim covers (roots, counts of draws, unobserved x, bad input)."""
from math import comb

import numpy as np
import pytest
from autograd import grad
from autograd.misc import flatten

from refdgm.directed import rws_bias, wake_sleep, wake_sleep_sa
from refdgm.models import sbn, tables
from refdgm.models.counts import all_counts, multinomial
from refdgm.numerics import all_tuples

SEEDS = range(4)


@pytest.mark.parametrize("m, K", [(1, 5), (2, 0), (3, 4), (4, 3)])
def test_counts_are_all_there_once_and_sum_to_K(m, K):
    counts = all_counts(m, K)
    assert len(np.unique(counts, axis=0)) == len(counts) == comb(K + m - 1, m - 1)
    assert np.all(counts.sum(axis=1) == K) and np.all(counts >= 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_have_the_law_of_ordered_draws(seed):
    m, K = 3, 4
    q = np.random.default_rng(seed).dirichlet(np.ones(m))
    counts, log_probability = multinomial(np.log(q), K)
    draws = all_tuples(m, K)
    ordered = {tuple(row): 0.0 for row in counts}
    for draw in draws:
        ordered[tuple(np.bincount(draw, minlength=m))] += np.prod(q[draw])
    np.testing.assert_allclose(np.exp(log_probability), [ordered[tuple(row)] for row in counts], rtol=1e-12)


def test_log_probabilities_of_counts_broadcast_and_differentiate():
    log_q = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=2))
    counts, log_probability = multinomial(log_q, 5)
    assert log_probability.shape == (2, 21)
    np.testing.assert_allclose(np.exp(log_probability).sum(axis=-1), 1, rtol=1e-12)
    slope = grad(lambda a: np.sum(multinomial(a, 5)[1][0]))(log_q)
    np.testing.assert_allclose(slope, [counts.sum(axis=0), [0, 0, 0]])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("root", [wake_sleep_sa.perfect_root, wake_sleep_sa.independent_root])
def test_both_kinds_of_root_solve_the_same_equations(root, seed):
    case = root(seed)
    assert np.max(np.abs(flatten(wake_sleep_sa.mean_field(**case))[0])) < 1e-14
    np.testing.assert_array_equal(case["p_data"], wake_sleep_sa.perfect_root(seed)["p_data"])


@pytest.mark.parametrize("seed", SEEDS)
def test_mean_weights_of_many_and_of_few_draws_agree(seed):
    case = sbn.random_case(seed)
    h, probability = sbn.all_draws(case["phi"], case["x"], 3)
    wbar = sbn.normalized_weights(sbn.log_weights(**case, h=h))
    drawn = np.all(h[:, :, None] == sbn.latent_states(case["theta"]), axis=-1)
    np.testing.assert_allclose(rws_bias.mean_weights(**case, K=3),
                               np.einsum("m,mk,mkh->h", probability, wbar, drawn), rtol=1e-12)


def test_an_x_that_is_not_in_the_data_counts_as_zero():
    theta, phi, _ = tables.random_case(0).values()
    p_data = np.array([0.5, 0.0, 0.3, 0.2])
    with np.errstate(all="raise"):
        kl = wake_sleep.wake_kl(theta, phi, p_data)
    entropy = -np.sum(p_data[p_data > 0] * np.log(p_data[p_data > 0]))
    np.testing.assert_allclose(kl, -wake_sleep.brute_elbo(theta, phi, p_data) - entropy, rtol=1e-12)


def test_bad_input_is_named():
    theta, phi, p_data = tables.random_case(0).values()
    with pytest.raises(ValueError, match="p must sum to one"):
        wake_sleep.wake_kl(theta, phi, 2 * p_data)
    with pytest.raises(ValueError, match="the number of samples K must be an integer of at least 1, but is 0"):
        sbn.normalized_weights(np.zeros((3, 0)))
    with pytest.raises(ValueError, match="log_q must be finite"):
        multinomial(np.array([0.0, -np.inf]), 2)
    with pytest.raises(ValueError, match="more than the 4,194,304 that are enumerated here"):
        all_counts(8, 100)
    case = wake_sleep_sa.small_case(0)
    with pytest.raises(ValueError, match="the size of a minibatch must be an integer of at least 1"):
        wake_sleep_sa.update(case["theta"], case["phi"], (np.zeros((0, 2)), np.zeros((0, 1))),
                             (np.zeros((1, 2)), np.zeros((1, 1))))
