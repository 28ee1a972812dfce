r"""The marginal of a deep latent variable model, and the one difficulty behind it and the posterior.

A latent variable model gives the joint $p(x, z) = p(z)\, p(x|z)$ for nothing. The likelihood of the data is its
integral over $z$, and the integral is what cannot be done: it is a mixture with as many components as there are $z$.
The posterior looks like a second problem, and is the same one, because $p(x) = p(x, z) / p(z|x)$ at any $z$. Each
gives the other (kingma2019 Eqs. 1.13-1.19); and where there are few components, neither is hard.

The model has binary $x$ (kingma2019 Sec. 1.7.3) and one Gaussian $z$, so that here, exceptionally, every integral can
be done by quadrature, each line in its own way.
"""
import math

import numpy as np
from autograd import grad

from refdgm.derivation import approaches, at_least, derivation, equals, mistake, start
from refdgm.models import bernoulli_dlvm as model
from refdgm.models import mixture
from refdgm.numerics import gaussian_log_prob, log_sum_exp, softmax, trapezoid, weighted_sum


def random_case(seed):
    return model.random_case(seed, D=3, H=1)


def densities(theta, x, z):
    """p(z) and p(x|z) at scalars z, written out.  (n,) -> (n,), (n,)"""
    p = model.decoder(theta, z[:, None])
    return np.exp(-z**2 / 2) / np.sqrt(2 * np.pi), np.prod(np.where(x == 1, p, 1 - p), axis=-1)


@derivation(random_case)
def marginal_and_posterior(theta, x):
    """The marginal is an infinite mixture, and the posterior is the marginal in another form."""
    z, w = trapezoid(-9.0, 9.0, 601)
    prior, likelihood = densities(theta, x, z)

    yield start(r"p(x) = \int p(z)\, p(x|z)\, dz", w @ (prior * likelihood), claim="kingma2019.eq1.13")

    t, w_t = trapezoid(-3.2, 3.2, 801)
    negative_cross_entropy = model.negative_cross_entropy(x, model.decoder(theta, np.sinh(t)[:, None]))
    yield equals(r"\int \mathcal N(z; 0, 1) \exp\left(\sum_j x_j \log p_j(z) + (1 - x_j) \log(1 - p_j(z))\right) dz",
                 (w_t * np.cosh(t)) @ np.exp(gaussian_log_prob(np.sinh(t)[:, None], 0.0, 1.0) + negative_cross_entropy),
                 because="the pixels are independent given z", claim="kingma2019.eq1.18")

    from scipy.special import ndtri
    components = [ndtri((np.arange(K) + 0.5) / K) for K in (1, 20, 100_000)]
    yield approaches(r"\tfrac1K \sum_{k=1}^{K} p(x|z_k)", [np.mean(densities(theta, x, z_k)[1]) for z_k in components],
                     because="a mixture with K components of equal weight, in the limit", allowed=1e-4,
                     claim="kingma2019.sec1.7.inf")

    yield mistake(r"p(x|E[z])", densities(theta, x, np.zeros(1))[1][0], because="one component is no mixture")

    yield mistake(r"\exp \int p(z) \log p(x|z)\, dz", np.exp(w @ (prior * np.log(likelihood))),
                  because="the average of the logs is below the log of the average (Jensen)")

    yield mistake(r"\max_z p(x, z)", np.max(prior * likelihood), because="the best z is not all z")

    posterior, predictions = prior, []
    for x_j, p_j in zip(x, model.decoder(theta, z[:, None]).T):
        of_bit = p_j if x_j else 1 - p_j
        predictions.append(w @ (posterior * of_bit))
        posterior = posterior * of_bit / predictions[-1]
    yield equals(r"\prod_j p(x_j | x_{1:j-1}),\quad p(x_j | x_{1:j-1}) = E_{p(z|x_{1:j-1})}[p(x_j|z)]",
                 math.prod(predictions), because="the chain rule: each pixel, averaged over the posterior so far")

    at = 337
    joint_at = float(np.exp(model.log_joint(theta, x, z[at:at + 1])))
    yield equals(r"\frac{p(x, z)}{p(z|x)} \text{ at one } z", joint_at / posterior[at],
                 because="Bayes: a posterior that is normalised gives the marginal", claim="kingma2019.sec1.8.equiv")

    yield mistake(r"\frac{p(x, z)}{p(z)} \text{ at one } z", joint_at / prior[at],
                  because="that is the likelihood of this z", claim="kingma2019.eq1.19")

    seen = posterior > 0
    log_ratio = np.log(prior[seen]) + np.log(likelihood[seen]) - np.log(posterior[seen])
    yield equals(r"\exp E_{p(z|x)}\left[\log \frac{p(x, z)}{p(z|x)}\right]", np.exp((w * posterior)[seen] @ log_ratio),
                 because="the ratio is the same at every z, so its mean log is its log")

    q = np.exp(-(z - 0.5)**2 / 3) / np.sqrt(3 * np.pi)
    log_w = np.log(prior) + np.log(likelihood) - np.log(q)
    yield at_least(r"\exp E_{q(z)}\left[\log \frac{p(x, z)}{q(z)}\right]", np.exp((w * q) @ log_w),
                   because="under any other law the mean log is less: this is the bound of chapter 2")


