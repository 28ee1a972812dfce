"""Run claims and derivations and say what became of each: the records behind `refdgm verify` and its JSON."""
import time

import numpy as np

from refdgm import ledger
from refdgm.derivation import examine

INSTANCES = 4       # random models per claim by default: enough that constants and signs cannot hide


def seeds_from(seed, instances):
    """The seeds of the instances: seed, seed + 1, ..."""
    return range(seed, seed + instances)


def verify_claim(claim, seeds, entry=None):
    """Check one Claim: it must hold, and its mistakes (and misprint, and cases without the condition) must not.

    -> a record with the keys of `refdgm verify --json`; status "confirmed", "contradicted" or "error".
    """
    begun = time.perf_counter()
    entry = entry or _words_of(claim)
    record = _blank(entry)
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            report = claim.check(claim.claimed, seeds)
        record.update(measured=report.measured, allowed=report.allowed, relation=report.relation, seed=report.seed,
                      method=claim.check.method, check=claim.check.kind, code=ledger.place(claim))
        with np.errstate(all="ignore"):
            record["mistakes"] = [_rejection(name, claim.check(wrong, seeds, until_rejected=True))
                                  for name, wrong in claim.mistakes.items()]
            if claim.printed is not None:
                record["printed"] = _rejection(None, claim.check(claim.printed, seeds, until_rejected=True))
            if claim.without is not None:
                record["without"] = _rejection(None, claim.without(claim.claimed, seeds, until_rejected=True))
        rejected = [*record["mistakes"], *(r for r in (record["printed"], record["without"]) if r)]
        missing = _missing(entry.verdict, claim)
        record["status"] = "confirmed" if report.ok and not missing and all(r["rejected"] for r in rejected) \
            else "contradicted"
        record["problem"] = missing or _problem(report, rejected)
    except Exception as error:
        record.update(status="error", problem=f"{type(error).__name__}: {error}", code=ledger.place(claim))
    claim.check.prepare.cache_clear()
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
            record["problem"] = (f"line {broken[0]} ({f.line.relation} {f.line.latex}) breaks: residual {f.measured:.3g}, "
                                 f"allowed {f.line.allowed:.1g}, shown by --seed {f.seed} --instances 1.")
    except Exception as error:
        record["problem"] = f"{type(error).__name__}: {error}"
    record["seconds"] = time.perf_counter() - begun
    return record


def _words_of(claim):
    entry = ledger.entries().get(claim.id)
    return entry or ledger.Entry(claim.id, claim.where, claim.check.kind, claim.says, claim.latex, claim.verdict)


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
        return f"measured {report.measured:.3g} where {report.relation} {report.allowed:.3g} is needed, at seed {report.seed}."
    passed = [r.get("name") or "the form that must fail" for r in rejected if not r["rejected"]]
    return f"not rejected: {'; '.join(passed)}." if passed else ""
