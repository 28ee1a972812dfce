"""Block Gibbs sampling of a Bernoulli RBM, compiled: the twin of refdgm.samplers.rbm_gibbs.step."""
import numpy as np

from refdgm.jit import compiled, dot_bits, draw_bits, fill


@compiled
def gibbs(v, h, chain, w, w_transposed, b, c, step, steps, k0, k1):
    """`steps` steps h ~ p(h|v), v ~ p(v|h) of every block of chains, in place.

    v (blocks, D, lanes), h (blocks, H, lanes), chain (blocks, lanes) uint32; w (D, H), b (D,), c (H,); the last four
    are the number of steps made before, of steps to make, and the key.
    """
    words = np.empty((4, v.shape[2]), np.uint32)
    for block in range(v.shape[0]):
        for t in range(step, step + steps):
            fill(h[block], c)
            dot_bits(w, v[block], h[block])
            draw_bits(h[block], chain[block], t, 0, k0, k1, words)
            fill(v[block], b)
            dot_bits(w_transposed, h[block], v[block])
            draw_bits(v[block], chain[block], t, 1, k0, k1, words)
