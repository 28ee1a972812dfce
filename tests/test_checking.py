"""The checkers are checked: truth passes; truth off by 100 tolerances, a wrong shape, NaN and a vacuous claim fail."""
import autograd.numpy as np
import numpy as onp
import pytest

from refdgm import checking
from refdgm.checking import (
    converges_to,
    differs_from,
    equals,
    has_order,
    is_at_least,
    is_at_most,
    is_gradient_of,
    is_ordered,
    is_stable,
    is_unbiased_for,
    leaves_invariant,
    minimises,
    tends_to,
    vanishes,
)


def case(seed):
    rng = onp.random.default_rng(seed)
    return {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=3)}


def truth(a, b):
    return {"u": a @ b, "v": a.sum(0)}


def nudged(by, formula=truth):
    """`formula`, off by `by` times its own size in one component."""
    def claimed(**case):
        value = formula(**case)
        value["u"] = value["u"].copy()
        value["u"][0] += by * max(onp.max(onp.abs(leaf)) for leaf in value.values())
        return value
    return claimed


def test_equality():
    check = equals(truth, case)
    assert check(truth).ok and check(truth).measured == 0
    assert check(nudged(0.1 * checking.IDENTITY)).ok
    report = check(nudged(100 * checking.IDENTITY))
    assert not report.ok and report.measured == pytest.approx(100 * checking.IDENTITY, rel=1e-3)


@pytest.mark.parametrize("wrong", [
    lambda a, b: {"u": a @ b}, lambda a, b: {"u": a @ b, "v": a.sum(0)[:, None]}, lambda a, b: a @ b,
    lambda a, b: {"u": a @ b, "v": a.sum(0) * onp.nan}, lambda a, b: {"u": a @ b, "v": a.sum(0) + onp.inf},
    lambda a, b: {"u": a @ b, "w": a.sum(0)}],
    ids=["a leaf missing", "wrong shape", "no dict", "NaN", "inf", "another name"])
def test_equality_rejects_malformed(wrong):
    report = equals(truth, case)(wrong)
    assert not report.ok and report.measured == onp.inf


def test_the_worst_instance_is_named():
    def wrong_at_seven(a, b):
        same = onp.array_equal(a, case(7)["a"])
        return truth(a, b) if not same else {"u": a @ b + 1, "v": a.sum(0)}
    report = equals(truth, case)(wrong_at_seven, seeds=range(5, 9))
    assert not report.ok and report.seed == 7


def test_an_exception_names_the_instance():
    def breaks_at_two(a, b):
        return truth(a, b) if not np.array_equal(a, case(2)["a"]) else 1 / 0
    with pytest.raises(ZeroDivisionError) as caught:
        equals(truth, case)(breaks_at_two, seeds=range(4))
    assert caught.value.__notes__ == ["shown by --seed 2 --instances 1"]


def test_a_zero_truth_needs_a_scale():
    with pytest.raises(ValueError, match="state a positive scale"):
        equals(lambda a, b: onp.zeros(3), case)(lambda a, b: onp.zeros(3))
    assert equals(lambda a, b: onp.zeros(3), case, scale=lambda a, b: 1.0)(lambda a, b: onp.zeros(3)).ok


def test_vanishes():
    check = vanishes(lambda a, b: onp.abs(a).mean(), case)
    assert check(lambda a, b: a - a).ok
    assert not check(lambda a, b: a * 100 * checking.IDENTITY).ok
    assert not check(lambda a, b: a * onp.nan).ok


def test_difference():
    check = differs_from(truth, case, by=0.01)
    assert check(nudged(0.02)).ok
    assert not check(nudged(0.005)).ok and not check(truth).ok
    assert not check(lambda a, b: a @ b).ok, "a wrong shape is no evidence"
    assert not check(lambda a, b: {"u": a @ b * onp.nan, "v": a.sum(0)}).ok


def cube(a, b):
    return np.sum(np.sin(a) @ b**3)


