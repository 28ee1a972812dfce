"""The campaign's part for what neither claims nor contracts nor doctests call, room by room."""
import importlib
from functools import partial

import numpy as np
import test_backend as on_device

from refdgm import chains, continuous, diagnostics, proposals
from refdgm.adversarial import lemma2, mixture_minima
from refdgm.divergences import F_DIVERGENCES
from refdgm.models import (autoregressive, boltzmann, dbm, deep_sbn, dlgm, finite_chain, gaussian_fit, gaussian_rbm,
                           ising, joint_tables, linear_gaussian, logistic_regression, rbm, targets)
from refdgm.numerics import all_binary
from refdgm.samplers import ais, gibbs, importance, mala, rejection, replay_buffer, resampling, ula
from refdgm.streams import stream

LAW, OTHER, X = np.array([0.1, 0.2, 0.3, 0.4]), np.full(4, 0.25), on_device.X
BITS = all_binary(3)
TARGET, UNIT = on_device.NORMAL, dict(D=1, H1=1, H2=1)


def runs():
    """(function, arguments): each function has its arguments already."""
    for part in (of_samplers, on_the_device, of_chains, of_models, of_targets, of_games):
        yield from ((call, {}) for call in part())


def on_the_device():
    """What tests/test_backend.py runs there: a step of every sampler, and functions."""
    for name, (arrays, init, step) in on_device.CHAINS.items():
        yield partial(first_step, importlib.import_module(f"refdgm.samplers.{name.split()[0]}"), arrays, init, step)
    for function, *arguments in (*on_device.FUNCTIONS.values(), *on_device.COMPILED.values()):
        yield partial(function, *arguments)


def first_step(sampler, arrays, init, step):
    step(sampler, init(sampler, np.float64, *arrays), *arrays)


def of_chains():
    state, step = ula.init(TARGET, X), partial(ula.step, TARGET, eps=0.1)
    yield partial(chains.fits, state, step)
    yield partial(chains.shaped, state, x=(2,))
    yield partial(chains.in_ranges, positions, 3, 2)
    yield partial(chains.drive, state, chains.repeated(step), 2)
    yield partial(continuous.run, "ula", step, TARGET, state, lambda first, n: (np.full(n, 0.05), np.full(n, 0.3)), 2)
    draws = np.random.default_rng(0).normal(size=(8, 2))
    yield partial(diagnostics.standard_error, draws)
    yield partial(diagnostics.to_arviz, chains.Run(state, draws, None, 8, False))


def positions(first, number):
    return ula.run(TARGET, ula.init(TARGET, X[first:first + number], first=first), 0.1, 2)


def of_samplers():
    yield partial(ais.base_rates, BITS)
    yield partial(gibbs.step, np.arange(4), np.log(LAW), 1, np.linspace(0.1, 0.9, 4))
    log_w, f = np.log(np.stack([LAW, OTHER])), np.arange(8.0).reshape(2, 4)
    yield partial(importance.log_normaliser, log_w)
    yield partial(importance.standard_error, log_w, f)
    yield partial(importance.multinomial, log_w, 3, stream(0, 2))
    yield partial(importance.systematic, log_w, 3, stream(0, 2))
    yield partial(mala.log_q, X, X[::-1].copy(), -X, 0.1)
    yield partial(rejection.log_bound, np.log(LAW), np.log(OTHER))
    yield partial(rejection.transition_matrix, np.log(LAW), np.log(OTHER), 0.5)
    buffer = replay_buffer.init(4, 2, -1.0, 1.0)
    yield partial(replay_buffer.put_back, buffer, np.array([0, 2]), X[:2])
    q = proposals.normal([0.3, -0.2], [1.5, 2.0])
    yield partial(rejection.step, q, proposals.LogWeight(TARGET, q), 3.0, rejection.init(q, 3))
    drawn = resampling.step(q, proposals.LogWeight(TARGET, q), resampling.init(q, 3))
    yield partial(resampling.effective_sample_size, drawn)


