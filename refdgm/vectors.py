"""Test vectors: every contract as a JSON file, for an implementation in any language.

A file has groups of tests, and a test is an input and an output, as in Project Wycheproof's:

    valid        the output is the right one
    invalid      it is what a known mistake gives, named under "flags" and explained under "notes"
    acceptable   it is what a known convention gives

A function conforms if it gives the output of every valid test and of no invalid one. It agrees with an output if the
two differ by at most test["allowed"][dtype], an absolute error; a test whose "allowed" lacks a dtype is not for it.
Inputs are float32 numbers, the same in every dtype. What is random has no output to compare but its exact law: a group
of that kind states what was summed over all draws, and its inputs are float64.
"""
import hashlib
import json
import os
import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import crosscheck, files, journal, judging
from refdgm.contract import INTEGER, NUMBER, SEEDS, Case, rounded, truth
from refdgm.trials import TOLERANCE, distance, scale

SHOWN = 3               # inputs on which a known mistake is shown
SCHEMA = os.path.join(os.path.dirname(__file__), "documents", "test_vectors.schema.json")
FILLED = ("states", "data", "count", "seed")        # arguments that a group of random tests does not fix


def vectors(item):
    """The test vectors of one contract: the content of its file."""
    with warnings.catch_warnings(action="ignore"):      # mistakes whose derivative is constant
        groups = {"values": _of_values, "keeps": _of_steps}.get(item.judge.kind, _of_laws)(item)
    count = 0
    for group in groups:
        for test in group["tests"]:
            count += 1
            test["id"] = count
    notes = {name: {"kind": kind, "note": other.advice} for kind, others in
             (("mistake", item.mistakes), ("convention", item.conventions)) for name, other in others.items()}
    return {"schema": "schema.json", "generator": f"refdgm {refdgm.__version__}", "contract": item.name,
            "says": item.says, "where": item.where,
            "arguments": [{"name": a.name, "shape": a.shape, "kind": a.kind, "says": a.says} for a in item.arguments],
            "returns": item.returns, "notes": notes, "tests": count, "groups": groups}


# ---- what arguments determine -----------------------------------------------------------

class _Trial(NamedTuple):
    """One input and its right output."""
    case: Case
    arguments: dict
    expected: list
    allowed: dict               # dtype -> absolute error


def _of_values(item):
    """A group for the value, and one for each derivative that is asked for."""
    groups = []
    for wrt in (None, *item.judge.gradients):
        trials = lru_cache(lambda seed, wrt=wrt: _trials(item, wrt, seed))
        tests = [_test(item, "valid", t.case, t.arguments, t.expected, allowed=t.allowed) for t in trials(SEEDS[0])]
        for result, others in (("invalid", item.mistakes), ("acceptable", item.conventions)):
            for name, other in others.items():
                shown = (_shown(item, wrt, trials(seed), result, name, other.function) for seed in SEEDS)
                tests += next(filter(None, shown), [])
        groups.append({"type": "gradient", "wrt": wrt, "tests": tests} if wrt else {"type": "value", "tests": tests})
    return groups


def _trials(item, wrt, seed):
    found = []
    for case in item.judge.cases(seed):
        arguments = rounded(item, case.arguments, "float32")
        expected = truth(item.reference, item, arguments, wrt)
        if wrt and not all(np.all(np.isfinite(e)) for e in expected):
            continue                            # an infinity has no derivative
        found.append(_Trial(case, arguments, expected, {
            dtype: _upper(tolerance * scale(item, arguments, expected, dtype, wrt))
            for dtype, tolerance in TOLERANCE.items() if dtype != "bfloat16" or not case.hard}))
    return found


def _shown(item, wrt, trials, result, name, function):
    """What a mistake or a convention gives, on small inputs and in the dtypes where it is not the right output."""
    tests = []
    for case, arguments, expected, allowed in trials:
        for made_in in ("float64", "float32"):              # the second may overflow where the first does not
            try:
                wrong = truth(function, item, arguments, wrt, made_in)
            except Exception:
                continue                                    # it fails there: no output to state
            off = distance(wrong, expected, 1.0)[0]
            seen = {dtype: error for dtype, error in allowed.items()
                    if off > 2 * error and made_in in ("float64", dtype)}
            if seen:
                tests.append(_test(item, result, case, arguments, wrong, [name], allowed=seen))
                break
    return sorted(tests, key=lambda test: (test["hard"], -len(test["allowed"]), _size(test)))[:SHOWN]


# ---- what is random -----------------------------------------------------------------------

