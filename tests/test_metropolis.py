"""Metropolis chains on finite spaces, against their matrices, and random walks on R^n, against moments."""
import numpy as np
import pytest

from refdgm.models import targets
from refdgm.models.finite_chain import stationary_law
from refdgm.samplers import finite_metropolis as finite
from refdgm.samplers import metropolis_hastings, random_walk
from refdgm.transition_test import compare, follow

# ---- finite spaces --------------------------------------------------------------------


def problem(S=5, seed=0):
    """A target with an unknown constant, and a proposal that is not symmetric and has some impossible moves."""
    rng = np.random.default_rng(seed)
    R = rng.dirichlet(np.ones(S), size=S)
    R[0, 2] = R[3, 1] = 0
    return rng.normal(size=S) * 1.5 + 3, R / R.sum(axis=1, keepdims=True)


def start(log_p, R, chains, seed=0):
    return finite.init(log_p, R, np.arange(chains) % len(R), seed)


def test_the_compiled_finite_chain_is_the_numpy_chain():
    log_p, R = problem(7)
    twin = first = start(log_p, R, 300, seed=5)
    for _ in range(20):
        twin = finite.step(log_p, R, twin)
    for threads in (1, 2):
        assert np.array_equal(finite.run(log_p, R, first, 20, threads=threads).state.z, twin.z)
    half = finite.run(log_p, R, first, 10).state
    part = finite.State(half.z[40:77], half.stream._replace(chain=half.stream.chain[40:77]))
    assert np.array_equal(finite.run(log_p, R, part, 10).state.z, twin.z[40:77])


@pytest.mark.parametrize("seed", range(4))
def test_the_finite_matrix(seed):
    log_p, R = problem(seed=seed)
    P, pi = finite.transition_matrix(log_p, R), np.exp(log_p) / np.sum(np.exp(log_p))
    assert np.max(np.abs(P - metropolis_hastings.transition_matrix(log_p, R))) < 1e-12
    assert np.max(np.abs(pi @ P - pi)) < 1e-12 and np.max(np.abs(stationary_law(P) - pi)) < 1e-12
    flow = pi[:, None] * P
    assert np.max(np.abs(flow - flow.T)) < 1e-12


def judged(step, most=2 * 10**5):
    log_p, R = problem()
    return compare(finite.transition_matrix(log_p, R),
                   *follow(start(log_p, R, 20_000), lambda s: step(log_p, R, s), lambda s: s.z), most=most)


def test_the_compiled_finite_chain_has_this_matrix():
    verdict = judged(lambda log_p, R, s: finite.run(log_p, R, s, 1).state, most=10**6)
    assert verdict.agrees, verdict


def wrong_acceptance(A):
    """The step with another table of acceptance probabilities."""
    def step(log_p, R, state):
        u, v = finite.uniforms(state.stream, 2, finite.MOVE).T
        z = np.sum(finite.cumulative(R)[state.z] <= u[:, None], axis=1)
        return finite.State(np.where(v < A(log_p, R)[state.z, z], z, state.z), finite.advance(state.stream))
    return step


MISTAKES = {
    "inverted ratio": wrong_acceptance(lambda log_p, R: finite.acceptance(log_p, R).T),
    "the proposal is not corrected for": wrong_acceptance(
        lambda log_p, R: np.exp(np.minimum(0, log_p - log_p[:, None]))),
    "the proposal is corrected for the wrong way": wrong_acceptance(
        lambda log_p, R: np.exp(np.minimum(0, log_p - log_p[:, None])) * np.minimum(1, (R + 1e-9) / (R.T + 1e-9))),
    "Barker's ratio, which has the same law": wrong_acceptance(
        lambda log_p, R: 1 / (1 + np.exp(log_p[:, None] - log_p) * (R + 1e-99) / (R.T + 1e-99))),
    "every proposal accepted": wrong_acceptance(lambda log_p, R: np.ones_like(R)),
}


