"""What kernels are made of: blocks of chains side by side, and units drawn for such a block.

How kernels are compiled and run (refdgm.compiling) and products of a block (refdgm.products) come along, for callers.
"""
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from refdgm.compiling import compiled as compiled
from refdgm.compiling import cores as cores
from refdgm.compiling import in_threads as in_threads
from refdgm.compiling import on_demand as on_demand
from refdgm.products import dot_bits as dot_bits
from refdgm.products import dot_fused as dot_fused
from refdgm.products import dot_reals as dot_reals
from refdgm.products import lanes as lanes
from refdgm.products import panels as panels
from refdgm.products import tile as tile
from refdgm.streams import fires, philox, two_normals

CACHE_LINE = 64             # bytes
SHORT = 96                  # a block of so few rows stays in the first cache while it is turned, chain by chain


# ---- a block of chains ----------------------------------------------------------------

@intrinsic
def address(typing, array):
    """Where an array lies in memory."""
    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), build


@numba.njit(nogil=True, error_model="numpy")
def scratch(rows, lanes, like):
    """np.empty((rows, lanes), like.dtype) from the start of a line of the cache: a vector that lies across two costs
    twice the time."""
    memory = np.empty(rows * lanes + CACHE_LINE, like.dtype)
    skip = (-address(memory) % CACHE_LINE) // memory.itemsize
    return memory[skip:skip + rows * lanes].reshape(rows, lanes)


@numba.njit(nogil=True, error_model="numpy")
def load(x, first, block):
    """Chains first, first + 1, ... side by side: x (C, n) -> block (n, lanes), filled up with copies of the last."""
    n, last = block.shape[0], x.shape[0] - 1
    if n <= SHORT:
        for lane in range(block.shape[1]):
            units = x[min(first + lane, last)]
            for i in range(n):
                block[i, lane] = units[i]
    else:
        for i in range(n):
            row = block[i]
            for lane in range(row.shape[0]):
                row[lane] = x[min(first + lane, last), i]


@numba.njit(nogil=True, error_model="numpy")
def store(block, x, first):
    """The inverse of load."""
    n, inside = block.shape[0], min(block.shape[1], x.shape[0] - first)
    if n <= SHORT:
        for lane in range(inside):
            units = x[first + lane]
            for i in range(n):
                units[i] = block[i, lane]
    else:
        for i in range(n):
            row = block[i]
            for lane in range(inside):
                x[first + lane, i] = row[lane]


def pack(x, lanes):
    """Chains side by side: (C, n) -> (blocks, n, lanes), the last block filled up with copies of the last chain."""
    blocks = -(-len(x) // lanes)
    x = x[np.minimum(np.arange(blocks * lanes), len(x) - 1)]
    return np.ascontiguousarray(np.swapaxes(x.reshape(blocks, lanes, -1), 1, 2))


def unpack(packed, chains):
    """The inverse of pack.  (blocks, n, lanes) -> (C, n)"""
    return np.ascontiguousarray(np.swapaxes(packed, 1, 2)).reshape(-1, packed.shape[1])[:chains]


# ---- a layer of units for a block of chains -------------------------------------------

@numba.njit(nogil=True, error_model="numpy", forceinline=True)
def draw_words(words, chain, block, step, draw, k0, k1):
    """The four words of a block of every chain: of four sites, or for two normals.  (4, lanes) uint32, (lanes,)

    A loop of its own, ahead of those that use the words: with fewer arrays in each LLVM runs them on many lanes.
    """
    block, step, draw = np.uint32(block), np.uint32(step), np.uint32(draw)
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    for lane in range(chain.shape[0]):
        first[lane], second[lane], third[lane], fourth[lane] = philox(block, step, chain[lane], draw, k0, k1)


@numba.njit(nogil=True, error_model="numpy")
def draw_normals(z, chain, step, draw, k0, k1, words):
    """z, an even number of rows, becomes standard normal.  (2j, lanes), (lanes,); words (4, lanes) is scratch"""
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    for j in range(z.shape[0] // 2):
        even, odd = z[2 * j], z[2 * j + 1]
        draw_words(words, chain, j, step, draw, k0, k1)
        for lane in range(chain.shape[0]):
            even[lane], odd[lane] = two_normals(first[lane], second[lane], third[lane], fourth[lane], even[lane])


@numba.njit(nogil=True, error_model="numpy")
def draw_bits(units, chain, step, draw, k0, k1, words):
    """Logits become the units that they switch on.  (n, lanes), (lanes,); words (4, lanes) uint32 is scratch"""
    n, zero, one = units.shape[0], units.dtype.type(0), units.dtype.type(1)
    for site in range(0, n, 4):
        draw_words(words, chain, site // 4, step, draw, k0, k1)
        for i in range(min(4, n - site)):
            row, word = units[site + i], words[i]
            for lane in range(row.shape[0]):
                row[lane] = one if fires(word[lane], row[lane]) else zero
