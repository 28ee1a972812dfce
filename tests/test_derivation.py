"""The line checker is checked: each relation accepts what is true and rejects what is nearly true."""
import numpy as np
import pytest

from refdgm.derivation import approaches, at_least, at_most, derivation, equals, examine, mistake, start


def case(seed):
    return {"x": np.random.default_rng(seed).normal(size=3)}


def page(*lines):
    """A derivation that starts at x and goes on with lines(x)."""
    @derivation(case, name="test.page")
    def steps(x):
        """A page of a test."""
        yield start("x", x)
        for line in lines:
            yield line(x)
    return steps


def verdicts(*lines):
    return [finding.ok for finding in examine(page(*lines))]


def test_equality_line():
    assert verdicts(lambda x: equals("y", x + 1e-14, "rounding")) == [True, True]
    assert verdicts(lambda x: equals("y", x + 1e-7, "nearly")) == [True, False]
    assert verdicts(lambda x: equals("y", x[:2], "shape")) == [True, False]
    assert verdicts(lambda x: equals("y", x * np.nan, "NaN")) == [True, False]


def test_a_zero_line_needs_a_scale():
    """0 = 1e-17 is an identity relative to what was cancelled, not relative to 0."""
    def cancelled(x): return np.sum(x) - x[0] - x[1] - x[2]
    assert verdicts(lambda x: equals("0", 0 * x, "start at zero", scale=1.0)) == [True, False]
    assert verdicts(lambda x: mistake("", x + 1, ""), lambda x: equals("y", x + cancelled(x), "", scale=1.0))[-1]


def test_inequality_lines():
    assert all(verdicts(lambda x: at_most("y", x + x**2, "squares"), lambda x: at_least("z", x + x**2 / 2, "half")))
    assert verdicts(lambda x: at_most("y", x - 1e-6, "below")) == [True, False]
    assert verdicts(lambda x: at_most("y", x, "equality everywhere says nothing")) == [True, False]
    assert verdicts(lambda x: at_most("y", x + np.inf, "infinite")) == [True, False]


def test_a_mistake_must_differ_and_is_never_built_upon():
    assert all(verdicts(lambda x: mistake("2x", 2 * x, "doubled"), lambda x: equals("x", x.copy(), "still x")))
    assert verdicts(lambda x: mistake("x", x.copy(), "no mistake at all")) == [True, False]


def test_approaching_line():
    assert all(verdicts(lambda x: approaches("x + 1/n", [x + 1, x + 1e-3, x + 1e-9], "limit")))
    assert verdicts(lambda x: approaches("x + 1/n", [x + 1, x + 1e-3], "not there yet")) == [True, False]
    assert verdicts(lambda x: approaches("x", [x, x], "nothing tends")) == [True, False]


def test_the_instance_that_breaks_is_named():
    broken = page(lambda x: equals("y", x + (x[0] == case(3)["x"][0]), "breaks at seed 3"))
    assert [f.seed for f in examine(broken, range(5)) if not f.ok] == [3]
    assert all(f.ok for f in examine(broken, range(3)))


def test_name_and_title():
    steps = page()
    assert steps.name == "test.page" and steps.title == "A page of a test."
    assert [line.latex for line, _ in steps(0)] == ["x"]


def test_lines_must_be_the_same_on_every_instance():
    @derivation(case)
    def unsteady(x):
        yield start("x", x)
        if x[0] > 0:
            yield equals("x", x, "sometimes")
    with pytest.raises(ValueError, match="same lines"):
        examine(unsteady, range(8))
