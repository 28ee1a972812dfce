r"""Where the gradient of Algorithm 1 comes from, and what the reparameterised path saves.

Auto-encoding variational Bayes makes three replacements: the sum over the data by a minibatch, the integral over z by a
draw, and, since the draw would hide $\phi$, the draw by a function of noise. Each leaves the mean of the gradient
alone; what can go wrong is a factor, a missing gradient sign, or a draw that is taken for a constant. The second
derivation compares the variance of the path with that of the log-derivative trick, for any integrand.

The autoencoder has one latent variable, so that every mean over the noise is a quadrature.
"""
from itertools import combinations

import autograd.numpy as np
from autograd import elementwise_grad, grad

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.directed import aevb, path_gradient
from refdgm.models import vae
from refdgm.numerics import gaussian_log_prob, trapezoid

SUM = r"\sum_{i=1}^N"
BATCH = r"\tfrac NM\sum_{i\in\text{batch}}"


@derivation(aevb.data_case)
def algorithm_1(parameters, X):
    """The gradient of a minibatch's bound is an unbiased estimate of the gradient of the whole bound."""
    z, weights = trapezoid(-12.0, 12.0, 361)
    z, batches = z[:, None], [list(rows) for rows in combinations(range(aevb.N), aevb.M)]

    def reconstruction(p, rows):
        law = weights * np.exp(vae.log_q(p["phi"], X[rows][:, None, :], z))
        return np.sum(law * vae.log_likelihood(p["theta"], X[rows][:, None, :], z))

    def divergence(p, rows):
        mean, variance = vae.gaussian_head(p["phi"], X[rows])
        return 0.5 * np.sum(mean**2 + variance - 1.0 - np.log(variance))

    def bound(p, rows):
        return reconstruction(p, rows) - divergence(p, rows)

    yield start(r"\nabla_{\theta,\phi}" + SUM + r"\mathbb E_{q_\phi(z|x_i)}\left[\log\frac{p_\theta(x_i, z)}"
                r"{q_\phi(z|x_i)}\right]", grad(aevb.full_bound)(parameters, X), claim="lecture12.sec2.1_bound")

    yield equals(r"\nabla_{\theta,\phi}" + SUM + r"\left(\mathbb E_{q_\phi(z|x_i)}[\log p_\theta(x_i|z)]"
                 r"-\mathrm{KL}[q_\phi(z|x_i)\|p(z)]\right)", grad(bound)(parameters, range(aevb.N)),
                 because="log p(x, z) = log p(x|z) + log p(z)", claim="lecture12.sec2.3_elbo", allowed=1e-9)

    yield mistake(r"\nabla_{\theta,\phi}" + SUM + r"\left(\mathbb E_{q_\phi(z|x_i)}[\log p_\theta(x_i, z)]"
                  r"-\mathrm{KL}[q_\phi(z|x_i)\|p(z)]\right)",
                  grad(lambda p: bound(p, range(aevb.N)) + np.sum(weights * np.exp(vae.log_q(
                      p["phi"], X[:, None, :], z)) * vae.log_prior(z)))(parameters),
                  because="the prior counted twice", claim="lecture12.sec2.3_elbo")

    yield equals(r"\mathbb E_{\text{batch}}\left[" + BATCH + r"\nabla_{\theta,\phi}\mathcal L(x_i)\right]",
                 grad(lambda p: sum(aevb.N / aevb.M * bound(p, rows) for rows in batches) / len(batches))(parameters),
                 because="every datum is in the same share M/N of the minibatches", claim="lecture12.sec2.4_aevb")

    yield equals(r"\mathbb E_{\text{batch}}\,\mathbb E_\epsilon\left[\nabla_{\theta,\phi}" + BATCH
                 + r"\left(\log p_\theta(x_i|z_\phi(\epsilon_i))-\mathrm{KL}[q_\phi(z|x_i)\|p(z)]\right)\right]",
                 aevb.mean_over_minibatches()(parameters, X),
                 because="z = m + s eps has the law q, and the law of eps does not depend on phi",
                 claim="lecture12.sec2.3_reparam", allowed=1e-9)

    yield mistake(r"\mathbb E_{\text{batch}}\,\mathbb E_\epsilon\left[\tilde{\mathcal L}^M\right]",
                  aevb.mean_over_minibatches(aevb.the_value)(parameters, X),
                  because="the value, not its gradient: all parameters would move alike", claim="lecture12.sec2.4_aevb")

    yield mistake(r"\mathbb E_{\text{batch}}\,\mathbb E_\epsilon\left[\nabla_{\theta,\phi}\tilde{\mathcal L}^M\right]"
                  r"\ \text{with }z\text{ held fixed}", aevb.mean_over_minibatches(aevb.draws_detached)(parameters, X),
                  because="the draw depends on phi: its path must be differentiated", claim="lecture12.sec2.3_reparam")


