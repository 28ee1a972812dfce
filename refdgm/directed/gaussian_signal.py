r"""REINFORCE against the reparameterised gradient where both variances are polynomials (ou2018 Sec. 3.2.1).

If the posterior is a Gaussian, p(h|x) = N(mu, tau^2), and so is q = N(m, s^2), the learning signal is quadratic in the
noise of h = m + s eps:

    l = log p(x, h)/q(h|x) = a + b eps + c eps^2        with r = (s/tau)^2, d = (m - mu)/s
        a = log p(x) + (log r - r d^2)/2    b = -r d    c = (1 - r)/2

    one draw of        d/dm                                         d/dlog s
    REINFORCE          (a^2 + 6ac + 15c^2 + 2b^2)/s^2               2a^2 + 20ac + 10b^2 + 74c^2
    pathwise           (2c - 1)^2/s^2                               b^2 + 2(2c - 1)^2

Where q is the posterior b = c = 0: REINFORCE has log^2 p(x) times the variance of a pathwise draw, and so less of it
if p(x) is within a factor e of one. However smooth log p(x, h) is, that REINFORCE is the noisier is no theorem.
All arguments are numbers.

Where q is the posterior and log p(x) = -3 REINFORCE has nine times the variance:

    >>> from refdgm.directed.gaussian_signal import pathwise_variance, quadratic_signal, reinforce_variance
    >>> a, b, c = quadratic_signal(log_p=-3.0, mu=0.0, tau=1.0, m=0.0, s=1.0)
    >>> round(float(reinforce_variance(a, b, c, s=1.0)[0] / pathwise_variance(a, b, c, s=1.0)[0]), 3)
    9.0
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import gauss_hermite


def quadratic_signal(log_p, mu, tau, m, s):
    """a, b and c of the learning signal."""
    r, d = (s / tau)**2, (m - mu) / s
    return log_p + (np.log(r) - r * d**2) / 2, -r * d, (1 - r) / 2


def reinforce_variance(a, b, c, s):
    """The variance of l eps/s and of l (eps^2 - 1) (ou2018 Eq. 10).  -> (2,)"""
    return np.array([(a**2 + 6 * a * c + 15 * c**2 + 2 * b**2) / s**2,
                     2 * a**2 + 20 * a * c + 10 * b**2 + 74 * c**2])


def pathwise_variance(a, b, c, s):
    """The variance of g and of g s eps + 1, g = dlog p(x, h)/dh (ou2018 Sec. 3.2.1).  -> (2,)"""
    return np.array([(2 * c - 1)**2 / s**2, b**2 + 2 * (2 * c - 1)**2])


# ---- claims ---------------------------------------------------------------------------

def gaussian_case(seed):
    """A posterior and a q; on every second instance they are the same."""
    rng = np.random.default_rng([seed, 71])
    mu, m = rng.normal(size=2)
    tau, s = np.exp(rng.uniform(-0.7, 0.7, size=2))
    log_p = rng.normal() - 1.0
    return {"log_p": log_p, "mu": mu, "tau": tau, "m": m, "s": s} if seed % 2 else \
        {"log_p": log_p, "mu": mu, "tau": tau, "m": mu, "s": tau}


def by_quadrature(log_p, mu, tau, m, s):
    """The oracle: log p(x, h) and log q(h|x) as they are, over the draws of a Gauss-Hermite rule."""
    eps, w = gauss_hermite(12)
    eps = eps[:, 0]
    h = m + s * eps
    signal = log_p - (h - mu)**2 / (2 * tau**2) - np.log(tau) + (h - m)**2 / (2 * s**2) + np.log(s)
    g = -(h - mu) / tau**2
    draws = np.array([signal * eps / s, signal * (eps**2 - 1), g, g * s * eps + 1])
    return (draws - (draws @ w)[:, None])**2 @ w


def both(reinforce=reinforce_variance, pathwise=pathwise_variance):
    def variances(log_p, mu, tau, m, s):
        a, b, c = quadratic_signal(log_p, mu, tau, m, s)
        return np.concatenate([reinforce(a, b, c, s), pathwise(a, b, c, s)])
    return variances


CLAIMS = [
    Claim("ou2018.x_reinforce_gaussian", both(), equals(by_quadrature, gaussian_case, method="quadrature"),
          {"second moments: the means not subtracted": both(lambda a, b, c, s: reinforce_variance(a, b, c, s)
                                                            + np.array([b**2 / s**2, 4 * c**2])),
           "log q moves along the path, too": both(pathwise=lambda a, b, c, s: pathwise_variance(a, b, c + 0.5, s)),
           "the signal centred": both(lambda a, b, c, s: reinforce_variance(-c, b, c, s)),
           "a posterior that is known needs no draws: pathwise 0": both(
               pathwise=lambda a, b, c, s: 4 * c**2 * np.array([1 / s**2, 2]) + np.array([0, b**2]))}),
]
