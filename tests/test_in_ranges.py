"""Chains that are run in ranges, on one process or two, are the chains that run together."""
from functools import partial

import numpy as np
import pytest

from refdgm import chains, trees
from refdgm.models import rbm, targets
from refdgm.samplers import ising_gibbs, mala, rbm_gibbs

THETA = rbm.random_theta(np.random.default_rng(0), 5, 3)
LATTICE = {"beta": 0.3, "field": 0.1}
START = np.random.default_rng(1).normal(size=(11, 2))


def units(first, number, average=lambda state: state.v, **options):
    start = rbm_gibbs.init(THETA, number, seed=3, first=first)
    return rbm_gibbs.run(THETA, start, 12, threads=1, thin=3, keep=lambda state: {"h": state.h[:, :2]},
                         average=average, **options)


def spins(first, number):
    return ising_gibbs.run(LATTICE, ising_gibbs.init(LATTICE, (2, 4), number, seed=2, first=first), 5, threads=1)


def positions(first, number):
    target = targets.gaussian(np.zeros(2), np.eye(2))
    return mala.run(target, mala.init(target, START[first:first + number], seed=5, first=first), 0.1, 6)


@pytest.mark.parametrize("run", [units, spins, positions])
@pytest.mark.parametrize("options", [{"at_once": 11}, {"at_once": 4}, {"at_once": 5, "jobs": 2}], ids=str)
def test_ranges_are_the_chains_that_run_together(run, options):
    whole, parts = run(0, 11), chains.in_ranges(run, 11, **options)
    assert whole.samples == parts.samples
    for (name, a), (same, b) in zip(trees.leaves(tuple(whole)[:3]), trees.leaves(tuple(parts)[:3]), strict=True):
        assert name == same and np.array_equal(a, b), name
    assert parts.state.stream.chain.tolist() == list(range(11))


@pytest.mark.parametrize("run, arguments, message", [
    (units, (0, 4), "the number of chains must be"), (units, (4, 0), "the number of chains at once must be"),
    (partial(units, average=lambda state: state.v.mean()), (11, 4), "must have the chains as its first axis"),
    (partial(units, average=lambda state: state.v.T), (11, 4), "must have the chains as its first axis")])
def test_errors(run, arguments, message):
    with pytest.raises(ValueError, match=message):
        chains.in_ranges(run, *arguments)


def test_an_interrupted_range_is_no_result():
    def interrupted(first, number):
        return units(first, number)._replace(interrupted=first == 4)
    with pytest.raises(KeyboardInterrupt):
        chains.in_ranges(interrupted, 11, 4)
