"""The sequential tests raise no more false alarms than they promise, find what is wrong, and can fail."""
import numpy as np
import pytest

from refdgm import contract, crosscheck, draws, sequential
from refdgm.experiments import crosscheck_power

P = np.array([0.5, 0.3, 0.15, 0.05])
LOOKS = 2**np.arange(4, 12)         # draws in all, at each look


def most_evidence(p, rng, log_evidence=sequential.law):
    """The largest log B at any look, of draws from p held against P."""
    new = np.diff(LOOKS, prepend=0)
    return max(log_evidence(counts, P) for counts in np.cumsum([rng.multinomial(n, p) for n in new], axis=0))


def share_of_alarms(log_evidence, error=0.05, runs=400):
    rng = np.random.default_rng(0)
    return np.mean([most_evidence(P, rng, log_evidence) >= -np.log(error) for _ in range(runs)])


def highest(share, runs=400):
    """What a share of alarms that is truly `share` stays below, but once in 10,000 times."""
    from scipy.stats import binom
    return binom.ppf(1 - 1e-4, runs, share) / runs


def z_test(counts, p):
    """A test that trusts each look by itself: the alarm of one of nominally 5 % is a B of 20."""
    z = (counts - counts.sum() * p) / np.sqrt(counts.sum() * p * (1 - p))
    return np.log(20.0) if np.max(np.abs(z)) > 1.96 else 0.0


def test_a_law_is_falsely_rejected_no_more_often_than_promised():
    assert share_of_alarms(sequential.law) <= highest(0.05)
    assert share_of_alarms(z_test) > 4 * 0.05              # what looking eight times does to a test that does not know


def test_the_evidence_against_a_true_law_is_one_on_average():
    """Ville's inequality holds because B is a martingale of mean 1: exactly, over all counts of six draws."""
    from itertools import product
    from math import factorial, prod
    total = 0.0
    for counts in product(range(7), repeat=4):
        if sum(counts) == 6:
            ways = factorial(6) / prod(map(factorial, counts))
            total += ways * np.prod(P**np.array(counts)) * np.exp(sequential.law(np.array(counts), P))
    assert total == pytest.approx(1.0, abs=1e-7)


def test_another_law_is_found_out():
    rng, near = np.random.default_rng(1), P + np.array([0.06, -0.06, 0.0, 0.0])
    assert np.mean([most_evidence(near, rng) >= np.log(20) for _ in range(100)]) > 0.5
    assert np.mean([most_evidence(P[::-1], rng) >= -np.log(1e-9) for _ in range(100)]) == 1.0


def test_what_cannot_be_drawn_is_found_at_once():
    assert sequential.law(np.array([3, 0, 1]), np.array([0.5, 0.5, 0.0])) == np.inf


def walks(K, rng, moves=4000):
    """Counts of the moves of stationary chains."""
    from refdgm.models.finite_chain import stationary_law
    return rng.multinomial(1, (stationary_law(K)[:, None] * K).ravel(), size=moves).sum(axis=0).reshape(K.shape)


def test_a_reversible_chain_is_told_from_one_that_goes_round():
    lazy, turn = np.eye(3) / 2, np.roll(np.eye(3), 1, axis=1)
    there_and_back, round_and_round = lazy + (turn + turn.T) / 4, lazy + (0.7 * turn + 0.3 * turn.T) / 2
    rng = np.random.default_rng(2)
    alarms = np.mean([sequential.reversibility(walks(there_and_back, rng)) >= np.log(20) for _ in range(400)])
    assert alarms <= highest(0.05)
    assert all(sequential.reversibility(walks(round_and_round, rng)) >= -np.log(1e-9) for _ in range(20))


def ever_rejected(off, rng, error=0.05, draw=lambda rng, n: rng.normal(size=(n, 3))):
    test, n = sequential.Mean.of(3), 256
    while test.n < 2**14:
        test = test.add(draw(rng, n) + off)
        if np.max(test.ratio(error)) > 1:
            return True
        n = 3 * test.n
    return False


@pytest.mark.parametrize("draw", [lambda rng, n: rng.normal(size=(n, 3)),
                                  lambda rng, n: rng.integers(0, 2, size=(n, 3)) - 0.5])
def test_a_mean_is_falsely_rejected_no_more_often_than_promised(draw):
    rng = np.random.default_rng(3)
    assert np.mean([ever_rejected(0.0, rng, draw=draw) for _ in range(400)]) <= highest(0.05)
    assert np.mean([ever_rejected(0.0, rng, error=0.5, draw=draw) for _ in range(100)]) > 0.05


def test_a_mean_that_is_off_is_found():
    rng = np.random.default_rng(4)
    assert all(ever_rejected(np.array([0.0, 0.0, 0.1]), rng, error=1e-9) for _ in range(20))


def test_a_mean_without_spread_is_right_or_not():
    test = sequential.Mean.of(2).add(np.tile([0.0, 1e-7], (10, 1)))
    assert np.max(test.ratio(1e-9, rounding=1e-6)) == 0 and np.max(test.ratio(1e-9)) > 1


# ---- whole runs -------------------------------------------------------------------------

DRAWN = crosscheck_power.drawn(crosscheck.contracts())


@pytest.mark.parametrize("item", DRAWN.values(), ids=DRAWN)
def test_a_right_sampler_is_right_and_a_wrong_one_is_found(item):
    assert crosscheck_power.alarms(item, 2) == 0
    assert crosscheck_power.found(item, 0, delta=1.0)


def estimator(bias):
    """The ELBO's gradient, of a number of examples that a convention covers and of others that it does not."""
    item = DRAWN["elbo_gradient_estimator"]

    def function(n, *given):
        *parameters, seed = given
        truth = item.reference(*parameters)
        return bias(parameters) * truth + np.random.default_rng(seed).normal(size=(n, *truth.shape))
    return contract.examine(item, function)


def test_a_convention_has_to_hold_in_every_case():
    assert estimator(lambda parameters: -1.0)["matches"] == "a loss's sign"
    changing = estimator(lambda parameters: -1.0 if len(parameters[0]) == 2 else 1.0)
    assert changing["status"] == "deviates" and "3 observed" in changing["case"]


def test_geweke_s_test_sees_a_step_that_ignores_the_data():
    def from_the_prior(h, x, a, W, b, seed):
        return (np.random.default_rng(seed).uniform(size=h.shape) < 1 / (1 + np.exp(-a))) * 1.0
    found = contract.examine(DRAWN["sbn_posterior_kernel"], from_the_prior)
    assert found["status"] == "deviates" and found["matches"] == "from the prior"


def test_a_state_that_is_none_is_an_error():
    def half(v, W, b, c, seed):
        return v + 0.5
    found = contract.examine(DRAWN["rbm_gibbs_kernel"], half)
    assert found["status"] == "error" and "returns a state that is none of the 4" in found["problem"]


def test_the_smallest_bias_is_smaller_with_more_draws():
    item = DRAWN["categorical_draws"]
    few, many = (crosscheck_power.smallest(item, 4, most) for most in (2**12, 2**16))
    assert many < few <= 1.0 and draws.ERROR <= 1e-9 and set(DRAWN) < set(crosscheck.contracts())
