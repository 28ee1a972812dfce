"""The judge of functions whose value is determined by their arguments: values, derivatives, and what went wrong."""
from itertools import product

import numpy as np

from refdgm.contract import SEEDS, truth
from refdgm.trials import TOLERANCE, attempt, prepared

COARSE = TOLERANCE["float32"]
ROUGH = "it is right to float32's precision only: a number in it is float32, or an epsilon is added somewhere"


def values(cases, gradients=()):
    """The judge of a function whose value is determined by its arguments.

    cases(seed) -> list of Case; gradients: the arguments in which its derivative must be right, too.
    """
    known = {}                          # what is expected of the usual instances, for one function after another

    def judge(contract, subject, dtypes, seeds, note):
        trials, notes = [], []
        for dtype, seed in product(dtypes, seeds):
            for n, case in enumerate(cases(seed)):
                for wrt in (None, *gradients) if dtype != "bfloat16" or not case.hard else ():
                    note(f"{dtype}, {case.label}" + (f", gradient in {wrt}" if wrt else ""))
                    key = (contract.name, dtype, seed, n, wrt)
                    asked = known.get(key) or prepared(contract, case, dtype, wrt)
                    if seed in SEEDS:
                        known[key] = asked
                    done = attempt(contract, subject, case, dtype, wrt, *asked)
                    if isinstance(done, str):
                        notes.append(done)
                    else:
                        trials.append(done)
        return verdict(contract, subject, trials, list(dict.fromkeys(notes)))
    judge.kind, judge.cases, judge.gradients = "values", cases, gradients
    return judge


def apart(parts, others):
    """How far two results, lists of arrays, are from each other: what a property returns."""
    return max(float(np.max(np.abs(x - y), initial=0.0)) for x, y in zip(parts, others, strict=True))


# ---- the verdict ----------------------------------------------------------------------

def verdict(contract, subject, trials, notes):
    """What the trials say together: the fields of a record."""
    worst = max(trials, key=lambda t: t.error / TOLERANCE[t.dtype])
    found = {"status": "conforms", "measured": worst.error, "allowed": TOLERANCE[worst.dtype], "dtype": worst.dtype,
             "notes": notes}
    failing = [t for t in trials if t.fails]
    if not failing:
        return found
    shown = min(failing, key=lambda t: (t.case.hard, t.wrt is not None, t.size))
    found.update(status="deviates", **shown_by(shown))
    if all(t.got is None for t in failing) and len(failing) == len(trials):
        return {**found, "status": "error"}
    return {**found, **diagnose(contract, subject, trials, shown)}


def shown_by(trial):
    """The fields of a record that show a trial."""
    return {"case": trial.case.label + (f", gradient in {trial.wrt}" if trial.wrt else ""), "dtype": trial.dtype,
            "measured": trial.error, "allowed": TOLERANCE[trial.dtype], "input": trial.arguments,
            "expected": trial.expected, "got": trial.got, "problem": trial.problem}


def diagnose(contract, subject, trials, shown):
    """The known mistake or convention that a deviating function is; else what is constant about it, or broken."""
    ordinary = [t for t in trials if not t.case.hard]
    evidence = ordinary if any(t.fails for t in ordinary) else trials
    for least in (0.0, COARSE):
        for kind, others in (("convention", contract.conventions), ("mistake", contract.mistakes)):
            for name, other in others.items():
                if all(agrees(other.function, contract, t, least) for t in evidence):
                    return {"matches": name, **judged(contract, trials, other, kind, least)}
        if all(t.error <= max(COARSE, TOLERANCE[t.dtype]) for t in evidence):
            return {"advice": ROUGH}
    if evidence is not ordinary:
        return {"advice": f"it is right on ordinary input; it fails at: {labels(t for t in trials if t.fails)}"}
    if all(not t.fails for t in ordinary if t.wrt is None):
        return {"advice": "its value is right, its derivative is not: something is held constant that should not be, "
                          "or the other way round"}
    factor = constant_factor(evidence)
    if factor is not None:
        return {"matches": f"times {factor:.6g}", "advice": f"every result is {factor:.6g} times the right one"}
    call = lambda **arguments: subject.call(contract, arguments, shown.dtype)[0]        # noqa: E731
    broken = [name for name, holds in contract.properties.items()
              if not _error(holds, call, shown.arguments) <= TOLERANCE[shown.dtype]]
    return {"broken": broken, "advice": f"broken: {'; '.join(broken)}" if broken else ""}


def judged(contract, trials, other, kind, least):
    """What is said of a function that is, on the evidence, a known mistake or convention.

    A convention conforms if the function is that convention at the extremes, too.
    """
    if least:
        return {"advice": f"{other.advice}; besides, {ROUGH}"}
    broken = [t for t in trials if t.case.hard and not agrees(other.function, contract, t)]
    if kind == "convention" and broken:
        shown = min(broken, key=lambda t: (t.wrt is not None, t.size))
        return {**shown_by(shown), "advice": f"{other.advice}; besides, it fails at: {labels(broken)}"}
    return {"advice": other.advice, **({"status": "conforms", "problem": "", "case": ""} if kind == "convention"
                                       else {})}


def labels(trials):
    return ", ".join(dict.fromkeys(t.case.label for t in trials))


def agrees(function, contract, trial, least=0.0):
    """Whether a known mistake gives what was got; where both fail (NaN, infinity, another shape), that agrees, too.

    It is computed in float64, and at an extreme in float32 as well: a mistake that overflows does so where its dtype
    does. A tolerance below `least` is not asked for.
    """
    dtypes = ("float64", "float32") if trial.case.hard and trial.dtype != "float64" else ("float64",)
    return any(_gives(function, contract, trial, dtype, least) for dtype in dtypes)


def _gives(function, contract, trial, dtype, least):
    try:
        other = truth(function, contract, trial.arguments, trial.wrt, dtype)
    except Exception:
        return trial.got is None
    if trial.got is None or [np.shape(g) for g in trial.got] != [np.shape(o) for o in other]:
        return False
    tolerance = 3 * max(TOLERANCE[trial.dtype], least)
    return all(np.allclose(g, o, rtol=tolerance, atol=tolerance * trial.scale, equal_nan=True)
               for g, o in zip(trial.got, other))


def constant_factor(trials):
    """The c with got = c * expected in every trial, or None."""
    pairs = [(g, e) for t in trials if t.got and len(t.got) == len(t.expected)
             for g, e in zip(t.got, t.expected) if np.shape(g) == np.shape(e)]
    if len(pairs) < len(trials) or not pairs:
        return None
    got, expected = (np.concatenate([np.ravel(part) for part in side]) for side in zip(*pairs))
    if not (np.all(np.isfinite(got)) and np.all(np.isfinite(expected)) and np.any(expected)):
        return None
    c = got @ expected / (expected @ expected)
    off = max(float(np.max(np.abs(g - c * e), initial=0.0)) / (t.scale * TOLERANCE[t.dtype])
              for t in trials for g, e in zip(t.got, t.expected))
    return float(c) if off <= 3 * max(1.0, abs(c)) and abs(c) > 1e-6 else None


def _error(holds, call, arguments):
    try:
        return holds(call, arguments)
    except Exception:
        return np.inf
