r"""Autoregressive models (ou2018 Sec. 3.1.3), and a fully visible belief net with logistic conditionals.

    p(x) = prod_i p(x_i | x_{1:i-1})                               the chain rule: any p(x), in any order of the units
    p(x_i = 1 | x_{1:i-1}) = sigmoid(sum_{j<i} W_ij x_j + b_i)     the simplest parameterisation

No latent variable, so log p(x) is a finite sum of D terms and needs no bound. theta = {"W": (D, D), "b": (D,)}, of
which only W_ij with j < i counts. x : (..., D) bits.

The conditionals normalise themselves, and what is above the diagonal of W counts for nothing:

>>> import numpy as np
>>> from refdgm.models.autoregressive import log_prob
>>> theta = {"W": np.array([[9.0, 9.0], [2.0, 9.0]]), "b": np.array([0.5, -1.0])}
>>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
>>> round(float(np.exp(log_prob(theta, x)).sum()), 6)
1.0
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import bernoulli_log_prob, sigmoid


def logits(theta, x):
    """The logit of every conditional, each of which reads the units before it only.  (..., D) -> (..., D)"""
    return np.dot(x, np.tril(theta["W"], -1).T) + theta["b"]


def log_prob(theta, x):
    """log p(x) = sum_i log p(x_i | x_{1:i-1}) (ou2018 Sec. 3.1.3).  (..., D) -> (...)"""
    validate(theta, x)
    return bernoulli_log_prob(x, logits(theta, x))


def sample(theta, uniforms):
    """One x for each row of uniforms: unit by unit, x_i = 1 where u_i < p(x_i = 1 | x_{1:i-1}).  (..., D) -> (..., D)

    This is ancestral sampling: exact, and as sequential as the factorisation.
    """
    x = onp.zeros(onp.shape(uniforms))
    for i in range(x.shape[-1]):
        x[..., i] = uniforms[..., i] < sigmoid(logits(theta, x)[..., i])
    return x


def score_theta(theta, x):
    """The gradient of log p(x) in theta, for a whole batch.  (..., D) -> dict of (..., *leaf)"""
    error = x - sigmoid(logits(theta, x))
    return {"W": onp.tril(error[..., :, None] * x[..., None, :], -1), "b": error}


def chain_rule(p, order):
    """prod_i p(x_i | the units before x_i in `order`), with conditionals from the table p (2,)*D, as a table."""
    valid.distribution("p", onp.ravel(p))
    valid.require(sorted(order) == list(range(onp.ndim(p))), f"order must list each of {onp.ndim(p)} units once.")
    product = 1.0
    for i in range(len(order)):
        product = product * conditional(p, order[i], order[:i])
    return product


def conditional(p, i, given):
    """p(x_i | x_given) of the table p, shaped to broadcast against it."""
    others = tuple(j for j in range(onp.ndim(p)) if j != i and j not in given)
    joint = onp.sum(p, axis=others, keepdims=True)
    return joint / onp.sum(joint, axis=i, keepdims=True)


def random_case(seed, D=4):
    """A random theta; the upper triangle of W holds numbers, too, which must not matter."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"W": rng.normal(size=(D, D)) * 1.5, "b": rng.normal(size=D)}}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    D, _ = valid.matrix("theta", theta, "W")
    valid.parameters("theta", theta, {"W": (D, D), "b": (D,)})
    if x is not None:
        valid.vector("x", x, D)



# ---- claims ---------------------------------------------------------------------------

def table_case(seed, D=4):
    """Any joint of D bits, and any order of them."""
    rng = onp.random.default_rng(seed)
    return {"p": rng.dirichlet(onp.ones(2**D)).reshape((2,) * D), "order": [int(i) for i in rng.permutation(D)]}


def product_given(given):
    """prod_i p(x_i | x_given), the set of conditioning units chosen by given(i, order) with i a place in the order."""
    def product(p, order):
        factors = [conditional(p, order[i], given(i, order)) for i in range(len(order))]
        return onp.prod(onp.broadcast_arrays(*factors), axis=0)
    return product


CLAIMS = [
    Claim("ou2018.model.autoreg", chain_rule, equals(lambda p, order: p, table_case),
          {"a product of marginals": product_given(lambda i, order: []),
           "a Markov chain: only the unit before": product_given(lambda i, order: order[max(i - 1, 0):i]),
           "given all other units: the pseudo-likelihood": product_given(lambda i, order: order[:i] + order[i + 1:]),
           "the order of the factors and of the conditions differ": product_given(lambda i, order: [
               j for j in order[::-1][:i] if j != order[i]])}),
]
