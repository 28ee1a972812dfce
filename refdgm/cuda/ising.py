"""Gibbs sampling of an Ising model on a GPU: the twin of refdgm.kernels.ising."""
from refdgm import backend
from refdgm.launch import CHAINS, launch


def checkerboard(lattice, top, source, target, chain, thresholds, height, margin, together, step, steps, k0, k1):
    """As refdgm.kernels.ising.checkerboard for all strips at once: lattices need no strips here, nor margins."""
    target[...] = source
    limits, (N, R, C) = backend.module_of(source).asarray(thresholds), source.shape
    blocks = -(-N * -(-R // 4) * (C // 2) // CHAINS)
    for t in range(step, step + steps):
        for colour in (0, 1):
            launch("ising", "colour", "float64", blocks, (CHAINS,), target, chain, limits, N, R, C,
                   draw=(t, colour, k0, k1))
