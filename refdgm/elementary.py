r"""exp, log, sine, cosine and tanh whose last bit is the same in NumPy, in a compiled kernel and on a GPU.

A library's exp may differ from another's in the last bit, and a chain that meets such a difference goes another way.
These functions are plain sums, products and one division, each rounded once as IEEE 754 says, so that whoever computes
them gets the same number; and a compiler can run them on many chains at once.

    exp(x)        = 2^n e^r,  n = x / ln 2 rounded, |r| <= ln(2)/2:       a polynomial in r
    log(x)        = n ln 2 + log(1 + f),  sqrt(1/2) <= 1 + f < sqrt 2:    Sun's fdlibm, in s = f / (2 + f)
    sincos(u)     = sin and cos of 2 pi u:  a quarter turn q and |u - q/4| <= 1/8:  polynomials
    box_muller    = sqrt(-2 log u) (cos 2 pi v, sin 2 pi v):  two independent N(0, 1) from two uniforms
    tanh(x)       = 1 - 2 / (1 + e^2x),  e^2x as above, but products and sums rounded once (fma): for large networks

Each is written once and works on arrays (NumPy, CuPy) and, compiled, on numbers, in float64 (relative error at most
3e-16; sine and cosine 3e-16, tanh 4e-16 absolute) and in float32 (3e-7).  exp is clamped to the normal range,
[3e-308, 8e307] or [2e-38, 1e38]; log takes positive normal numbers.
"""
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid
from refdgm.bits import bits_of, clamp, from_bits, to

SPLIT = 2.0**27 + 1         # x SPLIT - (x SPLIT - x) is the upper half of x's digits


class Elementary(NamedTuple):
    """The functions for one floating-point type."""
    exp: Callable
    log: Callable
    sincos: Callable
    box_muller: Callable
    tanh: Callable


def elementary(real):
    """The functions for `real`, np.float64 or np.float32: the constants differ, the formulas do not."""
    valid.real_type(real)
    double = real is np.float64
    integer = np.int64 if double else np.int32
    width, bias = (integer(52), integer(1023)) if double else (integer(23), integer(127))
    zero, half, one, two, four = (real(c) for c in (0, 0.5, 1, 2, 4))
    rounder = real(1.5 * 2**width)      # x + rounder has no bits left below one: x is rounded, in the lowest bits
    rounder_bits = bits_of(np.array(rounder))[()]
    least, most = (real(-708), real(709)) if double else (real(-87), real(88))
    per_ln2, turn, quarter = real(1 / math.log(2)), real(2 * math.pi), real(0.25)
    ln2_high = real(6.93147180369123816490e-01) if double else real(6.9313812256e-01)     # few bits: n x it is exact
    ln2_low = real(1.90821492927058770002e-10) if double else real(9.0580006145e-06)
    exp_even, exp_odd = (tuple(real(1 / math.factorial(k)) for k in range(first, 14 if double else 7, 2))[::-1]
                         for first in (2, 3))
    log_terms = tuple(real(c) for c in (
        (1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
         2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01) if double else
        (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)))
    n = 8 if double else 5
    sin_terms = tuple(real((-1)**k / math.factorial(2 * k + 1)) for k in range(n - 1, -1, -1))
    cos_terms = tuple(real((-1)**k / math.factorial(2 * k)) for k in range(n, -1, -1))
    tanh_terms = tuple(real(2**k / math.factorial(k)) for k in range(13 if double else 6, -1, -1))
    tanh_one, tanh_per, tanh_of = real(20), real(2 / math.log(2)), real(-math.log(2) / 2)      # tanh 20 rounds to 1
    root_half = integer(0x3FE6A09E667F3BCD) if double else integer(0x3F3504F3)            # the bits of sqrt(1/2)
    exponent = integer(-1) << width
    bit0, bit1 = integer(1), integer(2)

    def exp(x):
        x = clamp(x, least, most)
        t = x * per_ln2 + rounder
        n = t - rounder
        r = (x - n * ln2_high) - n * ln2_low
        z = r * r
        even, odd = exp_even[0], exp_odd[0]         # of (e^r - 1 - r) / r^2: two short chains of operations at once
        for term in exp_even[1:]:
            even = even * z + term
        for term in exp_odd[1:]:
            odd = odd * z + term
        return (one + (r + z * (even + odd * r))) * from_bits(to((bits_of(t) + bias) << width, integer))

    def log(x):
        bits = bits_of(x)
        scale = to(to(bits - root_half, integer) & exponent, integer)    # n in place of an exponent: x = 2^n (1 + f)
        n = from_bits(to((scale >> width) + rounder_bits, integer)) - rounder
        f = from_bits(to(bits - scale, integer)) - one
        s = f / (two + f)
        z = s * s
        p = log_terms[0]
        for term in log_terms[1:]:
            p = p * z + term
        h = half * f * f
        return n * ln2_high - ((h - (s * (h + z * p) + n * ln2_low)) - f)

    def sincos(u):
        turns = four * u + rounder
        t = turn * (u - quarter * (turns - rounder))
        z = t * t
        s, c = sin_terms[0], cos_terms[0]
        for term in sin_terms[1:]:
            s = s * z + term
        for term in cos_terms[1:]:
            c = c * z + term
        s = s * t
        q = bits_of(turns)                                          # its lowest two bits number the quarter turn
        swap = to(to(q & bit0, integer), real)                      # 0 or 1: products with it are exact
        keep = one - swap
        return ((s * keep + c * swap) * (one - to(to(q & bit1, integer), real)),
                (c * keep + s * swap) * (one - to(to((q + bit0) & bit1, integer), real)))

    def box_muller(u, v):
        radius = np.sqrt(np.maximum(zero, -two * log(u)))           # log(u) may round to a positive number near u = 1
        s, c = sincos(v)
        return radius * c, radius * s

    def tanh(x):
        x = clamp(x, -tanh_one, tanh_one)
        t = fma(x, tanh_per, rounder)
        r = fma(t - rounder, tanh_of, x)                            # x = n ln(2)/2 + r: where n is large, tanh is flat
        e = tanh_terms[0]
        for term in tanh_terms[1:]:
            e = fma(e, r, term)
        return one - two / fma(e, from_bits(to((bits_of(t) + bias) << width, integer)), one)

    return Elementary(exp, log, sincos, box_muller, tanh)


