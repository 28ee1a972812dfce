r"""Random numbers by address: what a chain draws depends on (seed, chain, step, draw, site) and on nothing else.

Philox-4x32-10 (Salmon, Moraes, Dror and Shaw 2011) turns a counter of four words and a key of two into four random
words. Here the key is the seed and the counter an address,

    counter = (site // 4, step, chain, draw)        word of a site: number site % 4 of the four

so that a chain does not notice how many others run beside it, in which order, on how many threads or on which backend,
and can go on at any step. `draw` numbers the random arrays within a step: hidden units, visible units, ....

    uniform    (w + 1/2) / 2^32 in float64, (w // 2^9 + 1/2) / 2^23 in float32:  never 0 nor 1
    normal     sites 2j and 2j + 1 share the block j: Box-Muller of its first two and last two words, 52 bits each
               in float64; of words 0 and 2 in float32

A probability is thus realised within 2^-33 (2^-24 in float32), a normal number up to 8.6 (6.6) standard deviations.
"""
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid
from refdgm.backend import xp
from refdgm.bits import to
from refdgm.elementary import box_muller, exp

WORD = 2**32
LOW, HALF = np.uint64(WORD - 1), np.uint64(32)


class Stream(NamedTuple):
    """Whose numbers come next: the part of a sampler's state that makes its steps pure functions."""
    seed: int               # 0 <= seed < 2**64
    chain: np.ndarray       # (C,) uint32, the number of each chain
    step: int               # steps made so far


def stream(seed, chains, first=0):
    """The stream of the chains first, first + 1, ..., at step 0.

    >>> uniforms(stream(seed=1, chains=2), 3).round(4).tolist()
    [[0.8903, 0.8947, 0.5857], [0.0275, 0.2598, 0.2228]]
    """
    valid.count("seed", seed, 0, most=np.inf)
    valid.require(seed < 2**64, f"seed must be below 2**64, but is {seed}.")
    valid.count("the number of chains", chains)
    valid.count("the first chain", first, 0)
    valid.require(first + chains <= WORD,
                  f"chains are numbered below 2**32, but the last would be {first + chains - 1}.")
    return Stream(int(seed), xp.arange(first, first + chains, dtype=np.uint32), 0)


def advance(s, steps=1):
    """The stream `steps` later."""
    valid.require(s.step + steps <= WORD, f"a chain has at most 2**32 steps, but {s.step + steps} are asked for.")
    return s._replace(step=s.step + steps)


def philox(c0, c1, c2, c3, k0, k1):
    """Philox-4x32 with 10 rounds: four words from a counter and a key, all uint32, elementwise.

    >>> zero = np.zeros(1, np.uint32)
    >>> [hex(w[0]) for w in philox(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = to(c0, np.uint64), to(c1, np.uint64), to(c2, np.uint64), to(c3, np.uint64)
    k0, k1 = to(k0, np.uint64), to(k1, np.uint64)
    for _ in range(10):                 # in 64 bits, of which the lower 32 count: a processor multiplies so
        p0 = (c0 & LOW) * np.uint64(0xD2511F53)
        p1 = (c2 & LOW) * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1, (p0 >> HALF) ^ c3 ^ k1, p0
        k0 = k0 + np.uint64(0x9E3779B9)                             # Weyl sequences
        k1 = k1 + np.uint64(0xBB67AE85)
    return to(c0 & LOW, np.uint32), to(c1 & LOW, np.uint32), to(c2 & LOW, np.uint32), to(c3 & LOW, np.uint32)


def uniform64(w, like=None):
    """A word as a number in (0, 1), float64."""
    return (to(w, np.float64) + np.float64(0.5)) * np.float64(2.0**-32)


def uniform32(w, like=None):
    """A word as a number in (0, 1), float32: its upper 23 bits, so that every value is exact."""
    return (to(w >> np.uint32(9), np.float32) + np.float32(0.5)) * np.float32(2.0**-23)


def long_uniform(high, low):
    """Two words as a number in (0, 1), float64, of 52 bits and a half."""
    return (to(high, np.float64) * np.float64(2.0**-32)
            + (to(low >> np.uint32(12), np.float64) + np.float64(0.5)) * np.float64(2.0**-52))


def two_normals64(w0, w1, w2, w3, like=None):
    """Two independent N(0, 1) from a block, float64."""
    return box_muller(long_uniform(w0, w1), long_uniform(w2, w3))


def two_normals32(w0, w1, w2, w3, like=None):
    """Two independent N(0, 1) from a block, float32: those of float64, rounded sooner."""
    return box_muller(to(w0, np.float32) * np.float32(2.0**-32) + np.float32(2.0**-33), uniform32(w2))


def fires64(w, logit):
    """Whether a unit with this logit is on: u < 1 / (1 + e^-logit), without a division.  float64"""
    return uniform64(w) * (np.float64(1) + exp(-logit)) < np.float64(1)


def fires32(w, logit):
    """The same in float32."""
    return uniform32(w) * (np.float32(1) + exp(-logit)) < np.float32(1)


UNIFORM = {np.float64: uniform64, np.float32: uniform32}
TWO_NORMALS = {np.float64: two_normals64, np.float32: two_normals32}
FIRES = {np.float64: fires64, np.float32: fires32}


def uniform(w, like):
    """A word as a number in (0, 1), in the precision of `like`."""
    return UNIFORM[like.dtype.type](w)


def two_normals(w0, w1, w2, w3, like):
    """Two independent N(0, 1) from a block, in the precision of `like`."""
    return TWO_NORMALS[like.dtype.type](w0, w1, w2, w3)


def fires(w, logit):
    """Whether a unit is on: u < sigmoid(logit), in the precision of the logit."""
    return FIRES[logit.dtype.type](w, logit)


def keys(seed):
    """The seed as the two key words."""
    return np.uint32(seed % WORD), np.uint32(seed // WORD)


def blocks(s, n, draw):
    """The four words of the blocks 0..n-1 of every chain.  -> four arrays (C, n) of uint32"""
    site, chain = xp.arange(n, dtype=np.uint32)[None, :], s.chain[:, None]
    return np.broadcast_arrays(*philox(site, np.uint32(s.step), chain, np.uint32(draw), *keys(s.seed)))


def words(s, n, draw=0):
    """The words of the sites 0..n-1 of every chain.  -> (C, n) of uint32"""
    return np.stack(blocks(s, -(-n // 4), draw), axis=-1).reshape(len(s.chain), -1)[:, :n]


def uniforms(s, n, draw=0, real=np.float64):
    """A uniform number in (0, 1) for the sites 0..n-1 of every chain.  -> (C, n)"""
    return UNIFORM[real](words(s, n, draw))


def normals(s, n, draw=0, real=np.float64):
    """A standard normal number for the sites 0..n-1 of every chain.  -> (C, n)"""
    return np.stack(TWO_NORMALS[real](*blocks(s, -(-n // 2), draw)), axis=-1).reshape(len(s.chain), -1)[:, :n]
