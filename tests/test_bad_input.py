"""Bad parameters and data are refused by name, in one sentence, by every function that computes an exact value."""
import inspect

import numpy as np
import pytest

from refdgm import divergences
from refdgm.directed import iwae
from refdgm.models import (autoregressive, deep_sbn, implicit, linear_gaussian, random_field, rbm, sbn, tables,
                           vae)

EXACT = [       # (function, case, the arguments to spoil)
    (sbn.log_marginal, sbn.random_case, ("theta", "x")), (sbn.log_q_table, sbn.random_case, ("phi", "x")),
    (sbn.posterior, sbn.random_case, ("theta", "x")),
    (deep_sbn.log_marginal, deep_sbn.random_case, ("theta", "x")),
    (deep_sbn.log_q_table, deep_sbn.random_case, ("phi", "x")),
    (tables.log_marginal, tables.random_case, ("theta",)), (tables.log_q, tables.random_case, ("phi",)),
    (linear_gaussian.log_marginal, linear_gaussian.random_case, ("theta", "x")),
    (linear_gaussian.posterior_mean, linear_gaussian.random_case, ("theta",)),
    (vae.log_marginal, vae.random_case, ("theta", "x")),
    (autoregressive.log_prob, lambda seed: {**autoregressive.random_case(seed), "x": np.ones(4)}, ("theta", "x")),
    (implicit.log_density, lambda seed: {**implicit.random_case(seed), "x": np.ones(2)}, ("theta", "x")),
    (random_field.log_partition, random_field.random_case, ("theta",)),
    (rbm.log_partition, lambda seed: {"theta": rbm.random_theta(np.random.default_rng(seed), 3, 2)}, ("theta",)),
    (iwae.bound, lambda seed: {**sbn.random_case(seed), "K": 2}, ("theta", "phi", "x")),
]


def arguments_of(function, case):
    names = inspect.signature(function).parameters
    return {name: value for name, value in case(0).items() if name in names}


def spoilt(tree, how):
    """Every copy of an array, or of a dict of arrays, with one leaf spoilt: (the leaf's name, the copy)."""
    if not isinstance(tree, dict):
        yield "", how(tree)
        return
    for key in tree:
        yield f"['{key}']", {**tree, key: how(tree[key])}


def with_nan(a):
    a = np.array(a, dtype=float)
    a.flat[-1] = np.nan
    return a


def longer(a):
    return np.zeros(np.array(np.shape(a)) + 1)


CASES = [(function, case, name) for function, case, names in EXACT for name in names]
IDS = [f"{f.__module__.split('.')[-1]}.{f.__name__}-{name}" for f, _, name in CASES]


@pytest.mark.parametrize("function, case, name", CASES, ids=IDS)
def test_nan_is_named(function, case, name):
    arguments = arguments_of(function, case)
    function(**arguments)
    for leaf, bad in spoilt(arguments[name], with_nan):
        with pytest.raises(ValueError) as caught:
            function(**{**arguments, name: bad})
        message = str(caught.value)
        assert message.startswith(f"{name}{leaf} must be finite") and "nan" in message and "\n" not in message


@pytest.mark.parametrize("function, case, name", CASES, ids=IDS)
def test_a_wrong_shape_is_named(function, case, name):
    if function in (tables.log_marginal, tables.log_q):
        pytest.skip("a table of any shape is a law")
    arguments = arguments_of(function, case)
    for _, bad in spoilt(arguments[name], longer):
        with pytest.raises(ValueError) as caught:
            function(**{**arguments, name: bad})
        message = str(caught.value)
        assert "must have" in message and "shape" in message and "\n" not in message
        assert name in message or "x must have" in message


def test_a_missing_parameter_is_named():
    case = sbn.random_case(0)
    with pytest.raises(ValueError, match=r"theta must have the entries a, W, b, but b is missing"):
        sbn.log_marginal({k: v for k, v in case["theta"].items() if k != "b"}, case["x"])
    with pytest.raises(ValueError, match=r"theta must have the entry 'W', but has 'V', 'c'"):
        sbn.log_marginal(case["phi"], case["x"])


@pytest.mark.parametrize("K", [0, -1, 2.5])
def test_K_below_one(K):
    with pytest.raises(ValueError, match="the number of samples K must be an integer of at least 1"):
        iwae.bound(**sbn.random_case(0), K=K)


def test_too_large_to_enumerate():
    with pytest.raises(ValueError, match=r"has 1,073,741,824 states, more than .* memory"):
        iwae.bound(**sbn.random_case(0, D=3, H=6), K=5)
    with pytest.raises(ValueError, match=r"a vector of 30 bits has 1,073,741,824 states"):
        sbn.log_marginal({"a": np.zeros(30), "W": np.zeros((2, 30)), "b": np.zeros(2)}, np.zeros(2))


def test_divergences_refuse_what_is_no_distribution():
    with pytest.raises(ValueError, match="p must sum to one"):
        divergences.js(np.array([0.5, 0.6]), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match=r"q must be positive wherever p is"):
        divergences.kl_symmetric(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
