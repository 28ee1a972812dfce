"""What the steps of compiled chains on R^n are made of: for a block, looks at the target, moves and decisions.

Everywhere x, score and z are (n, lanes), log_p, doubt and the like (lanes,); `watched` is None where a finite score
means a finite log p.
"""
import numba
import numpy as np
from numba.core import types
from numba.extending import overload

from refdgm.elementary import log
from refdgm.jit import draw_words, store
from refdgm.models.targets import evaluate
from refdgm.streams import uniform

ACCEPT, BATCH = 1, 1        # the draws of a step, besides its noise


@numba.njit(nogil=True, error_model="numpy")
def move(x, score, z, half, root):
    """x = x + half score + root z.  (n, lanes)"""
    for i in range(len(x)):
        row, s, noise = x[i], score[i], z[i]
        for lane in range(len(row)):
            row[lane] = row[lane] + half * s[lane] + root * noise[lane]


@numba.njit(nogil=True, error_model="numpy")
def copy(x, out):
    """out = x, row by row: of an assignment of the whole LLVM makes one number at a time.  (n, lanes)"""
    for i in range(len(x)):
        row, to = x[i], out[i]
        for lane in range(len(row)):
            to[lane] = row[lane]


def look(target, x, score, log_p, doubt, scratch, watched):
    """The score; unless `watched` is None, doubt (lanes,) becomes nan as soon as log p is not finite."""
    evaluate(target, x, score, log_p, scratch)
    for lane in range(len(doubt)):
        doubt[lane] = doubt[lane] + (log_p[lane] - log_p[lane])


def _score_only(target, x, score, log_p, doubt, scratch, watched):
    evaluate(target, x, score, None, scratch)


@overload(look, strict=False)
def _(target, x, score, log_p, doubt, scratch, watched):
    return _score_only if watched == types.none else look


def draw_batch(target, scratch, number, t, k0, k1, words):
    """Which data each chain sees, in the first rows of scratch; nothing to do for a target that is known exactly."""


def _draw_batch(target, scratch, number, t, k0, k1, words):
    size, data = int(target.size[0]), np.uint64(len(target.data))
    for site in range(0, size, 4):
        draw_words(words, number, site // 4, t, BATCH, k0, k1)
        for i in range(min(4, size - site)):
            row, word = scratch[site + i], words[i]
            for lane in range(len(row)):
                row[lane] = np.uint64(word[lane]) * data >> np.uint64(32)


overload(draw_batch, strict=False)(lambda target, scratch, number, t, k0, k1, words: (
    _draw_batch if getattr(target.instance_class, "minibatch", False) else draw_batch))


@numba.njit(nogil=True, error_model="numpy")
def select(old, new, mask):
    """old becomes new where the mask is not zero.  (lanes,)"""
    for lane in range(len(old)):
        a, b = old[lane], new[lane]
        old[lane] = a if mask[lane] == 0 else b


@numba.njit(nogil=True, error_model="numpy")
def add(x, factor, y):
    """x += factor y.  (n, lanes)"""
    for i in range(len(x)):
        row, other = x[i], y[i]
        for lane in range(len(row)):
            row[lane] = row[lane] + factor * other[lane]


@numba.njit(nogil=True, error_model="numpy")
def decide(x, score, value, new_x, new_score, new_value, ratio, taken, number, count, t, words, k0, k1):
    """Where log u < ratio the chain moves, and is counted; where the ratio is not finite, log p becomes nan.

    x, score (n, lanes), value, the log p, and the others (lanes,); taken and words (4, lanes) are scratch
    """
    zero, one, word = value.dtype.type(0), value.dtype.type(1), words[0]
    draw_words(words, number, 0, t, ACCEPT, k0, k1)
    for lane in range(len(taken)):
        taken[lane] = one if log(uniform(word[lane], ratio[lane])) < ratio[lane] else zero
    for lane in range(len(taken)):
        old, new = value[lane], new_value[lane]
        value[lane] = (new if taken[lane] > zero else old) + (ratio[lane] - ratio[lane])
    for lane in range(len(taken)):
        count[lane] += np.uint32(taken[lane])
    for i in range(len(x)):
        select(x[i], new_x[i], taken)
        select(score[i], new_score[i], taken)


@numba.njit(nogil=True, error_model="numpy")
def finish(here, doubt, x, first):
    """The chains go back to x; those in doubt become nan.  (n, lanes), (lanes,), (C, n)"""
    select(here[0], doubt, doubt)
    store(here, x, first)
