r"""The reparameterised gradient of E_q[log p], and when it varies less (lecture12 Sec. 2.3).

    z = g_phi(eps) = m + s eps,  eps ~ N(0, 1),  so that z ~ q = N(m, s^2);  phi = {"m", "log_s"};  f(z) = log p(x, z)

    path     d/dphi E_q f(z) = E_eps[d/dphi f(z_phi(eps))]:    d/dm: f'(z)         d/dlog_s: f'(z) s eps
    score    d/dphi E_q f(z) = E_q[f(z) dlog q(z)/dphi]:       d/dm: f(z) eps / s  d/dlog_s: f(z) (eps^2 - 1)

The means are equal. The variances of the derivative in m differ by E[f^2]/s^2 + E[f'^2] + 2 E[f f''], see
derivations/aevb_gradient.py: positive for a log p that is large and smooth on the scale of q, and negative for one
that oscillates faster than q is wide. The log-density here is that of n coin tosses with log-odds w z + b, z ~ N(0, 1).
x, w, b : (n,);  z, eps : (..., 1); every mean over eps is a quadrature.

The variance of one draw of the slope in m, along the path and by the score:

    >>> from refdgm.directed.path_gradient import path_variance, score_variance, smooth_case
    >>> [round(float(variance(**smooth_case(0))[0]), 2) for variance in (path_variance, score_variance)]
    [0.33, 578.02]
"""
from functools import partial

import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least, is_gradient_of
from refdgm.numerics import bernoulli_log_prob, gaussian_log_prob, normal_trapezoid, sigmoid, trapezoid, weighted_sum


def log_joint(theta, x, z):
    """f(z) = log p(x, z) = sum_i log Bernoulli(x_i; sigmoid(w_i z + b_i)) + log N(z; 0, 1).  (..., 1) -> (...)"""
    return bernoulli_log_prob(x, theta["w"] * z + theta["b"]) + gaussian_log_prob(z, 0.0, 1.0)


def slope_of_log_joint(theta, x, z):
    """f'(z), by hand.  (..., 1) -> (...)"""
    return np.sum((x - sigmoid(theta["w"] * z + theta["b"])) * theta["w"], axis=-1) - z[..., 0]


def place(phi, eps):
    """z = m + s eps (lecture12 Sec. 2.3).  (..., 1) -> (..., 1)"""
    return phi["m"] + np.exp(phi["log_s"]) * eps


def path_draws(phi, slope, eps):
    """d/dphi f(z_phi(eps)), for f with derivative `slope` (lecture12 Sec. 2.3).  (..., 1) -> dict of (...)"""
    along = slope(place(phi, eps))
    return {"m": along, "log_s": along * np.exp(phi["log_s"]) * eps[..., 0]}


def score_draws(phi, f, eps):
    """f(z) dlog q(z)/dphi at z_phi(eps) (lecture12 Secs. 2.2.2, 2.3).  (..., 1) -> dict of (...)"""
    signal, eps = f(place(phi, eps)), eps[..., 0]
    return {"m": signal * eps / np.exp(phi["log_s"]), "log_s": signal * (eps**2 - 1)}


# ---- exact, by quadrature -------------------------------------------------------------

def noise(n=801, reach=10.0):
    """Nodes eps (n, 1) and weights (n,) of E f(eps), eps ~ N(0, 1)."""
    eps, w = normal_trapezoid(n, reach)
    return eps[:, None], w


def mean(draws):
    """The mean over `noise` of a dict of (n,).  -> dict of ()"""
    return weighted_sum(noise()[1], draws)


def variance(draws):
    """The variances over `noise` of the two components of one draw.  -> (2,)"""
    weights = noise()[1]
    centred = [draws[name] - mean(draws)[name] for name in ("m", "log_s")]
    return np.array([weights @ c**2 for c in centred])


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, n=6):
    """n coin tosses, and q = N(m, s^2) somewhat narrower than the prior."""
    rng = onp.random.default_rng([seed, n])
    theta = {"w": rng.normal(size=n), "b": rng.normal(size=n)}
    return {"phi": {"m": rng.normal(), "log_s": onp.log(rng.uniform(0.3, 0.8))}, "theta": theta,
            "x": rng.integers(0, 2, n).astype(float)}


def expectation(phi, theta, x):
    """The oracle: int q(z) log p(x, z) dz on a fixed grid of z, which autograd differentiates."""
    z, w = trapezoid(-12.0, 12.0, 1201)
    return np.sum(w * np.exp(gaussian_log_prob(z[:, None], phi["m"], np.exp(2 * phi["log_s"])))
                  * log_joint(theta, x, z[:, None]))


def gradient(change=lambda draws, phi, f, slope, eps: draws):
    """The exact mean of path_draws, of which each draw is changed."""
    def of(phi, theta, x):
        def f(z): return log_joint(theta, x, z)
        def slope(z): return slope_of_log_joint(theta, x, z)
        eps, _ = noise()
        return mean(change(path_draws(phi, slope, eps), phi, f, slope, eps))
    return of


def with_log_s(of):
    """Another derivative in log s."""
    def change(draws, phi, f, slope, eps):
        return {**draws, "log_s": of(draws["m"], np.exp(phi["log_s"]), eps[:, 0])}
    return gradient(change)


def both_added(draws, phi, f, slope, eps):
    score = score_draws(phi, f, eps)
    return {name: draws[name] + score[name] for name in draws}


def smooth_case(seed):
    """f and f' of a log-density."""
    case = random_case(seed)
    return {"phi": case["phi"], "f": partial(log_joint, case["theta"], case["x"]),
            "slope": partial(slope_of_log_joint, case["theta"], case["x"])}


def wave_case(seed):
    """f(z) = sin(k z) with k s at least 2: it turns within the width of q."""
    phi = random_case(seed)["phi"]
    k = onp.random.default_rng([seed, 3]).uniform(2.0, 4.0) / onp.exp(phi["log_s"])
    return {"phi": phi, "f": lambda z: np.sin(k * z[..., 0]), "slope": lambda z: k * np.cos(k * z[..., 0])}


def score_variance(phi, f, slope):
    return variance(score_draws(phi, f, noise()[0]))


def path_variance(phi, f, slope):
    return variance(path_draws(phi, slope, noise()[0]))


def squared_mean(phi, f, slope):
    draws = mean(score_draws(phi, f, noise()[0]))
    return np.array([draws["m"]**2, draws["log_s"]**2])


CLAIMS = [
    Claim("lecture12.sec2.3_reparam", gradient(), is_gradient_of(expectation, "phi", random_case, method="quadrature"),
          {"the derivative in s for the one in log s": with_log_s(lambda along, s, eps: along * eps),
           "df/dz without dz/dphi": with_log_s(lambda along, s, eps: along),
           "the noise drawn once for m and again for log s": with_log_s(lambda along, s, eps: 0 * along),
           "the score function added": gradient(both_added),
           "s the variance": with_log_s(lambda along, s, eps: along * s**2 * eps)}),
    Claim("lecture12.sec2.3_variance", score_variance, is_at_least(path_variance, smooth_case, method="quadrature"),
          {"equal means, hence equal variances": path_variance,
           "the mean of a thousand draws against one": lambda **c: score_variance(**c) / 1e3,
           "the ratio of the two upside down": lambda **c: path_variance(**c)**2 / score_variance(**c),
           "the squared mean, not the variance": squared_mean},
          without=is_at_least(path_variance, wave_case, method="quadrature")),
]
