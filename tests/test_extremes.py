"""The log-domain pieces at extreme arguments, against mpmath at 50 digits.

`python tests/test_extremes.py` prints the worst error of each function, relative to the truth or, where digits cancel,
to the largest term.
"""
import sys

import numpy as np
import pytest
from autograd import elementwise_grad

from refdgm import elementary, numerics
from refdgm.f_divergences import F_DIVERGENCES
from refdgm.models import gaussian_posterior, rbm, sbn
from refdgm.samplers import importance

mp = pytest.importorskip("mpmath").mp
mp.dps = 50
EPSILON = 2.0**-53
WORST = {}                  # of each function, over all tests
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


def held(name, got, truth, roundings, scale=None):
    """The error is at most so many roundings; the worst is kept under the function's name."""
    error = worst(got, truth, scale)
    WORST[name] = max(error, WORST.get(name, 0.0))
    assert error <= roundings * EPSILON, name


@pytest.mark.parametrize("name, f, truth", [
    ("softplus", numerics.softplus, lambda a: mp.log1p(mp.exp(a))),
    ("log_sigmoid", numerics.log_sigmoid, lambda a: -mp.log1p(mp.exp(-a)))])
def test_elementwise(name, f, truth):
    held(name, f(REAL), exact(truth, REAL), 4)


def test_sigmoid():
    """Relative to itself, an error of |a| roundings is that of a itself."""
    values = exact(lambda a: 1 / (1 + mp.exp(-a)), REAL)
    held("sigmoid", numerics.sigmoid(REAL), values, 4, np.maximum(1, np.abs(REAL)) * np.array(values, float))


@pytest.mark.parametrize("f, slope", [
    (numerics.softplus, lambda a: 1 / (1 + mp.exp(-a))), (numerics.log_sigmoid, lambda a: 1 / (1 + mp.exp(a)))])
def test_derivatives(f, slope):
    values = exact(slope, REAL)
    scale = np.maximum(1, np.abs(REAL)) * np.array(values, float)
    held(f"gradient of {f.__name__}", elementwise_grad(f)(REAL), values, 8, scale)


@pytest.mark.parametrize("K", [1, 2, 50, 100_000])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4, 1e300])
def test_log_sum_exp(K, shift):
    """Errors are those of the peak, and of a sum of K terms."""
    log_w = shift + np.random.default_rng(K).normal(size=K) * 3
    peak = float(np.max(log_w))
    truth = mp.mpf(peak) + mp.log(mp.fsum(mp.exp(mp.mpf(float(a)) - mp.mpf(peak)) for a in log_w))
    scale = max(1.0, abs(peak)) + np.log(K)
    held("log_sum_exp", numerics.log_sum_exp(log_w), [truth], 16, [scale])
    held("log_mean_exp", numerics.log_mean_exp(log_w), [truth - mp.log(K)], 16, [scale])
    assert abs(np.sum(numerics.softmax(log_w)) - 1) <= 16 * EPSILON
    first = mp.exp(mp.mpf(float(log_w[0])) - truth)
    held("softmax", numerics.softmax(log_w)[0], [first], 64, [scale * float(first)])


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
    held("gaussian_log_prob", got, [truth], 4, [scale])


@pytest.mark.parametrize("logit", [0.0, 3.0, -40.0, 800.0, 1e4, -1e4])
@pytest.mark.parametrize("bit", [0.0, 1.0, 0.25])
def test_bernoulli(bit, logit):
    a, b = mp.mpf(logit), mp.mpf(bit)
    truth = -b * mp.log1p(mp.exp(-a)) - (1 - b) * mp.log1p(mp.exp(a))
    got = numerics.bernoulli_log_prob(np.array([bit]), np.array([logit]))
    held("bernoulli_log_prob", got, [truth], 8)


@pytest.mark.parametrize("p", [[0.5, 0.5], [1.0, 0.0], [1 - 1e-16, 1e-16], [1e-300, 1.0]])
def test_entropy_and_kl(p):
    q = np.array([0.25, 0.75])
    H = -mp.fsum(mp.mpf(a) * mp.log(mp.mpf(a)) for a in p if a)
    D = mp.fsum(mp.mpf(a) * mp.log(mp.mpf(a) / mp.mpf(float(b))) for a, b in zip(p, q) if a)
    held("entropy", numerics.entropy(np.array(p)), [H], 4, [1.0])
    held("kl", numerics.kl(np.array(p), q), [D], 8, [1.0])


