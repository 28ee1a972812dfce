r"""The reparameterisation trick and the gradient of the bound (kingma2019 Secs. 2.3 and 2.4).

    Sec. 2.3   grad L(x) = E_eps grad [log p(x, z) - log q(z|x)],   z = g(eps, phi, x),  eps ~ N(0, I)
    Sec. 2.4   grad_phi E_{q_phi(z)} f(z) = E_eps grad_phi f(z),   z = g(eps, phi) = mu + L eps,  eps ~ N(0, I)
               in mu: E_eps f'(z)      in L: E_eps f'(z) eps'

In Sec. 2.3 log q(z|x) depends on phi through z and directly; the direct part is a score: its mean is zero, and it may
be dropped.

phi = {"mu": (n,), "L": (n, n)} for Sec. 2.4; the model of Sec. 2.3 is `refdgm.models.vae` with one latent.
Means over eps, and over z for the oracles, are quadratures.

E z^2 = mu^2 + L^2 has the slopes 2 mu and 2 L; two nodes average a square exactly:

    >>> import numpy as np
    >>> from refdgm.directed.pathwise_gradient import gradient_of_mean
    >>> phi, eps = {"mu": np.array([1.0]), "L": np.array([[3.0]])}, np.array([[-1.0], [1.0]])
    >>> g = gradient_of_mean(lambda z: 2 * z, phi, eps, w=np.array([0.5, 0.5]))
    >>> float(g["mu"][0]), float(g["L"][0, 0])
    (2.0, 6.0)
"""
import autograd.numpy as np
from autograd import grad
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_gradient_of
from refdgm.models import gaussian_posterior, vae
from refdgm.numerics import full_gaussian_log_prob, gaussian_log_prob, trapezoid


def gradient_of_mean(f_score, phi, eps, w):
    """grad_phi E_q f(z) along z = mu + L eps, with weights w for the eps (kingma2019 Sec. 2.4).  (M, n), (M,) -> phi"""
    weighted = w[:, None] * f_score(gaussian_posterior.sample_full(phi["mu"], phi["L"], eps))
    return {"mu": np.sum(weighted, axis=0), "L": np.dot(weighted.T, eps)}


def estimate(theta, phi, x, eps, phi_of_q=None):
    """log p(x, z) - log q(z|x) at z = g(eps, phi, x) (kingma2019 Sec. 2.3).  (..., H) -> (...)

    With phi_of_q the density of q has these parameters, held fixed: the direct part of the gradient is dropped.
    """
    z = vae.reparameterise(phi, x, eps)
    return vae.log_joint(theta, x, z) - vae.log_q(phi if phi_of_q is None else phi_of_q, x, z)


def bound(theta, phi, x):
    """L(x) on a grid of z that does not move with phi (kingma2019 Sec. 2.2).  -> ()"""
    z, w = vae.latent_grid()
    log_q = vae.log_q(phi, x, z)
    return np.sum(w * np.exp(log_q) * (vae.log_joint(theta, x, z) - log_q))


# ---- claims ---------------------------------------------------------------------------

def function(z):
    """f(z) = sin(z_1 - 2 z_2) + z_1^2 z_2 / 4 on the plane."""
    return np.sin(z[:, 0] - 2 * z[:, 1]) + z[:, 0]**2 * z[:, 1] / 4


def function_score(z):
    """df/dz."""
    c = onp.cos(z[:, 0] - 2 * z[:, 1])
    return onp.stack([c + z[:, 0] * z[:, 1] / 2, -2 * c + z[:, 0]**2 / 4], axis=-1)


def mean_on_fixed_plane(phi):
    """The oracle: int q_phi(z) f(z) dz, where only the density depends on phi."""
    z, w = gaussian_posterior.plane(n=121, reach=12.0)
    return np.sum(w * np.exp(full_gaussian_log_prob(z, phi["mu"], np.dot(phi["L"], phi["L"].T))) * function(z))


def noise_plane():
    """eps on a plane, with weights under N(0, I)."""
    eps, w = gaussian_posterior.plane(n=73)
    return eps, w * onp.exp(gaussian_log_prob(eps, 0.0, 1.0))


def pathwise(score=lambda z, eps: function_score(z), by_L=lambda g, phi: g["L"]):
    """The exact pathwise gradient, with df/dz or the gradient in L changed."""
    def gradient(phi):
        eps, w = noise_plane()
        g = gradient_of_mean(lambda z: score(z, eps), phi, eps, w)
        return {"mu": g["mu"], "L": by_L(g, phi)}
    return gradient


def plane_case(seed):
    case = gaussian_posterior.random_full_case(seed)
    return {"phi": {"mu": case["mu"], "L": case["L"]}}


def mean_gradients(of):
    """The exact mean gradients of an estimate of(theta, phi, x, eps, fixed), fixed = phi not differentiated.

    In theta, in phi, and in phi without the direct part.
    """
    def gradients(theta, phi, x):
        eps, w = trapezoid(-9.0, 9.0, 401)
        w = w * onp.exp(gaussian_log_prob(eps[:, None], 0.0, 1.0))
        def mean(t, p, fixed): return np.sum(w * of(t, p, x, eps[:, None], fixed))
        return {"theta": grad(lambda t: mean(t, phi, None))(theta), "phi": grad(lambda p: mean(theta, p, None))(phi),
                "phi, path only": grad(lambda p: mean(theta, p, phi))(phi)}
    return gradients


def gradients_of_bound(theta, phi, x):
    """The oracle: one gradient in phi, for both estimators of it."""
    by_phi = grad(bound, 1)(theta, phi, x)
    return {"theta": grad(bound)(theta, phi, x), "phi": by_phi, "phi, path only": by_phi}


def sample_held_fixed(theta, phi, x, eps, fixed):
    """z is a number: phi is left in log q(z|x) only."""
    z = vae.reparameterise({name: getval(leaf) for name, leaf in phi.items()}, x, eps)
    return vae.log_joint(theta, x, z) - vae.log_q(phi, x, z)


CLAIMS = [
    Claim("kingma2019.toc.2.3", mean_gradients(estimate),
          equals(gradients_of_bound, vae.random_case, rtol=GRADIENT, method="quadrature"),
          {"z held fixed, no reparameterisation": mean_gradients(sample_held_fixed),
           "log q dropped with its score: no entropy": mean_gradients(
               lambda theta, phi, x, eps, fixed: vae.log_joint(theta, x, vae.reparameterise(phi, x, eps))),
           "the variance taken for the scale of eps": mean_gradients(
               lambda theta, phi, x, eps, fixed: estimate(theta, phi, x, eps * onp.sqrt(0.5), fixed)),
           "+ log q": mean_gradients(lambda theta, phi, x, eps, fixed: estimate(theta, phi, x, eps, fixed)
                                     + 2 * vae.log_q(phi, x, vae.reparameterise(phi, x, eps)))}),
    Claim("kingma2019.toc.2.4", pathwise(),
          is_gradient_of(mean_on_fixed_plane, "phi", plane_case, method="quadrature"),
          {"z held fixed: nothing depends on phi": pathwise(lambda z, eps: 0 * z),
           "f' at eps, not at z": pathwise(lambda z, eps: function_score(eps)),
           "dz/dL forgotten": pathwise(by_L=lambda g, phi: onp.outer(g["mu"], onp.ones(2))),
           "dz/dL transposed": pathwise(by_L=lambda g, phi: g["L"].T),
           "the Jacobian of z added, as for a density": pathwise(by_L=lambda g, phi: g["L"]
                                                                 + onp.diag(1 / onp.diag(phi["L"])))}),
]
