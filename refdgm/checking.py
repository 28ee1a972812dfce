"""What it means for a formula to be checked: a `Claim`, and the kinds of `Check`.

A check draws a small random case for each seed, asks an oracle for the truth, and measures how far the formula
under test, ``claimed(**case)``, is from it. A claim must pass its check, and each plausible mistake beside it must
fail the same check at the same tolerance: a check too weak to catch a mistake is itself a defect.

The formula under test is an argument of the check and nothing else, so a mistake, a printed misprint or a user's
own code is judged exactly as ours is.
"""
from collections.abc import Callable
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import grad
from autograd.misc import flatten

IDENTITY = 1e-10        # sums of up to 2**14 float64 terms; measured errors stay below 1e-12
GRADIENT = 1e-9         # hand formula against autograd: the same operations in another order
DIFFERENCE = 1e-6       # extrapolated central differences, step 1e-3: truncation 1e-10, rounding 1e-12
QUADRATURE = 1e-8       # smooth integrands on grids fine enough that doubling them changes less than 1e-9
ROUNDING = 1e-12        # how far a true inequality may be missed by rounding alone
STRICT = 1e-6           # a bound that is never this far from equality says nothing
ENOUGH = 4              # instances on which a mistake, or the strictness of a bound, shows at the latest
FALSE_ALARM = 1e-10     # of one stochastic check on one instance: 1e-6 over a run of 10,000 of them


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
        worst, worst_seed, lowest = None, None, np.inf
        for seed in enough(seeds) if self.strict else seeds:
            with instance(seed):
                case, truth = _prepare(self.case, self.oracle, seed)
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


# ---- the kinds ------------------------------------------------------------------------

def equals(truth, case, rtol=IDENTITY, scale=None, method="enumeration"):
    """claimed(**case) = truth(**case), relative to max |truth| or to `scale(**case)` (needed when truth is 0)."""
    def oracle(case):
        value = truth(**case)
        size = _magnitude(value) if scale is None else float(scale(**case))
        if not (np.isfinite(size) and size > 0):
            raise ValueError(f"the truth has magnitude {size}: state a positive scale to measure against.")
        return value, size

    def measure(claimed, case, truth):
        return distance(claimed(**case), *truth)
    return Check("equality", method, rtol, case, oracle, measure)


def vanishes(scale, case, rtol=IDENTITY, method="enumeration"):
    """claimed(**case) = 0 in every component, relative to `scale(**case)` (say, the mean size of the summands)."""
    def oracle(case):
        return float(scale(**case))

    def measure(claimed, case, size):
        return _magnitude(claimed(**case)) / size
    return Check("equality", method, rtol, case, oracle, measure)


def differs_from(other, case, by, scale=None, method="enumeration"):
    """claimed(**case) is away from other(**case) by at least `by`, relatively, on every instance."""
    same = equals(other, case, by, scale, method)

    def measure(claimed, case, truth):
        apart = same.measure(claimed, case, truth)
        return apart if np.isfinite(apart) else -np.inf        # a wrong shape or NaN is no evidence of a difference
    return same._replace(kind="difference", measure=measure, relation=">=")


def is_gradient_of(objective, wrt, case, rtol=GRADIENT, scale=None, method="autodiff"):
    """claimed(**case) = autograd of objective(**case) in argument `wrt` = its central differences."""
    def truth(**case):
        fixed = {name: value for name, value in case.items() if name != wrt}
        def f(value): return objective(**{wrt: value}, **fixed)
        auto = grad(f)(case[wrt])
        off = _difference_error(f, case[wrt], auto, None if scale is None else scale(**case))
        if not off < DIFFERENCE:
            raise ArithmeticError(f"autograd and central differences of the objective disagree by {off:.1e}.")
        return auto
    return equals(truth, case, rtol, scale, method)._replace(kind="gradient")


def is_at_most(upper, case, slack=ROUNDING, method="enumeration"):
    """claimed(**case) <= upper(**case) in every component of every instance, and strictly somewhere."""
    return _bound(upper, case, slack, method, +1)


def is_at_least(lower, case, slack=ROUNDING, method="enumeration"):
    """claimed(**case) >= lower(**case) in every component of every instance, and strictly somewhere."""
    return _bound(lower, case, slack, method, -1)