def test_the_right_finite_step_from_these_parts():
    assert judged(wrong_acceptance(finite.acceptance)).agrees


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_rejected(name):
    assert not judged(MISTAKES[name]).agrees


def test_states_of_probability_zero_are_not_entered():
    log_p, R = np.array([0.0, -np.inf, 1.0]), np.full((3, 3), 1 / 3)
    state = finite.run(log_p, R, finite.init(log_p, R, np.array([0] * 200)), 50).state
    assert set(state.z) == {0, 2}
    with pytest.raises(ValueError, match="starts in a state of probability zero"):
        finite.init(log_p, R, np.array([0, 1]))


def test_finite_errors():
    log_p, R = problem()
    with pytest.raises(ValueError, match="each row of the proposal R must sum to one"):
        finite.init(log_p, R * 1.1, np.array([0]))
    with pytest.raises(ValueError, match="log p must be a number or -inf, but is nan in state 2"):
        finite.init(np.where(np.arange(5) == 2, np.nan, log_p), R, np.array([0]))
    with pytest.raises(ValueError, match="no support there: state 1 is never reached from state 0"):
        finite.init(np.zeros(2), np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0]))
    with pytest.raises(ValueError, match="number of chains"):
        finite.init(log_p, R, np.zeros(0, int))
    with pytest.raises(ValueError, match="z must be integers from 0 to 4"):
        finite.init(log_p, R, np.array([5]))
    with pytest.raises(ValueError, match="steps must be an integer"):
        finite.run(log_p, R, start(log_p, R, 3), 0)


# ---- R^n ------------------------------------------------------------------------------

MEAN, COVARIANCE = np.array([1.0, -2.0, 0.5]), np.array([[1.0, 0.3, 0.0], [0.3, 0.5, 0.2], [0.0, 0.2, 2.0]])
PRECISION = np.linalg.inv(COVARIANCE)
GAUSSIAN = targets.gaussian(MEAN, (PRECISION + PRECISION.T) / 2)
MIXTURE = targets.gaussian_mixture(np.array([0.2, 0.5, 0.3]), np.array([[-1.0, 0], [2, 1], [0, -2]]), 0.5)
SCALE = np.array([1.0, 0.8, 1.5])


def same(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a[:3], b[:3])) and a.stream.step == b.stream.step


@pytest.mark.parametrize("target, n, scale, real", [(GAUSSIAN, 3, SCALE, np.float64), (MIXTURE, 2, 1.2, np.float32)],
                         ids=["gaussian", "mixture"])
def test_the_compiled_walk_is_the_numpy_walk(target, n, scale, real):
    x = np.random.default_rng(0).normal(size=(300, n))
    twin = first = random_walk.init(target, x, seed=4, real=real)
    for _ in range(9):
        twin = random_walk.step(target, twin, scale)
    assert twin.x.dtype == twin.log_p.dtype == real and 0.2 < twin.accepted.mean() / 9 < 0.8
    for threads in (1, 2):
        assert same(random_walk.run(target, first, scale, 9, threads=threads).state, twin)
    assert same(random_walk.run(target, random_walk.run(target, first, scale, 4).state, scale, 5).state, twin)


def log_gaussian(x):
    d = x - MEAN
    return -0.5 * np.sum(d @ PRECISION * d, axis=1)


def test_a_function_and_a_tuple_give_the_same_walk():
    """The user's own function, in NumPy: the same chain but for the last bits of log p."""
    first = [random_walk.init(t, np.zeros((50, 3)), seed=2) for t in (GAUSSIAN, log_gaussian)]
    a, b = (random_walk.run(t, s, SCALE, 30).state for t, s in zip((GAUSSIAN, log_gaussian), first))
    assert np.max(np.abs(a.x - b.x)) < 1e-12


def standard_errors(walk, chains=20_000):
    """How far means and covariances of independent chains are from the target's, after 60 steps from a draw of it."""
    x = np.random.default_rng(1).multivariate_normal(MEAN, COVARIANCE, size=chains)
    d = walk(random_walk.init(GAUSSIAN, x, seed=3)).x - MEAN
    moments = np.concatenate([d, (d[:, :, None] * d[:, None, :] - COVARIANCE).reshape(chains, -1)], axis=1)
    return np.max(np.abs(moments.mean(axis=0)) / (moments.std(axis=0, ddof=1) / np.sqrt(chains)))


