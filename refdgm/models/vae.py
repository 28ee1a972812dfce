r"""A variational autoencoder with small networks (ou2018 Eq. 4, Sec. 3.2.1).

    p(h) = N(0, I)    p(x|h) = N(mu(h), diag sigma^2(h))    q(h|x) = N(m(x), diag s^2(x)),   h = m(x) + s(x) eps

Decoder and encoder are networks of one tanh layer, with heads for the mean and the log variance:
a parameter dict holds {"W": (J, in), "b": (J,), "M": (out, J), "m": (out,), "S": (out, J), "s": (out,)}.

x : (..., D), h and eps : (..., H). With H = 1 the marginal and every expectation over q are quadratures, exact
to rounding; see `latent_grid`.

The bound E_q[log p(x, h) - log q(h|x)] by quadrature over h, and log p(x):

>>> import numpy as np
>>> from refdgm.models.vae import latent_grid, log_joint, log_marginal, log_q, random_case
>>> (theta, phi, x), (h, weights) = random_case(0).values(), latent_grid()
>>> log_w = log_joint(theta, x, h) - log_q(phi, x, h)
>>> round(float(weights * np.exp(log_q(phi, x, h)) @ log_w), 3), round(float(log_marginal(theta, x)), 3)
(-7.812, -7.299)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import (all_binary, all_tuples, bernoulli_log_prob, gauss_hermite, gaussian_log_prob, log_sum_exp,
                             trapezoid)


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
    """h = m(x) + s(x) eps, with law q(.|x) for eps ~ N(0, I) (ou2018 Sec. 3.2.1).  (..., D), (..., H) -> (..., H)"""
    mean, variance = gaussian_head(phi, x)
    return mean + np.sqrt(variance) * eps


# ---- exact, by quadrature, for H = 1 --------------------------------------------------

def latent_grid(n=2001, reach=12.0):
    """Trapezoid nodes h (n, 1) and weights (n,) over the range in which prior and q have their mass."""
    h, w = trapezoid(-reach, reach, n)
    return h[:, None], w


def log_marginal(theta, x, n=2001):
    """log p(x) = log int p(h) p(x|h) dh, H = 1.  (D,) -> ()"""
    validate(theta, x=x, H=1)
    h, w = latent_grid(n)
    return log_sum_exp(log_joint(theta, x, h) + np.log(w))


def log_posterior(theta, x, h):
    """log p(h|x), H = 1.  (D,), (..., 1) -> (...)"""
    return log_joint(theta, x, h) - log_marginal(theta, x)


def validate(theta=None, phi=None, x=None, H=None):
    """Raise ValueError, saying which, if a network or x has a wrong shape or is not finite, or h not H components."""
    for name, net in (("theta", theta), ("phi", phi)):
        if net is not None:
            (J, inputs), (outputs, _) = valid.matrix(name, net, "W"), valid.matrix(name, net, "M")
            valid.parameters(name, net, {"W": (J, inputs), "b": (J,), "M": (outputs, J), "m": (outputs,),
                                         "S": (outputs, J), "s": (outputs,)})
            latent, observed = (inputs, outputs) if name == "theta" else (outputs, inputs)
            valid.require(H in (None, latent),
                          f"a quadrature over h needs {H} latent component, but {name} has {latent}.")
            if x is not None:
                valid.vector("x", x, observed)


def random_case(seed, D=2, H=1, J=3):
    """A random decoder theta, encoder phi and one x (D,), smooth enough for the quadratures."""
    rng = onp.random.default_rng(seed)

    def net(inputs, outputs, log_variance):
        return {"W": rng.normal(size=(J, inputs)), "b": rng.normal(size=J), "M": rng.normal(size=(outputs, J)),
                "m": rng.normal(size=outputs) / 2, "S": rng.normal(size=(outputs, J)) / 5,
                "s": log_variance + rng.normal(size=outputs) / 5}
    return {"theta": net(H, D, 0.0), "phi": net(D, H, -1.0), "x": rng.normal(size=D)}


# ---- claims ---------------------------------------------------------------------------

def decoder_case(seed):
    """A random decoder and one h; x has two components."""
    case = random_case(seed)
    return {"theta": case["theta"], "h": onp.random.default_rng([seed, 1]).normal(size=1)}


def x_grid(n=181, reach=15.0):
    """A product grid for x in two dimensions: nodes (n*n, 2), weights (n*n,)."""
    x, w = trapezoid(-reach, reach, n)
    index = all_tuples(n, 2)
    return x[index], onp.prod(w[index], axis=-1)


def moments_of_x(theta, h):
    """The mean and the covariance of p(x|h), integrated over x: the oracle of Eq. 4."""
    x, w = x_grid()
    p = w * np.exp(log_likelihood(theta, x, h))
    mean = p @ x
    return {"mean": mean, "covariance": (x - mean).T @ (p[:, None] * (x - mean))}


def decoder_moments(covariance=np.diag):
    """N[x | mu(h), covariance(sigma^2(h))] of Eq. 4 in two words: its mean and its covariance."""
    def moments(theta, h):
        mean, variance = gaussian_head(theta, h)
        return {"mean": mean, "covariance": covariance(variance)}
    return moments


def sampled_deviation(theta, h):
    """The standard deviation of mu + exp(log_variance / 2) eps, unit by unit, eps summed exactly."""
    hidden = [onp.tanh(W @ h + b) for W, b in zip(theta["W"], theta["b"])]
    log_variance = [S @ hidden + s for S, s in zip(theta["S"], theta["s"])]
    eps, weight = gauss_hermite(8, 2)
    noise = onp.exp(onp.array(log_variance) / 2) * eps
    return onp.sqrt(weight @ (noise - weight @ noise)**2)


def bernoulli_law(x, logits, _):
    """log FB[x | sigmoid(logits)], with the decoder's first head as the logits."""
    return bernoulli_log_prob(x, logits)


