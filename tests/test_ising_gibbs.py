"""Gibbs sampling of the Ising model: its matrix leaves the law as it is, and the compiled chain has that matrix."""
import numpy as np
import pytest

from refdgm import transition_test as moves
from refdgm.models import ising
from refdgm.models.finite_chain import bit_update, stationary_law
from refdgm.numerics import sigmoid
from refdgm.samplers import ising_gibbs as gibbs

THETA = {"beta": 0.4, "field": 0.15}
SMALL = [(2, 4), (4, 2), (2, 2)]


def test_every_bond_counts_once_and_the_logits_are_differences_of_the_energy():
    spins = ising.all_spins(2, 4)
    for r in range(2):
        for c in range(4):
            up, down = spins.copy(), spins.copy()
            up[:, r, c], down[:, r, c] = 1, -1
            difference = ising.energy(THETA, down) - ising.energy(THETA, up)
            logit = ising.logit(THETA, ising.neighbours(spins)[:, r, c])
            assert np.max(np.abs(logit - difference)) < 1e-12
    assert ising.energy(THETA, np.ones((6, 4))) == pytest.approx(-24 * (2 * 0.4 + 0.15), rel=1e-14)
    assert abs(np.exp(ising.log_prob_table(THETA, 2, 4)).sum() - 1) < 1e-12


@pytest.mark.parametrize("shape", SMALL)
def test_the_law_stays(shape):
    pi = np.exp(ising.log_prob_table(THETA, *shape))
    P = gibbs.transition_matrix(THETA, shape)
    assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12
    assert np.max(np.abs(pi[:, None] * P - (pi[:, None] * P).T)) > 1e-3             # not reversible


@pytest.mark.parametrize("shape, number, steps", [
    ((2, 2), 5, 9), ((4, 2), 1, 9), ((6, 10), 3, 9), ((12, 8), 70, 4), ((256, 6), 1, 11), ((10, 40), 33, 3)])
def test_the_compiled_chain_is_the_numpy_chain(shape, number, steps):
    """(256, 6) is cut in bands for two threads, (12, 8) lies side by side, six rows are no whole groups."""
    start = gibbs.init(THETA, shape, number, seed=7)
    twin = start
    for _ in range(steps):
        twin = gibbs.step(THETA, twin)
    assert twin.spins.dtype == np.int8 and np.all(np.abs(twin.spins) == 1)
    for threads in (1, 2, 5):
        assert np.array_equal(gibbs.run(THETA, start, steps, threads=threads).state.spins, twin.spins)
    later = gibbs.run(THETA, gibbs.run(THETA, start, 2).state, steps - 2).state
    assert np.array_equal(later.spins, twin.spins) and later.stream.step == twin.stream.step == steps
    part = slice(number // 3, number // 3 + 20)             # a lattice does not notice the others
    alone = gibbs.State(start.spins[part], start.stream._replace(chain=start.stream.chain[part]))
    assert np.array_equal(gibbs.run(THETA, alone, steps).state.spins, twin.spins[part])


def test_the_thresholds_are_the_probabilities():
    p = 1 / (1 + np.exp(-2 * (0.4 * np.array([-4, -2, 0, 2, 4]) + 0.15)))
    assert np.max(np.abs(gibbs.thresholds(THETA) / 2**32 - p)) < 2**-32
    assert gibbs.thresholds({"beta": 900.0, "field": 0.0}).tolist() == [0, 0, 2**31, 2**32 - 1, 2**32 - 1]


def verdict(P):
    start = gibbs.init(THETA, (2, 4), 512, seed=5)
    return moves.compare(P, *moves.follow(
        start, lambda state: gibbs.run(THETA, state, 1).state,
        lambda state: moves.number((state.spins.reshape(-1, 8) + 1) // 2)), most=2**18)


def test_the_compiled_chain_moves_as_the_matrix_says():
    found = verdict(gibbs.transition_matrix(THETA, (2, 4)))
    assert found.agrees, str(found)


def matrix(order, on):
    return np.linalg.multi_dot([bit_update(on[:, i], i) for i in order])


EVEN, ODD = (0, 2, 5, 7), (1, 3, 4, 6)                      # of 2 x 4, numbered along the rows
SPINS = ising.all_spins(2, 4)


def up(logit=lambda m: 2 * (0.4 * m + 0.15)):
    return sigmoid(logit(ising.neighbours(SPINS))).reshape(-1, 8)


@pytest.mark.parametrize("name, wrong", [
    ("odd sites first", lambda: matrix(ODD + EVEN, up())),
    ("row by row", lambda: matrix(range(8), up())),
    ("all sites at once", lambda: np.prod(np.where(
        SPINS.reshape(1, -1, 8) == 1, up()[:, None], 1 - up()[:, None]), axis=-1)),
    ("no factor 2: bits in place of spins", lambda: matrix(EVEN + ODD, up(lambda m: 0.4 * m + 0.15))),
    ("beta times the field", lambda: matrix(EVEN + ODD, up(lambda m: 2 * 0.4 * (m + 0.15)))),
    ("an antiferromagnet", lambda: matrix(EVEN + ODD, up(lambda m: 2 * (0.15 - 0.4 * m)))),
    ("walls in place of a torus", lambda: matrix(EVEN + ODD, sigmoid(2 * (0.4 * walled(SPINS) + 0.15)).reshape(-1, 8))),
])
def test_wrong_chains_are_rejected(name, wrong):
    found = verdict(wrong())
    assert not found.agrees, f"{name}: {found}"


def walled(spins):
    padded = np.pad(spins, ((0, 0), (1, 1), (1, 1)))
    return padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]


def test_averages_approach_the_exact_means():
    run = gibbs.run(THETA, gibbs.init(THETA, (4, 4), 1000, seed=1), 400, burn_in=50, thin=4,
                    average=lambda s: {"energy": ising.energy(THETA, s.spins), "spin": s.spins.mean((1, 2))})
    spins, p = ising.all_spins(4, 4), np.exp(ising.log_prob_table(THETA, 4, 4))
    for name, exact in [("energy", p @ ising.energy(THETA, spins)), ("spin", p @ spins.mean((1, 2)))]:
        means = run.average[name]                           # independent lattices
        assert abs(means.mean() - exact) < 5 * means.std(ddof=1) / np.sqrt(len(means))


def test_errors():
    for shape, message in [((3, 4), "even sides"), ((2, 5), "even sides"), ((0, 2), "rows must be an integer")]:
        with pytest.raises(ValueError, match=message):
            gibbs.init(THETA, shape)
    with pytest.raises(ValueError, match="must be finite"):
        gibbs.init({"beta": np.nan, "field": 0.0}, (2, 2))
    with pytest.raises(ValueError, match="field is missing"):
        gibbs.init({"beta": 1.0}, (2, 2))
    with pytest.raises(ValueError, match="spins must be -1 or 1"):
        gibbs.init(THETA, (2, 2), spins=np.zeros((1, 2, 2)))
    with pytest.raises(ValueError, match="spins must have shape"):
        gibbs.init(THETA, (2, 2), 2, spins=np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(THETA, (2, 2), 0)
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(THETA, gibbs.init(THETA, (2, 2)), 0)
    with pytest.raises(ValueError, match="states"):
        gibbs.transition_matrix(THETA, (4, 4))
