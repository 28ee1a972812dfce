"""Where JSA, RWS and NVIL end on a sigmoid belief net whose maximum likelihood, and whose best bound, are known."""
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import value_and_grad
from scipy.optimize import minimize

import refdgm
from refdgm import trees, updates
from refdgm.learning import sbn_learning as L
from refdgm.models import sbn

CLOSE = 0.02                    # nats: what issue 5 allows between an algorithm and the exact maximum
H = 2


def causes_that_explain_away(N=100, D=6, seed=2):
    """Two causes that turn on the same six pixels: given x they depend on each other, which no q(h|x) here can say."""
    rng = onp.random.default_rng(seed)
    W = 3 + rng.normal(size=(D, H)) / 2
    h = rng.random((N, H)) < 0.5
    return (rng.random((N, D)) < 1 / (1 + onp.exp(3 - h @ W.T))).astype(float)


X = causes_that_explain_away()
ROWS, COUNTS = onp.unique(X, axis=0, return_counts=True)
SHARE = COUNTS / len(X)


def log_likelihood(parameters):
    return np.sum(SHARE * sbn.log_marginal(parameters["theta"], ROWS))


def elbo(parameters):
    log_q = sbn.log_q_table(parameters["phi"], ROWS)
    return np.sum(SHARE * np.sum(np.exp(log_q) * (sbn.log_joint_table(parameters["theta"], ROWS) - log_q), axis=1))


def maximum(value, start):
    """The maximum of value(tree) next to `start`, by BFGS.  -> value, tree"""
    ends = onp.cumsum([onp.size(leaf) for _, leaf in trees.leaves(start)])

    def tree(vector):
        parts = onp.split(onp.arange(len(vector)), ends[:-1])
        return trees.with_leaves(start, {path: np.reshape(vector[part], onp.shape(leaf))
                                         for (path, leaf), part in zip(trees.leaves(start), parts)})
    first = onp.concatenate([onp.ravel(leaf) for _, leaf in trees.leaves(start)])
    found = minimize(value_and_grad(lambda v: -value(tree(v))), first, jac=True, method="BFGS")
    return -found.fun, tree(found.x)


def learned(algorithm, steps=800, seed=0):
    parameters = refdgm.fit(algorithm, X, steps, schedule=updates.constant_then_harmonic(0.1, steps // 2),
                            update=updates.adam(), seed=seed).parameters
    return {name: parameters[name] for name in ("theta", "phi")}


@pytest.fixture(scope="module")
def best():
    """The maximum of the likelihood, the best of some starts.  -> value, {"theta": ..}"""
    starts = [{"theta": L.start(H, scale=0.3)(X, seed)["theta"]} for seed in range(8)]
    return max((maximum(log_likelihood, start) for start in starts), key=lambda found: found[0])


@pytest.mark.parametrize("seed", range(5))
def test_weights_and_residuals_of_one_pass_are_the_models(seed):
    rng = onp.random.default_rng(seed)
    case, x, h = sbn.random_case(seed, H=3), rng.integers(0, 2, (4, 3)), rng.integers(0, 2, (4, 5, 3))
    log_w, error = L.log_weights(case["theta"], case["phi"], x, h)
    assert onp.allclose(log_w, sbn.log_weights(case["theta"], case["phi"], x[:, None, :], h), rtol=0, atol=1e-13)
    mean = 1 / (1 + onp.exp(-h @ case["theta"]["W"].T - case["theta"]["b"]))
    assert onp.allclose(error, x[:, None, :] - mean, rtol=0, atol=1e-15)


def test_jsa_and_rws_reach_the_maximum_likelihood(best):
    for algorithm in (L.jsa(5, H), L.rws(20, H)):
        assert best[0] - CLOSE < log_likelihood(learned(algorithm)) < best[0] + 1e-6, algorithm.name


def test_wrong_weights_do_not(best, monkeypatch):
    with monkeypatch.context() as m:
        m.setattr(L, "softmax", lambda log_w: L.uniform_weights(log_w))
        assert log_likelihood(learned(L.rws(20, H), 400)) < best[0] - CLOSE
    with monkeypatch.context() as m:                    # MIS without the proposal: its law is p(h|x) q(h|x)
        m.setattr(L, "log_weights", lambda theta, phi, x, h: (sbn.log_joint(theta, x[:, None, :], h), None))
        assert log_likelihood(learned(L.jsa(5, H), 600)) < best[0] - CLOSE


def stale_draw(parameters, memory, x, index, seed, t):
    """JSA's draw with a mistake that was shipped: the weight of the turn's first code is kept after acceptance."""
    s = L.row_stream(index, seed, t)
    h, proposals = memory["codes"][index], L.draw_q(parameters["phi"], x, 5, s)
    log_w = sbn.log_weights(parameters["theta"], parameters["phi"], x[:, None, :], proposals)
    log_u = onp.log(L.uniforms(s, 5, L.ACCEPT))
    log_w_old, path = sbn.log_weights(parameters["theta"], parameters["phi"], x, h), []
    for k in range(5):
        h = onp.where((log_u[:, k] < log_w[:, k] - log_w_old)[:, None], proposals[:, k], h)
        path.append(h)
    return L.Draws(onp.stack(path, axis=1), None), {"codes": h}


def test_the_codes_of_jsa_have_the_posterior_as_their_law_and_with_a_stale_weight_they_have_not():
    """A stale weight hardly shows in the likelihood that is reached: theta adapts to it. It shows in the chain."""
    case, n = sbn.random_case(4), 4000
    x, index = onp.tile(case["x"], (n, 1)), onp.arange(n)
    posterior = sbn.posterior(case["theta"], case["x"])

    def worst(draw):
        memory = {"codes": onp.zeros((n, H))}
        for t in range(1, 21):
            _, memory = draw({"theta": case["theta"], "phi": case["phi"]}, memory, x, index, 0, t)
        share = onp.bincount((memory["codes"] @ [1, 2]).astype(int), minlength=4) / n
        return onp.max(onp.abs(share - posterior) / onp.sqrt(posterior * (1 - posterior) / n))
    assert worst(L.jsa(5, H).draw) < 6 < 10 < worst(stale_draw)


def test_nvil_stops_at_an_optimum_of_the_bound_below_the_maximum_likelihood(best):
    """Of some forty optima of the bound the best is 0.031 nats below the maximum likelihood, this run's 0.095."""
    from_the_top = {**best[1], "phi": L.start(H)(X, 0)["phi"]}
    bounds = [maximum(elbo, start)[0] for start in (from_the_top, *(L.start(H, 0.3)(X, seed) for seed in range(2)))]
    reached = learned(L.nvil(5, H), 1000)
    bounds.append(maximum(elbo, reached)[0])
    assert max(bounds) < best[0] - 0.03 and bounds[-1] < best[0] - 0.09
    assert bounds[-1] - CLOSE < elbo(reached) < bounds[-1] + 1e-6
    assert log_likelihood(reached) < best[0] - CLOSE
    nvil = L.nvil(5, H)

    def phi_downhill(parameters, z, x):
        F = nvil.field(parameters, z, x)
        return {**F, "phi": trees.tree_map(onp.negative, F["phi"])}
    assert elbo(learned(nvil._replace(field=phi_downhill), 200)) < min(bounds) - CLOSE
