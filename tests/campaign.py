"""Bad input for every public function: valid calls are recorded, an argument is spoilt, the outcome is judged.

    functions()     what is public in the formula modules, found by inspection: a new function is in by itself
    recorded()      a valid call of each, caught while claims, contracts and doctests run
    spoilt(call)    a Hypothesis strategy: the call with one array, number, entry or name replaced
    judged(...)     None, or in one sentence what is wrong with how the function took it

A function may answer, or refuse by a ValueError or TypeError that names an argument in one sentence. Anything else is a
defect: another exception, a warning, an argument changed in place, text or complex numbers or NaN taken for numbers, or
no end in sight.
"""
import contextlib
import copy
import doctest
import functools
import importlib.util
import inspect
import os
import pkgutil
import re
import resource
import signal
import sys

import numpy as np
from autograd.tracer import isbox
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import campaign_api
import campaign_calls
import campaign_learning
import refdgm
from refdgm import crosscheck, ledger
from refdgm.loading import ROOMS

LARGE = "REFDGM_CAMPAIGN" in os.environ     # the long campaign
HUGE = 2**40                    # asked for in the long one only: so many steps take as long as they take
SECONDS = 20                    # of one call
STARS = ((inspect.CO_VARARGS, "*"), (inspect.CO_VARKEYWORDS, "**"))
DOCTESTS = ("samplers", "learning", "fitting", "datasets", "enumeration", "diagnostics", "updates", "trees")
MEMORY = 2**30                  # that a call may take on top of what is there
SPECIAL = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e-300, -1.0, 0.0)
NO_NUMBERS = (None, "text", "", {}, 1j)
ANY_ARRAY = st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.complex64, "U2"]).flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)))


# ---- what is public, and how it is called ---------------------------------------------

@functools.cache
def functions():
    """{name: function} of every public function of the formula modules."""
    found = {}
    for info in pkgutil.walk_packages(refdgm.__path__[:1], "refdgm."):
        if info.name.split(".")[1] in ROOMS:
            for name, value in vars(importlib.import_module(info.name)).items():
                if inspect.isfunction(value) and value.__module__ == info.name and not name.startswith("_"):
                    found[f"{info.name}.{name}"] = value
    return found


def recorded():
    """{name of a function: the arguments of the first call of it, by whomever, while claims, contracts and docs run}

    Of *arguments and **named ones the names in a call begin with their stars.
    """
    recorder = Recorder(functions())
    with np.errstate(all="ignore"), recorder:
        for function, arguments in _runs():
            with contextlib.suppress(Exception):        # a mistake may fail; what it called was called
                function(**arguments)
    calls = {name: recorder.calls[place] for name, function in functions().items()
             for place in [_place(inspect.unwrap(function).__code__)] if place in recorder.calls}
    calls |= dict(_compiled(functions(), calls))
    return {name: call for name, call in calls.items() if judged(functions()[name], call, call) is None}


class Recorder:
    """Within it the first call of each function is kept; the interpreter tells of every call that it makes."""

    def __init__(self, public):
        self.calls, self.places = {}, {_place(inspect.unwrap(function).__code__) for function in public.values()}
        self.names = {name for *_, name in self.places}     # a quick look, for most calls are of others

    def __enter__(self):
        sys.setprofile(self.see)

    def __exit__(self, *_):
        sys.setprofile(None)

    def see(self, frame, event, _):
        place = event == "call" and frame.f_code.co_name in self.names and _place(frame.f_code)
        if place in self.places and place not in self.calls:
            count = frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount
            names, values = frame.f_code.co_varnames, frame.f_locals
            rest = ((flag, star) for flag, star in STARS if frame.f_code.co_flags & flag)
            call = {name: values[name] for name in names[:count]} | {
                star + name: values[name] for name, (_, star) in zip(names[count:], rest)}
            call = _without_boxes(call)
            if not any(isinstance(leaf, np.ndarray) and leaf.dtype.kind == "O" for _, leaf in leaves(call)):
                self.calls[place] = copy.deepcopy(call)


