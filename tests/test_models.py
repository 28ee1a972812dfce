"""The oracles of the models: hand scores are autograd's, everything sums to one, bad input is told in one sentence."""
import numpy as np
import pytest
from autograd import grad

from refdgm.checking import GRADIENT, IDENTITY, distance
from refdgm.models import deep_sbn, linear_gaussian, sbn
from refdgm.numerics import all_binary

SEEDS = range(3)


def latent(model, case, seed, batch=4):
    """A batch of latent vectors of the right kind and length."""
    rng = np.random.default_rng([seed, 7])
    if model is linear_gaussian:
        return rng.normal(size=(batch, case["theta"]["W"].shape[1]))
    return rng.permutation(model.latent_states(case["theta"]))[:batch]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [sbn, deep_sbn, linear_gaussian], ids=lambda m: m.__name__.split(".")[-1])
def test_hand_scores_are_autograds(model, seed):
    case = model.random_case(seed)
    theta, phi, x = case["theta"], case["phi"], case["x"]
    h = latent(model, case, seed)
    by_theta, by_phi = model.score_theta(theta, x, h), model.score_phi(phi, x, h)
    for k in range(len(h)):
        assert distance({n: s[k] for n, s in by_theta.items()}, grad(model.log_joint)(theta, x, h[k])) < GRADIENT
        assert distance({n: s[k] for n, s in by_phi.items()}, grad(model.log_q)(phi, x, h[k])) < GRADIENT


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_binary_models_sum_to_one(model, seed):
    case = model.random_case(seed)
    xs = all_binary(len(case["x"]))
    assert abs(np.sum(np.exp(model.log_marginal(case["theta"], xs))) - 1) < IDENTITY
    np.testing.assert_allclose(np.sum(model.posterior(case["theta"], xs), axis=-1), 1, rtol=IDENTITY)
    np.testing.assert_allclose(np.sum(np.exp(model.log_q_table(case["phi"], xs)), axis=-1), 1, rtol=IDENTITY)


@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_the_mean_weight_over_draws_is_the_marginal(model):
    case = model.random_case(1)
    mean = model.mean_over_draws(lambda *args: np.mean(np.exp(model.log_weights(*args)), axis=-1), 2)(**case)
    assert distance(mean, np.exp(model.log_marginal(case["theta"], case["x"]))) < IDENTITY


@pytest.mark.parametrize("model", [sbn, deep_sbn], ids=lambda m: m.__name__.split(".")[-1])
def test_a_parameter_of_the_wrong_shape_is_named(model):
    case = model.random_case(0)
    model.validate(case["theta"], case["phi"])
    with pytest.raises(ValueError, match=r"theta\['a'\] must have shape"):
        model.validate(case["theta"] | {"a": np.zeros(7)})
    with pytest.raises(ValueError, match=r"phi must be finite|phi\['.*'\] must be finite"):
        model.validate(case["theta"], {name: leaf * np.nan for name, leaf in case["phi"].items()})
