"""Proposals drawn and weighed by compiled kernels: as in NumPy, with the law that they claim; mistakes told apart."""
from typing import NamedTuple

import numpy as np
import pytest
import strict_cupy

from refdgm import backend
from refdgm.models import targets
from refdgm.proposals import LogWeight, normal
from refdgm.samplers import importance, rejection, resampling
from refdgm.streams import advance

rng = np.random.default_rng(0)
MIXTURE = targets.gaussian_mixture([0.3, 0.7], [[1.0, 0.0], [-0.5, 1.0]], 0.5)
NETWORK = targets.mlp_energy(rng.normal(size=(3, 5)), rng.normal(size=5), rng.normal(size=(5, 4)), rng.normal(size=4),
                             rng.normal(size=4))


class HalfPlane(NamedTuple):
    """A standard normal where the first coordinate is above the wall, as a user would write it."""
    wall: float

    def log_p_and_score(self, x):
        log_p = np.zeros_like(x[:, 0])
        for i in range(x.shape[1]):
            log_p = log_p - x.dtype.type(0.5) * x[:, i] * x[:, i]
        return np.where(x[:, 0] > self.wall, log_p, -np.inf).astype(x.dtype), -x


@targets.block_form(HalfPlane)
def half_plane(target, x, score, log_p, scratch):
    half, outside = x.dtype.type(0.5), x.dtype.type(-np.inf)
    log_p[:] = x.dtype.type(0)
    for i in range(len(x)):
        row, out = x[i], score[i]
        for lane in range(len(row)):
            out[lane] = -row[lane]
            log_p[lane] = log_p[lane] - half * row[lane] * row[lane]
    for lane in range(len(log_p)):
        log_p[lane] = log_p[lane] if x[0, lane] > target.wall[0] else outside


CASES = [(MIXTURE, 2, np.float32), (NETWORK, 3, np.float64), (HalfPlane(0.5), 2, np.float64)]
LOG_M = 8.0


def problem(target, n, real=np.float64):
    q = normal(np.full(n, 0.1), 1.6, real)
    return q, LogWeight(target, q)


def same(a, b):
    return a.stream.step == b.stream.step and all(
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a[:-1], b[:-1]))


def part(state, chosen):
    return type(state)(*(a[chosen] for a in state[:-1]), state.stream._replace(chain=state.stream.chain[chosen]))


@pytest.mark.parametrize("target, n, real", CASES)
def test_compiled_resampling_is_that_of_numpy(target, n, real):
    q, log_w = problem(target, n, real)
    twin = start = resampling.init(q, 300, seed=5, first=7)
    for _ in range(7):
        twin = resampling.step(q, log_w, twin)
    assert twin.x.dtype == real
    for threads in (1, 2):
        assert same(resampling.run(q, log_w, start, 7, threads=threads).state, twin)
    two = resampling.run(q, log_w, start, 2).state
    assert same(resampling.run(q, log_w, part(two, slice(270, 283)), 5).state, part(twin, slice(270, 283)))


@pytest.mark.parametrize("target, n, real", CASES)
def test_compiled_rejection_is_that_of_numpy(target, n, real):
    q, log_w = problem(target, n, real)
    twin = start = rejection.init(q, 700, seed=5)
    for _ in range(7):
        twin = rejection.step(q, log_w, LOG_M, twin)
    assert 0 < twin.accepted.sum() < 700 and twin.x.dtype == real
    for threads in (1, 2):
        assert same(rejection.run(q, log_w, LOG_M, start, 7, threads=threads).state, twin)
    two = rejection.run(q, log_w, LOG_M, start, 2).state
    assert same(rejection.run(q, log_w, LOG_M, part(two, slice(270, 283)), 5).state, part(twin, slice(270, 283)))


