"""refdgm.testing in a stranger's test suite: what a test that fails says, and the pytest plugin."""
import importlib.metadata
import subprocess
import sys

import autograd.numpy as np
import pytest

from refdgm.numerics import log_mean_exp, log_sum_exp
from refdgm.testing import conforms

pytest_plugins = ["pytester"]
INSTALLED = importlib.metadata.entry_points(group="pytest11", name="refdgm")
ARGUMENTS = [] if INSTALLED else ["-p", "refdgm.pytest_plugin"]     # a checkout that was not installed again since


def fails(*arguments, **options):
    with pytest.raises(AssertionError) as raised:
        conforms(*arguments, **options)
    return str(raised.value)


def test_a_right_function_conforms():
    assert conforms("iwae_bound", log_mean_exp) is None


def test_a_known_mistake_is_named_with_input_and_both_values():
    def bound(log_w): return log_sum_exp(log_w)
    said = fails("iwae_bound", bound)
    assert said.startswith("bound deviates as iwae_bound: log K forgotten\n")
    for part in ("to mend      subtract log K", "shown at     K = 3, float64", "log_w        [", "expected     0.62432",
                 "got          1.722932", ", allowed 1e-09", "ou2018 Eqs. 14-15"):
        assert part in said, said


def test_an_unknown_mistake_says_how_many_numbers_differ():
    def weights(log_w):
        w = np.exp(log_w - log_sum_exp(log_w)[..., None])
        return np.where((np.arange(w.shape[-1]) == 0) & (w.shape[-1] > 1), 0.9, 1.0) * w
    said = fails("normalized_weights", weights)
    assert said.startswith("weights deviates as normalized_weights\n") and "; 1 of 3 numbers differ" in said, said


def test_a_small_error_is_printed_with_all_its_digits():
    said = fails("iwae_bound", lambda log_w: log_mean_exp(log_w) * (1 + 1e-8 * log_w[..., 0]))
    assert "right to float32's precision only" in said
    expected, got = (line.split()[1] for line in said.splitlines() if line.split()[0] in ("expected", "got"))
    assert expected != got and float(got) == pytest.approx(float(expected), rel=1e-6)


def test_a_convention_is_accepted_unless_refused():
    def loss(log_w): return -log_mean_exp(log_w)
    conforms("iwae_bound", loss)
    said = fails("iwae_bound", loss, conventions=False)
    assert said.startswith("loss conforms to iwae_bound only by a convention: the loss: minus the bound")


def test_an_exception_of_the_function_is_the_cause():
    def bound(log_w): return log_w.nothing
    with pytest.raises(AssertionError, match="does not run as iwae_bound") as raised:
        conforms("iwae_bound", bound)
    cause = raised.value.__cause__
    assert isinstance(cause, AttributeError) and cause.__traceback__.tb_frame.f_code is bound.__code__


def test_bad_use_is_said_in_a_sentence():
    with pytest.raises(ValueError, match="did you mean iwae_bound"):
        conforms("iwae_bond", log_mean_exp)
    with pytest.raises(ValueError, match="held against a function, not 3"):
        conforms("iwae_bound", 3)
    with pytest.raises(NotImplementedError):
        conforms("iwae_bound", _unwritten)


def _unwritten(log_w):
    raise NotImplementedError


def test_seed_and_dtypes_are_taken():
    seen = []

    def bound(log_w):
        seen.append(log_w)
        return log_mean_exp(log_w)
    conforms("iwae_bound", bound, dtypes=["float32"], seed=5)
    first, kinds = seen[0], {str(array.dtype) for array in seen}
    seen.clear()
    conforms("iwae_bound", bound, dtypes=["float32"], seed=6)
    assert kinds == {"float32"} and not np.array_equal(seen[0], first)


def test_an_operation_without_a_derivative_is_no_template():
    import numpy
    assert conforms("iwae_bound", lambda log_w: log_mean_exp(numpy.nan_to_num(numpy.asarray(log_w),
                                                                             neginf=-numpy.inf))) is None


# ---- the plugin -------------------------------------------------------------------------

def test_a_strangers_suite(pytester):
    pytester.makepyfile("""
        import numpy as np
        from refdgm import testing

        def my_bound(log_w):
            m = log_w.max(-1, keepdims=True)
            return np.log(np.exp(log_w - m).sum(-1)) + m[..., 0]

        def test_by_import():
            testing.conforms("iwae_bound", my_bound)

        def test_by_fixture(conforms):
            conforms("iwae_bound", my_bound)

        def test_a_convention(conforms):
            conforms("iwae_bound", lambda log_w: -my_bound(log_w) + np.log(log_w.shape[-1]))

        def test_an_exception(conforms):
            conforms("iwae_bound", lambda log_w: log_w.nothing)
        """)
    result = pytester.runpytest_subprocess(*ARGUMENTS)
    result.assert_outcomes(failed=3, passed=1)
    result.stdout.fnmatch_lines(["*> * testing.conforms(\"iwae_bound\", my_bound)*",
                                 "E*AssertionError: my_bound deviates as iwae_bound: log K forgotten*",
                                 "*to mend*subtract log K*"])
    result.stdout.fnmatch_lines(["*right by a convention other than refdgm's*",
                                 "*::test_a_convention  iwae_bound: the loss: minus the bound*"])
    text = result.stdout.str()
    assert "refdgm/testing.py" not in text and "refdgm/contract.py" not in text and "pytest_plugin.py" not in text, text
    assert "object has no attribute 'nothing'" in text


def test_the_seed_of_the_command_line(pytester):
    pytester.makepyfile("""
        def test_seed(conforms, request):
            seen = []
            def bound(log_w):
                seen.append(float(log_w.ravel()[0]))
                raise AttributeError
            try:
                conforms("iwae_bound", bound, framework="numpy")
            except AssertionError:
                print("first", seen[0])
        """)
    first = [line for seed in ("0", "7") for line in
             pytester.runpytest_subprocess(*ARGUMENTS, "-s", "--refdgm-seed", seed).outlines if "first" in line]
    assert len(first) == 2 and first[0] != first[1]


def test_the_plugin_loads_nothing_heavy():
    code = "import sys, refdgm.pytest_plugin; print({'numpy', 'autograd', 'scipy', 'numba'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
