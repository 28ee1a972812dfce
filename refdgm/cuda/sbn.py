"""Gibbs sampling of the latents of a sigmoid belief net on a GPU: the twin of refdgm.kernels.sbn."""
import numpy as np

from refdgm.launch import launch_in_order, launch_layer


def sweeps(h, x, chain, a, W, W_transposed, b, step, steps, k0, k1, lanes, group):
    """As refdgm.kernels.sbn.sweeps."""
    s, (D, H) = np.empty_like(x), W.shape
    for t in range(step, step + steps):
        launch_layer("sbn", "activate", h, W_transposed, b, s)
        launch_in_order("sbn_sweep", "sweep", h, s, x, chain, a, W_transposed, len(h), H, D, group, draw=(t, 0, k0, k1))
