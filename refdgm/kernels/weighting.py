"""Proposals weighed by a density ratio, compiled: the twins of samplers.resampling.step and samplers.rejection.step.

`target` is a tuple of parameters whose form refdgm.kernels.targets knows, `rows` of scratch; `proposal` a
refdgm.proposals.Normal; chain (C, 1) uint32; the last arguments are the number of steps, of those made before, the key.
"""
import numba
import numpy as np

from refdgm.elementary import exp
from refdgm.jit import draw_normals, draw_words, load, scratch, store
from refdgm.models.targets import evaluate
from refdgm.streams import uniform, uniform64

PROPOSE, DECIDE = 0, 1              # the draws of a step


@numba.njit(nogil=True, error_model="numpy")
def propose(x, log_w, score, space, number, t, k0, k1, words, target, proposal):
    """x (n or n + 1 rows, lanes) becomes a proposal for every chain, log_w (lanes,) its log weight."""
    m, scale, inverse, log_Z = proposal
    n, half = len(m), x.dtype.type(0.5)
    draw_normals(x, number, t, PROPOSE, k0, k1, words)
    for i in range(n):
        row, middle, wide = x[i], m[i], scale[i]
        for lane in range(len(row)):
            row[lane] = middle + wide * row[lane]
    evaluate(target, x[:n], score, log_w, space)
    for lane in range(len(log_w)):
        log_w[lane] = log_w[lane] + log_Z[0]
    for i in range(n):
        row, middle, narrow = x[i], m[i], inverse[i]
        for lane in range(len(row)):
            away = (row[lane] - middle) * narrow
            log_w[lane] = log_w[lane] + half * away * away


def resample(x, top, total, squares, mean, chain, target, rows, lanes, proposal, steps, step, k0, k1):
    """`steps` proposals for every chain, in place.  x and mean (C, n), the others (C, 1); top becomes nan at a fault"""
    n, zero, one, nothing = x.shape[1], x.dtype.type(0), x.dtype.type(1), x.dtype.type(-np.inf)
    here, average, score = scratch(n, lanes, x), scratch(n, lanes, x), scratch(n, lanes, x)
    new, values, space = scratch(n + n % 2, lanes, x), scratch(6, lanes, x), scratch(rows, lanes, x)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    highest, sums, sums2, log_w, share, doubt = values[0], values[1], values[2], values[3], values[4], values[5]
    word = words[0]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        load(mean, first, average)
        load(top, first, values[:1])
        load(total, first, values[1:2])
        load(squares, first, values[2:3])
        doubt[:] = zero
        for t in range(step, step + steps):
            propose(new, log_w, score, space, numbers[0], t, k0, k1, words, target, proposal)
            for lane in range(lanes):                           # -inf is a weight of zero; only inf and nan are faults
                limit = -one if log_w[lane] < -one else log_w[lane]
                doubt[lane] += limit - limit
            for lane in range(lanes):
                before = highest[lane]
                highest[lane] = max(before, log_w[lane])
                old, fresh = exp(before - highest[lane]), exp(log_w[lane] - highest[lane])
                fresh = zero if log_w[lane] == nothing else fresh
                sums[lane] = sums[lane] * old + fresh
                sums2[lane] = sums2[lane] * old * old + fresh * fresh
                share[lane] = fresh / (sums[lane] if fresh > zero else one)
            draw_words(words, numbers[0], 0, t, DECIDE, k0, k1)
            for i in range(n):
                row, other, middle = here[i], new[i], average[i]
                for lane in range(lanes):
                    row[lane] = other[lane] if uniform(word[lane], share[lane]) < share[lane] else row[lane]
                for lane in range(lanes):
                    middle[lane] = middle[lane] + share[lane] * (other[lane] - middle[lane])
        for lane in range(lanes):
            highest[lane] = highest[lane] + doubt[lane]
        store(here, x, first)
        store(average, mean, first)
        store(values[:1], top, first)
        store(values[1:2], total, first)
        store(values[2:3], squares, first)


def reject(x, accepted, attempts, faults, chain, target, rows, lanes, proposal, log_M, steps, step, k0, k1):
    """At most `steps` attempts of every chain that waits, side by side with others that wait, in place.

    x (C, n), accepted (C, 1) bool, attempts (C, 1), faults (C, 1) bool: the ratio exceeds M or is nan.
    """
    n, least = x.shape[1], np.float64(-np.inf)
    new, score, values, space = scratch(n + n % 2, lanes, x), scratch(n, lanes, x), scratch(1, lanes, x), \
        scratch(rows, lanes, x)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    number, word, log_w, taken = numbers[0], words[0], values[0], np.empty(lanes, np.bool_)
    waiting = np.flatnonzero(~accepted[:, 0])
    for t in range(step, step + steps):
        left = 0
        for first in range(0, len(waiting), lanes):
            inside = min(lanes, len(waiting) - first)
            for lane in range(lanes):
                number[lane] = chain[waiting[first + min(lane, inside - 1)], 0]
            propose(new, log_w, score, space, number, t, k0, k1, words, target, proposal)
            draw_words(words, number, 0, t, DECIDE, k0, k1)
            for lane in range(lanes):
                away = np.float64(log_w[lane]) - log_M
                taken[lane] = (uniform64(word[lane]) < exp(away)) & (away > least)
            for lane in range(inside):
                c = waiting[first + lane]
                attempts[c, 0] += 1
                accepted[c, 0] = taken[lane]
                faults[c, 0] |= not np.float64(log_w[lane]) <= log_M
                for i in range(n):
                    x[c, i] = new[i, lane]
                if not taken[lane]:
                    waiting[left] = c                           # places before this one are done with
                    left += 1
        waiting = waiting[:left]
