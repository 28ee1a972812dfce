"""The CUDA kernels of chains on R^n, and of Metropolis chains, give the bits of the samplers' plain NumPy steps."""
import cuda_on_cpu
import numpy as np
import pytest
from test_cuda import CHAINS, REALS, same

from refdgm import backend
from refdgm.models import targets
from refdgm.models.logistic_regression import logistic_regression
from refdgm.samplers import finite_metropolis, hamiltonian, mala, random_walk, sghmc, sgld, ula

pytestmark = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler is found: c++, g++ or clang++")


def gaussian(n):
    rng = np.random.default_rng(n)
    root = rng.normal(size=(n, n))
    return targets.gaussian(rng.normal(size=n), root @ root.T / n + np.eye(n))


def mixture(n, K):
    rng = np.random.default_rng(n)
    return targets.gaussian_mixture(rng.dirichlet(np.ones(K)), rng.normal(size=(K, n)), rng.uniform(0.5, 2, (K, n)))


def network(n, H1, H2):
    rng = np.random.default_rng(n)
    return targets.mlp_energy(rng.normal(size=(n, H1)), rng.normal(size=H1), rng.normal(size=(H1, H2)),
                              rng.normal(size=H2), rng.normal(size=H2))


def posterior(n, N, size):
    rng = np.random.default_rng(n)
    return logistic_regression(rng.normal(size=(N, n)), rng.choice([-1, 1], N), size, tau=0.7)


TARGETS = {f"{make.__name__}-{'x'.join(map(str, shape))}": (shape[0], make(*shape)) for make, shape in (
    (gaussian, (1,)), (gaussian, (2,)), (gaussian, (17,)), (mixture, (1, 1)), (mixture, (2, 8)), (mixture, (5, 3)),
    (mixture, (3, 20)), (network, (1, 1, 1)), (network, (2, 16, 16)), (network, (5, 37, 9)),
    (posterior, (1, 1, 1)), (posterior, (3, 40, 6)), (posterior, (18, 30, 5)))}
SAMPLERS = {"ula": (ula, 0.3), "sgld": (sgld, sgld.polynomial(0.5, 10, 0.55)), "sghmc": (sghmc, 0.2, 1.5),
            "mala": (mala, 0.5), "hamiltonian": (hamiltonian, 0.3, 3), "random_walk": (random_walk, 0.8)}
BY_MINIBATCHES = ("sgld", "sghmc")


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("sampler, target", [(sampler, target) for sampler in SAMPLERS for target in TARGETS
                                             if sampler in BY_MINIBATCHES or not target.startswith("posterior")])
def test_chains(sampler, target, chains, real):
    (sampler, *options), (n, target) = SAMPLERS[sampler], TARGETS[target]
    x = np.random.default_rng(3).normal(size=(chains, n))
    expected = start = sampler.init(target, x, seed=2**40 + 7, first=11, real=real)
    for _ in range(5):
        expected = sampler.step(target, expected, *options)
    with cuda_on_cpu.installed():
        there, state = backend.to_device(target), backend.to_device(start)
        whole = sampler.run(there, state, *options, steps=5).state
        begun = sampler.run(there, state, *options, steps=2).state
        parts = sampler.run(there, begun, *options, steps=3).state
        assert same(backend.to_host(whole), expected)
        assert same(backend.to_host(parts), expected)
        assert same(backend.to_host(state), start)


@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("S", [1, 2, 37])
def test_finite_metropolis(S, chains):
    rng = np.random.default_rng(S)
    log_p, R = rng.normal(size=S), rng.dirichlet(np.ones(S), S)
    expected = start = finite_metropolis.init(log_p, R, rng.integers(0, S, chains), seed=5)
    for _ in range(20):
        expected = finite_metropolis.step(log_p, R, expected)
    with cuda_on_cpu.installed():
        there = backend.to_device((log_p, R, start))
        assert same(backend.to_host(finite_metropolis.run(*there, steps=20).state), expected)
