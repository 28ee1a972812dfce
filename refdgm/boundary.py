"""Where a call from outside enters refdgm: what a caller did wrong is said by name, whichever public function it is.

Formula modules are written as the papers are, without a line about arguments that make no sense. In their place every
public function of them is `guarded`: calls from within refdgm pass straight through, all others are looked at

    before      text, complex numbers and objects in an array are a TypeError
    meanwhile   NumPy's floating-point warnings are off: exp(1e4) is inf and inf - inf is NaN, without a word
    after       what NumPy or Python says about arrays that do not fit, an entry that is not there, an index beyond the
                end, or too much memory is repeated with the arguments and their shapes, as a ValueError or TypeError;
                a NaN that nobody objected to is a ValueError

What refdgm says by a `raise` stays as it is if it names an argument, and so does an error in a function that the caller
handed in. Thus

    rbm.free_energy({"w": np.zeros((3, 2))}, np.zeros(4))
    ValueError: free_energy of theta['w'] (3, 2), x (4,) has no value: shapes (4,) and (3,2) not aligned: ...
"""
import functools
import inspect
import linecache
import re
import sys
import traceback
from itertools import islice
from numbers import Number
from pathlib import Path
from types import FunctionType

import numpy as np
from autograd.tracer import getval

ASTRAY = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, MemoryError, UnboundLocalError)
LIBRARIES = {"refdgm", "numpy", "scipy", "autograd", "numba", *sys.stdlib_module_names}
HERE = str(Path(__file__).parent)
INSIDE = set()                  # modules of refdgm that have called: they are known by name, which costs least
SHOWN = 12                      # arguments and entries that a message lists


def guarded(function):
    """The function as callers from outside see it."""
    signature, enter, frame, inside = inspect.signature(function), _enter, sys._getframe, INSIDE

    def entered(*arguments, **named):
        if frame(1).f_globals.get("__name__") in inside:
            return function(*arguments, **named)
        return enter(function, signature, arguments, named)
    # with the function's globals, by which doctest knows whose it is
    entered = FunctionType(entered.__code__, function.__globals__, None, None, entered.__closure__)
    return functools.update_wrapper(entered, function)


def _enter(function, signature, arguments, named):
    caller = sys._getframe(2).f_globals.get("__name__", "")
    if caller.startswith("refdgm."):
        INSIDE.add(caller)
        return function(*arguments, **named)
    try:
        given = signature.bind(*arguments, **named).arguments
    except TypeError as error:
        raise TypeError(f"{_name(function)}: {error}.") from None
    given.pop("self", None)
    try:
        for name, value in _leaves(given):
            _is_real(name, value)
        with np.errstate(all="ignore"):
            result = function(*arguments, **named)
    except Exception as error:
        if not isinstance(error, ASTRAY) and type(error).__module__.partition(".")[0] != "numba":
            raise
        ours = _is_ours(error)
        if _is_the_callers(error) or ours and _names_one_of(signature.parameters, error):
            raise
        if not ours:
            _no_nan(given)
        kind = type(error) if ours else TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{_name(function)} of {_described(given)} has no value: {_reason(error)}") from error
    _no_nan(given)
    return result


# ---- what is given --------------------------------------------------------------------

def _leaves(tree, name=""):
    """(name, value) of all that is in the arguments, "theta['w']" and "state.x"."""
    tree = getval(tree)
    if isinstance(tree, dict) and tree:
        for key, part in tree.items():
            yield from _leaves(part, f"{name}[{key!r}]" if name else key)
    elif isinstance(tree, (tuple, list)) and tree:
        fields = getattr(tree, "_fields", None)
        for i, part in enumerate(tree):
            yield from _leaves(part, f"{name}.{fields[i]}" if fields else f"{name}[{i}]")
    else:
        yield name, tree


def _is_real(name, value):
    if isinstance(value, (np.ndarray, np.generic, complex)):
        dtype = np.asarray(value).dtype
        if dtype.kind not in "fiub" and not (dtype.kind == "O" and all(isinstance(n, Number) for n in value.flat)):
            raise TypeError(f"{name} must hold real numbers, but has the dtype {dtype}.")


def _no_nan(given):
    """No argument holds a NaN: a result that is finite all the same would be an accident."""
    for name, value in _leaves(given):
        if isinstance(value, (float, np.ndarray)):
            value = np.asarray(value)
            if value.dtype.kind == "f" and value.size and np.isnan(value.min()):    # NaN carries over, without an array
                where = ", ".join(map(str, np.argwhere(np.isnan(value))[0]))
                raise ValueError(f"{name} must be a number, but {name}{f'[{where}]' if where else ''} is nan.")


# ---- what went astray -----------------------------------------------------------------

def _is_the_callers(error):
    """Whether it comes from a function that the caller handed in."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(module.split(".")[0] not in LIBRARIES for module in modules)


def _is_ours(error):
    """Whether refdgm said it by a `raise`."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename.startswith(HERE) and linecache.getline(last.filename, last.lineno).lstrip().startswith("raise")


def _names_one_of(parameters, error):
    return any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in parameters)


def _described(given):
    listed = [_shown(name, value) for name, value in islice(_leaves(given), SHOWN + 1) if not callable(value)]
    return ", ".join(listed[:SHOWN] + ["..."] * (len(listed) > SHOWN)) or "nothing"


def _name(function):
    return function.__qualname__.split("<locals>.")[-1]


def _shown(name, value):
    shape = getattr(value, "shape", None)
    return f"{name} {shape}" if shape else f"{name} = {value!r:.30}"


def _reason(error):
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).strip().split("\n")[0] or f"there was a {type(error).__name__}"
