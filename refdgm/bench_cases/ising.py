"""Chequered Gibbs sampling of the two-dimensional Ising model near its critical temperature."""
import numpy as np

from refdgm.benchmark import Case
from refdgm.samplers import ising_gibbs

THETA = {"beta": 0.44, "field": 0.0}
SIZES = {"512": (512, 1, 16), "32x1024": (32, 1024, 4)}     # rows and columns, lattices, steps


def _refdgm(L, number, steps):
    start = ising_gibbs.init(THETA, (L, L), number, seed=1)
    return lambda: ising_gibbs.run(THETA, start, steps).state.spins


def _split(spins):
    """The sites of each colour: (2, N, L, L / 2)."""
    pairs = spins.reshape(*spins.shape[:2], -1, 2)
    rows = np.arange(spins.shape[1])
    return np.stack([pairs[:, rows, :, (rows + colour) % 2].swapaxes(0, 1) for colour in (0, 1)])


def _numpy(L, number, steps):
    """A table of five probabilities, and no array is made twice."""
    first = _split(ising_gibbs.init(THETA, (L, L), number, seed=1).spins)
    rng, limit = np.random.default_rng(0), ising_gibbs.thresholds(THETA)
    up = np.zeros(9, np.float32)
    up[::2] = limit / 2.0**32
    m, u, p = np.empty_like(first[0]), np.empty(first[0].shape, np.float32), np.empty(first[0].shape, np.float32)

    def draw(own, other, colour):
        np.add(other, 4, out=m)                             # m + 4 numbers the probability
        m[:, 1:] += other[:, :-1]
        m[:, 0] += other[:, -1]
        m[:, :-1] += other[:, 1:]
        m[:, -1] += other[:, 0]
        before, after = m[:, colour::2], m[:, 1 - colour::2]
        before[..., 1:] += other[:, colour::2, :-1]
        before[..., 0] += other[:, colour::2, -1]
        after[..., :-1] += other[:, 1 - colour::2, 1:]
        after[..., -1] += other[:, 1 - colour::2, 0]
        rng.random(out=u, dtype=np.float32)
        np.take(up, m, out=p, mode="clip")
        np.less(u, p, out=own.view(bool))
        own *= 2
        own -= 1

    def work():
        even, odd = first.copy()
        for _ in range(steps):
            draw(even, odd, 0)
            draw(odd, even, 1)
        return np.stack([even, odd])
    return work


def _jax(L, number, steps, impl=None):
    import jax
    import jax.numpy as jnp
    jax.config.update("jax_enable_x64", False)
    even, odd = (jnp.asarray(a) for a in _split(ising_gibbs.init(THETA, (L, L), number, seed=1).spins))
    row = jnp.arange(L)[:, None] % 2

    def draw(key, other, colour):
        beside = jnp.where(row == colour, jnp.roll(other, 1, -1), jnp.roll(other, -1, -1))
        m = other + beside + jnp.roll(other, 1, -2) + jnp.roll(other, -1, -2)
        up = jax.random.uniform(key, m.shape) < jax.nn.sigmoid(2 * (THETA["beta"] * m.astype(jnp.float32)
                                                                    + THETA["field"]))
        return jnp.where(up, 1, -1).astype(jnp.int8)

    @jax.jit
    def gibbs(even, odd, key):
        def step(t, sites):
            first, second = jax.random.split(jax.random.fold_in(key, t))
            even = draw(first, sites[1], 0)
            return even, draw(second, even, 1)
        return jnp.stack(jax.lax.fori_loop(0, steps, step, (even, odd)))

    key = jax.random.key(0, impl=impl)
    return lambda: gibbs(even, odd, key).block_until_ready()


def _torch(L, number, steps):
    import torch
    first = torch.from_numpy(_split(ising_gibbs.init(THETA, (L, L), number, seed=1).spins))
    row = torch.arange(L)[:, None] % 2
    table = torch.from_numpy(np.repeat(ising_gibbs.thresholds(THETA) / 2.0**32, 2).astype(np.float32))

    def draw(other, colour):
        beside = torch.where(row == colour, other.roll(1, -1), other.roll(-1, -1))
        m = other + beside + other.roll(1, -2) + other.roll(-1, -2)
        up = torch.rand(m.shape) < table[(m + 4).int()]
        return up.to(torch.int8).mul_(2).sub_(1)

    @torch.no_grad()
    def work():
        even, odd = first
        for _ in range(steps):
            even = draw(odd, 0)
            odd = draw(even, 1)
        return torch.stack([even, odd])
    return work


def _alignment(spins):
    """s times the spin to the right and s itself are even in mean only; the product of neighbours tells temperatures
    apart. -> independent or nearly independent numbers: one a lattice, or one a row"""
    if spins.ndim == 3:
        spins = _split(spins)
    products = (spins[0].astype(float) * spins[1]).mean(axis=-1)
    return products.mean(axis=-1) if len(products) > 1 else products[0, ::8]


def _case(name):
    L, number, steps = SIZES[name]
    makers = {"NumPy": _numpy, "JAX": _jax, "JAX, rbg": lambda *size: _jax(*size, impl="rbg"), "PyTorch": _torch}
    return Case(f"ising.{name}.int8", f"{steps} steps of {number} Ising lattice{'s' * (number > 1)} {L} x {L}",
                L * L * number * steps, "spins", "int8", lambda: _refdgm(L, number, steps),
                {peer: lambda maker=maker: maker(L, number, steps) for peer, maker in makers.items()},
                _alignment, quick=True)


CASES = tuple(_case(name) for name in SIZES)
