"""The deep Boltzmann machine by brute force, and its Gibbs chain: the law stays, the compiled chain has the matrix."""
import numpy as np
import pytest

from refdgm import transition_test as moves
from refdgm.models import dbm
from refdgm.models.deep_belief_net import deep_boltzmann_machine
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import all_binary, bernoulli_log_prob
from refdgm.samplers import dbm_gibbs as gibbs

D, H, G = 3, 3, 2


def machine(D=D, H=H, G=G, scale=1.0, seed=0):
    return dbm.random_theta(np.random.default_rng(seed), D, H, G, scale)


def table(theta):
    """p(v, h1, h2) from another module, numbered (v, h1, h2)."""
    return deep_boltzmann_machine({"W": theta["W1"], "b": theta["b"], "U": theta["W2"], "a": theta["c1"],
                                   "d": theta["c2"]})


def outer_law(theta):
    return table(theta).sum(axis=1).T.ravel()               # v changes fastest


@pytest.mark.parametrize("D, H, G", [(3, 3, 2), (2, 6, 1)])
def test_the_oracles_agree_with_brute_force(D, H, G):
    theta = machine(D, H, G)
    v, h1, h2 = all_binary(D), all_binary(H), all_binary(G)
    boltzmann = np.exp(-dbm.energy(theta, v[:, None, None], h1[:, None], h2))
    assert np.max(np.abs(boltzmann / boltzmann.sum() - table(theta))) < 1e-14
    assert abs(dbm.log_partition(theta) - np.log(boltzmann.sum())) < 1e-12
    assert np.max(np.abs(np.exp(-dbm.middle_free_energy(theta, h1)) / boltzmann.sum((0, 2)) - 1)) < 1e-12
    assert np.max(np.abs(np.exp(-dbm.outer_free_energy(theta, v[:, None], h2)) / boltzmann.sum(1) - 1)) < 1e-12
    assert np.max(np.abs(np.exp(dbm.log_outer_table(theta)) - outer_law(theta))) < 1e-14
    assert np.max(np.abs(np.exp(dbm.log_marginal(theta, v)) - table(theta).sum((1, 2)))) < 1e-14


@pytest.mark.parametrize("seed", range(3))
def test_the_law_stays_and_the_chain_is_reversible(seed):
    theta = machine(seed=seed)
    pi, P = outer_law(theta), gibbs.transition_matrix(theta)
    flow = pi[:, None] * P
    assert np.max(np.abs(flow - flow.T)) < 1e-12
    assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("sizes, chains", [((13, 9, 6), 150), ((1, 2, 1), 1)])
def test_the_compiled_chain_is_the_numpy_chain(sizes, chains, real):
    theta = machine(*sizes, scale=0.4)
    start = gibbs.init(theta, chains, seed=7, real=real)
    twin = start
    for _ in range(5):
        twin = gibbs.step(theta, twin)
    part = slice(chains // 3, chains // 3 + 40)             # a chain does not notice its batch
    alone = gibbs.State(*(a[part] for a in start[:3]), start.stream._replace(chain=start.stream.chain[part]))
    for threads in (1, 2):
        found = gibbs.run(theta, start, 5, threads=threads).state
        assert all(np.array_equal(a, b) for a, b in zip(found[:3], twin))
        found = gibbs.run(theta, alone, 5, threads=threads).state
        assert all(np.array_equal(a, b[part]) for a, b in zip(found[:3], twin))
    later = gibbs.run(theta, gibbs.run(theta, start, 2).state, 3).state
    assert all(np.array_equal(a, b) for a, b in zip(later[:3], twin)) and later.stream.step == twin.stream.step


def verdict(P, theta):
    return moves.compare(P, *moves.follow(
        gibbs.init(theta, 512, seed=5), lambda state: gibbs.run(theta, state, 1).state,
        lambda state: moves.number(np.concatenate([state.v, state.h2], axis=1))), most=2**18)


def test_the_compiled_chain_moves_as_the_matrix_says():
    found = verdict(gibbs.transition_matrix(machine()), machine())
    assert found.agrees, str(found)


def without_the_top(theta):
    """h1 from v alone, as in an RBM or on the way up in a DBN."""
    v, h2 = dbm.outer_states(theta)
    h1 = all_binary(H)
    up = bernoulli_log_prob(h1, (v @ theta["W1"] + theta["c1"])[:, None, :])
    down = (bernoulli_log_prob(v, dbm.visible_logits(theta, h1)[:, None, :])
            + bernoulli_log_prob(h2, dbm.top_logits(theta, h1)[:, None, :]))
    return np.exp(up) @ np.exp(down)


@pytest.mark.parametrize("name, wrong", [
    ("h1 does not see h2", without_the_top),
    ("h1 sees v twice: doubled weights, as in pretraining", lambda theta: gibbs.transition_matrix(
        {**theta, "W1": 2 * theta["W1"]})),
    ("the biases of h1 left out", lambda theta: gibbs.transition_matrix({**theta, "c1": 0 * theta["c1"]})),
    ("the energy printed with +", lambda theta: gibbs.transition_matrix(
        {name: -leaf for name, leaf in theta.items()})),
    ("two steps for one", lambda theta: np.linalg.matrix_power(gibbs.transition_matrix(theta), 2)),
])
def test_wrong_chains_are_rejected(name, wrong):
    found = verdict(wrong(machine()), machine())
    assert not found.agrees, f"{name}: {found}"


def test_averages_approach_the_exact_means():
    theta = machine()
    run = gibbs.run(theta, gibbs.init(theta, 1000, seed=1), 500, burn_in=50, thin=5, average=lambda s: s.v)
    exact = table(theta).sum((1, 2)) @ all_binary(D)
    error = run.average.std(axis=0, ddof=1) / np.sqrt(1000)       # chains are independent
    assert np.all(np.abs(run.average.mean(axis=0) - exact) < 5 * error)


def test_errors():
    theta = machine()
    with pytest.raises(ValueError, match="W2.* must have shape"):
        gibbs.init({**theta, "W2": np.zeros((H + 1, G))}, 2)
    with pytest.raises(ValueError, match="must be finite"):
        gibbs.init({**theta, "c2": np.full(G, np.inf)}, 2)
    with pytest.raises(ValueError, match="h2 must consist of bits"):
        gibbs.init(theta, 2, h2=np.full((2, G), 0.5))
    with pytest.raises(ValueError, match="v must have shape"):
        gibbs.init(theta, 2, v=np.zeros((3, D)))
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(theta, 0)
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(theta, gibbs.init(theta, 2), 0)
    with pytest.raises(ValueError, match="states"):
        gibbs.transition_matrix(machine(8, 2, 4))
