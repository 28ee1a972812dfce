"""Annealed importance sampling of an RBM, compiled: the twin of refdgm.samplers.ais.step."""
from refdgm.elementary import exp, log
from refdgm.jit import compiled, dot_bits, draw_bits, load, scratch, store


@compiled
def anneal(v, log_w, chain, w, w_transposed, b, c, base, betas, step, steps, k0, k1, lanes, group):
    """Steps `step` to step + steps - 1 of the path for every chain, in place, `lanes` chains at a time.

    v (C, D), log_w (C, 1), chain (C, 1) uint32; jit.panels of w (D, H) and of its transpose; b and base (D,), c (H,),
    betas (T + 1,); factors of `group` units are multiplied before their logarithm is taken.
    """
    D, H, zero, one = len(b), len(c), v.dtype.type(0), v.dtype.type(1)
    visible, hidden, rows = scratch(D, lanes, v), scratch(H, lanes, v), scratch(4, lanes, v)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    total, hot, cold, before = rows[0], rows[1], rows[2], rows[3]
    for first in range(0, len(v), lanes):
        load(chain, first, numbers)
        load(v, first, visible)
        load(log_w, first, rows[:1])
        for t in range(step, step + steps):
            old, new = betas[t - 1], betas[t]
            for i in range(D):
                unit, slope = visible[i], (new - old) * (b[i] - base[i])
                for lane in range(lanes):
                    total[lane] += unit[lane] * slope
            dot_bits(w, visible, hidden, c)
            hot[:], cold[:] = one, one
            for j in range(H):
                logit = hidden[j]
                for lane in range(lanes):
                    before[lane] = old * logit[lane]
                    logit[lane] = new * logit[lane]
                for lane in range(lanes):
                    total[lane] += max(logit[lane], zero) - max(before[lane], zero)
                for lane in range(lanes):
                    hot[lane] *= one + exp(-abs(before[lane]))
                    cold[lane] *= one + exp(-abs(logit[lane]))
                if j % group == group - 1 or j == H - 1:
                    for lane in range(lanes):
                        total[lane] += log(cold[lane] / hot[lane])
                    hot[:], cold[:] = one, one
            draw_bits(hidden, numbers[0], t, 0, k0, k1, words)
            dot_bits(w_transposed, hidden, visible, zero)
            for i in range(D):
                unit, bias = visible[i], (one - new) * base[i] + new * b[i]
                for lane in range(lanes):
                    unit[lane] = bias + new * unit[lane]
            draw_bits(visible, numbers[0], t, 1, k0, k1, words)
        store(visible, v, first)
        store(rows[:1], log_w, first)
