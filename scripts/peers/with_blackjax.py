"""BlackJAX under the names of the contracts: one step of many chains, each with a key of its own."""
from unittest import mock

import blackjax
import jax
import jax.numpy as jnp
from blackjax.mcmc.integrators import IntegratorState, velocity_verlet
from blackjax.mcmc.random_walk import normal
from blackjax.sgmcmc.diffusions import overdamped_langevin
from blackjax.smc.ess import ess
from blackjax.smc.resampling import systematic


def chains(algorithm, states, seed):
    """One step of each chain of an algorithm."""
    def step(state, key):
        return algorithm.step(key, algorithm.init(state))[0].position
    return jax.vmap(step)(states, jax.random.split(jax.random.key(seed), len(states)))


def log_density(mean, sd):
    return lambda x: -0.5 * jnp.sum(((x - mean) / sd)**2)


@jax.jit
def mala_kernel(x, mean, sd, step, seed):
    """mala(step_size=step)"""
    return chains(blackjax.mala(log_density(mean, sd), step), x, seed)


@jax.jit
def mala_kernel__hmc(x, mean, sd, step, seed):
    """hmc(step_size=step, num_integration_steps=3): as a kernel of the same law"""
    return chains(blackjax.hmc(log_density(mean, sd), step, jnp.ones(len(mean)), 3), x, seed)


@jax.jit
def mala_kernel__nuts(x, mean, sd, step, seed):
    """nuts(step_size=step): as a kernel of the same law"""
    return chains(blackjax.nuts(log_density(mean, sd), step, jnp.ones(len(mean))), x, seed)


@jax.jit
def mala_kernel__random_walk(x, mean, sd, step, seed):
    """additive_step_random_walk: as a kernel of the same law"""
    noise = normal(step * jnp.ones(len(mean)))
    return chains(blackjax.additive_step_random_walk(log_density(mean, sd), noise), x, seed)


@jax.jit
def mala_kernel__barker(x, mean, sd, step, seed):
    """barker: as a kernel of the same law"""
    return chains(blackjax.barker(log_density(mean, sd), step), x, seed)


@jax.jit
def mala_kernel__sgld(x, mean, sd, step, seed):
    """sgld: as a kernel of the same law

    It is meant to be biased: no accept step. It is here to show that this is found, and named.
    """
    def one(state, key):
        return blackjax.sgld(lambda x, batch: jax.grad(log_density(mean, sd))(x)).step(key, state, None, step)
    return jax.vmap(one)(x, jax.random.split(jax.random.key(seed), len(x)))


def independent(states, log_target, log_proposal, seed, *log_density):
    """A step of irmh: the states are numbers, drawn from the proposal whatever the state was."""
    return chains(blackjax.irmh(lambda s: log_target[s], lambda key: jax.random.categorical(key, log_proposal),
                                *log_density), states, seed)


@jax.jit
def mis_kernel(states, log_target, log_proposal, seed):
    """irmh, with proposal_logdensity_fn(a, b) = log q(b)"""
    return independent(states, log_target, log_proposal, seed, lambda a, b: log_proposal[b.position])


@jax.jit
def mis_kernel__first(states, log_target, log_proposal, seed):
    """irmh, with proposal_logdensity_fn(a, b) = log q(a)

    The other reading of "the log-density to obtain a given proposal knowing the current state".
    """
    return independent(states, log_target, log_proposal, seed, lambda a, b: log_proposal[a.position])


@jax.jit
def mis_kernel__default(states, log_target, log_proposal, seed):
    """irmh, as its documentation shows it: without proposal_logdensity_fn

    Without it "we assume the proposal is symmetric": an independent proposal is so only if it is uniform.
    """
    return independent(states, log_target, log_proposal, seed)


@jax.jit
def effective_sample_size(log_w):
    """smc.ess.ess"""
    return jax.vmap(ess)(log_w)


def langevin_step(x, score, eps, z):
    """sgmcmc.diffusions.overdamped_langevin, with its noise given"""
    with mock.patch("blackjax.sgmcmc.diffusions.generate_gaussian_noise", lambda *given: z):
        return overdamped_langevin()(None, x, score, eps)


def systematic_resampling(log_w, n, u):
    """smc.resampling.systematic of softmax, with its uniform number given"""
    rows = []
    for row, number in zip(log_w, u, strict=True):
        with mock.patch("jax.random.uniform", lambda *given, number=number: number[0]):
            rows.append(systematic(None, jax.nn.softmax(row), n))
    return jnp.stack(rows)


def leapfrog(x, r, mean, sd, eps, L):
    """mcmc.integrators.velocity_verlet, L times"""
    value_and_grad = jax.value_and_grad(lambda x: jnp.sum(jax.vmap(log_density(mean, sd))(x)))
    step = velocity_verlet(lambda x: value_and_grad(x)[0], lambda r, position=None: 0.5 * jnp.sum(r**2))
    state = IntegratorState(x, r, *value_and_grad(x))
    for _ in range(L):
        state = step(state, eps)
    return state.position, state.momentum
