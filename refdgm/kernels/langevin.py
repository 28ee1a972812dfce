"""Langevin and Hamiltonian chains, compiled: the operations of the steps in refdgm.samplers, in place, many at a time.

In every kernel x (C, n), chain (C, 1) uint32; `target` is a tuple of parameters whose form refdgm.kernels.targets
knows, `rows` of scratch; `watched` is None where a finite score means a finite log p; the last three arguments are the
number of steps made before and the key.
"""
from functools import reduce

import numpy as np

from refdgm import chains, jit
from refdgm.jit import draw_normals, load, scratch, store
from refdgm.models.targets import evaluate
from refdgm.moves import add, copy, decide, draw_batch, finish, look, move
from refdgm.streams import advance, keys

NOISE = 0                   # the draw of a step's noise


def ula(x, chain, target, rows, lanes, watched, half, root, step, k0, k1):
    """A step for each of half = eps/2 and root = sqrt(eps), which are arrays."""
    n = x.shape[1]
    here, score, values = scratch(n, lanes, x), scratch(n, lanes, x), scratch(2, lanes, x)
    z, space = scratch(n + n % 2, lanes, x), scratch(rows, lanes, x)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    log_p, doubt = values[0], values[1]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        doubt[:] = x.dtype.type(0)
        for t in range(len(half)):
            draw_batch(target, space, numbers[0], step + t, k0, k1, words)
            look(target, here, score, log_p, doubt, space, watched)
            draw_normals(z, numbers[0], step + t, NOISE, k0, k1, words)
            move(here, score, z, half[t], root[t])
        finish(here, doubt, x, first)


def sghmc(x, r, chain, target, rows, lanes, watched, eps, keep, root, steps, step, k0, k1):
    """x += eps r, then r = keep r + eps score + root z."""
    n = x.shape[1]
    here, momentum, score = scratch(n, lanes, x), scratch(n, lanes, x), scratch(n, lanes, x)
    z, space, values = scratch(n + n % 2, lanes, x), scratch(rows, lanes, x), scratch(2, lanes, x)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    log_p, doubt = values[0], values[1]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        load(r, first, momentum)
        doubt[:] = x.dtype.type(0)
        for t in range(step, step + steps):
            add(here, eps, momentum)
            draw_batch(target, space, numbers[0], t, k0, k1, words)
            look(target, here, score, log_p, doubt, space, watched)
            draw_normals(z, numbers[0], t, NOISE, k0, k1, words)
            for i in range(n):
                p, s, noise = momentum[i], score[i], z[i]
                for lane in range(lanes):
                    p[lane] = keep * p[lane] + eps * s[lane] + root * noise[lane]
        finish(here, doubt, x, first)
        store(momentum, r, first)


def mala(x, log_p, score, accepted, chain, target, rows, lanes, watched, half, root, eighth, steps, step, k0, k1):
    """ULA's step as a proposal; log_p (C, 1) and score (C, n) belong to x, accepted (C, 1) is a count."""
    n, middle = x.shape[1], x.dtype.type(0.5)
    here, s_here = scratch(n, lanes, x), scratch(n, lanes, x)
    there, s_there = scratch(n, lanes, x), scratch(n, lanes, x)
    values, z, space = scratch(4, lanes, x), scratch(n + n % 2, lanes, x), scratch(rows, lanes, x)
    numbers, counts, words = scratch(1, lanes, chain), scratch(1, lanes, chain), scratch(4, lanes, chain)
    value, new_value, ratio, taken = values[0], values[1], values[2], values[3]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        load(log_p, first, values[:1])
        load(score, first, s_here)
        load(accepted, first, counts)
        for t in range(step, step + steps):
            draw_normals(z, numbers[0], t, NOISE, k0, k1, words)
            copy(here, there)
            move(there, s_here, z, half, root)
            evaluate(target, there, s_there, new_value, space)
            for lane in range(lanes):
                ratio[lane] = new_value[lane] - value[lane]
            for i in range(n):
                x_i, y_i, s_i, new_s_i = here[i], there[i], s_here[i], s_there[i]
                for lane in range(lanes):
                    ratio[lane] = ratio[lane] - (s_i[lane] + new_s_i[lane]) * (
                        middle * (y_i[lane] - x_i[lane]) + eighth * (new_s_i[lane] - s_i[lane]))
            decide(here, s_here, value, there, s_there, new_value, ratio, taken, numbers[0], counts[0], t, words,
                   k0, k1)
        store(here, x, first)
        store(values[:1], log_p, first)
        store(s_here, score, first)
        store(counts, accepted, first)


