"""Langevin chains: compiled as in NumPy, with the law that they claim, and wrong variants of each told apart."""
import itertools
import tracemalloc
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
import pytest

from refdgm.elementary import log
from refdgm.kernels import targets as kernels
from refdgm.models import mixture, targets
from refdgm.models.logistic_regression import logistic_regression
from refdgm.samplers import langevin, mala, replay_buffer, sghmc, sgld, ula
from refdgm.streams import normals, stream, uniforms

SIGMAS = 6.0            # a mean of independent numbers is further off once in 5e8; some 30 are looked at

rng = np.random.default_rng(0)
WEIGHT, MEAN, VARIANCE = np.array([0.1, 0.2, 0.3, 0.4]), 1.5 * rng.normal(size=(4, 2)), rng.uniform(0.3, 1.5, (4, 2))
MIXTURE = targets.gaussian_mixture(WEIGHT, MEAN, VARIANCE)
ONE_NORMAL = targets.gaussian_mixture([1.0], [[0.5, -1.0]], [[1.0, 0.25]])
WEIGHTS = {"w1": rng.normal(size=(3, 13)), "b1": rng.normal(size=13), "w2": rng.normal(size=(13, 8)) / 2,
           "b2": rng.normal(size=8), "w3": rng.normal(size=8)}
NETWORK = targets.mlp_energy(**WEIGHTS, tau=0.7)
A = rng.normal(size=(3, 3))
NORMAL = targets.gaussian(rng.normal(size=3), A @ A.T + np.eye(3))


class Quartic(NamedTuple):
    """-log p(x) = sum_i a_i x_i^4 + x_i^2 / 2 up to the wall, as a user would write it: one function."""
    a: np.ndarray
    wall: float = 100.0


@targets.block_form(Quartic)
def quartic(target, x, score, log_p, scratch):
    half, four = x.dtype.type(0.5), x.dtype.type(4)
    outside = x.dtype.type(-np.inf)
    log_p[:] = x.dtype.type(0)
    for i in range(len(x)):
        row, out, a = x[i], score[i], target.a[i]
        for lane in range(len(row)):
            square = row[lane] * row[lane]
            out[lane] = -(four * a * square + half + half) * row[lane]
        for lane in range(len(row)):
            square = row[lane] * row[lane]
            inside = log_p[lane] - (a * square + half) * square
            log_p[lane] = inside if row[lane] < target.wall[0] else outside


# ---- the targets -----------------------------------------------------------------------

def mixture_log_p(x):
    theta = {"a": np.log(WEIGHT), "mu": MEAN, "Sigma": np.array([np.diag(v) for v in VARIANCE])}
    return mixture.log_marginal(theta, x)


def network_log_p(x):
    hidden = anp.tanh(anp.tanh(x @ WEIGHTS["w1"] + WEIGHTS["b1"]) @ WEIGHTS["w2"] + WEIGHTS["b2"])
    return -(hidden @ WEIGHTS["w3"]) - 0.35 * anp.sum(x * x, axis=1)


def normal_log_p(x):
    return -0.5 * anp.sum((x - NORMAL.m) @ NORMAL.P * (x - NORMAL.m), axis=1)


def quartic_log_p(x):
    return -anp.sum(np.array([0.1, 0.4]) * x**4 + x**2 / 2, axis=1)


@pytest.mark.parametrize("target, log_p, n", [
    (MIXTURE, mixture_log_p, 2), (NETWORK, network_log_p, 3), (NORMAL, normal_log_p, 3),
    (Quartic(np.array([0.1, 0.4])), quartic_log_p, 2)])
def test_a_hand_gradient_is_autograds(target, log_p, n):
    x = 2 * np.random.default_rng(1).normal(size=(50, n))
    for found, truth in zip(targets.log_p_and_score(target, x), targets.log_p_and_score(log_p, x)):
        assert np.allclose(found, truth, rtol=1e-12, atol=1e-12)


# ---- the compiled chain is the NumPy chain ---------------------------------------------

def same(a, b):
    return a.stream.step == b.stream.step and all(
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a[:-1], b[:-1]))


