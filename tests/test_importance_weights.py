"""Sums of independent weights against enumeration; the importance weighted modules where no claim looks."""
import numpy as np
import pytest
from autograd import elementwise_grad

from refdgm.directed import iwae, iwae_limit, iwae_pathwise, resampling, signal_to_noise
from refdgm.models import iid_weights
from refdgm.models.counts import multinomial
from refdgm.numerics import all_tuples, trapezoid


def weights(seed, m=4):
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(size=m)), rng.normal(size=(2, m)), rng.dirichlet(np.ones(m))


@pytest.mark.parametrize("K", [2, 3, 5])
def test_laplace_integrals_are_sums_over_draws(K):
    w, g, q = weights(K)
    draws = all_tuples(4, K)
    probability = np.prod(q[draws], axis=1)
    log_mean = np.log(np.mean(w[draws], axis=1))
    ratio = np.sum((w * g)[:, draws], axis=-1) / np.sum(w[draws], axis=-1)
    mean, variance = iid_weights.self_normalised_moments(w, g, q, K)
    assert iid_weights.gap(w, q, K) == pytest.approx(np.log(q @ w) - probability @ log_mean, rel=1e-11)
    assert iid_weights.variance_of_log_mean(w, q, K) == pytest.approx(
        probability @ log_mean**2 - (probability @ log_mean)**2, rel=1e-10)
    assert mean == pytest.approx(ratio @ probability, rel=1e-11)
    assert variance == pytest.approx(ratio**2 @ probability - (ratio @ probability)**2, rel=1e-10)


def test_laplace_integral_is_the_sum_over_counts_of_many_draws():
    w, _, q = weights(0, m=3)
    counts, log_probability = multinomial(np.log(q), 400)
    by_counts = np.log(q @ w) - np.exp(log_probability) @ np.log(counts @ w / 400)
    assert iid_weights.gap(w, q, 400) == pytest.approx(by_counts, rel=1e-9)


def test_one_weight_and_constant_weights():
    w, _, q = weights(1)
    assert iid_weights.gap(w, q, 1) == pytest.approx(np.log(q @ w) - q @ np.log(w), rel=1e-11)
    assert iid_weights.gap(np.full(4, 7.0), q, 5) == pytest.approx(0, abs=1e-12)


def test_the_variance_of_the_log_mean_may_rise_before_it_falls():
    w, q = np.array([1.0, 1e6]), np.array([0.98, 0.02])
    variance = [iid_weights.variance_of_log_mean(w, q, K) for K in (1, 4, 10_000)]
    assert variance[0] < variance[1] and variance[2] < variance[1]


@pytest.mark.parametrize("arguments, message", [
    (([1.0, 2.0], [0.5, 0.5], 0), "the number of samples K must be an integer of at least 1, but is 0"),
    (([1.0, 0.0], [0.5, 0.5], 3), "every weight must be positive, but one is 0"),
    (([1.0, 2.0], [0.5, 0.4], 3), "probability must sum to one"),
    (([1.0, np.inf], [0.5, 0.5], 3), "w must be finite"),
])
def test_what_is_wrong_with_the_weights_is_said(arguments, message):
    w, q, K = arguments
    with pytest.raises(ValueError, match=message):
        iid_weights.gap(np.array(w), np.array(q), K)


def test_moments_of_a_ratio_need_two_draws():
    w, g, q = weights(2)
    with pytest.raises(ValueError, match="at least 2, but is 1"):
        iid_weights.self_normalised_moments(w, g, q, 1)


def test_missing_states_bound_the_limit():
    case = iwae_limit.case_that_misses_a_state(0)
    assert iwae_limit.bound(**case, K=10**6) == pytest.approx(np.log(np.sum(case["p"][1:])), abs=1e-5)
    with pytest.raises(ValueError, match="q must sum to one"):
        iwae_limit.bound(case["p"], case["q"] / 2, 3)


def test_signal_to_noise_at_two_draws_is_that_of_a_product_grid():
    model = signal_to_noise.random_case(3)
    eps, probability = signal_to_noise.noise_grid()
    w = np.exp(signal_to_noise.log_weight(**model, eps=eps))
    wbar = w[:, None] / (w[:, None] + w)
    both = probability[:, None] * probability
    for g, snr in zip(signal_to_noise.score(**model, eps=eps), signal_to_noise.signal_to_noise(2, **model)):
        delta = wbar * g[:, None] + (1 - wbar) * g
        mean = np.sum(both * delta)
        assert snr == pytest.approx(abs(mean) / np.sqrt(np.sum(both * (delta - mean)**2)), rel=1e-9)


def test_scores_along_the_path_are_autograds():
    model = signal_to_noise.random_case(5)
    eps = np.linspace(-2, 2, 5)
    for name, g in zip(("m", "log_s", "mu"), signal_to_noise.score(**model, eps=eps)):
        rest = {key: value for key, value in model.items() if key != name}
        auto = elementwise_grad(lambda a: signal_to_noise.log_weight(**{name: a}, **rest, eps=eps))
        assert g == pytest.approx(auto(model[name] * np.ones(5)), rel=1e-12)


def test_laws_sum_to_one():
    _, probability = iwae_pathwise.noise_draws(2)
    assert np.sum(probability) == pytest.approx(1, abs=1e-13)
    case = resampling.random_case(0)
    assert np.sum(resampling.resampled_density(**case)) == pytest.approx(1, abs=1e-13)
    for law in resampling.extended_laws(**case):
        assert np.sum(law) == pytest.approx(1, abs=1e-13)


def test_one_draw_is_not_resampled():
    case = {**resampling.random_case(1), "k": 1}
    assert resampling.resampled_density(**case) == pytest.approx(np.exp(case["log_q"]), rel=1e-13)
    assert resampling.elbo_of_resampled(**case) == pytest.approx(resampling.bound_of_mean(**case), rel=1e-13)
    with pytest.raises(ValueError, match="the number of samples K must be an integer of at least 1, but is 0"):
        resampling.bound_of_mean(**{**case, "k": 0})


def test_bounds_of_extreme_log_weights_and_no_weights():
    assert iwae.estimate_log_p(np.array([-1e4, -np.inf])) == pytest.approx(-1e4 - np.log(2), rel=1e-15)
    assert iwae.log_mean_of_others(np.array([0.0, 1e4])) == pytest.approx([1e4, 0.0])
    with pytest.raises(ValueError, match="the number of samples K must be an integer of at least 1"):
        iwae.estimate_log_p(np.zeros((2, 0)))


def test_pathwise_bound_is_trapezoid_exact():
    case = iwae_pathwise.random_case(0)
    eps, weight = trapezoid(-9.0, 9.0, 401)
    log_w = iwae_pathwise.log_weights(case["params"], case["x"], eps[:, None])
    density = weight * np.exp(-0.5 * eps**2) / np.sqrt(2 * np.pi)
    finer = density @ (np.logaddexp(log_w[:, None], log_w) - np.log(2)) @ density
    assert iwae_pathwise.bound(**case) == pytest.approx(finer, rel=1e-10)
