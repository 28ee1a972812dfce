"""What the claims of the variational bound do not cover: hand scores, estimators' variances, hard inputs, messages."""
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from autograd.misc import flatten

from refdgm.checking import IDENTITY
from refdgm.directed import amortised, autoencoding, elbo, iwae, nvil, reparameterisation, variational_learning, vimco
from refdgm.distances import distance
from refdgm.models import sbn, tables, vae
from refdgm.numerics import weighted_sum


def test_bound_with_a_state_that_q_never_draws():
    case = elbo.with_a_hole(0)
    assert np.all(np.isfinite(elbo.bound(**case)))
    assert np.all(elbo.bound(**case) < elbo.log_p(**case))
    assert np.all(elbo.jensen_chain(**case)[1] < elbo.log_p(**case))


def test_gap_wants_a_distribution():
    case = elbo.random_tables(0)
    with pytest.raises(ValueError, match="must sum to one along axis -1"):
        elbo.gap(case["log_joint"], case["log_q"] + 0.1)


def test_bound_is_finite_for_large_log_probabilities():
    case = elbo.random_tables(0)
    assert np.allclose(elbo.bound(case["log_joint"] - 1e4, case["log_q"]), elbo.bound(**case) - 1e4, rtol=1e-12)


def test_local_fit_is_a_fixed_point():
    case = sbn.random_data_case(0, H=3)
    start = amortised.amortised_logits(case["phi"], case["X"])
    fitted = amortised.fit_locally(case["theta"], case["X"], start, sweeps=200)
    bound = elementwise_grad(lambda mu: amortised.bound(case["theta"], case["X"], mu))
    assert np.max(np.abs(bound(fitted))) < IDENTITY


def test_gaussian_terms_make_the_bound():
    """Eq. 8 with its two Gaussian terms is the bound by quadrature."""
    case = autoencoding.fixed_variance_decoder(0)
    mean, variance = vae.gaussian_head(case["phi"], case["x"])
    reconstruction = autoencoding.reconstruction(autoencoding.reconstruction_term)(**case)
    terms = reconstruction - autoencoding.gaussian_kl(mean, variance)
    assert distance(terms, reparameterisation.bound(**case)) < IDENTITY


def test_minibatch_variance_falls_like_one_over_m():
    case = tables.random_case(0)
    theta, phi, p_data = case["theta"], case["phi"], case["p_data"]

    def variance(M):
        x, h, probability = variational_learning.all_minibatches(phi, p_data, M)
        draws = variational_learning.minibatch_step(theta, phi, x, h)["phi"]["q"]
        return weighted_sum(probability, (draws - weighted_sum(probability, draws)) ** 2)
    assert distance(3 * variance(3), variance(1)) < IDENTITY


def test_grad_h_log_joint():
    rng = np.random.default_rng(0)
    case = vae.random_case(0, D=3, H=2)
    h = rng.normal(size=(5, 2))
    auto = elementwise_grad(lambda h: vae.log_joint(case["theta"], case["x"], h))(h)
    assert distance(reparameterisation.grad_h_log_joint(case["theta"], case["x"], h), auto) < IDENTITY


def test_abrupt_decoder_is_resolved():
    """Doubling the grid that shows the reversed order of variances changes nothing that matters."""
    case = reparameterisation.abrupt_case(3)
    coarse, fine = [reparameterisation.variance(reparameterisation.pathwise, **case, n=n) for n in (4001, 8001)]
    assert distance(coarse, fine) < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_own_mean_as_baseline_shrinks_the_gradient(seed):
    """Exactly by 1 - 1/M: the bias that the claim on centring is about."""
    case = {**nvil.input_dependent(seed), "baseline": lambda x, log_w: log_w.mean(axis=-1, keepdims=True)}
    biased = nvil.over_all_draws(nvil.estimate_grad_phi)(**case)
    gradient = grad(nvil.bound, 1)(case["theta"], case["phi"], case["x"])
    assert distance(biased, {name: (1 - 1 / nvil.M) * leaf for name, leaf in gradient.items()}) < IDENTITY


def test_leave_one_out_by_loops():
    log_w = np.random.default_rng(0).normal(size=(2, 4)) * 3
    for kind, stand_in in (("arithmetic", lambda w: np.mean(w)), ("geometric", lambda w: np.exp(np.mean(np.log(w))))):
        expected = np.empty_like(log_w)
        for b in range(2):
            for k in range(4):
                others = np.exp(np.delete(log_w[b], k))
                expected[b, k] = np.log((others.sum() + stand_in(others)) / 4)
        assert distance(vimco.leave_one_out(log_w, kind), expected) < IDENTITY


def test_leave_one_out_of_extreme_weights():
    assert np.all(np.isfinite(vimco.coefficients(np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]]))))


def test_leave_one_out_messages():
    with pytest.raises(ValueError, match="at least K = 2 samples, but K is 1"):
        vimco.leave_one_out(np.zeros((3, 1)))
    with pytest.raises(ValueError, match="'geometric' or 'arithmetic', not 'harmonic'"):
        vimco.leave_one_out(np.zeros((3, 2)), "harmonic")


def test_one_example_of_vimco_is_the_importance_weighted_bound():
    case = sbn.random_case(0)
    one = vimco.bound(case["theta"], case["phi"], case["x"][None], 3)
    assert distance(one, iwae.bound(**case, K=3)) < IDENTITY


def test_own_spread_turns_the_gradient():
    """Divided by a spread that saw the same draws, the mean is no multiple of the gradient."""
    case = nvil.spread_with_the_present(0)
    mean = flatten(nvil.over_all_draws(nvil.normalised())(**case))[0]
    gradient = flatten(nvil.shortened_gradient(**case))[0]
    multiple = (mean @ gradient) / (gradient @ gradient)
    assert np.max(np.abs(mean - multiple * gradient)) > 1e-4 * np.max(np.abs(mean))
