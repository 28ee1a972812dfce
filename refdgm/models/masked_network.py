r"""An autoregressive model as one masked network (kingma2019 Sec. 4.3).

    p(x) = prod_j p(x_j | x_<j),   p(x_j = 1 | x_<j) = sigmoid(l_j),   l = V tanh(W x + b) + c

Hidden unit k has a degree d_k in 1..D-1 and reads x_j with j <= d_k; output j reads hidden units with d_k < j. So l_j
depends on x_<j alone, all D conditionals take one pass, and their product sums to one without being normalised.

theta = {"W": (J, D), "b": (J,), "V": (D, J), "c": (D,)},  x (..., D) bits.

Masked so, the network is a law: p sums to one over all x without being normalised.

>>> import numpy as np
>>> from refdgm.models.masked_network import all_binary, log_prob, random_case
>>> round(float(np.exp(log_prob(random_case(0)["theta"], all_binary(4))).sum()), 6)
1.0
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.numerics import all_binary, bernoulli_log_prob


def masks(D, J, strict=True):
    """What each hidden unit reads, (J, D), and what each output reads, (D, J), as zeros and ones.

    Not `strict`: an output also reads units that see its own x_j.
    """
    degree = 1 + onp.arange(J) % (D - 1)
    outputs = onp.arange(1, D + 1)[:, None]
    reads = degree < outputs if strict else degree <= outputs
    return 1.0 * (onp.arange(1, D + 1) <= degree[:, None]), 1.0 * reads


def logits(theta, x, strict=True):
    """l_j from x_<j, all at once (kingma2019 Sec. 4.3).  (..., D) -> (..., D)"""
    J, D = theta["W"].shape
    into, out = masks(D, J, strict)
    hidden = np.tanh(np.dot(x, (theta["W"] * into).T) + theta["b"])
    return np.dot(hidden, (theta["V"] * out).T) + theta["c"]


def log_prob(theta, x):
    """log p(x) = sum_j log p(x_j | x_<j) (kingma2019 Sec. 4.3).  (..., D) -> (...)"""
    validate(theta, x)
    return bernoulli_log_prob(x, logits(theta, x))


def random_case(seed, D=4, J=6):
    """A random theta whose masked entries hold numbers, too, which must not matter."""
    rng = onp.random.default_rng(seed)
    return {"theta": {"W": rng.normal(size=(J, D)), "b": rng.normal(size=J), "V": rng.normal(size=(D, J)),
                      "c": rng.normal(size=D)}}


def validate(theta, x=None):
    """Raise ValueError, saying which, if a parameter or x has a wrong shape or is not finite."""
    J, D = valid.matrix("theta", theta, "W")
    valid.count("the number of units of x", D, least=2)
    valid.parameters("theta", theta, {"W": (J, D), "b": (J,), "V": (D, J), "c": (D,)})
    if x is not None:
        valid.vector("x", x, D)


# ---- claims ---------------------------------------------------------------------------

def law_and_dependence(logits=logits):
    """p(x) for every x, their sum, the derivatives of l_j in x_j and what follows, and how many x_i each l_j sees."""
    def of(theta):
        x = all_binary(len(theta["c"]))
        p = np.exp(bernoulli_log_prob(x, logits(theta, x)))
        J = jacobian(lambda x: logits(theta, x))(onp.linspace(0.2, 0.9, len(theta["c"])))
        return {"p": p, "sum": np.sum(p), "later": onp.triu(J), "seen": onp.count_nonzero(onp.tril(J, -1), axis=1)}
    return of


def unmasked(theta, x):
    return np.dot(np.tanh(np.dot(x, theta["W"].T) + theta["b"]), theta["V"].T) + theta["c"]


def one_bit_after_the_other(theta):
    """The oracle: each conditional from the bits so far, with zeros in place of all that follow."""
    D = len(theta["c"])
    x, p = all_binary(D), 1.0
    for j in range(D):
        on = 1 / (1 + onp.exp(-logits(theta, x * (onp.arange(D) < j))[:, j]))
        p = p * onp.where(x[:, j] == 1, on, 1 - on)
    return {"p": p, "sum": 1.0, "later": onp.zeros((D, D)), "seen": onp.arange(D)}


CLAIMS = [
    Claim("kingma2019.toc.4.3", law_and_dependence(), equals(one_bit_after_the_other, random_case),
          {"a mask that is not strict": law_and_dependence(lambda theta, x: logits(theta, x, strict=False)),
           "no mask: the pseudo-likelihood": law_and_dependence(unmasked),
           "the mask of the inputs only": law_and_dependence(
               lambda theta, x: np.dot(np.tanh(np.dot(x, (theta["W"] * masks(4, 6)[0]).T) + theta["b"]),
                                       theta["V"].T) + theta["c"]),
           "logits from the units that follow, reversed once": law_and_dependence(
               lambda theta, x: logits(theta, x[..., ::-1]))}),
]
