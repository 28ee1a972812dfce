r"""The straight-through estimator for binary latents (ou2018 Sec. 3.2.1; Bengio et al. 2013).

    h_i ~ Bern(p_i),  p = sigmoid(logits),  and f is differentiable between the bits as well:

    exact    d/dlogit_i E[f(h)] = p_i (1 - p_i) E[f(h_i=1) - f(h_i=0)]
    ST       p_i (1 - p_i) E[df/dh_i (h)]           backpropagates through the draw as if h were its mean p
    bias     p_i (1 - p_i) E[int_0^1 (t - 1 + p_i) d2f/dh_i2 (h_i=t) dt]

The ST puts the two end slopes of f, weighted with p, in place of its mean slope between 0 and 1. So it is exact if f is
linear in each bit, and for a quadratic f the bias is (p_i - 1/2) f'' p_i (1 - p_i).

f(h) = sum_j c_j tanh(W h + b)_j with net = {"W": (J, n), "b": (J,), "c": (J,)};  h (..., n), logits (n,).

The exact gradient in the first logit, and the estimator's mean:

    >>> from refdgm.directed.straight_through import exact_grad, random_case, straight_through
    >>> [round(float(gradient(**random_case(0))[0]), 3) for gradient in (exact_grad, straight_through)]
    [-0.066, -0.061]
"""
import autograd.numpy as np
from autograd import grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, bernoulli_log_prob, gauss_legendre, sigmoid, weighted_sum


def f(net, h):
    """The loss as a function of the latents.  (..., n) -> (...)"""
    return np.dot(np.tanh(np.dot(h, net["W"].T) + net["b"]), net["c"])


def slope(net, h):
    """df/dh.  (..., n) -> (..., n)"""
    return np.dot(net["c"] * (1 - np.tanh(np.dot(h, net["W"].T) + net["b"])**2), net["W"])


def curvature(net, h):
    """d2f/dh_i2 for each i.  (..., n) -> (..., n)"""
    y = np.tanh(np.dot(h, net["W"].T) + net["b"])
    return np.dot(-2 * net["c"] * y * (1 - y**2), net["W"]**2)


def estimate_grad(logits, net, h):
    """One draw of the ST gradient in the logits (ou2018 Sec. 3.2.1).  (..., n) -> (..., n)"""
    p = sigmoid(logits)
    return slope(net, h) * p * (1 - p)


def mean_over_draws(estimator, logits, net):
    """The exact mean of an estimator over all 2**n draws."""
    h = all_binary(len(logits))
    return weighted_sum(np.exp(bernoulli_log_prob(h, logits)), estimator(logits, net, h))


def bias(logits, net, nodes=40):
    """The mean of the ST gradient less the exact gradient.  -> (n,)"""
    p, h = sigmoid(logits), all_binary(len(logits))
    probability = np.exp(bernoulli_log_prob(h, logits))
    t, w = gauss_legendre(0.0, 1.0, nodes)
    out = []
    for i in range(len(logits)):
        between = np.where(onp.arange(len(logits)) == i, t[:, None, None], h)        # bit i replaced by t: (T, 2**n, n)
        out.append(p[i] * (1 - p[i]) * np.dot(w * (t - 1 + p[i]), np.dot(curvature(net, between)[..., i], probability)))
    return np.array(out)


def random_case(seed, n=3, J=4):
    rng = onp.random.default_rng(seed)
    return {"logits": rng.normal(size=n), "net": {"W": rng.normal(size=(J, n)), "b": rng.normal(size=J),
                                                  "c": rng.normal(size=J)}}


# ---- claims ---------------------------------------------------------------------------

def straight_through(logits, net):
    return mean_over_draws(estimate_grad, logits, net)


def exact_grad(logits, net):
    return grad(lambda a: mean_over_draws(lambda _, net, h: f(net, h), a, net))(logits)


def identity_jacobian(logits, net):
    return mean_over_draws(lambda logits, net, h: slope(net, h), logits, net)


def mean_field(logits, net):
    p = sigmoid(logits)
    return slope(net, p) * p * (1 - p)


CLAIMS = [
    Claim("ou2018.st", straight_through, equals(lambda logits, net: exact_grad(logits, net) + bias(logits, net),
                                                random_case),
          {"unbiased": exact_grad,
           "identity for the sigmoid's Jacobian": identity_jacobian,
           "the slope at the mean instead of the draw": mean_field,
           "as if f were quadratic": lambda logits, net: exact_grad(logits, net) + mean_over_draws(
               lambda a, net, h: sigmoid(a) * (1 - sigmoid(a)) * (sigmoid(a) - 0.5) * curvature(net, h), logits, net)}),
]
