"""Annealed importance sampling of an RBM on a GPU: the twin of refdgm.kernels.ais."""
import numpy as np

from refdgm.launch import launch_in_order, launch_layer


def anneal(v, log_w, chain, w, w_transposed, b, c, base, betas, step, steps, k0, k1, lanes, group):
    """As refdgm.kernels.ais.anneal; w (D, H) and its transpose are matrices."""
    (D, H), zero = w.shape, np.zeros_like(b)
    h, logits = np.empty_like(v, shape=(len(v), H)), np.empty_like(v, shape=(len(v), H))
    for t in range(step, step + steps):
        launch_layer("ais", "hidden", v, w, c, chain, h, logits, betas, draw=(t, 0, k0, k1))
        launch_in_order("ais_weight", "weigh", v, logits, b, base, betas, log_w, len(v), D, H, group, np.uint32(t))
        launch_layer("ais", "visible", h, w_transposed, zero, chain, v, b, base, betas, draw=(t, 1, k0, k1))
