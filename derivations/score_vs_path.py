r"""Two ways to differentiate an expectation: through the law of h, or through h itself.

REINFORCE differentiates the law of $h$ and needs no derivative of $\log p(x,h)$ in $h$; the reparameterised gradient
moves each draw along its path and uses that derivative. They are one number, by an integration by parts, and two
estimators: for a smooth decoder the pathwise one varies less. Here $h$ is one-dimensional with $q(h|x) = N(m, s^2)$
and $h = m + s\epsilon$, so that every mean is a quadrature.
"""
import autograd.numpy as np
from autograd import elementwise_grad, grad

from refdgm.derivation import at_least, derivation, equals, mistake, start
from refdgm.directed import reparameterisation as rep
from refdgm.models import vae
from refdgm.numerics import gaussian_log_prob

RATIO = r"\log\frac{p_\theta(x,h)}{q_\phi(h|x)}"


def log_ratio(theta, x, h, m, s):
    """log p(x, h) / N(h; m, s^2).  h (n, 1) -> (n,)"""
    return vae.log_joint(theta, x, h) - gaussian_log_prob(h, m, s**2)


@derivation(vae.random_case)
def same_mean(theta, phi, x):
    """The reparameterised gradient and the score-function gradient have the same mean.

    The gradient is in $(m, \\log s)$, the outputs of the encoder; the chain rule carries both on to $\\phi$ alike.
    """
    mean, variance = vae.gaussian_head(phi, x)
    m, log_s = mean, 0.5 * np.log(variance)
    s = np.exp(log_s)
    h, dh = vae.latent_grid()
    q = np.exp(gaussian_log_prob(h, m, s**2))
    eps, weights = rep.noise_grid()
    path = m + s * eps

    def integral(m, log_s):
        s = np.exp(log_s)
        return np.sum(dh * np.exp(gaussian_log_prob(h, m, s**2)) * log_ratio(theta, x, h, m, s))

    def moved(m, log_s):
        s = np.exp(log_s)
        return np.sum(weights * log_ratio(theta, x, m + s * eps, m, s))

    yield start(r"\nabla_{m,\log s}\int q_\phi(h|x)\," + RATIO + r"\,dh",
                np.concatenate([grad(integral, 0)(m, log_s), grad(integral, 1)(m, log_s)]))

    score = np.concatenate([(h - m) / s**2, (h - m) ** 2 / s**2 - 1.0], axis=-1)
    yield equals(r"\int q_\phi(h|x)\," + RATIO + r"\;\nabla_{m,\log s}\log q_\phi(h|x)\,dh",
                 (dh * q * log_ratio(theta, x, h, m, s)) @ score,
                 because="REINFORCE; the mean of the score is zero", claim="ou2018.fn6.reinforce")

    slope = elementwise_grad(lambda h: log_ratio(theta, x, h, m, s))(h)
    yield equals(r"\int q_\phi(h|x)\,\nabla_h" + RATIO + r"\;\nabla_{m,\log s}h_\phi\,dh",
                 (dh * q * slope[:, 0]) @ np.concatenate([np.ones_like(h), h - m], axis=-1),
                 because="integration by parts: q times its score is minus the derivative of q dh/d(m, log s) in h")

    yield equals(r"E_{\epsilon\sim N(0,1)}\left[\nabla_{m,\log s}\log\frac{p_\theta(x,h_\phi(x,\epsilon))}"
                 r"{q_\phi(h_\phi(x,\epsilon)|x)}\right]",
                 np.concatenate([grad(moved, 0)(m, log_s), grad(moved, 1)(m, log_s)]),
                 because="h = m + s eps; the direct dependence of log q on phi has mean zero", claim="ou2018.reparam")

    yield equals(r"E_\epsilon\left[(g,\ g\,s\,\epsilon+1)\right],\quad g=\nabla_h\log p_\theta(x,h)",
                 np.concatenate(list(rep.mean(rep.pathwise, theta, phi, x).values())),
                 because="along the path log q(h|x) = -log s - eps^2/2 + const", claim="ou2018.reparam")

    g = rep.grad_h_log_joint(theta, x, path)
    yield mistake(r"E_\epsilon\left[(g,\ g\,s\,\epsilon)\right]", weights @ np.concatenate([g, g * s * eps], axis=-1),
                  because="the entropy of q is lost: s would shrink without end")

    yield mistake(r"E_\epsilon\left[(g,\ g\,\epsilon+1/s)\right]",
                  weights @ np.concatenate([g, g * eps + 1.0 / s], axis=-1),
                  because="the derivative in s, taken for the one in log s")

    yield mistake(r"E_\epsilon\left[\nabla_{m,\log s}\left(\log p_\theta(x,h)-\log q_\phi(h|x)\right)\ \text{with}\ h\ "
                  r"\text{held fixed}\right]",
                  weights @ np.concatenate([-eps / s, 1.0 - eps**2], axis=-1),
                  because="without the path only minus the score of q is left, and its mean is zero")


