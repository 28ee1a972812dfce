"""Metropolis chains, compiled: the twins of the steps in samplers/random_walk and samplers/finite_metropolis."""
import numpy as np

from refdgm import jit
from refdgm.elementary import exp
from refdgm.jit import draw_normals, draw_words, load, scratch, store
from refdgm.models.targets import evaluate
from refdgm.streams import philox, uniform


def random_walk(x, log_p, accepted, faults, chain, target, rows, lanes, scale, step, steps, k0, k1):
    """`steps` steps of every chain, in place, `lanes` chains at a time.

    x (C, n), log_p (C, 1), accepted (C, 1) uint32, faults (C, 1), chain (C, 1) uint32; `target` is a tuple of
    parameters whose form refdgm.kernels.targets knows, `rows` of scratch; scale (n,).
    """
    n, zero, one = x.shape[1], x.dtype.type(0), x.dtype.type(1)
    here, there, score = scratch(n, lanes, x), scratch(n + n % 2, lanes, x), scratch(n, lanes, x)
    values, space = scratch(4, lanes, x), scratch(rows, lanes, x)
    numbers, counts, words = scratch(1, lanes, chain), scratch(1, lanes, chain), scratch(4, lanes, chain)
    value, new_value, taken, faulty = values[0], values[1], values[2], values[3]
    count, word = counts[0], words[0]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        load(log_p, first, values[:1])
        load(accepted, first, counts)
        faulty[:] = zero
        for t in range(step, step + steps):
            draw_normals(there, numbers[0], t, 0, k0, k1, words)
            for i in range(n):
                old, new, wide = here[i], there[i], scale[i]
                for lane in range(lanes):
                    new[lane] = old[lane] + wide * new[lane]
            evaluate(target, there[:n], score, new_value, space)
            draw_words(words, numbers[0], 0, t, 1, k0, k1)
            for lane in range(lanes):
                taken[lane] = one if uniform(word[lane], value[lane]) < exp(new_value[lane] - value[lane]) else zero
            for lane in range(lanes):                   # -inf is outside of the support; only inf and nan are faults
                limit = -one if new_value[lane] < -one else new_value[lane]
                faulty[lane] += limit - limit
            for lane in range(lanes):
                stay, go = value[lane], new_value[lane]
                value[lane] = go if taken[lane] > zero else stay
            for lane in range(lanes):
                count[lane] += np.uint32(taken[lane])
            for i in range(n):
                old, new = here[i], there[i]
                for lane in range(lanes):
                    stay, go = old[lane], new[lane]
                    old[lane] = go if taken[lane] > zero else stay
        store(here, x, first)
        store(values[:1], log_p, first)
        store(counts, accepted, first)
        store(values[3:], faults, first)


@jit.compiled
def finite(z, chain, up_to, accept, step, steps, k0, k1, lanes):
    """`steps` steps of every chain on a finite space, in place.

    z (C, 1) int64, chain (C, 1) uint32; up_to (S, S) the proposal's cumulative rows, accept (S, S). The proposal is the
    number of cumulative probabilities up to u: counted in vectors, sooner than a search, whose branches none foresees.
    """
    numbers, words, here = scratch(1, lanes, chain), scratch(2, lanes, chain), scratch(1, lanes, z)
    number, to_propose, to_accept, states, like = numbers[0], words[0], words[1], here[0], accept[0, 0]
    for first in range(0, len(z), lanes):
        load(chain, first, numbers)
        load(z, first, here)
        for t in range(step, step + steps):
            for lane in range(lanes):
                to_propose[lane], to_accept[lane], _, _ = philox(
                    np.uint32(0), np.uint32(t), number[lane], np.uint32(0), k0, k1)
            for lane in range(lanes):
                row, u, new = up_to[states[lane]], uniform(to_propose[lane], like), 0
                for s in range(len(row)):
                    new += np.int64(row[s] <= u)
                taken = np.int64(uniform(to_accept[lane], like) < accept[states[lane], new])
                states[lane] += taken * (new - states[lane])
        store(here, z, first)
