r"""A derivation that runs: a generator whose every line yields its LaTeX and its value on a small random model.

    @derivation(random_case)
    def gap(theta, phi, x):
        "The gap of the bound is a KL divergence."
        yield start(r"\log p(x) - \mathcal L", ...)
        yield equals(r"\mathrm{KL}[q \| p(h|x)]", ..., because="Bayes")
        yield mistake(r"\mathrm{KL}[p(h|x) \| q]", ..., because="the other direction")

Each line is held against the last true line above it, on every instance. A mistake must differ; it is compared and
never built upon.
"""
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from autograd.misc import flatten

from refdgm import validation as valid
from refdgm.checking import IDENTITY, ROUNDING, STRICT
from refdgm.claim import enough, instance
from refdgm.distances import distance

OTHER_LINES = "derivation {} must yield the same lines, and at least one, on every instance."
TEX = {"": "", "=": "=", "<=": r"\le", ">=": r"\ge", "->": r"\to", "!=": r"\ne"}


class Line(NamedTuple):
    relation: str           # "", "=", "<=", ">=", "->" or "!=" (a mistake)
    latex: str
    value: Any              # array, or dict of arrays; for "->" a list of them that approaches the line above
    because: str = ""       # what licenses the step: "Fisher equality", "Jensen", "q does not depend on theta"
    claim: str = ""         # place in a document, "ou2018.eq20"
    allowed: float = IDENTITY
    scale: float | None = None      # what a residual is relative to, where the value itself is zero

    def _repr_latex_(self):
        return f"${TEX[self.relation]} {self.latex}$"


class Derivation(NamedTuple):
    """`steps(**case(seed))` yields Lines. Calling it with a seed gives [(line, residual), ...]."""
    name: str
    title: str              # the first paragraph of the function's docstring
    steps: Callable
    case: Callable          # seed -> dict of arguments

    def __call__(self, seed=0):
        return list(run(self.steps, self.case(seed)))

    def _repr_markdown_(self):
        """In a notebook: the lines with their residuals on the model of seed 0."""
        rows = [f"| ${TEX[line.relation]}$ | ${line.latex.replace('|', chr(92) + 'vert ')}$ | "
                f"{f'{off:.2g}' if line.relation else ''} | {_reason(line)} |" for line, off in self()]
        return "\n".join([f"**{self.title}**", "", "| | | residual | |", "|---|:---|---|:---|", *rows])

    def _repr_html_(self):
        """The same, typeset, where latex2mathml is installed."""
        from refdgm import markup
        from refdgm.formulas import SIGNS
        try:
            rows = "".join(f"<tr><td>{SIGNS[line.relation]}</td><td>{markup.formula(line.latex)}</td>"
                           f"<td>{markup.number(off) if line.relation else ''}</td>"
                           f"<td>{markup.inline(_reason(line))}</td></tr>" for line, off in self())
        except ValueError:
            return None                 # the notebook takes the Markdown
        return (f"<p><strong>{markup.inline(self.title)}</strong></p><table><thead><tr><th></th><th></th>"
                f"<th>residual</th><th></th></tr></thead><tbody>{rows}</tbody></table>")


def _reason(line):
    claim = f" ({line.claim})" if line.claim else ""
    return ("a mistake: " if line.relation == "!=" else "") + line.because + claim


class Finding(NamedTuple):
    """A line and the worst that was measured over all instances, at `seed`; `ok` is false where the line breaks."""
    line: Line
    measured: float
    seed: int
    strict: bool            # whether an inequality is one on some instance

    @property
    def ok(self):
        return stands(self.line.relation, self.measured, self.line.allowed, self.strict)


def derivation(case, name=None):
    """Decorator: make a `Derivation` of a generator function; its docstring's first paragraph is the title."""
    def wrap(steps):
        title = " ".join((steps.__doc__ or steps.__name__.replace("_", " ")).strip().split("\n\n")[0].split())
        module = steps.__module__.rsplit(".", 1)[-1]
        return Derivation(name or f"{module}.{steps.__name__}", title, steps, case)
    return wrap


