"""A file of derivations as a notebook: prose, then for each line its formula and the code that makes its number.

The code is the derivation's own. Where the file yields a line, the notebook shows it: `show` holds it against the last
right line above, and prints what it found.
"""
import ast
import inspect
import json
import sys
import textwrap

from refdgm import derivation as derivations
from refdgm import line_code
from refdgm.derivation import TEX
from refdgm.derivation_files import title_and_prose

SHOW = '''\
from refdgm.derivation import residual

_above = None


def show(line):
    """Hold a line against the last right line above it."""
    global _above
    if _above is not None:
        off = residual(_above, line)
        print(f"off by {off:.3g}: a mistake" if line.relation == "!=" else f"residual {off:.2g}")
        assert off > line.allowed if line.relation == "!=" else off <= line.allowed
    if line.relation not in ("!=", "->"):
        _above = line'''


def notebook(found):
    """The notebook (nbformat 4.5) of the derivations of one file, as JSON text; the same for the same file."""
    cells = [part for d in found for part in cells_of(d)]
    module = sys.modules[found[0].steps.__module__]
    title, rest = title_and_prose(found[0])
    cells = [("markdown", f"# {title}\n\n{rest}"), ("code", f"{setting(module)}\n\n{SHOW}"), *cells]
    whole = {"cells": [_cell(n, *cell) for n, cell in enumerate(cells)], "nbformat": 4, "nbformat_minor": 5,
             "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                          "language_info": {"name": "python"}}}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _cell(n, kind, source):
    cell = {"cell_type": kind, "id": f"cell-{n}", "metadata": {}, "source": source.splitlines(keepends=True)}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


def setting(module):
    """The file's code without its docstring and its derivations: imports, cases, helpers."""
    source = inspect.getsource(module)
    lines, gone = source.split("\n"), set()
    for node in ast.parse(source).body:
        is_prose = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_prose or any("derivation(" in ast.unparse(d) for d in getattr(node, "decorator_list", [])):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            gone |= set(range(first - 1, node.end_lineno))
    kept = "\n".join(line for n, line in enumerate(lines) if n not in gone).strip("\n")
    while "\n\n\n\n" in kept:
        kept = kept.replace("\n\n\n\n", "\n\n\n")
    return kept


def cells_of(derivation):
    """The cells of one derivation: its case, then formula and code of each line."""
    page = list(derivations.run(derivation.steps, derivation.case(0)))
    case = _case_name(derivation)
    yield "markdown", f"## {derivation.title}"
    yield "code", f"_above, _model = None, {case}(0)\n{_unpacked(derivation)}".rstrip("\n")
    last = None
    for (line, _), source in zip(page, line_code.codes(derivation), strict=True):
        yield "markdown", _line_text(line)
        if source != last:              # a loop that yields several lines is one cell
            yield "code", shown(source)
        last = source


def _unpacked(derivation):
    """Each argument of the derivation as a name of the notebook."""
    parameters = inspect.signature(derivation.steps).parameters.values()
    plain = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    rest = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
    lines = [f'{", ".join(plain)} = ' + ", ".join(f'_model["{name}"]' for name in plain)] if plain else []
    if rest:
        lines.append(f"{rest[0]} = {{name: value for name, value in _model.items() if name not in {plain!r}}}")
    return "\n".join(lines)


def _case_name(derivation):
    """The expression in the decorator that makes a case."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(derivation.steps)))
    decorator = tree.body[0].decorator_list[0]
    return f"({ast.unparse(decorator.args[0])})"


def _line_text(line):
    tex = f"$${TEX[line.relation]} {line.latex}$$"
    why = ("A mistake: " * (line.relation == "!=") + line.because).strip()
    return "\n\n".join(filter(None, [tex, why + (f" ({line.claim})" if line.claim else "")]))


def shown(source):
    """The code of a line with `show(...)` in the place of `yield ...`."""
    source = line_code.dedented(source)
    lines, tree = source.split("\n"), ast.parse(source)
    places = [(node.lineno - 1, node.col_offset, node.end_lineno - 1, node.end_col_offset) for node in ast.walk(tree)
              if isinstance(node, ast.Yield)]
    for top, left, bottom, right in sorted(places, reverse=True):
        lines[bottom] = _bytes_insert(lines[bottom], right, ")")
        lines[top] = lines[top][:left] + "show(" + lines[top][left + len("yield "):]
    return "\n".join(lines)


def _bytes_insert(line, at, text):
    """Insert at a column that counts bytes, as ast's do."""
    raw = line.encode()
    return (raw[:at] + text.encode() + raw[at:]).decode()
