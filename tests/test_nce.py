"""NCE, the f-GAN table and the limits of GANs: hand formulas against autograd and sampling, remarks, bad input."""
import autograd.numpy as np
import pytest
from autograd import grad, hessian

from refdgm.adversarial import fgan_table, gan_limits, wgan
from refdgm.distances import distance
from refdgm.models import noise_contrast
from refdgm.models.random_field import states
from refdgm.undirected import nce, nce_as_bound, nce_estimator, nce_nonparametric


def test_gradients_by_hand():
    case = nce.random_case(3, D=3)
    x = states(case["theta_hat"]["theta"])[5]
    assert distance(nce.grad_u_hat(case["theta_hat"], x), grad(nce.u_hat)(case["theta_hat"], x)) < 1e-12

    c = nce_estimator.misfitting_case(1)
    g, theta_hat = nce_estimator.with_normaliser(c["features"]), np.array([0.3, -0.7, 0.2])
    def J(theta_hat): return noise_contrast.objective(np.dot(g, theta_hat), c["p_0"], c["p_n"], c["nu"])
    at = (theta_hat, g, c["p_0"], c["p_n"], c["p_n"], c["nu"])
    assert distance(nce_estimator.gradient(*at), grad(J)(theta_hat)) < 1e-12
    assert distance(nce_estimator.information(*at), -hessian(J)(theta_hat)) < 1e-12


def test_algorithm_8_sample_by_sample():
    case = nce.random_case(1)
    theta_hat, p_n, E, N = case["theta_hat"], case["p_n"], np.array([2, 0]), np.array([1, 1, 3])
    x, nu, total = states(theta_hat["theta"]), 1.5, 0.0
    for label, batch in ((0, E), (1, N)):
        for i in batch:
            total = total + grad(nce.log_class(label))(theta_hat, p_n[i], nu, x[i])["c"] / len(E)
    assert abs(nce.update(theta_hat, p_n, E, N)["c"] - total) < 1e-12


def test_no_noise_no_say():
    """Where the noise has no mass, J does not depend on p_hat, and the ascent stays where it is."""
    case = nce_nonparametric.table_case(0)
    p_n = case["p_n"] * (np.arange(5) > 0) / (1 - case["p_n"][0])
    there = np.array([3.0, 0, 0, 0, 0])
    J = [noise_contrast.objective(case["log_p"] + shift, case["p_0"], p_n, 2.0) for shift in (0.0, there)]
    assert distance(*J) < 1e-14 and np.all(np.isfinite(J))


def test_the_covariance_is_that_of_estimates():
    """Estimates from 400 data sets of n = 600 and 2 n noise samples; a variance is then known to about 7 %."""
    case, rng, n, nu = nce_estimator.fitting_case(2), np.random.default_rng(0), 600, 2
    estimates = np.array([nce_estimator.estimate(case["features"], rng.multinomial(n, case["p_0"]) / n, case["p_n"], nu,
                                                 rng.multinomial(nu * n, case["p_n"]) / (nu * n)) for _ in range(400)])
    theta_hat = nce_estimator.theta_and_log_Z(**case)
    expected = nce_estimator.covariance(theta_hat, case["features"], case["p_0"], case["p_n"], nu)
    assert np.allclose(n * np.var(estimates, axis=0) / np.diag(expected), 1, atol=0.28)
    assert np.all(np.abs(np.mean(estimates, axis=0) - theta_hat) < 0.3 * np.sqrt(np.diag(expected) / n))


def test_binomial_counts():
    """The mean over counts is the mean over data sets."""
    case = nce_nonparametric.sample_case(1)
    mean = nce_nonparametric.mean_and_variance(
        lambda p_data, p_n, nu: nce_nonparametric.optimum(p_data, p_n, nu), 4)(**case)["mean"]
    assert abs(np.sum(mean) - nce_nonparametric.mean_training_optimum(**case, n=4)) < 1e-12


@pytest.mark.parametrize("row, v", [("kl", lambda v: v - 1), ("reverse kl", lambda v: v), ("neyman", lambda v: -v / 2),
                                    ("squared hellinger", lambda v: 2 * v), ("jensen-shannon", lambda v: v),
                                    ("gan", lambda v: v)])
def test_the_table_is_the_rule_after_a_change_of_v(row, v):
    outputs = np.linspace(-2, 2, 7)
    assert distance(fgan_table.ROWS[row].table(outputs, None), fgan_table.ROWS[row].rule(v(outputs), None)) < 1e-12


def test_the_supports_of_shifted_laws():
    x, p = np.array([0.0, 1.0]), np.array([0.3, 0.7])
    atoms, a, b = wgan.beside(x, p, 0.25)
    assert atoms.tolist() == [0.0, 0.25, 1.0, 1.25]
    assert a.tolist() == [0.3, 0, 0.7, 0] and b.tolist() == [0, 0.3, 0, 0.7]


def test_bits_have_their_law():
    case = gan_limits.bits_case(0, n=1, m=4000)
    assert abs(np.mean(gan_limits.sample(case["theta"], case["eps"])) - 1 / (1 + np.exp(-case["theta"][0]))) < 1e-3


def test_bad_input():
    case = nce_estimator.fitting_case(0)
    with pytest.raises(ValueError, match="nu must be positive"):
        nce_estimator.estimate(case["features"], case["p_0"], case["p_n"], -1.0)
    with pytest.raises(ValueError, match="p_n must sum to one"):
        nce_estimator.estimate(case["features"], case["p_0"], 2 * case["p_n"], 1.0)
    with pytest.raises(ValueError, match="features must have shape"):
        nce_estimator.estimate(case["features"][1:], case["p_0"], case["p_n"], 1.0)
    with pytest.raises(ValueError, match="u_hat must have 6 components"):
        noise_contrast.objective(np.zeros(5), case["p_0"], case["p_n"], 1.0)
    with pytest.raises(ValueError, match="p_m must be positive"):
        nce_as_bound.bound(-case["p_0"], case["p_0"], case["p_n"], 1.0)
    with pytest.raises(ValueError, match="number of samples n"):
        nce_nonparametric.mean_training_optimum(case["p_0"], case["p_n"], 1.0, 0)
    with pytest.raises(ValueError, match="the atoms x must increase"):
        wgan.wasserstein(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.5, 0.5]))