def hmc(x, log_p, score, accepted, chain, target, rows, lanes, watched, half, eps, L, steps, step, k0, k1):
    """L leapfrog steps as a proposal; log_p (C, 1) and score (C, n) belong to x, accepted (C, 1) is a count."""
    n, middle, zero = x.shape[1], x.dtype.type(0.5), x.dtype.type(0)
    here, s_here, there = scratch(n, lanes, x), scratch(n, lanes, x), scratch(n, lanes, x)
    s_there, r, new_r = scratch(n, lanes, x), scratch(n + n % 2, lanes, x), scratch(n, lanes, x)
    values, space = scratch(5, lanes, x), scratch(rows, lanes, x)
    numbers, counts, words = scratch(1, lanes, chain), scratch(1, lanes, chain), scratch(4, lanes, chain)
    value, new_value, ratio, taken, doubt = values[0], values[1], values[2], values[3], values[4]
    for first in range(0, len(x), lanes):
        load(chain, first, numbers)
        load(x, first, here)
        load(log_p, first, values[:1])
        load(score, first, s_here)
        load(accepted, first, counts)
        for t in range(step, step + steps):
            draw_normals(r, numbers[0], t, NOISE, k0, k1, words)
            copy(here, there)
            copy(r[:n], new_r)
            add(new_r, half, s_here)
            doubt[:] = zero
            for i in range(L):
                add(there, eps, new_r)
                if i < L - 1:
                    look(target, there, s_there, new_value, doubt, space, watched)
                    add(new_r, eps, s_there)
            evaluate(target, there, s_there, new_value, space)
            add(new_r, half, s_there)
            for lane in range(lanes):
                ratio[lane] = new_value[lane] - value[lane] + doubt[lane]
            for i in range(n):
                old, new = r[i], new_r[i]
                for lane in range(lanes):
                    ratio[lane] = ratio[lane] + middle * (old[lane] - new[lane]) * (old[lane] + new[lane])
            decide(here, s_here, value, there, s_there, new_value, ratio, taken, numbers[0], counts[0], t, words,
                   k0, k1)
        store(here, x, first)
        store(values[:1], log_p, first)
        store(s_here, score, first)
        store(counts, accepted, first)


# ---- running them ---------------------------------------------------------------------

def run(kernel, step, target, state, constants, steps, threads=None, **options):
    """`steps` steps of a kernel from `state`, on a target as kernels.targets prepares it.  -> chains.Run

    constants(first, n) are the kernel's arguments for n steps from the step `first`; step(state) is the twin, which
    finds and names the chain and the step where something was not finite.
    """
    chains.fits(state, step)
    kernel, number = jit.on_demand(kernel, target.lasting), len(state.x)

    def compiled(state, n):
        arrays, s = [a.copy() for a in state[:-1]], state.stream
        by_chain = [a.reshape(number, -1) for a in (*arrays, s.chain)]
        jit.in_threads(kernel, by_chain, (*target[:4], *constants(s.step, n), s.step, *keys(s.seed)), threads,
                       together=target.lanes)
        after = type(state)(*arrays, advance(s, n))
        with np.errstate(all="ignore"):
            suspicious = not all(np.isfinite(a.sum()) for a in arrays)      # a sum of many finite numbers may overflow
        if suspicious and not all(np.isfinite(a).all() for a in arrays):
            _name_the_step(step, state, after, n)
        return after

    return chains.drive(state, compiled, steps, **options)


def _name_the_step(step, before, after, n):
    """Let the twin make the steps of some chains that went wrong: it raises ValueError at the first."""
    finite = reduce(np.logical_and, [np.isfinite(a.reshape(len(a), -1)).all(axis=1) for a in after[:-1]])
    some = np.flatnonzero(~finite)[:100]
    state = type(before)(*(a[some] for a in before[:-1]), before.stream._replace(chain=before.stream.chain[some]))
    for _ in range(n):
        state = step(state)
    raise AssertionError("the compiled chain has met a number that is not finite where its twin has not.")
