"""Attack a claim: search for the instance on which it fails worst, and shrink what is found to a small one.

`refdgm falsify ID` attacks an inequality that holds, which must survive, and the printed form of a misprint or a false
claim (or the cases without the condition of a holds-if), of which a counter-example must be found. The search starts
from many random instances, of several sizes where the case takes sizes, and climbs the check's own number: along its
gradient where the formula can be differentiated, by random steps that are kept when they help where it cannot. No
number grows beyond what refdgm.instances allows: what fails only there fails in rounding. Where a check states the
condition of its claim (`checking.provided`), the search does not leave it.
"""
import inspect
import time
from typing import NamedTuple

import numpy as np
from autograd import grad

from refdgm.checking import ROUNDING
from refdgm.distances import distance
from refdgm.instances import all_real, moved, nudged, rounded, same, with_zeros

CLIMB = 60              # steps of the search from each start
ENOUGH_CLIMBING = 20    # steps after which a clear counter-example is large enough to be rounded
CLEAR = 100.0           # a counter-example is clear when it misses by this many tolerances
ASYMPTOTIC = ("limit", "convergence", "unbiasedness")   # true only in the end: an extreme instance just takes longer
WITHOUT = "without its condition"
INEQUALITIES = ("bound", "ordering", "difference", "invariance")    # what an extreme instance could break


class Attack(NamedTuple):
    """What an attack on one form found: the worst number, the instance that shows it, and how hard it tried."""
    form: str               # "the claim", "as printed" or "without its condition"
    found: bool
    measured: float
    allowed: float
    relation: str
    case: dict              # the arguments of the worst instance; shrunk where it is a counter-example
    starts: int
    evaluations: int
    seconds: float


def forms(claim):
    """(name, formula, check, whether a counter-example is expected) for each form of a claim that is worth an attack.

    An identity that holds on random instances holds on all of them, as far as its oracle reaches (the grid of a
    quadrature, arguments that belong together), so of an identity only the wrong forms are attacked.
    Expected is None for a claim that holds on the models of its case only: exceptions may be found, or not.
    """
    if claim.check.kind in INEQUALITIES:
        yield "the claim", claim.claimed, claim.check, None if claim.typical else False
    if claim.printed is not None:
        yield "as printed", claim.printed, claim.inequality or claim.check, True
    if claim.without is not None:
        yield WITHOUT, claim.claimed, claim.without, True


def attack(form, formula, check, starts=16, seed=0, seconds=20.0):
    """Search for the worst instance of one form, for about that many seconds at most -> Attack."""
    begun = time.perf_counter()
    def late(): return time.perf_counter() - begun > seconds
    rng, count = np.random.default_rng([seed, 17]), [0]

    def violation(case):
        """How far the formula misses on an instance, in units in which more is worse; -inf where it has no value."""
        count[0] += 1
        try:
            with np.errstate(all="ignore"):
                if check.assumes is not None and not check.assumes(**case):
                    return -np.inf
                numbers = np.atleast_1d(np.asarray(check.measure(formula, case, check.oracle(case)), dtype=float))
                if np.all(np.isfinite(numbers)):
                    return float(np.max(numbers) if check.relation == "<=" else -np.min(numbers))
                if check.kind in ASYMPTOTIC:
                    return np.inf                                   # the sequence goes nowhere near its limit
                value = formula(**case)     # a wrong shape is a miss; no value is one where a condition is left out
                return np.inf if form == WITHOUT or np.isfinite(distance(value, value)) else -np.inf
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return -np.inf

    allowed = check.allowed if check.relation == "<=" else -check.allowed
    if check.kind in ("ordering", "difference") and form == "the claim":
        allowed = ROUNDING      # an attack may bring two different things as near to each other as it likes
    clear = allowed + (CLEAR - 1) * abs(allowed)
    worst, best_case = -np.inf, None
    begun_starts = 0
    for case in _starts(check.case, starts, seed):
        begun_starts += 1
        case, value = _climb(case, violation, _slope(formula, check), rng, clear, late)
        if value > worst:
            worst, best_case = value, case
        if worst > clear or late():
            break
    found = worst > allowed
    if found:
        best_case = _shrink(best_case, lambda case: violation(case) > max(allowed, min(clear, worst / 2)), late)
        worst = violation(best_case)
    measured = worst if check.relation == "<=" else -worst
    return Attack(form, found, measured, check.allowed, check.relation, best_case or {},
                  begun_starts, count[0], time.perf_counter() - begun)


def _starts(case, starts, seed):
    """Random instances; small ones first, where the case function takes its sizes as keywords."""
    sizes = {name: p.default for name, p in inspect.signature(case).parameters.items()
             if isinstance(p.default, int) and not isinstance(p.default, bool)}
    for n in range(starts):
        options = {name: max(1, default - 1 + n % 3) for name, default in sizes.items()} if n % 2 else {}
        try:
            yield case(seed + n, **options)
        except Exception:       # a size that this case cannot have; its usual sizes are tried anyway
            yield case(seed + n)


def _slope(formula, check):
    """The gradient of a bound's violation in the numbers of an instance, where autograd can take it."""
    if check.gap is None:
        return None
    return lambda free, fixed: grad(lambda free: check.gap(formula, {**fixed, **free}))(free)


def _climb(case, violation, slope, rng, clear, late):
    """Worsen an instance by gradient steps where there is a gradient, else (and after) by random ones."""
    value, step = violation(case), 0.3
    free = {name: leaf for name, leaf in case.items() if all_real(name, leaf)}
    for n in range(CLIMB):
        if value > clear and n >= ENOUGH_CLIMBING or late():
            break
        if slope is not None and free and n < CLIMB // 2:
            try:
                with np.errstate(all="ignore"):
                    direction = slope({name: case[name] for name in free}, case)
                trial = {**case, **{name: moved(case[name], direction[name], step) for name in free}}
            except Exception:   # a formula written without autograd: random steps do
                slope = None
                continue
        else:
            trial = nudged(case, rng, step)
        trial_value = violation(trial)
        if trial_value > value:
            case, value, step = trial, trial_value, min(1.0, 1.5 * step)
        else:
            step = max(1e-3, 0.8 * step)
    return case, value


def _shrink(case, still, late):
    """The same counter-example in rounder numbers: integers, halves, tenths or hundredths, and zeros where they do."""
    for unit in (1.0, 0.5, 0.1, 0.01):
        if still(rounded(case, unit)):
            case = rounded(case, unit)
            break
    simpler = True
    while simpler is not None and not late():       # each zero is built upon the last
        simpler = next((c for c in with_zeros(case) if not same(c, case) and still(c)), None)
        case = simpler or case
    return case
