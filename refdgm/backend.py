"""Where arrays live: on the host with NumPy, or on a GPU with CuPy.

    with backend.use("cupy"):                       or backend.use("cupy") for good
        theta = backend.to_device(theta)
        elbo(theta, x)                              arrays in = arrays out, on the same device

Formula modules write `np` for autograd's NumPy, which differentiates, and take everything else from `xp`, the array
library in use: what they create (zeros, arange, the table of all states) then lies where their arguments do. NumPy's
own functions pass a CuPy array on to CuPy. Nothing but sizes and choices goes to the host unless `to_host` is called:
CuPy refuses to mix its arrays with NumPy's, and so does a stand-in that is as strict, in the tests on any machine.
"""
import importlib
from functools import partial

import numpy

from refdgm.array_library import choose, chosen, xp


class use:
    """Choose the array library, "numpy" or "cupy", for the process; as a context manager, until its block ends.

    Raises ValueError for another name, and where CuPy is not installed or finds no GPU.
    """

    def __init__(self, name):
        self.before = chosen()
        choose(_library(name))

    def __enter__(self):
        return chosen()

    def __exit__(self, *reason):
        choose(self.before)


def name():
    """The name of the array library in use."""
    return chosen().__name__


def on_device(array):
    """Whether this is one of CuPy's arrays."""
    return type(array).__module__.partition(".")[0] == "cupy"


def module_of(array):
    """The library whose array this is: cupy for a CuPy array, else numpy."""
    return importlib.import_module("cupy") if on_device(array) else numpy


def wait():
    """Until the GPU has done what it was asked for; with NumPy that is so."""
    if chosen() is not numpy:
        chosen().cuda.get_current_stream().synchronize()


def to_device(tree):
    """Every array of a tree (dicts, tuples, lists, named tuples, what a partial function holds) as one of the library
    in use; the rest as it is."""
    return _moved(tree, lambda a: xp.asarray(a) if isinstance(a, numpy.ndarray) else a)


def to_host(tree):
    """Every array of a tree as one of NumPy: the one place where numbers leave the device."""
    return _moved(tree, lambda a: a.get() if on_device(a) else a)


def computed_by(library, function):
    """The function computed with "numpy" or "cupy": its arguments are moved there, and what it gives comes back."""
    def moved(*arguments, **named):
        with use(library):
            return to_host(function(*to_device(arguments), **to_device(named)))
    _is_name(library)
    return function if library == "numpy" else moved


def here(constant):
    """What a module has made when it was imported, an array or a tree of them, as arrays of the library in use."""
    return to_host(constant) if chosen() is numpy else to_device(constant)


def _moved(tree, move):
    if isinstance(tree, dict):
        return {key: _moved(value, move) for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_moved(value, move) for value in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(_moved(value, move) for value in tree)
    if isinstance(tree, partial):
        return partial(tree.func, *_moved(tree.args, move), **_moved(tree.keywords, move))
    return move(tree)


def _is_name(library):
    if not isinstance(library, str) or library not in ("numpy", "cupy"):
        raise ValueError(f"the backend, a library by its name, must be 'numpy' or 'cupy', but is {library!r}.")


def _library(name):
    _is_name(name)
    if name == "numpy":
        return numpy
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as reason:
        raise ValueError("the backend 'cupy' needs CuPy: pip install 'refdgm[gpu]'.") from reason
    if not cupy.is_available():
        raise ValueError("the backend 'cupy' finds no GPU that it can use; `refdgm doctor` says what is there.")
    from refdgm import autograd_on_device
    autograd_on_device.register(cupy)
    return cupy
