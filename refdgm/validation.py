"""What a caller did wrong, in one sentence: each function raises ValueError or returns quietly.

Arguments may be autograd boxes (inside a gradient); those are looked at by value.
"""
from numbers import Real

from autograd.tracer import getval

from refdgm.backend import xp as np

MAX_STATES = 2**22          # 4 million states: about a second, and 32 MiB for each float64 per state
SUM_TO_ONE = 1e-8           # a table written with 8 decimals still counts as a distribution
SQUARE = 1e150              # a number and its inverse up to here have a square that is neither infinite nor zero


def require(condition, message):
    """Raise ValueError(message) unless `condition`."""
    if not condition:
        raise ValueError(message)


def finite(name, tree):
    """Every number of an array, or of a dict of arrays, is finite."""
    tree = getval(tree)
    if isinstance(tree, dict):
        for key, leaf in tree.items():
            finite(f"{name}[{key!r}]", leaf)
        return
    a = np.asarray(tree, dtype=float)
    if not np.isfinite(a).all():
        bad = np.argwhere(~np.isfinite(a))
        raise ValueError(f"{name} must be finite, but {name}{_at(bad)} is {_first(a, bad)}.")


def shape(name, array, expected):
    """`array` has the shape `expected`; None stands for any length."""
    got = np.shape(getval(array))
    if got == expected:
        return
    fits = len(got) == len(expected) and all(e is None or e == g for e, g in zip(expected, got))
    wanted = ", ".join("any" if e is None else str(e) for e in expected) + "," * (len(expected) == 1)
    require(fits, f"{name} must have shape ({wanted}), but has shape {got}.")


def data_and_test(data, test=None):
    """What a monitor looks at is finite: data (N, D) and, unless it is None, test (M, D)."""
    for name, rows in (("data", data), ("test", data if test is None else test)):
        shape(name, rows, (None, None))
        finite(name, rows)
    count("the number of rows of data", len(data))
    D = data.shape[1]
    require(test is None or test.shape[1] == D, f"test must have as many columns as data, {D}, but has shape "
                                                f"{np.shape(test)}.")


def agreeing(name, parameters, sizes):
    """The arrays of a NamedTuple have axes as long as `sizes` says, ("Kn", "K"): the same letter, the same length.

    A compiled kernel takes this on trust, where NumPy would broadcast, or say so.
    """
    length = {"1": 1}
    for field, letters, array in zip(parameters._fields, sizes, parameters):
        got = np.shape(array)
        if len(got) != len(letters) or any(length.setdefault(axis, n) != n for axis, n in zip(letters, got)):
            known = ", ".join(f"{axis} = {n}" for axis, n in length.items() if axis != "1") or "an axis of 1"
            raise ValueError(f"{name}.{field} must have shape ({', '.join(letters)}) with {known}, "
                             f"but has shape {got}.")


def matrix(name, tree, key):
    """The shape (rows, columns) of the leaf `key` of a dict of parameters, which must be there and be a matrix."""
    tree = getval(tree)
    require(key in tree, f"{name} must have the entry {key!r}, but has {', '.join(map(repr, tree)) or 'none'}.")
    shape(f"{name}[{key!r}]", tree[key], (None, None))
    return np.shape(getval(tree[key]))


def vector(name, array, length):
    """`array` has `length` components along its last axis, all finite; leading axes are batches."""
    got = np.shape(getval(array))
    require(got[-1:] == (length,), f"{name} must have {length} components, but has shape {got}.")
    finite(name, array)


def parameters(name, tree, shapes):
    """The dict `tree` has the leaves {leaf: shape} (None stands for any length), and all its numbers are finite."""
    tree = getval(tree)
    missing = [key for key in shapes if key not in tree]
    require(not missing, f"{name} must have the entries {', '.join(shapes)}, but {', '.join(missing)} is missing.")
    for key, expected in shapes.items():
        shape(f"{name}[{key!r}]", tree[key], expected)
    finite(name, tree)


def are_bits(array):
    """Whether every number is 0 or 1."""
    array = np.asarray(getval(array))
    return bool(np.all((array == 0) | (array == 1)))


def distribution(name, p, axis=-1):
    """`p` is non-negative and sums to one along `axis`."""
    p = np.asarray(getval(p), dtype=float)
    finite(name, p)
    bad = np.argwhere(p < 0)
    require(bad.size == 0, f"{name} must be non-negative, but {name}{_at(bad)} is {_first(p, bad)}.")
    total = np.sum(p, axis=axis)
    off = np.max(np.abs(total - 1)) if total.size else 0.0
    require(off <= SUM_TO_ONE, f"{name} must sum to one along axis {axis}, but a sum is off by {off:.3g}.")


def covers(name_q, q, name_p, p):
    """q > 0 wherever p > 0 (else an importance weight or a KL divergence is infinite)."""
    q, p = np.broadcast_arrays(getval(q), getval(p))
    bad = np.argwhere((q == 0) & (p > 0))
    require(bad.size == 0, f"{name_q} must be positive wherever {name_p} is, "
                           f"but {name_q}{_at(bad)} = 0 where {name_p} = {_first(p, bad)}.")


def count(name, n, least=1, most=2**32):
    """`n` is an integer from `least` to `most`; no stream has numbers for more chains, or more steps."""
    require(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= least,
            f"{name} must be an integer of at least {least}, but is {n!r}.")
    require(n <= most, f"{name} must be an integer of at most {most}, but is {n}.")


def number(name, x, least=-np.inf):
    """`x` is a real number, finite and at least `least`."""
    require(isinstance(x, Real) and least <= x < np.inf,
            f"{name} must be a number{f' of at least {least:g}' if least > -np.inf else ''}, but is {x!r}.")


def moderate(name, x, least=-SQUARE):
    """`x` is a real number of at least `least` that can be squared."""
    require(isinstance(x, Real) and least <= x <= SQUARE,
            f"{name} must be a number between {least:g} and {SQUARE:g}, but is {x!r}.")


def positive(name, x):
    """`x` is a real number above zero, and it and its inverse can be squared."""
    require(isinstance(x, Real) and 1 / SQUARE <= x <= SQUARE,
            f"{name} must be positive, from {1 / SQUARE:g} to {SQUARE:g}, but is {x!r}.")


def text(name, x):
    """`x` is text."""
    require(isinstance(x, str), f"{name} must be text, but is of the type {type(x).__name__}.")


def power(base, exponent):
    """base**exponent, how many states there are; inf where the number itself would fill the memory."""
    return base**exponent if exponent < 4096 else float("inf")


def enumerable(states, what, numbers_each=1):
    """A sum over `states` states is small enough to be done exactly."""
    require(states <= MAX_STATES,
            f"{what} has {states:,} states, more than the {MAX_STATES:,} that are enumerated here; "
            f"it would take {_memory(8 * states * numbers_each)} of memory. Use a smaller model.")


def _at(bad):
    return f"[{', '.join(map(str, bad[0]))}]" if bad.size else ""


def _first(array, bad):
    return float(array[tuple(bad[0])]) if len(bad) else None


def _memory(size):
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024 or unit == "PiB":
            return f"{size:.3g} {unit}"
        size /= 1024


def real_type(real):
    """`real` is one of the two types that a chain is computed in."""
    require(real in (np.float64, np.float32), f"real must be np.float64 or np.float32, but is {real!r}.")
