"""The sequential test of a sampler against its matrix: how often it is wrong, and what it finds how soon."""
import math

import numpy as np
import pytest

from refdgm.models import rbm
from refdgm.samplers import rbm_gibbs
from refdgm.transition_test import compare, follow, log_bayes_factor, number

P = np.array([[0.7, 0.3, 0.0], [0.1, 0.3, 0.6], [0.5, 0.0, 0.5]])


def walk(matrix, chains, rng):
    """Independent chains with this matrix, drawn by numpy."""
    thresholds = np.cumsum(matrix, axis=1)[:, :-1]
    start = rng.integers(len(matrix), size=chains)
    return follow(start, lambda s: np.sum(rng.random(chains)[:, None] > thresholds[s], axis=1), lambda s: s)


def moved(weight, row=1):
    """P with some probability moved from one entry of a row to another."""
    wrong = P.copy()
    wrong[row] += np.array([weight, -weight, 0.0])
    return wrong


def test_the_false_alarm_rate_is_below_the_error():
    """1000 tests at an error of 0.2, each looking six times: a rate of 0.2 would give 200 +- 13 alarms."""
    rng = np.random.default_rng(1)
    alarms = sum(not compare(P, *walk(P, 200, rng), error=0.2, moves=200, most=6400).agrees for _ in range(1000))
    assert 0 < alarms < 200, alarms             # few: the bound holds for a look after every move and without end


def test_the_ratio_has_mean_one():
    """E B = 1 exactly, a sum over all counts: why Ville's inequality holds."""
    n, law, mean = 6, np.array([[0.6, 0.3, 0.1]] * 3), 0.0
    for first in range(n + 1):
        for second in range(n + 1 - first):
            N = np.array([[first, second, n - first - second], [0, 0, 0], [0, 0, 0]])
            multinomial = math.factorial(n) * np.prod([p**k / math.factorial(k) for p, k in zip(law[0], N[0])])
            mean += multinomial * np.exp(log_bayes_factor(N, law))
    assert abs(mean - 1) < 1e-9


def test_a_ratio_of_one_over_the_error_rejects():
    """Eight moves 0 -> 0 where the matrix says one half: rejected at errors above 1 / B, and not below."""
    coin, eight = np.full((2, 2), 0.5), dict(moves=8, most=8)
    p = np.exp(-log_bayes_factor(np.array([[8, 0], [0, 0]]), coin))
    assert 0.5**8 < p < 0.5
    for error in (0.99 * p, 1.01 * p):
        verdict = compare(coin, lambda: np.zeros(1, int), np.zeros(1, int), error=error, **eight)
        assert verdict.agrees == (error < p) and np.isclose(verdict.p_value, p)


@pytest.mark.parametrize("weight, moves", [(0.1, 4096), (0.02, 131_072), (0.01, 524_288)])
def test_a_small_defect_is_found(weight, moves):
    """Probability moved within one row: found within so many moves, at an error of 1e-6, and the row named."""
    verdict = compare(P, *walk(moved(weight), 500, np.random.default_rng(2)))
    assert not verdict.agrees and verdict.moves <= moves + 500, verdict
    assert verdict.worst[0] == 1 and str(verdict.moves // 1000) in str(verdict)


def test_an_impossible_move_ends_it_at_once():
    wrong = P.copy()
    wrong[2] = [0.5, 1e-3, 0.499]
    verdict = compare(P, *walk(wrong, 500, np.random.default_rng(3)))
    assert not verdict.agrees and verdict.moves < 5000 and verdict.worst == (2, 1) and verdict.p_value == 0


def test_a_move_that_does_not_happen():
    """A sampler that never leaves a state of which the matrix says so."""
    verdict = compare(P, *walk(np.eye(3), 10, np.random.default_rng(3)))
    assert not verdict.agrees and verdict.moves < 5000


@pytest.mark.parametrize("weight, agrees", [(1.0, True), (1.02, False)])
def test_a_compiled_chain(weight, agrees):
    """Block Gibbs of an RBM with the right weights agrees with its 16 x 16 matrix; with weights 2 % too large not."""
    theta = rbm.random_theta(np.random.default_rng(0), 4, 3)
    wrong = {**theta, "w": weight * theta["w"]}
    verdict = compare(rbm_gibbs.transition_matrix(theta), *follow(
        rbm_gibbs.init(theta, 20_000), lambda s: rbm_gibbs.run(wrong, s, 1).state, lambda s: number(s.v)))
    assert verdict.agrees == agrees, verdict


def test_errors():
    advance, states = walk(P, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="each row of the transition matrix"):
        compare(P.T, advance, states)
    with pytest.raises(ValueError, match="number of chains"):
        compare(P, advance, states[:0])
    with pytest.raises(ValueError, match="numbered 0 to 2"):
        compare(P, lambda: states + 3, states)
    for wrong in ({"moves": 0}, {"moves": np.nan}, {"most": 0}, {"error": np.nan}):
        with pytest.raises(ValueError, match=next(iter(wrong))):                    # and does not go on for ever
            compare(P, advance, states, **wrong)