@pytest.mark.parametrize("sampler, target, n, arguments, real", [
    (ula, MIXTURE, 2, (0.4,), np.float64), (sgld, MIXTURE, 2, (sgld.polynomial(1.0, 3.0, 0.6),), np.float64),
    (mala, MIXTURE, 2, (0.8,), np.float32), (mala, NETWORK, 3, (0.5,), np.float64),
    (sghmc, Quartic(np.array([0.1, 0.4])), 2, (0.1, 1.5), np.float64)])
def test_the_compiled_chain_is_the_numpy_chain(sampler, target, n, arguments, real):
    x = np.random.default_rng(2).normal(size=(300, n))
    start = sampler.init(target, x, seed=5, real=real)
    twin = start
    for _ in range(6):
        twin = sampler.step(target, twin, *arguments)
    assert twin.x.dtype == real
    for threads in (1, 2):
        assert same(sampler.run(target, start, *arguments, 6, threads=threads).state, twin)
    two = sampler.run(target, start, *arguments, 2).state
    assert same(sampler.run(target, two, *arguments, 4).state, twin)
    alone = type(start)(*(a[270:283] for a in start[:-1]), start.stream._replace(chain=start.stream.chain[270:283]))
    alone = sampler.run(target, alone, *arguments, 6).state
    assert all(np.array_equal(a, b[270:283]) for a, b in zip(alone[:-1], twin[:-1]))


def test_a_function_will_do():
    x = np.random.default_rng(2).normal(size=(20, 2))
    for sampler, arguments in ((ula, (0.4,)), (mala, (0.8,)), (sgld, (lambda t: 0.1,)), (sghmc, (0.1, 1.5))):
        hand, auto = (sampler.run(target, sampler.init(target, x), *arguments, 5).state
                      for target in (MIXTURE, mixture_log_p))
        assert np.allclose(hand.x, auto.x, rtol=1e-10, atol=1e-10)


def test_memory_does_not_grow_with_the_run():
    start = ula.init(MIXTURE, np.zeros((20_000, 2)))

    def peak(steps):
        tracemalloc.start()
        ula.run(MIXTURE, start, 0.1, steps, thin=10, average=lambda s: s.x)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(20)
    assert peak(2000) < 1.2 * peak(200)


# ---- ULA -------------------------------------------------------------------------------

def off(samples, mean, second):
    """How many standard errors the mean and the second moments of independent rows are from the truth, at most."""
    rows = np.concatenate([samples, samples**2, samples[:, :1] * samples[:, 1:]], axis=1)
    truth = np.concatenate([mean, np.diag(second), second[0, 1:]])
    return np.max(np.abs(rows.mean(axis=0) - truth) / (rows.std(axis=0) / np.sqrt(len(rows))))


ULA_VARIANTS = [        # x' = x + drift score + noise z
    (lambda eps: eps / 2, lambda eps: np.sqrt(eps), True), (lambda eps: eps / 2, lambda eps: eps, False),
    (lambda eps: eps / 2, lambda eps: np.sqrt(2 * eps), False), (lambda eps: eps, lambda eps: np.sqrt(eps), False),
    (lambda eps: eps / 2, lambda eps: eps**2, False), (lambda eps: -eps / 2, lambda eps: np.sqrt(eps), False)]


@pytest.mark.parametrize("drift, noise, right", ULA_VARIANTS)
def test_ula_is_the_affine_map_of_eq5(drift, noise, right):
    eps, state = 0.3, ula.init(NORMAL, np.random.default_rng(3).normal(size=(7, 3)), seed=4)
    expected = state.x - drift(eps) * (state.x - NORMAL.m) @ NORMAL.P + noise(eps) * normals(state.stream, 3, 0)
    assert (np.max(np.abs(ula.step(NORMAL, state, eps).x - expected)) < 1e-13) == right


