"""Block Gibbs sampling of a Bernoulli RBM: 784 x 500 is the size of MNIST, the others are small and many."""
import time
from functools import partial

import numpy as np

from refdgm import backend, gpu_clock
from refdgm.benchmark import Case
from refdgm.models import rbm
from refdgm.samplers import rbm_gibbs

SIZES = {"784x500x100": (784, 500, 100, 3), "784x500x1000": (784, 500, 1000, 3), "64x64x10000": (64, 64, 10**4, 5),
         "16x16x100000": (16, 16, 10**5, 3)}            # visible and hidden units, chains, steps
GPU_SIZE = (784, 500, 10**4, 20)


def _problem(D, H, chains, real):
    """Parameters and fair coin flips: the same for everybody."""
    theta = {k: a.astype(real) for k, a in rbm.random_theta(np.random.default_rng(0), D, H, scale=0.05).items()}
    return theta, rbm_gibbs.init(theta, chains, seed=1, real=real)


def _refdgm(D, H, chains, steps, real):
    theta, start = _problem(D, H, chains, real)
    return lambda: rbm_gibbs.run(theta, start, steps).state.v


def _numpy(D, H, chains, steps, real):
    theta, start = _problem(D, H, chains, real)
    rng, w, w_transposed, b, c = np.random.default_rng(0), theta["w"], theta["w"].T.copy(), theta["b"], theta["c"]

    def draw(x, w, bias):
        p = x @ w
        p += bias
        np.negative(p, out=p)
        np.exp(p, out=p)
        p += real(1)
        u = rng.random(p.shape, dtype=real)
        u *= p                                          # u < 1 / (1 + e^-x) without the division
        return (u < 1).astype(real)

    def work():
        v = start.v
        for _ in range(steps):
            v = draw(draw(v, w, c), w_transposed, b)
        return v
    return work


def _sklearn(D, H, chains, steps, real):
    from sklearn.neural_network import BernoulliRBM
    theta, start = _problem(D, H, chains, real)
    machine = BernoulliRBM(H)
    machine.components_, machine.intercept_visible_ = theta["w"].T.copy(), theta["b"]
    machine.intercept_hidden_, machine.random_state_ = theta["c"], np.random.RandomState(0)

    def work():
        v = start.v
        for _ in range(steps):
            v = machine.gibbs(v)
        return v
    return work


def _jax(D, H, chains, steps, real):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    theta, start = _problem(D, H, chains, real)
    w, b, c = (jax.numpy.asarray(theta[k]) for k in "wbc")

    def draw(key, logit):
        return jax.random.bernoulli(key, jax.nn.sigmoid(logit)).astype(real)

    @jax.jit
    def gibbs(v, key):
        def step(_, carry):
            v, key = carry
            key, first, second = jax.random.split(key, 3)
            return draw(second, draw(first, v @ w + c) @ w.T + b), key
        return jax.lax.fori_loop(0, steps, step, (v, key))[0]

    v, key = jax.numpy.asarray(start.v), jax.random.key(0)
    return lambda: gibbs(v, key).block_until_ready()


def _torch(D, H, chains, steps, real):
    import torch
    theta, start = _problem(D, H, chains, real)
    w, b, c = (torch.from_numpy(theta[k]) for k in "wbc")
    w_transposed, first = w.T.contiguous(), torch.from_numpy(start.v)

    def draw(x, weights, bias):
        p = torch.sigmoid_(torch.addmm(bias, x, weights))
        return (torch.rand_like(p) < p).to(p.dtype)     # torch.bernoulli takes about twice as long

    @torch.no_grad()
    def work():
        v = first
        for _ in range(steps):
            v = draw(draw(v, w, c), w_transposed, b)
        return v
    return work


def _bound(D, H, chains, steps, real):
    """Both products of every step at the speed of the best large product here, and what each unit needs besides."""
    from refdgm import jit
    from refdgm.kernels import limits
    n, lanes, blocks, times = 1024, jit.lanes(real), jit.cores(), 2000
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(n, n)).astype(real), rng.integers(0, 2, (n, n)).astype(real)
    panels, packed, total = jit.panels(w), jit.pack(x, lanes), jit.pack(np.zeros((n, n), real), lanes)
    logit, u, bits = rng.normal(size=(blocks, 4, lanes)).astype(real), *np.empty((2, blocks, 4, lanes), real)
    chain = np.arange(blocks * lanes, dtype=np.uint32).reshape(blocks, lanes)

    def seconds(work):
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    def bound():
        unit = (seconds(lambda: jit.in_threads(limits.uniforms, (u, chain), (times,)))
                + seconds(lambda: jit.in_threads(limits.logistics, (bits, u, logit), (times,)))) / (times * u.size)
        product = min(seconds(lambda: jit.in_threads(limits.products, (packed, total), (panels, 1))),
                      seconds(lambda: x @ w))               # the last: BLAS's threads take a while to go to sleep
        return steps * chains * (2 * D * H * product / n**3 + (D + H) * unit)
    return bound