def either_case(seed):
    """A log-density for even seeds, a wave for odd ones: the identity knows no difference."""
    return (path_gradient.smooth_case if seed % 2 == 0 else path_gradient.wave_case)(seed)


@derivation(either_case)
def what_the_path_saves(phi, f, slope):
    r"""The variances of the two gradient estimates in the mean of q differ by an integral in f and its curvature.

    With $z = m + s\epsilon$ the score-function estimate is $f(z)\epsilon/s$ and the path's is $f^\prime(z)$. The last
    term of the result decides: it is negative where f bends back towards zero, as a wave does.
    """
    eps, weights = path_gradient.noise()
    s, noise = np.exp(phi["log_s"]), eps[:, 0]
    z = path_gradient.place(phi, eps)
    value, first = f(z), slope(z)
    second = elementwise_grad(lambda u: slope(u[:, None]))(z[:, 0])
    scale = weights @ value**2 / s**2 + weights @ first**2

    def variance(draws):
        return weights @ (draws - weights @ draws)**2

    yield start(r"\mathrm{Var}\left[\tfrac1sf(z)\,\epsilon\right]-\mathrm{Var}[f^\prime(z)]",
                variance(path_gradient.score_draws(phi, f, eps)["m"]) - variance(path_gradient.path_draws(
                    phi, slope, eps)["m"]), claim="lecture12.sec2.3_variance")

    yield equals(r"\tfrac1{s^2}\mathbb E[f(z)^2\epsilon^2]-\mathbb E[f^\prime(z)^2]",
                 weights @ (value * noise)**2 / s**2 - weights @ first**2, scale=scale,
                 because="both estimates have the same mean", claim="lecture12.sec2.3_reparam")

    grid, width = trapezoid(float(phi["m"] - 10 * s), float(phi["m"] + 10 * s), 801)
    law = width * np.exp(gaussian_log_prob(grid[:, None], phi["m"], s**2))
    square_bends = elementwise_grad(elementwise_grad(lambda u: f(u[:, None])**2))(grid)
    yield equals(r"\tfrac1{s^2}\mathbb E[f^2]+\mathbb E[(f^2)^{\prime\prime}]-\mathbb E[f^{\prime2}]",
                 law @ f(grid[:, None])**2 / s**2 + law @ square_bends - law @ slope(grid[:, None])**2, scale=scale,
                 because="integration by parts twice: E[g eps^2] = E[g] + s^2 E[g'']")

    yield mistake(r"\tfrac1{s^2}\mathbb E[f^2]-\mathbb E[f^{\prime2}]",
                  weights @ value**2 / s**2 - weights @ first**2, scale=scale,
                  because="f(z) and eps are not independent")

    yield equals(r"\tfrac1{s^2}\mathbb E[f^2]+\mathbb E[f^{\prime2}]+2\,\mathbb E[ff^{\prime\prime}]",
                 weights @ value**2 / s**2 + weights @ first**2 + 2 * weights @ (value * second), scale=scale,
                 because="(f^2)'' = 2 f'^2 + 2 f f''", claim="lecture12.sec2.3_variance")

    yield mistake(r"\tfrac1{s^2}\mathbb E[f^2]+\mathbb E[f^{\prime2}]",
                  weights @ value**2 / s**2 + weights @ first**2, scale=scale,
                  because="always positive: as if the path always won", claim="lecture12.sec2.3_variance")
