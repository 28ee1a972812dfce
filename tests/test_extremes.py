"""The log-domain pieces at extreme arguments, against mpmath at 50 digits."""
import numpy as np
import pytest
from autograd import elementwise_grad

from refdgm import elementary, numerics
from refdgm.divergences import F_DIVERGENCES

mp = pytest.importorskip("mpmath").mp
mp.dps = 50
EPSILON = 2.0**-53
REAL = np.array([0.0, 1e-300, -1e-300, 1e-20, -1e-20, 1e-8, 0.3, -0.3, 1.0, -1.0, 17.0, -17.0, 37.0, -37.0, 300.0,
                 -300.0, 700.0, -700.0, 745.0, -745.0, 1e4, -1e4])


def exact(f, *arguments):
    """f at mpmath's 50 digits, elementwise."""
    return np.array([f(*(mp.mpf(float(a)) for a in row)) for row in zip(*map(np.ravel, arguments))], dtype=object)


def worst(got, truth, scale=None):
    """The largest error, relative to the truth (or to scale); below 1e-300 an absolute error of that size is none."""
    errors = []
    for n, (g, t) in enumerate(zip(np.ravel(got), truth)):
        size = abs(t) if scale is None else mp.mpf(float(np.ravel(scale)[n]))
        errors.append(float(abs(mp.mpf(float(g)) - t) / max(size, mp.mpf("1e-300"))))
    return max(errors)


@pytest.mark.parametrize("name, f, truth", [
    ("softplus", numerics.softplus, lambda a: mp.log1p(mp.exp(a))),
    ("log_sigmoid", numerics.log_sigmoid, lambda a: -mp.log1p(mp.exp(-a)))])
def test_elementwise(name, f, truth):
    assert worst(f(REAL), exact(truth, REAL)) <= 4 * EPSILON, name


def test_sigmoid():
    """Relative to itself, an error of |a| roundings is that of a itself."""
    values = exact(lambda a: 1 / (1 + mp.exp(-a)), REAL)
    assert worst(numerics.sigmoid(REAL), values, np.maximum(1, np.abs(REAL)) * np.array(values, float)) <= 4 * EPSILON


@pytest.mark.parametrize("f, slope", [
    (numerics.softplus, lambda a: 1 / (1 + mp.exp(-a))), (numerics.log_sigmoid, lambda a: 1 / (1 + mp.exp(a)))])
def test_derivatives(f, slope):
    values = exact(slope, REAL)
    scale = np.maximum(1, np.abs(REAL)) * np.array(values, float)
    assert worst(elementwise_grad(f)(REAL), values, scale) <= 8 * EPSILON


@pytest.mark.parametrize("K", [1, 2, 50, 100_000])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4, 1e300])
def test_log_sum_exp(K, shift):
    """Errors are those of the peak, and of a sum of K terms."""
    log_w = shift + np.random.default_rng(K).normal(size=K) * 3
    peak = float(np.max(log_w))
    truth = mp.mpf(peak) + mp.log(mp.fsum(mp.exp(mp.mpf(float(a)) - mp.mpf(peak)) for a in log_w))
    scale = max(1.0, abs(peak)) + np.log(K)
    assert worst(numerics.log_sum_exp(log_w), [truth], [scale]) <= 16 * EPSILON
    assert worst(numerics.log_mean_exp(log_w), [truth - mp.log(K)], [scale]) <= 16 * EPSILON
    assert abs(np.sum(numerics.softmax(log_w)) - 1) <= 16 * EPSILON
    first = mp.exp(mp.mpf(float(log_w[0])) - truth)
    assert worst(numerics.softmax(log_w)[0], [first], [scale * float(first)]) <= 64 * EPSILON


def test_log_weights_of_minus_infinity():
    log_w = np.array([[-np.inf, 0.0, -np.inf], [-np.inf] * 3])
    assert numerics.log_sum_exp(log_w).tolist() == [0.0, -np.inf]
    assert numerics.softmax(log_w[0]).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("variance", [1e-300, 1e-150, 1e-8, 1.0, 1e8, 1e150, 1e300])
