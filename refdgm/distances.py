"""How far one value is from another: arrays, or trees of them."""
import numpy as np
from autograd.misc import flatten


def distance(a, b, scale=None):
    """max |a - b| / scale over all leaves (default scale max |b|); inf when the shapes differ or a is not finite."""
    if structure(a) != structure(b):
        return np.inf
    a, b = flatten(a)[0], flatten(b)[0]
    if not np.all(np.isfinite(a)):
        return np.inf
    scale = np.max(np.abs(b), initial=0.0) if scale is None else scale
    return float(np.max(np.abs(a - b), initial=0.0) / max(scale, 1e-300))


def structure(tree):
    """The shapes of all leaves, in the form of the tree."""
    if isinstance(tree, dict):
        return {name: structure(leaf) for name, leaf in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [structure(leaf) for leaf in tree]
    return np.shape(tree)


def magnitude(tree):
    flat = flatten(tree)[0]
    return float(np.max(np.abs(flat), initial=0.0)) if np.all(np.isfinite(flat)) else np.inf


def difference_error(f, value, gradient, scale):
    """Relative error of `gradient` against Richardson-extrapolated central differences in two random directions."""
    x, unflatten = flatten(value)
    g = flatten(gradient)[0]
    errors = []
    for direction in np.random.default_rng(0).normal(size=(2, x.size)):
        def slope(h): return (f(unflatten(x + h * direction)) - f(unflatten(x - h * direction))) / (2 * h)
        errors.append(abs((4 * slope(5e-4) - slope(1e-3)) / 3 - g @ direction))
    return float(max(errors)) / max(np.max(np.abs(g)) if scale is None else scale, 1e-300)
