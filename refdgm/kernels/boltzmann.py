"""Gibbs sampling of a fully visible Boltzmann machine, compiled: the twin of refdgm.samplers.boltzmann_gibbs.step."""
import numpy as np

from refdgm.jit import compiled, draw_words, load, scratch, store, tile
from refdgm.streams import fires, philox

add_four, add_one = tile(4, fused=True), tile(1, fused=True)


@compiled
def sequential(x, chain, groups, b, step, steps, k0, k1, lanes):
    """`steps` sweeps over the sites of every chain, in place, `lanes` chains at a time.

    x (C, n), chain (C, 1) uint32; groups (G, 4G, 4), G = n / 4 rounded up: the columns of J for the four sites of
    a group; b (G, 4); `step` steps have been made; k0 and k1 are the key. What the sites outside of a group add is
    summed for its four sites together.
    """
    n, zero, one = x.shape[1], x.dtype.type(0), x.dtype.type(1)
    units, logits = scratch(groups.shape[1], lanes, x), scratch(4, lanes, x)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    units[:] = zero
    for first in range(0, x.shape[0], lanes):
        load(chain, first, numbers)
        load(x, first, units[:n])
        for t in range(step, step + steps):
            for g in range(len(groups)):
                draw_words(words, numbers[0], g, t, 0, k0, k1)
                J, start, stop = groups[g], 4 * g, 4 * g + 4
                add_four(J, units, logits, b[g], 0, 0, start)
                add_four(J, units, logits, None, 0, stop, len(units))
                for i in range(min(4, n - start)):
                    add_one(J, units, logits, None, i, start, stop)
                    unit, word, logit = units[start + i], words[i], logits[i]
                    for lane in range(lanes):
                        unit[lane] = one if fires(word[lane], logit[lane]) else zero
        store(units[:n], x, first)


@compiled
def random(x, chain, J, b, step, steps, k0, k1, lanes):
    """`steps` draws of a random site of every chain.  J (n, n), b (n,), the others as above"""
    n, zero, one = x.shape[1], x.dtype.type(0), x.dtype.type(1)
    units, logits = scratch(n, lanes, x), scratch(1, lanes, x)
    numbers, drawn = scratch(1, lanes, chain), scratch(2, lanes, chain)
    number, sites, words, logit = numbers[0], drawn[0], drawn[1], logits[0]
    for first in range(0, x.shape[0], lanes):
        load(chain, first, numbers)
        load(x, first, units)
        for t in range(step, step + steps):
            for lane in range(lanes):
                which, words[lane], _, _ = philox(np.uint32(0), np.uint32(t), number[lane], np.uint32(0), k0, k1)
                sites[lane] = np.uint32(np.uint64(which) * np.uint64(n) >> np.uint64(32))
            for lane in range(lanes):
                logit[lane] = b[sites[lane]]
            for k in range(n):
                row, unit = J[k], units[k]
                for lane in range(lanes):
                    logit[lane] += row[sites[lane]] * unit[lane]
            for lane in range(lanes):
                units[sites[lane], lane] = one if fires(words[lane], logit[lane]) else zero
        store(units, x, first)
