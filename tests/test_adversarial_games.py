"""f-divergences and adversarial games: what no claim covers (columns of the table, extremes, paths, bad input)."""
import numpy as np
import pytest
from autograd import elementwise_grad

from refdgm import divergences as dv
from refdgm.adversarial import gan, log_d_trick, vdm
from refdgm.f_divergences import F_DIVERGENCES, alpha_divergence, weighted_jensen_shannon
from refdgm.models import finite_game

ROWS = pytest.mark.parametrize("name", F_DIVERGENCES)
LOG_U = np.linspace(-4, 4, 40)          # on both sides of u = 1, where total variation has a corner


@ROWS
def test_columns_of_the_table_belong_together(name):
    d, u = F_DIVERGENCES[name], np.exp(LOG_U)
    np.testing.assert_allclose(d.derivative(u), elementwise_grad(d.f)(u), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(d.at_log(LOG_U), d.derivative(u), rtol=1e-12, atol=1e-12)
    if name != "total variation":       # where f'' = 0
        np.testing.assert_allclose(d.second(u), elementwise_grad(d.derivative)(u), rtol=1e-12)
        np.testing.assert_allclose(d.inverse_derivative(d.derivative(u)), u, rtol=1e-11)
        np.testing.assert_allclose(elementwise_grad(d.conjugate)(d.derivative(u)), u, rtol=1e-11)


@ROWS
def test_f_is_convex_and_slopes_are_its_ends(name):
    d, u = F_DIVERGENCES[name], np.exp(LOG_U)
    assert d.f(1.0) == pytest.approx(-np.log(4) if name == "gan" else 0, abs=1e-15)
    assert np.all(d.second(u) >= 0)
    low, high = d.slopes
    assert np.all((low <= d.derivative(u)) & (d.derivative(u) <= high))
    if np.isfinite(high):
        assert d.f(1e30) / 1e30 == pytest.approx(high, abs=1e-10)
    if np.isfinite(low):                # below it the supremum is at u = 0
        assert d.conjugate(low - np.array([0.1, 5.0])) == pytest.approx(-d.f(np.array(0.0)), abs=1e-15)


@ROWS
def test_activations_lead_into_the_domain(name):
    d, v = F_DIVERGENCES[name], np.linspace(-30, 30, 61)
    with np.errstate(all="raise", under="ignore"):
        for activation in (d.at_log, d.activation):
            T = activation(v)
            assert np.all(T <= d.slopes[1]) and np.all(np.diff(T) >= 0)
            assert np.all(np.isfinite(d.conjugate(T[v < 15])))


@pytest.mark.parametrize("alpha, name, factor", [(2, "pearson", 0.5), (-1, "neyman", 0.5),
                                                 (0.5, "squared hellinger", 2), (1 + 1e-7, "kl", 1),
                                                 (1e-7, "reverse kl", 1)])
def test_alpha_divergences_contain_the_others(alpha, name, factor):
    p0, p = finite_game.random_laws(0).values()
    of_alpha = np.sum(p * alpha_divergence(alpha).f(p0 / p))
    assert of_alpha == pytest.approx(factor * dv.f_divergence(name, p0, p), rel=1e-5 if name.endswith("kl") else 1e-12)


def test_equal_weights_give_jensen_shannon():
    p0, p = finite_game.random_laws(1).values()
    assert np.sum(p * weighted_jensen_shannon(0.5).f(p0 / p)) == pytest.approx(dv.js(p0, p), rel=1e-12)


def test_points_without_data_or_without_anything():
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.25, 0.25, 0.5, 0.0])
    with np.errstate(all="raise"):
        assert dv.f_divergence("kl", p, q) == pytest.approx(np.log(2))
        assert dv.f_divergence("jensen-shannon", p, q) == pytest.approx(2 * dv.js(p, q))
        assert dv.f_divergence("total variation", p, q) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(4))
def test_the_constructed_root_is_a_root_of_the_minimax_game_only_if_restricted(seed):
    for restricted in (False, True):
        root, B, p0, _ = log_d_trick.root_case(seed, restricted).values()
        assert np.all(p0 > 0) and p0.sum() == pytest.approx(1, abs=1e-14)
        V = log_d_trick.optimal_logits(root, B, p0)
        assert np.max(np.abs(log_d_trick.minimax_gradient(root, B, V))) < 1e-14
        assert (np.max(np.abs(V)) > 1e-2) == restricted


def test_algorithm_5_finds_the_root_or_circles_around_it():
    def distances(spread, steps):
        case = vdm.realisable_case(0, spread)
        root = case.pop("lam")
        lam = root + np.array([0.0, 0.1, 0.0, 0.1, 0.0])
        for _ in range(steps):
            yield np.linalg.norm(lam - root)
            lam = lam + 0.1 * vdm.mean_field(lam=lam, **case)
    assert list(distances(1.0, steps=1000))[-1] < 1e-7
    away = np.diff(list(distances(0.0, steps=30)))
    assert np.all(away > 0)             # a step along the tangent of a circle leads outwards


def test_bad_input_is_named():
    p0, p = finite_game.random_laws(0).values()
    with pytest.raises(ValueError, match="there is no f-divergence 'hellinger': there are kl, reverse kl, "):
        dv.f_divergence("hellinger", p0, p)
    with pytest.raises(ValueError, match="q must be positive wherever p is"):
        dv.f_divergence("kl", np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="p must sum to one"):
        dv.f_divergence("kl", 2 * p0, p)
    with pytest.raises(ValueError, match="T must be in the domain of f.*, at most 0 for 'gan', but reaches 0.5"):
        dv.f_bound("gan", p0, p, np.full(6, 0.5))
    with pytest.raises(ValueError, match="alpha must be a number other than 0 and 1"):
        alpha_divergence(1)
    with pytest.raises(ValueError, match="the weight of p must be between 0 and 1, but is 1.2"):
        weighted_jensen_shannon(1.2)
    with pytest.raises(ValueError, match="psi must have 3 components"):
        vdm.variational_function("kl", np.zeros(2), np.zeros(5))
    with pytest.raises(ValueError, match="noise must sum to one"):
        gan.second_term(p0, np.array([0.5, 0.6]), np.array([0, 1]))
    with pytest.raises(ValueError, match="B must have shape"):
        log_d_trick.score(np.zeros(2), np.zeros((6, 3)))