def wrong_walk(accepts=lambda u, difference: u < np.exp(difference), kept=np.where, noise=lambda z: z):
    def walk(state):
        for _ in range(60):
            s = state.stream
            y = state.x + SCALE * noise(random_walk.normals(s, 3, random_walk.NOISE))
            log_p = random_walk.log_density(GAUSSIAN, y, s)
            moves = accepts(random_walk.uniforms(s, 1, random_walk.ACCEPT)[:, 0], log_p - state.log_p)
            state = random_walk.State(np.where(moves[:, None], y, state.x), kept(moves, log_p, state.log_p),
                                      state.accepted, random_walk.advance(s))
        return state
    return walk


def test_the_target_is_the_law_of_the_walk():
    assert standard_errors(lambda s: random_walk.run(GAUSSIAN, s, SCALE, 60).state) < 5
    assert standard_errors(wrong_walk()) < 5


WRONG_WALKS = {
    "inverted ratio": wrong_walk(accepts=lambda u, difference: u < np.exp(-difference)),
    "u in place of log u": wrong_walk(accepts=lambda u, difference: u < difference),
    "log p is that of the last proposal": wrong_walk(kept=lambda moves, new, old: new),
    "log p is never updated": wrong_walk(kept=lambda moves, new, old: old),
    "one-sided noise": wrong_walk(noise=np.abs),
}


@pytest.mark.parametrize("name", WRONG_WALKS)
@pytest.mark.filterwarnings("ignore:overflow")
def test_a_wrong_walk_has_another_law(name):
    assert standard_errors(WRONG_WALKS[name]) > 10


def test_the_support_is_not_left():
    """Uniform on the unit square: log p = -inf outside."""
    def log_p(x):
        return np.where(np.all((x > 0) & (x < 1), axis=1), 0.0, -np.inf)
    state = random_walk.run(log_p, random_walk.init(log_p, np.full((4000, 2), 0.5)), 0.4, 50).state
    assert np.all((state.x > 0) & (state.x < 1))
    assert np.all(np.abs(state.x.mean(axis=0) - 0.5) < 5 * np.sqrt(1 / 12 / 4000))
    with pytest.raises(ValueError, match="chain 1 starts outside of the support"):
        random_walk.init(log_p, np.array([[0.5, 0.5], [2, 2]]))


def test_walk_errors():
    state = random_walk.init(GAUSSIAN, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="number of chains"):
        random_walk.init(GAUSSIAN, np.zeros((0, 3)))
    with pytest.raises(ValueError, match="scale must be a positive number, or 3 of them"):
        random_walk.run(GAUSSIAN, state, [1, -1, 1], 5)
    with pytest.raises(ValueError, match=r"log_p\(x\) must have shape \(4,\)"):
        random_walk.init(lambda x: x, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="log p must be a number or -inf, but is nan for chain 0 at step 0"):
        random_walk.init(lambda x: x[:, 0] * np.nan, np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"log p must be a number or -inf, but is nan for chain \d at step \d"):
        random_walk.run(lambda x: np.where(x[:, 0] > 1, np.nan, 0.0), state, 1.0, 50)
    with pytest.raises(ValueError, match="steps must be an integer"):
        random_walk.run(GAUSSIAN, state, 1.0, 0)


def test_a_fault_in_a_compiled_target_is_named():
    """log p that overflows to +inf far out: a Gaussian of negative precision."""
    target = targets.Gaussian(np.zeros(2), -1e300 * np.eye(2))
    state = random_walk.init(target, np.zeros((100, 2)))
    with pytest.raises(ValueError, match=r"log p must be a number or -inf, but is inf for chain \d+ at step \d+"):
        random_walk.run(target, state, 1e6, 20)
