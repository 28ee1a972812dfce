"""Metropolis independence sampling of a linear-Gaussian posterior: two latents, eight visible units, many chains."""
from functools import partial

import numpy as np

from refdgm.benchmark import Case
from refdgm.models import linear_gaussian
from refdgm.samplers import linear_gaussian_mis as mis

D, H, CHAINS, STEPS = 8, 2, 10**5, 50


def _problem():
    """theta, phi, x: the proposal has the posterior's mean and twice its covariance."""
    case = linear_gaussian.random_case(3, D, H)
    theta, x = case["theta"], case["x"]
    precision = linear_gaussian.posterior_precision(theta)
    gain = np.linalg.solve(precision, np.linalg.solve(theta["Psi"], theta["W"]).T)
    phi = {"V": gain, "c": -gain @ theta["b"], "S": 2 * np.linalg.inv(precision)}
    return theta, phi, x


def _refdgm(real):
    problem = _problem()
    start = mis.init(*problem, CHAINS, real=real)
    return lambda: mis.run(*problem, start, STEPS).state.h


def _whitened(real):
    """The same numbers as peers want them: the proposal's mean and root, W and x with unit noise."""
    theta, phi, x = _problem()
    root = np.linalg.cholesky(theta["Psi"])
    return [np.asarray(a, real) for a in (phi["V"] @ x + phi["c"], np.linalg.cholesky(phi["S"]),
                                          np.linalg.solve(root, theta["W"]), np.linalg.solve(root, x - theta["b"]))]


def _numpy(real):
    mean, L, W, x = _whitened(real)
    rng = np.random.default_rng(0)

    def propose():
        eps = rng.standard_normal((CHAINS, H), dtype=real)
        h = eps @ L.T + mean
        residual = x - h @ W.T
        return h, real(0.5) * (np.sum(eps**2, axis=1) - np.sum(h**2, axis=1) - np.sum(residual**2, axis=1))

    def work():
        h, log_w = propose()
        for _ in range(STEPS):
            h_new, log_w_new = propose()
            accepted = rng.random(CHAINS, dtype=real) < np.exp(np.minimum(log_w_new - log_w, 0))
            h, log_w = np.where(accepted[:, None], h_new, h), np.where(accepted, log_w_new, log_w)
        return h
    return work


def _jax(real):
    import jax
    from jax import numpy as jnp
    jax.config.update("jax_enable_x64", real is np.float64)
    mean, L, W, x = (jnp.asarray(a) for a in _whitened(real))

    def propose(key):
        eps = jax.random.normal(key, (CHAINS, H), real)
        h = eps @ L.T + mean
        residual = x - h @ W.T
        return h, 0.5 * (jnp.sum(eps**2, axis=1) - jnp.sum(h**2, axis=1) - jnp.sum(residual**2, axis=1))

    return _jax_chain(real, propose, lambda accepted: accepted[:, None], lambda h: h)


def _jax_rows(real):
    """Chains along the last axis and sums over units written out: what XLA fuses into one loop."""
    import jax
    from jax import numpy as jnp
    jax.config.update("jax_enable_x64", real is np.float64)
    mean, L, W, x = _whitened(real)

    def propose(key):
        eps = jax.random.normal(key, (H, CHAINS), real)
        h = [mean[j] + sum(L[j, k] * eps[k] for k in range(H)) for j in range(H)]
        residual = [x[i] - sum(W[i, j] * h[j] for j in range(H)) for i in range(D)]
        squares = sum(e * e for e in eps) - sum(a * a for a in h) - sum(r * r for r in residual)
        return jnp.stack(h), real(0.5) * squares

    return _jax_chain(real, propose, lambda accepted: accepted, lambda h: h.T)


def _jax_chain(real, propose, spread, result):
    import jax
    from jax import numpy as jnp

    def step(_, carry):
        key, h, log_w = carry
        key, to_propose, to_accept = jax.random.split(key, 3)
        h_new, log_w_new = propose(to_propose)
        accepted = jax.random.uniform(to_accept, (CHAINS,), real) < jnp.exp(log_w_new - log_w)
        return key, jnp.where(spread(accepted), h_new, h), jnp.where(accepted, log_w_new, log_w)

    @jax.jit
    def chain(key):
        return jax.lax.fori_loop(0, STEPS, step, (key, *propose(key)))[1]

    key = jax.random.key(0)
    return lambda: result(chain(key).block_until_ready())


def _torch(real):
    import torch
    mean, L, W, x = (torch.from_numpy(np.ascontiguousarray(a)) for a in _whitened(real))

    def propose():
        eps = torch.randn(CHAINS, H, dtype=mean.dtype)
        h = torch.addmm(mean, eps, L.T)
        residual = torch.addmm(x, h, W.T, alpha=-1)
        return h, 0.5 * (eps.square().sum(1) - h.square().sum(1) - residual.square().sum(1))

    @torch.no_grad()
    def work():
        h, log_w = propose()
        for _ in range(STEPS):
            h_new, log_w_new = propose()
            accepted = torch.rand(CHAINS, dtype=mean.dtype) < torch.exp(log_w_new - log_w)
            h, log_w = torch.where(accepted[:, None], h_new, h), torch.where(accepted, log_w_new, log_w)
        return h
    return work


def _case(real):
    dtype = np.dtype(real).name
    makers = {"NumPy": _numpy, "JAX": _jax, "JAX, chains last": _jax_rows, "PyTorch": _torch}
    return Case(f"mis.linear_gaussian.{dtype}", f"{STEPS} steps of {CHAINS} chains, {H} latent and {D} visible units",
                STEPS * CHAINS, "chain-steps", dtype, lambda: _refdgm(real),
                {name: partial(maker, real) for name, maker in makers.items()},
                observe=lambda h: h[:, 0], quick=True)


CASES = tuple(_case(real) for real in (np.float32, np.float64))
