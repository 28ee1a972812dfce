"""What became of one claim, or one derivation: a record, that is facts measured on some seeds and the verdict on them.

`judged` and `judged_lines` pass the verdict on a record's facts alone, so that merged facts are judged in the same way.
"""
import time

import numpy as np

from refdgm import ledger, places
from refdgm.backend import computed_by
from refdgm.claim import ENOUGH, enough, stands
from refdgm.derivation import examine
from refdgm.derivation import stands as line_stands

NOT_STRICT = "an equality on every instance: a bound that is never strict says nothing."


def verify_claim(claim, seeds, reject=True, backend="numpy"):
    """Check one Claim: it must hold, and its mistakes (and misprint, and cases without the condition) must not.

    reject: whether to ask for what must not hold, on the first ENOUGH of the seeds; False where an earlier block asks.
    backend: what computes the claim's formula; what it is held against, and what must not hold, is NumPy's.
    -> a record with the keys of `refdgm verify --json`; status "confirmed", "contradicted" or "error".
    """
    begun = time.perf_counter()
    blank = {**_blank(words_of(claim), seeds), "code": places.place(claim),
             "backend": "numpy" if claim.host_only else backend}
    of = {_held: claim._replace(claimed=computed_by(blank["backend"], claim.claimed)), _rejected: claim}
    found, errors = {} if reject else {"mistakes": None}, []
    for ask in (_held, _rejected)[:1 + reject]:
        try:
            found |= ask(of[ask], seeds)
        except Exception as error:
            errors.append(failure(error))
    record = {**blank, **min(errors, key=seed_of)} if errors else judged({**blank, **found})
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
              "code": places.place(derivation), "problem": "", "first": seeds[0], "seed": None}
    try:
        lines = [{"relation": f.line.relation, "latex": f.line.latex, "because": f.line.because, "claim": f.line.claim,
                  "measured": f.measured, "allowed": f.line.allowed, "seed": f.seed, "strict": f.strict, "ok": f.ok}
                 for f in examine(derivation, seeds)]
        record = judged_lines({**record, "lines": lines})
    except Exception as error:
        record |= failure(error)
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


def failure(error):
    problem = ", ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
    return {"status": "error", "problem": problem, "seed": getattr(error, "seed", None)}


def seed_of(failure):
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
