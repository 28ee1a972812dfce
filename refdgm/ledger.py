"""The ledger: every claim of the documents in words (documents/*.toml), joined to the code that checks it.

A claim's words, its formula as printed and the verdict stand in the ledger; the formula that holds, its check and
its mistakes stand in the module of its method, under the same id. An installed package adds documents of its own by
naming a module under the entry point "refdgm": its claims bear their words themselves, its title is its docstring's.
"""
import difflib
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import sys
import tomllib
from functools import lru_cache
from typing import NamedTuple

from refdgm import files

ROOMS = ("divergences", "models", "samplers", "directed", "undirected", "adversarial", "autoencoders")    # of CLAIMS
SEVERITIES = ("changes a result", "changes a formula", "notation", "editorial")
VERDICTS = ("holds", "holds-if", "misprint", "false", "definitional", "unverifiable")
DOCUMENTS = {
    "ou2018": "Ou, A Review of Learning with Deep Generative Models (2018)",
    "bachman2015": "Bachman & Precup, Training Deep Generative Models: Variations on a Theme (2015)",
    "lecture12": "Lecture notes on the theory and connections of deep generative models (Lecture 12)",
    "kingma2019": "Kingma & Welling, An Introduction to Variational Autoencoders (2019)",
    "yu2020": "Yu, Song, Song & Ermon, Training Deep Energy-Based Models with f-Divergence Minimization (2020)",
}


class Entry(NamedTuple):
    """One claim in words."""
    id: str
    where: str
    kind: str
    statement: str
    printed: str = ""
    verdict: str = "open"
    condition: str = ""
    corrected: str = ""
    why: str = ""
    method: str = ""        # "editorial": a slip that no number can show
    rank: str = ""          # of an erratum, where it is not what `severity` infers from the verdict

    def _repr_markdown_(self):
        """In a notebook: the claim in words, what is printed, and the verdict."""
        rows = [("printed", self.printed and f"$${self.printed}$$"), ("verdict", self.verdict),
                ("assumes", self.condition), ("correct", self.corrected and f"$${self.corrected}$$"),
                ("because", self.why)]
        return "\n\n".join([f"**{self.id}**, {self.where}", self.statement,
                            *(f"*{name}*: {text}" for name, text in rows if text)])

    def _repr_latex_(self):
        return f"$${self.printed}$$" if self.printed else None

    @property
    def document(self):
        return self.id.split(".")[0]

    @property
    def severity(self):
        """How much an erratum changes: one of SEVERITIES, the gravest first."""
        if self.method == "editorial":
            return "editorial"
        return self.rank or ("changes a formula" if self.verdict == "misprint" else "changes a result")


@lru_cache(maxsize=1)
def documents():
    """Every document, the five and those of plugins: {key: title}."""
    titles = dict(DOCUMENTS)
    for module in plugins():
        for id in collect(module)[0]:
            titles.setdefault(id.split(".")[0], next(iter((module.__doc__ or module.__name__).strip().split("\n"))))
    return titles


@lru_cache(maxsize=1)
def entries():
    """Every claim of every document in the document's own order: {id: Entry}."""
    found = {}
    folder = os.path.join(os.path.dirname(__file__), "documents")
    for document in DOCUMENTS:
        for name in sorted(os.listdir(folder)):
            if name.split(".")[0] == document and name.endswith(".toml"):
                with open(os.path.join(folder, name), "rb") as file:
                    for claim in tomllib.load(file)["claim"]:
                        found[claim["id"]] = Entry(**claim)
    for module in plugins():
        _add(found, {id: words(claim) for id, claim in collect(module)[0].items()}, "claim", module)
    return found


def words(claim):
    """The Entry of a claim that bears its words itself."""
    return Entry(claim.id, claim.where, claim.check.kind, claim.says, claim.latex, claim.verdict)


@lru_cache(maxsize=1)
def claims():
    """Every executed claim, ours and those of plugins: {id: Claim}. Imports every formula module."""
    found = {}
    for module, listed in claims_of_modules():
        _add(found, listed, "claim", module)
    return found


@lru_cache(maxsize=1)
def derivations():
    """Every derivation, ours and those of plugins: {name: Derivation}."""
    found = {}
    for module in [*modules("derivations"), *plugins()]:
        _add(found, collect(module)[1], "derivation", module)
    return found


def claims_of_modules():
    """(module, {id: Claim}) for every module that has claims."""
    for module in modules(*ROOMS):
        listed = {}
        for claim in getattr(module, "CLAIMS", []):
            _add(listed, {claim.id: claim}, "claim", module)
        yield module, listed
    for module in plugins():
        yield module, collect(module)[0]


def _add(found, more, what, module):
    twice = found.keys() & more.keys()
    if twice:
        raise ValueError(f"the {what} {min(twice)} is defined twice, the second time in {module.__name__}.")
    found.update(more)


@lru_cache(maxsize=1)
def plugins():
    """The modules that installed packages register under the entry point "refdgm": claims, derivations, contracts."""
    found = []
    for point in sorted(importlib.metadata.entry_points(group="refdgm"), key=lambda point: point.name):
        try:
            found.append(point.load())
        except Exception as error:
            raise ValueError(f"the package behind the entry point {point.name!r} ({point.value}) does not load: "
                             f"{type(error).__name__}: {error}.") from error
    return found


def collect(module):
    """The claims {id: Claim} and derivations {name: Derivation} that a module defines."""
    from refdgm.checking import Claim
    from refdgm.derivation import Derivation
    members = [member for name, member in vars(module).items() if not name.startswith("_")]
    listed = [item for member in members if isinstance(member, (list, tuple)) for item in member
              if isinstance(item, Claim)] + [member for member in members if isinstance(member, Claim)]
    return ({claim.id: claim for claim in listed},
            {member.name: member for member in members
             if isinstance(member, Derivation) and member.steps.__module__ == module.__name__})


def load_file(path):
    """Import a user's own file by its path. Raises ValueError in one sentence where that fails."""
    files.is_path("path", path)
    path = os.path.abspath(path)
    name = os.path.splitext(os.path.basename(path))[0]
    if not os.path.isfile(path):
        raise ValueError(f"there is no file with the path {path}.")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name], before = module, sys.modules.get(name)
    try:
        spec.loader.exec_module(module)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        line = _line_in(path, error)
        raise ValueError(f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {error}") from error
    finally:
        if before is not None:
            sys.modules[name] = before
    return module


def nearest(wrong, known):
    """A sentence for an unknown name, with the nearest known ones."""
    close = difflib.get_close_matches(wrong, list(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else "`refdgm list` shows every id."
    return f"there is no claim, document, derivation or file with the name {wrong!r}; {hint}"


def _line_in(path, error):
    if isinstance(error, SyntaxError):
        return error.lineno
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def modules(*rooms):
    """Every module of some rooms, imported."""
    for room in rooms:
        package = importlib.import_module(f"refdgm.{room}")
        yield package
        for info in pkgutil.iter_modules(getattr(package, "__path__", [])):
            yield importlib.import_module(f"refdgm.{room}.{info.name}")
