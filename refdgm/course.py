"""A course in twelve lectures: the order in which to read the derivations, and exercises that refdgm checks.

derivations/course.toml says what is read when; `derivations/README.md` is made from it and from the derivations
themselves (`python scripts/refresh_course.py`).
"""
import tomllib
from functools import lru_cache
from pathlib import Path

from refdgm import ledger
from refdgm.derivation_files import by_file, title_and_prose

PREFACE = """\
# A course in twelve lectures

Made from `course.toml` and the derivations by `python scripts/refresh_course.py`. Each file runs: `refdgm verify
elbo_gap` holds its lines against one another, `refdgm show elbo_gap --walk` steps down them, and `refdgm pages DIR`
sets them as pages and as notebooks. An exercise is printed by `refdgm exercise NAME`, and `refdgm exercise NAME
my_answer.py` says whether the answer holds, and if not, which mistake it is. Open questions have no solution here.
"""


@lru_cache(maxsize=1)
def lectures():
    """The lectures in order: dicts with title, assumes, read, settle, find and open."""
    folder = Path(next(iter(ledger.derivations().values())).steps.__code__.co_filename).parent
    return tomllib.loads((folder / "course.toml").read_text(encoding="utf-8"))["lecture"]


def markdown():
    """derivations/README.md."""
    out, files = [PREFACE], by_file()
    for n, lecture in enumerate(lectures(), 1):
        out += [f"## {n}. {lecture['title']}", "", f"Assumes {lecture['assumes']}.", ""]
        out += [f"- [{title_and_prose(files[file][0])[0]}]({file}.py): " + ", ".join(f"`{d.name}`" for d in files[file])
                for file in lecture["read"]]
        out += ["", "Exercises:", ""]
        out += [f"- settle `{id}` ({ledger.entries()[id].where}): {ledger.entries()[id].statement}"
                for id in lecture["settle"]]
        out += [f"- find the wrong lines: `refdgm exercise {d.name}`" for d in files[lecture["find"]]
                if _has_mistake(d)]
        out += [f"- open: {lecture['open']}", ""]
    return "\n".join(out)


def _has_mistake(derivation):
    return any(line.relation == "!=" for line in derivation.steps(**derivation.case(0)))
