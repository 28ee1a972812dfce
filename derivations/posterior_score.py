r"""A posterior's gradient needs no normaliser.

The posterior $p_\theta(z|x)$ of a deep latent variable model is intractable, because $p_\theta(x)$ is. Its gradient in
$z$ is not: the normaliser does not depend on $z$. That is what lets Langevin and Hamiltonian Monte Carlo draw from the
posterior of any model whose joint density can be differentiated. In $\theta$ the same step is wrong, and what
it forgets is the whole difficulty of learning.

The model is a variational autoencoder with one latent, nonlinear in $z$, so that $p_\theta(x)$ is a quadrature.
"""
import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad, grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed.reparameterisation import grad_h_log_joint
from refdgm.models import vae
from refdgm.numerics import log_sum_exp, weighted_sum


def case(seed):
    """A random decoder, one x, and a few z."""
    model = vae.random_case(seed)
    return {"theta": model["theta"], "x": model["x"], "z": onp.random.default_rng([seed, 1]).normal(size=(4, 1))}


@derivation(case)
def in_z(theta, x, z):
    """In z, the posterior's gradient is that of the joint."""
    def joint_score(z):
        return elementwise_grad(lambda z: vae.log_joint(theta, x, z))(z)

    def log_marginal_around(z):
        """log p(x) as an integral over z' = z + u, on a grid of u: formally a function of z."""
        u, w = vae.latent_grid(reach=16.0)
        return log_sum_exp(vae.log_joint(theta, x, z[:, None] + u) + np.log(w))

    yield start(r"\nabla_z\log p_\theta(z|x)", elementwise_grad(lambda z: vae.log_posterior(theta, x, z))(z),
                claim="kingma2019.eqA.11")

    yield equals(r"\nabla_z\log\frac{p_\theta(x,z)}{p_\theta(x)}",
                 elementwise_grad(lambda z: np.log(np.exp(vae.log_joint(theta, x, z))
                                                   / np.exp(log_marginal_around(z))))(z),
                 because="the definition of a conditional density", claim="kingma2019.eqA.11")

    yield equals(r"\nabla_z\log p_\theta(x,z)-\nabla_z\log p_\theta(x)",
                 joint_score(z) - elementwise_grad(log_marginal_around)(z),
                 because="the logarithm of a quotient", claim="kingma2019.eqA.11")

    yield equals(r"\nabla_z\log p_\theta(x,z)", grad_h_log_joint(theta, x, z),
                 because="p(x) is an integral over all z, and does not depend on one of them",
                 claim="kingma2019.eqA.11")

    yield mistake(r"\nabla_z\log p_\theta(x|z)", elementwise_grad(lambda z: vae.log_likelihood(theta, x, z))(z),
                  because="the joint includes the prior, whose gradient pulls z towards zero")

    yield mistake(r"\frac{\nabla_zp_\theta(x,z)}{p_\theta(x)}",
                  elementwise_grad(lambda z: np.exp(vae.log_joint(theta, x, z)))(z)
                  / np.exp(vae.log_marginal(theta, x)),
                  because="that is the gradient of the posterior density, not of its logarithm")


@derivation(case)
def in_theta(theta, x, z):
    """In theta, the normaliser remains: it is the posterior mean of the joint's gradient."""
    z = z[0]

    def joint_score(z):
        return grad(vae.log_joint)(theta, x, z)

    def difference(a, b):
        return {name: a[name] - b[name] for name in a}

    grid, w = vae.latent_grid(n=1001)
    mass = w * np.exp(vae.log_posterior(theta, x, grid))
    mean_score = grad(lambda t: weighted_sum(mass, vae.log_joint(t, x, grid)))(theta)

    def log_share(theta):
        """log p(z|x) as the share of z in an integral over the grid."""
        return np.log(np.exp(vae.log_joint(theta, x, z)) / np.dot(w, np.exp(vae.log_joint(theta, x, grid))))

    yield start(r"\nabla_\theta\log p_\theta(z|x)", grad(log_share)(theta))

    yield equals(r"\nabla_\theta\log p_\theta(x,z)-\nabla_\theta\log p_\theta(x)",
                 difference(joint_score(z), grad(vae.log_marginal)(theta, x)),
                 because="the logarithm of a quotient")

    yield mistake(r"\nabla_\theta\log p_\theta(x,z)", joint_score(z),
                  because="p(x) depends on theta: Eq. A.14 is about z only", claim="kingma2019.eqA.11")

    yield equals(r"\nabla_\theta\log p_\theta(x,z)-\mathbb E_{p_\theta(z'|x)}[\nabla_\theta\log p_\theta(x,z')]",
                 difference(joint_score(z), mean_score),
                 because="Fisher's equality: the gradient of log p(x) is the posterior mean of the joint's",
                 claim="ou2018.jsa.fisher", allowed=1e-9)

    yield mistake(r"\nabla_\theta\log p_\theta(x,z)-\mathbb E_{p(z')}[\nabla_\theta\log p_\theta(x,z')]",
                  difference(joint_score(z), grad(lambda t: weighted_sum(
                      w * np.exp(vae.log_prior(grid)), vae.log_joint(t, x, grid)))(theta)),
                  because="the mean is over the posterior, not over the prior")
