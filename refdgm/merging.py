"""Records of one claim, or derivation, on different seeds become one: facts are merged, the verdict passed anew."""
from functools import reduce

from refdgm.derivation import OTHER_LINES
from refdgm.derivation import stands as line_stands
from refdgm.verdicts import failure, judged, judged_lines, seed_of


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
        record = min(failed, key=seed_of)
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
        return {**first, "lines": [], **failure(ValueError(OTHER_LINES.format(first["id"])))}
    lines = []
    for a, b in zip(first["lines"], later["lines"]):
        line = {**a, **_worst(a, b, "<=")}
        lines.append({**line, "ok": line_stands(line["relation"], line["measured"], line["allowed"], line["strict"])})
    return judged_lines({**first, "lines": lines})
