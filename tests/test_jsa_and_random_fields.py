"""The chains and models under JSA and random fields: kernels against their matrices, hand scores, bad input."""
import autograd.numpy as np
import pytest
from autograd import grad

from refdgm.directed import jsa_chain
from refdgm.distances import distance
from refdgm.models import deep_belief_net, known_components, random_field
from refdgm.models.finite_chain import stationary_law, total_variation
from refdgm.numerics import log_softmax, softmax
from refdgm.samplers import gibbs, independence

UNIFORMS = (np.arange(2000) + 0.5) / 2000        # a kernel's frequency over these is off by at most 1/4000


@pytest.mark.parametrize("seed", range(3))
def test_independence_step_has_its_matrix(seed):
    case = independence.random_case(seed)
    log_w = independence.log_weights(**case)
    P = independence.transition_matrix(log_w, case["log_q"])
    for old in range(5):
        for new in set(range(5)) - {old}:
            start = independence.State(np.full(2000, old), np.full(2000, log_w[old]))
            end = independence.step(start, new, log_w[new], UNIFORMS)
            assert abs(np.mean(end.h == new) * np.exp(case["log_q"][new]) - P[old, new]) < 1e-3
            assert np.all(end.log_w == log_w[end.h])            # the cached weight moves with the state


@pytest.mark.parametrize("site", range(3))
def test_gibbs_step_has_its_matrix(site):
    u = np.random.default_rng(site).normal(size=8)
    P = gibbs.site_matrix(u, site)
    for state in range(8):
        reached = np.bincount(gibbs.step(np.full(2000, state), u, site, UNIFORMS), minlength=8) / 2000
        assert np.max(np.abs(reached - P[state])) < 1e-3


def test_gibbs_scans():
    u = np.random.default_rng(0).normal(size=8)
    p = softmax(u)
    random_scan = p[:, None] * gibbs.random_scan(u)
    assert distance(random_scan, random_scan.T) < 1e-12
    assert distance(stationary_law(gibbs.sequential_scan(u)), p) < 1e-12
    sequential = p[:, None] * gibbs.sequential_scan(u)
    assert distance(sequential, sequential.T) > 1e-3            # invariant, yet not reversible


def test_jsa_chain_as_printed_is_right_where_its_readings_agree():
    one = jsa_chain.random_case(0, n=1, m=4)
    assert distance(jsa_chain.literal_chain(**one), jsa_chain.jsa_chain(**one)) < 1e-12
    three = jsa_chain.random_case(0)
    perfect = {"log_joint": three["log_joint"], "log_q": log_softmax(three["log_joint"])}
    assert total_variation(stationary_law(jsa_chain.literal_chain(**perfect)), jsa_chain.target(**perfect)) < 1e-12
    assert total_variation(stationary_law(jsa_chain.literal_chain(**three)), jsa_chain.target(**three)) > 0.05


def test_the_joint_chain_is_right_with_the_intractable_weight():
    case = jsa_chain.joint_case(1)
    law = jsa_chain.joint_chain_law(log_softmax(case["log_joint"]), case["log_q"], case["p_data"])
    assert distance(law, (case["p_data"][:, None] * softmax(case["log_joint"])).ravel()) < 1e-12


def test_random_field():
    case = random_field.random_case(3)
    assert distance(random_field.grad_potential(**case), grad(random_field.potential)(case["theta"], case["x"])) < 1e-12
    assert abs(np.sum(random_field.law(case["theta"])) - 1) < 1e-14
    with pytest.raises(ValueError, match=r"theta\['b'\] must have shape"):
        random_field.validate({**case["theta"], "b": np.zeros(2)})


def test_known_components():
    case = known_components.random_case(2)
    a, log_B, p_data = case["theta"]["a"], case["log_B"], case["p_data"]
    scores = known_components.score(a)
    for h in range(3):
        assert distance(scores[h], grad(lambda a: known_components.log_joint({"a": a}, log_B)[0, h])(a)) < 1e-12
    best = {"a": np.log(known_components.maximum_likelihood(log_B, p_data))}
    slope = grad(known_components.mean_log_likelihood)(best, log_B, p_data)["a"]
    assert np.max(np.abs(slope)) < 1e-14
    with pytest.raises(ValueError, match="too small"):
        known_components.maximum_likelihood(np.log([[0.9, 0.5], [0.1, 0.5]]), np.array([0.99, 0.01]))


def test_visible_biases_reach_the_hidden_layer_of_a_boltzmann_machine_only():
    theta = deep_belief_net.random_case(0)["theta"]
    moved = {**theta, "b": theta["b"] + 1}

    def shift(model):
        return np.max(np.abs(np.sum(model(theta) - model(moved), axis=(0, 2))))        # of p(h1)
    assert shift(deep_belief_net.deep_belief_net) < 1e-12
    assert shift(deep_belief_net.deep_boltzmann_machine) > 1e-3


def test_bad_input():
    with pytest.raises(ValueError, match="more than one stationary law"):
        stationary_law(np.eye(2))
    with pytest.raises(ValueError, match="must sum to one"):
        stationary_law(np.ones((2, 2)))
    with pytest.raises(ValueError, match="the proposal q must be positive wherever the target p is"):
        independence.log_weights(np.log([0.5, 0.5]), np.array([0.0, -np.inf]))
    with pytest.raises(ValueError, match="the table has 6"):
        gibbs.random_scan(np.zeros(6))
