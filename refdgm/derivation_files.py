"""The files of derivations: what each holds, and what its docstring says."""
import inspect
import sys
from itertools import groupby

from refdgm import ledger


def by_file():
    """{file: [Derivation, ...]} in the order of the files' names ("iwae_is_rws"), and of the lines in each."""
    found = sorted(ledger.derivations().values(), key=lambda d: (file_of(d), d.steps.__code__.co_firstlineno))
    return {name: list(group) for name, group in groupby(found, file_of)}


def file_of(derivation):
    """The name of a derivation's file, without folder and ending."""
    return derivation.steps.__module__.rsplit(".", 1)[-1]


def title_and_prose(derivation):
    """The headline of the file in which a derivation stands, without its full stop, and the rest of the docstring."""
    first, _, rest = inspect.cleandoc(sys.modules[derivation.steps.__module__].__doc__ or "").partition("\n\n")
    return " ".join(first.split()).rstrip("."), rest
