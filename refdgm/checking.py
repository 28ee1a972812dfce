"""The kinds of check: how a formula is held against the truth, and what it must stay within.

Each takes the truth and `case`, seed -> the arguments of one small random instance, and gives a `Check`; see
refdgm.claim for what a check does.
"""
import autograd.numpy as anp
import numpy as np
from autograd import grad
from autograd.misc import flatten

from refdgm import validation as valid
from refdgm.claim import Check
from refdgm.claim import Claim as Claim                         # for callers: a claim goes with its check
from refdgm.distances import difference_error, distance, magnitude

IDENTITY = 1e-10        # sums of up to 2**14 float64 terms; measured errors stay below 1e-12
GRADIENT = 1e-9         # hand formula against autograd: the same operations in another order
DIFFERENCE = 1e-6       # extrapolated central differences, step 1e-3: truncation 1e-10, rounding 1e-12
QUADRATURE = 1e-8       # smooth integrands on grids fine enough that doubling them changes less than 1e-9
ROUNDING = 1e-12        # how far a true inequality may be missed by rounding alone
STRICT = 1e-6           # a bound that is never this far from equality says nothing
FALSE_ALARM = 1e-10     # of one stochastic check on one instance: 1e-6 over a run of 10,000 of them


# ---- equality -----------------------------------------------------------------------

def equals(truth, case, rtol=IDENTITY, scale=None, method="enumeration"):
    """claimed(**case) = truth(**case), relative to max |truth| or to `scale(**case)` (needed when truth is 0)."""
    def oracle(case):
        value = truth(**case)
        size = magnitude(value) if scale is None else float(scale(**case))
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
        return magnitude(claimed(**case)) / size
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
        valid.require(wrt in case, f"wrt must be the name of an argument ({', '.join(case)}), but is {wrt!r}.")
        f = _in_one(objective, wrt, case)
        auto = grad(f)(case[wrt])
        off = difference_error(f, case[wrt], auto, None if scale is None else scale(**case))
        if not off < DIFFERENCE:
            raise ArithmeticError(f"autograd and central differences of the objective disagree by {off:.1e}.")
        return auto
    return equals(truth, case, rtol, scale, method)._replace(kind="gradient")


# ---- bounds and order ---------------------------------------------------------------

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


# ---- limits -------------------------------------------------------------------------

def tends_to(truth, case, index, values, rtol=1e-8, scale=None, method="enumeration"):
    """claimed(**case, index=n) approaches truth(**case) along `values`, ends within rtol, and starts outside it."""
    def measure(claimed, case, truth):
        errors = [distance(claimed(**case, **{index: n}), *truth) for n in values]
        return errors[-1] if errors[0] > rtol and errors[-1] < errors[0] else np.inf
    return equals(truth, case, rtol, scale, method)._replace(kind="limit", measure=measure, along=(index, values))


def has_order(truth, case, index, values, order, within=0.1, geometric=False, scale=None, method="enumeration"):
    """|claimed(index=n) - truth| falls like n**-order (or order**n if `geometric`) along `values`.

    The measured number is the distance between `order` and what the last two of `values` show.
    """
    compared = equals(truth, case, scale=scale)
    valid.require(len(values) >= 2 and np.all(np.isfinite(values)),
                  f"values must be two numbers or more, but are {values}.")

    def oracle(case):
        return compared.oracle(case), order(**case) if callable(order) else order

    def measure(claimed, case, truth_and_order):
        truth, expected = truth_and_order
        a, b = [distance(claimed(**case, **{index: n}), *truth) for n in values[-2:]]
        if not (0 < b < np.inf and 0 < a < np.inf):
            return np.inf
        if geometric:
            return abs((b / a) ** (1 / (values[-1] - values[-2])) - expected)
        return abs(np.log(a / b) / np.log(values[-1] / values[-2]) - expected)
    return Check("limit", method, within, case, oracle, measure, along=(index, values))


def converges_to(truth, case, rtol, scale=None, method="simulation"):
    """claimed(**case) is a trajectory (T, ...) that starts away from truth(**case) and ends within `rtol` of it."""
    def measure(claimed, case, truth):
        path = claimed(**case)
        ends = distance(path[-1], *truth)
        return ends if distance(path[0], *truth) > 3 * rtol else np.inf
    return equals(truth, case, rtol, scale, method)._replace(kind="convergence", measure=measure)


# ---- transition matrices, roots and optima ------------------------------------------

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
        return _in_one(objective, wrt, case)

    def measure(claimed, case, f):
        at, unflatten = flatten(claimed(**case))
        if not np.all(np.isfinite(at)):
            return np.inf
        directions = np.random.default_rng(0).normal(size=(8, at.size))
        g = grad(lambda v: f(unflatten(v)))
        size = max(magnitude(g(at + d)) for d in directions) if scale is None else scale(**case)
        best = f(unflatten(at))
        around = min(float(f(unflatten(at + r * d))) for r in (0.001, 0.1, 1.0) for d in directions)
        return [magnitude(g(at)) / size, max(0.0, float(best) - around) / max(1.0, abs(float(best)))]
    return Check("optimum", method, rtol, case, oracle, measure)


def _in_one(objective, wrt, case):
    """The objective as a function of its argument `wrt`, the others as they are in the case."""
    fixed = {name: value for name, value in case.items() if name != wrt}
    return lambda value: objective(**{wrt: value}, **fixed)


# ---- draws --------------------------------------------------------------------------

def is_unbiased_for(truth, case, n, batches=None, false_alarm=FALSE_ALARM):
    """The mean of the n draws claimed(rng, n, **case) (n, ...) is truth(**case): a two-sided z-test, Bonferroni.

    For draws of a Markov chain give `batches`: means of that many consecutive blocks are treated as independent
    (blocks must be much longer than the autocorrelation time; a t-distribution is used). A bias of
    (allowed + 5) standard errors is seen with probability 1 - 3e-7. Use only where the mean is not a finite sum.
    """
    valid.count("n", n)
    valid.number("false_alarm", false_alarm, 0)
    if batches is not None:
        valid.count("batches", batches, 2)
        valid.require(n % batches == 0, f"n must be a multiple of batches, but they are {n} and {batches}.")
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


# ---- conditions ---------------------------------------------------------------------

def provided(condition, check):
    """The same check, of a claim that speaks only of cases with condition(**case).

    Every instance must satisfy the condition, and an attack (`refdgm falsify`) stays where it holds.
    """
    return check._replace(assumes=condition)
