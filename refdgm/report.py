"""What people read: records, entries and derivations as text (and errata as Markdown)."""
import shutil
import textwrap

from refdgm import ledger
from refdgm.formulas import SIGNS

MARK = {"confirmed": "ok", "contradicted": "FAIL", "error": "ERROR", "definitional": "def", "unverifiable": "-",
        "editorial": "ed"}


def number(x):
    """A measured number in at most eight characters.

    >>> number(3.05e-14), number(0.4375), number(None)
    ('3.1e-14', '0.438', '')
    """
    if x is None:
        return ""
    x = float(x)
    return "0" if x == 0 else f"{x:.3g}" if 1e-3 <= abs(x) < 1e5 else f"{x:.1e}"


def verdict_line(task, record):
    """One line of `refdgm verify` for a (task, record) pair."""
    mark = MARK[record["status"]]
    if task.kind == "derivation":
        wrong = sum(line["relation"] == "!=" for line in record["lines"])
        said = f"{len(record['lines'])} lines, {wrong} mistakes rejected"
        line = f"{mark:5s} {record['id']:38s} derivation    {said}"
    elif record["check"] is None:
        line = f"{mark:5s} {record['id']:38s} {record['verdict']:13s} {record['status']}"
    else:
        held = f"{number(record['measured'])} {SIGNS[record['relation']]} {number(record['allowed'])}"
        wrong = [m for m in record["mistakes"] if m["rejected"]]
        printed = record["printed"]
        said = f"; as printed {number(printed['measured'])}" if printed else ""
        line = (f"{mark:5s} {record['id']:38s} {record['verdict']:13s} {record['check']:12s} {held:20s} "
                f"{len(wrong)}/{len(record['mistakes'])} mistakes rejected{said}")
    return line.rstrip() + (f"\n      {record['problem']}" if record["problem"] else "")


def summary_text(summary, seconds, seed, instances):
    """The closing lines of `refdgm verify`."""
    status, lines = summary["status"], []
    if summary["claims"]:
        verdicts = ", ".join(f"{n} {name}" for name, n in sorted(summary["verdicts"].items()))
        lines.append(f"{summary['claims']} claims: {summary['executed']} checked by a number, "
                     f"{status.get('contradicted', 0)} contradicted, {status.get('error', 0)} in error; {verdicts}.")
    if set(summary["backends"]) - {"numpy"}:
        on_gpu, on_host = (summary["backends"].get(name, 0) for name in ("cupy", "numpy"))
        lines.append(f"{on_gpu} of them computed by CuPy on a GPU and {on_host} by NumPy, as are derivations and all "
                     "that formulas are held against.")
    if summary["mistakes"]:
        lines.append(f"{summary['mistakes_rejected']} of {summary['mistakes']} plausible mistakes rejected.")
    for kind, name in (("equality", "an equality"), ("gradient", "a gradient")):
        if kind in summary["worst"]:
            worst = summary["worst"][kind]
            lines.append(f"Worst residual of {name}: {number(worst['measured'])} ({worst['id']}).")
    if summary["derivations"]:
        lines.append(f"{summary['derivations']} derivations, {summary['lines']} lines: "
                     f"{summary['derivations_confirmed']} hold; {summary['wrong_lines_rejected']} of "
                     f"{summary['wrong_lines']} wrong lines rejected.")
    models = "1 random model" if instances == 1 else f"{instances} random models"
    lines.append(f"{models} a claim, from seed {seed}; {seconds:.1f} s.")
    return "\n".join(lines)


def claim_text(entry, record, used_in=()):
    """`refdgm show ID`: the statement, what is printed, the verdict, the numbers, and where to find the code."""
    out = [f"{entry.id}   {entry.where}", "", *_wrapped(entry.statement), ""]
    rows = [("printed", entry.printed), ("assumes", entry.condition), ("verdict", entry.verdict),
            ("correct", entry.corrected), ("because", entry.why)]
    if record["check"] is not None:
        held = f"{number(record['measured'])} {SIGNS[record['relation']]} {number(record['allowed'])}"
        rows.append(("measured", f"{held}   {record['check']} by {record['method']}, {record['status']}; "
                                 f"worst instance: seed {record['seed']}"))
    else:
        rows.append(("measured", f"not by a number: {record['status']}"))
    if record["printed"]:
        rows.append(("as printed", _said(record["printed"])))
    if record["without"]:
        rows.append(("without the condition", _said(record["without"])))
    rows += [("problem", record["problem"])] * bool(record["problem"])
    out += [line for name, text in rows if text for line in _row(name, text)]
    if record["mistakes"]:
        out += ["", "mistakes"]
        width = max(len(m["name"]) for m in record["mistakes"])
        out += [f"  {m['name']:{min(width, 60)}s}  {_said(m)}" for m in record["mistakes"]]
    out.append("")
    if record["code"]:
        out += _row("code", record["code"])
        out += _row("test", f"tests/test_claims.py::test_holds[{entry.id}]")
    out += [line for name in used_in for line in _row("derivation", name)]
    return "\n".join(out).rstrip()


