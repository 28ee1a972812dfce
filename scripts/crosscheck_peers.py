"""Hold the packages that people use against the reference: what conforms, what deviates, and why.

    python scripts/crosscheck_peers.py [--only NAME ...] [--dtype DTYPE ...] [--markdown FILE] [--json FILE]

Results are written as each package is done; a package that is not asked for keeps what --json FILE says of it.

scripts/peers/with_NAME.py says, for each package, which function of it is meant by a contract: a few lines each, the
formula is the package's own. The first line of a docstring names that function; what follows says why it deviates,
where somebody has looked. A function may be named CONTRACT__VARIANT. A package that is not installed is said so.
"""
import argparse
import ast
import importlib.metadata
import importlib.util
import json
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

from refdgm import crosscheck, drawing

FOLDER = Path(__file__).parent / "peers"
EXACT = ("float64", "float32", "bfloat16")


class Peer(NamedTuple):
    """A package: what it is imported as, the distributions whose versions count, and the framework of its arrays."""
    module: str
    distributions: tuple
    framework: str


PEERS = {
    "scipy": Peer("scipy", ("scipy", "numpy"), "numpy"),
    "sklearn": Peer("sklearn", ("scikit-learn",), "numpy"),
    "torch": Peer("torch", ("torch",), "torch"),
    "pyro": Peer("pyro", ("pyro-ppl", "torch"), "torch"),
    "jax": Peer("jax", ("jax", "jaxlib"), "jax"),
    "optax": Peer("optax", ("optax", "jax"), "jax"),
    "numpyro": Peer("numpyro", ("numpyro", "jax"), "jax"),
    "blackjax": Peer("blackjax", ("blackjax", "jax"), "jax"),
    "distrax": Peer("distrax", ("distrax", "jax"), "jax"),
    "tfp": Peer("tensorflow_probability", ("tfp-nightly", "tensorflow-probability", "jax"), "jax"),
}   # in the order of the tables


def version(name):
    """The versions of a package and of what it stands on, or None where it is not installed."""
    if importlib.util.find_spec(PEERS[name].module) is None:
        return None
    found = []
    for distribution in PEERS[name].distributions:
        try:
            found.append(f"{distribution} {importlib.metadata.version(distribution)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    return ", ".join(found)


def offered(path):
    """(name, contract, docstring) of each function of an adapter, read without importing it."""
    for node in ast.parse(path.read_text()).body:
        contract = node.name.partition("__")[0] if isinstance(node, ast.FunctionDef) else ""
        if contract in crosscheck.contracts():
            yield node.name, contract, ast.get_docstring(node) or ""


def rounds(functions):
    """The functions in as few groups as can be, in each of which a contract is there once."""
    groups = []
    for name, contract, _ in functions:
        group = next((g for g in groups if contract not in g), None)
        if group is None:
            groups.append(group := {})
        group[contract] = name
    return groups


def hold(name, dtypes, seconds):
    """The rows of one package: {function, contract, calls, why, results by dtype}. A sampler is asked in one dtype."""
    path, framework = FOLDER / f"with_{name}.py", PEERS[name].framework
    functions = list(offered(path))
    found = {function: {} for function, _, _ in functions}
    for dtype in dtypes:
        asked = [row for row in functions if dtype == dtypes[0] or (
            crosscheck.contracts()[row[1]].judge.kind == "values" and (dtype != "bfloat16" or framework != "numpy"))]
        for group in rounds(asked):
            words = [f"{contract}={function}" for contract, function in group.items()]
            for record in crosscheck.crosscheck(str(path), words, framework, (dtype,), seconds=seconds):
                found[group[record["name"]]][dtype] = {key: record[key] for key in (
                    "status", "matches", "advice", "problem", "case", "measured", "allowed", "draws", "broken")}
    return [{"function": function, "contract": contract, "calls": doc.partition("\n\n")[0],
             "why": " ".join(doc.partition("\n\n")[2].split()), "results": found[function]}
            for function, contract, doc in functions]


# ---- what is written ------------------------------------------------------------------

def verdict(record):
    """One result in a few words."""
    if record["status"] == "conforms":
        return f"convention: {record['matches']}" if record["matches"] else "conforms"
    return f"{record['status']}: {record['matches']}" if record["matches"] else record["status"]


def reason(row):
    """Why a function is not simply right: what was written in the adapter, else what the diagnosis says."""
    bad = [record for record in row["results"].values() if record["status"] != "conforms" or record["matches"]]
    said = [row["why"]] if row["why"] else [record["advice"] or record["problem"] for record in bad[:1]]
    return " ".join(part for part in said if part)


def results(row):
    """The verdicts, each with the dtypes that it is of: one where they agree."""
    by_verdict = {}
    for dtype, record in row["results"].items():
        by_verdict.setdefault(verdict(record), []).append(dtype)
    draws = max((record["draws"] or 0 for record in row["results"].values()), default=0)
    said = [text if len(by_verdict) == 1 else f"{text} ({', '.join(dtypes)})" for text, dtypes in by_verdict.items()]
    return "; ".join(said) + (f" in {draws:,} draws" if draws else "")


def markdown(report):
    """The tables, one for each package, below what was found."""
    parts = ["# Packages held against the reference\n\nWritten by `scripts/crosscheck_peers.py`. Exact contracts were "
             "asked for values and for the package's own derivatives, with extreme input, in each dtype that stands "
             "above a table; samplers by a sequential test. One verdict stands for all dtypes unless one is named.",
             (FOLDER / "findings.md").read_text().strip()]
    for name, part in report.items():
        if part["version"] is None:
            parts.append(f"## {name}\n\nnot installed")
            continue
        rows = [f"| {row['calls']} | {row['contract']} | {results(row)} | {reason(row)} |" for row in part["rows"]]
        parts.append(f"## {part['version']}\n\n{', '.join(part['dtypes'])}\n\n| function | contract | result | why |\n"
                     "|---|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def text(row):
    """A row for people at a terminal."""
    lines = [f"  {row['contract']:28s} {results(row)}\n{'':31s}{row['calls']}"]
    if reason(row):
        lines.append(textwrap.fill(reason(row), 118, initial_indent=" " * 31, subsequent_indent=" " * 31))
    return "\n".join(lines)


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS), help="these packages")
    parser.add_argument("--dtype", nargs="+", choices=EXACT, default=list(EXACT), help="ask in these")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.add_argument("--seconds", type=float, default=120.0, help="limit of one contract (default 120)")
    arguments = parser.parse_args(words)
    report = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    for name in arguments.only:
        report[name] = {"version": version(name), "dtypes": arguments.dtype, "rows": []}
        print(report[name]["version"] or f"{name}: not installed")
        if report[name]["version"]:
            report[name]["rows"] = hold(name, arguments.dtype, arguments.seconds)
            print("\n".join(map(text, report[name]["rows"])), flush=True)
        if arguments.json:
            drawing.replace(arguments.json, json.dumps(report, indent=1, default=float).encode() + b"\n")
        if arguments.markdown:
            known = {name: report[name] for name in PEERS if name in report}
            drawing.replace(arguments.markdown, markdown(known).encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:             # a file that cannot be written; what was written before is whole
        print(f"crosscheck_peers.py: {error}", file=sys.stderr)
        sys.exit(2)
