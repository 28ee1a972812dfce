r"""TeX, as it stands in derivations and in the ledger, to MathML for the browser and to Unicode for the terminal.

latex2mathml parses (the extra `pages`); both outputs walk its one tree, so that they say the same.
"""
import re
import xml.etree.ElementTree as Tree
from functools import lru_cache

SPELLED = ((r"\arg", r"\operatorname{arg}"), (r"\iff", r"\Longleftrightarrow"), (r"\implies", r"\Longrightarrow"))
SIGNS = {"": "", "=": "=", "<=": "≤", ">=": "≥", "->": "→", "!=": "≠"}        # how a relation is written
LEAK = re.compile(r"\\[A-Za-z]+|[_^]\{|\$")
SUPERSCRIPTS = dict(zip("0123456789+-=()nijkTx*′", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱʲᵏᵀˣ*′", strict=True))
SUBSCRIPTS = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
ALPHABETS = {                           # browsers know no mathvariant but "normal": letters of Unicode's own
    "double-struck": (0x1D538, {"C": "ℂ", "H": "ℍ", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}),
    "script": (0x1D49C, {"B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "L": "ℒ", "M": "ℳ", "R": "ℛ"}),
    "bold": (0x1D400, {})}
OPENING = set("([{|‖")
ABOVE = {"¯": "\u0304", "‾": "\u0304", "―": "\u0304", "^": "\u0302", "~": "\u0303", "˙": "\u0307", "→": "\u20d7"}


@lru_cache(maxsize=4096)
def tree(latex, display=False):
    """The MathML element of a formula. Raises ValueError where TeX is left over, or latex2mathml is missing."""
    try:
        from latex2mathml.converter import convert
    except ImportError as error:
        raise ValueError("formulas need latex2mathml: pip install 'refdgm[pages]'.") from error
    for short, long in SPELLED:
        latex = re.sub(re.escape(short) + r"(?![A-Za-z])", lambda _, long=long: long, latex)
    try:
        text = convert(latex, display="block" if display else "inline")
    except Exception as error:
        raise ValueError(f"this is no formula that can be typeset: {latex} ({type(error).__name__}).") from error
    element = Tree.fromstring(text)
    left = [leaf.text for leaf in element.iter() if leaf.text and LEAK.search(leaf.text)]
    if left:
        raise ValueError(f"this formula leaves {', '.join(left)} as TeX: {latex}.")
    _letters(element)
    _spaces(element)
    return element


def _letters(element):
    """Double-struck, script and bold capitals as letters of their own; bold small ones, too."""
    for leaf in element.iter():
        variant, text = leaf.get("mathvariant"), leaf.text or ""
        if variant in ALPHABETS:
            first, odd = ALPHABETS[variant]
            leaf.text = "".join(odd.get(c) or chr(first + ord(c) - 65) if "A" <= c <= "Z" else
                                chr(first + 26 + ord(c) - 97) if "a" <= c <= "z" else c for c in text)
            del leaf.attrib["mathvariant"]


def _spaces(element):
    """A thin space on both sides of a function's name, as TeX has it, but none where a bracket opens after it."""
    for row in list(element.iter()):
        if not row.tag.endswith(("mrow", "math")):
            continue
        parts = list(row)
        for at in range(len(parts) - 1, -1, -1):
            if not _is_name(parts[at]):
                continue
            after, before = parts[at + 1:at + 2], parts[at - 1:at] if at else []
            if after and not _is_name(after[0]) and (after[0].text or "") not in OPENING:
                row.insert(at + 1, _thin())
            if before and (_is_name(before[0]) or not before[0].tag.endswith(("mo", "mspace"))
                           or (before[0].text or "") in set(")]}")):
                row.insert(at, _thin())


def _is_name(part):
    while part.tag.endswith(("msub", "msup", "msubsup", "munder", "mover", "munderover")):
        part = part[0]
    return part.tag.endswith(("mi", "mo")) and len(part.text or "") > 1 and (part.text or "").isalpha()


def _thin():
    return Tree.Element("{http://www.w3.org/1998/Math/MathML}mspace", {"width": "0.167em"})


def mathml(latex, display=False):
    """A formula for the browser, with its TeX in an annotation, for who copies it."""
    element = tree(latex, display)
    Tree.register_namespace("", "http://www.w3.org/1998/Math/MathML")
    inside = "".join(Tree.tostring(part, encoding="unicode") for part in element)
    inside = inside.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    shown = ' display="block"' if display else ""
    source = latex.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (f'<math xmlns="http://www.w3.org/1998/Math/MathML"{shown}><semantics>{inside}'
            f'<annotation encoding="application/x-tex">{source}</annotation></semantics></math>')


def unicode(latex):
    r"""A formula on one line of a terminal.

    >>> unicode(r"\nabla_\theta \log \tfrac1K \sum_k w_k")
    '∇_θ log 1/K ∑ₖ wₖ'
    """
    flat = re.sub(r"\s+", " ", _plain(tree(latex))).strip()
    return re.sub(r"(^|[(\[{,=] ?)([−+]) ", r"\1\2", re.sub(r" ([)\]},;])", r"\1", flat))


def text(latex):
    """A formula for the terminal: in Unicode, or as TeX where latex2mathml is missing or cannot read it."""
    try:
        return unicode(latex)
    except ValueError:
        return latex


def _plain(element):
    tag, parts = element.tag.rsplit("}", 1)[-1], list(element)
    if tag == "mfrac":
        return "/".join(_grouped_text(_plain(part)) for part in parts) + " "
    if tag == "msqrt":
        inside = "".join(map(_plain, parts)).strip()
        return "√" + (inside if len(inside) == 1 else f"({inside})")
    if tag == "munder" and _plain(parts[1]).strip() in ABOVE:
        return _plain(parts[0]) + "\u0332"
    if tag in ("msub", "munder"):
        return _plain(parts[0]) + _script(_plain(parts[1]), SUBSCRIPTS, "_") + _after(parts[0])
    if tag == "msup":
        return _plain(parts[0]) + _script(_plain(parts[1]), SUPERSCRIPTS, "^")
    if tag == "mover":
        mark = _plain(parts[1]).strip()
        return _plain(parts[0]) + (ABOVE[mark] if mark in ABOVE else _script(mark, SUPERSCRIPTS, "^"))
    if tag in ("msubsup", "munderover"):
        return (_plain(parts[0]) + _script(_plain(parts[1]), SUBSCRIPTS, "_")
                + _script(_plain(parts[2]), SUPERSCRIPTS, "^") + _after(parts[0]))
    text = "".join([element.text or "", *map(_plain, parts)]) if tag != "mspace" else " "
    if tag == "mo" and text in "=≤≥<>≈→+−∈∼⟺≠":
        return f" {text} "
    return f"{text} " if tag == "mi" and len(text) > 1 or tag == "mo" and text == "," else text


def _after(symbol):
    return " " if (symbol.text or "") in set("∑∏∫") else ""


def _script(text, table, mark):
    text = text.strip().replace("−", "-")
    if text and all(letter in table for letter in text):
        return "".join(table[letter] for letter in text)
    return mark + (text if len(text) <= 1 else "{" + text.replace(" ", "") + "}")


def _grouped_text(text):
    text = text.strip()
    return text if len(text) <= 1 or text.isalnum() else f"({text})"
