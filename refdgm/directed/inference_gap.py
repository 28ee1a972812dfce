r"""The inference gap and its two parts (ou2018 Sec. 3.2.1, unnumbered; Cremer et al. 2018).

For one x, with q*_x the best member of the family Q for this x, and q the one that the inference network gives:

    log p(x) - L(x; q) = [log p(x) - L(x; q*_x)]     +  [L(x; q*_x) - L(x; q)]
    inference gap      = approximation gap           +  amortisation gap
                       = KL[q*_x || p(h|x)]          +  KL[q || p(h|x)] - KL[q*_x || p(h|x)]

Here in the linear-Gaussian model with Q the factorised Gaussians: q*_x has the posterior's mean and its conditional
variances 1 / Lambda_ii. A member of Q is (mean (..., H), variance (H,)); X (n, D) holds several x.

The two parts at one x:

    >>> from refdgm.directed.inference_gap import gaps, random_case
    >>> {part: round(float(gap[0]), 3) for part, gap in gaps(**random_case(0)).items()}
    {'approximation': 0.277, 'amortisation': 6.835}
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import linear_gaussian as model
from refdgm.numerics import gauss_hermite, gaussian_log_prob


def amortised(phi, X):
    """What the network gives for each x: mean V x + c, variance exp(s) (ou2018 Sec. 3.2.1).  -> (n, H), (H,)"""
    return np.dot(X, phi["V"].T) + phi["c"], np.exp(phi["s"])


def best_factorised(theta, X):
    """q*_x, the minimiser of KL[q || p(h|x)] over Q for each x (ou2018 Sec. 3.2.1).  -> (n, H), (H,)"""
    return model.posterior_mean(theta, X), 1 / np.diag(model.posterior_precision(theta))


def kl_to_posterior(theta, X, q):
    """KL[q || p(h|x)] for each x.  -> (n,)"""
    mean, variance = q
    covariance = np.linalg.inv(model.posterior_precision(theta))
    return model.kl_gaussian(mean, np.diag(variance), model.posterior_mean(theta, X), covariance)


def gaps(theta, phi, X):
    """Both parts of log p(x) - L for each x, by KL divergences (ou2018 Sec. 3.2.1).  -> dict of two (n,)"""
    approximation = kl_to_posterior(theta, X, best_factorised(theta, X))
    return {"approximation": approximation,
            "amortisation": kl_to_posterior(theta, X, amortised(phi, X)) - approximation}


def random_case(seed, n=4, D=4, H=3):
    """A network that is near the best q for each x and misses it, differently for each x."""
    rng = onp.random.default_rng([seed, n])
    theta = model.random_case(seed, D, H)["theta"]
    gain = model.posterior_mean(theta, onp.eye(D) + theta["b"]).T
    phi = {"V": gain + 0.2 * rng.normal(size=(H, D)), "c": -gain @ theta["b"] + 0.2 * rng.normal(size=H),
           "s": 0.3 * rng.normal(size=H) - onp.log(onp.diag(model.posterior_precision(theta)))}
    return {"theta": theta, "phi": phi, "X": rng.normal(size=(n, D)) * 1.5}


# ---- claims ---------------------------------------------------------------------------

def bound(theta, X, q):
    """L for each x as an expectation over q: two Gauss-Hermite nodes a dimension are exact for a quadratic."""
    mean, variance = q
    eps, w = gauss_hermite(2, dimensions=len(variance))
    h = mean[:, None] + np.sqrt(variance) * eps
    log_w = model.log_joint(theta, X[:, None], h) - gaussian_log_prob(h, mean[:, None], variance)
    return np.sum(w * log_w, axis=1)


def differences_of_bounds(theta, phi, X):
    """Both parts from log p(x) and the two bounds; the best q by steps that solve for one coordinate at a time."""
    best = coordinate_ascent(theta, X)
    at_best = bound(theta, X, best)
    return {"approximation": model.log_marginal(theta, X) - at_best,
            "amortisation": at_best - bound(theta, X, amortised(phi, X))}


def coordinate_ascent(theta, X, sweeps=100):
    """Mean-field: each q(h_i) in turn is exp E[log p(x, h)] over the others, a Gaussian read off three points."""
    valid.count("the number of rows of X", len(X))
    n, H = len(X), theta["W"].shape[1]
    mean, variance = onp.zeros((n, H)), onp.ones(H)
    for i in list(range(H)) * sweeps:
        around = mean + onp.array([-1.0, 0.0, 1.0])[:, None, None] * onp.eye(H)[i]
        below, at, above = model.log_joint(theta, X, around)
        variance[i] = 1 / onp.mean(2 * at - below - above)
        mean[:, i] += (above - below) / 2 * variance[i]
    return mean, variance


def per_sample(theta, phi, X):
    """log p(x) - L(x) for each x."""
    return model.log_marginal(theta, X) - bound(theta, X, amortised(phi, X))


def pooled(theta, phi, X):
    """log p(x) - L with L the bound summed over the data, as ou2018 defines L(theta, phi) before Eq. 9."""
    return model.log_marginal(theta, X) - np.sum(bound(theta, X, amortised(phi, X)))


def reversed_kl(theta, phi, X):
    """Both parts with KL[p(h|x) || q]."""
    mean, covariance = model.posterior_mean(theta, X), np.linalg.inv(model.posterior_precision(theta))
    best, net = ((m, np.diag(v)) for m, v in (best_factorised(theta, X), amortised(phi, X)))
    approximation = model.kl_gaussian(mean, covariance, *best)
    return {"approximation": approximation, "amortisation": model.kl_gaussian(mean, covariance, *net) - approximation}


def marginal_variances(theta, phi, X):
    """Both parts with the posterior's marginal variances in q*_x."""
    variance = np.diag(np.linalg.inv(model.posterior_precision(theta)))
    approximation = kl_to_posterior(theta, X, (model.posterior_mean(theta, X), variance))
    return {"approximation": approximation,
            "amortisation": kl_to_posterior(theta, X, amortised(phi, X)) - approximation}


def kl_to_best(theta, phi, X):
    """The amortisation gap as KL[q || q*_x], as if divergences added up."""
    mean, variance = best_factorised(theta, X)
    net_mean, net_variance = amortised(phi, X)
    return {**gaps(theta, phi, X),
            "amortisation": model.kl_gaussian(net_mean, np.diag(net_variance), mean, np.diag(variance))}


def kl_of_network(theta, phi, X):
    return kl_to_posterior(theta, X, amortised(phi, X))


CLAIMS = [
    Claim("ou2018.gap", gaps, equals(differences_of_bounds, random_case, method="quadrature"),
          {"the other KL": reversed_kl,
           "the posterior's marginal variances in q*": marginal_variances,
           "KL[q || q*] for the amortisation gap": kl_to_best,
           "the two gaps exchanged": lambda **c: dict(zip(("amortisation", "approximation"), gaps(**c).values()))}),
    Claim("ou2018.gap.notation", per_sample, equals(kl_of_network, random_case, method="quadrature"),
          {"the mean bound of the data": lambda theta, phi, X: (
              model.log_marginal(theta, X) - np.mean(bound(theta, X, amortised(phi, X)))),
           "the bound less the evidence": lambda **c: -per_sample(**c),
           "at the best q": lambda theta, phi, X: (
              model.log_marginal(theta, X) - bound(theta, X, best_factorised(theta, X)))},
          printed=pooled),
]
