"""The CUDA kernels of chains on R^n, and of Metropolis chains, give the bits of the samplers' plain NumPy steps."""
from typing import NamedTuple

import cuda_on_cpu
import numpy as np
import pytest
from test_cuda import CHAINS, REALS, same

from refdgm import backend, elementary, launch, streams
from refdgm.models import linear_gaussian, targets
from refdgm.models.logistic_regression import logistic_regression
from refdgm.samplers import (
    finite_metropolis,
    hamiltonian,
    linear_gaussian_mis,
    mala,
    random_walk,
    sbn_mis,
    sghmc,
    sgld,
    ula,
)

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
                              rng.normal(size=H2), rng.normal(size=H2), tau=0.7)


def posterior(n, N, size):
    rng = np.random.default_rng(n)
    return logistic_regression(rng.normal(size=(N, n)), rng.choice([-1, 1], N), size, tau=0.7)


TARGETS = {f"{make.__name__}-{'x'.join(map(str, shape))}": (shape[0], make(*shape)) for make, shape in (
    (gaussian, (1,)), (gaussian, (2,)), (gaussian, (17,)), (mixture, (1, 1)), (mixture, (2, 8)), (mixture, (5, 3)),
    (mixture, (3, 20)), (network, (1, 1, 1)), (network, (2, 16, 16)), (network, (5, 35, 70)),
    (posterior, (1, 1, 1)), (posterior, (3, 40, 6)), (posterior, (18, 30, 5)))}
SAMPLERS = {"ula": (ula, 0.3), "sgld": (sgld, sgld.polynomial(0.5, 10, 0.55)), "sghmc": (sghmc, 0.2, 1.5),
            "mala": (mala, 0.5), "hamiltonian": (hamiltonian, 0.3, 3), "random_walk": (random_walk, 0.8)}
BY_MINIBATCHES = ("sgld", "sghmc")


LOG_P_AND_SCORE = """
extern "C" __global__ void at(const real* parameters, const real* x, const unsigned* chain, real* log_p, real* score,
                              int chains, unsigned low, unsigned high) {
    constexpr int N = TARGET::N;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= chains) return;
    real own_x[N], own_score[N];
    for (int j = 0; j < N; ++j) own_x[j] = x[i * N + j];
    log_p[i] = TARGET{parameters}.at(own_x, own_score, {{{low, high}, 3, 1}, chain[i]});
    for (int j = 0; j < N; ++j) score[i * N + j] = own_score[j];
}
"""
RATIOS = """
extern "C" __global__ void ratios(const real* x, const real* y, real* found, real eighth, int chains) {
    if (own() >= chains) return;
    Point here, there;
    load(x, here.x);
    load(x + N * chains, here.score);
    load(y, there.x);
    load(y + N * chains, there.score);
    here.log_p = x[own()];
    there.log_p = y[own()];
    found[own()] = log_ratio(here, there, eighth);
    found[chains + own()] = log_ratio(here, there, here.x, there.x);
}
"""
TANH = """
extern "C" __global__ void tanh_of(const real* x, real* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = elementary::tanh(x[i]);
}
"""


def kernel(cupy, code, name, real, *families, **macros):
    options = launch.options(real, ALIGNED=0, **macros)
    return cupy.RawModule(code=launch.source(*families) + code, options=options).get_function(name)


