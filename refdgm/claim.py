"""What is checked, and what that means: a `Claim`, the `Check` that judges its formula, the `Report` of what was found.

A check draws a small random case for each seed, asks an oracle for the truth, and measures how far the formula
under test, ``claimed(**case)``, is from it. A claim must pass its check, and each plausible mistake beside it must
fail the same check at the same tolerance: a check too weak to catch a mistake is itself a defect.

The formula under test is an argument of the check and nothing else, so a mistake, a printed misprint or a user's
own code is judged exactly as ours is. The kinds of check are in refdgm.checking.
"""
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid

ENOUGH = 4              # instances on which a mistake, or the strictness of a bound, shows at the latest


class Report(NamedTuple):
    """What a check found: `ok`, the worst number over all instances, what it was held against, and where."""
    ok: bool
    measured: float
    allowed: float
    seed: int               # the instance that shows the worst number
    relation: str = "<="    # measured <relation> allowed is what passing means
    strict: bool = True     # whether a bound was away from equality on some instance

    def _repr_markdown_(self):
        sign = {"<=": "≤", ">=": "≥"}[self.relation]
        return (f"**{'holds' if self.ok else 'fails'}**: measured {self.measured:.3g} {sign} {self.allowed:.3g}"
                f"{'' if self.ok else ' is not so'}; worst instance: seed {self.seed}")


class Check(NamedTuple):
    """How to hold a formula against the truth; made by the functions below, called as check(claimed, seeds)."""
    kind: str               # equality, gradient, bound, limit, ...
    method: str             # enumeration, quadrature, autodiff, matrix, spectrum, optimisation, simulation
    allowed: float
    case: Callable          # seed -> the arguments of one small random instance
    oracle: Callable        # arguments -> the truth there
    measure: Callable       # (claimed, arguments, truth) -> the numbers that must stay on the right side of `allowed`
    relation: str = "<="
    strict: float = 0.0     # some number, over all instances, must be below -strict (bounds: else vacuous)
    gap: Callable | None = None     # (claimed, arguments) -> the largest excess over a bound, differentiable
    along: tuple | None = None  # of a limit: the name of the argument that goes there, and its values
    assumes: Callable | None = None     # arguments -> whether they are such as the claim speaks of; see `provided`

    def __call__(self, claimed, seeds=range(4), until_rejected=False):
        """Measure `claimed` on every seed -> Report. With `until_rejected`, stop at the first seed that rejects."""
        valid.number("what is allowed (rtol, slack, margin, by, within)", self.allowed)
        worst, worst_seed, lowest = None, None, np.inf
        for seed in enough(seeds) if self.strict else seeds:
            with instance(seed):
                case, truth = prepared(self.case, self.oracle, seed)
                if self.assumes is not None and not self.assumes(**case):
                    raise ValueError("this instance is outside of the condition that its own check states.")
                numbers = np.atleast_1d(np.asarray(self.measure(claimed, case, truth), dtype=float))
            failing = np.inf if self.relation == "<=" else -np.inf
            numbers = np.nan_to_num(numbers, nan=failing, posinf=np.inf, neginf=-np.inf)
            number = float(np.max(numbers) if self.relation == "<=" else np.min(numbers))
            lowest = min(lowest, float(np.min(numbers)))
            if worst is None or self._worse(number, worst):
                worst, worst_seed = number, seed
            if until_rejected and self._worse(worst, self.allowed):
                break
        strict = not self.strict or lowest < -self.strict
        return Report(stands(self.relation, worst, self.allowed, strict), worst, self.allowed, worst_seed,
                      self.relation, strict)

    def _worse(self, a, b):
        return a > b if self.relation == "<=" else a < b


class Claim(NamedTuple):
    """One checkable statement: the right formula, its check, and what the check must reject.

    For a claim of the five documents the words (place, formula as printed, verdict) stand in the ledger under
    the same id; a user's own claim may carry them here.
    """
    id: str                         # document key and place, "ou2018.eq19"; the same string everywhere
    claimed: Callable               # the formula that holds: claimed(**case)
    check: Check
    mistakes: dict                  # plausible mistake -> function; each must be rejected
    printed: Callable | None = None     # misprint, false: the formula as printed, which must be rejected
    without: Check | None = None        # holds-if: cases that violate the condition; `claimed` must be rejected there
    typical: bool = False               # holds on the models of its case only: `falsify` may find exceptions
    inequality: Check | None = None     # where `printed` is a bound: the printed inequality, to be attacked
    says: str = ""
    where: str = ""
    latex: str = ""
    verdict: str = "holds"
    host_only: str = ""                 # why `claimed` cannot be computed on a GPU; the others can

    def _repr_markdown_(self):
        """In a notebook: what the check finds for the claim and for each of its mistakes."""
        with np.errstate(all="ignore"):
            rows = [(name, self.check(f, enough(range(ENOUGH)))) for name, f in
                    {"the claim": self.claimed, **self.mistakes}.items()]
        return "\n".join([f"**{self.id}** ({self.check.kind} by {self.check.method})", "",
                          "| | measured | allowed | |", "|:---|---|---|---|",
                          *(f"| {name} | {r.measured:.3g} | {r.allowed:.3g} | {'holds' if r.ok else 'rejected'} |"
                            for name, r in rows)])


# ---- instances and verdicts -----------------------------------------------------------

def enough(seeds):
    """`seeds`, prolonged to at least ENOUGH of them: one random model may happen to make a mistake look right."""
    in_a_row(seeds)
    return range(seeds[0], seeds[0] + max(len(seeds), ENOUGH))


def in_a_row(seeds):
    """Raise ValueError unless the seeds are a range of some numbers, one after the other."""
    valid.require(isinstance(seeds, range) and len(seeds) > 0 and seeds.step == 1,
                  f"seeds must be a range of numbers, one after the other, but are {seeds!r}.")


def stands(relation, measured, allowed, strict):
    """Whether the worst number of all instances is on the right side, and a bound strict on one of them."""
    return bool(strict and (measured <= allowed if relation == "<=" else measured >= allowed))


@contextmanager
def instance(seed):
    """What is raised in the block is about the instance of this seed: it says so, and has the seed as `seed`."""
    try:
        yield
    except Exception as error:
        error.seed = seed
        error.add_note(f"shown by --seed {seed} --instances 1")
        raise


@lru_cache(maxsize=1024)
def prepared(case, oracle, seed):
    """The instance and its truth, computed once for the formula and all its mistakes."""
    arguments = case(seed)
    return arguments, oracle(arguments)
