"""Langevin chains: ULA and MALA on a mixture of four normals in the plane, ULA on the energy 2-64-64-1."""
from functools import partial

import numpy as np

from refdgm import backend, gpu_clock
from refdgm.bench_peers import mixture, network
from refdgm.bench_peers.mixture import CHAINS, EPS, STEPS
from refdgm.benchmark import Case
from refdgm.models import targets
from refdgm.samplers import mala, ula


def _refdgm(sampler, real, chains=CHAINS, steps=STEPS, threads=None):
    target, _, _, start = mixture.problem(chains, real)
    state = sampler.init(target, start, seed=1, real=real)
    return lambda: sampler.run(target, state, EPS, steps, threads).state.x


def _refdgm_mlp(real):
    weights, start = network.problem(real)
    target = targets.mlp_energy(*weights)
    state = ula.init(target, start, seed=1, real=real)
    return lambda: ula.run(target, state, network.EPS, network.STEPS).state.x


def _blackjax_mala(blackjax, log_p):
    return blackjax.mala(log_p, EPS / 2)                # its step size is that of the drift


def _on_mixture(sampler, name, real):
    adjust = sampler is mala
    peers = {"NumPy": partial(mixture.by_numpy, adjust, real),
             "NumPy, in rows": partial(mixture.by_numpy, adjust, real, in_rows=True),
             "JAX": partial(mixture.by_jax, adjust, real),
             "JAX, automatic gradient": partial(mixture.by_jax, adjust, real, by_hand=False)}
    if adjust:
        peers["BlackJAX"] = partial(mixture.by_blackjax, _blackjax_mala, STEPS, real)
    dtype = np.dtype(real).name
    return Case(f"langevin.{name}_mixture.{dtype}", f"{STEPS} steps of {name.upper()} on 4 normals in the plane, "
                f"{CHAINS} chains", STEPS * CHAINS, "chain-steps", dtype, partial(_refdgm, sampler, real), peers,
                observe=lambda x: x[:, 0] + x[:, 1]**2)


def _on_network(real):
    dtype = np.dtype(real).name
    return Case(f"langevin.ula_mlp.{dtype}", f"{network.STEPS} steps of ULA on an energy 2-64-64-1, "
                f"{network.CHAINS} chains", network.STEPS * network.CHAINS, "chain-steps", dtype,
                partial(_refdgm_mlp, real),
                {"NumPy": partial(network.by_numpy, real), "JAX": partial(network.by_jax, real),
                 "PyTorch": partial(network.by_torch, real)}, observe=lambda x: x[:, 0] + x[:, 1]**2, quick=True)


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
    target, _, _, start = mixture.problem(GPU_CHAINS, real)
    state = sampler.init(target, start, seed=1, real=real)
    backend.use("cupy")
    target, state = backend.to_device((target, state))
    return gpu_clock.by_cupy(lambda: sampler.run(target, state, EPS, STEPS).state.x)


def _jax_gpu(adjust, real):
    return gpu_clock.by_jax(mixture.by_jax(adjust, real, chains=GPU_CHAINS))


def _torch_gpu(real):
    return gpu_clock.by_torch(mixture.by_torch(real, GPU_CHAINS))


def _gpu_case(sampler, name, real):
    dtype = np.dtype(real).name
    peers = {"JAX": partial(_jax_gpu, sampler is mala, real)}
    if sampler is ula:
        peers["PyTorch"] = partial(_torch_gpu, real)
    return Case(f"langevin.gpu_{name}_mixture.{dtype}", f"on a GPU: {STEPS} steps of {name.upper()} on 4 normals in "
                f"the plane, {GPU_CHAINS} chains", STEPS * GPU_CHAINS, "chain-steps", dtype,
                partial(_refdgm_gpu, sampler, real), peers, observe=lambda x: x[:, 0] + x[:, 1]**2, gpu=True)


CASES = tuple(case for real in (np.float32, np.float64) for case in (
    _on_mixture(ula, "ula", real), _on_mixture(mala, "mala", real), _on_network(real), _scaling(real), _threads(real),
    _gpu_case(ula, "ula", real), _gpu_case(mala, "mala", real)))
