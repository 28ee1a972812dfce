r"""Why a tighter bound can teach the inference network less.

The reparameterised gradient of the K-sample bound is a self-normalised mean $\Delta_K = \sum_k w_k g_k / \sum_k w_k$,
$g = \nabla \log w$. Its noise falls like $1/\sqrt K$, as for any mean. For the generative parameters the signal tends
to the gradient of the log-likelihood and stays. For the inference network there is nothing to tend to: the
log-likelihood does not depend on $\phi$, only the gap does, and that vanishes like $1/K$, faster than the noise.

The model is Gaussian with one latent, so that every mean is an integral over one or two noises; means over K of them
go through the Laplace transform of one weight. Gradients are by $m$ and $\log s$ of $q = N(m, s^2)$.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import approaches, derivation, equals, mistake, start
from refdgm.directed import signal_to_noise as snr
from refdgm.models.iid_weights import self_normalised_moments
from refdgm.numerics import LOG_2PI, log_sum_exp, trapezoid

LARGE_K = (10, 1_000, 1_000_000)


def one_noise(model):
    """eps, its law, w and g (2, n) by m and log s, on a grid."""
    eps, probability = snr.noise_grid()
    return probability, np.exp(snr.log_weight(**model, eps=eps)), snr.score(**model, eps=eps)[:2]


@derivation(snr.random_case)
def spread(**model):
    """The variance of a self-normalised mean is an integral over one Laplace variable."""
    probability, w, g = one_noise(model)
    K, both = 2, probability[:, None] * probability
    delta = (w[:, None] * g[:, :, None] + w * g[:, None, :]) / (w[:, None] + w)
    mean, variance = self_normalised_moments(w, g, probability, K)

    yield start(r"\mathrm{Var}[\Delta_2] = \mathbb E_{\epsilon_1, \epsilon_2}\left[\left(\frac{w_1 g_1 + w_2 g_2}"
                r"{w_1 + w_2} - \mathbb E \Delta_2\right)^2\right]",
                np.sum(both * (delta - np.sum(both * delta, axis=(1, 2), keepdims=True))**2, axis=(1, 2)))

    u, du = trapezoid(-40.0, 40.0, 268)
    t = np.exp(u) / (probability @ w)
    tilt = np.exp(-np.outer(t, w))
    phi = tilt @ probability
    alone = K * (tilt @ (probability * w**2 * g**2).T) * (phi**(K - 1))[:, None]
    pairs = K * (K - 1) * (tilt @ (probability * w * g).T)**2 * (phi**(K - 2))[:, None]
    signal = (du * t) @ (K * (tilt @ (probability * w * g).T) * (phi**(K - 1))[:, None])

    yield equals(r"\int_0^\infty t \left(K\, \mathbb E[w^2 g^2 e^{-tw}]\, \varphi^{K-1}"
                 r" + K(K-1)\, \mathbb E[w g e^{-tw}]^2\, \varphi^{K-2}\right) dt - (\mathbb E \Delta_K)^2,"
                 r"\quad \varphi(t) = \mathbb E e^{-tw}",
                 (du * t**2) @ (alone + pairs) - signal**2,
                 because="1/S^2 is the integral of t exp(-St), and the terms of S are independent")

    yield mistake(r"\int_0^\infty t\, K\, \mathbb E[w^2 g^2 e^{-tw}]\, \varphi^{K-1}\, dt - (\mathbb E \Delta_K)^2",
                  (du * t**2) @ alone - signal**2,
                  because="the products of two different terms do not vanish: they share the denominator")

    yield equals(r"\int_0^\infty t \left(K\, \mathbb E[w^2 c^2 e^{-tw}]\, \varphi^{K-1}"
                 r" + K(K-1)\, \mathbb E[w c\, e^{-tw}]^2\, \varphi^{K-2}\right) dt,\quad c = g - \mathbb E \Delta_K",
                 variance, because="a self-normalised mean of g - c is that of g, less c")

    yield mistake(r"\tfrac1K \mathrm{Var}[g]", (g - (g @ probability)[:, None])**2 @ probability / K,
                  because="that is the noise of the averaged ELBO")


@derivation(snr.random_case)
def signal(**model):
    """The signal of the inference network is the gradient of the gap, and falls like 1/K."""
    probability, w, g = one_noise(model)
    mu, m, log_s, x, v = (model[name] for name in ("mu", "m", "log_s", "x", "v"))
    p = probability @ w

    def scaled_gap(m, log_s):
        """Var_q(w) / (2 p^2), from densities over z."""
        z, weight = trapezoid(-15.0, 15.0, 1201)
        log_q = -0.5 * ((z - m)**2 * np.exp(-2 * log_s) + LOG_2PI) - log_s
        log_joint = -0.5 * ((z - mu)**2 + (x - z)**2 / v + np.log(v) + 2 * LOG_2PI)
        evidence = np.exp(log_sum_exp(log_joint + np.log(weight)))
        return (np.sum(weight * np.exp(2 * log_joint - log_q)) / evidence**2 - 1) / 2

    yield start(r"-\nabla_\phi \frac{\mathrm{Var}_q(w)}{2 p(x)^2}",
                -np.array([grad(scaled_gap, 0)(m, log_s), grad(scaled_gap, 1)(m, log_s)]), claim="ou2018.eq15.limit")

    yield equals(r"-\frac{\mathbb E_\epsilon[w\, \nabla_\phi w]}{p(x)^2}", -(g * w) @ (probability * w) / p**2,
                 because="p(x) does not depend on phi, and the noise does not either", claim="ou2018.iwae.grad")

    yield mistake(r"\mathbb E_\epsilon[\nabla_\phi \log w]", g @ probability,
                  because="uniform weights: this is the ELBO's gradient, which does not fall with K")

    yield approaches(r"K\, \mathbb E[\Delta_K]",
                     [K * self_normalised_moments(w, g, probability, K)[0] for K in LARGE_K],
                     because="the bound is log p(x) less its gap", claim="ou2018.rainforth", allowed=1e-4)

    yield mistake(r"+\nabla_\phi \frac{\mathrm{Var}_q(w)}{2 p(x)^2}",
                  np.array([grad(scaled_gap, 0)(m, log_s), grad(scaled_gap, 1)(m, log_s)]),
                  because="the gap stands in the bound with a minus sign")


@derivation(snr.random_case)
def noise(**model):
    """The noise of the inference network's gradient falls like that of any mean."""
    probability, w, g = one_noise(model)
    p = probability @ w

    yield start(r"\frac{\mathrm{Var}_\epsilon[\nabla_\phi w]}{p(x)^2}",
                ((g * w - (g * w @ probability)[:, None])**2) @ probability / p**2)

    yield equals(r"\frac{\mathbb E_\epsilon[w^2 (\nabla_\phi \log w)^2]}{p(x)^2}", (g * w)**2 @ probability / p**2,
                 because="the mean of the gradient of w is the gradient of p(x): zero")

    yield mistake(r"\mathrm{Var}_\epsilon[\nabla_\phi \log w]", (g - (g @ probability)[:, None])**2 @ probability,
                  because="the weights do not cancel: they multiply each gradient")

    yield approaches(r"K\, \mathrm{Var}[\Delta_K]",
                     [K * self_normalised_moments(w, g, probability, K)[1] for K in LARGE_K],
                     because="for many weights the denominator is K p(x)", claim="ou2018.rainforth", allowed=1e-4)
