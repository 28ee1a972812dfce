r"""A Gaussian, as an energy-based model, fitted to a mixture of two by an f-divergence (yu2020 Sec. 6.1).

    target    p = w_1 N(m_1, s_1^2) + w_2 N(m_2, s_2^2)
    model     E(x) = (x - mu)^2 / (2 sigma^2),   q = exp(-E) / Z,   Z = sqrt(2 pi sigma^2)           (Eq. 20)
    optimum   argmin D_f(p||q),   dD_f = E_q[(f(u) - u f'(u)) dlog q],   u = p/q                    (Sec. 3.1)

target = {"w": (2,), "mean": (2,), "std": (2,)}; gaussian = (mu, log sigma), (..., 2). Integrals are trapezoid sums over
the grid X (n_x,), whose weights are WEIGHTS. f is an FDivergence.

KL matches the moments of the target: the standard deviation of the best Gaussian, and of the mixture.

>>> import numpy as np
>>> from refdgm.f_divergences import F_DIVERGENCES
>>> from refdgm.models.gaussian_fit import PRINTED, moments, optimum
>>> round(float(np.exp(optimum(PRINTED, F_DIVERGENCES["kl"])[1])), 3), round(float(moments(PRINTED)[1]), 3)
(1.83, 1.83)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import here
from refdgm.backend import xp as onp
from refdgm.numerics import LOG_2PI, gaussian_log_prob, log_sum_exp, trapezoid

X, WEIGHTS = trapezoid(-22.0, 25.0, 941)
PRINTED = {"w": onp.array([0.33, 0.67]), "mean": onp.array([-1.0, 2.0]), "std": onp.array([0.25, onp.sqrt(2.0)])}


def energy(gaussian, x=X):
    """E(x) = (x - mu)^2 / (2 sigma^2) (yu2020 Eq. 20).  (..., 2), (n_x,) -> (..., n_x)"""
    mu, log_sigma = gaussian[..., :1], gaussian[..., 1:]
    return (here(x) - mu)**2 / 2 * np.exp(-2 * log_sigma)


def log_partition(gaussian):
    """log Z = log sqrt(2 pi sigma^2) (yu2020 after Eq. 20).  (..., 2) -> (...)"""
    return LOG_2PI / 2 + gaussian[..., 1]


def log_model(gaussian, x=X):
    """log q(x) = -E(x) - log Z.  (..., 2), (n_x,) -> (..., n_x)"""
    return -energy(gaussian, x) - log_partition(gaussian)[..., None]


def grad_energy(gaussian, x=X):
    """dE/dmu and dE/dlog sigma.  (..., 2), (n_x,) -> (..., n_x, 2)"""
    mu, sigma = gaussian[..., :1], onp.exp(gaussian[..., 1:])
    z = (here(x) - mu) / sigma
    return onp.stack([-z / sigma, -z**2], axis=-1)


def log_target(target, x=X):
    """log p(x).  (n_x,) -> (n_x,)"""
    parts = gaussian_log_prob(here(x)[:, None, None], target["mean"][:, None], target["std"][:, None]**2)
    return log_sum_exp(np.log(target["w"]) + parts)


def moments(target):
    """Mean and standard deviation of the mixture.  -> (2,)"""
    mean = onp.dot(target["w"], target["mean"])
    return onp.array([mean, onp.sqrt(onp.dot(target["w"], target["std"]**2 + target["mean"]**2) - mean**2)])


def divergence(gaussian, log_p, f):
    """D_f(p||q) = E_q[f(p/q)] (yu2020 Eq. 1).  (2,), (n_x,) -> ()"""
    log_q = log_model(gaussian)
    return np.sum(here(WEIGHTS) * np.exp(log_q) * f.f(np.exp(log_p - log_q)))


def start(mu, sigma):
    """Where a Gaussian begins to learn from data (N, 1).  -> a function of (data, seed)"""
    valid.moderate("mu", mu)
    valid.positive("sigma", sigma)

    def make(data, seed):
        valid.shape("data", data, (None, 1))
        return {"gaussian": onp.append(mu, onp.log(sigma))}
    return make


def monitor(target, f):
    """A monitor of a Gaussian that learns: -D_f(p||q) by quadrature, and where it is, mu and sigma."""
    log_p = log_target(target)

    def look(parameters):
        gaussian = parameters["theta"]["gaussian"]
        return {"minus_divergence": -divergence(gaussian, log_p, f), "mu": gaussian[0], "sigma": onp.exp(gaussian[1])}
    return look


def slope_and_hessian(gaussian, log_p, f):
    """dD_f = E_q[c g] and its derivative E_q[(c + u^2 f''(u)) g g^T + c dg], with c = f(u) - u f'(u), g = dlog q.

    (2,), (n_x,) -> (2,), (2, 2)
    """
    log_q, sigma = log_model(gaussian), onp.exp(gaussian[1])
    u, z = onp.exp(log_p - log_q), (here(X) - gaussian[0]) / sigma
    c, weight = f.f(u) - u * f.derivative(u), here(WEIGHTS) * onp.exp(log_q)
    g = onp.array([z / sigma, z**2 - 1])
    dg = onp.array([[-1 / sigma**2 + 0 * z, -2 * z / sigma], [-2 * z / sigma, -2 * z**2]])
    return onp.dot(g, weight * c), onp.dot(g * (weight * (c + u**2 * f.second(u))), g.T) + onp.dot(dg, weight * c)


def optimum(target, f, tolerance=1e-8):
    """(mu, log sigma) with the least D_f, by Newton's method from the target's own moments.  -> (2,)

    A step goes downhill and is at most 0.2 long; after one below the tolerance, what is left is its square.
    """
    validate(target)
    log_p, gaussian = log_target(target), moments(target)
    gaussian[1] = onp.log(gaussian[1])
    for _ in range(60):
        slope, hessian = slope_and_hessian(gaussian, log_p, f)
        curvatures, axes = onp.linalg.eigh(hessian)
        step = onp.dot(axes, onp.dot(axes.T, slope) / onp.abs(curvatures))
        length = onp.linalg.norm(step)
        gaussian = gaussian - step * min(1.0, 0.2 / max(length, 1e-300))
        if length < tolerance:
            return gaussian
    raise ValueError(f"Newton's method did not find the minimum in 60 steps; it stands at {gaussian}.")


def near_printed(seed):
    """The mixture of Sec. 6.1, every number slightly moved."""
    rng = onp.random.default_rng([seed, 61])
    w = 0.33 + rng.uniform(-0.02, 0.02)
    return {"w": onp.array([w, 1 - w]), "mean": PRINTED["mean"] + rng.uniform(-0.05, 0.05, size=2),
            "std": PRINTED["std"] * onp.exp(rng.uniform(-0.05, 0.05, size=2))}


def is_near_printed(target):
    """Whether no number of a target is further from that of Sec. 6.1 than in `near_printed`."""
    return onp.abs(target["w"][0] - 0.33) <= 0.02 and onp.all(onp.abs(target["mean"] - PRINTED["mean"]) <= 0.05) \
        and onp.all(onp.abs(onp.log(target["std"] / PRINTED["std"])) <= 0.05)


def validate(target):
    """Raise ValueError, saying which, if the target is no mixture of two Gaussians within the grid."""
    valid.parameters("target", target, {"w": (2,), "mean": (2,), "std": (2,)})
    valid.distribution("w", target["w"])
    valid.require(onp.all(target["std"] >= 0.1), f"both standard deviations must be at least 0.1, or the grid is too "
                                                f"coarse, but they are {onp.round(target['std'], 4)}.")
    valid.require(onp.all(onp.abs(target["mean"]) < 6), f"both means must be between -6 and 6, well inside of the "
                                                       f"grid, but they are {onp.round(target['mean'], 4)}.")
