"""Log-domain arithmetic at its extremes, quadrature at its stated exactness, and the sentences for bad input."""
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from refdgm import numerics as n
from refdgm import validation as valid

finite = st.floats(-1e4, 1e4)


@given(st.lists(finite, min_size=1, max_size=6), finite)
def test_log_sum_exp_shifts_and_agrees(a, shift):
    a = onp.array(a)
    size = 1 + abs(shift) + onp.abs(a).max()
    assert n.log_sum_exp(a + shift) == pytest.approx(n.log_sum_exp(a) + shift, abs=1e-14 * size)
    assert n.log_sum_exp(a) == pytest.approx(special.logsumexp(a), rel=1e-14, abs=1e-14)


def test_log_sum_exp_of_nothing_and_of_infinities():
    assert n.log_sum_exp(onp.array([-onp.inf, -onp.inf])) == -onp.inf
    assert n.log_sum_exp(onp.array([-onp.inf, 2.0])) == 2.0
    assert n.softmax(onp.array([-onp.inf, 2.0])).tolist() == [0.0, 1.0]
    a = onp.array([[1e4, 1e4], [-1e4, -1e4]])
    assert n.log_sum_exp(a, axis=1) == pytest.approx([1e4 + onp.log(2), -1e4 + onp.log(2)], abs=1e-10)
    assert n.log_sum_exp(a, axis=0, keepdims=True).shape == (1, 2)


def test_log_sum_exp_gradient_is_softmax():
    a = onp.array([1e3, 1e3 - 1, -onp.inf, -1e3])
    assert grad(n.log_sum_exp)(a) == pytest.approx(n.softmax(a), abs=1e-15)


@pytest.mark.parametrize("x", [0.0, 1.0, -1.0, 800.0, -800.0, 1e4, -1e4])
def test_sigmoids(x):
    assert n.log_sigmoid(np.array(x)) == pytest.approx(special.log_expit(x), rel=1e-15, abs=0)
    assert n.sigmoid(np.array(x)) == pytest.approx(special.expit(x), rel=1e-14, abs=0)
    assert n.softplus(np.array(x)) == pytest.approx(-special.log_expit(-x), rel=1e-15, abs=0)
    assert grad(lambda v: n.log_sigmoid(v))(x) == pytest.approx(special.expit(-x), rel=1e-14, abs=0)


def test_log_probabilities_against_scipy():
    rng = onp.random.default_rng(0)
    x, mean, variance = rng.normal(size=(5, 3)), rng.normal(size=3), rng.gamma(2.0, size=3)
    assert n.gaussian_log_prob(x, mean, variance) == pytest.approx(
        stats.norm.logpdf(x, mean, onp.sqrt(variance)).sum(-1), rel=1e-13)
    root = rng.normal(size=(3, 3))
    covariance = root @ root.T + onp.eye(3)
    assert n.full_gaussian_log_prob(x, mean, covariance) == pytest.approx(
        stats.multivariate_normal(mean, covariance).logpdf(x), rel=1e-12)
    logits, bits = rng.normal(size=4), onp.array([0.0, 1.0, 1.0, 0.0])
    by_scipy = stats.bernoulli.logpmf(bits, special.expit(logits)).sum()
    assert n.bernoulli_log_prob(bits, logits) == pytest.approx(by_scipy)
    assert n.categorical_log_prob(onp.array([2, 0]), logits) == pytest.approx(special.log_softmax(logits)[[2, 0]])


def test_states_and_tuples():
    assert n.all_binary(0).shape == (1, 0)
    assert sorted(map(tuple, n.all_binary(3))) == sorted({tuple(row) for row in n.all_binary(3)})
    assert len(n.all_tuples(3, 4)) == 81 and n.all_tuples(3, 4).max() == 2
    bits = n.all_binary(4)
    assert onp.exp(n.bernoulli_log_prob(bits, onp.array([0.3, -2.0, 5.0, 0.0]))).sum() == pytest.approx(1, abs=1e-15)