def _case(size, real):
    D, H, chains, steps = SIZES[size]
    dtype = np.dtype(real).name
    makers = {"refdgm": _refdgm, "NumPy": _numpy, "scikit-learn": _sklearn, "JAX": _jax, "PyTorch": _torch}
    if real is np.float32:
        makers["scikit-learn, float64"] = lambda *size: _sklearn(*size[:-1], np.float64)    # as it is without a cast
    peers = {name: partial(maker, *SIZES[size], real) for name, maker in makers.items()}
    work = f"{steps} steps v -> h -> v' of {chains} chains, {D} visible and {H} hidden units"
    limit = "its products at the speed of the largest and a uniform number and a logistic per unit"
    return Case(f"rbm.{size}.{dtype}", work, steps * chains, "chain-steps", dtype, peers.pop("refdgm"), peers,
                observe=lambda v: v.mean(axis=1),
                limit=(limit, partial(_bound, *SIZES[size], real)), quick=chains * D < 10**5)


def _runs(real, chains, steps, threads=None):
    theta, start = _problem(16, 16, chains, real)
    return lambda: rbm_gibbs.run(theta, start, steps, threads=threads).state


def _averages(real, chains, steps):
    theta, start = _problem(16, 16, chains, real)
    return lambda: rbm_gibbs.run(theta, start, steps, thin=10, average=lambda state: state.v).average


def _own(what, work, maker, real, chains, steps, others):
    """refdgm beside itself: `others` {name: (chains, steps, threads)}."""
    dtype = np.dtype(real).name
    return Case(f"rbm.{what}.{dtype}", f"{steps} steps of {chains} chains, 16 visible and 16 hidden units; {work}",
                steps * chains, "chain-steps", dtype, partial(maker, real, chains, steps),
                {name: partial(maker, real, *other) for name, other in others.items()})


def _own_cases(real):
    yield _own("chains", "fewer chains make as many steps in all", _runs, real, 10**6, 30,
               {f"10^{k} chains": (10**k, 30 * 10**(6 - k)) for k in (3, 4, 5)})
    yield _own("threads", "all threads, or one", _runs, real, 10**5, 100, {"one thread": (10**5, 100, 1)})
    yield _own("length", "the memory of a run is that of a short one", _averages, real, 10**4, 2000,
               {"20 steps": (10**4, 20)})


# ---- on a GPU ---------------------------------------------------------------------------

def _problem_gpu(D, H, chains, real):
    """The same problem, moved; and from now on this process works with CuPy."""
    problem = _problem(D, H, chains, real)
    backend.use("cupy")
    return backend.to_device(problem)


def _refdgm_gpu(D, H, chains, steps, real):
    theta, start = _problem_gpu(D, H, chains, real)
    return gpu_clock.by_cupy(lambda: rbm_gibbs.run(theta, start, steps).state.v)


def _cupy(D, H, chains, steps, real):
    """As a user of CuPy would write it: its own random numbers, and cuBLAS."""
    import cupy
    theta, start = _problem_gpu(D, H, chains, real)
    w, b, c, rng = theta["w"], theta["b"], theta["c"], cupy.random.default_rng(0)

    @cupy.fuse()
    def fire(u, logit):
        return (u * (1 + cupy.exp(-logit)) < 1).astype(real)

    def draw(x, weights, bias):
        logit = x @ weights + bias
        return fire(rng.random(logit.shape, dtype=real), logit)

    def work():
        v = start.v
        for _ in range(steps):
            v = draw(draw(v, w, c), w.T, b)
        return v
    return gpu_clock.by_cupy(work)


def _jax_gpu(*size):
    return gpu_clock.by_jax(_jax(*size))


def _torch_gpu(D, H, chains, steps, real):
    import torch
    theta, start = _problem(D, H, chains, real)
    w, b, c, first = (torch.from_numpy(a).cuda() for a in (theta["w"], theta["b"], theta["c"], start.v))

    @torch.no_grad()
    def work():
        v = first
        for _ in range(steps):
            for weights, bias in ((w, c), (w.T, b)):
                p = torch.sigmoid_(torch.addmm(bias, v, weights))
                v = (torch.rand_like(p) < p).to(p.dtype)
        return v
    return gpu_clock.by_torch(work)


def _gpu_bound(D, H, chains, steps, real):
    """Both products at the speed of a large one; every unit written once and read once."""
    backend.use("cupy")
    size = np.dtype(real).itemsize
    return lambda: steps * chains * (2 * D * H * gpu_clock.product_seconds(real)
                                     + 2 * (D + H) * size * gpu_clock.byte_seconds())


def _gpu_case(real):
    D, H, chains, steps = GPU_SIZE
    dtype = np.dtype(real).name
    peers = {"CuPy": _cupy, "JAX": _jax_gpu, "PyTorch": _torch_gpu}
    return Case(f"rbm.gpu.{dtype}", f"on a GPU: {steps} steps of {chains} chains, {D} visible and {H} hidden units",
                steps * chains, "chain-steps", dtype, partial(_refdgm_gpu, *GPU_SIZE, real),
                {name: partial(maker, *GPU_SIZE, real) for name, maker in peers.items()},
                observe=lambda v: v.mean(axis=1), gpu=True,
                limit=("its products at the speed of a large one, and its units read and written once",
                       partial(_gpu_bound, *GPU_SIZE, real)))


CASES = tuple(case for real in (np.float32, np.float64)
              for case in (*(_case(size, real) for size in SIZES), *_own_cases(real), _gpu_case(real)))
