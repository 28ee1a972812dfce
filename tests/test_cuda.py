"""The CUDA kernels, on a GPU or compiled for this machine's processor, give the bits of the samplers' NumPy steps."""
import cuda_on_cpu
import numpy as np
import pytest

from refdgm import backend, elementary, launch, streams
from refdgm.models import boltzmann, dbm, gaussian_rbm, rbm
from refdgm.samplers import (
    ais,
    boltzmann_gibbs,
    dbm_gibbs,
    gaussian_rbm_gibbs,
    ising_gibbs,
    rbm_gibbs,
    sbn_gibbs,
)

pytestmark = cuda_on_cpu.needed
needs_compiler = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler is found (c++, g++, clang++)")

REALS = (np.float64, np.float32)
CHAINS = (1, 33, 130)               # a block has 128


def equals_twin(sampler, theta, state, steps, **options):
    """`steps` steps on a GPU or its stand-in, in one call or cut in two, are those of the sampler's step."""
    expected = state
    for _ in range(steps):
        expected = sampler.step(theta, expected, **options)
    with cuda_on_cpu.device():
        on_device, start = backend.to_device(theta), backend.to_device(state)
        whole = sampler.run(on_device, start, steps, **options).state
        begun = sampler.run(on_device, start, 1, **options).state
        parts = sampler.run(on_device, begun, steps - 1, **options).state
        untouched = backend.to_host(start)
    for found in (whole, parts):
        assert same(backend.to_host(found), expected)
    assert same(untouched, state)


def same(a, b):
    return type(a) is type(b) and all(
        x == y if isinstance(x, int) else same(x, y) if hasattr(x, "_fields") else
        x.dtype == y.dtype and np.array_equal(x, y) for x, y in zip(a, b))


# ---- what the machine under these tests notices ---------------------------------------

MISTAKES = """
extern "C" __global__ void mistake(int kind, double* x, int n) {
    if (kind == 0) x[n + 64] = 1;
    if (kind == 1) x[-1] = 1;
    if (kind == 2) x[0] = x[n + 1000 * threadIdx.x];
    if (kind == 3 && threadIdx.x) __syncthreads();
    if (kind == 4) x[threadIdx.x] = blockDim.x;
}
"""


@needs_compiler
@pytest.mark.parametrize("kind, x, message", [
    (0, np.ones(3), "beyond the ends"), (1, np.ones(3), "beyond the ends"), (2, np.ones(3), "beyond the ends"),
    (3, np.ones(3), "a barrier"), (4, np.ones(3, np.float32), "beyond the ends"), (4, 1.0, "no definite type"),
    (4, np.float64(1), "do not fit"), (4, np.ones(3), None)])
def test_mistakes_of_a_kernel_are_caught(kind, x, message):
    with cuda_on_cpu.installed() as cupy:
        kernel = cupy.RawModule(code=MISTAKES, options=launch.options(np.float64)).get_function("mistake")
        x = backend.to_device(x)
        arguments = (1,), (3,), (np.int32(kind), x, np.int32(3))
        if message is None:
            kernel(*arguments)
            assert np.all(x.get() == 3)
        else:
            with pytest.raises(AssertionError, match=message):
                kernel(*arguments)


# ---- the formulas that the kernels share ----------------------------------------------

FUNCTIONS = """
extern "C" __global__ void functions(const real* x, const real* u, const real* v, real* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    out[i] = elementary::exp(x[i]);
    out[n + i] = elementary::log(u[i]);
    elementary::Pair s = elementary::sincos(v[i]), z = elementary::box_muller(u[i], v[i]);
    out[2 * n + i] = s.first;
    out[3 * n + i] = s.second;
    out[4 * n + i] = z.first;
    out[5 * n + i] = z.second;
    out[6 * n + i] = elementary::fma(x[i], u[i], v[i]);
}
extern "C" __global__ void words(const unsigned* c, unsigned* out, const real* logit, real* numbers, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Words words = philox(c[i], c[n + i], c[2 * n + i], c[3 * n + i], Key{c[4 * n + i], c[5 * n + i]});
    for (int j = 0; j < 4; ++j) out[j * n + i] = words.w[j];
    elementary::Pair z = two_normals(words);
    numbers[i] = uniform(words.w[0]);
    numbers[n + i] = fires(words.w[0], logit[i]);
    numbers[2 * n + i] = z.first;
    numbers[3 * n + i] = z.second;
}
"""