def test_a_function_will_do():
    q, log_w = problem(HalfPlane(0.5), 2)
    by_function = LogWeight(lambda x: np.where(x[:, 0] > 0.5, -(x**2).sum(axis=1) / 2, -np.inf), q)
    for sampler, more in ((resampling, ()), (rejection, (LOG_M,))):
        a, b = (sampler.run(q, weight, *more, sampler.init(q, 50, seed=1), 10).state for weight in (log_w, by_function))
        assert np.allclose(a.x, b.x, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sampler, more", [(resampling, ()), (rejection, (LOG_M,))])
def test_a_run_on_the_device_is_the_host_s(sampler, more):
    q, log_w = problem(MIXTURE, 2)
    start = sampler.init(q, 20, seed=1)
    expected = sampler.run(q, log_w, *more, start, 5).state
    with strict_cupy.installed():
        q, target, start = backend.to_device((q, MIXTURE, start))
        found = sampler.run(q, LogWeight(target, q), *more, start, 5).state
        assert backend.on_device(found.x)
        found = backend.to_host(found)
    assert same(found, expected)


@pytest.mark.parametrize("target", [MIXTURE, HalfPlane(0.5)])
def test_the_estimates_are_those_of_all_proposals(target):
    """samplers.importance has the formulas; here the weights of 40 proposals are kept."""
    q, log_w = problem(target, 2)
    start = resampling.init(q, 200, seed=3)
    x = np.stack([q(advance(start.stream, k)) for k in range(40)], axis=1)
    weights = np.stack([log_w(x[:, k]) for k in range(40)], axis=1)
    state = resampling.run(q, log_w, start, 40).state
    assert np.allclose(resampling.log_normaliser(state), importance.log_normaliser(weights), rtol=0, atol=1e-12)
    assert np.allclose(resampling.effective_sample_size(state), importance.effective_sample_size(weights), rtol=1e-12)
    assert np.allclose(state.mean, importance.estimate(weights, x), rtol=0, atol=1e-12)
    assert np.all(np.any(np.all(x == state.x[:, None], axis=2) & (weights > -np.inf), axis=1))


def deviation(state, power):
    """How far the picked draw is from the weighted mean of all, on average, in standard errors."""
    off = state.x[:, 0]**power - state.mean[:, 0]
    return abs(off.mean()) / (off.std() / np.sqrt(len(off)))


def wrong_step(share_of):
    """A step that picks the new proposal with another probability."""
    def step(q, log_w, state):
        new = resampling.step(q, log_w, state)
        share = share_of(np.exp(log_w(q(state.stream)) - new.top), new.total)
        picked = resampling.uniforms(state.stream, 1, resampling.PICK)[:, 0] < share
        return new._replace(x=np.where(picked[:, None], q(state.stream), state.x))
    return step


@pytest.mark.parametrize("step, right", [
    (resampling.step, True), (wrong_step(lambda w, total: w / total), True), (wrong_step(lambda w, total: w), False),
    (wrong_step(lambda w, total: np.sqrt(w / total)), False), (wrong_step(lambda w, total: 0.3 + 0 * w), False),
    (wrong_step(lambda w, total: w / (w + total)), False)])
def test_a_draw_is_picked_with_its_weight(step, right):
    """Given the proposals, the picked one has the mean of all by their weights."""
    target = targets.gaussian(np.array([0.7]), np.eye(1))
    q, log_w = problem(target, 1)
    state = resampling.init(q, 40_000, seed=2)
    for _ in range(6):
        state = step(q, log_w, state)
    assert (deviation(state, 1) < 5) == right


def test_compiled_rejection_draws_from_the_target():
    """Attempts are geometric with mean M / Z; a quarter of the plane's normal is a half-normal."""
    q, log_w = problem(HalfPlane(0.0), 2)
    log_M = float(log_w(np.array([[1e-9, -0.1 / 1.56]])).max()) + 0.1
    state = rejection.run(q, log_w, log_M, rejection.init(q, 50_000, seed=4), 400).state
    mean = np.exp(log_M) / np.pi                                # Z = pi: half of 2 pi
    assert state.accepted.all() and abs(state.attempts.mean() - mean) < 5 * np.sqrt(mean * (mean - 1) / 50_000)
    for power, truth in ((1, np.sqrt(2 / np.pi)), (2, 1.0), (4, 3.0)):
        values = state.x[:, 0]**power
        assert abs(values.mean() - truth) < 5 * values.std() / np.sqrt(50_000)
    assert abs(state.x[:, 1].mean()) < 5 / np.sqrt(50_000) and abs(state.x[:, 1].var() - 1) < 5 * np.sqrt(2 / 50_000)


def test_errors():
    q, log_w = problem(MIXTURE, 2)
    with pytest.raises(ValueError, match=r"log p/q must be at most log M = -3, but is \S+ for chain \d+ at step \d"):
        rejection.run(q, log_w, -3.0, rejection.init(q, 300), 5)
    broken = LogWeight(targets.Gaussian(np.zeros(2), 1.7e308 * np.array([[1.0, -1.0], [-1.0, 1.0]])), q)
    with pytest.raises(ValueError, match=r"a log weight must be a number or -inf, but is nan for chain \d+ at step \d"):
        resampling.run(q, broken, resampling.init(q, 300), 5)
    with pytest.raises(ValueError, match=r"log p/q must be at most log M = 8, but is nan for chain \d+ at step \d"):
        rejection.run(q, broken, LOG_M, rejection.init(q, 300), 5)
    with pytest.raises(ValueError, match="every weight of chain 0 is zero"):
        far = problem(HalfPlane(99.0), 2)
        resampling.log_normaliser(resampling.run(*far, resampling.init(far[0], 3), 5).state)
    for call, said in ((lambda: resampling.init(q, 0), "number of chains"),
                       (lambda: resampling.run(q, log_w, resampling.init(q, 2), 0), "steps must be an integer"),
                       (lambda: normal([0.0], 0.0), "scale must be positive"),
                       (lambda: normal([0.0, np.nan], 1.0), "m must"), (lambda: normal(0.0, 1.0), "m must have shape"),
                       (lambda: normal([0.0], 1.0, np.float16), "real must be")):
        with pytest.raises(ValueError, match=said):
            call()


def test_a_compiled_run_takes_no_lengths_on_trust():
    q, short, wide = normal([0.0, 0.0], 1.0), normal([0.0], 1.0), targets.gaussian(np.zeros(3), np.eye(3))
    plane = targets.gaussian(np.zeros(2), np.eye(2))
    for propose, target in ((short, plane), (q, wide)):
        weight = LogWeight(target, propose)
        with pytest.raises(ValueError, match=r"state.x must have shape \(5, 1\)|could not be broadcast"):
            resampling.run(propose, weight, resampling.init(q, 5), 3)
        with pytest.raises(ValueError, match=r"state.x must have shape \(5, 1\)|could not be broadcast"):
            rejection.run(propose, weight, 1.0, rejection.init(q, 5), 3)