def test_ula_has_its_stationary_covariance():
    """Compiled, on one normal: a step of 45 % of the longest, where the bias is a third of the variance and more."""
    eps, P, m = 0.45, np.diag(ONE_NORMAL.precision[0]), ONE_NORMAL.mean[0]
    x = ula.run(ONE_NORMAL, ula.init(ONE_NORMAL, np.zeros((40_000, 2)), seed=1), eps, 300).state.x - m
    wrong = {"unbiased": np.linalg.inv(P), "noise sqrt(2 eps)": 2 * langevin.stationary_covariance(P, eps),
             "noise eps": eps * langevin.stationary_covariance(P, eps),
             "drift eps": langevin.stationary_covariance(P, 2 * eps) / 2}
    assert off(x, np.zeros(2), langevin.stationary_covariance(P, eps)) < SIGMAS
    assert all(off(x, np.zeros(2), covariance) > 2 * SIGMAS for covariance in wrong.values())


# ---- MALA ------------------------------------------------------------------------------

def without_q(here, there, eps):
    return there[1] - here[1]


def inverted(here, there, eps):
    return mala.log_ratio(there, here, eps)


def stale_score(here, there, eps):
    return mala.log_ratio(here, (*there[:2], here[2]), eps)


def drift_eps(here, there, eps):
    """The correction of a proposal with drift eps s for one with eps s / 2."""
    (x, log_p_x, s_x), (y, log_p_y, s_y) = here, there
    return log_p_y - log_p_x + mala.log_q(x, y, 2 * s_y, eps) - mala.log_q(y, x, 2 * s_x, eps)


@pytest.mark.parametrize("log_ratio, right", [
    (mala.log_ratio, True), (without_q, False), (inverted, False), (stale_score, False), (drift_eps, False)])
def test_mala_is_reversible(log_ratio, right):
    """log of p(x) q(y|x) a(x, y), for pairs in both orders."""
    g = np.random.default_rng(5)
    for eps in (0.2, 1.0, 3.0):
        x, y = g.normal(size=(2, 200, 2))
        here, there = ((a, *targets.log_p_and_score(MIXTURE, a)) for a in (x, y))

        def flow(here, there):
            return (here[1] + mala.log_q(there[0], here[0], here[2], eps)
                    + np.minimum(0, log_ratio(here, there, eps)))

        assert (np.max(np.abs(flow(here, there) - flow(there, here))) < 1e-12) == right


def test_mala_accepts_by_this_ratio():
    eps, state = 1.2, mala.init(MIXTURE, np.random.default_rng(6).normal(size=(500, 2)), seed=2)
    y = mala.propose(state.x, state.score, eps, normals(state.stream, 2, mala.NOISE))
    log_p, score = targets.log_p_and_score(MIXTURE, y)
    u = uniforms(state.stream, 1, mala.ACCEPT)[:, 0]
    ratio = (log_p + mala.log_q(state.x, y, score, eps) - state.log_p - mala.log_q(y, state.x, state.score, eps))
    new = mala.step(MIXTURE, state, eps)
    taken = u < np.exp(np.minimum(0, ratio))
    assert 0.5 < taken.mean() < 0.9 and np.array_equal(new.accepted, taken)
    assert np.array_equal(new.x, np.where(taken[:, None], y, state.x))
    for got, truth in zip((new.log_p, new.score), targets.log_p_and_score(MIXTURE, new.x)):
        assert np.array_equal(got, truth)


def exact_samples(number):
    g = np.random.default_rng(7)
    k = g.choice(4, size=number, p=WEIGHT)
    return MEAN[k] + np.sqrt(VARIANCE[k]) * g.normal(size=(number, 2))


MIXTURE_MEAN = WEIGHT @ MEAN
MIXTURE_SECOND = np.einsum("k,ki,kj->ij", WEIGHT, MEAN, MEAN) + np.diag(WEIGHT @ VARIANCE)


@pytest.mark.parametrize("eps", [1.2, 2.0])
def test_mala_keeps_the_target(eps):
    """Compiled, in float32, from exact samples: after any number of steps the law is the target."""
    run = mala.run(MIXTURE, mala.init(MIXTURE, exact_samples(100_000), seed=3, real=np.float32), eps, 100)
    assert 0.5 < np.mean(run.state.accepted) / 100 < 0.8
    assert off(run.state.x.astype(float), MIXTURE_MEAN, MIXTURE_SECOND) < SIGMAS


