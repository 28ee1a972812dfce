"""Langevin and Hamiltonian chains on a GPU: the twins of refdgm.kernels.langevin.

A finite score of the targets that have a form here means a finite log p, so that `watched` has nothing to say.
"""
from refdgm.launch import launch_on_target


def ula(x, chain, target, rows, lanes, watched, half, root, step, k0, k1):
    """As refdgm.kernels.langevin.ula."""
    launch_on_target("ula", target, (x, chain), half, root, len(half), draw=(step, k0, k1))


def sghmc(x, r, chain, target, rows, lanes, watched, eps, keep, root, steps, step, k0, k1):
    """As refdgm.kernels.langevin.sghmc."""
    launch_on_target("sghmc", target, (x, r, chain), eps, keep, root, steps, draw=(step, k0, k1))


def mala(x, log_p, score, accepted, chain, target, rows, lanes, watched, half, root, eighth, steps, step, k0, k1):
    """As refdgm.kernels.langevin.mala."""
    launch_on_target("mala", target, (x, log_p, score, accepted, chain), half, root, eighth, steps,
                     draw=(step, k0, k1))


def hmc(x, log_p, score, accepted, chain, target, rows, lanes, watched, half, eps, L, steps, step, k0, k1):
    """As refdgm.kernels.langevin.hmc."""
    launch_on_target("hmc", target, (x, log_p, score, accepted, chain), half, eps, L, steps,
                     draw=(step, k0, k1))
