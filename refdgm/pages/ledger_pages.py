"""The ledger as pages: each document in its own order, the errata, and what each module settles."""
import inspect

from refdgm import ledger, verification
from refdgm.formulas import SIGNS
from refdgm.markup import code, definitions, escape, formula, inline, number, page, prose, verdict


def document_page(document, entries, records):
    """Every claim of a document; the buttons above show one verdict only (no script)."""
    words = [v for v in ledger.VERDICTS if any(e.verdict == v for e in entries)]
    counts = {v: sum(e.verdict == v for e in entries) for v in words}
    buttons = "".join(f'<input type="radio" name="verdict" id="only-{v}"><label for="only-{v}">{v} '
                      f'<span class="quiet">{counts[v]}</span></label>' for v in words)
    filters = ('<fieldset class="filter"><legend>Show</legend>'
               '<input type="radio" name="verdict" id="only-all" checked>'
               f'<label for="only-all">all <span class="quiet">{len(entries)}</span></label>{buttons}</fieldset>')
    body = (f"<h1>{escape(ledger.DOCUMENTS[document])}</h1>\n{filters}\n<div class=\"claims\">\n"
            + "\n".join(claim(entry, records[entry.id]) for entry in entries) + "\n</div>")
    rules = "".join(f'main:has(#only-{v}:checked) .claims > :not(.is-{v}) {{ display: none }}\n' for v in words)
    return page(ledger.DOCUMENTS[document], body, "index.html", "../", f"<style>\n{rules}</style>\n")


def claim(entry, record):
    """One claim: a line that opens."""
    rows = [("as printed", entry.printed and formula(entry.printed, display=True)),
            ("assumes", entry.condition and inline(entry.condition)),
            ("correct", entry.corrected and maths_or_words(entry.corrected)),
            ("because", entry.why and inline(entry.why)),
            ("measured", measured(record)),
            ("printed form", record["printed"] and said(record["printed"])),
            ("without the condition", record["without"] and said(record["without"])),
            ("mistakes", mistakes(record)),
            ("derivations", derivations(entry.id)),
            ("code", record["code"] and f"<code>{escape(record['code'])}</code>")]
    return (f'<details class="claim-row is-{entry.verdict}"><summary><code>{escape(entry.id)}</code> '
            f'{verdict(entry.verdict)} <span class="statement">{inline(entry.statement)}</span></summary>'
            f'<div id="{escape(entry.id)}"><p class="quiet">{escape(entry.where)}</p>{definitions(rows)}</div>'
            '</details>')


def maths_or_words(text):
    """A corrected form is a formula, or a sentence about one."""
    try:
        return formula(text, display=True)
    except ValueError:
        return inline(text)


def measured(record):
    if record["check"] is None:
        return escape(f"not by a number: {record['status']}")
    return (f"{number(record['measured'])} {SIGNS[record['relation']]} {number(record['allowed'])}, "
            f"{escape(record['check'])} by {escape(record['method'])}: {escape(record['status'])}")


def said(rejection):
    return f"off by {number(rejection['measured'])}, {'rejected' if rejection['rejected'] else 'not rejected'}"


def mistakes(record):
    items = "".join(f"<li>{inline(m['name'])} <span class=\"quiet\">{said(m)}</span></li>" for m in record["mistakes"])
    return f"<ul>{items}</ul>" if items else ""


def derivations(id):
    links = [f'<a href="../derivations/{name.split(".")[0]}.html#{name.split(".")[-1]}">{escape(name)}</a>'
             for name in verification.used_in(id)]
    return ", ".join(links)


def link(id, up=""):
    return f'<a href="{up}documents/{id.split(".")[0]}.html#{escape(id)}"><code>{escape(id)}</code></a>'


# ---- errata -----------------------------------------------------------------------------

def errata_page(entries, records):
    """What is misprinted, false or lacks a condition, the gravest first."""
    wrong = [e for e in entries if e.verdict in ("misprint", "false", "holds-if")]
    parts = ["<h1>Errata</h1>", f"<p>{len(wrong)} claims of the documents are misprinted, false, or lack a condition. "
             "Each was measured: the printed form fails, the corrected one holds.</p>"]
    for severity in ledger.SEVERITIES:
        of_this = [e for e in wrong if e.severity == severity]
        if of_this:
            parts.append(f"<h2>{severity[0].upper() + severity[1:]} <span class=\"quiet\">{len(of_this)}</span></h2>")
            parts += [erratum(e, records[e.id]) for e in of_this]
    return page("Errata", "\n".join(parts), "errata.html")


def erratum(entry, record):
    rows = [("printed", entry.printed and formula(entry.printed, display=True)),
            ("correct", entry.corrected and maths_or_words(entry.corrected)),
            ("assumes", entry.verdict == "holds-if" and inline(entry.condition)),
            ("because", entry.why and inline(entry.why)),
            ("off by", record["printed"] and number(record["printed"]["measured"]))]
    return (f"<article><h3>{link(entry.id)} {verdict(entry.verdict)} <span class=\"quiet\">{escape(entry.where)}"
            f"</span></h3><p>{inline(entry.statement)}</p>{definitions(rows)}</article>")


# ---- methods ----------------------------------------------------------------------------

def modules():
    """{"directed.iwae": module} of every formula module that settles a claim."""
    found = {module.__name__.removeprefix("refdgm."): module for module in ledger.modules(*ledger.ROOMS)}
    return {name: module for name, module in sorted(found.items()) if getattr(module, "CLAIMS", None)}


def headline(module):
    return " ".join(inspect.cleandoc(module.__doc__).split("\n\n")[0].split()).rstrip(".:")


def method_page(name, module, entries, records):
    """A formula module: its lesson, what it settles, and its source."""
    settled = [entries[c.id] for c in module.CLAIMS if c.id in entries]
    rows = "".join(f"<li>{link(e.id, '../')} {verdict(e.verdict)} {inline(e.statement)}</li>" for e in settled)
    body = (f'<p class="crumbs"><a href="../methods.html">Methods</a> / refdgm.{name}</p>\n'
            f"<h1>{inline(headline(module))}</h1>\n"
            f'<div class="lesson">{prose(inspect.cleandoc(module.__doc__), escape)}</div>\n'
            f'<h2>What it settles</h2>\n<ul class="plain">{rows}</ul>\n<h2>Source</h2>\n'
            + code(inspect.getsource(module)))
    return page(headline(module), body, "methods.html", "../")


def methods_page(found):
    """All formula modules, room by room."""
    parts = ["<h1>Methods</h1>", f"<p>{len(found)} modules. Each is read in five minutes: formulas with their places, "
             "the exact oracle, and the mistakes that it rejects.</p>"]
    for room in ledger.ROOMS:
        rows = "".join(f'<li><a href="methods/{name}.html"><code>{name}</code></a> {inline(headline(module))}</li>'
                       for name, module in found.items() if name.split(".")[0] == room)
        if rows:
            parts.append(f'<h2>{room[0].upper() + room[1:]}</h2>\n<ul class="plain">{rows}</ul>')
    return page("Methods", "\n".join(parts), "methods.html")
