"""ESS, R-hat and standard errors: against exact chains, against ArviZ, and against a loop that follows the paper."""
import sys
import warnings

import numpy as np
import pytest

from refdgm.chains import Run
from refdgm.diagnostics import effective_sample_size, split_r_hat, standard_error, to_arviz


def autoregressive(rho, T, C, seed=0, shift=0.0):
    """Chains x' = rho x + sqrt(1 - rho^2) e from their stationary law N(0, 1); chain c is moved by shift c."""
    rng = np.random.default_rng(seed)
    x = np.empty((T, C))
    x[0] = rng.normal(size=C)
    for t in range(1, T):
        x[t] = rho * x[t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=C)
    return x + shift * np.arange(C)


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("rank", [True, False])
def test_the_effective_size_of_a_known_chain(rho, rank):
    """AR(1): the variance of the mean is that of N (1 - rho) / (1 + rho) independent draws."""
    ess = effective_sample_size(autoregressive(rho, 20_000, 8), rank)
    assert abs(ess / (160_000 * (1 - rho) / (1 + rho)) - 1) < 0.05


def test_the_standard_error_is_that_of_the_mean():
    """500 sets of chains: their means, over their standard errors, have standard deviation 1 +- 3 %."""
    x = autoregressive(0.7, 1000, 2000).reshape(1000, 500, 4).swapaxes(1, 2)
    scaled = np.mean(x, axis=(0, 1)) / standard_error(x)
    assert scaled.shape == (500,) and abs(np.std(scaled) - 1) < 0.1


@pytest.mark.parametrize("what, value", [
    ("the same law", 1.0), ("one chain elsewhere", 1.3), ("a drift within each chain", 1.2),
    ("one chain wider", 1.15)])
def test_r_hat_sees(what, value):
    x = np.random.default_rng(1).normal(size=(1000, 4))
    if what == "one chain elsewhere":
        x[:, 0] += 2
    elif what == "a drift within each chain":
        x += np.linspace(0, 3, 1000)[:, None]
    elif what == "one chain wider":
        x[:, 0] *= 4
    if value == 1:
        assert split_r_hat(x) < 1.005 and split_r_hat(x, rank=False) < 1.005
    else:
        assert split_r_hat(x) > value


def by_the_paper(x):
    """ESS of the mean for (T, C), term by term (Vehtari et al. 2021, Sec. 3.2 and Geyer 1992)."""
    T, C = x.shape
    halves = [part for c in range(C) for part in (x[:T // 2, c], x[T - T // 2:, c])]
    M, N = len(halves), T // 2
    means = [h.mean() for h in halves]
    W = np.mean([h.var(ddof=1) for h in halves])
    V = W * (N - 1) / N + np.var(means, ddof=1)
    rho = [1 - (W - np.mean([np.sum((h - m)[:N - t] * (h - m)[t:]) / N for h, m in zip(halves, means)])) / V
           for t in range(N)]
    rho[0] = 1.0
    total, previous, k = -1.0, np.inf, 0
    while rho[2 * k] + rho[2 * k + 1] > 0 and k < max(1, (N - 1) // 2) - 1:
        previous = min(previous, rho[2 * k] + rho[2 * k + 1])
        total, k = total + 2 * previous, k + 1
    return M * N / max(total + max(rho[2 * k], 0), 1 / np.log10(M * N))


@pytest.mark.parametrize("T, C, rho", [(4, 1, 0.0), (5, 2, 0.5), (11, 3, 0.3), (60, 4, 0.9), (101, 1, 0.5),
                                       (40, 2, -0.9)])
def test_the_sums_are_the_papers(T, C, rho):
    for seed in range(5):
        x = autoregressive(rho, T, C, seed)
        assert np.isclose(effective_sample_size(x, rank=False), by_the_paper(x), rtol=1e-10, atol=0)


CASES = [autoregressive(rho, T, C, seed=T, shift=shift) for rho, T, C, shift in (
    (0.0, 100, 4, 0.0), (0.8, 501, 4, 0.0), (0.99, 200, 3, 0.0), (-0.7, 300, 2, 0.0), (0.5, 64, 5, 0.4))]
CASES.append(np.round(CASES[1]))                    # ties


@pytest.fixture
def arviz():
    with warnings.catch_warnings(action="ignore"):          # it announces its next version
        return pytest.importorskip("arviz")


def test_arviz_agrees(arviz):
    for x in CASES:
        chain_first = x.T
        for ours, theirs in ((effective_sample_size(x), arviz.ess(chain_first, method="bulk")),
                             (effective_sample_size(x, rank=False), arviz.ess(chain_first, method="mean")),
                             (split_r_hat(x), arviz.rhat(chain_first, method="rank")),
                             (split_r_hat(x, rank=False), arviz.rhat(chain_first, method="split")),
                             (standard_error(x), arviz.mcse(chain_first, method="mean"))):
            assert np.isclose(ours, theirs, rtol=1e-10, atol=0)


def test_quantities_are_looked_at_one_by_one():
    x = np.stack([CASES[1], CASES[5], np.exp(CASES[1])], axis=-1).reshape(501, 4, 3, 1)
    for diagnostic in (effective_sample_size, split_r_hat, standard_error):
        together = diagnostic(x)
        assert together.shape == (3, 1)
        assert np.allclose(together[:, 0], [diagnostic(x[..., i, 0]) for i in range(3)], rtol=1e-12)
    assert np.isclose(effective_sample_size(x)[0, 0], effective_sample_size(x)[2, 0])       # ranks: any scale
    still = np.stack([CASES[1], np.ones((501, 4))], axis=-1)
    assert np.isnan(effective_sample_size(still)).tolist() == [False, True] == np.isnan(split_r_hat(still)).tolist()


def test_the_bridge(arviz):
    x = CASES[1]
    run = Run(None, x, None, len(x), False)
    assert np.isclose(float(arviz.ess(to_arviz(run, "h"))["h"]), effective_sample_size(x))
    run = run._replace(kept={"v": x, "two": np.stack([x, x], axis=-1)})
    assert to_arviz(run).posterior["two"].shape == (4, 501, 2)


def test_errors(monkeypatch):
    for bad, message in ((np.zeros(9), "shape"), (np.zeros((3, 2)), "4 draws"), (np.full((9, 2), np.nan), "finite")):
        with pytest.raises(ValueError, match=message):
            effective_sample_size(bad)
    with pytest.raises(ValueError, match="kept no draws"):
        to_arviz(Run(None, None, None, 0, False))
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ImportError, match="needs ArviZ"):
        to_arviz(Run(None, CASES[0], None, 100, False))