def test_compiled_exp_and_log():
    x = np.concatenate([np.linspace(-700, 700, 2001), REAL[np.abs(REAL) < 700]])
    held("elementary.exp", elementary.exp(x), exact(mp.exp, x), 8)
    u = np.concatenate([np.logspace(-300, 300, 2001), 1 + np.linspace(-1e-3, 1e-3, 201)])
    truth = exact(mp.log, u)
    held("elementary.log", elementary.log(u), truth, 8, np.maximum(np.abs(np.array(truth, float)), 1e-16))


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
    held(f"f of {name}", F_DIVERGENCES[name].f(u), truth, 8, scale)
    v = np.linspace(-300, 300, 61)                  # f'(exp(v)), where exp(v) itself may overflow in the square
    slope = exact(lambda a: mp.diff(MPMATH_F[name], mp.exp(a)), v[25:36])
    assert worst(F_DIVERGENCES[name].at_log(v)[25:36], slope, np.maximum(1, np.abs(np.array(slope, float)))) <= 1e-13


# ---- models and estimators ------------------------------------------------------------

def softplus(a):
    return mp.log1p(mp.exp(a)) if a < 100 else a + mp.log1p(mp.exp(-a))


def dot(x, w):
    return mp.fsum(mp.mpf(float(a)) * mp.mpf(float(b)) for a, b in zip(x, w))


@pytest.mark.parametrize("size", [1.0, 1e2, 1e4])
def test_rbm(size):
    """Logits up to +-1e4: the free energy of every state, and log Z."""
    theta = rbm.random_theta(np.random.default_rng(3), 5, 4, scale=size)
    x = numerics.all_binary(5)
    truth = [-dot(row, theta["b"]) - mp.fsum(softplus(dot(row, w) + mp.mpf(float(c)))
                                             for w, c in zip(theta["w"].T, theta["c"])) for row in x]
    largest = np.max(np.abs(np.array(truth, float))) + size
    held("rbm.free_energy", rbm.free_energy(theta, x), truth, 8, np.full(len(x), largest))
    peak = max(-t for t in truth)
    log_z = peak + mp.log(mp.fsum(mp.exp(-t - peak) for t in truth))
    held("rbm.log_partition", rbm.log_partition(theta), [log_z], 8, [largest])


@pytest.mark.parametrize("size", [1.0, 1e2, 1e4])
def test_sbn(size):
    """log p(x, h) with logits up to +-1e4."""
    theta, _, x = sbn.random_case(4).values()
    theta = {name: size * leaf for name, leaf in theta.items()}
    h = numerics.all_binary(len(theta["a"]))
    truth = []
    for row in h:
        up = [mp.mpf(float(a)) for a in theta["a"]]
        down = [dot(row, w) + mp.mpf(float(b)) for w, b in zip(theta["W"], theta["b"])]
        truth.append(mp.fsum(-softplus(-a if bit else a) for bit, a in (*zip(row, up), *zip(x, down))))
    scale = np.abs(np.array(truth, float)) + size
    held("sbn.log_joint", sbn.log_joint(theta, x, h), truth, 16, scale)


@pytest.mark.parametrize("log_sigma", [-345.0, -20.0, 0.0, 1e-9, 20.0, 345.0])
@pytest.mark.parametrize("mu", [0.0, 1e-160, -3.0, 1e150])
def test_gaussian_kl(mu, log_sigma):
    """Variances from e^-690 to e^690."""
    m, s = mp.mpf(mu), mp.mpf(log_sigma)
    terms = m**2, mp.exp(2 * s), mp.mpf(1), 2 * abs(s)
    got = gaussian_posterior.kl_to_prior(np.array([mu]), np.array([log_sigma]))
    held("gaussian_posterior.kl_to_prior", got, [(m**2 + mp.exp(2 * s) - 1 - 2 * s) / 2], 8, [float(sum(terms))])


@pytest.mark.parametrize("K", [2, 50, 100_000])
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_importance_weights(K, shift):
    """The effective sample size, with weights of zero among them; relative, with the rounding of the log-weights."""
    log_w = shift + np.random.default_rng(K).normal(size=(1, K)) * 3
    log_w[0, ::3] = -np.inf
    w = [mp.exp(mp.mpf(float(a)) - mp.mpf(shift)) for a in log_w[0] if a > -np.inf]
    truth = mp.fsum(w)**2 / mp.fsum(a * a for a in w)
    held("importance.effective_sample_size", importance.effective_sample_size(log_w), [truth], 64,
         [float(truth) * max(1.0, abs(shift))])


if __name__ == "__main__":
    status = pytest.main([__file__, "-q"])
    for name, error in sorted(sys.modules["test_extremes"].WORST.items()):
        print(f"{name:36s} {error:.1e}")
    sys.exit(status)