@derivation(random_case)
def gradient_through_the_posterior(theta, x):
    """The gradient of the intractable marginal is a tractable function, averaged over the posterior."""
    z, w = trapezoid(-9.0, 9.0, 601)
    prior, likelihood = densities(theta, x, z)
    score = model.score_theta(theta, x, z[:, None])

    def log_p(theta):
        return log_sum_exp(model.log_joint(theta, x, z[:, None]) + np.log(w))

    yield start(r"\nabla_\theta \log p(x)", grad(log_p)(theta), claim="kingma2019.sec1.8.nodiff")

    of_joint = weighted_sum(w * prior * likelihood, score)
    yield equals(r"\frac1{p(x)} \int p(z)\, p(x|z)\, \nabla_\theta \log p(x, z)\, dz",
                 {name: leaf / (w @ (prior * likelihood)) for name, leaf in of_joint.items()},
                 because="the derivative of a log, and grad p = p grad log p")

    yield equals(r"E_{p(z|x)}[\nabla_\theta \log p(x, z)]",
                 weighted_sum(softmax(model.log_joint(theta, x, z[:, None]) + np.log(w)), score),
                 because="Bayes", claim="kingma2019.eq1.19")

    yield mistake(r"E_{p(z)}[\nabla_\theta \log p(x, z)]", weighted_sum(w * prior, score),
                  because="the prior can be drawn from, but it is the wrong law")

    best = int(np.argmax(prior * likelihood))
    yield mistake(r"\nabla_\theta \log p(x, z^*),\quad z^* = \arg\max_z p(z|x)",
                  {name: leaf[best] for name, leaf in score.items()},
                  because="one z, the likeliest, is not the posterior")


@derivation(mixture.random_case)
def few_components(theta, x):
    """With a discrete z the marginal is a mixture of Gaussians, and both problems are short sums."""
    p_z = softmax(theta["a"])

    def bell(k):
        whitened = np.linalg.solve(np.linalg.cholesky(theta["Sigma"][k]), (x - theta["mu"][k]).T)
        return np.exp(-0.5 * np.sum(whitened**2, axis=0)) / (2 * np.pi * np.sqrt(np.linalg.det(theta["Sigma"][k])))

    bells = np.array([bell(k) for k in range(len(p_z))])

    yield start(r"p(x) = \sum_z p(z)\, \mathcal N(x; \mu_z, \Sigma_z)", p_z @ bells, claim="kingma2019.sec1.7.mog")

    posterior = softmax(mixture.log_joint(theta, x))
    yield equals(r"\frac{p(x, z)}{p(z|x)} \text{ at } z = 1", p_z[0] * bells[0] / posterior[:, 0],
                 because="the responsibilities p(z|x) cost as much as the sum", claim="kingma2019.sec1.8.both")

    yield equals(r"\exp \sum_z p(z|x) \log \frac{p(x, z)}{p(z|x)}",
                 np.exp(np.sum(posterior * (mixture.log_joint(theta, x) - np.log(posterior)), axis=-1)),
                 because="the bound under the posterior itself is tight")

    yield mistake(r"\mathcal N\left(x; \textstyle\sum_z p(z) \mu_z, \sum_z p(z) \Sigma_z\right)",
                  mixture.averaged_gaussian(mixture.within)(theta, x),
                  because="averaged parameters are not averaged densities")

    yield mistake(r"\prod_z \mathcal N(x; \mu_z, \Sigma_z)^{p(z)}", np.exp(p_z @ np.log(bells)),
                  because="a product of experts says and where a mixture says or")
