"""Run claims and derivations and say what became of each: the records behind `refdgm verify` and its JSON.

A run is cut into blocks, a claim or derivation and some of the seeds, that are performed anywhere and in any order. A
block's record is facts, and the verdict on them; facts are merged, and the verdict is passed once more.
"""
import os
import time
from contextlib import closing
from functools import lru_cache, partial, reduce
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import ledger, workers
from refdgm import journal as journals
from refdgm.backend import computed_by
from refdgm.claim import ENOUGH, enough, stands
from refdgm.derivation import OTHER_LINES, examine
from refdgm.derivation import stands as line_stands

INSTANCES = ENOUGH      # random models per claim by default: enough that constants and signs cannot hide
BLOCK = 250             # seeds that one process does at a time: at most some ten seconds of work
NOT_STRICT = "an equality on every instance: a bound that is never strict says nothing."


def seeds_from(seed, instances):
    """The seeds of the instances: seed, seed + 1, ..."""
    return range(seed, seed + instances)


def verify_claim(claim, seeds, entry=None, reject=True, backend="numpy"):
    """Check one Claim: it must hold, and its mistakes (and misprint, and cases without the condition) must not.

    reject: whether to ask for what must not hold, on the first ENOUGH of the seeds; False where an earlier block asks.
    backend: what computes the claim's formula; what it is held against, and what must not hold, is NumPy's.
    -> a record with the keys of `refdgm verify --json`; status "confirmed", "contradicted" or "error".
    """
    begun = time.perf_counter()
    blank = {**_blank(entry or words_of(claim), seeds), "code": ledger.place(claim),
             "backend": "numpy" if claim.host_only else backend}
    of = {_held: claim._replace(claimed=computed_by(blank["backend"], claim.claimed)), _rejected: claim}
    found, errors = {} if reject else {"mistakes": None}, []
    for ask in (_held, _rejected)[:1 + reject]:
        try:
            found |= ask(of[ask], seeds)
        except Exception as error:
            errors.append(_failure(error))
    record = {**blank, **min(errors, key=_seed_of)} if errors else judged({**blank, **found})
    return {**record, "seconds": time.perf_counter() - begun}


def _held(claim, seeds):
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        report = claim.check(claim.claimed, seeds)
    return {"measured": report.measured, "allowed": report.allowed, "relation": report.relation, "seed": report.seed,
            "strict": report.strict, "method": claim.check.method, "check": claim.check.kind}


def _rejected(claim, seeds):
    def rejection(check, form):
        report = check(form, enough(seeds[:ENOUGH]), until_rejected=True)
        return {"measured": report.measured, "rejected": not report.ok, "seed": report.seed}

    with np.errstate(all="ignore"):
        return {"mistakes": [{"name": name, **rejection(claim.check, form)} for name, form in claim.mistakes.items()],
                "printed": claim.printed and rejection(claim.check, claim.printed),
                "without": claim.without and rejection(claim.without, claim.claimed)}


def judged(record):
    """A claim's record with the status and the problem that its numbers mean."""
    problem = _missing(record) or _shortfall(record) or _passed(record)
    return {**record, "status": "contradicted" if problem else "confirmed", "problem": problem}


def unexecuted(entry, seeds):
    """The record of a ledger entry that no code checks: definitional, unverifiable, editorial, or an error."""
    record = _blank(entry, seeds)
    if entry.method == "editorial":
        return {**record, "status": "editorial", "method": "editorial"}
    if entry.verdict in ("definitional", "unverifiable"):
        return {**record, "status": entry.verdict}
    return {**record, "status": "error", "problem": f"no check is written for a claim with verdict {entry.verdict!r}."}


def verify_derivation(derivation, seeds):
    """Check every line of one Derivation -> a record; a broken line is named with its residual and its seed."""
    begun = time.perf_counter()
    record = {"id": derivation.name, "title": derivation.title, "status": "error", "lines": [],
              "code": ledger.place(derivation), "problem": "", "first": seeds[0], "seed": None}
    try:
        lines = [{"relation": f.line.relation, "latex": f.line.latex, "because": f.line.because, "claim": f.line.claim,
                  "measured": f.measured, "allowed": f.line.allowed, "seed": f.seed, "strict": f.strict, "ok": f.ok}
                 for f in examine(derivation, seeds)]
        record = judged_lines({**record, "lines": lines})
    except Exception as error:
        record |= _failure(error)
    return {**record, "seconds": time.perf_counter() - begun}


def judged_lines(record):
    """A derivation's record with the status and the problem that its lines' numbers mean."""
    broken = [_break(n, line) for n, line in enumerate(record["lines"], 1) if not line["ok"]]
    return {**record, "status": "contradicted" if broken else "confirmed", "problem": broken[0] if broken else ""}


def _break(n, line):
    said = f"line {n} ({line['relation']} {line['latex']}) breaks: "
    if line_stands(line["relation"], line["measured"], line["allowed"], True):
        return said + NOT_STRICT
    return (said + f"residual {line['measured']:.3g}, allowed {line['allowed']:.1g}, shown by --seed {line['seed']} "
                   "--instances 1.")