def call(name, real, n, *arrays):
    """A kernel of FUNCTIONS on n numbers; gives back what the arrays hold then."""
    with cuda_on_cpu.device() as cupy:
        kernel = cupy.RawModule(code=launch.source() + FUNCTIONS, options=launch.options(real)).get_function(name)
        on_device = [cupy.asarray(a) for a in arrays]
        kernel((-(-n // 64),), (64,), (*on_device, np.int32(n)))
        return [a.get() for a in on_device]


@pytest.mark.parametrize("real", REALS)
def test_elementary_functions(real):
    rng, n = np.random.default_rng(0), 100_000
    info = np.finfo(real)
    widest = np.log(info.max)
    x = np.concatenate([rng.uniform(-1.1 * widest, 1.1 * widest, n), rng.normal(size=n),
                        [np.inf, -np.inf, np.nan, 0, -0.0, info.tiny, info.max, -info.max, info.smallest_subnormal]])
    u = np.concatenate([np.exp(rng.uniform(np.log(info.tiny), widest, n)), rng.random(n)])
    u = np.append(u, [info.tiny, info.max, 1, 1 - info.epsneg, 1 + info.eps, 0.5, 2, np.sqrt(0.5), 1e-3])
    v = np.concatenate([rng.random(2 * n), [0, 1, 0.125, 0.25, 0.375, 0.5, 0.75, 0.875, 1 - info.epsneg]])
    x, u, v = (a.astype(real) for a in (x, u, v))
    _, _, _, out = call("functions", real, len(x), x, u, v, np.empty((7, len(x)), real))
    expected = (elementary.FOR[real].exp(x), elementary.log(u), *elementary.sincos(v), *elementary.box_muller(u, v))
    for found, twin in zip(out, expected):
        assert np.array_equal(found.view(f"i{found.itemsize}")[~np.isnan(twin)],
                              twin.view(f"i{twin.itemsize}")[~np.isnan(twin)])
        assert np.array_equal(np.isnan(found), np.isnan(twin))
    small = np.abs(x) < 1e3
    small[:n] = False                                                   # where products neither overflow nor vanish
    assert np.array_equal(out[6][small], elementary.fma(x[small], u[small], v[small]))


@pytest.mark.parametrize("real", REALS)
def test_the_stream(real):
    rng, n = np.random.default_rng(0), 100_000
    published = np.array([[int(word, 16) for word in line.split()] for line in (
        " ".join(["00000000"] * 6), " ".join(["ffffffff"] * 6),
        "243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0")], np.uint32).T
    counters = np.concatenate([published, rng.integers(0, 2**32, (6, n), dtype=np.uint32)], axis=1)
    logit, n = (10 * rng.normal(size=n + 3)).astype(real), n + 3
    _, words, _, numbers = call("words", real, n, counters, np.empty((4, n), np.uint32), logit, np.empty((4, n), real))
    assert [" ".join(f"{word:08x}" for word in words[:, i]) for i in range(3)] == [
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8", "408f276d 41c83b0e a20bc7c6 6d5451fd",
        "d16cfe09 94fdcceb 5001e420 24126ea1"]
    twin = streams.philox(*counters)
    assert np.array_equal(words, twin)
    expected = (streams.uniform(twin[0], logit), streams.fires(twin[0], logit), *streams.two_normals(*twin, logit))
    assert all(np.array_equal(found, other) for found, other in zip(numbers, expected))


LAYER = """
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) product(const real* x, const real* w, const real* start,
                                                                      real* out, int M, int K, int N) {
    layer<FUSED>(x, w, start, M, K, N, [&](int row, int column, const real* sums) {
        store_four(out + row * N, column, N, in_fours(out, N), {{sums[0], sums[1], sums[2], sums[3]}});
    });
}
"""


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("M, K, N", [(1, 1, 1), (130, 37, 70), (257, 8, 64), (5, 72, 140), (40, 24, 4)])
def test_products_of_reals_add_in_order(M, K, N, real):
    rng = np.random.default_rng(0)
    x, w, start = (rng.normal(size=shape).astype(real) for shape in ((M, K), (K, N), N))
    for fused, product in (("true", elementary.dot_fused), ("false", elementary.dot_in_order)):
        with cuda_on_cpu.device() as cupy:
            code = launch.source() + LAYER.replace("FUSED", fused)
            kernel = cupy.RawModule(code=code, options=launch.options(real)).get_function("product")
            arrays = [cupy.asarray(a) for a in (x, w, start, np.empty((M, N), real))]
            blocks = -(-M // launch.TILE_ROWS) * -(-N // launch.TILE_COLUMNS)
            kernel((blocks,), (launch.THREADS[real],), (*arrays, *map(np.int32, (M, K, N))))
        assert np.array_equal(arrays[-1].get(), product(x, w, start))


# ---- samplers -------------------------------------------------------------------------

@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H", [(1, 1), (5, 3), (37, 22), (64, 128), (130, 65), (16, 8)])
def test_rbm(D, H, chains, real):
    theta = rbm.random_theta(np.random.default_rng(D), D, H, scale=0.3)
    equals_twin(rbm_gibbs, theta, rbm_gibbs.init(theta, chains, seed=2**40 + 7, first=11, real=real), 3)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H", [(1, 1), (6, 3), (37, 22), (64, 128)])
def test_gaussian_rbm(D, H, chains, real):
    theta = gaussian_rbm.random_theta(np.random.default_rng(D), D, H)
    equals_twin(gaussian_rbm_gibbs, theta, gaussian_rbm_gibbs.init(theta, chains, seed=5, real=real), 3)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H, G", [(1, 1, 1), (5, 9, 6), (40, 30, 20)])
def test_dbm(D, H, G, chains, real):
    theta = dbm.random_theta(np.random.default_rng(D), D, H, G)
    equals_twin(dbm_gibbs, theta, dbm_gibbs.init(theta, chains, seed=5, real=real), 3)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("scan", boltzmann_gibbs.SCANS)
@pytest.mark.parametrize("n", [1, 7, 32, 37, 70])
def test_boltzmann_machine(n, scan, chains, real):
    theta = boltzmann.random_theta(np.random.default_rng(n), n)
    start = boltzmann_gibbs.init(theta, chains, seed=5, real=real)
    equals_twin(boltzmann_gibbs, theta, start, 3 if scan == "sequential" else 20, scan=scan)


@pytest.mark.parametrize("R, C, number", [(2, 2, 1), (4, 8, 33), (6, 10, 5), (256, 4, 1), (258, 4, 1)])
def test_ising(R, C, number):
    theta = {"beta": 0.4, "field": 0.1}
    equals_twin(ising_gibbs, theta, ising_gibbs.init(theta, (R, C), number, seed=5), 20)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H", [(1, 1), (5, 3), (70, 9), (129, 6)])
def test_sbn(D, H, chains, real):
    rng = np.random.default_rng(D)
    theta = {"a": rng.normal(size=H), "W": rng.normal(size=(D, H)), "b": rng.normal(size=D)}
    x = rng.integers(0, 2, (chains, D)).astype(real)
    equals_twin(sbn_gibbs, theta, sbn_gibbs.init(theta, x, seed=5, real=real), 3)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("chains", CHAINS)
@pytest.mark.parametrize("D, H", [(1, 1), (5, 3), (70, 9), (30, 129)])
def test_ais(D, H, chains, real):
    rng, betas = np.random.default_rng(D), np.linspace(0, 1, 6)
    equals_ais(rbm.random_theta(rng, D, H, scale=0.3), betas, rng.normal(size=D), chains, real)


def equals_ais(theta, betas, base, chains, real):
    expected = start = ais.init(theta, betas, chains, seed=5, base=base, real=real)
    for _ in betas[1:]:
        expected = ais.step(theta, betas, expected, base)
    with cuda_on_cpu.device():
        found = ais.run(*backend.to_device((theta, betas, start)), base=backend.to_device(base)).state
        assert same(backend.to_host(found), expected)


def by_column(a):
    return a.T.copy().T


def every_second(a):
    return a[::2]


@pytest.mark.parametrize("gaps", [by_column, every_second])
def test_arrays_with_gaps(gaps):
    theta = rbm.random_theta(np.random.default_rng(0), 5, 3)
    start = rbm_gibbs.init(theta, 70, seed=5)
    expected = rbm_gibbs.step(theta, start)
    with cuda_on_cpu.device():
        (v, h, s), on_device = backend.to_device(start), backend.to_device(theta)
        state = rbm_gibbs.State(gaps(v), gaps(h), s._replace(chain=gaps(s.chain)))
        found = backend.to_host(rbm_gibbs.run({**on_device, "w": by_column(on_device["w"])}, state, 1).state)
    assert np.array_equal(found.v, gaps(expected.v)) and np.array_equal(found.h, gaps(expected.h))


# ---- where large terms cancel: sums in another order or rounded otherwise would change some of the bits --------------

def opposite_pairs(rng, rows, columns, size):
    """Numbers of about `size`, the rows 2i and 2i + 1 opposite."""
    return np.kron(size * rng.normal(size=(rows // 2, columns)), [[1], [-1]])


def test_gaussian_rbm_where_terms_cancel():
    rng = np.random.default_rng(0)
    theta = {"w": opposite_pairs(rng, 64, 128, 1), "b": np.full(64, 1e5), "c": np.zeros(128), "sigma": np.ones(64)}
    equals_twin(gaussian_rbm_gibbs, theta, gaussian_rbm_gibbs.init(theta, 130, seed=5, real=np.float32), 3)


def test_sbn_where_terms_cancel():
    rng = np.random.default_rng(0)
    theta = {"a": rng.normal(size=9), "W": opposite_pairs(rng, 200, 9, 1e3) + 0.01 * rng.normal(size=(200, 9)),
             "b": np.full(200, 1e5)}
    x = np.repeat(rng.integers(0, 2, (130, 100)), 2, axis=1)
    equals_twin(sbn_gibbs, theta, sbn_gibbs.init(theta, x, seed=5, real=np.float32), 3)


def test_ais_where_terms_cancel():
    rng = np.random.default_rng(0)
    theta = {"w": rng.normal(size=(70, 9)), "b": 1e5 + rng.normal(size=70), "c": rng.normal(size=9)}
    equals_ais(theta, np.array([0, 0.5, 1]), rng.normal(size=70) - 1e5, 130, np.float32)


@needs_compiler
def test_a_run_waits_for_what_it_asked_for(monkeypatch):
    """After each call, so that calls are as long as they seem, and Ctrl-C is seen."""
    waits = []
    with cuda_on_cpu.installed() as cupy:
        monkeypatch.setattr(cupy.cuda.get_current_stream(), "synchronize", lambda: waits.append(1))
        theta = backend.to_device({"w": np.ones((3, 2))})
        rbm_gibbs.run(theta, rbm_gibbs.init(theta, 5), 20)
    assert len(waits) >= 2                          # of 8 steps, and of more
