"""Block Gibbs sampling of an RBM with Gaussian visible units, compiled: the twin of gaussian_rbm_gibbs.step."""
from refdgm.jit import compiled, dot_bits, dot_reals, draw_bits, draw_normals, load, scratch, store


@compiled
def gibbs(v, h, chain, to_hidden, to_visible, b, c, sigma, step, steps, k0, k1, lanes):
    """`steps` steps h ~ p(h|v), v ~ p(v|h) of every chain, in place, `lanes` chains at a time.

    v (C, D), h (C, H), chain (C, 1) uint32; jit.panels of w / sigma^2 (D, H) and of w' (H, D), b (D,), c (H,),
    sigma (D,); `step` steps have been made; k0 and k1 are the key.
    """
    D = v.shape[1]
    visible, noise, hidden = scratch(D, lanes, v), scratch(D + D % 2, lanes, v), scratch(h.shape[1], lanes, h)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    for first in range(0, v.shape[0], lanes):
        load(chain, first, numbers)
        load(v, first, visible)
        for t in range(step, step + steps):
            dot_reals(to_hidden, visible, hidden, c)
            draw_bits(hidden, numbers[0], t, 0, k0, k1, words)
            dot_bits(to_visible, hidden, visible, b)
            draw_normals(noise, numbers[0], t, 1, k0, k1, words)
            for i in range(D):
                row, z, scale = visible[i], noise[i], sigma[i]
                for lane in range(lanes):
                    row[lane] += scale * z[lane]
        store(visible, v, first)
        store(hidden, h, first)
