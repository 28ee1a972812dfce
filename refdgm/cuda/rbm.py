"""Block Gibbs sampling of a Bernoulli RBM on a GPU: the twin of refdgm.kernels.rbm."""
from refdgm.launch import launch_layer


def gibbs(start, v, h, chain, w, w_transposed, b, c, step, steps, k0, k1, lanes):
    """As refdgm.kernels.rbm.gibbs; w (D, H) and its transpose are matrices."""
    for t in range(step, step + steps):
        launch_layer("rbm", "half_step", start if t == step else v, w, c, chain, h, draw=(t, 0, k0, k1))
        launch_layer("rbm", "half_step", h, w_transposed, b, chain, v, draw=(t, 1, k0, k1))
