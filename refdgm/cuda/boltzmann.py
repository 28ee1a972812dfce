"""Gibbs sampling of a fully visible Boltzmann machine on a GPU: the twin of refdgm.kernels.boltzmann."""
import numpy as np

from refdgm.launch import launch_chains


def sequential(x, chain, groups, b, step, steps, k0, k1, lanes):
    """As refdgm.kernels.boltzmann.sequential."""
    launch_chains("boltzmann", "sequential", x.dtype, len(x), x, _packed(x), chain, groups, b, x.shape[1], len(groups),
                  steps, draw=(step, 0, k0, k1))


def random(x, chain, J, b, step, steps, k0, k1, lanes):
    """As refdgm.kernels.boltzmann.random."""
    launch_chains("boltzmann", "random_site", x.dtype, len(x), x, _packed(x), chain, J, b, x.shape[1], steps,
                  draw=(step, 0, k0, k1))


def _packed(x):
    """Room for the units as bits.  (C, n) -> (n / 32, C) uint32"""
    return np.empty_like(x, np.uint32, shape=(-(-x.shape[1] // 32), len(x)))
