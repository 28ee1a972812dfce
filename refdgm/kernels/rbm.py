"""Block Gibbs sampling of a Bernoulli RBM, compiled: the twin of refdgm.samplers.rbm_gibbs.step."""
from refdgm.jit import compiled, dot_bits, draw_bits, load, scratch, store


@compiled
def gibbs(start, v, h, chain, w, w_transposed, b, c, step, steps, k0, k1, lanes):
    """`steps` steps h ~ p(h|v), v ~ p(v|h) of every chain from `start` to v and h, `lanes` chains at a time.

    start and v (C, D), h (C, H), chain (C, 1) uint32; jit.panels of w (D, H) and of its transpose, b (D,), c (H,);
    `step` steps have been made; k0 and k1 are the key.
    """
    visible, hidden = scratch(v.shape[1], lanes, v), scratch(h.shape[1], lanes, h)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    for first in range(0, v.shape[0], lanes):
        load(chain, first, numbers)
        load(start, first, visible)
        for t in range(step, step + steps):
            dot_bits(w, visible, hidden, c)
            draw_bits(hidden, numbers[0], t, 0, k0, k1, words)
            dot_bits(w_transposed, hidden, visible, b)
            draw_bits(visible, numbers[0], t, 1, k0, k1, words)
        store(visible, v, first)
        store(hidden, h, first)
