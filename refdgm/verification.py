"""Verify many claims and derivations: what is behind `refdgm verify` and its JSON.

A run is cut into blocks, a claim or derivation and some of the seeds, that are performed anywhere and in any order; the
records of a task's blocks are merged into one.
"""
import os
from collections import Counter
from contextlib import closing
from functools import lru_cache, partial
from typing import NamedTuple

import refdgm
from refdgm import journal as journals
from refdgm import ledger, workers
from refdgm import validation as valid
from refdgm.claim import ENOUGH, in_a_row
from refdgm.merging import merged
from refdgm.verdicts import unexecuted, verify_claim, verify_derivation

INSTANCES = ENOUGH      # random models per claim by default: enough that constants and signs cannot hide
BLOCK = 250             # seeds that one process does at a time: at most some ten seconds of work


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


def seeds_from(seed, instances):
    """The seeds of the instances: seed, seed + 1, ..."""
    return range(seed, seed + instances)


def resolve(targets):
    """Turn ids, documents, derivations (or their files' names) and paths of user files into Tasks, in order.

    No target means everything. Raises ValueError with the nearest known name for one that is unknown.
    """
    valid.require(not isinstance(targets, str), f"targets must be a list of words, not the word {targets!r}.")
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
    in_a_row(seeds)
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
        "status": dict(Counter(r["status"] for r in claims)),
        "verdicts": dict(Counter(r["verdict"] for r in claims)),
        "methods": dict(Counter(r["method"] for r in claims if r["check"] is not None)),
        "backends": dict(Counter(r["backend"] for r in claims if r["check"] is not None)),
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
