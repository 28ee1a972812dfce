r"""The log D trick: what the generator descends when it maximises E_p[log D] (ou2018 Sec. 3.2.4).

With the discriminator held still, D = sigmoid(V), the generator p_theta follows one of

    minimax   g(theta) = grad E_p[log(1 - D)]      ~ sigmoid(V) = 0 where D is sure that samples are fake
    log D     g(theta) = -grad E_p[log D]          ~ 1 - sigmoid(V) = 1 there

At D* the first is grad 2 JS[p0||p], and the second is grad(KL[p||p0] - 2 JS[p0||p]) (Arjovsky & Bottou 2017, Thm. 2.5),
which vanishes at p = p0. A family that does not contain p0 has other roots under one than under the other.

p = softmax(B theta); B (n, k), theta (k,), p0 and V (n,).

V = -10 everywhere: little is left of the minimax gradient, and the other is as large as ever.

>>> import numpy as np
>>> from refdgm.adversarial.log_d_trick import log_d_gradient, minimax_gradient
>>> theta, B, V = np.zeros(1), np.array([[0.0], [1.0]]), np.array([-11.0, -9.0])
>>> [round(abs(float(gradient(theta, B, V)[0])), 4) for gradient in (minimax_gradient, log_d_gradient)]
[0.0, 0.5]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, tends_to
from refdgm.divergences import js
from refdgm.numerics import kl, least_squares, log_sigmoid, log_softmax, softmax, weighted_sum


def score(theta, B):
    """grad log p_theta(x) at every point.  -> (n, k)"""
    valid.shape("B", B, (None, len(theta)))
    return B - softmax(np.dot(B, theta)) @ B


def minimax_gradient(theta, B, V):
    """grad_theta E_p[log(1 - D)], D = sigmoid(V) held still (ou2018 Sec. 3.2.4).  -> (k,)"""
    return weighted_sum(softmax(np.dot(B, theta)) * log_sigmoid(-V), score(theta, B))


def log_d_gradient(theta, B, V):
    """-grad_theta E_p[log D], what the log D trick descends (ou2018 Sec. 3.2.4).  -> (k,)"""
    return -weighted_sum(softmax(np.dot(B, theta)) * log_sigmoid(V), score(theta, B))


def optimal_logits(theta, B, p0):
    """V* = log p0/p_theta.  -> (n,)"""
    return np.log(p0) - log_softmax(np.dot(B, theta))


def log_d_objective(theta, B, p0):
    """KL[p||p0] - 2 JS[p0||p], whose gradient the log D field is at D*.  -> ()"""
    p = softmax(np.dot(B, theta))
    return kl(p, p0) - 2 * js(p0, p)


# ---- small random cases ---------------------------------------------------------------

def random_case(seed, n=6, k=2):
    rng = onp.random.default_rng(seed)
    return {"theta": rng.normal(size=k), "B": rng.normal(size=(n, k)), "V": rng.normal(size=n)}


def root_case(seed, restricted=False):
    """A generator at a root of the minimax game, with p0 in its family or outside, and another theta.

    At D* the minimax field is E_p[score r] with r = log p/(p0 + p). So choose -r as a constant plus what no score
    explains, and p0 = p (exp(-r) - 1) follows; the constant makes it sum to one.
    """
    case = random_case(seed)
    root, B = case["theta"], case["B"]
    p = softmax(B @ root)
    explained = onp.sqrt(p)[:, None] * onp.column_stack([onp.ones_like(p), B])
    rest = onp.sqrt(p) * case["V"]
    rest = (rest - explained @ least_squares(explained, rest)) / onp.sqrt(p)
    rest *= restricted * 0.3 / onp.max(onp.abs(rest))
    p0 = p * (2 * onp.exp(rest) / onp.sum(p * onp.exp(rest)) - 1)
    return {"root": root, "B": B, "p0": p0, "theta": onp.random.default_rng([seed, 1]).normal(size=root.shape)}


# ---- claims ---------------------------------------------------------------------------

def confident(minimax=minimax_gradient, log_d=log_d_gradient):
    """Both gradients when the discriminator's logits are lowered by `depth` everywhere."""
    return lambda theta, B, V, depth: {"minimax": minimax(theta, B, V - depth), "log D": log_d(theta, B, V - depth)}


def limit(theta, B, V):
    """Nothing is left of the first; the second is the gradient of -E_p[V]."""
    return {"minimax": onp.zeros(theta.shape), "log D": grad(lambda t: -np.sum(softmax(np.dot(B, t)) * V))(theta)}


def at_root_and_elsewhere(field):
    """The field at D*, where the minimax field vanishes and at some other theta."""
    return lambda root, B, p0, theta: {where: field(t, B, optimal_logits(t, B, p0))
                                       for where, t in (("minimax root", root), ("elsewhere", theta))}


def root_and_gradient(objective):
    """Zero at the root; elsewhere the gradient of an objective."""
    return lambda root, B, p0, theta: {"minimax root": onp.zeros(root.shape),
                                       "elsewhere": grad(objective)(theta, B, p0)}


def through_discriminator(root, B, p0, theta):
    """D* differentiated as well."""
    def loss(t):
        return -np.sum(softmax(np.dot(B, t)) * log_sigmoid(optimal_logits(t, B, p0)))
    return {"minimax root": grad(loss)(root), "elsewhere": grad(loss)(theta)}


SAME_ROOT = equals(root_and_gradient(log_d_objective), root_case, scale=lambda **case: 1.0)   # of log D, in nats

CLAIMS = [
    Claim("ou2018.logD.strength", confident(), tends_to(limit, random_case, "depth", (1, 30)),
          {"reversed": confident(log_d_gradient, minimax_gradient),
           "both saturate": confident(log_d=minimax_gradient),
           "neither saturates": confident(minimax=lambda *case: -log_d_gradient(*case)),
           "log D descended": confident(log_d=lambda *case: -log_d_gradient(*case))}),
    Claim("ou2018.logD.fixed", at_root_and_elsewhere(log_d_gradient), SAME_ROOT,
          {"the same divergence": root_and_gradient(lambda t, B, p0: 2 * js(p0, softmax(np.dot(B, t)))),
           "KL[p||p0]": root_and_gradient(lambda t, B, p0: kl(softmax(np.dot(B, t)), p0)),
           "JS once": root_and_gradient(lambda t, B, p0: log_d_objective(t, B, p0) + js(p0, softmax(np.dot(B, t)))),
           "through D*": through_discriminator,
           "log D descended": at_root_and_elsewhere(lambda *case: -log_d_gradient(*case))},
          without=equals(root_and_gradient(log_d_objective), lambda seed: root_case(seed, restricted=True),
                         scale=lambda **case: 1.0)),
]