def wrong_mala(ratio_of=mala.log_ratio, forgets=False):
    """A step of MALA with another ratio, or one that keeps the gradient of a rejected proposal."""
    def step(state, eps):
        (x, log_p, score, accepted, s) = state
        y = mala.propose(x, score, eps, normals(s, 2, mala.NOISE))
        there = (y, *targets.log_p_and_score(MIXTURE, y))
        taken = log(uniforms(s, 1, mala.ACCEPT)[:, 0]) < ratio_of((x, log_p, score), there, eps)
        keep = np.ones_like(taken) if forgets else taken
        return mala.State(np.where(taken[:, None], y, x), np.where(taken, there[1], log_p),
                          np.where(keep[:, None], there[2], score), accepted, s._replace(step=s.step + 1))
    return step


@pytest.mark.parametrize("step, right", [
    (wrong_mala(), True), (wrong_mala(without_q), False), (wrong_mala(inverted), False),
    (wrong_mala(forgets=True), False)])
def test_a_wrong_mala_leaves_the_target(step, right):
    state = mala.init(MIXTURE, exact_samples(20_000), seed=3)
    for _ in range(20):
        state = step(state, 2.0)
    assert (off(state.x, MIXTURE_MEAN, MIXTURE_SECOND) < SIGMAS) == right


# ---- SGLD, SGHMC -----------------------------------------------------------------------

DATA_RNG = np.random.default_rng(8)
DATA = DATA_RNG.normal(size=5)
POSTERIOR = targets.Minibatch(lambda x: -anp.sum(x**2, axis=1) / 2,
                              lambda x, data: -(data - x[:, :1])**4 / 4 - data * x[:, 1:], DATA, 2)


@pytest.mark.parametrize("wrong, right", [
    (POSTERIOR, True), (POSTERIOR._replace(data=DATA[:4]), False),
    (POSTERIOR._replace(log_prior=lambda x: 2.5 * POSTERIOR.log_prior(x)), False)])
def test_the_mean_over_all_minibatches_is_the_gradient(wrong, right):
    x = np.array([[0.3, -0.8]])
    full = POSTERIOR.estimate(x, np.arange(5)[None])[1]
    batches = itertools.product(range(len(wrong.data)), repeat=2)
    mean = np.mean([wrong.estimate(x, np.array([batch]))[1] for batch in batches], axis=0)
    assert (np.max(np.abs(mean - full)) < 1e-12) == right


def test_minibatches_are_uniform_and_each_chains_own():
    s = stream(1, 20_000)
    batch = targets.drawn_batch(POSTERIOR, s, sgld.BATCH)
    counts = np.bincount(batch[:, 0] * 5 + batch[:, 1], minlength=25)
    assert len(counts) == 25 and np.sum((counts - 800)**2 / 800) < 24 + SIGMAS * np.sqrt(48)
    assert np.array_equal(batch[30:40], targets.drawn_batch(POSTERIOR, s._replace(chain=s.chain[30:40]), sgld.BATCH))


def test_sgld_steps():
    x = np.random.default_rng(9).normal(size=(6, 2))
    a, b = ula.init(MIXTURE, x, seed=3), sgld.init(MIXTURE, x, seed=3)
    assert np.array_equal(ula.step(MIXTURE, a, 0.3).x, sgld.step(MIXTURE, b, lambda t: 0.3).x)
    start = sgld.init(POSTERIOR, x, seed=3)
    run = sgld.run(POSTERIOR, start, sgld.polynomial(0.1, 5.0, 0.55), 4).state
    score = targets.finite_log_p_and_score(POSTERIOR, x, start.stream, sgld.BATCH)[1]
    eps = 0.1 * 5.0**-0.55
    first = sgld.step(POSTERIOR, start, sgld.polynomial(0.1, 5.0, 0.55)).x
    assert np.allclose(first, x + eps / 2 * score + np.sqrt(eps) * normals(start.stream, 2), rtol=0, atol=1e-14)
    assert run.stream.step == 4 and np.all(np.isfinite(run.x))


LOGISTIC = logistic_regression(DATA_RNG.normal(size=(40, 2)), DATA_RNG.choice([-1, 1], 40), size=5, tau=0.5)


