"""All states of a layer of bits, the units of the other layer summed out, compiled: see refdgm.enumeration."""
import numba
import numpy as np

from refdgm.elementary import exp, log
from refdgm.jit import compiled

WIDE = 128          # states side by side: 32 rows of them and four rows of e stay in the nearest cache
numba_function = numba.njit(nogil=True, error_model="numpy")


@compiled
def sum_states(low, row, block, peak, start, e, t, w, bias, energies, slopes, blocks, stretch):
    """Sum the blocks start, ..., start + blocks - 1 of each part of the states.

    A state has low bits, row bits and block bits; the last are the number of its block in binary. Its weight is

        exp(energies[row, low] + slopes'block) prod_i (u_i[row] + e_i[low]),     u_i = exp(-bias_i - w_i'block) t_i[row]

    and its unit i is on with probability e_i / (u_i + e_i). The sums of weight times that, for the last M units, are
    low (parts, M, L) and row (parts, M, R) by the low and the row bits, block (parts, M, K) where a block bit is on,
    times e^-peak, with e^peak the largest weight so far.  peak, start (parts, 1); e (units, L), t (units, R),
    w (units, K), bias (units,), energies (R, L), slopes (K,). R and M are even, the number of units and `stretch`
    multiples of four; a product of `stretch` units does not overflow.
    """
    p, u, on = np.empty(energies.shape), np.empty(t.shape), np.empty((2, energies.shape[1]))
    for part in range(len(low)):
        for number in range(start[part, 0], start[part, 0] + blocks):
            row_factors(u, t, w, bias, number)
            log_weights(p, u, e, energies, along(slopes, number), stretch)
            new = largest(p, on[0])
            if new > peak[part, 0]:
                for sums in (low[part], row[part], block[part]):
                    multiply(sums, exp(peak[part, 0] - new))
                peak[part, 0] = new
            weights(p, peak[part, 0])
            add(low[part], row[part], block[part], p, u, e, number, on)


@numba_function
def along(slopes, number):
    """slopes'bits for the bits of a number."""
    total = 0.0
    for k in range(len(slopes)):
        total += slopes[k] * (number >> k & 1)
    return total


@numba_function
def row_factors(u, t, w, bias, number):
    """u_i[row] = exp(-bias_i - w_i'block) t_i[row]"""
    for i in range(len(t)):
        factor = exp(-bias[i] - along(w[i], number))
        for r in range(t.shape[1]):
            u[i, r] = factor * t[i, r]


@numba_function
def log_weights(p, u, e, energies, energy, stretch):
    """p[row, low] = energy + energies[row, low] + sum_i log(u_i[row] + e_i[low]): an addition and a product a unit, and
    a logarithm a stretch."""
    R, L = p.shape
    product = np.empty((R, min(L, WIDE)))
    for j in range(0, L, WIDE):
        for r in range(R):
            for lane in range(product.shape[1]):
                p[r, j + lane] = energies[r, j + lane] + energy
        for first in range(0, len(e), stretch):
            for r in range(R):
                for lane in range(product.shape[1]):
                    product[r, lane] = 1.0
            for i in range(first, min(first + stretch, len(e)), 4):
                e0, e1, e2, e3 = e[i, j:j + WIDE], e[i + 1, j:j + WIDE], e[i + 2, j:j + WIDE], e[i + 3, j:j + WIDE]
                for r in range(0, R, 2):                            # two rows share what is loaded of e
                    this, that = product[r], product[r + 1]
                    u0, u1, u2, u3 = u[i, r], u[i + 1, r], u[i + 2, r], u[i + 3, r]
                    v0, v1, v2, v3 = u[i, r + 1], u[i + 1, r + 1], u[i + 2, r + 1], u[i + 3, r + 1]
                    for lane in range(this.shape[0]):
                        this[lane] *= ((u0 + e0[lane]) * (u1 + e1[lane])) * ((u2 + e2[lane]) * (u3 + e3[lane]))
                        that[lane] *= ((v0 + e0[lane]) * (v1 + e1[lane])) * ((v2 + e2[lane]) * (v3 + e3[lane]))
            for r in range(R):
                line, out = product[r], p[r, j:j + WIDE]
                for lane in range(line.shape[0]):
                    out[lane] += log(line[lane])


@numba_function
def largest(p, best):
    """The maximum, many columns at once; best (L,) is scratch."""
    for lane in range(len(best)):
        best[lane] = p[0, lane]
    for r in range(1, len(p)):
        line = p[r]
        for lane in range(line.shape[0]):
            best[lane] = line[lane] if line[lane] > best[lane] else best[lane]
    top = best[0]
    for lane in range(1, len(best)):
        top = max(top, best[lane])
    return top


@numba_function
def multiply(sums, factor):
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            sums[i, j] *= factor


@numba_function
def weights(p, peak):
    """p becomes exp(p - peak)."""
    for r in range(len(p)):
        line = p[r]
        for lane in range(line.shape[0]):
            line[lane] = exp(line[lane] - peak)


@numba_function
def add(low, row, block, p, u, e, number, on):
    """Add a block's weights with unit i on, p e_i / (u_i + e_i), to the sums of the last M units, M even.

    Two units share a division: 1 / a = b / (a b). on (2, L) is scratch.
    """
    M, K = block.shape
    this, that = on[0], on[1]
    for m in range(0, M, 2):
        i = len(e) - M + m
        d, f = e[i], e[i + 1]
        for r in range(len(p)):
            line, u0, u1 = p[r], u[i, r], u[i + 1, r]
            for lane in range(line.shape[0]):
                a, b = u0 + d[lane], u1 + f[lane]
                q = line[lane] / (a * b)
                this[lane] = q * b * d[lane]
                that[lane] = q * a * f[lane]
            for j in range(2):
                column, values = low[m + j], on[j]
                for lane in range(values.shape[0]):
                    column[lane] += values[lane]
                total = folded(values)
                row[m + j, r] += total
                for k in range(K):
                    block[m + j, k] += total * (number >> k & 1)


@numba_function
def folded(x):
    """The sum of a row whose length is a power of two, the upper half onto the lower one again and again."""
    half = len(x) // 2
    while half > 0:
        lower, upper = x[:half], x[half:2 * half]
        for lane in range(half):
            lower[lane] += upper[lane]
        half //= 2
    return x[0]
