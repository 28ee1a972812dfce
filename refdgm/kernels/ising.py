"""Gibbs sampling of an Ising model, compiled: the twin of refdgm.samplers.ising_gibbs.step."""
import numba
import numpy as np

from refdgm.jit import compiled, scratch
from refdgm.streams import philox


@numba.njit(nogil=True)
def split(row, even, odd, parity):
    """The sites of a row by their colour."""
    first, second = (even, odd) if parity == 0 else (odd, even)
    for j in range(len(row) // 2):
        first[j], second[j] = row[2 * j], row[2 * j + 1]


@numba.njit(nogil=True)
def merge(row, even, odd, parity):
    """The inverse of split."""
    first, second = (even, odd) if parity == 0 else (odd, even)
    for j in range(len(row) // 2):
        row[2 * j], row[2 * j + 1] = first[j], second[j]


@numba.njit(nogil=True)
def beside(row, later, width, out):
    """The next site of every lattice in a row, or the one before: rings of `width` sites."""
    last = width - 1
    if later:
        for lane in range(len(row) - 1):
            out[lane] = row[lane + 1]
        for start in range(0, len(row), width):
            out[start + last] = row[start]
    else:
        for lane in range(1, len(row)):
            out[lane] = row[lane - 1]
        for start in range(0, len(row), width):
            out[start] = row[start + last]


@compiled
def checkerboard(lattice, top, source, target, chain, thresholds, height, margin, together, step, steps, k0, k1):
    """From source to target, `steps` steps "all even sites, then all odd ones" of some strips, one after another.

    source, target (N, R, C) int8; a strip is the rows top, ..., top + height - 1 of `together` lattices side by side,
    the first of which is lattice[strip]. It is taken with `margin` rows more above and below, and closed to a torus:
    in the end `margin` >= 2 `steps` rows are wrong, unless it is the whole lattice, without margins. thresholds (5,)
    uint32; chain (N,) uint32; `step` steps have been made; k0 and k1 are the key.
    """
    N, R, C = source.shape
    rows, width = height + 2 * margin, C // 2
    lanes = together * width
    even, odd, sides = scratch(rows, lanes, source), scratch(rows, lanes, source), scratch(1, lanes, source)
    words, places = scratch(4, lanes, chain), scratch(2, lanes, chain)
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    side, number, column = sides[0], places[0], places[1]
    t0, t1, t2, t3, t4 = thresholds
    zero, two, four, up, down = np.int8(0), np.int8(2), np.int8(4), np.int8(1), np.int8(-1)
    for strip in range(len(lattice)):
        first = (top[strip] - margin) % R
        for i in range(together):
            n, start = min(lattice[strip] + i, N - 1), i * width
            for j in range(width):
                number[start + j], column[start + j] = chain[n], j
            for r in range(rows):
                split(source[n, (first + r) % R], even[r][start:], odd[r][start:], r % 2)
        for half in range(2 * steps):
            t, colour = step + half // 2, half % 2
            own, other = (even, odd) if colour == 0 else (odd, even)
            wrong = (half + 1) // 4 * 4 if margin else 0            # in whole groups of rows
            for group in range(wrong, rows - wrong, 4):
                block = np.uint32((first + group) % R // 4 * width)
                for lane in range(lanes):
                    w0[lane], w1[lane], w2[lane], w3[lane] = philox(
                        block + column[lane], np.uint32(t), number[lane], np.uint32(colour), k0, k1)
                for r in range(group, min(group + 4, rows)):
                    row, above, below = other[r], other[r - 1 if r else rows - 1], other[r + 1 if r < rows - 1 else 0]
                    beside(row, (r + colour) % 2 == 1, width, side)
                    spin, word = own[r], words[r - group]
                    for lane in range(lanes):
                        m = np.int8(row[lane] + side[lane] + above[lane] + below[lane])
                        threshold = t1 if m >= -two else t0
                        threshold = t2 if m >= zero else threshold
                        threshold = t3 if m >= two else threshold
                        threshold = t4 if m >= four else threshold
                        spin[lane] = up if word[lane] < threshold else down
        for i in range(min(together, N - lattice[strip])):
            for r in range(margin, margin + height):
                merge(target[lattice[strip] + i, (first + r) % R], even[r][i * width:], odd[r][i * width:], r % 2)
