"""One call of a function whose value is determined by its arguments, and how far what it gave is from the truth.

The truth is the reference in float64 at the arguments as the function gets them, rounded to its own dtype: what is
measured is the function's own error.
"""
from typing import NamedTuple

import numpy as np

from refdgm.contract import Case, raised, rounded, truth

TOLERANCE = {"float64": 1e-9, "float32": 2e-4, "bfloat16": 6e-2}    # of the scale: sums of up to 100 rounded terms
EPSILON = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-9}


class Trial(NamedTuple):
    """One call, its truth, and how far it is from it."""
    case: Case
    dtype: str
    wrt: str | None             # the argument that it is differentiated in
    arguments: dict             # as given: rounded to dtype
    expected: list
    scale: float
    got: list | None
    error: float                # relative to scale; inf for another shape, NaN or an exception
    problem: str

    @property
    def fails(self):
        return not self.error <= TOLERANCE[self.dtype]

    @property
    def size(self):
        return sum(np.size(value) for value in self.arguments.values())


def prepared(contract, case, dtype, wrt):
    """(arguments, expected, scale) of one Trial: all of it that does not depend on the function."""
    arguments = rounded(contract, case.arguments, dtype)
    expected = truth(contract.reference, contract, arguments, wrt)
    if wrt and not all(np.all(np.isfinite(e)) for e in expected):
        return arguments, None, 1.0
    return arguments, expected, scale(contract, arguments, expected, dtype, wrt)


def attempt(contract, subject, case, dtype, wrt, arguments, expected, size):
    """One Trial; a note (str) where this cannot be asked of the function."""
    if expected is None:
        return f"no gradient in {wrt} at {case.label}"
    got, error, problem = None, np.inf, ""
    try:
        got, kinds = subject.call(contract, arguments, dtype, wrt)
        error, problem = distance(got, expected, size)
        if not problem and dtype == "float64" and set(kinds) & {"float32", "float16", "bfloat16"}:
            problem = f"returns {kinds[0]} for float64 arguments"
            error = max(error, 2 * TOLERANCE[dtype])
    except Exception as failure:
        if isinstance(failure, NotImplementedError) and wrt is None and not failure.args:
            raise                               # a template that is still to be filled in
        if wrt and subject.framework.name == "numpy":
            return "gradients not looked at: the function does not work on autograd's arrays"
        problem = raised(failure)
    return Trial(case, dtype, wrt, arguments, expected, size, got, error, problem)


def scale(contract, arguments, expected, dtype, wrt):
    """What an error is relative to: the largest result, what rounding the arguments alone may do to it, or one.

    The second is measured: the reference moves by s when its real arguments move by the relative precision of dtype,
    and an error of 30 s, as of an algorithm that is backward stable over some tens of operations, is allowed. The
    third is for a small result of terms of order one that cancel: nats, logits and probabilities.
    """
    rng, kinds = np.random.default_rng(0), {a.name: a.kind for a in contract.arguments}
    largest, moved = _largest(expected), 0.0
    for _ in range(2):
        near = {name: value * (1 + EPSILON[dtype] * rng.normal(size=np.shape(value)))
                if kinds[name] in ("real", "table") else value for name, value in arguments.items()}
        with np.errstate(invalid="ignore"):         # infinities that are the same in both
            off = [n - e for n, e in zip(truth(contract.reference, contract, near, wrt), expected)]
        moved = max(moved, _largest(off))
    return max(largest, 30 * moved / TOLERANCE[dtype], 1.0)


def _largest(arrays):
    """The largest finite magnitude."""
    return max((float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)) for a in arrays), default=0.0)


def distance(got, expected, scale):
    """max |got - expected| / scale, and in words what is wrong besides.  -> (float, str)"""
    if len(got) != len(expected):
        return np.inf, f"returns {len(got)} arrays (of a tuple or list) where {len(expected)} should be"
    for g, e in zip(got, expected):
        if np.shape(g) != np.shape(e):
            return np.inf, f"returns the shape {np.shape(g)} where {np.shape(e)} is due"
        if np.any(np.isnan(g)):
            return np.inf, "returns NaN"
        if np.any((g != e) & ~(np.isfinite(g) & np.isfinite(e))):
            return np.inf, "is infinite where it should not be, or finite where it should be infinite"
    errors = [np.abs(g[np.isfinite(e)] - e[np.isfinite(e)]) / scale for g, e in zip(got, expected)]
    return max((float(np.max(error)) for error in errors if error.size), default=0.0), ""
