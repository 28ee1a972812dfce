"""The start page, the map of methods (Table 1), and the notation of each document."""
import os
import tomllib
from functools import lru_cache

import refdgm
from refdgm import ledger
from refdgm.markup import escape, formula, inline, page, verdict

# ou2018 Table 1: what phi follows (rows), what theta follows (columns), and who stands there: (name, claim, module).
COLUMNS = (r"\max_\theta E\log p_\theta(x)", r"\max_\theta E\,\mathcal L(x)", r"\max_\theta E\,\mathcal I_K(x)")
ROWS = (
    ("variational bound", r"\max_\phi E\,\mathcal L(x)",
     {1: (("VAE", "ou2018.table1.vae", "directed.pathwise_gradient"), ("NVIL", "ou2018.table1.nvil", "directed.nvil"),
          ("MuProp", "ou2018.table1.muprop", "directed.muprop"))}),
    ("importance weighted bound", r"\max_\phi E\,\mathcal I_K(x)",
     {2: (("IWAE", "ou2018.table1.iwae", "directed.iwae"), ("VIMCO", "ou2018.vimco", "directed.vimco"))}),
    ("inclusive KL, importance sampling", r"\min_\phi E_{\tilde p}\,\mathrm{KL}[p(h|x)\|q(h|x)]",
     {2: (("RWS", "ou2018.table1.rws_is", "directed.rws"),)}),
    ("inclusive KL, Metropolis independence sampling", r"\min_\phi E_{\tilde p}\,\mathrm{KL}[p(h|x)\|q(h|x)]",
     {0: (("JSA", "ou2018.table1.jsa", "directed.jsa"),)}),
    ("inclusive KL on dreams", r"\min_\phi E_{p_\theta}\,\mathrm{KL}[p(h|x)\|q(h|x)]",
     {1: (("wake-sleep", "ou2018.table1.ws", "directed.wake_sleep"),),
      2: (("RWS, sleep", "ou2018.table1.rws_sleep", "directed.rws"),)}),
)


def start_page(records, drawn):
    """What there is, with the numbers of this very run."""
    claims = [records[id] for id in ledger.entries()]
    executed = [r for r in claims if r["check"]]
    mistakes = [m for r in claims for m in r["mistakes"]]
    lines = [line for name in ledger.derivations() for line in records[name]["lines"]]
    facts = (f"<li>{len(claims)} claims, {len(executed)} of them settled by a number</li>"
             f"<li>{sum(m['rejected'] for m in mistakes)} of {len(mistakes)} plausible mistakes rejected</li>"
             f"<li>{len(ledger.derivations())} derivations, {len(lines)} lines, each with its residual</li>")
    rows = "".join(
        f'<li><a href="documents/{key}.html">{escape(title)}</a> <span class="quiet">'
        f'{sum(e.document == key for e in ledger.entries().values())} claims</span></li>'
        for key, title in ledger.DOCUMENTS.items())
    shown = "".join(figure for figure in drawn.values())
    return page("refdgm", "<h1>The mathematics of deep generative models, executed and checked</h1>\n"
                f"<p>Version {escape(refdgm.__version__)}. Every number on these pages was measured while they were "
                f"made.</p>\n<ul>{facts}</ul>\n<h2>By document</h2>\n<ul class=\"plain\">{rows}</ul>\n"
                f"<h2>Figures</h2>\n{shown}", "index.html")


def table1_page(methods):
    """Table 1 of ou2018; every algorithm links to its formulas and to the claim that puts it into its cell."""
    head = "".join(f'<th scope="col">{formula(c)}</th>' for c in COLUMNS)
    body = "".join(f'<tr><th scope="row">{escape(name)}<br>{formula(tex)}</th>'
                   + "".join(f"<td>{''.join(algorithm(*a, methods) for a in cells.get(i, ()))}</td>"
                             for i in range(len(COLUMNS))) + "</tr>" for name, tex, cells in ROWS)
    adversarial = algorithm("GAN", "ou2018.table1.adv", "adversarial.gan", methods)
    return page("Table 1", "<h1>Which objectives each algorithm follows</h1>\n<p>After Table 1 of ou2018. Each "
                "algorithm's mean update was held against the gradients of every row and every column: it stands "
                f'where both agree. An empty cell holds no algorithm.</p>\n<div class="scroll" tabindex="0"><table>'
                f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>\n"
                f"<p>Adversarial learning follows a bound on an f-divergence instead, down in the generator and up in "
                f"the discriminator:</p>\n{adversarial}", "table1.html")


def algorithm(name, claim, module, methods):
    """A name that links to its module, with its claim's verdict beneath."""
    title = f'<a href="methods/{module}.html">{escape(name)}</a>' if module in methods else escape(name)
    entry = ledger.entries()[claim]
    return (f'<div class="cell">{title} <a class="claim" href="documents/{entry.document}.html#{claim}">'
            f"{verdict(entry.verdict)}</a></div>")


@lru_cache(maxsize=1)
def notation():
    """The rows of documents/NOTATION.toml."""
    with open(os.path.join(os.path.dirname(ledger.__file__), "documents", "NOTATION.toml"), "rb") as file:
        return tomllib.load(file)["symbol"]


def notation_page(methods):
    """Symbol in each document, name in the code."""
    head = "".join(f'<th scope="col">{key}</th>' for key in ledger.DOCUMENTS)
    rows = "".join(f'<tr><th scope="row">{inline(row["means"])}</th>'
                   + "".join(f"<td>{formula(row[key]) if key in row else ''}</td>" for key in ledger.DOCUMENTS)
                   + f"<td><code>{escape(row['code'])}</code></td></tr>" for row in notation())
    return page("Notation", "<h1>Notation</h1>\n<p>The documents name the same things differently. The code keeps the "
                'names of the document that a module follows.</p>\n<div class="scroll" tabindex="0"><table><thead><tr>'
                f'<th scope="col">what</th>{head}<th scope="col">in the code</th></tr></thead><tbody>{rows}</tbody>'
                "</table></div>", "notation.html")
