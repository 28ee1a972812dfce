"""Everything on device arrays gives what it gives on the host, and nothing goes back to the host on the way.

No GPU is needed: strict_cupy stands in for CuPy, and refuses what CuPy refuses.
"""
import importlib

import autograd.numpy as anp
import numpy as np
import pytest
import strict_cupy

from refdgm import backend
from refdgm.models import boltzmann, dbm, gaussian_rbm, linear_gaussian, rbm, sbn, targets
from refdgm.trees import leaves

RNG = np.random.default_rng(0)
C = 6                                                       # chains
X = RNG.normal(size=(C, 2))


def same(found, expected):
    """Equal bit for bit, type for type, and all of it on the device."""
    for (path, a), (_, b) in zip(leaves(found), leaves(expected), strict=True):
        assert isinstance(a, strict_cupy.ndarray) == isinstance(b, np.ndarray), path
        a = backend.to_host(a)
        assert np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype, path


# ---- samplers ---------------------------------------------------------------------------

LOG_P, PROPOSAL = np.log([0.1, 0.6, 0.3]), np.array([[0.0, 0.5, 0.5], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]])
BITS = (RNG.random((C, 4)) < 0.5).astype(float)


def on_theta(theta, **how):
    return (theta,), lambda sampler, real, theta: sampler.init(theta, C, seed=5, real=real), \
        lambda sampler, state, theta: sampler.step(theta, state, **how)


def on_target(target, *lengths):
    return (target, X), lambda sampler, real, target, x: sampler.init(target, x, seed=5, real=real), \
        lambda sampler, state, target, x: sampler.step(target, state, *lengths)


def quartic(x):
    """A function as a target, which autograd differentiates."""
    return -anp.sum(x**4, axis=-1) / 4


MIXTURE = targets.gaussian_mixture(np.array([0.3, 0.7]), RNG.normal(size=(2, 2)), np.array([0.5, 1.0]))
NETWORK = targets.mlp_energy(*(RNG.normal(size=shape) for shape in ((2, 3), 3, (3, 4), 4, 4)))
NORMAL = targets.gaussian(np.array([1.0, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]]))
POSTERIOR = targets.Minibatch(lambda x: -anp.sum(x**2, axis=1) / 2, lambda x, y: -anp.sum((y - x[:, None])**2, axis=2),
                              RNG.normal(size=(5, 2)), 2)
BELIEF_NET, GAUSSIAN = sbn.random_data_case(1, n=3), linear_gaussian.random_case(1)

CHAINS = {          # name: its arrays, the first state made with them, a step
    "ais": ((rbm.random_theta(RNG, 4, 3), np.array([0.0, 0.3, 0.6, 0.8, 1.0])),
            lambda ais, real, theta, betas: ais.init(theta, betas, C, seed=5, real=real),
            lambda ais, state, theta, betas: ais.step(theta, betas, state)),
    "boltzmann_gibbs": on_theta(boltzmann.random_theta(RNG, 6)),
    "boltzmann_gibbs random": on_theta(boltzmann.random_theta(RNG, 6), scan="random"),
    "dbm_gibbs": on_theta(dbm.random_theta(RNG, 4, 3, 2)),
    "finite_metropolis": ((LOG_P, PROPOSAL, np.arange(C) % 3),
                          lambda finite, real, log_p, R, z: finite.init(log_p, R, z, seed=5),
                          lambda finite, state, log_p, R, z: finite.step(log_p, R, state)),
    "gaussian_rbm_gibbs": on_theta(gaussian_rbm.random_theta(RNG, 4, 3)),
    "hamiltonian": on_target(NETWORK, 0.2, 3),
    "ising_gibbs": (({"beta": np.array(0.4), "field": np.array(0.1)},),
                    lambda ising, real, theta: ising.init(theta, (6, 4), C, seed=5),
                    lambda ising, state, theta: ising.step(theta, state)),
    "linear_gaussian_mis": (tuple(GAUSSIAN.values()),
                            lambda mis, real, theta, phi, x: mis.init(theta, phi, x, C, seed=5, real=real),
                            lambda mis, state, theta, phi, x: mis.step(theta, phi, x, state)),
    "mala": on_target(MIXTURE, 0.3),
    "mala quartic": on_target(quartic, 0.3),
    "random_walk": on_target(MIXTURE, 0.5),
    "random_walk quartic": on_target(quartic, 0.5),
    "rbm_gibbs": on_theta(rbm.random_theta(RNG, 4, 3)),
    "rejection": ((np.array([0.2, 0.3, 0.5]), np.log([0.5, 2.0, 1.0])),
                  lambda rejection, real, q, log_w: rejection.init(rejection.proposer(q), C, seed=5),
                  lambda rejection, state, q, log_w: rejection.step(rejection.proposer(q), lambda z: log_w[z],
                                                                    np.log(2.0), state)),
    "sbn_gibbs": ((BELIEF_NET["theta"], BELIEF_NET["X"]),
                  lambda gibbs, real, theta, x: gibbs.init(theta, x, seed=5, real=real),
                  lambda gibbs, state, theta, x: gibbs.step(theta, state)),
    "sbn_mis": (tuple(BELIEF_NET.values()),
                lambda mis, real, theta, phi, x: mis.init(theta, phi, x, C, seed=5, real=real),
                lambda mis, state, theta, phi, x: mis.step(theta, phi, x, state)),
    "sghmc": on_target(NORMAL, 0.1, 1.0),
    "sghmc minibatch": on_target(POSTERIOR, 0.1, 1.0),
    "sgld": on_target(NETWORK, lambda t: 0.1 / (1 + t)),
    "sgld minibatch": on_target(POSTERIOR, lambda t: 0.1 / (1 + t)),
    "ula": on_target(NORMAL, 0.1),
    "ula quartic": on_target(quartic, 0.1),
}


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_on_the_device_is_the_host_s(name, real):
    arrays, init, step = CHAINS[name]
    sampler = importlib.import_module(f"refdgm.samplers.{name.split()[0]}")

    def chain(*arrays):
        states = [init(sampler, real, *arrays)]
        for _ in range(3):
            states.append(step(sampler, states[-1], *arrays))
        return tuple(states)

    expected = chain(*arrays)
    with strict_cupy.installed():
        same(chain(*backend.to_device(arrays)), expected)