def test_gradient():
    check = is_gradient_of(cube, "b", case)
    def hand(a, b): return 3 * b**2 * onp.sin(a).sum(0)
    assert check(hand).ok
    assert not check(lambda a, b: hand(a, b) * (1 + 100 * checking.GRADIENT)).ok
    assert not check(lambda a, b: 0 * b).ok
    assert not check(lambda a, b: hand(a, b)[:2]).ok
    assert not check(lambda a, b: hand(a, b) * onp.nan).ok


def test_gradient_oracles_must_agree():
    """Where autograd itself is wrong (here: a value taken out of its sight), the check does not go on."""
    from autograd.tracer import getval
    with pytest.raises(ArithmeticError, match="disagree"):
        is_gradient_of(lambda a, b: np.sum(b * getval(b)), "b", case)(lambda a, b: b)


@pytest.mark.parametrize("kind, sign", [(is_at_most, 1), (is_at_least, -1)])
def test_bound(kind, sign):
    def limit(a, b): return onp.abs(a).sum(1)
    check = kind(limit, case)
    assert check(lambda a, b: limit(a, b) - sign * onp.abs(b[:2])).ok
    assert not check(lambda a, b: limit(a, b) + sign * 100 * checking.ROUNDING * max(1, onp.abs(a).sum(1).max())).ok
    assert not check(limit).ok, "equality everywhere: the bound is vacuous"
    assert not check(lambda a, b: -sign * onp.ones(3)).ok, "wrong shape"
    assert not check(lambda a, b: limit(a, b) * onp.nan).ok
    with pytest.raises(ValueError, match="everything would satisfy it"):
        kind(lambda a, b: sign * onp.inf, case)(lambda a, b: 0.0)


def test_ordering():
    check = is_ordered(case)
    assert check(lambda a, b: onp.cumsum(1 + onp.abs(b))).ok
    assert not check(lambda a, b: onp.array([1.0, 1.0, 2.0])).ok, "not strictly"
    assert not check(lambda a, b: onp.array([3.0, 2.0])).ok
    assert not check(lambda a, b: onp.array([1.0, onp.nan])).ok
    assert not check(lambda a, b: onp.array([1.0])).ok, "one number is no order"


def test_limit():
    check = tends_to(lambda a, b: b, case, "n", [1, 10, 10**9], rtol=1e-8)
    assert check(lambda a, b, n: b * (1 + 1 / n)).ok
    assert not check(lambda a, b, n: b * (1 + 1 / n + 1e-6)).ok
    assert not check(lambda a, b, n: b).ok, "nothing tends anywhere"
    assert not check(lambda a, b, n: b * onp.nan).ok


def test_order_of_convergence():
    check = has_order(lambda a, b: b, case, "n", [10, 100, 1000], order=1)
    assert check(lambda a, b, n: b * (1 + 1 / n + 1 / n**2)).ok
    assert not check(lambda a, b, n: b * (1 + 1 / n**2)).ok
    assert not check(lambda a, b, n: b * (1 + 1 / n**0.5)).ok
    assert not check(lambda a, b, n: b).ok
    fast = has_order(lambda a, b: b, case, "n", [5, 9], order=0.5, geometric=True, within=0.01)
    assert fast(lambda a, b, n: b * (1 + 0.5**n)).ok
    assert not fast(lambda a, b, n: b * (1 + 0.6**n)).ok


def chain(seed):
    rng = onp.random.default_rng(seed)
    return {"pi": rng.dirichlet(onp.ones(4))}


def metropolis(pi):
    """Uniform proposals among the other three states."""
    P = onp.minimum(1, pi[None, :] / pi[:, None]) / 3
    onp.fill_diagonal(P, 0)
    return P + onp.diag(1 - P.sum(1))


