"""Dicts, tuples and NamedTuples of arrays, nested as one likes: one function for all leaves, and a file for them."""
import zipfile
from pathlib import Path

from refdgm import files
from refdgm import validation as valid
from refdgm.backend import xp as np


def tree_map(function, *trees):
    """function on the leaves of some trees of one form.

    >>> tree_map(lambda a, b: a + b, {"w": 1, "b": (2, 3)}, {"w": 10, "b": (20, 30)})
    {'w': 11, 'b': (22, 33)}
    """
    first = trees[0]
    if isinstance(first, dict):
        return {name: tree_map(function, *(tree[name] for tree in trees)) for name in first}
    if isinstance(first, tuple):
        parts = [tree_map(function, *parts) for parts in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else tuple(parts)
    return function(*trees)


def leaves(tree, path=""):
    """A list of every path and its leaf.

    >>> leaves({"theta": {"w": 1}, "phi": (2, 3)})
    [('theta/w', 1), ('phi/0', 2), ('phi/1', 3)]
    """
    if not isinstance(tree, (dict, tuple)):
        return [(path, tree)]
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [pair for name, part in parts for pair in leaves(part, f"{path}/{name}" if path else str(name))]


def with_leaves(tree, values):
    """A tree of the form of `tree` with the leaves values[path]."""
    found = iter([values[path] for path, _ in leaves(tree)])
    return tree_map(lambda leaf: next(found), tree)


def save(path, tree):
    """Write a tree to a .npz file, all or nothing: a crash leaves what was there before.

    Raises ValueError where the folder cannot be written.
    """
    arrays = {name: np.asarray(leaf) for name, leaf in leaves(tree)}
    valid.require(all(a.dtype != object for a in arrays.values()), "only numbers and words can be saved.")
    with files.whole(path) as file:
        np.savez(file, **arrays)


def load(path, like):
    """The tree saved in a .npz file, of the form of `like`. Nothing is unpickled.

    Raises ValueError where the file is missing, cut short, or holds another tree.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {name: file[name] for name in file}
    except OSError as reason:
        raise ValueError(f"{path} cannot be read: {reason.strerror or reason}.") from None
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError):
        raise ValueError(f"{path} is not a whole .npz file of numbers.") from None
    for name, leaf in leaves(like):
        valid.require(name in values, f"{path} does not hold {name}: it was saved by something else.")
        valid.require(values[name].shape == np.shape(leaf),
                      f"{path} holds {name} of shape {values[name].shape}, but {np.shape(leaf)} is needed.")
    return with_leaves(like, values)