def logistic_log_p(x):
    """As a user would write it, for all data."""
    return -0.25 * anp.sum(x**2, axis=1) - anp.sum(anp.log(1 + anp.exp(-x @ LOGISTIC.data.T)), axis=1)


@pytest.mark.parametrize("wrong, right", [
    (LOGISTIC, True), (LOGISTIC._replace(data=LOGISTIC.data[:39]), False), (LOGISTIC._replace(tau=np.ones(1)), False)])
def test_the_logistic_minibatches_have_autograds_mean(wrong, right):
    x = DATA_RNG.normal(size=(3, 2))
    found = [targets.log_p_and_score(wrong, x, np.full((3, 5), i)) for i in range(len(wrong.data))]
    for mean, truth in zip((np.mean(part, axis=0) for part in zip(*found)), targets.log_p_and_score(logistic_log_p, x)):
        assert (np.max(np.abs(mean - truth)) < 1e-12) == right


class ByItsForm(NamedTuple):
    """The same posterior of a user who has written one function, for blocks of chains."""
    data: np.ndarray
    size: np.ndarray
    tau: np.ndarray

    minibatch = True
    rows = 7


targets.block_form(ByItsForm)(kernels.logistic_regression)


@pytest.mark.parametrize("sampler, target, arguments, real", [
    (sgld, LOGISTIC, (lambda t: 0.1 / (1 + t),), np.float32), (sghmc, LOGISTIC, (0.1, 1.5, 0.3), np.float64),
    (sgld, ByItsForm(*LOGISTIC), (lambda t: 0.1,), np.float64)])
def test_compiled_minibatches_are_those_of_numpy(sampler, target, arguments, real):
    settings = dict(zip(("schedule",) if sampler is sgld else ("eps", "friction", "noise"), arguments))
    twin = start = sampler.init(target, np.random.default_rng(2).normal(size=(300, 2)), seed=5, real=real)
    for _ in range(5):
        twin = sampler.step(target, twin, **settings)
    for threads in (1, 2):
        assert same(sampler.run(target, start, **settings, steps=5, threads=threads).state, twin)
    two = sampler.run(target, start, **settings, steps=2).state
    alone = type(two)(*(a[270:283] for a in two[:-1]), two.stream._replace(chain=two.stream.chain[270:283]))
    alone = sampler.run(target, alone, **settings, steps=3).state
    assert all(np.array_equal(a, b[270:283]) for a, b in zip(alone[:-1], twin[:-1]))


def sghmc_covariance(P, V, eps, C, B, move=sghmc.move):
    """The stationary covariance of x on a normal target, gradient noise of covariance V: the step is affine."""
    n = len(P)

    def step(state, z, gradient_noise):
        x, r = move(state[:n][None], state[n:][None], lambda x: -x @ P + gradient_noise, eps, C, B, z[None])
        return np.concatenate([x[0], r[0]])

    still, one = np.zeros(n), np.eye(n)
    M = np.stack([step(e, still, still) for e in np.eye(2 * n)], axis=1)
    noise = np.stack([step(np.zeros(2 * n), e, still) for e in one], axis=1)
    gradient = np.stack([step(np.zeros(2 * n), still, e) for e in one], axis=1)
    Q = noise @ noise.T + gradient @ V @ gradient.T
    found = np.linalg.solve(np.eye(4 * n * n) - np.kron(M, M), Q.reshape(-1)).reshape(2 * n, 2 * n)
    return found[:n, :n]


def unscaled_noise(x, r, score, eps, C, B, z):
    return sghmc.move(x, r, score, eps, C, B, np.sqrt(eps) * z)


def half_noise(x, r, score, eps, C, B, z):
    return sghmc.move(x, r, score, eps, C, B, z / np.sqrt(2))


def no_friction_in_r(x, r, score, eps, C, B, z):
    return sghmc.move(x, r + eps * C * r, score, eps, C, B, z)


@pytest.mark.parametrize("estimate, move, right", [
    (lambda eps, V: eps * V / 2, sghmc.move, True), (lambda eps, V: 0.0, sghmc.move, False),
    (lambda eps, V: eps * V, sghmc.move, False), (lambda eps, V: eps * V / 2, unscaled_noise, False),
    (lambda eps, V: eps * V / 2, half_noise, False), (lambda eps, V: eps * V / 2, no_friction_in_r, False)])
