"""An RBM with Gaussian visible units: the model against quadrature, the chain against its matrix and its twin."""
import numpy as np
import pytest

from refdgm.models import gaussian_rbm
from refdgm.models.finite_chain import stationary_law
from refdgm.numerics import all_binary, log_sum_exp, trapezoid
from refdgm.samplers import gaussian_rbm_gibbs as gibbs
from refdgm.streams import advance, fires, normals, words
from refdgm.transition_test import compare, follow, number


def machine(D=7, H=5, scale=0.7, seed=0):
    return gaussian_rbm.random_theta(np.random.default_rng(seed), D, H, scale)


def equal(a, b):
    return np.array_equal(a.v, b.v) and np.array_equal(a.h, b.h) and a.stream.step == b.stream.step


# ---- the model ------------------------------------------------------------------------

def test_the_model_is_its_energy():
    """Sums over h and an integral over v of exp(-E), by brute force."""
    theta, h = machine(1, 3), all_binary(3)
    v, dv = trapezoid(-25.0, 25.0, 4001)
    minus_E = -gaussian_rbm.energy(theta, v[:, None, None], h)                                  # (nodes, 2**H)
    assert np.allclose(log_sum_exp(minus_E), -gaussian_rbm.free_energy(theta, v[:, None]), atol=1e-10)
    integral = np.log(dv @ np.exp(minus_E))
    assert np.allclose(integral, -gaussian_rbm.hidden_free_energy(theta, h), atol=1e-10)
    assert np.isclose(gaussian_rbm.log_partition(theta), log_sum_exp(integral), atol=1e-10)
    log_p_h, means = gaussian_rbm.mixture(theta)
    sigma = theta["sigma"]
    density = np.exp(log_p_h) @ np.exp(-(v - means)**2 / (2 * sigma**2)) / np.sqrt(2 * np.pi * sigma**2)
    assert np.allclose(np.exp(gaussian_rbm.log_marginal(theta, v[:, None])), density, atol=1e-12)
    odds = minus_E[:, all_binary(3)[:, 0] == 1] - minus_E[:, all_binary(3)[:, 0] == 0]
    assert np.allclose(odds - odds[:, :1], 0, atol=1e-9)                   # hidden units are independent given v
    assert np.allclose(odds[:, 0], gaussian_rbm.hidden_logits(theta, v[:, None])[:, 0], atol=1e-9)


# ---- the chain ------------------------------------------------------------------------

@pytest.mark.parametrize("D, H", [(1, 3), (2, 2), (2, 3)])
def test_the_matrix_is_reversible_for_the_mixture(D, H):
    theta = machine(D, H)
    P, p = gibbs.hidden_transition_matrix(theta), np.exp(gaussian_rbm.mixture(theta)[0])
    assert np.max(np.abs(P.sum(axis=1) - 1)) < 1e-12
    assert np.max(np.abs(p[:, None] * P - (p[:, None] * P).T)) < 1e-12
    assert np.max(np.abs(stationary_law(P) - p)) < 1e-12


def compiled(theta):
    return lambda state: gibbs.run(theta, state, 1).state


def variant(theta, noise=None, logit_scale=None):
    """A step with the noise or the scale of the logits of somebody's mistake."""
    sigma = theta["sigma"]
    noise, logit_scale = sigma if noise is None else noise, sigma**-2 if logit_scale is None else logit_scale

    def step(s):
        h = fires(words(s.stream, len(theta["c"]), 0), (s.v * logit_scale) @ theta["w"] + theta["c"]).astype(float)
        v = h @ theta["w"].T + theta["b"] + noise * normals(s.stream, len(sigma), 1)
        return gibbs.State(v, h, advance(s.stream))

    return step