def _bound(other, case, slack, method, sign):
    def oracle(case):
        value = np.asarray(other(**case), dtype=float)
        if not np.all(np.isfinite(value)):
            raise ValueError("the bound is not finite: everything would satisfy it.")
        return value

    def measure(claimed, case, bound):
        value = np.asarray(claimed(**case), dtype=float)
        if value.shape != bound.shape or not np.all(np.isfinite(value)):
            return np.inf
        return sign * (value - bound) / max(1.0, float(np.max(np.abs(bound))))

    def gap(claimed, case):
        return anp.max(sign * (claimed(**case) - other(**case)))
    return Check("bound", method, slack, case, oracle, measure, strict=STRICT, gap=gap)


def is_ordered(case, margin=STRICT, method="enumeration"):
    """claimed(**case) is a sequence in which each entry exceeds the one before by more than `margin`."""
    def measure(claimed, case, _):
        steps = np.diff(np.asarray(claimed(**case), dtype=float))
        return steps if steps.size and np.all(np.isfinite(steps)) else -np.inf
    return Check("ordering", method, margin, case, lambda case: None, measure, relation=">=")


def tends_to(truth, case, index, values, rtol=1e-8, scale=None, method="enumeration"):
    """claimed(**case, index=n) approaches truth(**case) along `values`, ends within rtol, and starts outside it."""
    def oracle(case):
        return equals(truth, None, scale=scale).oracle(case)

    def measure(claimed, case, truth):
        errors = [distance(claimed(**case, **{index: n}), *truth) for n in values]
        return errors[-1] if errors[0] > rtol and errors[-1] < errors[0] else np.inf
    return Check("limit", method, rtol, case, oracle, measure, along=(index, values))


def has_order(truth, case, index, values, order, within=0.1, geometric=False, scale=None, method="enumeration"):
    """|claimed(index=n) - truth| falls like n**-order (or order**n if `geometric`) along `values`.

    The measured number is the distance between `order` and what the last two of `values` show.
    """
    def oracle(case):
        return equals(truth, None, scale=scale).oracle(case), order(**case) if callable(order) else order

    def measure(claimed, case, truth_and_order):
        truth, expected = truth_and_order
        a, b = [distance(claimed(**case, **{index: n}), *truth) for n in values[-2:]]
        if not (0 < b < np.inf and 0 < a < np.inf):
            return np.inf
        if geometric:
            return abs((b / a) ** (1 / (values[-1] - values[-2])) - expected)
        return abs(np.log(a / b) / np.log(values[-1] / values[-2]) - expected)
    return Check("limit", method, within, case, oracle, measure, along=(index, values))


def leaves_invariant(distribution, case, reversible=False, rtol=IDENTITY):
    """P = claimed(**case) is a transition matrix with pi P = pi (and pi_i P_ij = pi_j P_ji if `reversible`)."""
    def oracle(case):
        return np.asarray(distribution(**case), dtype=float)

    def measure(claimed, case, pi):
        P = np.asarray(claimed(**case), dtype=float)
        if P.shape != (len(pi), len(pi)) or not np.all(np.isfinite(P)):
            return np.inf
        flow = pi[:, None] * P
        size = np.max(pi)
        errors = [np.max(np.abs(P.sum(1) - 1)), max(0.0, -np.min(P)), np.max(np.abs(flow.sum(0) - pi)) / size]
        return errors + [np.max(np.abs(flow - flow.T)) / size] * reversible
    return Check("invariance", "matrix", rtol, case, oracle, measure)


def is_stable(case, margin=1e-9):
    """Every eigenvalue of the matrix claimed(**case) has real part below -margin: Hurwitz, an attracting root."""
    def measure(claimed, case, _):
        J = np.atleast_2d(np.asarray(claimed(**case), dtype=float))
        return np.max(np.linalg.eigvals(J).real) if np.all(np.isfinite(J)) else np.inf
    return Check("spectrum", "spectrum", -margin, case, lambda case: None, measure)


def minimises(objective, wrt, case, rtol=1e-6, scale=None, method="optimisation"):
    """claimed(**case) minimises objective in argument `wrt`: zero gradient, and no better point around it.

    The gradient is relative to its size `scale(**case)` (default: its largest size at eight points around);
    "around" is the same eight random directions at distances 0.001, 0.1 and 1.
    """
    def oracle(case):
        fixed = {name: value for name, value in case.items() if name != wrt}
        return lambda value: objective(**{wrt: value}, **fixed)

    def measure(claimed, case, f):
        at, unflatten = flatten(claimed(**case))
        if not np.all(np.isfinite(at)):
            return np.inf
        directions = np.random.default_rng(0).normal(size=(8, at.size))
        g = grad(lambda v: f(unflatten(v)))
        size = max(_magnitude(g(at + d)) for d in directions) if scale is None else scale(**case)
        best = f(unflatten(at))
        around = min(float(f(unflatten(at + r * d))) for r in (0.001, 0.1, 1.0) for d in directions)
        return [_magnitude(g(at)) / size, max(0.0, float(best) - around) / max(1.0, abs(float(best)))]
    return Check("optimum", method, rtol, case, oracle, measure)


