"""Block Gibbs sampling of an RBM with Gaussian visible units on a GPU: the twin of refdgm.kernels.gaussian_rbm."""
from refdgm.launch import launch_layer


def gibbs(v, h, chain, to_hidden, to_visible, b, c, sigma, step, steps, k0, k1, lanes):
    """As refdgm.kernels.gaussian_rbm.gibbs; to_hidden (D, H) and to_visible (H, D) are matrices."""
    for t in range(step, step + steps):
        launch_layer("gaussian_rbm", "hidden", v, to_hidden, c, chain, h, draw=(t, 0, k0, k1))
        launch_layer("gaussian_rbm", "visible", h, to_visible, b, chain, v, sigma, draw=(t, 1, k0, k1))
