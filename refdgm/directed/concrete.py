r"""The Concrete (Gumbel-softmax) relaxation of a binary latent (ou2018 Sec. 3.2.1; Maddison et al., Jang et al. 2016).

    h     = 1[logit + l > 0]                    ~ Bern(p),  p = sigmoid(logit),  with l logistic noise
    h_tau = sigmoid((logit + l) / tau)          the softmax at temperature tau of two logits with Gumbel noise

    relaxed   d/dlogit E[f(h_tau)] = E[f'(h_tau) h_tau (1 - h_tau) / tau]
    discrete  d/dlogit E[f(h)]     = p (1 - p) (f(1) - f(0))
    bias      relaxed - discrete   = -tau int [f(sigmoid(s)) - f(1[s > 0])] rho'(tau s - logit) ds,   rho = sigmoid'

so for small tau the bias is tau p (1 - p) (1 - 2p) int [f(sigmoid(s)) - f(1[s > 0])] ds: it vanishes with tau, and not
before. f is a cubic with coefficients f (4,), constant first. logit, tau : (),  noise l : (...).

The bias for f(h) = h^2 at two temperatures:

    >>> import numpy as np
    >>> from refdgm.directed.concrete import bias
    >>> [round(float(bias(np.array([0.0, 0.0, 1.0, 0.0]), logit=1.0, tau=tau)), 4) for tau in (0.1, 0.02)]
    [0.0083, 0.0018]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import gauss_legendre, sigmoid, trapezoid

def polynomial(f, h):
    """f(h).  (4,), (...) -> (...)"""
    return np.sum(f * np.expand_dims(h, -1)**onp.arange(4), axis=-1)


def polynomial_slope(f, h):
    """f'(h).  (4,), (...) -> (...)"""
    return np.sum(f[1:] * onp.arange(1, 4) * np.expand_dims(h, -1)**onp.arange(3), axis=-1)


def relax(logit, tau, noise):
    """h_tau, a differentiable stand-in for the draw h (ou2018 Sec. 3.2.1).  (...) -> (...)"""
    valid.require(tau > 0, f"the temperature must be positive, but is {tau}.")
    return sigmoid((logit + noise) / tau)


def estimate_grad(f, logit, tau, noise):
    """One draw of the reparameterised gradient of E[f(h_tau)] in the logit.  (...) -> (...)"""
    h = relax(logit, tau, noise)
    return polynomial_slope(f, h) * h * (1 - h) / tau


def mean_over_noise(estimator, f, logit, tau, n=2001):
    """The exact mean of an estimator over logistic noise."""
    noise, w = trapezoid(-45.0, 45.0, n)
    return np.sum(w * sigmoid(noise) * sigmoid(-noise) * estimator(f, logit, tau, noise))


def discrete_grad(f, logit):
    """The gradient of E[f(h)] in the logit.  -> ()"""
    p = sigmoid(logit)
    return p * (1 - p) * (polynomial(f, 1.0) - polynomial(f, 0.0))


def bias(f, logit, tau, n=80):
    """The relaxed gradient less the discrete one.  -> ()"""
    s, w = gauss_legendre(0.0, 45.0, n)

    def half(s, h):
        y = sigmoid(tau * s - logit)
        return np.sum(w * (polynomial(f, sigmoid(s)) - polynomial(f, h)) * y * (1 - y) * (1 - 2 * y))
    return -tau * (half(s, 1.0) + half(-s, 0.0))


def first_order_bias(f, logit, tau, n=80):
    """The bias to first order in tau.  -> ()"""
    s, w = gauss_legendre(0.0, 45.0, n)
    p = sigmoid(logit)
    between = np.sum(w * (polynomial(f, sigmoid(s)) - polynomial(f, 1.0) + polynomial(f, sigmoid(-s))
                          - polynomial(f, 0.0)))
    return tau * p * (1 - p) * (1 - 2 * p) * between


def random_case(seed):
    rng = onp.random.default_rng(seed)
    return {"f": rng.normal(size=4), "logit": rng.normal()}


# ---- claims ---------------------------------------------------------------------------

TEMPERATURES = (1.0, 0.5, 0.2)


def at_each_temperature(value):
    return lambda f, logit: np.array([value(f, logit, tau) for tau in TEMPERATURES])


def relaxed_grad(f, logit, tau):
    return mean_over_noise(estimate_grad, f, logit, tau)


def gradient_of_f_at_the_mean(f, logit, tau):
    return grad(lambda a: polynomial(f, sigmoid(a)))(logit)


CLAIMS = [
    Claim("ou2018.concrete", at_each_temperature(relaxed_grad),
          equals(at_each_temperature(lambda f, logit, tau: discrete_grad(f, logit) + bias(f, logit, tau)), random_case,
                 method="quadrature"),
          {"unbiased at every temperature": at_each_temperature(lambda f, logit, tau: discrete_grad(f, logit)),
           "bias of one temperature at all": at_each_temperature(
               lambda f, logit, tau: discrete_grad(f, logit) + bias(f, logit, 1.0)),
           "the bias to first order in tau": at_each_temperature(
               lambda f, logit, tau: discrete_grad(f, logit) + first_order_bias(f, logit, tau)),
           "no 1/tau from the chain rule": at_each_temperature(lambda *c: c[2] * relaxed_grad(*c)),
           "the noise is not divided by tau": at_each_temperature(lambda f, logit, tau: mean_over_noise(
               lambda f, a, tau, noise: estimate_grad(f, a, tau, tau * noise), f, logit, tau)),
           "no noise": at_each_temperature(gradient_of_f_at_the_mean)}),
]
