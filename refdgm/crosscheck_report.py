"""What `refdgm crosscheck` prints: a line for each contract, and what a person needs to mend a deviation."""
import textwrap

import numpy as np

MARKS = {"conforms": "ok  ", "deviates": "FAIL", "error": "FAIL", "timeout": "FAIL", "not offered": "-   "}


def text(record):
    """One contract's result in a few lines."""
    lines = [f"{MARKS[record['status']]}  {record['name']:34s} {_headline(record)}"]
    if record["status"] in ("deviates", "error", "timeout"):
        lines += rows(record)
    lines += [wrapped("note", note) for note in record["notes"]]
    return "\n".join(lines)


def _headline(record):
    if record["status"] == "not offered":
        return record["problem"] or "not offered"
    drawn = f", {record['draws']:,} draws" if record["draws"] else ""
    if record["status"] == "conforms":
        by = f", by the convention: {record['matches']} ({record['advice']})" if record["matches"] else ""
        worst = f" ({record['measured']:.1e} of {record['allowed']:.0e}, {record['dtype']})"
        return f"conforms{drawn or by or worst}{by if drawn else ''}"
    known = f": {record['matches']}" if record["matches"] else ""
    return f"{record['status']}{known}{drawn}"


def rows(record):
    """What a person needs to mend it: advice, where it shows, input, both values."""
    yield from (wrapped(*row) for row in (
        ("to mend", record["advice"]), ("shown at", ", ".join(filter(None, [record["case"], record["dtype"]]))),
        ("problem", record["problem"])) if row[1])
    for name, value in (record["input"] or {}).items():
        yield wrapped(name, array_text(value))
    for digits in (6, 17):      # as many as it takes to see a difference
        said = {name: "; ".join(array_text(part, digits) for part in record[name])
                for name in ("expected", "got") if record[name] is not None}
        if len(set(said.values())) > 1:
            break
    yield from (wrapped(name, numbers) for name, numbers in said.items())
    if record["measured"] is not None:
        yield wrapped(*_how_far(record))


def _how_far(record):
    """What was measured; for draws it is the power of ten of the odds against a right function (see refdgm.draws)."""
    measured, allowed = record["measured"], record["allowed"]
    if not record["draws"]:
        return "off by", f"{measured:.2g}, allowed {allowed:.0e}{_how_many(record)}"
    if allowed == 1:
        return "off by", f"{measured:.2g} times what chance allows"
    return "evidence", f"10^{measured:.0f} to 1, where 10^{allowed:.0f} to 1 settles it"


def _how_many(record):
    """How many of the numbers are others, where an array has some that are right."""
    if not record["expected"] or not record["got"] or len(record["got"]) != len(record["expected"]):
        return ""
    pairs = [(np.asarray(e), np.asarray(g)) for e, g in zip(record["expected"], record["got"])]
    if any(e.shape != g.shape for e, g in pairs):
        return ""
    size = max(float(np.max(np.abs(e[np.isfinite(e)]), initial=0.0)) for e, _ in pairs) or 1.0
    with np.errstate(invalid="ignore"):
        wrong = sum(int(np.sum(~((e == g) | (np.abs(e - g) <= record["allowed"] * size)))) for e, g in pairs)
    total = sum(e.size for e, _ in pairs)
    return f"; {wrong} of {total} numbers differ" if total > 1 and wrong else ""


def array_text(value, digits=6):
    """An array as one can type it, cut where it is long."""
    return np.array2string(np.asarray(value), separator=", ", precision=digits, threshold=24, max_line_width=10**6) \
        .replace("\n", "")


def wrapped(name, words):
    """A row: a name, and words that are wrapped beside it."""
    return textwrap.fill(words, 110, initial_indent=f"      {name:12s} ", subsequent_indent=" " * 19,
                         break_long_words=False)


def summary(records):
    """The last line: how many of each."""
    counts = {status: sum(r["status"] == status for r in records) for status in MARKS}
    said = [f"{n} {status}" for status, n in counts.items() if n]
    return ", ".join(said) or "nothing was checked"


def list_text(contracts):
    """`--list`: every contract, with its arguments and its place."""
    rows = []
    for item in contracts.values():
        call = f"{item.name}({', '.join(a.name for a in item.arguments)})"
        rows.append(f"{call}\n" + textwrap.fill(f"{item.says} ({item.where}); "
                                                f"{len(item.mistakes)} mistakes known by name", 110,
                                                initial_indent="      ", subsequent_indent="      "))
    return "\n".join(rows)
