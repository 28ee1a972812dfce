"""Block Gibbs sampling of an RBM with Gaussian visible units, compiled: the twin of gaussian_rbm_gibbs.step."""
import numba
import numpy as np

from refdgm.jit import compiled, dot_bits, dot_reals, draw_bits, fill, load, scratch, store
from refdgm.streams import philox, two_normals


@compiled
def gibbs(v, h, chain, to_hidden, to_visible, b, c, sigma, step, steps, k0, k1, lanes):
    """`steps` steps h ~ p(h|v), v ~ p(v|h) of every chain, in place, `lanes` chains at a time.

    v (C, D), h (C, H), chain (C, 1) uint32; jit.panels of w / sigma^2 (D, H) and of w' (H, D), b (D,), c (H,),
    sigma (D,); `step` steps have been made; k0 and k1 are the key.
    """
    visible, hidden, noise = scratch(v.shape[1], lanes, v), scratch(h.shape[1], lanes, h), scratch(2, lanes, v)
    numbers, words = scratch(1, lanes, chain), scratch(4, lanes, chain)
    for first in range(0, v.shape[0], lanes):
        load(chain, first, numbers)
        load(v, first, visible)
        for t in range(step, step + steps):
            fill(hidden, c)
            dot_reals(to_hidden, visible, hidden)
            draw_bits(hidden, numbers[0], t, 0, k0, k1, words)
            fill(visible, b)
            dot_bits(to_visible, hidden, visible)
            add_noise(visible, sigma, numbers[0], t, 1, k0, k1, words, noise)
        store(visible, v, first)
        store(hidden, h, first)


@numba.njit(nogil=True, error_model="numpy")
def add_noise(x, sigma, chain, step, draw, k0, k1, words, noise):
    """x_i += sigma_i z_i, z standard normal.  (n, lanes), (n,), (lanes,); words (4, lanes), noise (2, lanes) scratch"""
    first, second, third, fourth = words[0], words[1], words[2], words[3]
    even, odd = noise[0], noise[1]
    for site in range(0, len(x), 2):
        for lane in range(len(chain)):
            first[lane], second[lane], third[lane], fourth[lane] = philox(
                np.uint32(site // 2), np.uint32(step), chain[lane], np.uint32(draw), k0, k1)
        for lane in range(len(chain)):
            even[lane], odd[lane] = two_normals(first[lane], second[lane], third[lane], fourth[lane], even[lane])
        for i in range(site, min(site + 2, len(x))):
            row, z, scale = x[i], noise[i - site], sigma[i]
            for lane in range(row.shape[0]):
                row[lane] += scale * z[lane]
