r"""The reparameterised gradient of the bound, and what it saves (ou2018 Sec. 3.2.1; Kingma & Welling 2014).

With h = m(x) + s(x) eps, eps ~ N(0, I), and g = dlog p(x, h)/dh, one draw estimates dL/d(m, log s) by

    pathwise         d/dm: g                                d/dlog s: g s eps + 1
    score function   d/dm: log(p(x, h) / q(h|x)) eps / s    d/dlog s: log(p(x, h) / q(h|x)) (eps^2 - 1)

Both have the same mean, the gradient of L(x) = E_q[log p(x, h) / q(h|x)]; the chain rule through the encoder carries it
to phi. The + 1 is the derivative of the entropy of q: along the path log q(h|x) = -log s + terms in eps alone.

Shapes: x (D,), eps (..., H). The model is `refdgm.models.vae`; for H = 1 a mean over eps is a quadrature.

The variance of one draw of dL/dm, pathwise and by REINFORCE:

    >>> from refdgm.directed.reparameterisation import pathwise, score_function, vae, variance
    >>> [round(float(variance(draw, **vae.random_case(0))[0]), 1) for draw in (pathwise, score_function)]
    [0.4, 143.7]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, is_at_least, is_gradient_of
from refdgm.models import vae
from refdgm.numerics import normal_trapezoid, weighted_sum


def grad_h_log_joint(theta, x, h):
    """g = dlog p(x, h)/dh, by hand (ou2018 Sec. 3.2.1).  (D,), (..., H) -> (..., H)"""
    hidden = onp.tanh(h @ theta["W"].T + theta["b"])
    mean, variance = hidden @ theta["M"].T + theta["m"], onp.exp(hidden @ theta["S"].T + theta["s"])
    by_mean, by_log_variance = (x - mean) / variance, 0.5 * ((x - mean) ** 2 / variance - 1.0)
    by_hidden = by_mean @ theta["M"] + by_log_variance @ theta["S"]
    return -h + (by_hidden * (1.0 - hidden**2)) @ theta["W"]


def pathwise(theta, phi, x, eps):
    """dL/d(m, log s) from draws of eps, differentiated through h(eps) (ou2018 Sec. 3.2.1).  -> dict of (..., H)"""
    s = np.sqrt(vae.gaussian_head(phi, x)[1])
    g = grad_h_log_joint(theta, x, vae.reparameterise(phi, x, eps))
    return {"m": g, "log_s": g * s * eps + 1.0}


def score_function(theta, phi, x, eps):
    """dL/d(m, log s) from the same draws, by REINFORCE (ou2018 Eq. 10).  -> dict of (..., H)"""
    s = np.sqrt(vae.gaussian_head(phi, x)[1])
    h = vae.reparameterise(phi, x, eps)
    signal = (vae.log_joint(theta, x, h) - vae.log_q(phi, x, h))[..., None]
    return {"m": signal * eps / s, "log_s": signal * (eps**2 - 1.0)}


def through_encoder(phi, x, by_output):
    """The chain rule from (m, log s) to phi (ou2018 Sec. 3.2.1).  {"m": (H,), "log_s": (H,)} -> a dict like phi"""
    def along(phi):
        mean, variance = vae.gaussian_head(phi, x)
        return np.sum(by_output["m"] * mean + by_output["log_s"] * 0.5 * np.log(variance))
    return grad(along)(phi)


# ---- exact, by quadrature -------------------------------------------------------------

def noise_grid(n=401, reach=9.0):
    """Nodes eps (n, 1) and weights (n,) of E f(eps), eps ~ N(0, 1); both estimators' tanh layers are resolved."""
    eps, w = normal_trapezoid(n, reach)
    return eps[:, None], w


def mean(estimator, theta, phi, x, n=401):
    """The exact mean of an estimator of dL/d(m, log s), H = 1.  -> dict of (1,)"""
    eps, w = noise_grid(n)
    return weighted_sum(w, estimator(theta, phi, x, eps))


