"""How fast the parts of a Gibbs step can be here: the bounds that `refdgm bench` holds the samplers against.

Each kernel does one thing, on numbers that stay in the first cache, `times` times, for every block of chains.
"""
import numpy as np

from refdgm.elementary import exp
from refdgm.jit import compiled, dot_bits
from refdgm.streams import philox, uniform


@compiled
def products(x, out, w, times):
    """out += w'x by the kernel that the samplers use.  x (blocks, K, lanes), out (blocks, J, lanes), jit.panels of w"""
    for block in range(x.shape[0]):
        for _ in range(times):
            dot_bits(w, x[block], out[block])


@compiled
def uniforms(u, chain, times):
    """A uniform number for each place.  u (blocks, 4, lanes), chain (blocks, lanes) uint32"""
    zero, words = np.uint32(0), np.empty((4, u.shape[2]), np.uint32)
    a, b, c, d = words[0], words[1], words[2], words[3]
    for block in range(u.shape[0]):
        number = chain[block]
        for t in range(times):
            for lane in range(number.shape[0]):
                a[lane], b[lane], c[lane], d[lane] = philox(zero, np.uint32(t), number[lane], zero, zero, zero)
            for i in range(4):
                row, word = u[block, i], words[i]
                for lane in range(row.shape[0]):
                    row[lane] = uniform(word[lane], row[lane])


@compiled
def logistics(bits, u, logit, times):
    """Whether u < sigmoid(logit), for each place.  bits, u and logit (blocks, n, lanes)"""
    one, zero = bits.dtype.type(1), bits.dtype.type(0)
    for block in range(bits.shape[0]):
        for _ in range(times):
            for i in range(bits.shape[1]):
                bit, v, x = bits[block, i], u[block, i], logit[block, i]
                for lane in range(bit.shape[0]):
                    bit[lane] = one if v[lane] * (one + exp(-x[lane])) < one else zero
