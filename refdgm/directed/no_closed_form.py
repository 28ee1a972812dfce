r"""Behind a nonlinearity, no law stays Gaussian (kingma2019 Sec. 1.8).

    linear decoder        p(x), p(z|x) are Gaussian, and so is the posterior over weights: closed forms
    nonlinear decoder     none of them is

A number for it: KL[p || its Gaussian], where a law's Gaussian is the one with its mean and covariance. It is zero
exactly where p is Gaussian. Laws are given by their log densities on a grid: nodes (n, d), weights (n,).

KL[p(z|x) || its Gaussian] behind a tanh network, and behind a linear decoder:

    >>> from refdgm.directed.no_closed_form import latent_model, linear_decoder, tanh_decoder
    >>> [round(abs(float(latent_model(**decoder(0))[0])), 4) for decoder in (tanh_decoder, linear_decoder)]
    [0.006, 0.0]
"""

from functools import partial

from refdgm.backend import xp as np
from refdgm.checking import Claim, is_at_least
from refdgm.models import vae
from refdgm.numerics import LOG_2PI, all_tuples, gaussian_log_prob, log_softmax, log_sum_exp, trapezoid


def kl_to_gaussian(log_p, nodes, weights):
    """KL[p || N(E z, Cov z)] of a law known up to a constant (kingma2019 Sec. 1.8).  (n,), (n, d), (n,) -> ()

    The cross-entropy to the Gaussian of the same moments is that Gaussian's own entropy.
    """
    log_mass = log_softmax(log_p + np.log(weights))
    mass = np.exp(log_mass)
    centred = nodes - mass @ nodes
    covariance = (mass[:, None] * centred).T @ centred
    gaussian_entropy = 0.5 * (nodes.shape[1] * (1 + LOG_2PI) + np.linalg.slogdet(covariance)[1])
    return gaussian_entropy + mass @ (log_mass - np.log(weights))


def latent_model(decoder, x):
    """KL to a Gaussian of the posterior p(z|x) and of the marginal p(x), one-dimensional both (Sec. 1.8).  -> (2,)

    decoder(z) gives the mean and the variance of p(x|z).
    """
    z, w_z = vae.latent_grid(n=301, reach=8.0)
    grid, w_x = trapezoid(-15.0, 15.0, 401)
    log_prior = vae.log_prior(z)
    log_marginal = log_sum_exp(log_prior + gaussian_log_prob(grid[:, None, None], *decoder(z)) + np.log(w_z))
    posterior = kl_to_gaussian(log_prior + gaussian_log_prob(x, *decoder(z)), z, w_z)
    return np.array([posterior, kl_to_gaussian(log_marginal, grid[:, None], w_x)])


def weight_posterior(network, u, y, noise=0.5):
    """KL to a Gaussian of p(weights|D), two weights with a standard normal prior (kingma2019 Sec. 1.8).  -> ()

    network(weights, u) gives the mean of y at each input u; D = (u, y), noise the standard deviation of y.
    """
    nodes, w = trapezoid(-6.0, 6.0, 121)
    index = all_tuples(len(nodes), 2)
    weights = nodes[index]
    log_p = gaussian_log_prob(weights, 0.0, 1.0) + gaussian_log_prob(y, network(weights, u), noise**2)
    return kl_to_gaussian(log_p, weights, np.prod(w[index], axis=-1))


# ---- claims ---------------------------------------------------------------------------

ROUNDING_OF_KL = 1e-8       # a KL that is zero comes out below 1e-11 on these grids


def tanh_decoder(seed):
    """A random decoder, bent and with a noise level that varies."""
    case = vae.random_case(seed, D=1, J=4)
    net = {**case["theta"], "W": 1.5 * case["theta"]["W"], "S": 2 * case["theta"]["S"]}
    return {"decoder": partial(vae.gaussian_head, net), "x": case["x"]}


def linear_decoder(seed):
    """The condition violated: the mean is linear in z and the variance constant."""
    rng = np.random.default_rng(seed)
    w, b, psi = rng.normal(size=3)
    return {"decoder": lambda z: (w * z + b, np.exp(psi) + 0 * z), "x": rng.normal(size=1)}


def linearised(decoder, at=0.0, h=1e-4):
    """The decoder's tangent at z, its variance as it is there."""
    (low, _), (mean, variance), (high, _) = (decoder(np.array([[at + d]])) for d in (-h, 0.0, h))
    return lambda z: (mean + (high - low) / (2 * h) * (z - at), variance + 0 * z)


def neural_regression(seed):
    """y = a tanh(w u) + noise: (a, w) and (-a, -w) explain the data equally well."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=6)
    return {"network": lambda weights, u: weights[:, :1] * np.tanh(weights[:, 1:] * u), "u": u,
            "y": rng.normal(1.0, 0.2) * np.tanh(rng.normal(1.0, 0.2) * u) + rng.normal(size=6) / 2}


def linear_regression(seed):
    """The weights enter linearly: y = a + w u + noise."""
    return {**neural_regression(seed), "network": lambda weights, u: weights[:, :1] + weights[:, 1:] * u}


def tangent(network):
    """The network linearised in its weights at (1, 1)."""
    def linear(weights, u, h=1e-4):
        at, steps = np.ones((1, 2)), h * np.eye(2)[:, None]
        slopes = [(network(at + d, u) - network(at - d, u)) / (2 * h) for d in steps]
        return network(at, u) + sum((weights[:, i:i + 1] - 1.0) * slope for i, slope in enumerate(slopes))
    return linear


CLAIMS = [
    Claim("kingma2019.sec1.8.both", latent_model,
          is_at_least(lambda decoder, x: np.full(2, ROUNDING_OF_KL), tanh_decoder, method="quadrature"),
          {"the decoder linearised at z = 0": lambda decoder, x: latent_model(linearised(decoder), x),
           "linearised at z = 1": lambda decoder, x: latent_model(linearised(decoder, at=1.0), x),
           "a decoder that ignores z": lambda decoder, x: latent_model(lambda z: decoder(0 * z), x)},
          without=is_at_least(lambda decoder, x: np.full(2, ROUNDING_OF_KL), linear_decoder, method="quadrature")),
    Claim("kingma2019.sec1.8.theta", weight_posterior,
          is_at_least(lambda network, u, y: ROUNDING_OF_KL, neural_regression, method="quadrature"),
          {"the network linearised in its weights": lambda network, u, y: weight_posterior(tangent(network), u, y),
           "no data: the prior": lambda network, u, y: weight_posterior(network, u[:0], y[:0])},
          without=is_at_least(lambda network, u, y: ROUNDING_OF_KL, linear_regression, method="quadrature")),
]