def test_weighted_sum():
    w, tree = onp.array([[1.0, 2.0], [3.0, 4.0]]), {"a": onp.ones((2, 2, 3)), "b": onp.arange(4.0).reshape(2, 2)}
    assert n.weighted_sum(w, tree)["a"].tolist() == [10.0] * 3
    assert n.weighted_sum(w, tree)["b"] == 0 + 2 + 6 + 12
    assert n.weighted_sum(w, tree, axis=-1)["a"].tolist() == [[3.0] * 3, [7.0] * 3]
    assert n.weighted_sum(w, tree, axis=-1)["b"].tolist() == [2.0, 18.0]


def test_gauss_hermite_is_exact_for_polynomials():
    x, w = n.gauss_hermite(6)
    moments = [onp.sum(w * x[:, 0]**k) for k in range(12)]
    assert moments == pytest.approx([1, 0, 1, 0, 3, 0, 15, 0, 105, 0, 945, 0], abs=1e-10)
    x, w = n.gauss_hermite(5, dimensions=3)
    assert onp.einsum("i,ia,ib->ab", w, x, x) == pytest.approx(onp.eye(3), abs=1e-13)


def test_trapezoid_is_spectrally_accurate_for_gaussians():
    x, w = n.trapezoid(-12, 12, 81)
    assert onp.sum(w * onp.exp(n.gaussian_log_prob(x[:, None], 0.0, 1.0))) == pytest.approx(1, abs=1e-14)


def test_divergences_of_tables():
    p, q = onp.array([0.5, 0.5, 0.0]), onp.array([0.25, 0.25, 0.5])
    assert n.kl(p, q) == pytest.approx(onp.log(2))
    assert n.entropy(p) == pytest.approx(onp.log(2))
    assert n.kl(q, p, infinite=True) == onp.inf
    assert grad(lambda v: n.kl(n.softmax(v), q))(onp.zeros(3)).shape == (3,)


@pytest.mark.parametrize("call, message", [
    (lambda: n.kl([0.5, 0.6], [0.5, 0.5]), "p must sum to one along axis -1, but a sum is off by 0.1"),
    (lambda: n.kl([0.5, 0.5], [1.0, 0.0]), r"q must be positive wherever p is, but q\[1\] = 0 where p = 0.5"),
    (lambda: n.kl([1.5, -0.5], [0.5, 0.5]), r"p must be non-negative, but p\[1\] is -0.5"),
    (lambda: n.entropy([onp.nan, 1.0]), r"p must be finite, but p\[0\] is nan"),
    (lambda: n.log_mean_exp(onp.zeros((3, 0))), "the number of samples K must be an integer of at least 1, but is 0"),
    (lambda: n.all_tuples(3, 0), "the number of samples K must be an integer of at least 1, but is 0"),
    (lambda: n.all_tuples(3, 1.5), "must be an integer of at least 1, but is 1.5"),
    (lambda: n.all_binary(40), "a vector of 40 bits has 1,099,511,627,776 states, more than the 4,194,304 that are "
                               "enumerated here; it would take 320 TiB of memory"),
    (lambda: n.gauss_hermite(0), "the number of nodes must be an integer of at least 1, but is 0"),
    (lambda: n.trapezoid(1, 0, 5), r"the interval must run upwards and end, but is \[1, 0\]"),
    (lambda: n.trapezoid(-np.inf, 0, 5), "must run upwards and end, but is"),
    (lambda: valid.finite("theta", {"a": onp.zeros(2), "W": onp.array([[1.0, onp.nan]])}),
     r"theta\['W'\] must be finite, but theta\['W'\]\[0, 1\] is nan"),
    (lambda: valid.shape("b", onp.zeros(3), (None, 2)), r"b must have shape \(any, 2\), but has shape \(3,\)"),
])
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
