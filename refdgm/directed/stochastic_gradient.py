r"""Stochastic gradient descent as stochastic approximation (ou2018 Sec. 2, after Theorem 1).

The objective is the average of n terms, here the losses l_k of a logistic regression. With z = k uniform on the terms
and F(k; lam) = -grad l_k(lam), Algorithm 1 is SGD:

    one term     E_k[grad l_k] = (1/n) sum_k grad l_k             the gradient of the average; the sum is n times that
    minibatch    (1/M) sum_i grad l_{k_i}                         SA with M moves of the kernel that draws afresh

M independent draws have the same mean and 1/M of the covariance of one; without replacement the covariance is smaller
still, by (n - M)/(n - 1).

Shapes: lam (d,), A (n, d) with one row a term, y (n,) labels in {0, 1}, k (..., M) indices of terms.

Five terms whose gradients vary by 2: minibatches of two, with and without replacement.

    >>> import numpy as np
    >>> from refdgm.directed.stochastic_gradient import all_minibatches, minibatch_gradient
    >>> g = np.arange(5.0)[:, None]
    >>> [round(float(minibatch_gradient(g, all_minibatches(5, 2, again)).var()), 3) for again in (True, False)]
    [1.0, 0.75]
"""
import autograd.numpy as np
from autograd import grad

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.numerics import all_tuples, sigmoid, softplus, weighted_sum


def losses(lam, A, y):
    """l_k(lam) = -log Bern(y_k; sigmoid(A_k lam)) for every term k.  -> (n,)"""
    v = np.dot(A, lam)
    return softplus(v) - y * v


def gradients(lam, A, y):
    """The gradient of every term, by hand.  -> (n, d)"""
    return (sigmoid(onp.dot(A, lam)) - y)[:, None] * A


def minibatch_gradient(g, k):
    """The average gradient of the terms k of a minibatch (ou2018 Sec. 2).  g (n, d), k (..., M) -> (..., d)"""
    return onp.mean(g[k], axis=-2)


def all_minibatches(n, M, replace=True):
    """Every ordered minibatch of M of n terms, all equally likely; without replacement its terms differ.  -> (N, M)

    Raises ValueError for a minibatch without replacement that has more terms than there are.
    """
    valid.require(replace or M <= n, f"a minibatch of {M} from {n} terms needs replacement.")
    k = all_tuples(n, M)
    return k if replace else k[[len(set(row)) == M for row in k.tolist()]]


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, n=5, d=3):
    """A logistic regression of n terms, and a parameter away from its optimum."""
    rng = onp.random.default_rng(seed)
    return {"lam": rng.normal(size=d), "A": rng.normal(size=(n, d)) + rng.normal(size=d),
            "y": rng.integers(0, 2, n).astype(float)}


def gradient_of_average(lam, A, y):
    """The oracle: autograd of the average of the losses."""
    return grad(lambda v: np.mean(losses(v, A, y)))(lam)


def mean_step(law=lambda A: onp.full(len(A), 1 / len(A)), factor=lambda A: 1.0):
    """E_k[factor * grad l_k], k from `law`."""
    return lambda lam, A, y: factor(A) * weighted_sum(law(A), gradients(lam, A, y))


def unequal_law(A):
    """A law on the terms that prefers some."""
    return onp.arange(1.0, len(A) + 1) / onp.sum(onp.arange(1.0, len(A) + 1))


def of_minibatch(M=2, factor=1.0, replace=True):
    """Mean and covariance of `factor` times the minibatch gradient, over all minibatches."""
    def moments(lam, A, y):
        step = factor * minibatch_gradient(gradients(lam, A, y), all_minibatches(len(A), M, replace))
        return {"mean": step.mean(0), "covariance": onp.cov(step.T, bias=True)}
    return moments


def one_term_over_M(lam, A, y, M=2):
    """The oracle: the mean gradient, and the covariance of one term over M, term by term in plain Python."""
    g = [grad(lambda v: losses(v, A, y)[k])(lam) for k in range(len(A))]
    mean = sum(g) / len(g)
    return {"mean": mean, "covariance": sum(onp.outer(g_k - mean, g_k - mean) for g_k in g) / len(g) / M}


CLAIMS = [
    Claim("ou2018.sa.sgd", mean_step(),
          equals(gradient_of_average, random_case, rtol=GRADIENT, method="autodiff"),
          {"unbiased for the sum, without the factor n": mean_step(factor=len),
           "terms drawn with unequal probabilities, not reweighted": mean_step(law=unequal_law),
           "always the same term": mean_step(law=lambda A: onp.eye(len(A))[0])}),
    Claim("ou2018.sa.minibatch", of_minibatch(),
          equals(one_term_over_M, random_case, rtol=GRADIENT),
          {"the sum, not the average": of_minibatch(factor=2.0),
           "M copies of one draw: the variance stays": of_minibatch(M=1),
           "drawn without replacement: smaller variance": of_minibatch(replace=False)}),
]