def converges_to(truth, case, rtol, scale=None, method="simulation"):
    """claimed(**case) is a trajectory (T, ...) that starts away from truth(**case) and ends within `rtol` of it."""
    def oracle(case):
        return equals(truth, None, scale=scale).oracle(case)

    def measure(claimed, case, truth):
        path = claimed(**case)
        ends = distance(path[-1], *truth)
        return ends if distance(path[0], *truth) > 3 * rtol else np.inf
    return Check("convergence", method, rtol, case, oracle, measure)


def is_unbiased_for(truth, case, n, batches=None, false_alarm=FALSE_ALARM):
    """The mean of the n draws claimed(rng, n, **case) (n, ...) is truth(**case): a two-sided z-test, Bonferroni.

    For draws of a Markov chain give `batches`: means of that many consecutive blocks are treated as independent
    (blocks must be much longer than the autocorrelation time; a t-distribution is used). A bias of
    (allowed + 5) standard errors is seen with probability 1 - 3e-7. Use only where the mean is not a finite sum.
    """
    from scipy.stats import norm, t  # heavy to import, and only this kind needs it

    def quantile(components):
        tail = false_alarm / (2 * components)
        return norm.isf(tail) if batches is None else t.isf(tail, batches - 1)

    def oracle(case):
        return flatten(truth(**case))[0]

    def measure(claimed, case, truth):
        rng = np.random.default_rng(np.frombuffer(truth.tobytes(), dtype=np.uint32))    # a stream of its own
        draws = np.asarray(claimed(rng, n, **case), dtype=float).reshape(n, -1)
        means = draws if batches is None else draws.reshape(batches, n // batches, -1).mean(1)
        if means.shape[1] != truth.size:
            return np.inf
        error = np.abs(means.mean(0) - truth) / np.maximum(means.std(0, ddof=1) / np.sqrt(len(means)), 1e-300)
        return np.max(error) / quantile(truth.size)
    return Check("unbiasedness", "simulation", 1.0, case, oracle, measure)


def provided(condition, check):
    """The same check, of a claim that speaks only of cases with condition(**case).

    Every instance must satisfy the condition, and an attack (`refdgm falsify`) stays where it holds.
    """
    return check._replace(assumes=condition)


# ---- instances and verdicts -----------------------------------------------------------

def enough(seeds):
    """`seeds`, prolonged to at least ENOUGH of them: one random model may happen to make a mistake look right."""
    return range(seeds[0], seeds[0] + max(len(seeds), ENOUGH))


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


# ---- distances ------------------------------------------------------------------------

def distance(a, b, scale=None):
    """max |a - b| / scale over all leaves (default scale max |b|); inf when the shapes differ or a is not finite."""
    if structure(a) != structure(b):
        return np.inf
    a, b = flatten(a)[0], flatten(b)[0]
    if not np.all(np.isfinite(a)):
        return np.inf
    scale = np.max(np.abs(b), initial=0.0) if scale is None else scale
    return float(np.max(np.abs(a - b), initial=0.0) / max(scale, 1e-300))


def structure(tree):
    """The shapes of all leaves, in the form of the tree."""
    if isinstance(tree, dict):
        return {name: structure(leaf) for name, leaf in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [structure(leaf) for leaf in tree]
    return np.shape(tree)


def _magnitude(tree):
    flat = flatten(tree)[0]
    return float(np.max(np.abs(flat), initial=0.0)) if np.all(np.isfinite(flat)) else np.inf


def _difference_error(f, value, gradient, scale):
    """Relative error of `gradient` against Richardson-extrapolated central differences in two random directions."""
    x, unflatten = flatten(value)
    g = flatten(gradient)[0]
    errors = []
    for direction in np.random.default_rng(0).normal(size=(2, x.size)):
        def slope(h): return (f(unflatten(x + h * direction)) - f(unflatten(x - h * direction))) / (2 * h)
        errors.append(abs((4 * slope(5e-4) - slope(1e-3)) / 3 - g @ direction))
    return float(max(errors)) / max(np.max(np.abs(g)) if scale is None else scale, 1e-300)


@lru_cache(maxsize=1024)
def _prepare(case, oracle, seed):
    """The instance and its truth, computed once for the formula and all its mistakes."""
    arguments = case(seed)
    return arguments, oracle(arguments)
