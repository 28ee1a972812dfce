"""Langevin chains: ULA and MALA on a mixture of four normals in the plane, ULA on the energy 2-64-64-1.

The chains start apart, in the corners between the components, so that every step matters to where they are after a few.
"""
from functools import partial

import numpy as np

from refdgm import backend, gpu_clock
from refdgm.benchmark import Case
from refdgm.models import targets
from refdgm.samplers import mala, ula

CHAINS, STEPS, EPS = 10**5, 50, 0.5
MLP_CHAINS, MLP_STEPS, MLP_EPS = 10**4, 20, 0.1
WEIGHT, MEAN = np.array([0.1, 0.2, 0.3, 0.4]), np.array([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]])


def _mixture(chains, real):
    """The target, its parameters, and where the chains start: the same for everybody."""
    start = np.random.default_rng(0).uniform(-3, 3, (chains, 2)).astype(real)
    return targets.gaussian_mixture(WEIGHT, MEAN, 1.0), np.log(WEIGHT).astype(real), MEAN.astype(real), start


def _refdgm(sampler, real, chains=CHAINS, steps=STEPS, threads=None):
    target, _, _, start = _mixture(chains, real)
    state = sampler.init(target, start, seed=1, real=real)
    return lambda: sampler.run(target, state, EPS, steps, threads).state.x


# ---- the mixture, by others ------------------------------------------------------------

def _numpy_log_p_and_score(log_weight, mean, real):
    def evaluate(x, with_log_p=True):
        away = mean - x[:, None]
        component = log_weight - real(0.5) * np.sum(away * away, axis=2)
        top = component.max(axis=1, keepdims=True)
        share = np.exp(component - top)
        total = share.sum(axis=1, keepdims=True)
        share /= total
        return with_log_p and (top + np.log(total))[:, 0], np.einsum("ck,cki->ci", share, away)
    return evaluate


def _numpy_rows_log_p_and_score(log_weight, mean, real):
    """A row for each component and coordinate, the squares multiplied out for the BLAS: x is (2, C) here."""
    offset = (log_weight - real(0.5) * np.sum(mean * mean, axis=1))[:, None]

    def evaluate(x, with_log_p=True):
        component = mean @ x
        component += offset
        top = component.max(axis=0)
        component -= top
        share = np.exp(component, out=component)
        total = share.sum(axis=0)
        share /= total
        return with_log_p and top + np.log(total) - real(0.5) * (x * x).sum(axis=0), mean.T @ share - x
    return evaluate


def _numpy(sampler, real, evaluator=_numpy_log_p_and_score, rows=False):
    _, log_weight, mean, start = _mixture(CHAINS, real)
    rng, evaluate, axis = np.random.default_rng(0), evaluator(log_weight, mean, real), 0 if rows else 1
    half, root = real(EPS / 2), real(EPS**0.5)
    start = np.ascontiguousarray(start.T) if rows else start

    def unadjusted():
        x = start
        for _ in range(STEPS):
            x = x + half * evaluate(x, False)[1] + root * rng.standard_normal(x.shape, dtype=real)
        return x.T if rows else x

    def adjusted():
        x = start.copy()
        log_p, score = evaluate(x)
        for _ in range(STEPS):
            y = x + half * score + root * rng.standard_normal(x.shape, dtype=real)
            new_log_p, new_score = evaluate(y)
            there, back = y - x - half * score, x - y - half * new_score
            ratio = new_log_p - log_p + ((there * there).sum(axis) - (back * back).sum(axis)) / real(2 * EPS)
            taken = np.log(rng.random(CHAINS, dtype=real)) < ratio
            log_p = np.where(taken, new_log_p, log_p)
            taken = taken if rows else taken[:, None]
            x, score = np.where(taken, y, x), np.where(taken, new_score, score)
        return x.T if rows else x

    return unadjusted if sampler is ula else adjusted


def _jax_log_p(real, chains=CHAINS):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    _, log_weight, mean, start = _mixture(chains, real)

    def log_p(x):
        return jax.nn.logsumexp(log_weight - real(0.5) * jax.numpy.sum((mean - x)**2, axis=-1))

    def hand(x):
        away = mean - x[:, None]
        component = log_weight - real(0.5) * jax.numpy.sum(away * away, axis=-1)
        return (jax.nn.logsumexp(component, axis=-1),
                jax.numpy.einsum("ck,cki->ci", jax.nn.softmax(component, axis=-1), away))

    return jax, log_p, hand, jax.numpy.asarray(start)


