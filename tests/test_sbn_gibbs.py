"""Gibbs sampling of a sigmoid belief net's posterior: its matrix leaves it as it is, the compiled chain has it."""
import numpy as np
import pytest

from refdgm import transition_test as moves
from refdgm.models import sbn
from refdgm.models.finite_chain import bit_update, stationary_law
from refdgm.numerics import all_binary, sigmoid
from refdgm.samplers import sbn_gibbs as gibbs


def net(D=5, H=3, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return {"a": rng.normal(size=H), "W": scale * rng.normal(size=(D, H)), "b": rng.normal(size=D)}


X = np.array([1.0, 0, 0, 1, 1])


@pytest.mark.parametrize("seed", range(3))
def test_the_posterior_stays(seed):
    theta = net(seed=seed)
    pi, P = sbn.posterior(theta, X), gibbs.transition_matrix(theta, X)
    assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_the_logit_is_a_difference_of_the_log_joint(scale):
    """Also where e^s overflows, and over more units than one product takes."""
    theta = net(150, 3, scale=scale)
    x, h = np.random.default_rng(1).integers(0, 2, 150).astype(float), all_binary(3)
    for j in range(3):
        on, off = h.copy(), h.copy()
        on[:, j], off[:, j] = 1, 0
        exact = sbn.log_joint(theta, x, on) - sbn.log_joint(theta, x, off)
        found = gibbs.logit(theta["a"][j], theta["W"][:, j], x[None], off @ theta["W"].T + theta["b"])
        assert np.max(np.abs(found - exact)) < 1e-12 * np.max(np.abs(sbn.log_joint(theta, x, h)))


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_a_product_of_many_factors_of_two_is_no_overflow(real):
    theta = {"a": np.zeros(1), "W": np.full((1200, 1), 1e-3), "b": np.zeros(1200)}
    x = (np.arange(1200) % 3 == 0).astype(float)
    exact = sbn.log_joint(theta, x, np.ones(1)) - sbn.log_joint(theta, x, np.zeros(1))
    found = gibbs.logit(real(0), theta["W"][:, 0].astype(real), x[None].astype(real), np.zeros((1, 1200), real))
    assert abs(found[0] - exact) < 3000 * np.finfo(real).eps


def test_the_sums_are_taken_in_the_same_order():
    """Weights of +-2^60 that cancel leave what was rounded away to decide, which another order would change."""
    theta, rng = net(70, 6), np.random.default_rng(2)
    large = rng.choice([-2.0**60, 0, 0, 2.0**60], size=(70, 6))
    theta["W"] = np.where(large, large, 100 * theta["W"])
    twin = start = gibbs.init(theta, rng.integers(0, 2, (200, 70)), seed=7)
    for _ in range(5):
        twin = gibbs.step(theta, twin)
    assert np.array_equal(gibbs.run(theta, start, 5).state.h, twin.h)


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("D, H, chains", [(70, 6, 150), (3, 1, 1), (64, 5, 33)])
def test_the_compiled_chain_is_the_numpy_chain(D, H, chains, real):
    theta = net(D, H, scale=0.5)
    start = gibbs.init(theta, np.random.default_rng(1).integers(0, 2, (chains, D)), seed=7, real=real)
    twin = start
    for _ in range(4):
        twin = gibbs.step(theta, twin)
    for threads in (1, 2):
        assert np.array_equal(gibbs.run(theta, start, 4, threads=threads).state.h, twin.h)
    later = gibbs.run(theta, gibbs.run(theta, start, 1).state, 3).state
    assert np.array_equal(later.h, twin.h) and later.stream.step == twin.stream.step
    part = slice(chains // 3, chains // 3 + 40)             # a chain does not notice its batch
    alone = gibbs.State(start.h[part], start.x[part], start.stream._replace(chain=start.stream.chain[part]))
    assert np.array_equal(gibbs.run(theta, alone, 4).state.h, twin.h[part])


def verdict(P, theta):
    return moves.compare(P, *moves.follow(
        gibbs.init(theta, np.tile(X, (512, 1)), seed=5), lambda state: gibbs.run(theta, state, 1).state,
        lambda state: moves.number(state.h)), most=2**18)


def test_the_compiled_chain_moves_as_the_matrix_says():
    found = verdict(gibbs.transition_matrix(net(), X), net())
    assert found.agrees, str(found)


def matrix(theta, logit, order=(0, 1, 2)):
    h = all_binary(3)
    return np.linalg.multi_dot([bit_update(sigmoid(logit(theta, h, j)), j) for j in order])


def exact(theta, h, j, x=X, joint=sbn.log_joint):
    on, off = h.copy(), h.copy()
    on[:, j], off[:, j] = 1, 0
    return joint(theta, x, on) - joint(theta, x, off)


@pytest.mark.parametrize("name, wrong", [
    ("latents in reverse order", lambda theta: matrix(theta, exact, order=(2, 1, 0))),
    ("the prior left out", lambda theta: matrix(theta, lambda *args: exact(*args, joint=sbn.log_likelihood))),
    ("the logits of an RBM", lambda theta: matrix(theta, lambda theta, h, j: np.full(
        len(h), theta["a"][j] + X @ theta["W"][:, j]))),
    ("the units that are on alone", lambda theta: matrix(
        {**theta, "W": theta["W"][X == 1], "b": theta["b"][X == 1]}, lambda *args: exact(*args, x=X[X == 1]))),
    ("the biases of x left out", lambda theta: matrix({**theta, "b": 0 * theta["b"]}, exact)),
    ("activations of the last sweep", lambda theta: np.prod(np.where(
        all_binary(3)[None] == 1, *(lambda on: (on, 1 - on))(sigmoid(np.stack(
            [exact(theta, all_binary(3), j) for j in range(3)], axis=-1))[:, None])), axis=-1)),
])
def test_wrong_chains_are_rejected(name, wrong):
    found = verdict(wrong(net()), net())
    assert not found.agrees, f"{name}: {found}"


def test_every_chain_has_its_own_x():
    theta, x = net(), np.repeat(all_binary(5), 100, axis=0)
    run = gibbs.run(theta, gibbs.init(theta, x, seed=1), 300, burn_in=30, thin=3, average=lambda state: state.h)
    means = run.average.reshape(32, 100, 3)                 # independent chains
    error = means.std(axis=1, ddof=1) / 10
    assert np.all(np.abs(means.mean(axis=1) - sbn.posterior(theta, all_binary(5)) @ all_binary(3)) < 6 * error)


def test_errors():
    theta = net()
    with pytest.raises(ValueError, match="x must have shape"):
        gibbs.init(theta, X)
    with pytest.raises(ValueError, match="x must consist of bits"):
        gibbs.init(theta, X[None] / 2)
    with pytest.raises(ValueError, match="h must have shape"):
        gibbs.init(theta, X[None], h=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(theta, np.zeros((0, 5)))
    with pytest.raises(ValueError, match="must be finite"):
        gibbs.init({**theta, "a": np.full(3, np.nan)}, X[None])
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(theta, gibbs.init(theta, X[None]), 0)
    with pytest.raises(ValueError, match="states"):
        gibbs.transition_matrix(net(5, 12), X)
