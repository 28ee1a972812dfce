"""Block Gibbs sampling of a Bernoulli RBM on a GPU: the twin of refdgm.kernels.rbm."""
import numpy as np

from refdgm.launch import launch_layer


def gibbs(start, v, h, chain, w, w_transposed, b, c, step, steps, k0, k1, lanes):
    """As refdgm.kernels.rbm.gibbs; w (D, H) and its transpose are matrices."""
    for t in range(step, step + steps):
        half_step(start if t == step else v, w, c, chain, h, t, 0, k0, k1)
        half_step(h, w_transposed, b, chain, v, t, 1, k0, k1)


def half_step(x, w, start, chain, out, step, draw, k0, k1):
    """out ~ Bern(sigmoid(start + x w)).  (C, K), (K, N), (N,), (C, 1), (C, N)"""
    rows, (units, columns) = len(x), w.shape
    launch_layer("rbm", "half_step", x.dtype, rows, columns, x, w, start, chain, out, rows, units, columns,
                 np.uint32(step), np.uint32(draw), k0, k1)
