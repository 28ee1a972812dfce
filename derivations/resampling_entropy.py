r"""Which bound does a self-normalised average of log ratios give?

With $f_i = \log p(x, z_i)/q(z_i|x)$ and $w = \mathrm{softmax}(f)$ there are two objectives in use,
$\log \sum_i e^{f_i}$ and $\sum_i w_i f_i$. Their gradients agree once the weights are held constant, which is how
both are implemented, and so it is easy to take one for the other. Their values differ by the entropy of the
weights. Less $\log k$, the first bounds $\log p(x)$ from below; the second, as it stands, does so for $k = 1$ only.
"""
import autograd.numpy as np
from autograd import grad

from refdgm.derivation import approaches, at_most, derivation, equals, mistake, start
from refdgm.directed import iwae_limit, resampling_entropy
from refdgm.models.iid_weights import self_normalised_moments
from refdgm.models.sbn import all_draws, log_marginal, log_weights, random_case
from refdgm.numerics import log_softmax, softmax


@derivation(random_case)
def values(theta, phi, x):
    """The two objectives differ by the entropy of the resampling weights."""
    k = 3
    z, probability = all_draws(phi, x, k)
    f = log_weights(theta, phi, x, z)
    r = np.exp(f)
    w = r / np.sum(r, axis=-1, keepdims=True)

    yield start(r"\mathbb E\left[\sum_i w_i f_i\right]", probability @ resampling_entropy.mean_of_log(f),
                claim="bachman2015.eq21")

    yield equals(r"\mathbb E\left[\sum_i w_i \left(\log w_i + \log \sum_j e^{f_j}\right)\right]",
                 probability @ np.sum(w * (np.log(w) + np.log(np.sum(r, axis=-1, keepdims=True))), axis=-1),
                 because="w_i is e^{f_i} over the sum")

    yield equals(r"\mathbb E\left[\log \sum_j e^{f_j}\right] - \mathbb E\left[H(w_1, \dots, w_k)\right]",
                 probability @ (resampling_entropy.log_of_sum(f) - resampling_entropy.resampling_entropy(f)),
                 because="the weights sum to one", claim="bachman2015.eq21_entropy")

    yield mistake(r"\mathbb E\left[\log \sum_j e^{f_j}\right] + \mathbb E\left[H(w_1, \dots, w_k)\right]",
                  probability @ (resampling_entropy.log_of_sum(f) + resampling_entropy.resampling_entropy(f)),
                  because="an entropy is minus the mean of log w")

    yield mistake(r"\mathbb E\left[\log \sum_j e^{f_j}\right] - \log k",
                  probability @ resampling_entropy.log_of_sum(f) - np.log(k),
                  because="the entropy is log k only where all the weights are equal", claim="bachman2015.eq23")

    yield equals(r"\mathbb E\left[\log \tfrac1k \sum_j e^{f_j}\right] + \log k "
                 r"- \mathbb E\left[H(w_1, \dots, w_k)\right]",
                 probability @ (np.log(np.mean(r, axis=-1)) + np.log(k) + np.sum(w * log_softmax(f), axis=-1)),
                 because="so it is above the importance weighted bound, by a divergence of w from the uniform law",
                 claim="bachman2015.eq21")

    yield mistake(r"\mathbb E\left[\log \tfrac1k \sum_j e^{f_j}\right]", probability @ np.log(np.mean(r, axis=-1)),
                  because="the same gradient with the weights held constant, but not the same value")

    yield at_most(r"\log p_\theta(x) + \log k", log_marginal(theta, x) + np.log(k),
                  because="an entropy is not negative: this is all that is left of a bound")


@derivation(iwae_limit.random_case)
def limit(p, q):
    """For many samples the average of log ratios exceeds log p(x) by a KL divergence."""
    posterior = p / np.sum(p)

    yield start(r"\mathbb E_{p(z|x)}\left[\log \frac{p(x, z)}{q(z|x)}\right]", posterior @ np.log(p / q))

    yield equals(r"\log p(x) + \mathrm{KL}\left[p(z|x) \| q(z|x)\right]",
                 np.log(np.sum(p)) + posterior @ np.log(posterior / q), because="p(x, z) = p(x) p(z|x)")

    yield mistake(r"\log p(x)", np.log(np.sum(p)), because="Eq. 21 is no lower bound", claim="bachman2015.eq21")

    yield mistake(r"\log p(x) - \mathrm{KL}\left[q(z|x) \| p(z|x)\right]",
                  np.log(np.sum(p)) - q @ np.log(q / posterior), because="that is its value for one sample: the ELBO")

    yield approaches(r"\mathbb E_{z_{1:k} \sim q}\left[\sum_i w_i \log \frac{p(x, z_i)}{q(z_i|x)}\right]",
                     [self_normalised_moments(p / q, np.log(p / q), q, k)[0] for k in (2, 1_000, 1_000_000)],
                     because="a self-normalised average tends to the mean under the posterior",
                     claim="bachman2015.eq21", allowed=1e-5, scale=1.0)


@derivation(resampling_entropy.draws_case)
def gradients(params, x, z):
    """With constant weights, and the draws fixed, the two objectives have the same gradient."""
    def total(f_to_value):
        return grad(lambda p: np.sum(f_to_value(resampling_entropy.log_ratios(p, x, z))))(params)

    constant = softmax(resampling_entropy.log_ratios(params, x, z))

    yield start(r"\nabla \log \sum_i e^{f_i}", total(resampling_entropy.log_of_sum), claim="bachman2015.eq14")

    yield equals(r"\sum_i w_i \nabla f_i", resampling_entropy.weighted_gradient(params, x, z),
                 because="the derivative of the exponential, over the sum", claim="bachman2015.eq22",
                 allowed=1e-9)

    yield equals(r"\nabla \sum_i \mathrm{const}(w_i)\, f_i", total(lambda f: constant * f),
                 because="what is held constant is not differentiated", claim="bachman2015.eq21_gradient", allowed=1e-9)

    yield mistake(r"\nabla \sum_i w_i f_i", total(resampling_entropy.mean_of_log),
                  because="the weights depend on the parameters, too: the gradient of their entropy is missing")

    yield mistake(r"\tfrac1k \sum_i \nabla f_i", total(lambda f: f / 3), because="uniform weights: the plain bound")
