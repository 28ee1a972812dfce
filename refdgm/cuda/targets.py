"""The targets of refdgm.models.targets as targets.cuh takes them: a type of C++, and all parameters in one array."""
import numpy as np

from refdgm.launch import launch_chains
from refdgm.models.targets import Gaussian, GaussianMixture, MLPEnergy


def launch_on_target(family, name, target, by_chain, *arguments, draw):
    """Run a kernel that is made for the target, with one thread for each chain of the arrays `by_chain`."""
    kind, parameters = FORM[type(target)](target)
    whole = np.concatenate([a.ravel() for a in parameters])
    launch_chains(family, name, whole.dtype, len(by_chain[0]), *by_chain, whole, *arguments, draw=draw, TARGET=kind)


def _gaussian(target):
    return f"Gaussian<{len(target.m)}>", target


def _gaussian_mixture(target):
    K, n = target.mean.shape
    return f"GaussianMixture<{n},{K}>", target


def _mlp_energy(target):
    (n, H1), H2 = target.w1.shape, len(target.b2)
    weights = (target.w1, target.w2, target.w2_transposed, target.w1_transposed)
    return f"MLPEnergy<{n},{H1},{H2}>", (*(np.pad(w, ((0, 0), (0, -w.shape[1] % 4))) for w in weights),
                                         target.b1, target.b2, target.w3, target.tau)


FORM = {Gaussian: _gaussian, GaussianMixture: _gaussian_mixture, MLPEnergy: _mlp_energy}