@pytest.mark.parametrize("real", REALS)
def test_tanh(real):
    rng, n = np.random.default_rng(0), 50_000
    x = np.concatenate([rng.uniform(-22, 22, n), np.exp(rng.uniform(-30, 3, n)), [0, np.inf, -np.inf, np.nan, 20, -20]])
    x = x.astype(real)
    with cuda_on_cpu.device() as cupy:
        out = cupy.empty(len(x), real)
        kernel(cupy, TANH, "tanh_of", real)((-(-len(x) // 64),), (64,), (cupy.asarray(x), out, np.int32(len(x))))
    assert np.array_equal(out.get(), elementary.FOR[real].tanh(x), equal_nan=True)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("target", TARGETS)
def test_log_p_and_score(target, real):
    (n, target), s = TARGETS[target], streams.stream(2**40 + 7, 999)._replace(step=3)
    target = targets.cast(target, real)
    x = (2 * np.random.default_rng(4).normal(size=(999, n))).astype(real)
    kind, parameters = launch.in_cuda(target)
    with cuda_on_cpu.device() as cupy:
        log_p, score = cupy.empty(999, real), cupy.empty((999, n), real)
        kernel(cupy, LOG_P_AND_SCORE, "at", real, TARGET=kind)((8,), (128,), (
            *map(cupy.asarray, (parameters, x, s.chain)), log_p, score, np.int32(999), *streams.keys(s.seed)))
    batch = [targets.drawn_batch(target, s, 1)] if hasattr(target, "minibatch") else []
    assert same((log_p.get(), score.get()), targets.log_p_and_score(target, x, *batch))


@pytest.mark.parametrize("real", REALS)
def test_acceptance_ratios(real):
    """A difference in the last bit would hardly ever change a decision, and be seen in no chain."""
    x, y = np.random.default_rng(0).normal(size=(2, 2, 999, 5)).astype(real)
    log_p, new_log_p = x.reshape(-1)[:999], y.reshape(-1)[:999]
    with cuda_on_cpu.device() as cupy:
        found = cupy.empty((2, 999), real)
        kernel(cupy, RATIOS, "ratios", real, "on_target", TARGET="Gaussian<5>")((8,), (128,), (
            cupy.asarray(x), cupy.asarray(y), found, real(0.3 / 8), np.int32(999)))
    assert same(found.get(), np.stack([mala.log_ratio((x[0], log_p, x[1]), (y[0], new_log_p, y[1]), 0.3),
                                       hamiltonian.log_ratio(log_p, new_log_p, x[0], y[0])]))


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
    with cuda_on_cpu.device():
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
    with cuda_on_cpu.device():
        there = backend.to_device((log_p, R, start))
        assert same(backend.to_host(finite_metropolis.run(*there, steps=20).state), expected)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H, own_x", [(1, 1, False), (5, 2, True), (7, 5, False), (4, 18, True)])
def test_mis_of_a_linear_gaussian_posterior(D, H, own_x, chains, real):
    theta, phi, x = linear_gaussian.random_case(5, D, H).values()
    x = x + np.random.default_rng(D).normal(size=(chains, 1)) if own_x else x
    expected = start = linear_gaussian_mis.init(theta, phi, x, chains, seed=5, first=11, real=real)
    for _ in range(7):
        expected = linear_gaussian_mis.step(theta, phi, x, expected)
    with cuda_on_cpu.device():
        *problem, state = backend.to_device((theta, phi, x, start))
        begun = linear_gaussian_mis.run(*problem, state, steps=2).state
        assert same(backend.to_host(linear_gaussian_mis.run(*problem, begun, steps=5).state), expected)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("n, D, H", [(1, 1, 1), (4, 5, 3), (2, 70, 9), (3, 129, 37)])
def test_mis_of_codes(n, D, H, every, chains, real):
    rng = np.random.default_rng(D)
    theta = {"a": rng.normal(size=H), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D)}
    phi = {"V": rng.normal(size=(H, D)), "c": rng.normal(size=H)}
    x = rng.integers(0, 2, (n, D)).astype(float)
    expected = start = sbn_mis.init(theta, phi, x, chains, seed=5, real=real)
    for _ in range(5):
        expected = sbn_mis.step(theta, phi, x, expected, every)
    with cuda_on_cpu.device():
        *problem, state = backend.to_device((theta, phi, x, start))
        begun = sbn_mis.run(*problem, state, 2, every).state
        assert same(backend.to_host(sbn_mis.run(*problem, begun, 3, every).state), expected)


# ---- what goes wrong, and targets without a form in CUDA ------------------------------

def message(sampler, target, state, options, steps=8):
    with pytest.raises(ValueError) as wrong:
        sampler.run(target, state, *options, steps=steps)
    return str(wrong.value)


TOO_LONG = {"ula": (1e200,), "sgld": (lambda t: 1e200,), "sghmc": (1e200, 0), "mala": (1e200,),
            "hamiltonian": (1e200, 3), "random_walk": (1e308,)}


@pytest.mark.parametrize("sampler", TOO_LONG)
def test_the_first_step_that_is_not_finite_is_named(sampler):
    (sampler, *_), options, target = SAMPLERS[sampler], TOO_LONG[sampler], gaussian(2)
    state = sampler.init(target, np.random.default_rng(3).normal(size=(70, 2)), seed=5, first=11)
    expected = message(sampler, target, state, options)
    assert "for chain" in expected and "at step" in expected
    with cuda_on_cpu.device():
        assert message(sampler, backend.to_device(target), backend.to_device(state), options) == expected


def overflowing_gaussian():
    """A posterior whose weight of h = 0 is finite, and of nearly every other h is not, in float32."""
    theta, phi, x = linear_gaussian.random_case(5, 3, 2).values()
    theta = {**theta, "W": 1e25 * np.ones((3, 2))}
    return linear_gaussian_mis, (theta, phi, x), linear_gaussian_mis.init(theta, phi, x, 9, 5, np.zeros((9, 2)),
                                                                          first=11, real=np.float32)


def overflowing_codes():
    """Codes of which two units that are on make the activations overflow."""
    theta = {"a": np.zeros(3), "W": np.full((4, 3), 1e308), "b": np.zeros(4)}
    problem = theta, {"V": np.zeros((3, 4)), "c": np.zeros(3)}, np.ones((2, 4))
    return sbn_mis, problem, sbn_mis.init(*problem, 9, 5, np.zeros((9, 2, 3)), first=11)


@pytest.mark.parametrize("case", [overflowing_gaussian, overflowing_codes])
def test_the_first_weight_that_is_not_finite_is_named(case):
    sampler, problem, state = case()
    with pytest.raises(ValueError, match="must be finite, but is -?(inf|nan) for chain 1. at step") as expected:
        sampler.run(*problem, state, steps=8)
    with cuda_on_cpu.device(), pytest.raises(ValueError) as found:
        sampler.run(*backend.to_device((*problem, state)), steps=8)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("n, target", [(1025, targets.gaussian(np.zeros(1025), np.eye(1025))), (1, mixture(1, 1025)),
                                       (1, network(1, 1, 1025))], ids=["coordinates", "components", "units"])
def test_too_much_for_a_thread(n, target):
    state = ula.init(target, np.zeros((1, n)))
    with cuda_on_cpu.device(), pytest.raises(ValueError, match="at most 1024 coordinates, .*has 1025"):
        ula.run(*backend.to_device((target, state)), 0.1, steps=1)


class Ridge(NamedTuple):
    """A target of a user: log p(x) = -stiffness |x|^2 / 2 + x_0."""
    stiffness: np.ndarray

    def log_p_and_score(self, x):
        score = -self.stiffness * x
        log_p = (score * x).sum(axis=1) / 2 + x[:, 0]
        score[:, 0] += 1
        return log_p, score


class OnlyForHost(NamedTuple):
    """A target with a form for the host's processor alone."""
    stiffness: np.ndarray


def test_a_target_without_a_form_in_cuda_is_followed_in_cupy():
    x = np.random.default_rng(3).normal(size=(33, 2))
    for sampler, *options in SAMPLERS.values():
        for target in (lambda x: -(x**2).sum(axis=1) / 2 + x[:, 0], Ridge(np.array([2.0]))):
            expected = start = sampler.init(target, x, seed=5)
            for _ in range(3):
                expected = sampler.step(target, expected, *options)
            with cuda_on_cpu.installed():
                found = sampler.run(backend.to_device(target), backend.to_device(start), *options, steps=3).state
                assert same(backend.to_host(found), expected)


def test_a_form_for_the_host_alone_is_refused_on_a_gpu(monkeypatch):
    monkeypatch.setitem(targets.FORMS, OnlyForHost, None)
    with cuda_on_cpu.installed() as cupy:
        for sampler, *_ in SAMPLERS.values():
            with pytest.raises(ValueError, match="a OnlyForHost is no target: it has no method"):
                sampler.init(OnlyForHost(cupy.ones(1)), cupy.ones((3, 2)))