def start(latex, value, claim="", because=""):
    """The first line."""
    return Line("", latex, value, because, claim)


def equals(latex, value, because, claim="", allowed=IDENTITY, scale=None):
    """= the line above, within `allowed` of max |value above| (or of `scale`, where that is zero)."""
    return Line("=", latex, value, because, claim, allowed, scale)


def at_most(latex, value, because, claim="", allowed=ROUNDING):
    """The line above is <= this one, and strictly less on some instance."""
    return Line("<=", latex, value, because, claim, allowed)


def at_least(latex, value, because, claim="", allowed=ROUNDING):
    """The line above is >= this one, and strictly more on some instance."""
    return Line(">=", latex, value, because, claim, allowed)


def approaches(latex, values, because, claim="", allowed=1e-8, scale=None):
    """The list `values` tends to the line above: its last entry is within `allowed`, its first is not."""
    return Line("->", latex, values, because, claim, allowed, scale)


def mistake(latex, value, because, claim="", allowed=IDENTITY, scale=None):
    """!= the last true line above, by more than `allowed`: what a student might write, and why it is wrong."""
    return Line("!=", latex, value, because, claim, allowed, scale)


def residual(previous, line):
    """How far `line` is from standing in its relation to the last true line; 0 is perfect, for != large is good.

    For <= and >= it is the signed excess, so that a negative number says by how much the inequality is strict.
    """
    if line.relation in ("<=", ">="):
        a, b = flatten(previous.value)[0], flatten(line.value)[0]
        if a.shape != b.shape or not np.all(np.isfinite(b)):
            return np.inf
        return float(np.max(a - b if line.relation == "<=" else b - a)) / max(np.max(np.abs(a)), 1e-300)
    if line.relation == "->":
        errors = [distance(value, previous.value, line.scale) for value in line.value]
        return errors[-1] if errors[0] > max(line.allowed, errors[-1]) else np.inf
    return distance(line.value, previous.value, line.scale)


def stands(relation, measured, allowed, strict):
    """Whether a line of which this was measured over all instances holds; for a mistake, whether it shows."""
    return measured > allowed if relation == "!=" else strict and measured <= allowed


def _is_line(line):
    """Raise ValueError where a derivation has yielded what cannot be held against the line above."""
    valid.require(isinstance(line, Line),
                  f"a derivation yields lines, of start, equals, ..., and no {type(line).__name__}.")
    for name in ("latex", "because", "claim"):
        valid.text(name, getattr(line, name))
    valid.number("allowed", line.allowed, 0)
    if line.scale is not None:
        valid.number("scale", line.scale, 0)


def run(steps, case):
    """Yield (line, residual) down the page. A mistake, or an approaching sequence, is compared and not built upon."""
    last = None
    for line in steps(**case):
        _is_line(line)
        yield line, (0.0 if last is None else residual(last, line))
        if line.relation not in ("!=", "->"):
            last = line


def examine(what, seeds=range(4)):
    """Hold every line of a Derivation on every seed -> [Finding, ...], one a line, with its worst instance.

    A mistake must show, and an inequality be strict, on one of at least `claim.ENOUGH` instances.
    """
    pages = {}
    for seed in enough(seeds):
        with instance(seed):
            pages[seed] = what(seed)
    shapes = {tuple(line.latex for line, _ in page) for page in pages.values()}
    if len(shapes) != 1 or not next(iter(shapes)):
        raise ValueError(OTHER_LINES.format(what.name))
    findings = []
    for i, (line, _) in enumerate(pages[seeds[0]]):
        by_seed = {seed: np.nan_to_num(page[i][1], nan=np.inf, posinf=np.inf) for seed, page in pages.items()}
        worst = max(by_seed if line.relation == "!=" else seeds, key=by_seed.get)
        strict = line.relation not in ("<=", ">=") or min(by_seed.values()) < -STRICT
        findings.append(Finding(line, float(by_seed[worst]), worst, bool(strict)))
    return findings
