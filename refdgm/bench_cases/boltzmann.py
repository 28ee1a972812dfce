"""Gibbs sampling of a dense fully visible Boltzmann machine, sites in turn: 100 units, 4096 chains."""
import numpy as np

from refdgm.benchmark import Case
from refdgm.models import boltzmann
from refdgm.samplers import boltzmann_gibbs

UNITS, CHAINS, SWEEPS = 100, 4096, 5


def _problem(real):
    """Parameters and fair coin flips: the same for everybody."""
    theta = boltzmann.random_theta(np.random.default_rng(0), UNITS, scale=0.1)
    return {k: a.astype(real) for k, a in theta.items()}, boltzmann_gibbs.init(theta, CHAINS, seed=1, real=real)


def _refdgm(real):
    theta, start = _problem(real)
    return lambda: boltzmann_gibbs.run(theta, start, SWEEPS).state.x


def _numpy(real):
    """A row for each unit, so that what is drawn at once lies side by side."""
    theta, start = _problem(real)
    rng, J, b, first = np.random.default_rng(0), theta["J"], theta["b"], np.ascontiguousarray(start.x.T)
    one = real(1)

    def work():
        x = first.copy()
        for _ in range(SWEEPS):
            u = rng.random(x.shape, dtype=real)
            for i in range(UNITS):
                a = J[i] @ x
                a += b[i]
                np.negative(a, out=a)
                np.exp(a, out=a)
                a += one
                a *= u[i]                               # u < 1 / (1 + e^-a) without the division
                np.less(a, one, out=x[i], casting="unsafe")
        return x.T
    return work


def _jax(real):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    theta, start = _problem(real)
    J, b, first = (jax.numpy.asarray(a) for a in (theta["J"], theta["b"], start.x.T))

    @jax.jit
    def gibbs(x, key):
        def sweep(t, x):
            u = jax.random.uniform(jax.random.fold_in(key, t), x.shape, real)

            def site(i, x):
                on = u[i] < jax.nn.sigmoid(J[i] @ x + b[i])
                return x.at[i].set(on.astype(real))
            return jax.lax.fori_loop(0, UNITS, site, x)
        return jax.lax.fori_loop(0, SWEEPS, sweep, x)

    key = jax.random.key(0)
    return lambda: gibbs(first, key).block_until_ready().T


def _torch(real):
    import torch
    theta, start = _problem(real)
    J, b, first = (torch.from_numpy(np.ascontiguousarray(a)) for a in (theta["J"], theta["b"], start.x.T))

    @torch.no_grad()
    def work():
        x = first.clone()
        for _ in range(SWEEPS):
            u = torch.rand(x.shape, dtype=x.dtype)
            for i in range(UNITS):
                x[i] = u[i] < torch.sigmoid_(J[i] @ x + b[i])
        return x.T
    return work


def _case(real, name):
    return Case(f"boltzmann.sequential.{name}",
                f"{SWEEPS} sweeps over a Boltzmann machine of {UNITS} units, {CHAINS} chains",
                SWEEPS * UNITS * CHAINS, "site draws", name, lambda: _refdgm(real),
                {"NumPy": lambda: _numpy(real), "JAX": lambda: _jax(real), "PyTorch": lambda: _torch(real)},
                lambda x: x.mean(axis=1), quick=True)


CASES = (_case(np.float32, "float32"), _case(np.float64, "float64"))