@derivation(vae.random_case)
def path_only(theta, phi, x):
    """Dropping the direct dependence of log q on phi changes the estimator and not its mean."""
    mean, variance = vae.gaussian_head(phi, x)
    s = np.sqrt(variance)
    eps, weights = rep.noise_grid()
    g = rep.grad_h_log_joint(theta, x, mean + s * eps)

    yield start(r"\nabla_{m,\log s}\mathcal L(x)",
                np.concatenate(list(rep.mean(rep.score_function, theta, phi, x).values())), claim="ou2018.eq10.phi")

    yield equals(r"E_\epsilon\left[(g,\ g\,s\,\epsilon+1)\right]",
                 weights @ np.concatenate([g, g * s * eps + 1.0], axis=-1),
                 because="the total derivative", claim="ou2018.reparam")

    yield equals(r"E_\epsilon\left[(g-\nabla_h\log q)\,(1,\ s\,\epsilon)\right]",
                 weights @ np.concatenate([g + eps / s, (g + eps / s) * s * eps], axis=-1),
                 because="plus the score of q, whose mean is zero; where q is the posterior, every draw is zero")

    yield mistake(r"E_\epsilon\left[(g+\nabla_h\log q)\,(1,\ s\,\epsilon)\right]",
                  weights @ np.concatenate([g - eps / s, (g - eps / s) * s * eps], axis=-1),
                  because="log q is subtracted in the bound")

    yield mistake(r"E_\epsilon\left[g\,(1,\ s\,\epsilon)\right]", weights @ np.concatenate([g, g * s * eps], axis=-1),
                  because="log q depends on phi along the path, too: dropping it whole loses the entropy")


@derivation(vae.random_case)
def variances(theta, phi, x):
    """For a smooth decoder the score-function estimator varies more than the pathwise one."""
    eps, weights = rep.noise_grid()
    draws = np.concatenate(list(rep.score_function(theta, phi, x, eps).values()), axis=-1)
    gradient = np.concatenate(list(rep.mean(rep.pathwise, theta, phi, x).values()))

    yield start(r"\mathrm{Var}[\text{REINFORCE}]", rep.variance(rep.score_function, theta, phi, x))

    yield equals(r"E[\text{REINFORCE}^2]-(\nabla_{m,\log s}\mathcal L(x))^2", weights @ draws**2 - gradient**2,
                 because="both estimators have the same mean", claim="ou2018.reparam")

    yield mistake(r"E[\text{REINFORCE}^2]", weights @ draws**2, because="the second moment, not the variance")

    yield mistake(r"\mathrm{Var}[\text{pathwise}]", rep.variance(rep.pathwise, theta, phi, x),
                  because="equal means are not equal variances")

    yield at_least(r"\mathrm{Var}[\text{pathwise}]", rep.variance(rep.pathwise, theta, phi, x),
                   because="this decoder is smooth on the scale of q; an abrupt one reverses the order",
                   claim="ou2018.sec321.reinforce_var")