def test_sghmc_tends_to_the_target(estimate, move, right):
    """Gradient noise whose variance grows as the step shrinks, so that it stays what the injected noise is."""
    P = np.array([[2.0, 0.5], [0.5, 1.0]])
    errors = []
    for eps in (0.02, 0.01):
        V = 1.2 / eps
        found = sghmc_covariance(P, V * np.eye(2), eps, 1.5, estimate(eps, V), move)
        errors.append(np.max(np.abs(found - np.linalg.inv(P))))
    assert (errors[1] < 0.6 * errors[0] < 0.01) == right


# ---- the replay buffer -----------------------------------------------------------------

def test_a_round_of_the_buffer():
    buffer = replay_buffer.init(50, 2, -3.0, 3.0, seed=1)
    slots, x = replay_buffer.draw(buffer, 20, 0.3, -3.0, 3.0)
    again, _ = replay_buffer.draw(buffer, 20, 0.3, -3.0, 3.0)
    assert len(set(slots)) == 20 and np.array_equal(slots, again)
    kept = np.all(x == buffer.x[slots], axis=1)
    assert 0 < kept.sum() < 20 and np.all(np.abs(x) < 3)
    new = replay_buffer.put_back(buffer, slots, x + 1)
    rest = np.setdiff1d(np.arange(50), slots)
    assert np.array_equal(new.x[slots], x + 1) and np.array_equal(new.x[rest], buffer.x[rest])
    assert not np.array_equal(replay_buffer.draw(new, 20, 0.3, -3.0, 3.0)[0], slots)
    everything = replay_buffer.draw(buffer, 50, 1.0, -3.0, 3.0)[1]
    assert not np.any(everything == buffer.x)


@pytest.mark.parametrize("rho, right", [(0.3, True), (0.15, False), (0.6, False)])
def test_the_buffers_law(rho, right):
    """Second moment v = K((1 - rho) v + rho u), with K the two steps of ULA; looked at after 40 rounds."""
    eps, variance, number = 0.3, ONE_NORMAL.precision[0]**-1, 20_000
    target = ONE_NORMAL._replace(mean=np.zeros((1, 2)))
    buffer = replay_buffer.init(number, 2, -4.0, 4.0, seed=2)
    for t in range(40):
        slots, x = replay_buffer.draw(buffer, number, 0.3, -4.0, 4.0)
        state = ula.init(target, x, seed=100 + t)
        buffer = replay_buffer.put_back(buffer, slots, ula.run(target, state, eps, 2).state.x)
    shrink, fresh = (1 - eps / 2 / variance)**2, 8.0**2 / 12
    law = (shrink**2 * rho * fresh + eps * (1 + shrink)) / (1 - shrink**2 * (1 - rho))
    assert (off(buffer.x, np.zeros(2), np.diag(law)) < SIGMAS) == right


# ---- bad input -------------------------------------------------------------------------

@pytest.mark.parametrize("sampler, arguments", [
    (ula, (0.5,)), (mala, (0.5,)), (sgld, (lambda t: 0.5,)), (sghmc, (0.5, 1))])
def test_a_log_density_that_is_not_finite_is_named(sampler, arguments):
    def log_p(x):
        return anp.sum(anp.log(2 - x), axis=1)

    with pytest.raises(ValueError, match="log p must be finite, but is nan for chain 1 at step 0"):
        sampler.init(log_p, np.array([[0.0], [3.0]]))
    with pytest.raises(ValueError, match=r"log p must be finite, but is nan for chain \d+ at step \d+\.$"):
        sampler.run(log_p, sampler.init(log_p, np.zeros((50, 1))), *arguments, 200)


def test_a_compiled_chain_that_leaves_the_support_is_named():
    """The score alone does not tell."""
    target = Quartic(np.array([0.1, 0.4]), 2.0)
    with pytest.raises(ValueError, match=r"log p must be finite, but is -inf for chain \d+ at step \d+"):
        sghmc.run(target, sghmc.init(target, np.zeros((300, 2))), 0.1, 1.5, 100)


