r"""Stochastic gradient descent is stochastic approximation, and a minibatch is several moves of one step.

Stochastic approximation seeks a root of $f(\lambda) = \mathbb E_z F(z; \lambda)$ by steps along noisy values of F. For
an objective that is an average of n terms let z = k be the number of a term, uniform, and F minus that term's
gradient: the root of f is a stationary point, and one step is one step of SGD. The kernel draws k afresh, which leaves
the uniform law invariant, so a minibatch of M terms is M moves of it with one update.

What that buys is stated by the first two moments: the mean step is the full gradient of the average whatever M is, and
its covariance falls as 1/M. All minibatches of a logistic regression with five terms are enumerated.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed import stochastic_approximation as sa
from refdgm.directed.stochastic_gradient import all_minibatches, gradients, losses, minibatch_gradient, random_case

M = 3


def root_finding_case(seed):
    """A regression, with a table k of the terms drawn: ten minibatches of M."""
    case = random_case(seed)
    return {**case, "k": onp.random.default_rng([seed, 4]).integers(0, len(case["y"]), (10, M))}


@derivation(random_case)
def mean_step(lam, A, y):
    """The mean minibatch step descends the gradient of the averaged objective."""
    n, g = len(y), gradients(lam, A, y)

    yield start(r"-\nabla_\lambda \frac1n \sum_{k=1}^n \ell_k(\lambda)", -grad(lambda v: np.mean(losses(v, A, y)))(lam))

    yield equals(r"\mathbb E_{k \sim \mathrm{Unif}(n)}[F(k; \lambda)],"
                 r"\quad F(k; \lambda) = -\nabla_\lambda \ell_k(\lambda)",
                 sum(1 / n * -g_k for g_k in g), because="the gradient of a sum is a sum, and each term is as likely",
                 claim="ou2018.sa.sgd")

    yield mistake(r"-\nabla_\lambda \sum_{k=1}^n \ell_k(\lambda)", -grad(lambda v: np.sum(losses(v, A, y)))(lam),
                  because="one term stands for the average; the gradient of the sum is n times that")

    every = all_minibatches(n, M)
    yield equals(r"\mathbb E_{k_{1:M}}\left[\frac1M \sum_{i=1}^M F(k_i; \lambda)\right]",
                 onp.mean(minibatch_gradient(-g, every), axis=0), because="every draw of the M has the same law",
                 claim="ou2018.sa.minibatch")

    yield equals(r"\mathbb E_{k_1 \ne \dots \ne k_M}\left[\frac1M \sum_{i=1}^M F(k_i; \lambda)\right]",
                 onp.mean(minibatch_gradient(-g, all_minibatches(n, M, replace=False)), axis=0),
                 because="without replacement each draw alone is uniform still")

    yield mistake(r"\mathbb E_{k_{1:M}}\left[\sum_{i=1}^M F(k_i; \lambda)\right]",
                  onp.mean(onp.sum(-g[every], axis=1), axis=0),
                  because="the sum takes steps M times as long: the learning rate then depends on the batch")


@derivation(random_case)
def variance(lam, A, y):
    """The covariance of a minibatch step is 1/M of that of one term."""
    n, g = len(y), gradients(lam, A, y)
    one_term = onp.cov(g.T, bias=True)
    every = all_minibatches(n, M)

    yield start(r"\mathrm{Cov}\left[\frac1M \sum_{i=1}^M \nabla \ell_{k_i}\right]",
                onp.cov(minibatch_gradient(g, every).T, bias=True), claim="ou2018.sa.minibatch")

    off = g[every] - g.mean(axis=0)
    yield equals(r"\frac1{M^2} \sum_{i, j} \mathrm{Cov}[\nabla \ell_{k_i}, \nabla \ell_{k_j}]",
                 sum(off[:, i].T @ off[:, j] for i in range(M) for j in range(M)) / len(every) / M**2,
                 because="the covariance is bilinear")

    yield equals(r"\frac1{M^2} \sum_i \mathrm{Cov}[\nabla \ell_{k_i}]",
                 sum(onp.cov(g[every[:, i]].T, bias=True) for i in range(M)) / M**2,
                 because="independent draws: only i = j remains")

    yield equals(r"\frac1M \mathrm{Cov}[\nabla \ell_k]", one_term / M, because="M draws of one law")

    yield mistake(r"\mathrm{Cov}[\nabla \ell_k]", one_term,
                  because="that is M copies of one draw: a kernel that does not move")

    yield mistake(r"\frac1{M^2} \mathrm{Cov}[\nabla \ell_k]", one_term / M**2,
                  because="the square of the factor 1/M meets M equal terms")

    yield mistake(r"\mathrm{Cov}_{k_1 \ne \dots \ne k_M}\left[\frac1M \sum_{i=1}^M \nabla \ell_{k_i}\right]",
                  onp.cov(minibatch_gradient(g, all_minibatches(n, M, replace=False)).T, bias=True),
                  because="draws without replacement are negatively correlated: they are no moves of a kernel on k")


@derivation(random_case)
def without_replacement(lam, A, y):
    """Without replacement the variance is smaller still, by (n - M)/(n - 1)."""
    n, g = len(y), gradients(lam, A, y)
    distinct = all_minibatches(n, M, replace=False)
    total = onp.trace(onp.cov(g.T, bias=True))

    yield start(r"\mathrm{Var}_{k_1 \ne \dots \ne k_M}\left[\frac1M \sum_{i=1}^M \nabla \ell_{k_i}\right]",
                onp.sum(onp.var(minibatch_gradient(g, distinct), axis=0)))

    off = g[distinct] - g.mean(axis=0)
    between = onp.mean(onp.sum(off[:, 0] * off[:, 1], axis=-1))
    yield equals(r"\frac1M \mathrm{Var}[\nabla \ell_k]"
                 r" + \frac{M - 1}M \mathbb E_{k \ne k'}\left[(\nabla \ell_k - \bar g) \cdot"
                 r" (\nabla \ell_{k'} - \bar g)\right],\quad \bar g = \frac1n \sum_k \nabla \ell_k",
                 total / M + (M - 1) / M * between, because="bilinear: M equal terms, and M (M - 1) equal pairs")

    yield equals(r"\frac1M \mathrm{Var}[\nabla \ell_k] \left(1 - \frac{M - 1}{n - 1}\right)",
                 total / M * (1 - (M - 1) / (n - 1)),
                 because="the deviations of all n terms sum to zero, so a pair of different ones has -Var/(n - 1)")

    yield equals(r"\frac1M\, \frac{n - M}{n - 1} \mathrm{Var}[\nabla \ell_k]", (n - M) / (n - 1) * total / M,
                 because="one fraction: a batch of all n terms has no variance left")

    yield mistake(r"\frac1M\, \frac{n - M}n \mathrm{Var}[\nabla \ell_k]", (n - M) / n * total / M,
                  because="one degree of freedom is spent: n - 1 goes with the variance that divides by n")

    yield at_most(r"\frac1M \mathrm{Var}[\nabla \ell_k]", total / M, because="(n - M)/(n - 1) < 1 for M > 1")


@derivation(root_finding_case)
def one_iteration(lam, A, y, k):
    """A run of minibatch SGD is a run of Algorithm 1 with M moves an iteration."""
    def descend(lam, step):
        for t, batch in enumerate(k, 1):
            lam = step(lam, batch, sa.robbins_monro(t))
        return lam

    yield start(r"\lambda_T,\quad \lambda_t = \lambda_{t-1}"
                r" - \gamma_t \nabla_\lambda \frac1M \sum_{i=1}^M \ell_{k_{t,i}}(\lambda_{t-1})",
                descend(lam, lambda v, batch, gamma: v - gamma * grad(lambda u: np.mean(losses(u, A, y)[batch]))(v)),
                claim="ou2018.sa.minibatch")

    path = sa.run(F=lambda z, v: -gradients(v, A, y)[z], kernel=lambda v, z, t, i: k[t - 1, i], lam=lam, z=0,
                  steps=len(k), moves=M)
    yield equals(r"\lambda_T,\quad z_{t,i} \sim K(\cdot | z_{t,i-1}) = \mathrm{Unif}(n),\quad \lambda_t = \lambda_{t-1}"
                 r" + \gamma_t \frac1M \sum_{i=1}^M F(z_{t,i}; \lambda_{t-1})", path[-1],
                 because="a kernel that forgets where it was leaves the law that it draws from invariant",
                 claim="ou2018.sa.multimoves")

    def term_by_term(v, batch, gamma):
        for term in batch:
            v = v - gamma / M * gradients(v, A, y)[term]
        return v
    yield mistake(r"\lambda_{t,i} = \lambda_{t,i-1} + \frac{\gamma_t}M F(z_{t,i}; \lambda_{t,i-1})",
                  descend(lam, term_by_term),
                  because="lambda stays at t - 1 during the M moves: this is SGD on single terms")

    yield mistake(r"\lambda_t = \lambda_{t-1} + \gamma_t \sum_{i=1}^M F(z_{t,i}; \lambda_{t-1})",
                  descend(lam, lambda v, batch, gamma: v - gamma * onp.sum(gradients(v, A, y)[batch], axis=0)),
                  because="steps M times as long")

    yield mistake(r"\lambda_t = \lambda_{t-1} - \gamma_t \frac1M \sum_{i=1}^M F(z_{t,i}; \lambda_{t-1})",
                  descend(lam, lambda v, batch, gamma: v + gamma * minibatch_gradient(gradients(v, A, y), batch)),
                  because="F is minus the gradient already: Algorithm 1 adds it", claim="ou2018.sa.convex")
