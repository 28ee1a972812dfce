r"""Every Gaussian at which an f-divergence from the mixture has a local minimum (yu2020 Sec. 6.1, Fig. 4).

    dD_f = E_q[c(u) dlog q],   u = p/q,   c = f(u) - u f'(u)                                         (Sec. 3.1)

A narrow q lets u overflow at the other mode; there q c(u) = p c(u)/u is a product of moderate numbers, and c(u)/u tends
to what it is at u = e^300. For the mixture of Sec. 6.1 reverse KL and Neyman have a second minimum on the narrow mode,

    reverse KL  1.5841, 1.6294  and  -0.9582, 0.3085          Neyman  1.8286, 1.5171  and  -0.9748, 0.2841

and KL, Pearson, Jeffrey, Jensen-Shannon and squared Hellinger have one minimum only.
target and gaussian are those of models/gaussian_fit.py, f is an FDivergence.

The slope of reverse KL vanishes on the narrow mode, too, at the minimum printed above:

>>> import numpy as np
>>> from refdgm.adversarial.mixture_minima import log_target, slope
>>> from refdgm.f_divergences import F_DIVERGENCES
>>> mixture = {"w": np.array([0.33, 0.67]), "mean": np.array([-1.0, 2.0]), "std": np.array([0.25, 2**0.5])}
>>> at = slope(np.array([-0.9582, np.log(0.3085)]), log_target(mixture), F_DIVERGENCES["reverse kl"])
>>> round(float(np.abs(at).max()), 2)
0.0
"""

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.models.gaussian_fit import X, WEIGHTS, log_model, log_target, validate

LARGEST = 300.0             # of log u: e^300 squared is still a number
REACH = np.array([6.0, 1.4])        # of mu and log sigma: a wider Gaussian leaves the grid
STARTS = np.array([(mu, np.log(sigma)) for mu in np.arange(-2.0, 4.1, 1.0) for sigma in (0.2, 0.3, 0.6, 1.0, 1.7, 2.5)])


def slope(gaussian, log_p, f):
    """dD_f/dmu and dD_f/dlog sigma at (mu, log sigma), where the ratio overflows, too.  (2,), (n_x,) -> (2,)"""
    log_q, sigma = log_model(gaussian), np.exp(gaussian[1])
    u = np.exp(np.minimum(log_p - log_q, LARGEST))
    mass = np.where(log_p > log_q, np.exp(log_p) * (f.f(u) / u - f.derivative(u)),
                    np.exp(log_q) * (f.f(u) - u * f.derivative(u)))
    z = (here(X) - gaussian[0]) / sigma
    return np.array([z / sigma, z**2 - 1]) @ (here(WEIGHTS) * mass)


def minima(target, f, starts=STARTS, tolerance=1e-9):
    """(mu, sigma) of every minimum of D_f(p||q) that a root of its slope from some start leads to.  -> (n, 2)"""
    from scipy.optimize import root
    validate(target)
    log_p, found = log_target(target), []
    for start in starts:
        with np.errstate(all="ignore"):                     # far away the slope need not be a number
            end = root(slope, start, args=(log_p, f), tol=1e-12)
            is_root = end.success and np.max(np.abs(slope(end.x, log_p, f))) < tolerance
            if not (is_root and np.all(np.abs(end.x) < REACH)):
                continue
            hessian = [(slope(end.x + h, log_p, f) - slope(end.x - h, log_p, f)) / 2e-5 for h in 1e-5 * np.eye(2)]
        if np.all(np.linalg.eigvalsh((np.array(hessian) + np.transpose(hessian)) / 2) > 0) \
                and not any(np.allclose(end.x, other, atol=1e-4) for other in found):
            found.append(end.x)
    found = np.array(sorted(found, key=lambda x: -x[1]))    # the widest first
    return found * [1, 0] + np.exp(found * [0, 1]) * [0, 1]
