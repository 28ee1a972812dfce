"""Around EM, MAP, HMC, flows and optimisers: what no claim covers, and what bad input is told."""
import autograd.numpy as np
import pytest
from autograd import elementwise_grad, grad

from refdgm.checking import GRADIENT, IDENTITY
from refdgm.directed import adam, backpropagation, early_stopping, iaf_posterior, mean_field_em, variational_em
from refdgm.distances import distance
from refdgm.models import (bernoulli_mixture, beta_bernoulli, gaussian_mean, gaussian_posterior, invertible,
                           masked_network)
from refdgm.numerics import all_binary, softmax
from refdgm.samplers import hmc

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_models_sum_to_one(seed):
    theta = bernoulli_mixture.random_case(seed)["theta"]
    assert abs(np.sum(np.exp(bernoulli_mixture.log_marginal(theta, all_binary(3)))) - 1) < IDENTITY
    case = beta_bernoulli.random_case(seed)
    bias, log_w = beta_bernoulli.grid()
    assert abs(np.sum(np.exp(beta_bernoulli.log_prior(case["prior"], bias) + log_w)) - 1) < IDENTITY


@pytest.mark.parametrize("seed", SEEDS)
def test_backpropagation_is_the_gradient(seed):
    case = backpropagation.random_case(seed)

    def objective(Ws):
        h = case["x"]
        for W in Ws:
            h = np.tanh(np.dot(W, h))
        return np.sum(h)
    auto = grad(objective)(case["Ws"])
    for method in (backpropagation.gradient, backpropagation.forward_mode):
        assert distance(method(case["Ws"], case["x"], backpropagation.Counter()), auto) < GRADIENT


def test_leapfrog_is_of_second_order():
    case = hmc.random_case(0)
    score = elementwise_grad(hmc.log_target)
    assert distance(hmc.target_score(case["z"]), score(case["z"])) < GRADIENT

    def energy_error(eps):
        end = hmc.leapfrog(hmc.target_score, case["z"], case["r"], eps, round(0.4 / eps))
        return np.max(np.abs(hmc._energy(hmc.log_target, *end) - hmc._energy(hmc.log_target, case["z"], case["r"])))
    assert 3.8 < energy_error(0.01) / energy_error(0.005) < 4.2


def test_hmc_step_keeps_the_rejected():
    case = hmc.random_case(1)
    arguments = hmc.log_target, hmc.target_score, case["z"], case["r"]
    end = hmc.proposal(hmc.target_score, case["z"], case["r"], 0.7, 3)                      # too large a step
    chance = np.exp(hmc.log_acceptance(hmc.log_target, (case["z"], case["r"]), end))
    assert np.min(chance) < 0.5
    for uniform, kept in ((np.minimum(1.0, chance * 1.001), case["z"]), (chance * 0.999, end[0])):
        where = chance < 0.9
        assert distance(hmc.step(*arguments, uniform, 0.7, 3)[where], kept[where]) == 0.0
    moved, _ = hmc.leapfrog(hmc.target_score, case["z"], case["r"], 0.01, 5)
    assert distance(hmc.step(*arguments, np.full(4, 0.5), 0.01, 5), moved) == 0.0


def test_adam_takes_bounded_steps():
    """While the gradient keeps its size, a component moves by the learning rate at most."""
    path = adam.adam(lambda theta, t: np.array([1e6, -1e-6]), np.zeros(2), 0.1, 20)
    assert distance(path[-1], np.array([2.0, -2.0])) < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_mean_field_bound(seed):
    """The bound touches at the posterior, and no factor of the mean field can be improved alone."""
    case = dict(zip(("prior", "likelihood"), mean_field_em.laws(**mean_field_em.random_case(seed))))
    p_data = np.sum(case["prior"] * case["likelihood"], axis=(1, 2))
    touching = mean_field_em.bound(**case, q=mean_field_em.exact_posterior(**case), p_data=p_data)
    assert distance(touching, mean_field_em.log_likelihood(**case, p_data=p_data)) < IDENTITY
    q = mean_field_em.mean_field(**case, sweeps=300)
    q2 = np.sum(q, axis=1)
    best = softmax(np.sum(q2[:, None, :] * np.log(case["prior"] * case["likelihood"]), axis=2))
    assert distance(best, np.sum(q, axis=2)) < IDENTITY


def test_invertible_model_inverts():
    case = invertible.random_case(0, shape=(2, 2, 4))
    z, _ = invertible.transform(**case)
    assert distance(invertible.inverse(case["theta"], z), case["x"]) < IDENTITY


def test_iaf_noise_comes_back():
    case = iaf_posterior.noise_case(0)
    y = iaf_posterior.sample_from_noise(**case, passes=4)
    assert distance(iaf_posterior.to_noise(case["net"], y)[0], case["eps"]) < IDENTITY


def test_early_stopping_of_a_curve_that_never_falls():
    assert early_stopping.stop(np.array([0.0, 1.0, 1.0, 2.0])) == 3
    assert early_stopping.stop(np.array([0.0, 1.0, 0.5, 2.0])) == 1


def test_bad_input_is_named():
    case = bernoulli_mixture.random_case(0)
    with pytest.raises(ValueError, match=r"phi must have 2 components"):
        variational_em.ascend(case["theta"], case["phi"][:, :1], case["X"])
    with pytest.raises(ValueError, match=r"prior\['a'\] must be positive"):
        beta_bernoulli.posterior({"a": 0.0, "b": 1.0}, np.ones(2))
    with pytest.raises(ValueError, match="D must hold bits"):
        beta_bernoulli.posterior({"a": 1.0, "b": 1.0}, np.array([0.0, 2.0]))
    gaussian = gaussian_mean.random_case(0)
    with pytest.raises(ValueError, match="S must be positive definite"):
        gaussian_mean.posterior(gaussian["prior"], -gaussian["S"], gaussian["X"])
    with pytest.raises(ValueError, match="L must be lower triangular"):
        gaussian_posterior.sample_full(np.zeros(2), np.ones((2, 2)), np.zeros(2))
    with pytest.raises(ValueError, match="no zero on its diagonal"):
        gaussian_posterior.kl_to_prior_full(np.zeros(2), np.tril(np.ones((2, 2)), -1))
    with pytest.raises(ValueError, match="even number of channels"):
        invertible.transform({"W": np.eye(3)}, np.zeros((1, 1, 3)))
    with pytest.raises(ValueError, match=r"theta\['b'\] must have shape"):
        theta = masked_network.random_case(0)["theta"]
        masked_network.validate({**theta, "b": np.zeros(2)})
    with pytest.raises(ValueError, match="step size eps must be positive"):
        hmc.step(hmc.log_target, hmc.target_score, np.zeros((1, 2)), np.zeros((1, 2)), np.ones(1), 0.0, 3)
    with pytest.raises(ValueError, match="decay b1"):
        adam.adam(lambda theta, t: theta, np.zeros(1), 0.1, 1, b1=1.0)