def test_a_compiled_chain_that_leaves_the_numbers_is_named():
    far = np.zeros((300, 2))
    start = ula.init(ONE_NORMAL, far, seed=1)
    with pytest.raises(ValueError, match=r"must be finite, but is .* for chain \d+ at step \d\d+"):
        ula.run(ONE_NORMAL, start, 100.0, 1000)
    far[77] = 1e18
    with pytest.raises(ValueError, match="log p must be finite, but is -inf for chain 77 at step 0"):
        mala.run(ONE_NORMAL, mala.init(ONE_NORMAL, far, real=np.float32), 100.0, 3)


class NoTarget(NamedTuple):
    a: float = 1.0


@pytest.mark.parametrize("call, message", [
    (lambda: ula.init(MIXTURE, np.zeros((0, 2))), "number of chains must be an integer of at least 1"),
    (lambda: ula.init(MIXTURE, np.zeros(2)), "x must have shape"),
    (lambda: mala.init(MIXTURE, np.full((1, 2), np.nan)), "log p must be finite, but is nan for chain 0 at step 0"),
    (lambda: ula.init(MIXTURE, np.zeros((1, 2)), real=np.int64), "real must be np.float64 or np.float32"),
    (lambda: ula.init(lambda x: anp.sum(x), np.zeros((3, 2))), "log_p\\(x\\) must have shape"),
    (lambda: ula.init(NoTarget(), np.zeros((3, 2))), "a NoTarget is no target"),
    (lambda: ula.run(MIXTURE, ula.init(MIXTURE, np.zeros((1, 2))), 0.0, 3), "eps must be positive"),
    (lambda: mala.run(MIXTURE, mala.init(MIXTURE, np.zeros((1, 2))), -1.0, 3), "eps must be positive"),
    (lambda: ula.step(ONE_NORMAL, ula.init(ONE_NORMAL, np.full((1, 2), 1e150)), 1e200), "x after a step must be"),
    (lambda: ula.run(MIXTURE, ula.init(MIXTURE, np.zeros((1, 2))), 0.1, 0), "steps must be an integer"),
    (lambda: sghmc.run(MIXTURE, sghmc.init(MIXTURE, np.zeros((1, 2))), 0.1, 1.0, 3, noise=2.0), "between 0 and the f"),
    (lambda: sgld.polynomial(1.0, 1.0, 0.5), "gamma must be above 1/2"),
    (lambda: sgld.run(MIXTURE, sgld.init(MIXTURE, np.zeros((1, 2))), lambda t: -0.1, 3), "schedule must be positive"),
    (lambda: ula.init(LOGISTIC, np.zeros((1, 2))), "for SGLD and SGHMC"),
    (lambda: targets.drawn_batch(POSTERIOR._replace(size=0), stream(0, 1), 1), "size of the minibatch"),
    (lambda: targets.gaussian_mixture([0.5, 0.6], np.zeros((2, 1)), 1.0), "weight must sum to one"),
    (lambda: targets.gaussian_mixture([1.0], np.zeros((1, 2)), 0.0), "variance must be positive"),
    (lambda: targets.gaussian(np.zeros(2), np.diag([1.0, -1.0])), "positive definite"),
    (lambda: targets.mlp_energy(**WEIGHTS, tau=0.0), "tau must be positive"),
    (lambda: targets.mlp_energy(**{**WEIGHTS, "b2": np.zeros(3)}), "b2 must have 8 components"),
    (lambda: replay_buffer.init(3, 2, 1.0, 1.0), "low must be below high"),
    (lambda: replay_buffer.draw(replay_buffer.init(3, 2, 0.0, 1.0), 4, 0.1, 0.0, 1.0), "the buffer has 3"),
    (lambda: replay_buffer.draw(replay_buffer.init(3, 2, 0.0, 1.0), 2, 1.1, 0.0, 1.0), "rho must be a probability"),
    (lambda: replay_buffer.put_back(replay_buffer.init(3, 2, 0.0, 1.0), [0], np.full((1, 2), np.inf)), "must be fin")])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
