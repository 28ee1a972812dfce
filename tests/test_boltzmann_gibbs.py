"""Gibbs sampling of a Boltzmann machine: its matrix leaves the law as it is, and the compiled chain has that matrix."""
import numpy as np
import pytest

from refdgm import transition_test as moves
from refdgm.models import boltzmann
from refdgm.models.finite_chain import bit_update, stationary_law
from refdgm.numerics import all_binary, sigmoid
from refdgm.samplers import boltzmann_gibbs as gibbs

SCANS = ["sequential", "random"]


def machine(n=4, scale=1.0, seed=0):
    return boltzmann.random_theta(np.random.default_rng(seed), n, scale)


def site_updates(theta, on=lambda theta, x: sigmoid(boltzmann.logits(theta, x))):
    x = all_binary(len(theta["b"]))
    return [bit_update(column, i) for i, column in enumerate(on(theta, x).T)]


def test_the_logits_are_differences_of_the_energy():
    theta = machine(5)
    x = all_binary(5)
    for i in range(5):
        on, off = x.copy(), x.copy()
        on[:, i], off[:, i] = 1, 0
        difference = boltzmann.energy(theta, off) - boltzmann.energy(theta, on)
        assert np.max(np.abs(boltzmann.logits(theta, x)[:, i] - difference)) < 1e-12
    assert abs(np.exp(boltzmann.log_prob_table(theta)).sum() - 1) < 1e-12
    assert abs(boltzmann.log_partition(theta) - np.log(np.exp(-boltzmann.energy(theta, x)).sum())) < 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_the_law_stays_and_a_random_scan_is_reversible(seed):
    theta = machine(seed=seed)
    pi = np.exp(boltzmann.log_prob_table(theta))
    for scan in SCANS:
        P = gibbs.transition_matrix(theta, scan)
        assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12
        flow = pi[:, None] * P
        assert (np.max(np.abs(flow - flow.T)) < 1e-12) == (scan == "random")


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("n, chains", [(9, 150), (3, 1)])
def test_the_compiled_chain_is_the_numpy_chain(scan, n, chains, real):
    theta = machine(n)
    start = gibbs.init(theta, chains, seed=7, real=real)
    twin = start
    for _ in range(5):
        twin = gibbs.step(theta, twin, scan)
    for threads in (1, 2):
        assert np.array_equal(gibbs.run(theta, start, 5, scan, threads=threads).state.x, twin.x)
    later = gibbs.run(theta, gibbs.run(theta, start, 2, scan).state, 3, scan).state
    assert np.array_equal(later.x, twin.x) and later.stream.step == twin.stream.step == 5
    part = slice(chains // 3, chains // 3 + 40)             # a chain does not notice its batch
    alone = gibbs.State(start.x[part], start.stream._replace(chain=start.stream.chain[part]))
    assert np.array_equal(gibbs.run(theta, alone, 5, scan).state.x, twin.x[part])


@pytest.mark.parametrize("scan", SCANS)
def test_the_sums_are_taken_in_the_same_order(scan):
    """Couplings of +-2^60 that cancel leave what was rounded away to decide, which another order would change."""
    theta, rng = machine(14), np.random.default_rng(2)
    large = np.triu(rng.choice([-2.0**60, 0, 2.0**60], size=(14, 14)), 1)
    theta["J"] = np.where(large + large.T, large + large.T, 100 * theta["J"])
    twin = start = gibbs.init(theta, 200, seed=7)
    for _ in range(6):
        twin = gibbs.step(theta, twin, scan)
    assert np.array_equal(gibbs.run(theta, start, 6, scan).state.x, twin.x)


def verdict(theta, P, scan, advance):
    start = gibbs.init(theta, 512, seed=5)
    return moves.compare(P, *moves.follow(start, advance, lambda state: moves.number(state.x)), most=2**18)


@pytest.mark.parametrize("scan", SCANS)
def test_the_compiled_chain_moves_as_the_matrix_says(scan):
    theta = machine()
    found = verdict(theta, gibbs.transition_matrix(theta, scan), scan,
                    lambda state: gibbs.run(theta, state, 1, scan).state)
    assert found.agrees, str(found)


@pytest.mark.parametrize("scan, name", [
    ("sequential", "sites in reverse order"), ("sequential", "all sites at once"),
    ("sequential", "the sign of J"), ("sequential", "half of J x, as in the energy"),
    ("sequential", "only the sites before"), ("random", "the last site never"), ("random", "a whole sweep")])
def test_wrong_chains_are_rejected(scan, name):
    theta = machine()
    updates, x, n = site_updates(theta), all_binary(4), 4
    wrong = {
        "sites in reverse order": lambda: np.linalg.multi_dot(updates[::-1]),
        "all sites at once": lambda: np.prod(np.where(
            x[None] == 1, *(lambda on: (on, 1 - on))(sigmoid(boltzmann.logits(theta, x))[:, None])), axis=-1),
        "the sign of J": lambda: np.linalg.multi_dot(site_updates({**theta, "J": -theta["J"]})),
        "half of J x, as in the energy": lambda: np.linalg.multi_dot(site_updates({**theta, "J": theta["J"] / 2})),
        "only the sites before": lambda: np.linalg.multi_dot(site_updates({**theta, "J": np.triu(theta["J"])})),
        "the last site never": lambda: sum(updates[:-1]) / (n - 1),
        "a whole sweep": lambda: np.linalg.multi_dot(updates)}[name]()
    found = verdict(theta, wrong, scan, lambda state: gibbs.run(theta, state, 1, scan).state)
    assert not found.agrees, str(found)


def test_averages_approach_the_exact_means():
    theta = machine(6, scale=0.7)
    run = gibbs.run(theta, gibbs.init(theta, 2000, seed=1), 500, burn_in=50, thin=5, average=lambda state: state.x)
    exact = np.exp(boltzmann.log_prob_table(theta)) @ all_binary(6)
    error = run.average.std(axis=0, ddof=1) / np.sqrt(2000)       # chains are independent
    assert np.all(np.abs(run.average.mean(axis=0) - exact) < 5 * error)


def test_errors():
    theta = machine(3)
    for wrong, message in [({**theta, "J": theta["J"] + np.triu(np.ones((3, 3)), 1)}, "must be symmetric"),
                           ({**theta, "J": theta["J"] + np.eye(3)}, "zero diagonal"),
                           ({**theta, "b": np.array([0, np.inf, 0])}, "must be finite")]:
        with pytest.raises(ValueError, match=message):
            gibbs.init(wrong, 2)
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(theta, 0)
    with pytest.raises(ValueError, match="x must consist of bits"):
        gibbs.init(theta, 2, x=np.full((2, 3), 0.5))
    with pytest.raises(ValueError, match="x must have shape"):
        gibbs.init(theta, 2, x=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="scan must be one of sequential, random"):
        gibbs.run(theta, gibbs.init(theta, 2), 1, scan="reverse")
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(theta, gibbs.init(theta, 2), 0)
    with pytest.raises(ValueError, match="states"):
        gibbs.transition_matrix(machine(12))