def _jax(sampler, real, by_hand=True, chains=CHAINS):
    jax, log_p, hand, start = _jax_log_p(real, chains)
    evaluate = hand if by_hand else jax.vmap(jax.value_and_grad(log_p))
    half, root = real(EPS / 2), real(EPS**0.5)

    def unadjusted(x, key):
        return x + half * evaluate(x)[1] + root * jax.random.normal(key, x.shape, real)

    def adjusted(state, key):
        (x, log_p, score), (first, second) = state, jax.random.split(key)
        y = x + half * score + root * jax.random.normal(first, x.shape, real)
        new_log_p, new_score = evaluate(y)
        there, back = y - x - half * score, x - y - half * new_score
        ratio = new_log_p - log_p + jax.numpy.sum(there**2 - back**2, axis=1) / real(2 * EPS)
        taken = jax.numpy.log(jax.random.uniform(second, log_p.shape, real)) < ratio
        return (jax.numpy.where(taken[:, None], y, x), jax.numpy.where(taken, new_log_p, log_p),
                jax.numpy.where(taken[:, None], new_score, score))

    @jax.jit
    def run(x, keys):
        if sampler is ula:
            return jax.lax.scan(lambda x, key: (unadjusted(x, key), None), x, keys)[0]
        return jax.lax.scan(lambda state, key: (adjusted(state, key), None), (x, *evaluate(x)), keys)[0][0]

    keys = jax.random.split(jax.random.key(0), STEPS)
    return lambda: run(start, keys).block_until_ready()


def _blackjax(sampler, real):
    import blackjax
    jax, log_p, _, start = _jax_log_p(real)
    kernel = blackjax.mala(log_p, EPS / 2)              # its step size is that of the drift

    def one(states, key):
        return jax.vmap(kernel.step)(jax.random.split(key, CHAINS), states)[0], None

    @jax.jit
    def run(x, keys):
        return jax.lax.scan(one, jax.vmap(kernel.init)(x), keys)[0].position

    keys = jax.random.split(jax.random.key(0), STEPS)
    return lambda: run(start, keys).block_until_ready()


# ---- the network -----------------------------------------------------------------------

def _network(real):
    """Weights and start: the same for everybody."""
    rng = np.random.default_rng(0)
    shapes = ((2, 64), (64,), (64, 64), (64,), (64,))
    return [rng.normal(size=shape).astype(real) / real(8 if shape == (64, 64) else 1) for shape in shapes], \
        rng.normal(size=(MLP_CHAINS, 2)).astype(real)


def _refdgm_mlp(real):
    weights, start = _network(real)
    target = targets.mlp_energy(*weights)
    state = ula.init(target, start, seed=1, real=real)
    return lambda: ula.run(target, state, MLP_EPS, MLP_STEPS).state.x


def _numpy_mlp(real):
    (w1, b1, w2, b2, w3), start = _network(real)
    rng, half, root = np.random.default_rng(0), real(MLP_EPS / 2), real(MLP_EPS**0.5)

    def work():
        x = start
        for _ in range(MLP_STEPS):
            h1 = np.tanh(x @ w1 + b1)
            h2 = np.tanh(h1 @ w2 + b2)
            grad = ((w3 * (1 - h2 * h2)) @ w2.T * (1 - h1 * h1)) @ w1.T + x
            x = x - half * grad + root * rng.standard_normal(x.shape, dtype=real)
        return x
    return work


def _jax_mlp(real):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    (w1, b1, w2, b2, w3), start = _network(real)
    half, root, tanh = real(MLP_EPS / 2), real(MLP_EPS**0.5), jax.numpy.tanh

    def energy(x):
        return tanh(tanh(x @ w1 + b1) @ w2 + b2) @ w3 + real(0.5) * jax.numpy.sum(x * x)

    gradient = jax.vmap(jax.grad(energy))

    @jax.jit
    def run(x, keys):
        def step(x, key):
            return x - half * gradient(x) + root * jax.random.normal(key, x.shape, real), None
        return jax.lax.scan(step, x, keys)[0]

    x, keys = jax.numpy.asarray(start), jax.random.split(jax.random.key(0), MLP_STEPS)
    return lambda: run(x, keys).block_until_ready()


def _torch_mlp(real):
    import torch
    weights, start = _network(real)
    w1, b1, w2, b2, w3 = (torch.from_numpy(a) for a in weights)
    first = torch.from_numpy(start)

    def work():
        x = first
        for _ in range(MLP_STEPS):
            x.requires_grad_(True)
            hidden = torch.tanh(torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2))
            gradient, = torch.autograd.grad((hidden @ w3).sum() + 0.5 * (x * x).sum(), x)
            with torch.no_grad():
                x = x - MLP_EPS / 2 * gradient + MLP_EPS**0.5 * torch.randn_like(x)
        return x.numpy()
    return work