@pytest.mark.parametrize("x", [0.0, 1e-160, 1.0, -3e3, 1e100])
def test_gaussian(variance, x):
    if x * x / variance > 1e305:
        pytest.skip("beyond the range of float64: -inf")
    truth = -(mp.mpf(x)**2 / mp.mpf(variance) + mp.log(mp.mpf(variance)) + mp.log(2 * mp.pi)) / 2
    scale = x * x / variance + abs(np.log(variance)) + 2
    got = numerics.gaussian_log_prob(np.array([x]), 0.0, np.array([variance]))
    assert worst(got, [truth], [scale]) <= 4 * EPSILON


@pytest.mark.parametrize("logit", [0.0, 3.0, -40.0, 800.0, 1e4, -1e4])
@pytest.mark.parametrize("bit", [0.0, 1.0, 0.25])
def test_bernoulli(bit, logit):
    a, b = mp.mpf(logit), mp.mpf(bit)
    truth = -b * mp.log1p(mp.exp(-a)) - (1 - b) * mp.log1p(mp.exp(a))
    got = numerics.bernoulli_log_prob(np.array([bit]), np.array([logit]))
    assert worst(got, [truth]) <= 8 * EPSILON


@pytest.mark.parametrize("p", [[0.5, 0.5], [1.0, 0.0], [1 - 1e-16, 1e-16], [1e-300, 1.0]])
def test_entropy_and_kl(p):
    q = np.array([0.25, 0.75])
    H = -mp.fsum(mp.mpf(a) * mp.log(mp.mpf(a)) for a in p if a)
    D = mp.fsum(mp.mpf(a) * mp.log(mp.mpf(a) / mp.mpf(float(b))) for a, b in zip(p, q) if a)
    assert worst(numerics.entropy(np.array(p)), [H], [1.0]) <= 4 * EPSILON
    assert worst(numerics.kl(np.array(p), q), [D], [1.0]) <= 8 * EPSILON


def test_compiled_exp_and_log():
    x = np.concatenate([np.linspace(-700, 700, 2001), REAL[np.abs(REAL) < 700]])
    assert worst(elementary.exp(x), exact(mp.exp, x)) <= 8 * EPSILON
    u = np.concatenate([np.logspace(-300, 300, 2001), 1 + np.linspace(-1e-3, 1e-3, 201)])
    truth = exact(mp.log, u)
    assert worst(elementary.log(u), truth, np.maximum(np.abs(np.array(truth, float)), 1e-16)) <= 8 * EPSILON


MPMATH_F = {
    "kl": lambda u: u * mp.log(u), "reverse kl": lambda u: -mp.log(u), "pearson": lambda u: (u - 1)**2,
    "squared hellinger": lambda u: (mp.sqrt(u) - 1)**2, "jeffrey": lambda u: (u - 1) * mp.log(u),
    "jensen-shannon": lambda u: u * mp.log(u) - (u + 1) * mp.log((u + 1) / 2), "neyman": lambda u: (u - 1)**2 / u}


@pytest.mark.parametrize("name", MPMATH_F)
def test_f_divergences(name):
    """f(u) from 1e-12 to 1e12, relative to the largest of its terms."""
    u = np.logspace(-12, 12, 97)
    truth = exact(MPMATH_F[name], u)
    scale = np.maximum(np.abs(np.array(truth, float)), 1 + u * (1 + np.abs(np.log(u))))
    assert worst(F_DIVERGENCES[name].f(u), truth, scale) <= 8 * EPSILON
    v = np.linspace(-300, 300, 61)                  # f'(exp(v)), where exp(v) itself may overflow in the square
    slope = exact(lambda a: mp.diff(MPMATH_F[name], mp.exp(a)), v[25:36])
    assert worst(F_DIVERGENCES[name].at_log(v)[25:36], slope, np.maximum(1, np.abs(np.array(slope, float)))) <= 1e-13