def test_invariance():
    def law(pi): return pi
    check = leaves_invariant(law, chain, reversible=True)
    assert check(metropolis).ok
    assert not check(lambda pi: metropolis(1 / pi / (1 / pi).sum())).ok, "inverted ratio"
    assert not check(lambda pi: 0.999 * metropolis(pi)).ok, "rows do not sum to one"
    assert not check(lambda pi: metropolis(pi)[:3]).ok
    assert not check(lambda pi: metropolis(pi) * onp.nan).ok
    def rotation(pi): return onp.roll(onp.eye(4), 1, axis=1)
    uniform = leaves_invariant(lambda pi: onp.full(4, 0.25), chain)
    assert uniform(rotation).ok
    assert not uniform._replace(measure=leaves_invariant(law, chain, reversible=True).measure)(rotation).ok
    def negative(pi): return 2 * onp.eye(4) - onp.roll(onp.eye(4), 1, axis=1)
    assert not uniform(negative).ok, "a negative probability"


def test_spectrum():
    check = is_stable(case)
    def attracting(a, b): return a @ -a.T - onp.eye(2)
    assert check(attracting).ok
    assert not check(lambda a, b: -attracting(a, b)).ok
    assert not check(lambda a, b: onp.array([[0.0, 1.0], [-1.0, 0.0]])).ok, "a centre does not attract"
    assert not check(lambda a, b: attracting(a, b) * onp.nan).ok


def bowl(x, b):
    return np.sum(np.cosh(x - b))


def bowl_case(seed):
    return {"x": onp.zeros(3), "b": case(seed)["b"]}


def test_optimum():
    check = minimises(bowl, "x", bowl_case)
    assert check(lambda x, b: b).ok
    assert not check(lambda x, b: b + 1e-3).ok
    assert not check(lambda x, b: b * onp.nan).ok
    hill = minimises(lambda x, b: -bowl(x, b), "x", bowl_case)
    assert not hill(lambda x, b: b).ok, "a maximum has zero gradient, too"


def test_convergence():
    check = converges_to(lambda a, b: b, case, rtol=1e-3)
    assert check(lambda a, b: b * (1 + 0.5 ** onp.arange(20))[:, None]).ok
    assert not check(lambda a, b: b * (1 + 0.9 ** onp.arange(20))[:, None]).ok
    assert not check(lambda a, b: onp.stack([b, b])).ok, "it started at the answer"


def gaussian_draws(shift=0.0):
    return lambda rng, n, a, b: b + shift + rng.normal(size=(n, 3))


def test_unbiasedness_accepts_and_sees():
    check = is_unbiased_for(lambda a, b: b, case, n=20_000)
    assert check(gaussian_draws()).ok
    seen = (6.8 + 5) / onp.sqrt(20_000)         # the allowed number of standard errors, plus five
    assert not check(gaussian_draws(seen)).ok
    assert not check(lambda rng, n, a, b: rng.normal(size=(n, 2))).ok


def test_unbiasedness_false_alarm_rate():
    """At a stated rate of 5 % per check, the rate over 400 independent checks is 5 % (3 sigma: 3.3)."""
    check = is_unbiased_for(lambda a, b: b, case, n=400, false_alarm=0.05)
    alarms = sum(not check(gaussian_draws(), seeds=[seed]).ok for seed in range(400))
    assert abs(alarms / 400 - 0.05) < 0.033


def test_unbiasedness_of_a_chain_needs_batches():
    """Draws of an AR(1) chain look biased to a test that takes them as independent; batches put that right."""
    def draws(rng, n, a, b):
        noise, x = rng.normal(size=(n, 3)), onp.zeros((n, 3))
        for t in range(1, n):
            x[t] = 0.95 * x[t - 1] + noise[t]
        return b + x
    naive = is_unbiased_for(lambda a, b: b, case, n=4000, false_alarm=0.05)
    aware = is_unbiased_for(lambda a, b: b, case, n=4000, batches=20, false_alarm=0.05)
    assert sum(not naive(draws, seeds=[s]).ok for s in range(12)) >= 8
    assert sum(not aware(draws, seeds=[s]).ok for s in range(12)) <= 4


def test_early_stop_says_the_same():
    check = equals(truth, case)
    for formula in (truth, nudged(1e-3)):
        assert check(formula, range(6)).ok == check(formula, range(6), until_rejected=True).ok
