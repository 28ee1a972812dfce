"""NumPy, PyTorch and JAX behind one small interface: arrays in, arrays out, and the framework's own derivative.

A framework is imported only when a function that is written in it is to be called.
"""
import inspect
import sys
import types
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid


class Framework(NamedTuple):
    """How to hand arrays over and to take them back."""
    name: str
    dtypes: tuple           # that it has, of "float64", "float32", "bfloat16"
    put: Callable           # (float64 array, dtype) -> its own array, without a copy where that can be
    take: Callable          # its own array -> (NumPy array in float64, or as it is if not floating; name of its dtype)
    gradient: Callable      # (function, arguments, i) -> the derivative of the sum of its outputs in argument i


def named(name):
    """The framework of that name. Raises ValueError where it is unknown or not installed."""
    valid.require(name in MAKERS, f"a framework has one of the names {', '.join(MAKERS)}, not {name!r}.")
    try:
        return MAKERS[name]()
    except ImportError as error:
        raise ValueError(f"{name} is not installed: {error}.") from error


def of_module(module):
    """The framework that a module imports, by name; NumPy where it imports none of the others."""
    return _among(vars(module).values()) or "numpy"


def of_function(function):
    """The framework that a function names in its own code; where it names none, that which its module imports."""
    function = inspect.unwrap(getattr(function, "func", function))      # jit and the like, functools.partial
    code, owner = getattr(function, "__code__", None), getattr(function, "__self__", None)
    known = getattr(function, "__globals__", {})
    named = [known[name] for name in code.co_names if name in known] if code else [function, owner, type(owner)]
    module = sys.modules.get(getattr(function, "__module__", None) or type(function).__module__)
    return _among(named) or ("numpy" if "numpy" in _roots(named) or module is None else of_module(module))


def _among(values):
    """Of the names "torch" and "jax" the first that some value comes from, or None."""
    roots = _roots(values)
    return next((name for name in ("torch", "jax") if name in roots and name in sys.modules), None)


def _roots(values):
    """The packages that values, modules or what is defined in them, come from."""
    places = [value.__name__ if isinstance(value, types.ModuleType) else
              getattr(value, "__module__", None) or type(value).__module__ for value in values]
    return {str(place).split(".")[0].replace("autograd", "numpy") for place in places}


def leaves(result):
    """The arrays of a result: an array, or a tuple, list or dict of them, in order."""
    if isinstance(result, dict):
        return [leaf for part in result.values() for leaf in leaves(part)]
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in leaves(part)]
    return [result]


def _numpy():
    import autograd.numpy as anp
    from autograd import grad

    def take(array):
        array = np.asarray(array)
        return (array.astype(float) if array.dtype.kind in "fiub" else array), str(array.dtype)

    def gradient(function, arguments, i):
        def total(value):
            parts = leaves(function(*arguments[:i], value, *arguments[i + 1:]))
            return sum(anp.sum(part) for part in parts)
        return grad(total)(arguments[i])
    return Framework("numpy", ("float64", "float32"), lambda a, dtype: np.asarray(a, dtype), take, gradient)


def _torch():
    import torch

    def put(array, dtype):
        return torch.from_numpy(np.ascontiguousarray(array)).to(getattr(torch, dtype)).reshape(np.shape(array))

    def take(tensor):
        if not isinstance(tensor, torch.Tensor):
            tensor = torch.as_tensor(np.asarray(tensor))        # of a Python number torch would make a float32
        tensor = tensor.detach().cpu()
        return tensor.to(torch.float64).numpy(), str(tensor.dtype).removeprefix("torch.")

    def gradient(function, arguments, i):
        at = arguments[i].detach().clone().requires_grad_(True)
        total = sum(part.sum() for part in leaves(function(*arguments[:i], at, *arguments[i + 1:])))
        if not total.requires_grad:
            return torch.zeros_like(at)
        return torch.autograd.grad(total, at, allow_unused=True, materialize_grads=True)[0]
    return Framework("torch", ("float64", "float32", "bfloat16"), put, take, gradient)


def _jax():
    import jax
    jax.config.update("jax_enable_x64", True)       # else float64 is quietly float32
    import jax.numpy as jnp

    def take(array):
        array = jnp.asarray(array)
        return np.asarray(array.astype(jnp.float64)), str(array.dtype)

    def gradient(function, arguments, i):
        def total(value):
            return sum(jnp.sum(part) for part in leaves(function(*arguments[:i], value, *arguments[i + 1:])))
        return jax.grad(total)(arguments[i])
    return Framework("jax", ("float64", "float32", "bfloat16"), lambda a, dtype: jnp.asarray(a, dtype), take, gradient)


MAKERS = {"numpy": _numpy, "torch": _torch, "jax": _jax}
