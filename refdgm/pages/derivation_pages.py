"""A page for each file of derivations: prose, then every line as mathematics beside its code and its number."""
from refdgm import ledger, line_code
from refdgm.derivation_files import title_and_prose
from refdgm.formulas import SIGNS
from refdgm.markup import code, escape, formula, inline, number, page, prose


def derivation_page(module, derivations, records, figures):
    """The page of one file. records: {name: record of verify}; figures: HTML to stand after the prose."""
    title, rest = title_and_prose(derivations[0])
    body = [f'<p class="crumbs"><a href="../derivations.html">Derivations</a> / {module}.py</p>',
            f"<h1>{inline(title)}</h1>", prose(rest), *figures]
    if len(derivations) > 1:
        body.append("<ul>" + "".join(f'<li><a href="#{anchor(d)}">{inline(d.title)}</a></li>' for d in derivations)
                    + "</ul>")
    body += [section(d, records[d.name]) for d in derivations]
    body.append(f'<p class="run">Run it: <code>refdgm verify {module}</code>; line by line: '
                f'<code>refdgm show {derivations[0].name} --walk</code>; as <a href="../notebooks/{module}.ipynb">a '
                'notebook</a>.</p>')
    return page(title, "\n".join(body), "derivations.html", "../")


def anchor(derivation):
    return derivation.name.split(".")[-1]


def section(derivation, record):
    """One derivation: an ordered list of its lines."""
    rows = [row(line, source) for line, source in zip(record["lines"], line_code.codes(derivation), strict=True)]
    return (f'<section aria-labelledby="{anchor(derivation)}"><h2 id="{anchor(derivation)}">{inline(derivation.title)}'
            f'</h2>\n<ol class="lines">\n' + "\n".join(rows) + "\n</ol></section>")


def row(line, source):
    """One line: relation, formula, why it stands, its residual, and its code."""
    wrong = line["relation"] == "!="
    claim = line["claim"]
    known = claim in ledger.entries()
    place = (f' <a class="claim" href="../documents/{claim.split(".")[0]}.html#{claim}">{escape(claim)}</a>' if known
             else f" {escape(claim)}" if claim else "")
    return (f'<li class="{"wrong" if wrong else "right"}"><div class="maths"><span class="relation">'
            f'{SIGNS[line["relation"]]}</span>{formula(line["latex"], display=True)}'
            f'<p class="why">{"A mistake: " if wrong else ""}{inline(line["because"])}{place}</p>'
            f'<p class="measured">{measured(line)}</p></div>{code(line_code.dedented(source))}</li>')


def measured(line):
    """What the check found, in words."""
    if line["relation"] == "":
        return "evaluated on every instance"
    value, allowed = number(line["measured"]), number(line["allowed"])
    if line["relation"] == "!=":
        return f"off by {value}: {'rejected' if line['ok'] else 'not rejected'}"
    if line["relation"] in ("<=", ">="):
        return f"largest excess {value}, allowed {allowed}"
    return f"residual {value}, allowed {allowed}" + ("" if line["ok"] else ": this line breaks")


def index_page(modules, records):
    """All files of derivations, with what each says."""
    rows = []
    for module, derivations in modules.items():
        n = sum(len(records[d.name]["lines"]) for d in derivations)
        wrong = sum(line["relation"] == "!=" for d in derivations for line in records[d.name]["lines"])
        rows.append(f'<li><a href="derivations/{module}.html">{inline(title_and_prose(derivations[0])[0])}</a> '
                    f'<span class="quiet">{n} lines, {wrong} of them mistakes</span></li>')
    total = sum(len(r["lines"]) for r in records.values())
    return page("Derivations", f"<h1>Derivations</h1>\n<p>{len(records)} derivations in {len(modules)} files, {total} "
                "lines. Every line is a number that was held against the line above it.</p>\n"
                f'<ul class="plain">{"".join(rows)}</ul>', "derivations.html")