def words_of(claim):
    """The ledger's Entry of a Claim; for a user's own claim, one made of the words that the Claim carries."""
    return ledger.entries().get(claim.id) or ledger.words(claim)


def _failure(error):
    problem = ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
    return {"status": "error", "problem": problem, "seed": getattr(error, "seed", None)}


def _seed_of(failure):
    return np.inf if failure["seed"] is None else failure["seed"], failure["problem"]


def _blank(entry, seeds):
    return {"id": entry.id, "where": entry.where, "kind": entry.kind, "verdict": entry.verdict, "status": "error",
            "first": seeds[0], "measured": None, "allowed": None, "relation": "<=", "seed": None, "strict": None,
            "method": entry.method or None, "check": None, "printed": None, "without": None, "mistakes": [],
            "code": None, "page": None, "problem": "", "seconds": 0.0, "backend": None}


def _missing(record):
    if record["mistakes"] is None:          # what must not hold was asked of another block
        return ""
    if record["verdict"] in ("misprint", "false") and record["printed"] is None:
        return f"verdict {record['verdict']!r} needs the printed form, measured to fail."
    if record["verdict"] == "holds-if" and record["without"] is None:
        return "verdict 'holds-if' needs cases without the condition, measured to fail."
    return ""


def _shortfall(record):
    if not stands(record["relation"], record["measured"], record["allowed"], True):
        return (f"measured {record['measured']:.3g} where {record['relation']} {record['allowed']:.3g} is needed, "
                f"shown by --seed {record['seed']} --instances 1.")
    return "" if record["strict"] else NOT_STRICT


def _passed(record):
    forms = [*(record["mistakes"] or ()), *(record[form] for form in ("printed", "without") if record[form])]
    passed = [form.get("name") or "the form that must fail" for form in forms if not form["rejected"]]
    return f"not rejected: {'; '.join(passed)}." if passed else ""


# ---- many blocks of seeds, one record ---------------------------------------------------

def merged(records):
    """One record of all the instances that some records of one claim, or of one derivation, are about.

    No two of them are of the same seed, and each is of ENOUGH or more. Order and grouping make no difference: the worst
    number counts, with the smallest seed that shows it; of errors, that of the smallest seed; and of what must not
    hold, what was found on the first seeds. The verdict is passed on that.
    """
    return reduce(_two, records)


def _two(a, b):
    first, later = sorted((a, b), key=lambda record: record["first"])
    failed = [record for record in (first, later) if record["status"] == "error"]
    if failed:
        record = min(failed, key=_seed_of)
    elif "lines" in first:
        record = _lines_of_two(first, later)
    else:
        record = first if first["check"] is None else judged({**first, **_worst(first, later, first["relation"])})
    return {**record, "first": first["first"], "seconds": first["seconds"] + later["seconds"]}


def _worst(a, b, relation):
    sign = 1 if relation == ">=" else -1
    measured, seed = min((sign * float(part["measured"]), part["seed"]) for part in (a, b))
    return {"measured": sign * measured, "seed": seed, "strict": a["strict"] or b["strict"]}


def _lines_of_two(first, later):
    if [line["latex"] for line in first["lines"]] != [line["latex"] for line in later["lines"]]:
        return {**first, "lines": [], **_failure(ValueError(OTHER_LINES.format(first["id"])))}
    lines = []
    for a, b in zip(first["lines"], later["lines"]):
        line = {**a, **_worst(a, b, "<=")}
        lines.append({**line, "ok": line_stands(line["relation"], line["measured"], line["allowed"], line["strict"])})
    return judged_lines({**first, "lines": lines})


# ---- a run over many --------------------------------------------------------------------

class Task(NamedTuple):
    """One thing to verify."""
    kind: str           # "claim" or "derivation"
    id: str
    file: str = ""      # a user's own file; "" for the package


class Block(NamedTuple):
    """A Task on some of the seeds: small and picklable, so that it can be sent to another process."""
    kind: str
    id: str
    file: str
    first: int          # seed
    count: int


def resolve(targets):
    """Turn ids, documents, derivations (or their files' names) and paths of user files into Tasks, in order.

    No target means everything. Raises ValueError with the nearest known name for one that is unknown.
    """
    if not targets:
        return [Task("claim", id) for id in ledger.entries()] + [Task("derivation", id) for id in ledger.derivations()]
    tasks = []
    for target in targets:
        if target.endswith(".py"):
            found_claims, found_derivations = of_file(target)
            if not (found_claims or found_derivations):
                raise ValueError(f"{target} defines no Claim and no @derivation; "
                                 "`refdgm new FILE.py` writes one to start from.")
            found = [Task("claim", id, target) for id in found_claims]
            found += [Task("derivation", id, target) for id in found_derivations]
        elif target in ledger.documents():
            found = [Task("claim", id) for id, entry in ledger.entries().items() if entry.document == target]
        elif target in ledger.entries():
            found = [Task("claim", target)]
        else:
            found = [Task("derivation", id) for id in ledger.derivations() if target in (id, id.split(".")[0])]
        if not found:
            raise ValueError(ledger.nearest(target, [*ledger.documents(), *ledger.entries(), *ledger.derivations()]))
        tasks += found
    return list(dict.fromkeys(tasks))


