"""Metropolis chains on a GPU: the twins of refdgm.kernels.metropolis."""
from refdgm.launch import launch_chains, launch_on_target


def random_walk(x, log_p, accepted, faults, chain, target, rows, lanes, scale, step, steps, k0, k1):
    """As refdgm.kernels.metropolis.random_walk."""
    launch_on_target("random_walk", target, (x, log_p, accepted, faults, chain), scale, steps, draw=(step, k0, k1))


def finite(z, chain, up_to, accept, step, steps, k0, k1, lanes):
    """As refdgm.kernels.metropolis.finite."""
    launch_chains("metropolis", "finite_space", accept.dtype, len(z), z, chain, up_to, accept, len(accept), steps,
                  draw=(step, k0, k1))
