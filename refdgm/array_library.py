"""The array library in use under one name, `xp`: NumPy, or CuPy once `backend.use` has chosen it.

xp has the library's names; for what the library lacks, NumPy's own function, which asks its arguments what to do. The
names lie in the module itself, so that to look one up costs what it costs in NumPy.
"""
from types import ModuleType

import numpy

# cases are drawn on the host; a GPU has no floating-point flags, and CuPy no nodes of Gauss's rules
HOST_ONLY = {"random", "errstate", "polynomial"}
xp = ModuleType("refdgm.backend.xp", "The array library in use.")
OWN = dict(vars(xp))


def choose(library):
    """From now on xp has `library`'s names."""
    names = {name: value for name, value in vars(library).items() if name not in HOST_ONLY}
    vars(xp).clear()
    vars(xp).update({**vars(numpy), **names, **OWN, "__library__": library})


def chosen():
    """The library whose names xp has."""
    return xp.__library__


choose(numpy)