def blocks(task, seeds):
    """The Task in blocks of BLOCK seeds; the last takes the rest, so that none but an only one has less than ENOUGH."""
    starts = [seeds[0], *range(seeds[0] + BLOCK, seeds[-1] + 2 - ENOUGH, BLOCK)]
    return [Block(*task, start, stop - start) for start, stop in zip(starts, [*starts[1:], seeds[-1] + 1])]


def perform(task, seeds, reject=True, backend="numpy"):
    """Verify one Task, or Block of one, on these seeds -> its record. Derivations are NumPy's on any backend."""
    claims, derivations = of_task(task)
    if task.kind == "derivation":
        return verify_derivation(derivations[task.id], seeds)
    if task.id not in claims:
        return unexecuted(ledger.entries()[task.id], seeds)
    return verify_claim(claims[task.id], seeds, reject=reject, backend=backend)


def perform_block(block, start, backend="numpy"):
    """Verify one Block of a run whose first seed is `start`: there, what must not hold is asked, too."""
    return perform(block, seeds_from(block.first, block.count), block.first == start, backend)


def run(tasks, seeds, jobs=1, executor=None, journal=None, tell=lambda done, total, what: None, backend="numpy"):
    """Perform every Task, on `jobs` processes or an executor (see refdgm.workers).

    journal: a Journal that keeps each block's record as soon as it is there, and has those of an earlier run.
    Yields (task, record) in the order of `tasks`, the same whatever the number of processes and the cut into blocks.
    """
    cut = {task: blocks(task, seeds) for task in tasks}
    every = [block for parts in cut.values() for block in parts]
    done = journals.finished(every, partial(perform_block, start=seeds[0], backend=backend), journal, jobs, executor)
    records = _told(workers.in_order(every, done), every, tell)
    for task, parts in cut.items():
        yield task, merged([next(records) for _ in parts])


def kept(path, seeds, backend="numpy"):
    """The journal of a run over these seeds, for a `with`: that of `refdgm verify --resume`, too."""
    return closing(journals.Journal(path, {"version": refdgm.__version__, "seed": seeds[0], "instances": len(seeds),
                                           "backend": backend}))


def _told(pairs, every, tell):
    for n, block in enumerate(every):
        tell(n, len(every), block.id)
        yield next(pairs)[1]


def summary(records):
    """Counts over (task, record) pairs: what the last lines of the report and the JSON's `summary` say."""
    claims = [r for task, r in records if task.kind == "claim"]
    derivations = [r for task, r in records if task.kind == "derivation"]
    mistakes = [m for r in claims for m in r["mistakes"]]
    wrong_lines = [line for r in derivations for line in r["lines"] if line["relation"] == "!="]
    return {
        "claims": len(claims),
        "executed": sum(r["check"] is not None for r in claims),
        "status": _count(r["status"] for r in claims),
        "verdicts": _count(r["verdict"] for r in claims),
        "methods": _count(r["method"] for r in claims if r["check"] is not None),
        "backends": _count(r["backend"] for r in claims if r["check"] is not None),
        "mistakes": len(mistakes), "mistakes_rejected": sum(m["rejected"] for m in mistakes),
        "worst": _worst_by_kind(claims),
        "derivations": len(derivations), "derivations_confirmed": sum(r["status"] == "confirmed" for r in derivations),
        "lines": sum(len(r["lines"]) for r in derivations),
        "wrong_lines": len(wrong_lines), "wrong_lines_rejected": sum(line["ok"] for line in wrong_lines),
    }


def _worst_by_kind(claims):
    """For each kind of check, the confirmed claim that came nearest to failing: {kind: {id, measured, allowed}}."""
    worst = {}
    for r in claims:
        if r["status"] == "confirmed" and r["check"]:
            sign = 1 if r["relation"] == "<=" else -1
            if r["check"] not in worst or sign * r["measured"] > sign * worst[r["check"]]["measured"]:
                worst[r["check"]] = {name: r[name] for name in ("id", "measured", "relation", "allowed")}
    return worst


def fell_short(records):
    """Whether anything in (task, record) pairs is contradicted or in error."""
    return any(record["status"] in ("contradicted", "error") for _, record in records)


def of_task(task):
    """The claims {id: Claim} and derivations {name: Derivation} among which a Task is found."""
    return of_file(task.file) if task.file else (ledger.claims(), ledger.derivations())


def used_in(id):
    """The names of the derivations that have a line about the claim `id`, read off their code without running them."""
    return [name for name, derivation in ledger.derivations().items() if id in derivation.steps.__code__.co_consts]


def of_file(path):
    """The claims and derivations of a user's file, imported once for each time that it was written."""
    return _loaded(path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)


@lru_cache(maxsize=8)
def _loaded(path, written):
    return ledger.collect(ledger.load_file(path))


def _count(words):
    counts = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts
