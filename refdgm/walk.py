"""`refdgm show DERIVATION --walk`: down a derivation in the terminal, a line at a time.

    space, enter   the next line            c   the code of this line
    b              the line before          s   the same derivation on another random model
    q              leave                    +   on a larger one, where its case takes a size;   -   a smaller
"""
import inspect
import sys
from typing import NamedTuple

from refdgm import derivation as derivations
from refdgm import formulas, line_code, markup, report

KEYS = "space next · b back · c code · s another seed · + - size · q quit"


class Place(NamedTuple):
    """Where the walk stands."""
    at: int = 0                 # the line, from 0
    seed: int = 0
    larger: int = 0             # added to the sizes that the case takes
    code: bool = False          # whether the code is shown
    over: bool = False


def walk(derivation, seed=0, keys=None, write=sys.stdout.write):
    """Walk until the reader leaves, or past the last line. keys: an iterator of keys instead of the terminal's."""
    place = Place(seed=seed)
    write(f"{markup.in_words(derivation.title)}\n\n")
    with _terminal(keys) as read:
        last = None
        while not place.over:
            page = measured(derivation, place)
            if last is None or last[:3] != place[:3] or place.code:
                write(line_text(derivation, page, place) + "\n")
            last, key = place, read()
            place = turn(derivation, page, place, key)
            if place.over and place.at >= len(page):
                write(f"\nthat was the last of {len(page)} lines.\n")


def measured(derivation, place):
    """The lines with their residuals on the model of this seed and size."""
    return list(derivations.run(derivation.steps, derivation.case(place.seed, **sizes(derivation, place.larger))))


def sizes(derivation, larger):
    """The whole-number parameters of the case, that much larger; {} where there are none or nothing is asked."""
    parameters = inspect.signature(derivation.case).parameters.values()
    found = {p.name: p.default for p in parameters if isinstance(p.default, int) and not isinstance(p.default, bool)}
    return {name: size + larger for name, size in found.items()} if larger else {}


def turn(derivation, page, place, key):
    """Where a key leads."""
    place = place._replace(code=False)
    if key in ("q", "\x03", "\x04", ""):
        return place._replace(over=True)
    if key == "b":
        return place._replace(at=max(place.at - 1, 0))
    if key == "c":
        return place._replace(code=True)
    if key == "s":
        return place._replace(seed=place.seed + 1)
    if key in "+-" and sizes(derivation, 1):
        changed = place._replace(larger=place.larger + (1 if key == "+" else -1))
        return changed if possible(derivation, changed) else place
    if key in " \r\n":
        return place._replace(at=place.at + 1, over=place.at + 1 >= len(page))
    return place


def possible(derivation, place):
    """Whether the derivation can be run there."""
    try:
        return bool(measured(derivation, place))
    except Exception:
        return False


def line_text(derivation, page, place):
    """The line where the walk stands: formula, number, reason; its code where that is asked for."""
    line, residual = page[place.at]
    model = f"seed {place.seed}" + (f", {_sizes_text(derivation, place)}" if place.larger else "")
    why = "; ".join(filter(None, ["a mistake: " * (line.relation == "!=") + line.because, line.claim]))
    said = "" if not line.relation else f"{_measured_text(line, residual)}   "
    out = [f"{place.at + 1:2d}/{len(page)}  {formulas.SIGNS[line.relation]:1s} {formulas.text(line.latex)}",
           f"        {said}[{model}]" + (f"\n        {why}" if why else "")]
    if place.code:
        source = line_code.dedented(line_code.codes(derivation)[place.at])
        out.append("\n".join("        | " + row for row in source.split("\n")))
    return "\n".join(out)


def _measured_text(line, residual):
    number = report.number(residual)
    if line.relation == "!=":
        return f"off by {number}"
    return f"excess {number}" if line.relation in ("<=", ">=") else f"residual {number}"


def _sizes_text(derivation, place):
    return ", ".join(f"{name} = {size}" for name, size in sizes(derivation, place.larger).items())


class _terminal:
    """Single keys from the terminal, whose settings come back however the walk ends; else characters of stdin."""

    def __init__(self, keys):
        self.keys, self.before = keys, None

    def __enter__(self):
        if self.keys is not None:
            return lambda: next(self.keys, "q")
        if sys.stdin.isatty():
            print(KEYS + "\n", file=sys.stderr)
            try:
                import termios
                import tty
                self.before = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)
            except ImportError:         # no termios: a key, then enter
                return lambda: (sys.stdin.readline() or "q")[0]
        return lambda: sys.stdin.read(1)

    def __exit__(self, *_):
        if self.before is not None:
            import termios
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.before)