# ---- the cases -------------------------------------------------------------------------

def _on_mixture(sampler, name, real):
    peers = {"NumPy": partial(_numpy, sampler, real),
             "NumPy, in rows": partial(_numpy, sampler, real, _numpy_rows_log_p_and_score, True),
             "JAX": partial(_jax, sampler, real), "JAX, automatic gradient": partial(_jax, sampler, real, False)}
    if sampler is mala:
        peers["BlackJAX"] = partial(_blackjax, sampler, real)
    dtype = np.dtype(real).name
    return Case(f"langevin.{name}_mixture.{dtype}", f"{STEPS} steps of {name.upper()} on 4 normals in the plane, "
                f"{CHAINS} chains", STEPS * CHAINS, "chain-steps", dtype, partial(_refdgm, sampler, real), peers,
                observe=lambda x: x[:, 0] + x[:, 1]**2)


def _on_network(real):
    dtype = np.dtype(real).name
    return Case(f"langevin.ula_mlp.{dtype}", f"{MLP_STEPS} steps of ULA on an energy 2-64-64-1, {MLP_CHAINS} chains",
                MLP_STEPS * MLP_CHAINS, "chain-steps", dtype, partial(_refdgm_mlp, real),
                {"NumPy": partial(_numpy_mlp, real), "JAX": partial(_jax_mlp, real),
                 "PyTorch": partial(_torch_mlp, real)}, observe=lambda x: x[:, 0] + x[:, 1]**2, quick=True)


def _scaling(real):
    """The same number of chain-steps by a thousand chains to a million."""
    dtype = np.dtype(real).name
    amount = 5 * 10**7
    return Case(f"langevin.scaling.{dtype}", "50 steps of ULA on 4 normals, 10^6 chains; relative to fewer for longer",
                amount, "chain-steps", dtype, partial(_refdgm, ula, real, 10**6, amount // 10**6),
                {f"{chains} chains": partial(_refdgm, ula, real, chains, amount // chains)
                 for chains in (10**3, 10**4, 10**5)})


def _threads(real):
    dtype = np.dtype(real).name
    return Case(f"langevin.threads.{dtype}", f"{2 * STEPS} steps of ULA on 4 normals, {CHAINS} chains, all threads",
                2 * STEPS * CHAINS, "chain-steps", dtype, partial(_refdgm, ula, real, CHAINS, 2 * STEPS),
                {"one thread": partial(_refdgm, ula, real, CHAINS, 2 * STEPS, 1)})


# ---- on a GPU ---------------------------------------------------------------------------

GPU_CHAINS = 10**6


def _refdgm_gpu(sampler, real):
    target, _, _, start = _mixture(GPU_CHAINS, real)
    state = sampler.init(target, start, seed=1, real=real)
    backend.use("cupy")
    target, state = backend.to_device((target, state))
    return gpu_clock.by_cupy(lambda: sampler.run(target, state, EPS, STEPS).state.x)


def _jax_gpu(sampler, real):
    return gpu_clock.by_jax(_jax(sampler, real, chains=GPU_CHAINS))


def _torch_gpu(real):
    import torch
    _, log_weight, mean, start = _mixture(GPU_CHAINS, real)
    log_weight, mean, first = (torch.from_numpy(a).cuda() for a in (log_weight, mean, start))

    @torch.compile
    def step(x):
        away = mean - x[:, None]
        share = torch.softmax(log_weight - 0.5 * (away * away).sum(-1), dim=-1)
        return x + EPS / 2 * (share[:, :, None] * away).sum(1) + EPS**0.5 * torch.randn_like(x)

    @torch.no_grad()
    def work():
        x = first
        for _ in range(STEPS):
            x = step(x)
        return x
    return gpu_clock.by_torch(work)


def _gpu_case(sampler, name, real):
    dtype = np.dtype(real).name
    peers = {"JAX": partial(_jax_gpu, sampler, real)}
    if sampler is ula:
        peers["PyTorch"] = partial(_torch_gpu, real)
    return Case(f"langevin.gpu_{name}_mixture.{dtype}", f"on a GPU: {STEPS} steps of {name.upper()} on 4 normals in "
                f"the plane, {GPU_CHAINS} chains", STEPS * GPU_CHAINS, "chain-steps", dtype,
                partial(_refdgm_gpu, sampler, real), peers, observe=lambda x: x[:, 0] + x[:, 1]**2, gpu=True)


CASES = tuple(case for real in (np.float32, np.float64) for case in (
    _on_mixture(ula, "ula", real), _on_mixture(mala, "mala", real), _on_network(real), _scaling(real), _threads(real),
    _gpu_case(ula, "ula", real), _gpu_case(mala, "mala", real)))
