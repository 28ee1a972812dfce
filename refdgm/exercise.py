"""`refdgm exercise`: a claim to settle with a formula of one's own, or a derivation whose wrong lines are to be found.

A claim asks for a function `answer`, of the arguments that its case has; it is held against the claim's own check, and
where it fails, against the mistakes that the claim knows by name. A derivation asks for `wrong_lines`, a list of
numbers. What an exercise asks is printed when no file is given.
"""
import inspect

import numpy as np
from autograd.misc import flatten

from refdgm import derivation as derivations
from refdgm import formulas, instances, ledger
from refdgm.distances import distance, structure

SEEDS = range(4)
SAME = 1e-8             # of two formulas that are one
SIMPLE = (-1.0, 2.0, 0.5, -2.0, -0.5)       # factors that are easily lost


def named(name):
    """The Claim or Derivation of that name. Raises ValueError with the nearest names where there is none."""
    found = ledger.claims().get(name) or ledger.derivations().get(name)
    if found is None and name in ledger.entries():
        raise ValueError(f"{name} is {ledger.entries()[name].verdict}: no number can settle it, so it is no exercise.")
    if found is None:
        raise ValueError(ledger.nearest(name, [*ledger.claims(), *ledger.derivations()]))
    return found


# ---- what is asked ----------------------------------------------------------------------

def task(name):
    """The exercise in words."""
    what = named(name)
    return _derivation_task(what) if name in ledger.derivations() else _claim_task(what)


def _claim_task(claim):
    entry, case = ledger.entries()[claim.id], example(claim, 0)
    arguments = "\n".join(f"    {name:12s} {_shape(value)}" for name, value in case.items())
    return (f"{claim.id}, {entry.where}\n\n{entry.statement}\n\n    {formulas.text(entry.printed)}\n\n"
            "Write what holds (the document may be wrong): FILE.py with\n\n"
            f"    def answer({', '.join(case)}):\n        ...\n\nof\n\n{arguments}\n\n"
            f"that returns {_shape(claim.claimed(**case))}; `refdgm exercise {claim.id} FILE.py` looks at it.")


def example(claim, seed):
    """The arguments of one instance; of a limit, with the first value of what goes there."""
    along = claim.check.along
    return {**claim.check.case(seed), **({along[0]: along[1][0]} if along else {})}


def _derivation_task(what):
    lines = [f"{n:3d}  {_mark(line)} {formulas.text(line.latex)}"
             for n, line in enumerate(what.steps(**what.case(0)), 1)]
    return (f"{what.title}\n\n" + "\n".join(lines) + "\n\nEach line claims to stand in its relation to the last right "
            "line above it. Some do not.\nWrite FILE.py with\n\n    wrong_lines = [...]\n\n"
            f"and `refdgm exercise {what.name} FILE.py` looks at it.")


def _mark(line):
    return {"": " ", "!=": "="}.get(line.relation, line.relation)


def _shape(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {_shape(part)}" for name, part in value.items()) + "}"
    if callable(value):
        return f"a function of {', '.join(inspect.signature(value).parameters)}"
    if isinstance(value, (int, float, str)) and not isinstance(value, np.floating):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return "(" + ", ".join(map(_shape, value)) + ")"
    return f"an array {np.shape(value)}" if np.ndim(value) else "a number"


# ---- what was answered ------------------------------------------------------------------

def look(name, path):
    """(right, what is to be said) of the answer in a file. Raises ValueError where the file does not answer."""
    what, module = named(name), ledger.load_file(path)
    wanted = "wrong_lines" if name in ledger.derivations() else "answer"
    given = getattr(module, wanted, None)
    if given is None:
        raise ValueError(f"{path} must define {wanted}; `refdgm exercise {name}` says how.")
    return lines_found(what, given, path) if wanted == "wrong_lines" else judged(what, given, path)


def lines_found(what, given, path="the file"):
    """Whether these are the derivation's wrong lines."""
    try:
        given = {int(n) for n in given}
    except (TypeError, ValueError):
        raise ValueError(f"wrong_lines in {path} must be a list of line numbers, not {given!r}.") from None
    findings = derivations.examine(what, SEEDS)
    wrong = {n: f for n, f in enumerate(findings, 1) if f.line.relation == "!="}
    said = [f"line {n} does hold: residual {findings[n - 1].measured:.2g}" if 0 < n <= len(findings)
            else f"there is no line {n}" for n in sorted(given - set(wrong))]
    missed = len(set(wrong) - given)
    said += [f"{missed} wrong line{'s are' if missed > 1 else ' is'} still to be found"] * bool(missed)
    said += [f"line {n} is wrong, by {wrong[n].measured:.2g}: {wrong[n].line.because}"
             for n in sorted(given & set(wrong))]
    return given == set(wrong), "\n".join(["right." if given == set(wrong) else "not yet.", *said])


def judged(claim, answer, path="the file"):
    """Whether a formula is what the claim says; if not, which known mistake it is."""
    if not callable(answer):
        raise ValueError(f"answer in {path} must be a function of {', '.join(claim.check.case(0))}.")
    try:
        with np.errstate(all="ignore"):
            report = claim.check(bound(answer, claim), SEEDS)
    except Exception as error:
        return False, f"not yet: answer raises {type(error).__name__}: {error}."
    held = f"{report.measured:.2g} {report.relation} {report.allowed:.2g}"
    if report.ok:
        return True, f"right: {claim.check.kind}, {held} on {len(SEEDS)} random models."
    return False, f"not yet: {held} fails, shown on the model of seed {report.seed}.\n{diagnosis(claim, answer)}"


def bound(answer, claim):
    """The answer, taking of a case what it has names for."""
    names = inspect.signature(answer).parameters
    if any(p.kind is p.VAR_KEYWORD for p in names.values()):
        return answer
    return lambda **case: answer(**{name: value for name, value in case.items() if name in names})


def diagnosis(claim, answer):
    """Which known mistake a wrong answer is; else a simple factor, or the smallest model and both values."""
    cases = [example(claim, seed) for seed in SEEDS]
    with np.errstate(all="ignore"):
        given = [_value(bound(answer, claim), case) for case in cases]
        forms = {"the form as printed": claim.printed, **claim.mistakes}
        for name, wrong in forms.items():
            if wrong is not None and all(_same(g, _value(wrong, case)) for g, case in zip(given, cases)):
                return f"It is a known mistake: {name}."
        right = [_value(claim.claimed, case) for case in cases]
        for factor in SIMPLE:
            if all(_same(g, _scaled(r, factor)) for g, r in zip(given, right)):
                return f"It is {factor:g} times the right answer, always."
        if [structure(g) for g in given] != [structure(r) for r in right]:
            return f"It returns {_shape(given[0])}, where {_shape(right[0])} is due."
    return f"On this model it gives {given[0]}, where {right[0]} is right:\n{instances.show(cases[0])}"


def _value(function, case):
    try:
        return function(**case)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _same(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return False
    try:
        if distance(a, b) <= SAME:
            return True
        (a, _), (b, _) = flatten(a), flatten(b)
        return a.shape == b.shape and bool(np.any(np.isnan(a))) and np.allclose(a, b, SAME, SAME, equal_nan=True)
    except Exception:
        return False


def _scaled(tree, factor):
    if isinstance(tree, dict):
        return {name: _scaled(part, factor) for name, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(_scaled(part, factor) for part in tree)
    return tree if isinstance(tree, str) else factor * np.asarray(tree)
