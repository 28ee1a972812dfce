"""An energy 2-64-64-1, and how ULA runs on it with NumPy, JAX and PyTorch."""
import numpy as np

CHAINS, STEPS, EPS = 10**4, 20, 0.1


def problem(real):
    """Weights and start: the same for everybody."""
    rng = np.random.default_rng(0)
    shapes = ((2, 64), (64,), (64, 64), (64,), (64,))
    return [rng.normal(size=shape).astype(real) / real(8 if shape == (64, 64) else 1) for shape in shapes], \
        rng.normal(size=(CHAINS, 2)).astype(real)


def by_numpy(real):
    (w1, b1, w2, b2, w3), start = problem(real)
    rng, half, root = np.random.default_rng(0), real(EPS / 2), real(EPS**0.5)

    def work():
        x = start
        for _ in range(STEPS):
            h1 = np.tanh(x @ w1 + b1)
            h2 = np.tanh(h1 @ w2 + b2)
            grad = ((w3 * (1 - h2 * h2)) @ w2.T * (1 - h1 * h1)) @ w1.T + x
            x = x - half * grad + root * rng.standard_normal(x.shape, dtype=real)
        return x
    return work


def by_jax(real):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)
    (w1, b1, w2, b2, w3), start = problem(real)
    half, root, tanh = real(EPS / 2), real(EPS**0.5), jax.numpy.tanh

    def energy(x):
        return tanh(tanh(x @ w1 + b1) @ w2 + b2) @ w3 + real(0.5) * jax.numpy.sum(x * x)

    gradient = jax.vmap(jax.grad(energy))

    @jax.jit
    def run(x, keys):
        def step(x, key):
            return x - half * gradient(x) + root * jax.random.normal(key, x.shape, real), None
        return jax.lax.scan(step, x, keys)[0]

    x, keys = jax.numpy.asarray(start), jax.random.split(jax.random.key(0), STEPS)
    return lambda: run(x, keys).block_until_ready()


def by_torch(real):
    import torch
    weights, start = problem(real)
    w1, b1, w2, b2, w3 = (torch.from_numpy(a) for a in weights)
    first = torch.from_numpy(start)

    def work():
        x = first
        for _ in range(STEPS):
            x.requires_grad_(True)
            hidden = torch.tanh(torch.addmm(b2, torch.tanh(torch.addmm(b1, x, w1)), w2))
            gradient, = torch.autograd.grad((hidden @ w3).sum() + 0.5 * (x * x).sum(), x)
            with torch.no_grad():
                x = x - EPS / 2 * gradient + EPS**0.5 * torch.randn_like(x)
        return x.numpy()
    return work
