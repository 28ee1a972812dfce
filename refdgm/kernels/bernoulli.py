"""The log-probability of bits and its derivative in the log odds, in one pass, compiled."""
from refdgm.elementary import exp, log
from refdgm.jit import compiled, scratch

LANES, FACTORS = 64, 50     # sums side by side; factors 1 + e^-|l| <= 2 of one product: below 2^50, whatever the type


@compiled
def log_prob(x, logits, bias, value, repeat):
    """value_i = sum_j x_j l_j - log(1 + exp l_j),  l = logits_i + bias;  logits_i becomes x - sigmoid(l).

    logits (n, D), bias (D,), value (n,); row i belongs to row i // repeat of x (n / repeat, D). A logarithm is taken of
    the product of some units, and where l > 0 of exp(-l) instead: log(1 + exp l) = max(l, 0) + log(1 + exp -|l|).
    """
    D, zero, one = logits.shape[1], logits.dtype.type(0), logits.dtype.type(1)
    sums = scratch(2, LANES, logits)
    total, product = sums[0], sums[1]
    for i in range(logits.shape[0]):
        bits, row, s = x[i // repeat], logits[i], zero
        total[:] = zero
        for first in range(0, D, LANES * FACTORS):
            product[:] = one
            for j in range(first, min(D, first + LANES * FACTORS), LANES):
                some_bits, some, shift = bits[j:j + LANES], row[j:j + LANES], bias[j:j + LANES]
                for lane in range(some.shape[0]):
                    logit, bit = some[lane] + shift[lane], some_bits[lane]
                    e = exp(-abs(logit))
                    p = e / (one + e)                       # of the less probable value: exact when it is tiny
                    some[lane] = (bit - one) + p if logit > zero else bit - p
                    total[lane] += bit * logit - (logit if logit > zero else zero)
                    product[lane] *= one + e
            for lane in range(LANES):
                total[lane] -= log(product[lane])
        for lane in range(LANES):
            s += total[lane]
        value[i] = s
