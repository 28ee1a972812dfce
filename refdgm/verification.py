"""Run claims and derivations and say what became of each: the records behind `refdgm verify` and its JSON."""
import os
import time
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from refdgm import ledger, workers
from refdgm.checking import ENOUGH, enough
from refdgm.derivation import examine

INSTANCES = ENOUGH      # random models per claim by default: enough that constants and signs cannot hide


def seeds_from(seed, instances):
    """The seeds of the instances: seed, seed + 1, ..."""
    return range(seed, seed + instances)


def verify_claim(claim, seeds, entry=None):
    """Check one Claim: it must hold, and its mistakes (and misprint, and cases without the condition) must not.

    -> a record with the keys of `refdgm verify --json`; status "confirmed", "contradicted" or "error".
    """
    begun = time.perf_counter()
    entry = entry or words_of(claim)
    record = _blank(entry)
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            report = claim.check(claim.claimed, seeds)
        record.update(measured=report.measured, allowed=report.allowed, relation=report.relation, seed=report.seed,
                      method=claim.check.method, check=claim.check.kind, code=ledger.place(claim))
        with np.errstate(all="ignore"):
            record["mistakes"] = [_rejection(name, claim.check(wrong, enough(seeds), until_rejected=True))
                                  for name, wrong in claim.mistakes.items()]
            if claim.printed is not None:
                record["printed"] = _rejection(None, claim.check(claim.printed, enough(seeds), until_rejected=True))
            if claim.without is not None:
                record["without"] = _rejection(None, claim.without(claim.claimed, enough(seeds), until_rejected=True))
        rejected = [*record["mistakes"], *(r for r in (record["printed"], record["without"]) if r)]
        missing = _missing(entry.verdict, claim)
        record["status"] = "confirmed" if report.ok and not missing and all(r["rejected"] for r in rejected) \
            else "contradicted"
        record["problem"] = missing or _problem(report, rejected)
    except Exception as error:
        record.update(status="error", problem=_sentence(error), code=ledger.place(claim))
    record["seconds"] = time.perf_counter() - begun
    return record


def unexecuted(entry):
    """The record of a ledger entry that no code checks: definitional, unverifiable, editorial, or an error."""
    record = _blank(entry)
    if entry.method == "editorial":
        return {**record, "status": "editorial", "method": "editorial"}
    if entry.verdict in ("definitional", "unverifiable"):
        return {**record, "status": entry.verdict}
    return {**record, "status": "error", "problem": f"no check is written for a claim with verdict {entry.verdict!r}."}


def verify_derivation(derivation, seeds):
    """Check every line of one Derivation -> a record; a broken line is named with its residual and its seed."""
    begun = time.perf_counter()
    record = {"id": derivation.name, "title": derivation.title, "status": "error", "lines": [],
              "code": ledger.place(derivation), "problem": ""}
    try:
        findings = examine(derivation, seeds)
        record["lines"] = [{"relation": f.line.relation, "latex": f.line.latex, "because": f.line.because,
                            "claim": f.line.claim, "measured": f.measured, "allowed": f.line.allowed, "seed": f.seed,
                            "ok": f.ok} for f in findings]
        broken = [n for n, f in enumerate(findings, 1) if not f.ok]
        record["status"] = "contradicted" if broken else "confirmed"
        if broken:
            f = findings[broken[0] - 1]
            record["problem"] = (f"line {broken[0]} ({f.line.relation} {f.line.latex}) breaks: residual "
                                 f"{f.measured:.3g}, allowed {f.line.allowed:.1g}, "
                                 f"shown by --seed {f.seed} --instances 1.")
    except Exception as error:
        record["problem"] = _sentence(error)
    record["seconds"] = time.perf_counter() - begun
    return record


def words_of(claim):
    """The ledger's Entry of a Claim; for a user's own claim, one made of the words that the Claim carries."""
    return ledger.entries().get(claim.id) or ledger.words(claim)


def _sentence(error):
    return ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def _blank(entry):
    return {"id": entry.id, "where": entry.where, "kind": entry.kind, "verdict": entry.verdict, "status": "error",
            "measured": None, "allowed": None, "relation": "<=", "seed": None, "method": entry.method or None,
            "check": None, "printed": None, "without": None, "mistakes": [], "code": None, "page": None,
            "problem": "", "seconds": 0.0}


def _rejection(name, report):
    found = {"measured": report.measured, "rejected": not report.ok, "seed": report.seed}
    return found if name is None else {"name": name, **found}


def _missing(verdict, claim):
    if verdict in ("misprint", "false") and claim.printed is None:
        return f"verdict {verdict!r} needs the printed form, measured to fail."
    if verdict == "holds-if" and claim.without is None:
        return "verdict 'holds-if' needs cases without the condition, measured to fail."
    return ""


def _problem(report, rejected):
    if not report.ok:
        return (f"measured {report.measured:.3g} where {report.relation} {report.allowed:.3g} is needed, "
                f"shown by --seed {report.seed} --instances 1.")
    passed = [r.get("name") or "the form that must fail" for r in rejected if not r["rejected"]]
    return f"not rejected: {'; '.join(passed)}." if passed else ""


# ---- a run over many --------------------------------------------------------------------

class Task(NamedTuple):
    """One thing to verify; small and picklable, so that it can be sent to another process."""
    kind: str           # "claim" or "derivation"
    id: str
    file: str = ""      # a user's own file; "" for the package


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


def perform(task, seeds):
    """Verify one Task -> its record."""
    claims, derivations = of_task(task)
    if task.kind == "derivation":
        return verify_derivation(derivations[task.id], seeds)
    if task.id not in claims:
        return unexecuted(ledger.entries()[task.id])
    return verify_claim(claims[task.id], seeds)


def run(tasks, seeds, jobs=1, executor=None):
    """Perform every Task, on `jobs` processes or an executor (see refdgm.workers).

    Yields (task, record) in the order of `tasks`.
    """
    yield from workers.in_order(tasks, workers.finished(tasks, partial(perform, seeds=seeds), jobs, executor))


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
