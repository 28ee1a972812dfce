r"""From a dataset to an unbiased stochastic gradient.

Everything that stochastic gradient descent relies on happens in four equations (kingma2019 Eqs. 1.9-1.12). The data are
independent, so their log-probability is a sum. A sum over all data is a mean over a few of them, drawn at random, times
a factor. Differentiation commutes with that mean, so the gradient of a minibatch is right on average.

Two things are easily lost on the way. The factor $N_{\mathcal D}/N_{\mathcal M}$ belongs to the estimator: a sum over
a minibatch is not an estimate of the sum over all data. And only what is linear in the data survives the mean: a
logarithm of an average, or a clipped gradient, is biased however fair the draw is.

Here seven data take five values, a minibatch has three of them, and all minibatches are summed. The model is an
exponential family, $p(x) \propto \exp(\lambda \cdot s(x) + r(x))$.
"""
import math

import numpy as np
from autograd import grad

from refdgm.derivation import at_most, derivation, equals, mistake, start
from refdgm.directed.minibatch import clipped, estimate_gradient, estimate_log_likelihood, minibatches, random_case
from refdgm.models.exponential_family import log_p, mean_statistics, score
from refdgm.numerics import entropy, kl


@derivation(random_case)
def log_likelihood(lam, s, r, data, batches):
    """The log-probability of a dataset is a mean over its minibatches."""
    N, size = len(data), batches.shape[1]
    p = np.exp(log_p(lam, s, r))
    p_hat = np.bincount(data, minlength=len(r)) / N

    yield start(r"\log p_\lambda(\mathcal D) = \log \prod_{i=1}^{N} p_\lambda(x^{(i)})",
                math.log(math.prod(p[data])), because="the data are independent", claim="kingma2019.eq1.9")

    yield equals(r"\sum_{x \in \mathcal D} \log p_\lambda(x)", sum(math.log(p[x]) for x in data),
                 because="the log of a product", claim="kingma2019.eq1.10")

    yield mistake(r"\sum_{x \in \{x^{(1)}, .., x^{(N)}\}} \log p_\lambda(x)", sum(math.log(p[x]) for x in set(data)),
                  because="as a set: a value that occurs twice would count once")

    yield equals(r"N \sum_x \hat p(x) \log p_\lambda(x)", N * np.sum(p_hat * np.log(p)),
                 because="equal data collected", claim="kingma2019.sec1.6.sumavg")

    yield equals(r"-N \left(\mathrm{KL}[\hat p \| p_\lambda] + H[\hat p]\right)", -N * (kl(p_hat, p) + entropy(p_hat)),
                 because="so its maximum is the minimum of a KL divergence", claim="kingma2019.sec1.6.mlekl")

    sums = size * estimate_log_likelihood(lam, s, r, data, batches)
    yield equals(r"E_{\mathcal M}\left[\tfrac{N}{N_{\mathcal M}} \sum_{x \in \mathcal M} \log p_\lambda(x)\right]",
                 N / size * np.mean(sums), because="every datum is in the same share of the minibatches",
                 claim="kingma2019.eq1.11")

    yield mistake(r"E_{\mathcal M}\left[\log p_\lambda(\mathcal M)\right]", np.mean(sums),
                  because="without the factor: the estimator of the sentence after Eq. 1.11",
                  claim="kingma2019.eq1.11.prose")

    yield mistake(r"N\, E_{\mathcal M}\left[\log \tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M} p_\lambda(x)\right]",
                  N * np.mean(np.log(np.mean(p[data[batches]], axis=1))),
                  because="the log of an average is above the average of the logs")


@derivation(random_case)
def gradient(lam, s, r, data, batches):
    """The gradient of a minibatch is an unbiased estimate of that of all data."""
    N, size = len(data), batches.shape[1]
    others = minibatches(N, size, replacement=len(batches) < N**size)       # the other way to draw

    yield start(r"\tfrac1N \nabla_\lambda \log p_\lambda(\mathcal D)",
                grad(lambda v: sum(log_p(v, s, r)[x] for x in data) / len(data))(lam), claim="kingma2019.eq1.12")

    yield equals(r"\tfrac1N \sum_{x \in \mathcal D} s(x) - E_{p_\lambda}[s]",
                 np.mean(s[data], axis=0) - mean_statistics(lam, s, r),
                 because="the score of an exponential family: data mean less model mean")

    yield equals(r"E_{\mathcal M}\left[\tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M}"
                 r" \nabla_\lambda \log p_\lambda(x)\right]",
                 np.mean(estimate_gradient(lam, s, r, data, batches), axis=0),
                 because="a gradient commutes with a finite mean", claim="kingma2019.eq1.12")

    yield equals(r"E_{\mathcal M'}\left[\tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M'}"
                 r" \nabla_\lambda \log p_\lambda(x)\right]",
                 np.mean(estimate_gradient(lam, s, r, data, others), axis=0),
                 because="drawn with replacement or without: each datum still has the same share")

    yield mistake(r"E_{\mathcal M}\left[\tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M}"
                  r" \mathrm{clip}\, \nabla_\lambda \log p_\lambda(x)\right]",
                  np.mean(clipped(lam, s, r, data, batches), axis=0),
                  because="clipping is not linear: long gradients lose more than short ones")

    yield mistake(r"E_{\mathcal M}\left[\sum_{x \in \mathcal M} \nabla_\lambda \log p_\lambda(x)\right]",
                  np.sum(score(lam, s, r)[data[batches]], axis=(0, 1)) / len(batches),
                  because="the sum grows with the size of the minibatch")


@derivation(random_case)
def noise(lam, s, r, data, batches):
    """What a minibatch costs: its variance, with and without replacement."""
    N, size = len(data), batches.shape[1]
    distinct, independent = minibatches(N, size, replacement=False), minibatches(N, size, replacement=True)
    each = log_p(lam, s, r)[data]

    yield start(r"\mathrm{Var}_{\mathcal M}\left[\tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M}"
                r" \log p_\lambda(x)\right]", np.var(estimate_log_likelihood(lam, s, r, data, distinct)),
                because="drawn without replacement")

    yield equals(r"\tfrac1{N_{\mathcal M}^2} \sum_{i,j} \mathrm{Cov}[m_i, m_j]\, \log p(x^{(i)}) \log p(x^{(j)})",
                 each @ np.cov(np.array([[i in M for i in range(N)] for M in distinct]).T, bias=True) @ each / size**2,
                 because="m_i = 1 where datum i is in the minibatch")

    yield equals(r"\frac{\sigma^2}{N_{\mathcal M}} \frac{N - N_{\mathcal M}}{N - 1},\quad"
                 r" \sigma^2 = \mathrm{Var}_{\hat p}[\log p_\lambda(x)]",
                 np.var(each) / size * (N - size) / (N - 1),
                 because="Var m_i = share (1 - share), and the covariances sum to zero")

    yield mistake(r"\frac{\sigma^2}{N}", np.var(each) / N, because="the size of the minibatch counts, not of the data")

    yield mistake(r"\frac{\sigma^2}{N_{\mathcal M}}", np.var(each) / size,
                  because="that is the variance with replacement")

    yield at_most(r"\mathrm{Var}_{\mathcal M'}\left[\tfrac1{N_{\mathcal M}} \sum_{x \in \mathcal M'}"
                  r" \log p_\lambda(x)\right]", np.var(estimate_log_likelihood(lam, s, r, data, independent)),
                  because="with replacement a datum may come twice and tell nothing new")
