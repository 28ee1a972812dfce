"""A step that is written once, on whole arrays, for NumPy, JAX and PyTorch alike, and how each of them makes many.

The few functions in which the libraries differ come from a `Library`. JAX compiles the loop over all steps.
"""
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np


class Library(NamedTuple):
    """The functions of an array library that the steps are written with; randn and rand take a shape."""
    np: Any
    randn: Callable
    rand: Callable
    real: Callable              # of bits
    sigmoid: Callable
    softplus: Callable


class Work(NamedTuple):
    """What a case does, for one type of numbers."""
    refdgm: Callable            # () -> the state after all steps, as an array
    step: Callable              # (library, constants, state, t) -> state, tuples of arrays
    constants: tuple
    start: tuple                # state
    result: Callable            # state -> the same array as refdgm gives


def by_numpy(work, steps, real):
    rng = np.random.default_rng(0)
    library = Library(np, lambda shape: rng.standard_normal(shape, dtype=real), lambda shape: rng.random(shape, real),
                      lambda bits: bits.astype(real), lambda a: 1 / (1 + np.exp(-a)),
                      lambda a: np.maximum(a, 0) + np.log1p(np.exp(-abs(a))))

    def run():
        state = work.start
        for t in range(steps):
            state = work.step(library, work.constants, state, t)
        return work.result(state)
    return run


def by_jax(work, steps, real):
    import jax
    jax.config.update("jax_enable_x64", real is np.float64)

    def step(t, carry):
        key, state = carry
        keys = iter(jax.random.split(key, 40))
        library = Library(jax.numpy, lambda shape: jax.random.normal(next(keys), shape, real),
                          lambda shape: jax.random.uniform(next(keys), shape, real), lambda bits: bits.astype(real),
                          jax.nn.sigmoid, jax.nn.softplus)
        key = next(keys)
        return key, work.step(library, constants, state, t)

    constants = tuple(jax.numpy.asarray(a) for a in work.constants)
    run = jax.jit(lambda key, state: jax.lax.fori_loop(0, steps, step, (key, state))[1])
    key, start = jax.random.key(0), tuple(jax.numpy.asarray(a) for a in work.start)
    return lambda: np.asarray(work.result(jax.block_until_ready(run(key, start))))


def by_torch(work, steps, real):
    import torch
    constants, start = (tuple(torch.from_numpy(np.array(a)) for a in some) for some in (work.constants, work.start))
    dtype = torch.from_numpy(np.zeros(1, real)).dtype
    library = Library(torch, partial(torch.randn, dtype=dtype), partial(torch.rand, dtype=dtype),
                      lambda bits: bits.to(dtype), torch.sigmoid, torch.nn.functional.softplus)

    @torch.no_grad()
    def run():
        state = start
        for t in range(steps):
            state = work.step(library, constants, state, t)
        return work.result(state).numpy()
    return run


PEERS = {"NumPy": by_numpy, "JAX": by_jax, "PyTorch": by_torch}
