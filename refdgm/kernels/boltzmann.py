"""Gibbs sampling of a fully visible Boltzmann machine, compiled: the twin of refdgm.samplers.boltzmann_gibbs.step."""
import numpy as np

from refdgm.jit import tile, compiled, fill
from refdgm.streams import fires, philox

add_four, add_one = tile(4, fused=True), tile(1, fused=True)


@compiled
def sequential(x, chain, groups, b, step, steps, k0, k1):
    """`steps` sweeps over the sites of every block of chains, in place.

    x (blocks, n, lanes), n a multiple of four; chain (blocks, lanes) uint32; groups (n // 4, n, 4), the columns of J
    for the four sites of a group; b (n // 4, 4); the last four are the number of steps made before, of steps to make,
    and the key. What the sites outside of a group add is the same for all four, and is summed for them together.
    """
    lanes, n, zero, one = chain.shape[1], x.shape[1], x.dtype.type(0), x.dtype.type(1)
    words, logits = np.empty((4, lanes), np.uint32), np.empty((4, lanes), x.dtype)
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    for block in range(x.shape[0]):
        units, number = x[block], chain[block]
        for t in range(step, step + steps):
            for g in range(n // 4):
                for lane in range(lanes):
                    first[lane], second[lane], third[lane], fourth[lane] = philox(
                        np.uint32(g), np.uint32(t), number[lane], np.uint32(0), k0, k1)
                J, start, stop = groups[g], 4 * g, 4 * g + 4
                fill(logits, b[g])
                add_four(J, units, logits, 0, 0, start)
                add_four(J, units, logits, 0, stop, n)
                for i in range(4):
                    add_one(J, units, logits, i, start, stop)
                    unit, word, logit = units[start + i], words[i], logits[i]
                    for lane in range(lanes):
                        unit[lane] = one if fires(word[lane], logit[lane]) else zero


@compiled
def random(x, chain, J, b, step, steps, k0, k1):
    """`steps` draws of a random site of every chain.  x (blocks, n, lanes), J (n, n), b (n,), the others as above"""
    lanes, n = chain.shape[1], x.shape[1]
    words, sites = np.empty(lanes, np.uint32), np.empty(lanes, np.uint32)
    logit = np.empty(lanes, x.dtype)
    for block in range(x.shape[0]):
        units, number = x[block], chain[block]
        for t in range(step, step + steps):
            for lane in range(lanes):
                which, word, _, _ = philox(np.uint32(0), np.uint32(t), number[lane], np.uint32(0), k0, k1)
                sites[lane] = np.uint32(np.uint64(which) * np.uint64(n) >> np.uint64(32))
                words[lane] = word
            for lane in range(lanes):
                logit[lane] = b[sites[lane]]
            for k in range(n):
                row, unit = J[k], units[k]
                for lane in range(lanes):
                    logit[lane] += row[sites[lane]] * unit[lane]
            for lane in range(lanes):
                units[sites[lane], lane] = fires(words[lane], logit[lane])
