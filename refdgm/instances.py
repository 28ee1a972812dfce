"""What an instance of a claim is made of, and how it may be changed: nudged, moved along a gradient, made rounder.

Bits stay bits, laws stay laws, positive numbers stay positive, symmetric matrices symmetric, and no number leaves
[-LIMIT, LIMIT].
"""
import numpy as np

LIMIT = 4.0             # parameters are searched in [-LIMIT, LIMIT], positive ones in [1 / LIMIT**2, LIMIT**2]
LEAST_MASS = 1e-3       # of a state, in a law that is searched


def kind_of(name, leaf):
    """real, positive, law (sums to one), log law (its exp sums to one, or to less), or fixed (bits, integers, ...)."""
    if not (isinstance(leaf, (float, np.floating)) or isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"):
        return "fixed"
    a = np.asarray(leaf)
    if a.size == 0 or np.all((a == 0) | (a == 1)):
        return "fixed"
    if a.ndim and a.shape[-1] > 1:
        if np.all(a >= 0) and np.allclose(a.sum(-1), 1):
            return "law"
        if name.startswith("log") and np.all(a <= 0) and np.all(np.exp(a).sum(-1) < 1 + 1e-9):
            return "log law"
    return "positive" if np.all(a > 0) else "real"


def all_real(name, leaf):
    """Whether an argument, or all that it holds, may be any real number."""
    if isinstance(leaf, dict):
        return bool(leaf) and all(all_real(key, part) for key, part in leaf.items())
    return kind_of(name, leaf) == "real"


def _map(change, case):
    """The case with every leaf changed: change(kind, leaf)."""
    return {name: _map(change, leaf) if isinstance(leaf, dict) else change(kind_of(name, leaf), leaf)
            for name, leaf in case.items()}


def nudged(case, rng, step):
    """The case with random changes of the size of a step."""
    def nudge(kind, leaf):
        if kind == "fixed":
            return leaf
        noise = _like(leaf, step * rng.normal(size=np.shape(leaf)))
        if kind == "real":
            return np.clip(leaf + noise, -LIMIT, LIMIT)
        if kind == "positive":
            return np.clip(leaf * np.exp(noise), LIMIT**-2, LIMIT**2)
        return _on_law(kind, leaf, lambda p: np.maximum(p * np.exp(noise), LEAST_MASS))
    return _map(nudge, case)


def _like(leaf, change):
    """A change that keeps a symmetric matrix symmetric."""
    return change + change.T if np.ndim(leaf) == 2 and np.array_equal(leaf, leaf.T) else change


def _on_law(kind, leaf, change):
    """Change a law, or the law whose logarithm `leaf` is, and let it sum to what it summed to."""
    p = np.exp(leaf) if kind == "log law" else leaf
    changed = change(p)
    changed = changed * p.sum(-1, keepdims=True) / changed.sum(-1, keepdims=True)
    return np.log(changed) if kind == "log law" else changed


def moved(leaf, direction, step):
    """An argument a step along a direction, whatever its length."""
    if isinstance(leaf, dict):
        return {name: moved(leaf[name], direction[name], step) for name in leaf}
    direction = _like(leaf, direction)
    length = np.max(np.abs(direction))
    return np.clip(leaf + step * direction / (length if length > 0 else 1.0), -LIMIT, LIMIT)


def rounded(case, unit):
    """The case in multiples of a unit."""
    def round_to(kind, leaf):
        if kind == "real":
            return np.round(np.round(np.asarray(leaf) / unit) * unit, 2) + 0.0
        if kind == "positive":
            return np.round(np.maximum(1, np.round(np.asarray(leaf) / unit)) * unit, 2)
        if kind == "law" or kind == "log law":
            p, fine = (np.exp(leaf) if kind == "log law" else leaf), min(unit, 0.1)
            parts = np.maximum(1, np.round(p / fine))
            if kind == "law" or np.allclose(p.sum(-1), 1):      # the largest part takes up what rounding left over
                left = np.round(1 / fine) - parts.sum(-1)
                np.put_along_axis(parts, parts.argmax(-1)[..., None], (parts.max(-1) + left)[..., None], -1)
            p = np.round(parts * fine, 2)
            return np.log(p) if kind == "log law" and np.all(p > 0) else p if kind == "law" else leaf
        return leaf
    return _map(round_to, case)


def with_zeros(case):
    """The case with a whole leaf, or one number of it, set to zero."""
    for name, leaf in case.items():
        if isinstance(leaf, dict):
            for simpler in with_zeros(leaf):
                yield {**case, name: simpler}
        elif kind_of(name, leaf) == "real":
            yield {**case, name: np.zeros_like(leaf)}
            for index in np.ndindex(np.shape(leaf)):
                simpler = np.array(leaf, dtype=float)
                simpler[index] = 0.0
                yield {**case, name: simpler}


def show(case, indent="    "):
    """The numbers of an instance as text, an argument a line; laws given by their logarithm are shown as exp(...)."""
    lines = []

    def walk(name, key, leaf):
        if isinstance(leaf, dict):
            for inner, part in leaf.items():
                walk(f"{name}[{inner!r}]", inner, part)
        elif isinstance(leaf, np.ndarray):
            if kind_of(key, leaf) == "log law":
                name, leaf = f"exp({name})", np.exp(leaf)
            rounded = np.round(leaf, 4) + 0.0 if leaf.dtype.kind == "f" else leaf
            text = np.array2string(rounded, separator=",", threshold=60, formatter={"float": "{:.4g}".format})
            lines.append(f"{indent}{name} = " + " ".join(text.split()).replace("[ ", "[").replace(",", ", ").replace(
                ",  ", ", "))
        elif isinstance(leaf, (int, float, np.number)):
            lines.append(f"{indent}{name} = {leaf:.4g}")
        elif isinstance(leaf, str):
            lines.append(f"{indent}{name} = {leaf!r}")
    for name, leaf in case.items():
        walk(name, name, leaf)
    return "\n".join(lines)


def same(a, b):
    """Whether two cases have the same numbers."""
    if isinstance(a, dict):
        return all(same(a[name], b[name]) for name in a)
    return a is b or isinstance(a, (np.ndarray, float, np.floating)) and np.array_equal(a, b)
