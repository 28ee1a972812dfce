"""Oracles of the richer inference models: hand scores, normalisation, inverses, and what bad input is told."""
import numpy as onp
import pytest
from autograd import elementwise_grad, jacobian

from refdgm.directed import auxiliary, avb, concrete, expressive, flows, implicit_posterior, inverse_autoregressive_flow
from refdgm.directed import straight_through as st
from refdgm.distances import distance
from refdgm.models.tables import log_likelihood
from refdgm.numerics import gauss_legendre


def test_score_of_the_likelihood():
    theta = avb.random_case(3)["theta"]
    by_autograd = jacobian(lambda logits: log_likelihood({"joint": logits}))(theta["joint"])
    assert distance(avb.score_likelihood(theta)["joint"], by_autograd) < 1e-12


def test_a_sampler_tallies_to_a_distribution():
    case = implicit_posterior.random_case(1)
    q = implicit_posterior.tally(case["draw"], case["noise"], 3)
    assert onp.all(q > 0) and onp.allclose(q.sum(1), 1, atol=1e-14)


def test_auxiliary_laws_sum_to_one():
    psi = auxiliary.random_case(2)["psi"]
    assert onp.allclose(onp.exp(auxiliary.log_q_joint(psi)).sum((1, 2)), 1, atol=1e-14)
    assert onp.allclose(onp.exp(auxiliary.log_q(psi)).sum(1), 1, atol=1e-14)
    assert onp.allclose(onp.exp(auxiliary.log_r(psi)).sum(2), 1, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_flow_runs_backward(seed):
    layers = flows.random_flow(seed, K=3, n=4)
    z = onp.random.default_rng(seed).normal(size=(20, 4)) * 3
    there = flows.forward(layers, z)
    assert distance(onp.array(flows.backward(layers, there[-1])), onp.array(there)) < 1e-12


def test_a_fold_has_no_inverse():
    layer = {"u": onp.array([-2.0, 0.0]), "w": onp.array([1.0, 0.5]), "b": 0.1}
    with pytest.raises(ValueError, match="invertible only if u'w > -1, but u'w is -2"):
        flows.planar_inverse(layer, onp.zeros(2))


def test_iaf_reads_only_below_the_diagonal():
    case = inverse_autoregressive_flow.random_case(0)
    leaking = {name: a + onp.triu(onp.ones((4, 4))) if a.ndim == 2 else a for name, a in case["net"].items()}
    z = inverse_autoregressive_flow.transform
    assert distance(z(leaking, case["eps"])[0], z(case["net"], case["eps"])[0]) == 0


def test_slopes_between_the_bits():
    net, h = st.random_case(4)["net"], onp.random.default_rng(0).uniform(size=(6, 3))
    assert distance(st.slope(net, h), elementwise_grad(lambda h: st.f(net, h))(h)) < 1e-12
    hessians = onp.array([jacobian(lambda h: st.slope(net, h))(row) for row in h])
    assert distance(st.curvature(net, h), onp.einsum("nii->ni", hessians)) < 1e-12


def test_temperature_must_be_positive():
    with pytest.raises(ValueError, match="temperature must be positive, but is 0"):
        concrete.relax(0.3, 0.0, onp.zeros(2))


def test_a_cold_relaxation_is_the_draw():
    noise = onp.array([-3.0, -0.5, 0.2, 4.0])
    assert onp.allclose(concrete.relax(0.1, 1e-3, noise), noise > -0.1, atol=1e-12)


def test_gauss_legendre():
    x, w = gauss_legendre(-1.0, 3.0, 5)
    assert onp.sum(w * x**9) == pytest.approx((3**10 - 1) / 10, rel=1e-13)
    assert onp.sum(w) == pytest.approx(4, rel=1e-14)
    with pytest.raises(ValueError, match="must run upwards"):
        gauss_legendre(1.0, 1.0, 5)


def test_blocks_must_cover_the_latents():
    theta = expressive.random_case(0)["theta"]
    with pytest.raises(ValueError, match="each of the 3 latents once"):
        expressive.smallest_gap(theta, [[0, 1], [1, 2]])
