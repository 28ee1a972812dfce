r"""A denoising autoencoder with continuous codes, whose samples can be reparametrised (bachman2015 Sec. 2).

    x in {points_1..points_n} with law D      y = a x + b + s eps      zbar = c y + d x + t eta      eps, eta ~ N(0, 1)

so that q(y|x) = N(a x + b, s^2) and q(zbar|x, y) = N(c y + d x, t^2); y is the paper's (z_0..z_n).
The decoder is p(points_i, y|zbar) = softmax_i(u_i + v_i zbar) N(y; m_i + k_i zbar, e^{g_i}).

phi = {"a", "b", "log_s", "c", "d", "log_t"}, all ();  theta = {"u", "v", "m", "k", "g"}, all (n,);  points, D : (n,).
y, zbar : (n, ...), the first axis is that of x. Both noises are one-dimensional: expectations are trapezoid sums.

The entropy of the codes zbar of all x together, in nats:

>>> from refdgm.models.gaussian_encoder import aggregate_entropy, random_case
>>> case = random_case(0)
>>> round(float(aggregate_entropy(case["phi"], case["points"], case["D"])), 3)
1.349
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.numerics import LOG_2PI, log_sum_exp, trapezoid


def normal(value, mean, log_sd):
    """log N(value; mean, e^{2 log_sd}), elementwise."""
    return -0.5 * ((value - mean) * np.exp(-log_sd))**2 - log_sd - 0.5 * LOG_2PI


def along(per_x, array):
    """A vector (n,) over x, shaped to go with an array (n, ...)."""
    return np.reshape(per_x, (-1,) + (1,) * (np.ndim(array) - 1))


def sample(phi, points, eps, eta):
    """y and zbar as functions of x and the noise (bachman2015 footnote 2).  (...), (...) -> (n, ...), (n, ...)"""
    x = np.reshape(points, (-1,) + (1,) * np.ndim(eps + eta))
    y = phi["a"] * x + phi["b"] + np.exp(phi["log_s"]) * eps
    return y, phi["c"] * y + phi["d"] * x + np.exp(phi["log_t"]) * eta


def log_q_y(phi, points, y):
    """log q(y|x).  (n, ...) -> (n, ...)"""
    return normal(y, phi["a"] * along(points, y) + phi["b"], phi["log_s"])


def log_q_zbar(phi, points, y, zbar):
    """log q(zbar|x, y).  (n, ...), (n, ...) -> (n, ...)"""
    return normal(zbar, phi["c"] * y + phi["d"] * along(points, zbar), phi["log_t"])


def score_q_zbar(phi, points, y, zbar):
    """The gradient of log q(zbar|x, y) in (c, d, log_t) at fixed y and zbar.  (n, ...), (n, ...) -> dict of (n, ...)"""
    t, x = np.exp(phi["log_t"]), along(points, zbar)
    r = (zbar - phi["c"] * y - phi["d"] * x) / t
    return {"c": r * y / t, "d": r * x / t, "log_t": r**2 - 1}


def log_aggregate(phi, points, D, zbar):
    """log q(zbar), a mixture of n Gaussians; y is integrated out by hand (bachman2015 Eq. 6).  (...) -> (...)"""
    mean = phi["c"] * (phi["a"] * points + phi["b"]) + phi["d"] * points
    log_sd = 0.5 * np.log(phi["c"]**2 * np.exp(2 * phi["log_s"]) + np.exp(2 * phi["log_t"]))
    return log_sum_exp(np.log(D) + normal(np.expand_dims(zbar, -1), mean, log_sd))


def log_p(theta, y, zbar):
    """log p(x, y|zbar), with a zbar for each x.  (n, ...), (n, ...) -> (n, ...)"""
    u, v, m, k, g = [along(theta[name], zbar) for name in "uvmkg"]
    log_total = log_sum_exp(theta["u"] + theta["v"] * np.expand_dims(zbar, -1))
    return u + v * zbar - log_total + normal(y, m + k * zbar, g / 2)


# ---- grids ----------------------------------------------------------------------------

def noise(n=45, reach=8.5):
    """Every pair (eps, eta) of a trapezoid grid and its weight under N(0, 1) N(0, 1).  -> (n, 1), (1, n), (n, n)"""
    e, w = trapezoid(-reach, reach, n)
    w = w * onp.exp(normal(e, 0.0, 0.0))
    return e[:, None], e[None, :], w[:, None] * w


def grid(n_y=53, n_zbar=69, reach_y=9.0, reach_zbar=11.0):
    """A fixed grid over (y, zbar), which does not move with phi.  -> (1, n_y, 1), (1, 1, n_zbar), (n_y, n_zbar)"""
    (y, w_y), (zbar, w_zbar) = trapezoid(-reach_y, reach_y, n_y), trapezoid(-reach_zbar, reach_zbar, n_zbar)
    return y[None, :, None], zbar[None, None, :], w_y[:, None] * w_zbar


def joint_on_grid(phi, points, D):
    """log q(x, y, zbar), y, zbar and the weights of a grid that does not move with phi.  -> (n, n_y, n_zbar), ..."""
    y, zbar, w = grid()
    return along(np.log(D), zbar) + log_q_y(phi, points, y) + log_q_zbar(phi, points, y, zbar), y, zbar, w


def aggregate_entropy(phi, points, D, n=89):
    """H(zbar) by quadrature on n nodes.  -> ()"""
    zbar, w = trapezoid(-11.0, 11.0, n)
    log_q = log_aggregate(phi, points, D, zbar)
    return -np.sum(w * np.exp(log_q) * log_q)


def random_case(seed, n=3):
    """Random parameters with overlapping codes, so that the grids resolve every density."""
    rng = onp.random.default_rng(seed)
    phi = {"a": rng.uniform(0.4, 0.9), "b": rng.normal() / 4, "log_s": rng.uniform(-0.6, -0.1),
           "c": rng.uniform(0.5, 0.9), "d": rng.uniform(-0.6, -0.1), "log_t": rng.uniform(-0.6, -0.1)}
    theta = {name: rng.normal(size=n) / 2 for name in "uvmkg"}
    return {"theta": theta, "phi": {name: onp.asarray(leaf) for name, leaf in phi.items()},
            "points": onp.linspace(-1.5, 1.5, n) + rng.normal(size=n) / 4, "D": rng.dirichlet(4 * onp.ones(n))}