def variance(estimator, theta, phi, x, n=401):
    """The exact variance of one draw of an estimator of dL/d(m, log s), H = 1.  -> (2,)"""
    eps, w = noise_grid(n)
    draws = onp.concatenate(list(estimator(theta, phi, x, eps).values()), axis=-1)
    return w @ (draws - w @ draws) ** 2


def bound(theta, phi, x):
    """L(x) = int q(h|x) log(p(x, h) / q(h|x)) dh on a fixed grid of h, H = 1.  -> ()"""
    h, w = vae.latent_grid()
    log_q = vae.log_q(phi, x, h)
    return np.sum(w * np.exp(log_q) * (vae.log_joint(theta, x, h) - log_q))


# ---- claims ---------------------------------------------------------------------------

def gradient(change=lambda draw, **_: draw):
    """The exact phi-gradient by the pathwise estimator, of which one draw is changed by change(draw, g, s, eps)."""
    def estimator(theta, phi, x, eps):
        h, s = vae.reparameterise(phi, x, eps), onp.sqrt(vae.gaussian_head(phi, x)[1])
        return change(pathwise(theta, phi, x, eps), g=grad_h_log_joint(theta, x, h), s=s, eps=eps)
    return lambda theta, phi, x: through_encoder(phi, x, mean(estimator, theta, phi, x))


def held_fixed(theta, phi, x, eps):
    """The derivative of log p(x, h) - log q(h|x) in (m, log s) with h held fixed: minus the score of q."""
    s = onp.sqrt(vae.gaussian_head(phi, x)[1])
    return {"m": -eps / s, "log_s": 1.0 - eps**2}


def doubled(theta, phi, x, eps):
    """Path and score function added: the gradient twice."""
    path, score = pathwise(theta, phi, x, eps), score_function(theta, phi, x, eps)
    return {name: path[name] + score[name] for name in path}


def reinforce_variance(theta, phi, x):
    return variance(score_function, theta, phi, x, n=4001)


def pathwise_variance(theta, phi, x):
    return variance(pathwise, theta, phi, x, n=4001)


def abrupt_case(seed):
    """A decoder that switches within a hundredth of the width of q, at the centre of q."""
    case = vae.random_case(seed)
    m, variance = vae.gaussian_head(case["phi"], case["x"])
    slope = 100.0 * onp.sign(case["theta"]["W"]) / onp.sqrt(variance)
    return {**case, "theta": {**case["theta"], "W": slope, "b": -slope @ m}}


CLAIMS = [
    Claim("ou2018.reparam", gradient(), is_gradient_of(bound, "phi", vae.random_case, method="quadrature"),
          {"h held fixed: only the direct dependence on phi": lambda theta, phi, x: through_encoder(
              phi, x, mean(held_fixed, theta, phi, x)),
           "dh/dlog s = eps: s for log s": gradient(lambda draw, g, s, eps: {**draw, "log_s": g * eps + 1.0}),
           "dlog p/dh without dh/dphi": gradient(lambda draw, g, s, eps: {**draw, "log_s": g + 1.0}),
           "log q forgotten: no entropy": gradient(lambda draw, g, s, eps: {**draw, "log_s": g * s * eps}),
           "path and score function added": lambda theta, phi, x: through_encoder(
               phi, x, mean(doubled, theta, phi, x))}),
    Claim("ou2018.sec321.reinforce_var", reinforce_variance,
          is_at_least(pathwise_variance, vae.random_case, method="quadrature")._replace(gap=None),   # a slow gradient
          {"equal means, hence equal variances": pathwise_variance,
           "the mean of 10,000 draws held against one draw": lambda **c: reinforce_variance(**c) / 1e4,
           "the ratio of the two upside down": lambda **c: pathwise_variance(**c) ** 2 / reinforce_variance(**c)},
          without=is_at_least(pathwise_variance, abrupt_case, method="quadrature"), typical=True),
]
