"""The array library in use under one name, `xp`: NumPy, or CuPy once `backend.use` has chosen it."""
from types import ModuleType

import numpy

# Cases are drawn on the host; a GPU has no floating-point flags, and CuPy no nodes of Gauss's rules.
HOST_ONLY = {"random", "errstate", "polynomial"}


class Namespace(ModuleType):
    """A library's names; what it lacks, NumPy's own function tries."""

    def __init__(self):
        super().__init__("refdgm.backend.xp", "The array library in use.")
        self.choose(numpy)

    def choose(self, library):
        """From now on `library`'s names."""
        self.__dict__["library"] = library

    def __getattr__(self, name):
        if name in HOST_ONLY or not hasattr(self.library, name):
            return getattr(numpy, name)
        return getattr(self.library, name)


xp = Namespace()
