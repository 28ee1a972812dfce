"""The targets of refdgm.models.targets for a block of chains, operation by operation what their formulas in NumPy do.

Everywhere x and score are (n, lanes), log_p (lanes,) or None, scratch (rows, lanes). The innermost loops run over
lanes and touch few arrays: LLVM then runs many chains in one instruction.
"""
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from refdgm import jit
from refdgm.elementary import exp, log, tanh
from refdgm.jit import dot_fused
from refdgm.models import targets
from refdgm.models.logistic_regression import LogisticRegression
from refdgm.models.targets import Gaussian, GaussianMixture, MLPEnergy, block_form

overload(targets.evaluate, strict=False)(
    lambda target, x, score, log_p, scratch: targets.FORMS.get(target.instance_class))
ROW_BYTES = 2048            # for a block of a target without matrix products: some 20 such rows stay in the L1 cache


class Prepared(NamedTuple):
    """A target as the kernels take it."""
    parameters: Any         # the target, its arrays cast
    rows: int               # of scratch
    lanes: int              # chains in a block
    watched: bool | None    # None if log p is finite wherever the score is, else True
    lasting: bool           # whether its form is part of this package, so that a kernel may be kept on disk


def prepared(target, real):
    """A target for chains of type `real`."""
    lanes = jit.lanes(real) if getattr(target, "products", False) else ROW_BYTES // np.dtype(real).itemsize
    return Prepared(targets.cast(target, real), getattr(target, "rows", 0), lanes,
                    None if getattr(target, "positive", False) else True,
                    type(target).__module__.startswith("refdgm."))


@block_form(Gaussian)
def gaussian(target, x, score, log_p, scratch):
    m, P = target.m, target.P
    zero, half = x.dtype.type(0), x.dtype.type(-0.5)
    for j in range(len(m)):
        out = score[j]
        out[:] = zero
        for i in range(len(m)):
            row, m_i, P_ij = x[i], m[i], P[i, j]
            for lane in range(len(out)):
                out[lane] = out[lane] + (m_i - row[lane]) * P_ij
    if log_p is not None:
        log_p[:] = zero
        for i in range(len(m)):
            row, s, m_i = x[i], score[i], m[i]
            for lane in range(len(log_p)):
                log_p[lane] = log_p[lane] + half * (m_i - row[lane]) * s[lane]


@block_form(GaussianMixture)
def gaussian_mixture(target, x, score, log_p, scratch):
    mean, precision, offset = target.mean, target.precision, target.offset
    K, n = mean.shape
    top, total = scratch[K], scratch[K + 1]
    zero, half, one = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1)
    top[:] = x.dtype.type(-np.inf)
    for k in range(K):
        component = scratch[k]
        component[:] = offset[k]
        for i in range(n):
            row, m, half_p = x[i], mean[k, i], half * precision[k, i]
            for lane in range(len(row)):
                away = m - row[lane]
                component[lane] = component[lane] - half_p * away * away
        for lane in range(len(top)):
            top[lane] = max(top[lane], component[lane])
    total[:] = zero
    for k in range(K):
        share = scratch[k]
        for lane in range(len(top)):
            share[lane] = exp(share[lane] - top[lane])
            total[lane] = total[lane] + share[lane]
    if log_p is not None:
        for lane in range(len(top)):
            log_p[lane] = top[lane] + log(total[lane])
    for lane in range(len(total)):
        total[lane] = one / total[lane]
    for i in range(n):
        row, out = x[i], score[i]
        out[:] = zero
        for k in range(K):
            share, m, p = scratch[k], mean[k, i], precision[k, i]
            for lane in range(len(out)):
                out[lane] = out[lane] + share[lane] * (p * (m - row[lane]))
        for lane in range(len(out)):
            out[lane] = out[lane] * total[lane]


@block_form(MLPEnergy)
def mlp_energy(target, x, score, log_p, scratch):
    H1, H2, tau = len(target.b1), len(target.b2), target.tau[0]
    h1, h2, d1 = scratch[:H1], scratch[H1:H1 + H2], scratch[H1 + H2:]
    zero, half, one = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1)
    if log_p is not None:
        log_p[:] = zero
    dot_fused(target.w1, x, h1, target.b1)
    for j in range(H1):
        row = h1[j]
        for lane in range(len(row)):
            row[lane] = tanh(row[lane])
    dot_fused(target.w2, h1, h2, target.b2)
    for j in range(H2):                                             # h2 becomes -dE/da2
        row, w = h2[j], target.w3[j]
        for lane in range(len(row)):
            row[lane] = tanh(row[lane])
        if log_p is not None:
            for lane in range(len(row)):
                log_p[lane] = log_p[lane] + w * row[lane]
        for lane in range(len(row)):
            row[lane] = w * (row[lane] * row[lane] - one)
    if log_p is not None:
        for i in range(len(x)):
            row = x[i]
            for lane in range(len(row)):
                log_p[lane] = log_p[lane] + half * tau * (row[lane] * row[lane])
        for lane in range(len(log_p)):
            log_p[lane] = -log_p[lane]
    dot_fused(target.w2_transposed, h2, d1, zero)
    for j in range(H1):                                             # d1 becomes -dE/da1
        row, hidden = d1[j], h1[j]
        for lane in range(len(row)):
            row[lane] = row[lane] * (one - hidden[lane] * hidden[lane])
    for i in range(len(x)):
        row, out = x[i], score[i]
        for lane in range(len(out)):
            out[lane] = -tau * row[lane]
    dot_fused(target.w1_transposed, d1, score)


@block_form(LogisticRegression)
def logistic_regression(target, x, score, log_p, scratch):
    data, size, tau = target.data, int(target.size[0]), target.tau[0]
    margin, pull = scratch[size], scratch[size + 1]
    zero, half, one, scale = x.dtype.type(0), x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(len(data) / size)
    for j in range(len(x)):
        row, out = x[j], score[j]
        for lane in range(len(row)):
            out[lane] = -tau * row[lane]
    if log_p is not None:
        log_p[:] = zero
        for j in range(len(x)):
            row, out = x[j], score[j]
            for lane in range(len(row)):
                log_p[lane] = log_p[lane] + half * out[lane] * row[lane]
    for i in range(size):
        drawn = scratch[i]
        margin[:] = zero
        for j in range(len(x)):
            row = x[j]
            for lane in range(len(row)):
                margin[lane] = margin[lane] + data[int(drawn[lane]), j] * row[lane]
        if log_p is not None:
            for lane in range(len(margin)):
                log_p[lane] = log_p[lane] + scale * (min(margin[lane], zero) - log(one + exp(-abs(margin[lane]))))
        for lane in range(len(margin)):
            pull[lane] = scale / (one + exp(margin[lane]))
        for j in range(len(x)):
            out = score[j]
            for lane in range(len(out)):
                out[lane] = out[lane] + pull[lane] * data[int(drawn[lane]), j]
