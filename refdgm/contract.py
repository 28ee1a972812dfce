"""What a function must do to agree with the reference, whatever it is written in: a `Contract`.

A contract names a function that anyone may implement: what it takes, what it returns, what it is to compute, and
known ways to compute something else, mistakes and conventions, each with what to change. `examine` holds a function
against it and says "conforms", or "deviates" with the smallest input that shows it and the known mistake that it is.

How it is held depends on what it is: refdgm.values judges what its arguments determine, refdgm.draws what is random.
"""
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refdgm import frameworks
from refdgm import validation as valid

SEEDS = range(2)        # the instances; each has a dozen cases
NUMBER, INTEGER = "number", "integer"       # arguments that are Python numbers, never arrays


class Argument(NamedTuple):
    """One argument of the function under test, in its place."""
    name: str
    shape: str                  # "(..., K)"; "" for a Python number
    says: str
    kind: str = "real"          # arrays: real, bits, table (of probabilities), index; Python's: number, integer;
                                # filled in by a judge of refdgm.draws: states, data, count, seed


class Other(NamedTuple):
    """A known way to compute something else: a mistake or a convention."""
    function: Callable          # as the reference
    advice: str                 # what to change; for a convention, what it is


class Case(NamedTuple):
    """One input, and what is particular about it."""
    label: str
    arguments: dict
    hard: bool = False          # an extreme: not asked in bfloat16, and no evidence for or against a known mistake


class Contract(NamedTuple):
    """A function by name, its truth, and what is held against an implementation of it."""
    name: str
    says: str                   # what it computes
    where: str                  # its place in the documents
    arguments: tuple            # of Argument
    returns: str                # shape and meaning
    reference: Callable         # called in the order of the arguments -> array or tuple of arrays
    judge: Callable             # (contract, subject, dtypes, seeds, note) -> fields of a record; see `values`
    mistakes: dict              # name -> Other
    conventions: dict = {}      # noqa: RUF012 (never changed)
    properties: dict = {}       # noqa: RUF012  what the truth satisfies: name -> (call, case) -> error; see `diagnose`


class Failed(Exception):
    """What went wrong inside of a function under test, in one sentence."""


class Subject(NamedTuple):
    """The function under test and what it is written in."""
    function: Callable
    framework: frameworks.Framework

    def call(self, contract, arguments, dtype, wrt=None):
        """Its value, or its own derivative in the argument `wrt`.  -> (arrays in float64, names of their dtypes)"""
        given = [self.give(a, arguments[a.name], dtype) for a in contract.arguments]
        if wrt is None:
            result = self.function(*given)
        else:
            names = [a.name for a in contract.arguments]
            result = self.framework.gradient(self.function, given, names.index(wrt))
        parts = [self.take(part) for part in frameworks.leaves(result)]
        return [array for array, _ in parts], [dtype for _, dtype in parts]

    def outcome(self, given):
        """The array that the function returns for these arguments; raises Failed where it raises."""
        try:
            return self.take(self.function(*given))[0]
        except (NotImplementedError, Failed):
            raise
        except Exception as failure:
            raise Failed(raised(failure)) from failure

    def take(self, part):
        """A part of a result as (array in float64, name of its dtype)."""
        try:
            array, dtype = self.framework.take(part)
        except Exception:
            array, dtype = None, ""
        if array is None or array.dtype.kind not in "fiub" or dtype.startswith("complex"):
            raise Failed(f"returns {dtype if dtype.startswith('complex') else type(part).__name__} where real numbers "
                         "are due")
        return array, dtype

    def give(self, argument, value, dtype):
        if argument.kind in (NUMBER, INTEGER):
            return value
        value = np.array(value)         # its own: a function may change it in place
        return self.framework.put(value, "int64" if argument.kind == "index" else dtype)


def examine(contract, function, framework="numpy", dtypes=("float64", "float32"), seeds=SEEDS, note=lambda what: None):
    """Hold a function against a contract -> a record, with the keys of `refdgm crosscheck --json`.

    dtypes: those of them that the framework has are tried. note(what) is told of each call before it is made.
    """
    subject = Subject(function, frameworks.named(framework))
    dtypes = [dtype for dtype in dtypes if dtype in subject.framework.dtypes]
    valid.require(len(dtypes) and len(seeds),
                  f"dtypes must be some of {', '.join(subject.framework.dtypes)}, and seeds one or more.")
    try:
        found = contract.judge(contract, subject, dtypes, seeds, note)
    except Failed as failure:
        found = {"status": "error", "problem": str(failure)}
    return {**blank(contract.name), "framework": framework, **found}


def raised(failure):
    """An exception in one line."""
    if isinstance(failure, Failed):
        return str(failure)
    first = next(iter(str(failure).strip().split("\n")), "")
    return f"raises {type(failure).__name__}: {first or '(no message)'}"


def blank(name, status="not offered", problem=""):
    """A record with nothing in it yet."""
    return {"name": name, "status": status, "measured": None, "allowed": None, "matches": None, "advice": "",
            "input": None, "expected": None, "got": None, "case": "", "dtype": None, "framework": None,
            "problem": problem, "broken": [], "notes": [], "draws": None}


# ---- the truth ------------------------------------------------------------------------

def truth(function, contract, arguments, wrt=None, dtype="float64"):
    """What a reference, a mistake or a convention gives.  -> list of arrays in float64"""
    with np.errstate(all="ignore"):
        return Subject(function, frameworks.named("numpy")).call(contract, arguments, dtype, wrt)[0]


def rounded(contract, arguments, dtype):
    """The arguments as numbers that `dtype` can hold, in float64."""
    kinds = {a.name: a.kind for a in contract.arguments}

    def one(name, value):
        if kinds[name] in (NUMBER, INTEGER, "index"):
            return value
        value = np.asarray(value, dtype=float)
        if dtype == "bfloat16":                 # the upper half of a float32, rounded to nearest even
            bits = value.astype(np.float32).view(np.uint32).astype(np.uint64)
            bits = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(np.uint32)
            return bits.view(np.float32).astype(float).reshape(value.shape)
        return value.astype(dtype).astype(float)
    return {name: one(name, value) for name, value in arguments.items()}