def attack_text(id, attack, expected, instance):
    """`refdgm falsify`: what the attack on one form found (`instance` as text), and how hard it tried."""
    tried = f"{attack.starts} starts, {attack.evaluations} evaluations, {attack.seconds:.1f} s"
    held = f"{number(attack.measured)} {SIGNS[attack.relation]} {number(attack.allowed)}"
    if not attack.found:
        said = "no counter-example" + (", though one is expected" if expected else "")
        return f"{id}, {attack.form}: {said} ({tried}); worst {held}"
    meaning = {True: "", False: ", against the verdict", None: ", outside the models of its case"}
    said = "counter-example" + meaning[expected]
    return f"{id}, {attack.form}: {said} ({tried}); {held} fails at\n{instance}"


def derivation_text(derivation, record):
    """`refdgm show DERIVATION`: every line with its residual and the reason for the step."""
    import sys
    prose = (sys.modules.get(derivation.steps.__module__).__doc__ or "").strip() \
        if derivation.steps.__module__ in sys.modules else ""
    out = [f"{derivation.name}   {derivation.title}", "", *([*prose.split("\n"), ""] if prose else [])]
    for line in record["lines"]:
        mark = " " if line["ok"] else "!"
        residual = "" if line["relation"] == "" else number(line["measured"])
        relation = SIGNS[line["relation"]]
        out.append(f"{mark}{relation:2s} {line['latex']}")
        why = "; ".join(t for t in ("a mistake: " * (line["relation"] == "!=") + line["because"], line["claim"]) if t)
        if residual or why:
            out.append(f"       {residual:9s} {why}")
    out += ["", *([record["problem"]] if record["problem"] else []), *_row("code", record["code"])]
    return "\n".join(out)


def list_text(entries):
    """`refdgm list`: one line a claim, in the document's own order."""
    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    return "\n".join(_cut(f"{e.id:34s} {e.verdict:13s} {e.statement}", width) for e in entries)


def erratum(entry, record, counter_example):
    """One erratum as plain data: what is printed, what holds, both numbers, and an instance where the print fails."""
    return {"id": entry.id, "where": entry.where, "verdict": entry.verdict, "severity": entry.severity,
            "statement": entry.statement, "printed": entry.printed, "corrected": entry.corrected, "why": entry.why,
            "method": record["method"], "measured": record["measured"], "allowed": record["allowed"],
            "relation": record["relation"], "status": record["status"],
            "printed_measured": (record["printed"] or record["without"] or {}).get("measured"),
            "counter_example": counter_example,
            "reproduce": f"refdgm falsify {entry.id}" if counter_example else f"refdgm verify {entry.id}"}


def errata_text(errata):
    """Errata for a terminal, by document and severity."""
    out = []
    for e in errata:
        out += [f"{e['id']}   {e['where']}   [{e['verdict']}: {e['severity']}]", *_row("printed", e["printed"]),
                *_row("correct", e["corrected"]), *_row("because", e["why"]), *_row("measured", _numbers(e))]
        out += [f"fails at{'':5s}" + e["counter_example"].replace("\n", "\n" + " " * 13)] * bool(e["counter_example"])
        out += [*_row("reproduce", e["reproduce"]), ""]
    return "\n".join(out + [f"{len(errata)} errata."])


def errata_markdown(errata):
    """Errata as a Markdown document, by paper and severity."""
    out = ["# Errata", "", "Made by `refdgm errata --format md`. Every erratum that a number can show was measured:",
           "the form as printed (or the claim without its missing condition) fails its check, and the corrected form",
           "passes it at the same tolerance, on random models. What stands under \"fails at\" was found by search, and",
           "rounded; functions and the like among the arguments are left out."]
    for document, title in ledger.documents().items():
        mine = [e for e in errata if e["id"].startswith(document + ".")]
        out += ["", f"## {title}"] if mine else []
        for severity in ledger.SEVERITIES:
            ranked = [e for e in mine if e["severity"] == severity]
            out += ["", f"### {severity.capitalize()} ({len(ranked)})"] if ranked else []
            for e in ranked:
                out += ["", f"#### {e['where']} (`{e['id']}`, {e['verdict']})", "", e["statement"], "",
                        f"- printed: ${e['printed']}$", f"- correct: ${e['corrected']}$", f"- because: {e['why']}",
                        f"- measured: {_numbers(e)}", f"- reproduce: `{e['reproduce']}`"]
                if e["counter_example"]:
                    instance = ["  " + line for line in e["counter_example"].split("\n")]
                    out += ["- fails at:", "", "  ```text", *instance, "  ```"]
    return "\n".join(out) + "\n"


def _numbers(e):
    if e["measured"] is None:
        return "an editorial slip, which no number can show" if e["method"] == "editorial" else "not by a number"
    held = f"{number(e['measured'])} {SIGNS[e['relation']]} {number(e['allowed'])}"
    wrong = "without its condition" if e["verdict"] == "holds-if" else "as printed"
    return f"{held} {e['status']}; {wrong} {number(e['printed_measured'])}"


def _said(rejection):
    return f"{number(rejection['measured']):>9s}  {'rejected' if rejection['rejected'] else 'NOT REJECTED'}"


def _row(name, text):
    indent = " " * 13
    if len(name) > 11:
        return [name, *textwrap.wrap(text, 115, initial_indent=indent, subsequent_indent=indent)]
    return textwrap.wrap(f"{name:12s} {text}", 115, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False) or [name]


def _wrapped(text):
    return textwrap.wrap(text, 115)


def _cut(text, width):
    return text if len(text) <= width else text[:width - 1] + "…"