def _of_laws(item):
    """One group: the parameters, and the exact law or mean."""
    tests = []
    for case in item.judge.cases(SEEDS[0]):
        arguments = rounded(item, case.arguments, "float64")
        extra = {}
        if getattr(item.judge, "variance", None) is not None:
            extra["variance"] = _array(judging.law_of(item.judge.variance, item, arguments))
        right = judging.law_of(item.reference, item, arguments)
        tests.append(_test(item, "valid", case, arguments, [right], **extra))
        for result, others in (("invalid", item.mistakes), ("acceptable", item.conventions)):
            for name, other in others.items():
                law = judging.law_of(other.function, item, arguments)
                if law.shape == right.shape and np.max(np.abs(law - right)) > 1e-3 * np.max(np.abs(right)):
                    tests.append(_test(item, result, case, arguments, [law], [name]))
    return [{"type": item.judge.kind, "tests": sorted(tests, key=lambda test: test["result"] != "valid")}]


def _of_steps(item):
    """One group: the parameters, and exact draws to start from."""
    tests = []
    for case in item.judge.cases(SEEDS[0]):
        arguments = rounded(item, case.arguments, "float64")
        exact = item.judge.draw(np.random.default_rng(SEEDS[0]), 256, *arguments.values())
        tests.append(_test(item, "valid", case, arguments, [exact]))
    return [{"type": "keeps", "tests": tests}]


# ---- JSON ---------------------------------------------------------------------------------

def _test(item, result, case, arguments, output, flags=(), **extra):
    fixed = {a.name: arguments[a.name] if a.kind in (NUMBER, INTEGER) else
             _array(arguments[a.name], a.kind in ("bits", "index"))
             for a in item.arguments if a.kind not in FILLED}
    return {"id": 0, "result": result, "flags": list(flags), "comment": case.label, "hard": case.hard, "input": fixed,
            "output": [_array(part) for part in output], **extra}


def _array(value, whole=False):
    """{"shape", "data"}, row by row; so an empty array has a shape, too."""
    value = np.asarray(value)
    data = value.ravel().astype(np.int64 if whole else float).tolist()
    return {"shape": list(value.shape), "data": data}


def _size(test):
    return sum(len(value["data"]) for value in test["input"].values() if isinstance(value, dict))


def _upper(x):
    """The next number above x of two significant digits, so that the last bits of a machine do not show."""
    step = 10.0 ** (np.floor(np.log10(x)) - 1)
    return float(f"{np.ceil(x / step * (1 - 1e-9)) * step:.1e}")


def text(content):
    """JSON with a line for each test; a number that is not finite is a string, "inf", "-inf" or "nan"."""
    head = {name: value for name, value in content.items() if name != "groups"}
    groups = []
    for group in content["groups"]:
        said = "".join(f'"{name}": {json.dumps(value)}, ' for name, value in group.items() if name != "tests")
        lines = ",\n".join("   " + journal.dumps(test, ensure_ascii=False) for test in group["tests"])
        groups.append(f'  {{{said}"tests": [\n{lines}\n  ]}}')
    opened = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{opened},\n "groups": [\n' + ",\n".join(groups) + "\n ]\n}\n"


def write(folder, names=(), progress=lambda done, total, name: None):
    """Write schema.json, a file for each contract, and index.json into `folder` -> the index.

    A file is there whole or not at all; the index is written last. Raises ValueError where that cannot be done.
    """
    chosen = [crosscheck.named(name) for name in names] or list(crosscheck.contracts().values())
    files.make_folder(folder)
    with open(SCHEMA, encoding="utf-8") as file:
        _write(folder, "schema.json", file.read())
    rows = []
    for n, item in enumerate(sorted(chosen, key=lambda item: item.name)):
        progress(n, len(chosen), item.name)
        content = vectors(item)
        written = text(content)
        _write(folder, f"{item.name}.json", written)
        results = [test["result"] for group in content["groups"] for test in group["tests"]]
        rows.append({"file": f"{item.name}.json", "says": item.says, "types": [g["type"] for g in content["groups"]],
                     **{kind: results.count(kind) for kind in ("valid", "invalid", "acceptable")},
                     "sha256": hashlib.sha256(written.encode()).hexdigest()})
    index = {"generator": f"refdgm {refdgm.__version__}", "schema": "schema.json", "files": rows}
    _write(folder, "index.json", json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    return index


def _write(folder, name, text):
    with files.whole(os.path.join(folder, name), half=".part") as file:
        file.write(text.encode())
