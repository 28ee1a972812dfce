"""The compiled chain is the NumPy chain, in any batch and on any number of threads."""
import numpy as np
import pytest

from refdgm.models import rbm
from refdgm.models.finite_chain import stationary_law
from refdgm.samplers import rbm_gibbs as gibbs


def machine(D=37, H=22, scale=0.3):
    return rbm.random_theta(np.random.default_rng(0), D, H, scale=scale)


def equal(a, b):
    return np.array_equal(a.v, b.v) and np.array_equal(a.h, b.h) and a.stream.step == b.stream.step


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("D, H, chains", [(37, 22, 150), (5, 3, 1), (130, 7, 65)])
def test_the_compiled_chain_is_the_numpy_chain(D, H, chains, real):
    theta = machine(D, H)
    start = gibbs.init(theta, chains, seed=7, real=real)
    twin = start
    for _ in range(6):
        twin = gibbs.step(theta, twin)
    for threads in (1, 2):
        assert equal(gibbs.run(theta, start, 6, threads=threads).state, twin)
    assert equal(gibbs.run(theta, gibbs.run(theta, start, 2).state, 4).state, twin)


def test_a_chain_does_not_notice_its_batch():
    theta = machine()
    start = gibbs.init(theta, 100, seed=3)
    together = gibbs.run(theta, start, 5).state
    alone = gibbs.State(start.v[40:60], start.h[40:60], start.stream._replace(chain=start.stream.chain[40:60]))
    alone = gibbs.run(theta, alone, 5).state
    assert np.array_equal(alone.v, together.v[40:60]) and np.array_equal(alone.h, together.h[40:60])


def test_averages_approach_the_exact_means():
    theta = machine(4, 3, scale=1.0)
    run = gibbs.run(theta, gibbs.init(theta, 2000, seed=1), 1000, burn_in=50, thin=10, average=lambda s: s.v)
    pi = np.exp(rbm.log_marginal_table(theta))
    assert np.max(np.abs(stationary_law(gibbs.transition_matrix(theta)) - pi)) < 1e-12
    chain_means = run.average                     # independent chains, so their means give the standard error
    error = chain_means.std(axis=0, ddof=1) / np.sqrt(len(chain_means))
    exact = pi @ gibbs.all_binary(4)
    assert run.samples == 100 and np.all(np.abs(chain_means.mean(axis=0) - exact) < 5 * error)


def test_errors():
    theta = machine(3, 2)
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(theta, 0)
    with pytest.raises(ValueError, match="v must have shape"):
        gibbs.init(theta, 2, v=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(theta, gibbs.init(theta, 2), 0)
    with pytest.raises(ValueError, match="thin must divide steps"):
        gibbs.run(theta, gibbs.init(theta, 2), 10, thin=3)
    with pytest.raises(ValueError, match="must be finite"):
        gibbs.init({**theta, "b": np.full(3, np.nan)}, 2)