def _place(code):
    """What a function's code has in common with that in a second copy of its module."""
    return code.co_filename, code.co_firstlineno, code.co_name


def _without_boxes(tree):
    """The tree as it is outside of a gradient."""
    for path, leaf in list(leaves(tree)):
        while isbox(leaf):
            leaf = leaf._value
            tree = replaced(tree, path, leaf)
    return tree


def _compiled(public, calls):
    """Two steps of every compiled sampler, from where its doctest made a step of the plain one."""
    for name, function in public.items():
        call = calls.get(name.rpartition(".")[0] + ".step")
        if name.endswith(".run") and call and "state" in call:
            given = {**call, "steps": 2, "threads": 1}
            given = {key: given[key] for key in inspect.signature(function).parameters if key in given}
            function(**given)                           # compiles it, which is no part of the time of a call
            yield name, given


def _runs():
    """(function, arguments): every formula of a claim, right, wrong or the oracle, and what a contract refers to."""
    yield from campaign_calls.runs()                    # first, for its targets are such as kernels know
    for claim in ledger.claims().values():
        forms = [claim.claimed, *claim.mistakes.values(), *filter(None, [claim.printed])]
        for check in filter(None, (claim.check, claim.without, claim.inequality)):
            yield check.case, {"seed": 0}
            case = check.case(0)
            to = {check.along[0]: check.along[1][0]} if check.along else {}
            yield check, {"claimed": claim.claimed, "seeds": range(1)}
            for part in (check.case, check.oracle, check.measure):
                forms += filter(inspect.isfunction, inspect.getclosurevars(part).nonlocals.values())
            for function in forms:
                yield function, case | to
    for derivation in ledger.derivations().values():
        yield derivation, {"seed": 0}
    yield from campaign_learning.runs()
    yield from campaign_api.runs()
    for name in sorted({function.__module__ for function in functions().values()}):
        yield _imported_again, {"name": name}           # mistakes are put together while a module is imported
        if name.split(".")[1] in DOCTESTS:
            yield doctest.testmod, {"m": importlib.import_module(name)}
    for contract in crosscheck.contracts().values():
        cases = inspect.getclosurevars(contract.judge).nonlocals.get("cases")
        for case in list(cases(0))[:1] if cases else ():
            others = (other.function for other in (*contract.mistakes.values(), *contract.conventions.values()))
            for function in (contract.reference, *others):
                yield function, dict(zip(inspect.signature(function).parameters, case.arguments.values()))


def _imported_again(name):
    """Execute a module anew, beside the one that is in use."""
    spec = importlib.util.find_spec(name)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def leaves(tree, path=()):
    """(path, value) of every entry of nested dicts, tuples and lists."""
    if isinstance(tree, (dict, tuple, list)):
        for key, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(part, (*path, key))
    else:
        yield path, tree