def totals(law_of_binary, law_of_real):
    """What p(x|h) adds up to: summed over all binary x, and integrated over all real x."""
    def both(theta, h):
        x, w = x_grid()
        head = gaussian_head(theta, h)
        return np.array([np.sum(np.exp(law_of_binary(all_binary(2), *head))), w @ np.exp(law_of_real(x, *head))])
    return both


def deviation(of_variance):
    """The standard deviation of p(x|h), read off the output sigma^2(h) of the decoder."""
    return lambda theta, h: of_variance(gaussian_head(theta, h)[1])


CLAIMS = [
    Claim("ou2018.eq4", decoder_moments(), equals(moments_of_x, decoder_case, method="quadrature"),
          {"diag(sigma) as the covariance": decoder_moments(lambda variance: np.diag(np.sqrt(variance))),
           "a full covariance": decoder_moments(lambda variance: np.sqrt(np.outer(variance, variance))),
           "the precision in place of the covariance": decoder_moments(lambda variance: np.diag(1 / variance)),
           "the head's log variance is the variance": decoder_moments(lambda variance: np.diag(np.log(variance)))}),
    Claim("ou2018.eq4.std", deviation(np.sqrt), equals(sampled_deviation, decoder_case, method="quadrature"),
          {"the root taken twice": deviation(lambda variance: variance**0.25),
           "precisions": deviation(lambda variance: 1 / np.sqrt(variance))},
          printed=deviation(lambda variance: variance)),
    Claim("ou2018.eq4.order", totals(bernoulli_law, gaussian_log_prob),
          equals(lambda theta, h: np.ones(2), decoder_case, method="quadrature"),
          {"a Gaussian for both kinds of data": totals(gaussian_log_prob, gaussian_log_prob),
           "a Bernoulli for both kinds of data": totals(bernoulli_law, bernoulli_law)},
          printed=totals(gaussian_log_prob, bernoulli_law)),
]
