"""The campaign's part for what neither claims nor contracts nor doctests call, room by room."""
import importlib
from functools import partial

import numpy as np
import test_backend


def runs():
    """(function, arguments): no arguments, for each function has its own."""
    yield from ((call, {}) for part in (tables,) for call in part())


def tables():
    """What runs on a device: every sampler's first step, and functions."""
    for name, (arrays, init, step) in test_backend.CHAINS.items():
        yield partial(first_step, importlib.import_module(f"refdgm.samplers.{name.split()[0]}"), arrays, init, step)
    for function, *arguments in (*test_backend.FUNCTIONS.values(), *test_backend.COMPILED.values()):
        yield partial(function, *arguments)


def first_step(sampler, arrays, init, step):
    step(sampler, init(sampler, np.float64, *arrays), *arrays)