FOR = {np.float64: elementary(np.float64), np.float32: elementary(np.float32)}


def exp(x):
    """e^x in the precision of x."""
    return FOR[x.dtype.type].exp(x)


def log(x):
    """The natural logarithm of x > 0 in the precision of x."""
    return FOR[x.dtype.type].log(x)


def sincos(u):
    """sin and cos of 2 pi u in the precision of u, for u in [0, 1]."""
    return FOR[u.dtype.type].sincos(u)


def box_muller(u, v):
    """Two independent N(0, 1) from two uniforms, in their precision."""
    return FOR[u.dtype.type].box_muller(u, v)


def tanh(x):
    """The hyperbolic tangent of x in its precision."""
    return FOR[x.dtype.type].tanh(x)


def dot_in_order(x, w, start):
    """start + x w, summed from the first unit to the last.  (..., K), (K, J), (..., J) or (J,) -> (..., J)

    A BLAS adds in an order that depends on the shapes; this one does not, and so gives every chain of a batch what it
    would get alone. For units of 0 and 1 the products are exact, and fused or separate rounding is the same.
    """
    total = start
    for k in range(w.shape[0]):
        total = total + x[..., k:k + 1] * w[k]
    return total


def dot_fused(x, w, start):
    """dot_in_order with a product and its sum rounded once, which is what processors do fastest."""
    total = start
    for k in range(w.shape[0]):
        total = fma(x[..., k:k + 1], w[k], total)
    return total


# ---- a product and a sum, rounded once ------------------------------------------------

def fma(a, b, c):
    """a b + c, rounded once as IEEE 754's fusedMultiplyAdd, in the precision of c, where NumPy has no such function.

    Boldo and Melquiond (2008): what is rounded to odd in more digits can be rounded again without harm. In float64
    |a| and |b| must be below 1e300, and a b must not be so small that its last digits are lost.
    """
    if c.dtype == np.float32:
        return to(_add_to_odd(to(a, np.float64) * to(b, np.float64), to(c, np.float64)), np.float32)
    product, low = _two_product(a, b)
    middle, lowest = _two_sum(c, low)
    high, middle = _two_sum(product, middle)
    return high + _add_to_odd(lowest, middle)


def _two_sum(a, b):
    """a + b as its rounded value and what is missing (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a, b):
    """a b as its rounded value and what is missing (Dekker, Veltkamp)."""
    def halves(x):
        high = x * SPLIT
        high = high - (high - x)
        return high, x - high

    p, (a1, a0), (b1, b0) = a * b, halves(a), halves(b)
    return p, ((a1 * b1 - p) + a1 * b0 + a0 * b1) + a0 * b0


def _add_to_odd(a, b):
    """a + b rounded to odd: where it is not exact, of the two neighbours the one whose last bit is 1."""
    s, rest = _two_sum(a, b)
    bits = bits_of(s)
    away = np.where((rest > 0) == (s > 0), 1, -1)
    return from_bits(bits + np.where((rest != 0) & (bits % 2 == 0), away, 0))
