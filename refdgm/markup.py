"""The frame of every page, and the few pieces of HTML that pages share."""
import html
import re

from refdgm.formulas import mathml, unicode

SECTIONS = (("index.html", "Start"), ("derivations.html", "Derivations"), ("methods.html", "Methods"),
            ("table1.html", "Table 1"), ("errata.html", "Errata"), ("notation.html", "Notation"))
INLINE = re.compile(r"\$([^$]+)\$|`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*")


def page(title, body, here="", up="", head=""):
    """A whole page. up: the way to the site's root, "" or "../"; here: the section that it belongs to."""
    current = ' aria-current="page"'
    links = "".join(f'<li><a href="{up}{file}"{current if file == here else ""}>{name}</a></li>'
                    for file, name in SECTIONS)
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta name="color-scheme" content="light dark">\n<title>{escape(in_words(title))} · refdgm</title>\n'
            f'<link rel="icon" href="data:,">\n<link rel="stylesheet" href="{up}style.css">\n{head}</head>\n<body>\n'
            f'<a class="skip" href="#content">To the content</a>\n<header><nav aria-label="Site"><ul>{links}</ul></nav>'
            f'</header>\n<main id="content">\n{body}\n</main>\n</body>\n</html>\n')


def escape(text):
    return html.escape(str(text), quote=True)


def in_words(text):
    """Prose as plain text, its formulas in Unicode: for titles and for the terminal."""
    return INLINE.sub(lambda m: unicode(m[1]) if m[1] else m[2] or m[3] or m[4], text)


def formula(latex, display=False):
    """A formula; a long one scrolls by itself and never widens the page."""
    if display:
        return f'<div class="formula" tabindex="0">{mathml(latex, display=True)}</div>'
    return mathml(latex)


def prose(text, words=None):
    """A docstring's paragraphs: $mathematics$, `code`, *stress*; an indented block, or an example, keeps its form.

    words=escape: the text is plain, as in a module's docstring, where a star is a product.
    """
    parts = []
    for block in re.split(r"\n\s*\n", (text or "").strip()):
        if block.startswith(">>>") or all(line.startswith("    ") for line in block.split("\n") if line):
            parts.append(f'<pre tabindex="0">{escape(dedent(block))}</pre>')
        else:
            parts.append(f"<p>{(words or inline)(' '.join(block.split()))}</p>")
    return "\n".join(parts)


def inline(text):
    """One paragraph of prose."""
    def one(match):
        tex, code, strong, stress = match.groups()
        if tex:
            return formula(tex)
        tag, inside = ("code", code) if code else ("strong", strong) if strong else ("em", stress)
        return f"<{tag}>{escape(inside)}</{tag}>"
    out, at = [], 0
    for match in INLINE.finditer(text):
        out += [escape(text[at:match.start()]), one(match)]
        at = match.end()
    return "".join([*out, escape(text[at:])])


def dedent(block):
    import textwrap
    return textwrap.dedent(block).strip("\n")


def code(source):
    """Python source with its words coloured."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer
    coloured = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<pre class="code" tabindex="0"><code>{coloured}</code></pre>'


def number(x):
    """A measured number as 4.1 × 10⁻¹⁶, or 0.513."""
    if x is None:
        return ""
    if x != x or x in (float("inf"), float("-inf")):
        return "∞" if x == float("inf") else "−∞" if x == float("-inf") else "not a number"
    if x == 0 or 1e-3 <= abs(x) < 1e4:
        return f"{x:.3g}".replace("-", "−")
    mantissa, power = f"{x:.1e}".split("e")
    return f"{mantissa.replace('-', '−')} × 10<sup>{str(int(power)).replace('-', '−')}</sup>"


def verdict(word):
    """A badge: the word says it, the colour repeats it."""
    return f'<span class="badge {word.replace(" ", "-")}">{word}</span>'


def definitions(rows):
    """<dl> of (term, HTML) pairs; those without HTML are left out."""
    inside = "".join(f"<div><dt>{escape(term)}</dt><dd>{content}</dd></div>" for term, content in rows if content)
    return f"<dl>{inside}</dl>" if inside else ""
