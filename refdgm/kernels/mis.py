"""Metropolis independence sampling, compiled: the twins of the steps in samplers/linear_gaussian_mis and sbn_mis.

Each helper is one loop over the chains of a block, over few rows, so that LLVM
runs it on many chains at once.
"""
import numba
import numpy as np

from refdgm.elementary import exp, log
from refdgm.jit import compiled, dot_bits, draw_bits, draw_normals, draw_words, load, scratch, store
from refdgm.streams import uniform


def inner(function):
    """A loop over chains, compiled into the kernel that calls it."""
    return numba.njit(function, nogil=True, error_model="numpy", forceinline=True)


@inner
def affine(out, start, w, x):
    """out = start + sum_k w[k] x[k], in order, two terms a loop; len(w) is even."""
    a, b, x0, x1 = w[0], w[1], x[0], x[1]
    for lane in range(out.shape[0]):
        out[lane] = (start[lane] + a * x0[lane]) + b * x1[lane]
    for k in range(2, w.shape[0], 2):
        a, b, x0, x1 = w[k], w[k + 1], x[k], x[k + 1]
        for lane in range(out.shape[0]):
            out[lane] = (out[lane] + a * x0[lane]) + b * x1[lane]


@inner
def add_squares(total, x, sign):
    """total += sign x^2 for sign 1 or -1."""
    for lane in range(total.shape[0]):
        total[lane] += sign * x[lane] * x[lane]


@inner
def judge(accepted, squares, log_w, word, constant, half):
    """The proposals' log weights, in place of twice their variable part, and who moves."""
    for lane in range(accepted.shape[0]):
        proposed = constant + half * squares[lane]
        accepted[lane] = uniform(word[lane], half) < exp(proposed - log_w[lane])
        squares[lane] = proposed


@inner
def note_faults(faults, log_w, zero):
    """faults: 0, or NaN from the first weight on that is not finite."""
    for lane in range(faults.shape[0]):
        faults[lane] += zero * log_w[lane]


@inner
def move(accepted, old, new):
    """The new number where the proposal is accepted."""
    for lane in range(accepted.shape[0]):
        stay, go = old[lane], new[lane]
        old[lane] = go if accepted[lane] else stay


@compiled
def linear_gaussian(h, log_w, faults, mean, x, chain, L, W, constant, half, step, steps, k0, k1, lanes):
    """`steps` steps of every chain, in place, `lanes` chains at a time.

    h (C, H); log_w and faults (C, 1); the proposals' mean (C, H), the whitened x (C, D), chain (C, 1) uint32; L (H, n)
    and minus the whitened W (D, n), n = H or, with a column of zeros, H + 1, and even; k0 and k1 are the key.
    """
    (H, n), D = L.shape, len(W)
    here, weights, means, data = scratch(H, lanes, h), scratch(2, lanes, h), scratch(H, lanes, h), scratch(D, lanes, h)
    eps, new, residual = scratch(n, lanes, h), scratch(n, lanes, h), scratch(1, lanes, h)[0]
    numbers, words, uniforms = scratch(1, lanes, chain), scratch(4, lanes, chain), scratch(4, lanes, chain)
    accepted, log_w_here, log_w_new = np.empty(lanes, np.bool_), weights[0], weights[1]
    faulty = scratch(1, lanes, h)
    one, zero = half + half, half - half
    new[:] = zero
    for first in range(0, len(h), lanes):
        load(chain, first, numbers)
        load(h, first, here)
        load(log_w, first, weights[:1])
        load(faults, first, faulty)
        load(mean, first, means)
        load(x, first, data)
        for t in range(step, step + steps):
            draw_normals(eps, numbers[0], t, 0, k0, k1, words)
            log_w_new[:] = zero
            for j in range(H):
                add_squares(log_w_new, eps[j], one)
            for j in range(H):
                affine(new[j], means[j], L[j], eps)
                add_squares(log_w_new, new[j], -one)
            for i in range(D):
                affine(residual, data[i], W[i], new)
                add_squares(log_w_new, residual, -one)
            if t == step or t % 4 == 0:
                draw_words(uniforms, numbers[0], 0, t // 4, 1, k0, k1)
            judge(accepted, log_w_new, log_w_here, uniforms[t % 4], constant, half)
            note_faults(faulty[0], log_w_new, zero)
            for j in range(H):
                move(accepted, here[j], new[j])
            move(accepted, log_w_here, log_w_new)
        store(here, h, first)
        store(weights[:1], log_w, first)
        store(faulty, faults, first)


@compiled
def sbn_codes(h, log_w, k, faults, chain, x, q_logits, gain, constant, W_transposed, b, every, step, steps, k0, k1,
              lanes, group):
    """`steps` steps of every chain, in place, `lanes` chains at a time: of one code, or of every code.

    h (C, n H), log_w (C, n), k (C, 1) int64, faults (C, 1), chain (C, 1) uint32; for each observation x (n, D),
    q_logits and gain (n, H), constant (n,); factors of `group` units are multiplied before their logarithm is taken.
    """
    (n, H), D, zero, one = q_logits.shape, len(b), h.dtype.type(0), h.dtype.type(1)
    codes, weights, rows = scratch(n * H, lanes, h), scratch(n, lanes, h), scratch(4, lanes, h)
    new, activations, index = scratch(H, lanes, h), scratch(D, lanes, h), scratch(1, lanes, k)
    numbers, words, drawn = scratch(1, lanes, chain), scratch(4, lanes, chain), scratch(4, lanes, chain)
    which, total, product, accepted, faulty = index[0], rows[0], rows[1], rows[2], rows[3]
    for first in range(0, len(h), lanes):
        load(chain, first, numbers)
        load(h, first, codes)
        load(log_w, first, weights)
        faulty[:] = zero
        for t in range(step, step + steps):
            for m in range(n if every else 1):
                draw_words(drawn, numbers[0], 0, t, 2 * m, k0, k1)
                for lane in range(lanes):
                    which[lane] = m if every else (np.uint64(drawn[0, lane]) * np.uint64(n)) >> np.uint64(32)
                for j in range(H):
                    for lane in range(lanes):
                        new[j, lane] = q_logits[which[lane], j]
                draw_bits(new, numbers[0], t, 2 * m + 1, k0, k1, words)
                for lane in range(lanes):
                    total[lane], product[lane] = constant[which[lane]], one
                for j in range(H):
                    for lane in range(lanes):
                        total[lane] += new[j, lane] * gain[which[lane], j]
                dot_bits(W_transposed, new, activations, b)
                for i in range(D):
                    s = activations[i]
                    for lane in range(lanes):
                        total[lane] += x[which[lane], i] * s[lane] - (s[lane] if s[lane] > zero else zero)
                    for lane in range(lanes):
                        product[lane] *= one + exp(-abs(s[lane]))
                    if i % group == group - 1 or i == D - 1:
                        for lane in range(lanes):
                            total[lane] -= log(product[lane])
                            product[lane] = one
                for lane in range(lanes):
                    old = weights[which[lane], lane]
                    accepted[lane] = one if uniform(drawn[1, lane], old) < exp(total[lane] - old) else zero
                    weights[which[lane], lane] = total[lane] if accepted[lane] > zero else old
                note_faults(faulty, total, zero)
                for j in range(H):
                    for lane in range(lanes):
                        stay = codes[which[lane] * H + j, lane]
                        codes[which[lane] * H + j, lane] = new[j, lane] if accepted[lane] > zero else stay
        store(codes, h, first)
        store(weights, log_w, first)
        store(index, k, first)
        store(rows[3:], faults, first)
