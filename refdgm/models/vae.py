r"""A variational autoencoder with small networks (ou2018 Eq. 4, Sec. 3.2.1).

    p(h) = N(0, I)    p(x|h) = N(mu(h), diag sigma^2(h))    q(h|x) = N(m(x), diag s^2(x)),   h = m(x) + s(x) eps

Decoder and encoder are networks of one tanh layer, with heads for the mean and the log variance:
a parameter dict holds {"W": (J, in), "b": (J,), "M": (out, J), "m": (out,), "S": (out, J), "s": (out,)}.

x : (..., D), h and eps : (..., H). With H = 1 the marginal and every expectation over q are quadratures, exact
to rounding; see `latent_grid`.
"""
import autograd.numpy as np
import numpy as onp

from refdgm.numerics import gaussian_log_prob, log_sum_exp, trapezoid


def gaussian_head(net, inputs):
    """Mean and variance of a conditional Gaussian (ou2018 Eq. 4).  (..., in) -> (..., out), (..., out)"""
    hidden = np.tanh(np.dot(inputs, net["W"].T) + net["b"])
    return np.dot(hidden, net["M"].T) + net["m"], np.exp(np.dot(hidden, net["S"].T) + net["s"])


def log_prior(h):
    """log N(h; 0, I).  (..., H) -> (...)"""
    return gaussian_log_prob(h, 0.0, 1.0)


def log_likelihood(theta, x, h):
    """log p(x|h) (ou2018 Eq. 4).  (..., D), (..., H) -> (...)"""
    return gaussian_log_prob(x, *gaussian_head(theta, h))


def log_joint(theta, x, h):
    """log p(x, h).  (..., D), (..., H) -> (...)"""
    return log_prior(h) + log_likelihood(theta, x, h)


def log_q(phi, x, h):
    """log q(h|x).  (..., D), (..., H) -> (...)"""
    return gaussian_log_prob(h, *gaussian_head(phi, x))


def reparameterise(phi, x, eps):
    """h = m(x) + s(x) eps, distributed as q(.|x) for eps ~ N(0, I) (ou2018 Sec. 3.2.1).  (..., D), (..., H) -> (..., H)"""
    mean, variance = gaussian_head(phi, x)
    return mean + np.sqrt(variance) * eps


# ---- exact, by quadrature, for H = 1 --------------------------------------------------

def latent_grid(n=2001, reach=12.0):
    """Trapezoid nodes h (n, 1) and weights (n,) over the range in which prior and q have their mass."""
    h, w = trapezoid(-reach, reach, n)
    return h[:, None], w


def log_marginal(theta, x, n=2001):
    """log p(x) = log int p(h) p(x|h) dh, H = 1.  (D,) -> ()"""
    h, w = latent_grid(n)
    return log_sum_exp(log_joint(theta, x, h) + np.log(w))


def log_posterior(theta, x, h):
    """log p(h|x), H = 1.  (D,), (..., 1) -> (...)"""
    return log_joint(theta, x, h) - log_marginal(theta, x)


def random_case(seed, D=2, H=1, J=3):
    """A random decoder theta, encoder phi and one x (D,), smooth enough for the quadratures."""
    rng = onp.random.default_rng(seed)

    def net(inputs, outputs, log_variance):
        return {"W": rng.normal(size=(J, inputs)), "b": rng.normal(size=J), "M": rng.normal(size=(outputs, J)),
                "m": rng.normal(size=outputs) / 2, "S": rng.normal(size=(outputs, J)) / 5,
                "s": log_variance + rng.normal(size=outputs) / 5}
    return {"theta": net(H, D, 0.0), "phi": net(D, H, -1.0), "x": rng.normal(size=D)}