def of_models():
    rng = np.random.default_rng(0)
    yield partial(autoregressive.random_case, 0)
    theta = boltzmann.random_theta(rng, 3)
    yield partial(boltzmann.log_partition, theta)
    yield partial(boltzmann.log_prob_table, theta)

    theta, h1, h2 = dbm.random_theta(rng, 3, 2, 2), all_binary(2)[1:], all_binary(2)[:3]
    yield partial(dbm.energy, theta, BITS[:3], h1, h2)
    yield partial(dbm.middle_free_energy, theta, h1)
    yield partial(dbm.as_rbm, theta)
    yield partial(dbm.mean_statistics, theta, np.full(3, 1 / 3), BITS[:3], h1, h2)
    yield partial(dbm.bound, theta, BITS[:3], *dbm.mean_field(theta, BITS[:3], 2))
    yield partial(dbm.log_partition, theta)
    yield partial(dbm.log_marginal, theta, BITS)

    theta, phi, x = deep_sbn.random_case(0).values()
    yield partial(deep_sbn.log_weights, theta, phi, x, BITS)
    yield partial(deep_sbn.log_marginal, theta, x)
    yield partial(deep_sbn.posterior, theta, x)
    yield partial(deep_sbn.mean_over_draws(lambda *case: deep_sbn.log_weights(*case).sum(axis=1), 2), theta, phi, x)

    theta, h2 = dlgm.random_case(0).values()
    yield partial(dlgm.log_joint, theta, np.ones(2), np.ones(3), h2)
    yield partial(dlgm.validate, theta, np.ones(2))
    yield partial(dlgm.log_marginal, dlgm.random_case(0, **UNIT)["theta"], np.ones(1), 41)

    theta, v = gaussian_rbm.random_theta(rng, 3, 2), rng.normal(size=(4, 3))
    yield partial(gaussian_rbm.energy, theta, v, all_binary(2))
    for function in (gaussian_rbm.free_energy, gaussian_rbm.log_marginal, gaussian_rbm.validate):
        yield partial(function, theta, v)
    yield partial(gaussian_rbm.hidden_free_energy, theta, all_binary(2))
    yield partial(gaussian_rbm.log_partition, theta)
    yield partial(gaussian_rbm.mixture, theta)

    theta, phi, x = linear_gaussian.random_case(0).values()
    yield partial(linear_gaussian.elbo, theta, phi, x)
    yield partial(linear_gaussian.score_theta, theta, x, np.ones(2))
    yield partial(linear_gaussian.score_phi, phi, x, np.ones(2))

    yield partial(finite_chain.total_variation, LAW, OTHER)
    yield partial(gaussian_fit.monitor, gaussian_fit.PRINTED, F_DIVERGENCES["kl"])
    yield partial(ising.log_prob_table, {"beta": 0.4, "field": 0.1}, 2, 2)
    yield partial(joint_tables.validate, **joint_tables.random_case(0))
    yield partial(rbm.start, BITS, 2, 0)


def of_targets():
    features, labels = X[:3], np.array([1.0, -1.0, 1.0])
    yield partial(logistic_regression.logistic_regression, features, labels, 2)
    yield partial(targets.gaussian, *TARGET)
    yield partial(targets.gaussian_mixture, np.array([0.3, 0.7]), X[:2], np.array([0.5, 1.0]))
    yield partial(targets.mlp_energy, *on_device.NETWORK[:5])
    yield partial(targets.has_form, TARGET)
    yield partial(targets.block_form, targets.Minibatch)


def of_games():
    yield partial(lemma2.perfect_from_x, **lemma2.laws_on(overlap=0)(0))
    yield partial(mixture_minima.minima, gaussian_fit.PRINTED, F_DIVERGENCES["kl"], mixture_minima.STARTS[20:22])