SAMPLERS = {"the kernel": (compiled, True),
            "the twin": (lambda theta: lambda s: gibbs.step(theta, s), True),
            "the same by a matrix product": (variant, True),
            "the mean, without noise": (lambda theta: variant(theta, noise=0.0), False),
            "noise of sigma^2": (lambda theta: variant(theta, noise=theta["sigma"]**2), False),
            "logits of v / sigma": (lambda theta: variant(theta, logit_scale=1 / theta["sigma"]), False),
            "logits of v": (lambda theta: variant(theta, logit_scale=1.0), False),
            "sigma 10 % too large": (lambda theta: variant(theta, noise=1.1 * theta["sigma"]), False)}


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("D, H", [(1, 2), (2, 2)])
def test_moves(D, H, name):
    """Half a million moves of the hidden units against the matrix, or fewer until a mistake shows."""
    theta = {**machine(D, H, 1.5, seed=1), "sigma": np.linspace(0.7, 1.4, D)}
    make, agrees = SAMPLERS[name]
    step = make(theta)
    verdict = compare(gibbs.hidden_transition_matrix(theta), *follow(
        step(gibbs.init(theta, 2**16, seed=5)), step, lambda s: number(s.h)), most=2**19)
    assert verdict.agrees == agrees, f"{name}: {verdict}"


def test_averages_approach_the_mixtures_moments():
    theta = machine(3, 4)
    run = gibbs.run(theta, gibbs.init(theta, 2000, seed=1), 1000, burn_in=50, thin=10,
                    average=lambda s: np.stack([s.v, s.v**2]))
    log_p, means = gaussian_rbm.mixture(theta)
    exact = np.stack([np.exp(log_p) @ means, np.exp(log_p) @ (means**2 + theta["sigma"]**2)])
    assert run.average.shape == (2, 2000, 3)
    error = run.average.std(axis=1, ddof=1) / np.sqrt(2000)
    assert np.all(np.abs(run.average.mean(axis=1) - exact) < 5 * error)


# ---- the kernel -----------------------------------------------------------------------

@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("D, H, chains", [(37, 22, 150), (5, 3, 1), (300, 7, 65)])
def test_the_compiled_chain_is_the_numpy_chain(D, H, chains, real):
    theta = machine(D, H, 0.3)
    start = gibbs.init(theta, chains, seed=7, real=real)
    twin = start
    for _ in range(6):
        twin = gibbs.step(theta, twin)
    assert twin.v.dtype == twin.h.dtype == real
    for threads in (1, 2):
        assert equal(gibbs.run(theta, start, 6, threads=threads).state, twin)
    assert equal(gibbs.run(theta, gibbs.run(theta, start, 2).state, 4).state, twin)


def test_a_chain_does_not_notice_its_batch():
    theta = machine()
    start = gibbs.init(theta, 300, seed=3)
    together = gibbs.run(theta, start, 5).state
    alone = gibbs.State(start.v[40:60], start.h[40:60], start.stream._replace(chain=start.stream.chain[40:60]))
    alone = gibbs.run(theta, alone, 5).state
    assert np.array_equal(alone.v, together.v[40:60]) and np.array_equal(alone.h, together.h[40:60])


def test_errors():
    theta = machine(3, 2)
    with pytest.raises(ValueError, match="number of chains must be an integer of at least 1"):
        gibbs.init(theta, 0)
    with pytest.raises(ValueError, match="v must have shape"):
        gibbs.init(theta, 2, v=np.zeros((3, 3)))
    with pytest.raises(ValueError, match="v must be finite"):
        gibbs.init(theta, 2, v=np.full((2, 3), np.inf))
    with pytest.raises(ValueError, match="sigma'. must be positive"):
        gibbs.init({**theta, "sigma": np.zeros(3)}, 2)
    with pytest.raises(ValueError, match="sigma is missing"):
        gibbs.init({name: theta[name] for name in "wbc"}, 2)
    with pytest.raises(ValueError, match="steps must be an integer"):
        gibbs.run(theta, gibbs.init(theta, 2), 0)
    with pytest.raises(ValueError, match="states, more than"):
        gibbs.hidden_transition_matrix(machine(4, 2))