def replaced(tree, path, value):
    """The tree with another value at a path."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(tree, dict):
        return {**tree, key: replaced(tree[key], rest, value)}
    parts = [replaced(part, rest, value) if i == key else part for i, part in enumerate(tree)]
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


# ---- what is spoilt -------------------------------------------------------------------

@st.composite
def spoilt(draw, call):
    """The call with one of its arguments, or an entry of one, made into something else."""
    places = [path for path, leaf in leaves(call) if isinstance(leaf, type) or not callable(leaf)]
    inner = [path[:n] for path in places for n in range(1, len(path)) if n > 1 or not path[0].startswith("*")]
    if not places:
        return call
    path = draw(st.sampled_from([*places, *inner]))
    value = call
    for key in path:
        value = value[key]
    if isinstance(value, dict) and value and draw(st.booleans()):
        gone = draw(st.sampled_from(sorted(value, key=str)))
        return replaced(call, path, {key: part for key, part in value.items() if key != gone})
    other = draw(_instead(value))
    return replaced(call, path, draw(other) if isinstance(other, st.SearchStrategy) else other)


def _instead(value):
    """A strategy of what may stand where `value` does."""
    if isinstance(value, type):
        return st.sampled_from([int, np.int64, np.complex128, str, "float64", None, 3])
    if isinstance(value, (np.ndarray, np.generic)) and np.asarray(value).dtype.kind in "fiub":
        array = np.asarray(value)
        return st.sampled_from([*_reshaped(array), *_with_special(array), *[ANY_ARRAY] * 4, *NO_NUMBERS])
    if isinstance(value, (bool, str)) or value is None:
        return st.sampled_from(["nonsense", "", None, 3, np.zeros(2)])
    if isinstance(value, int):
        return st.sampled_from([0, -1, 7, -2**70, 1.5, np.nan, None, "3", *([HUGE] if LARGE else [])])
    if isinstance(value, float):
        return st.sampled_from([*SPECIAL, 1e300, None, "3", 1j])
    return st.sampled_from([*NO_NUMBERS, np.zeros(2), []])


@np.errstate(all="ignore")
def _reshaped(a):
    """The array in other shapes and dtypes."""
    found = [a[None], a[..., None], np.array(1.0), a.astype(np.float32), a.astype(complex) + 1j, a.astype(str),
             np.full(a.shape, None)]
    if a.ndim:
        found += [a[:0], a[:-1], a[..., :-1], np.concatenate([a, a[..., -1:]], axis=-1), a.astype(bool)]
    return [*found, np.swapaxes(a, 0, -1)] if a.ndim > 1 else found


def _with_special(a):
    """The array with a NaN, an infinity, a huge, tiny or negative number, or a zero in the first place or the last."""
    for number in SPECIAL if a.size else ():
        for place in (0, -1):
            b = a.astype(float)
            b.flat[place] = number
            yield b


# ---- the verdict ----------------------------------------------------------------------

class _TooLong(BaseException):
    pass


def _stop(*_):
    raise _TooLong


@contextlib.contextmanager
def _limits():
    """A call ends after SECONDS, and gets no more than MEMORY."""
    before = signal.signal(signal.SIGALRM, _stop)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        resource.setrlimit(resource.RLIMIT_AS, (int(file.read().split()[0]) * resource.getpagesize() + MEMORY, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def judged(function, call, valid):
    """What is wrong with how a function takes a call, or None. `valid` is the call before it was spoilt."""
    given = {key: value if callable(value) else copy.deepcopy(value) for key, value in call.items()}
    try:
        with _limits():
            _called(function, given)
    except (ValueError, TypeError) as refusal:
        wrong = _unhelpful(str(refusal), call, valid)
    except _TooLong:
        return None if any(leaf is HUGE for _, leaf in leaves(call)) else f"takes more than {SECONDS} s"
    except Exception as other:
        return f"{type(other).__name__}: {other}"
    else:
        wrong = next((f"{path[-1]} is {what}, and it answers" for path, leaf in leaves(call)
                      for what in [_no_number(leaf)] if what), None)
    if not same(given, call):
        return "changes its arguments"
    return wrong


def _called(function, call):
    bound = inspect.BoundArguments(inspect.signature(function), {key.lstrip("*"): value for key, value in call.items()})
    return function(*bound.args, **bound.kwargs)


def _unhelpful(message, call, valid):
    """Whether a refusal names no argument, or is no single sentence."""
    names = {str(key) for tree in (call, valid) for path, _ in leaves(tree) for key in path} | {
        key.lstrip("*") for key in call}
    if "\n" in message or not message:
        return f"does not say in one line what is wrong: {message!r}"
    if not any(re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", message) for name in names):
        return f"names no argument: {message}"
    return None


def _no_number(leaf):
    array = np.asarray(leaf)
    if isinstance(leaf, np.ndarray) and array.dtype.kind in "cUO":
        return f"of dtype {array.dtype}"
    return "NaN" if array.dtype.kind == "f" and np.isnan(array).any() else None


def same(a, b):
    there, here = dict(leaves(a)), dict(leaves(b))
    return there.keys() == here.keys() and all(
        not isinstance(value, np.ndarray) or value.dtype == object or value.tobytes() == here[path].tobytes()
        for path, value in there.items())
