"""Hamiltonian Monte Carlo: compiled as in NumPy, the formula's proposal and decision, and wrong variants told apart."""
import numpy as np
import pytest

from refdgm.models import targets
from refdgm.samplers import hamiltonian, hmc, mala
from refdgm.streams import normals, uniforms

rng = np.random.default_rng(0)
A = rng.normal(size=(3, 3))
MIXTURE = targets.gaussian_mixture([0.1, 0.2, 0.3, 0.4], rng.normal(size=(4, 2)), 0.6)
NORMAL = targets.gaussian(rng.normal(size=3), A @ A.T + np.eye(3))
NETWORK = targets.mlp_energy(rng.normal(size=(3, 7)), rng.normal(size=7), rng.normal(size=(7, 5)), rng.normal(size=5),
                             rng.normal(size=5))


def same(a, b):
    return a.stream.step == b.stream.step and all(
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a[:-1], b[:-1]))


@pytest.mark.parametrize("target, n, L, real", [(MIXTURE, 2, 3, np.float32), (NETWORK, 3, 1, np.float64)])
def test_the_compiled_chain_is_the_numpy_chain(target, n, L, real):
    twin = start = hamiltonian.init(target, np.random.default_rng(2).normal(size=(300, n)), seed=5, real=real)
    for _ in range(5):
        twin = hamiltonian.step(target, twin, 0.7, L)
    assert twin.x.dtype == real and 0.2 < twin.accepted.mean() / 5 < 0.99
    for threads in (1, 2):
        assert same(hamiltonian.run(target, start, 0.7, L, 5, threads=threads).state, twin)
    two = hamiltonian.run(target, start, 0.7, L, 2).state
    alone = type(two)(*(a[270:283] for a in two[:-1]), two.stream._replace(chain=two.stream.chain[270:283]))
    alone = hamiltonian.run(target, alone, 0.7, L, 3).state
    assert all(np.array_equal(a, b[270:283]) for a, b in zip(alone[:-1], twin[:-1]))


def step_by_the_formula(state, eps, L, formula=hmc.step):
    """The step of samplers.hmc, given this chain's random numbers."""
    r = normals(state.stream, state.x.shape[1], hamiltonian.MOMENTUM)
    u = uniforms(state.stream, 1, hamiltonian.ACCEPT)[:, 0]
    return formula(lambda x: targets.log_p_and_score(MIXTURE, x)[0], lambda x: targets.log_p_and_score(MIXTURE, x)[1],
                   state.x, r, u, eps, L)


def without_kinetic(log_p, new_log_p, r, new_r):
    return new_log_p - log_p


def inverted(log_p, new_log_p, r, new_r):
    return log_p - new_log_p + np.sum(new_r**2 - r**2, axis=1) / 2


def one_way(look, x, r, score, eps, L):
    """Whole steps of the momentum: neither reversible nor of second order."""
    for _ in range(L):
        r = r + eps * score
        x = x + eps * r
        log_p, score = look(x)
    return x, log_p, score, r


@pytest.mark.parametrize("name, wrong", [
    (None, None), ("log_ratio", without_kinetic), ("log_ratio", inverted), ("leapfrog", one_way)])
def test_a_step_is_that_of_the_formula(name, wrong, monkeypatch):
    """samplers.hmc is shown to be reversible; this step must be the same one."""
    state = hamiltonian.init(MIXTURE, np.random.default_rng(3).normal(size=(2000, 2)), seed=4)
    if name:
        monkeypatch.setattr(hamiltonian, name, wrong)
    new, truth = hamiltonian.step(MIXTURE, state, 0.9, 4), step_by_the_formula(state, 0.9, 4)
    assert np.allclose(new.x, truth, rtol=0, atol=1e-12) == (name is None)
    if name is None:
        assert np.array_equal(new.accepted == 1, np.any(new.x != state.x, axis=1)) and 0.5 < new.accepted.mean() < 0.95
        for kept, fresh in zip((new.log_p, new.score), targets.log_p_and_score(MIXTURE, new.x)):
            assert np.array_equal(kept, fresh)


def test_one_leapfrog_step_is_mala():
    """x + (eps^2/2) s + eps r, accepted alike."""
    x, eps = np.random.default_rng(3).normal(size=(1000, 2)), 0.8
    a = hamiltonian.step(MIXTURE, hamiltonian.init(MIXTURE, x, seed=4), eps, 1)
    b = mala.step(MIXTURE, mala.init(MIXTURE, x, seed=4), eps**2)
    assert np.array_equal(a.accepted, b.accepted) and np.allclose(a.x, b.x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_it_keeps_the_target(real):
    """Compiled, from exact samples, steps so long that many are rejected: after any number the law is the target."""
    covariance, number = np.linalg.inv(NORMAL.P), 100_000
    x = np.random.default_rng(1).multivariate_normal(NORMAL.m, covariance, number)
    state = hamiltonian.run(NORMAL, hamiltonian.init(NORMAL, x, seed=3, real=real), 0.62, 3, 30).state
    away = state.x.astype(float) - NORMAL.m
    squares = away[:, :, None] * away[:, None, :]
    assert 0.6 < state.accepted.mean() / 30 < 0.95
    assert np.all(np.abs(away.mean(axis=0)) < 5 * away.std(axis=0) / np.sqrt(number))
    assert np.all(np.abs(squares.mean(axis=0) - covariance) < 5 * squares.std(axis=0) / np.sqrt(number))


def test_errors():
    state = hamiltonian.init(NORMAL, np.zeros((300, 3)))
    for arguments, said in (((0.0, 3, 1), "eps must be positive"), ((0.1, 0, 1), "number of leapfrog steps L"),
                            ((0.1, 3, 0), "steps must be an integer")):
        with pytest.raises(ValueError, match=said):
            hamiltonian.run(NORMAL, state, *arguments)
    with pytest.raises(ValueError, match="number of chains"):
        hamiltonian.init(NORMAL, np.zeros((0, 3)))
    with pytest.raises(ValueError, match="real must be"):
        hamiltonian.init(NORMAL, np.zeros((1, 3)), real=np.float16)
    with pytest.raises(ValueError, match=r"must be finite, but is .* for chain \d+ at step 0"):
        hamiltonian.run(NORMAL, state, 100.0, 200, 3)
