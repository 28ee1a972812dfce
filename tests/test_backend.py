"""Everything on device arrays gives what it gives on the host, and nothing goes back to the host on the way.

No GPU is needed: strict_cupy stands in for CuPy, and refuses what CuPy refuses.
"""
import functools
import importlib
import importlib.machinery
import pathlib
import sys
import types
from typing import NamedTuple

import autograd.numpy as anp
import cuda_on_cpu
import numpy as np
import pytest
import strict_cupy
from autograd import elementwise_grad, grad, hessian, jacobian
from scipy import special

import refdgm
from refdgm import (backend, cli, crosscheck, diagnostics, doctor, enumeration, fused, ledger, numerics, proposals,
                    report, updates, verdicts, verification)
from refdgm.checking import Claim, equals
from refdgm.directed import elbo, iwae_network, iwae_pathwise, sbn_gradients
from refdgm.learning import (
    autoregressive_learning,
    auxiliary_generator_learning,
    avb_learning,
    bigan_learning,
    dae_learning,
    dbm_learning,
    dbn_learning,
    em_learning,
    febm_learning,
    gan_learning,
    helmholtz_learning,
    inference_models,
    nce_learning,
    predictability_learning,
    random_field_learning,
    rbm_learning,
    relaxed_learning,
    sbn_learning,
    vae_learning,
)
from refdgm.models import (
    boltzmann,
    critic,
    dbm,
    gaussian_rbm,
    ising,
    linear_gaussian,
    random_field,
    rbm,
    sbn,
    targets,
    vae,
)
from refdgm.samplers import (
    ais,
    boltzmann_gibbs,
    dbm_gibbs,
    finite_metropolis,
    gaussian_rbm_gibbs,
    importance,
    ising_gibbs,
    rbm_gibbs,
    sbn_gibbs,
    sbn_mis,
)
from refdgm.streams import normals, stream, uniforms, words
from refdgm.trees import leaves
from refdgm.undirected import neural_field

CLAIMS, CONTRACTS = ledger.claims(), crosscheck.contracts()
HOST_ONLY = ["kingma2019.A.1.4.joint", "kingma2019.sec1.6.batch", "ou2018.fn4", "ou2018.jsa.consistency"]     # says why
RNG = np.random.default_rng(0)
C = 6                                                       # chains
X = RNG.normal(size=(C, 2))


def same(found, expected):
    """Equal bit for bit, type for type, and all arrays on the device, where NumPy's numbers are arrays, too."""
    for (path, a), (_, b) in zip(leaves(found), leaves(expected), strict=True):
        assert isinstance(a, strict_cupy.ndarray if isinstance(b, np.ndarray) else (strict_cupy.ndarray, type(b))), path
        a = backend.to_host(a)
        assert np.array_equal(a, b, equal_nan=True) and np.asarray(a).dtype == np.asarray(b).dtype, path


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
    "resampling": ((proposals.normal([0.3, -0.2], [1.5, 2.0]), MIXTURE),
                   lambda resampling, real, q, target: resampling.init(q, C, seed=5),
                   lambda resampling, state, q, target: resampling.step(q, proposals.LogWeight(target, q), state)),
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


def test_every_sampler_is_here():
    """Whoever adds a sampler with a state and a step adds it to CHAINS."""
    folder = importlib.import_module("refdgm.samplers").__path__[0]
    modules = {path.stem: importlib.import_module(f"refdgm.samplers.{path.stem}")
               for path in pathlib.Path(folder).glob("[a-z]*.py")}
    with_chains = {name for name, module in modules.items() if hasattr(module, "init") and hasattr(module, "step")}
    assert with_chains == {name.split()[0] for name in CHAINS}


# ---- claims and contracts ---------------------------------------------------------------

def has(kind, tree):
    """Whether some leaf of a tree of any kind is of this type."""
    if isinstance(tree, dict):
        return any(has(kind, part) for part in tree.values())
    return any(has(kind, part) for part in tree) if isinstance(tree, (tuple, list)) else isinstance(tree, kind)


def computed_on_device(claimed):
    """The function with its arguments moved to the device; what it gives must be there, and comes back."""
    def on_device(**case):
        with backend.use("cupy"), strict_cupy.no_floats():      # not even a number is fetched on the way
            found = claimed(**backend.to_device(case))
        assert not (has(np.ndarray, case) and has(np.ndarray, found)), "an array of the host comes out"
        return backend.to_host(found)
    return on_device


def holds_on_device(claim):
    with strict_cupy.installed(), backend.use("numpy"), np.errstate(all="ignore"):
        return claim.check(computed_on_device(claim.claimed), range(1)).ok


@pytest.mark.parametrize("id", sorted(CLAIMS.keys() - set(HOST_ONLY)))
def test_a_claim_holds_on_the_device(id):
    assert holds_on_device(CLAIMS[id])


@pytest.mark.parametrize("id", HOST_ONLY)
def test_what_is_left_to_the_host_must_be(id):
    assert [id for id, claim in sorted(CLAIMS.items()) if claim.host_only] == HOST_ONLY
    with pytest.raises(TypeError):
        holds_on_device(CLAIMS[id])


def test_a_detour_over_the_host_is_seen():
    """np.asarray, math and scipy take numbers to the host; none of them gets a device's."""
    def case(seed):
        return {"x": np.random.default_rng(seed).uniform(1.0, 2.0, size=4)}
    for detour in (lambda x: np.asarray(x)**2, lambda x: np.array([float(v)**2 for v in x]), special.gammaln,
                   lambda x: x * np.ones(4), lambda x: x + np.arange(4)):
        with pytest.raises((TypeError, AssertionError)):
            holds_on_device(Claim("detour", detour, equals(lambda x: x**2, case), {}))
    assert holds_on_device(Claim("none", lambda x: x**2, equals(lambda x: x**2, case), {}))


class DeviceGenerator:
    """NumPy's generator, its numbers moved to the device."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def __getattr__(self, name):
        return lambda *arguments, **options: backend.here(getattr(self.rng, name)(*arguments, **options))


def asked(item, case):
    """The arguments of a contract's reference, for one case."""
    given = [case.arguments[a.name] for a in item.arguments if a.name in case.arguments]
    if item.judge.kind == "keeps":                          # a step from x, which draws
        given = [item.judge.draw(np.random.default_rng(0), 5, *given), *given]
    return given


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_s_reference_on_the_device(name):
    item = CONTRACTS[name]
    draws = item.judge.kind == "keeps"
    for case in item.judge.cases(0):
        given = asked(item, case)
        with np.errstate(all="ignore"):
            expected = item.reference(*given, *([np.random.default_rng(1)] if draws else []))
            with strict_cupy.installed():
                same(item.reference(*backend.to_device(given), *([DeviceGenerator(1)] if draws else [])), expected)


# ---- gradients, by autograd and by hand ------------------------------------------------

def of_theta(function):
    return grad(lambda theta, *rest: anp.sum(function(theta, *rest)))


RBM, FIELD, X_BITS = rbm.random_theta(RNG, 4, 3), random_field.random_case(0)["theta"], numerics.all_binary(3)[1:]
VAE, PATHWISE = vae.random_case(0), iwae_pathwise.random_case(0)
NET, EPS = iwae_network.random_params(0, 4, 3, 2), RNG.normal(size=(C, 5, 2))
SMALL, THETA, PHI = BELIEF_NET["X"], BELIEF_NET["theta"], BELIEF_NET["phi"]
LAYER = (RNG.normal(size=(C, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=4))
CURVE = {"W": RNG.normal(size=(3, 2)), "b": RNG.normal(size=3)}

FUNCTIONS = {           # name: the function, its arguments
    "grad log p of an RBM": (of_theta(rbm.log_marginal), RBM, BITS),
    "grad log p of a sigmoid belief net": (of_theta(sbn.log_marginal), THETA, SMALL),
    "grad log p of a random field": (of_theta(random_field.log_prob), FIELD, X_BITS),
    "grad log p of a linear-Gaussian model": (of_theta(linear_gaussian.log_marginal), GAUSSIAN["theta"], GAUSSIAN["x"]),
    "grad log p of a VAE": (of_theta(lambda theta, x: vae.log_marginal(theta, x, 101)), VAE["theta"], VAE["x"]),
    "grad ELBO": (grad(lambda phi, theta, X: elbo.average_bound(theta, phi, X)), PHI, THETA, SMALL),
    "grad of the IWAE bound": (of_theta(lambda params, x: iwae_pathwise.bound(params, x, 2)), PATHWISE["params"],
                               PATHWISE["x"]),
    "grad of a score": (of_theta(rbm.free_energy), RBM, BITS),
    "Jacobian": (jacobian(lambda b, W: anp.tanh(anp.dot(W, b))), X[0], CURVE["W"]),
    "Hessian": (hessian(lambda b, W: anp.sum(anp.exp(anp.dot(W, b)))), X[0], CURVE["W"]),
    "elementwise derivative": (elementwise_grad(numerics.softplus), X),
    "indices, stacks, diagonals": (grad(lambda x: anp.sum(anp.stack([x[1:], x[:-1]])[:, [0, 2]] ** 2)
                                        + anp.sum(anp.diagonal(anp.outer(x, x)))
                                        + anp.sum(anp.pad(x, 1, "constant")[::2])), RNG.normal(size=4)),
    "where, max, concatenate": (grad(lambda x: anp.sum(anp.where(x > 0, x, x**2)) + anp.max(x)
                                     + anp.sum(anp.append(x, 2 * x) ** 3)), X),
    "linear algebra": (grad(lambda A: anp.linalg.slogdet(A)[1] + anp.sum(anp.linalg.inv(A)) + anp.sum(
        anp.linalg.solve(A, anp.ones(2))) + anp.sum(anp.einsum("ij,jk->ik", A, A))), NORMAL.P),
    "transposes and contractions": (grad(lambda a: anp.sum(
        anp.tensordot(anp.transpose(a, (2, 0, 1)), a, [[1, 2], [0, 1]])**2) + anp.sum(anp.tensordot(a, a, 3))
        + anp.sum(anp.moveaxis(a, 0, -1)**3) + anp.sum(anp.matmul(a, anp.swapaxes(a, 1, 2))) + anp.sum(a.T**2)),
                                    RNG.normal(size=(2, 3, 4))),
    "sbn: ELBO by hand": (sbn_gradients.elbo_gradient, THETA, PHI, SMALL),
    "sbn: inclusive divergence by hand": (sbn_gradients.inclusive_gradient, THETA, PHI, SMALL),
    "tanh layer": (fused.tanh_layer, *LAYER),
    "grad of a tanh layer": (grad(lambda W, x, b: anp.sum(fused.tanh_layer(x, W, b))), LAYER[1], LAYER[0], LAYER[2]),
    "random field: direction": (neural_field.direction, FIELD, X_BITS, X_BITS[::2]),
    "random field: exact direction": (neural_field.mean_gradient, FIELD),
    "random field: a Gibbs sweep": (neural_field.gibbs_sweep, FIELD, X_BITS, RNG.random(X_BITS.shape)),
    "RBM: contrast": (rbm_learning.contrast, RBM, BITS, BITS[::2]),
    "importance: estimate": (importance.estimate, X, RNG.normal(size=(C, 2, 3))),
    "importance: picked": (importance.picked, X, RNG.random((C, 4))),
    "transitions: Boltzmann machine": (boltzmann_gibbs.transition_matrix, boltzmann.random_theta(RNG, 4)),
    "transitions: random scan": (lambda theta: boltzmann_gibbs.transition_matrix(theta, "random"),
                                 boltzmann.random_theta(RNG, 4)),
    "transitions: Ising": (lambda theta: ising_gibbs.transition_matrix(theta, (2, 2)), *CHAINS["ising_gibbs"][0]),
    "transitions: RBM": (rbm_gibbs.transition_matrix, RBM),
    "transitions: DBM": (dbm_gibbs.transition_matrix, dbm.random_theta(RNG, 3, 2, 2)),
    "transitions: Gaussian RBM": (gaussian_rbm_gibbs.hidden_transition_matrix, gaussian_rbm.random_theta(RNG, 2, 2)),
    "transitions: sigmoid belief net": (sbn_gibbs.transition_matrix, THETA, SMALL[0]),
    "transitions: codes": (sbn_mis.transition_matrix, THETA, PHI, SMALL[:2]),
    "transitions: Metropolis": (finite_metropolis.transition_matrix, LOG_P, PROPOSAL),
    "AIS: mean weight": (ais.mean_weight, rbm.random_theta(RNG, 3, 2), np.linspace(0, 1, 4)),
    "log Z of a DBM": (dbm.log_partition, dbm.random_theta(RNG, 3, 2, 2)),
    "log Z of a Gaussian RBM": (gaussian_rbm.log_partition, gaussian_rbm.random_theta(RNG, 2, 2)),
    "log Z of a random field": (random_field.log_partition, FIELD),
    "log Z of an Ising model": (lambda theta: ising.log_partition(theta, 2, 4), *CHAINS["ising_gibbs"][0]),
    **{f"update: {rule.name}": (lambda theta, F, rule=rule: rule.step(theta, rule.init(theta), F, 0.1, 1), RBM, RBM)
       for rule in (updates.sgd(), updates.momentum(), updates.adam(), updates.adamax())},
    "stream": (lambda chain: [draw(stream(3, 2)._replace(chain=chain), 5) for draw in (words, uniforms, normals)],
               np.arange(3, dtype=np.uint32)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_on_the_device(name):
    function, *arguments = FUNCTIONS[name]
    expected = function(*arguments)
    with strict_cupy.installed():
        same(function(*backend.to_device(arguments)), expected)


COMPILED = {            # the host's pass is compiled and rounds otherwise
    "Bernoulli layer": (fused.bernoulli_layer, BITS, RNG.normal(size=(2 * C, 3)), *LAYER[1:]),
    "grad of a Bernoulli layer": (grad(lambda W, x, h, b: anp.sum(fused.bernoulli_layer(x, h, W, b))), LAYER[1], BITS,
                                  RNG.normal(size=(2 * C, 3)), LAYER[2]),
    "Bernoulli log-probability": (fused.bernoulli_log_prob, BITS[:, None], RNG.normal(size=(C, 5, 4))),
    "IWAE network": (iwae_network.gradient, NET, BITS, EPS),
    "log Z of an RBM": (enumeration.rbm_log_partition, RBM),
    "moments of an RBM": (enumeration.rbm_moments, RBM),
    "moments of a Boltzmann machine": (enumeration.boltzmann_moments, boltzmann.random_theta(RNG, 6)),
}


@pytest.mark.parametrize("name", COMPILED)
def test_what_is_compiled_on_the_host_has_a_form_on_the_device(name):
    function, *arguments = COMPILED[name]
    expected = function(*arguments)
    with strict_cupy.installed():
        found = function(*backend.to_device(arguments))
    for (_, a), (_, b) in zip(leaves(found), leaves(expected), strict=True):
        assert isinstance(a, strict_cupy.ndarray)
        assert np.allclose(backend.to_host(a), b, rtol=1e-12, atol=1e-12)


# ---- learning -----------------------------------------------------------------------------

REAL, COINS = RNG.normal(size=(20, 1)), (np.random.default_rng(3).random((20, 4)) < 0.5).astype(float)


def vae_with(posterior, **options):
    return lambda: vae_learning.vae(vae_learning.bernoulli(2, 4), posterior(2, 4), **options)


def linear_febm():
    features = critic.linear_critic(backend.here(REAL), units=5, keep=1e-2)
    return febm_learning.febm("kl", febm_learning.quadratic(), features, febm_learning.exact(-10, 10))


def of_players(learn, *first, generator=gan_learning.location_scale):
    return lambda: learn(*first, generator(), gan_learning.tanh_discriminator(1, (4,)))


ON_BITS = {             # name: makes the algorithm, among the arrays in use
    "VAE": vae_with(inference_models.diagonal), "IWAE": vae_with(inference_models.diagonal, K=3),
    "full covariance": vae_with(inference_models.full), "planar flow": vae_with(inference_models.planar),
    "IAF": vae_with(inference_models.iaf), "auxiliary variables": vae_with(inference_models.auxiliary),
    "AEVB": lambda: vae_learning.aevb(vae_learning.bernoulli(2, 4), inference_models.diagonal(2, 4)),
    "AVB": lambda: avb_learning.avb(vae_learning.bernoulli(2, 4), inference_models.diagonal(2, 4)),
    "RWS": lambda: sbn_learning.rws(2), "VIMCO": lambda: sbn_learning.vimco(2), "NVIL": lambda: sbn_learning.nvil(2),
    "wake-sleep": lambda: sbn_learning.wake_sleep(2), "JSA": lambda: sbn_learning.jsa(2),
    "Helmholtz": lambda: helmholtz_learning.wake_sleep(2, 2),
    "Helmholtz, means": lambda: helmholtz_learning.mean_wake_sleep(2, 2),
    "MuProp": lambda: relaxed_learning.muprop(2), "straight-through": lambda: relaxed_learning.straight_through(2),
    "Gumbel-softmax": relaxed_learning.gumbel_softmax, "vectors quantised": relaxed_learning.vector_quantised,
    "EM": lambda: em_learning.em(em_learning.mixture(2)), "EM of a net": lambda: em_learning.em(em_learning.net(2)),
    "variational EM": lambda: em_learning.variational_em_of_net(2),
    "MCMC-EM": lambda: em_learning.mcmc_em(em_learning.net(2)),
    "RBM, exactly": lambda: rbm_learning.exact_ml(3), "RBM, f-EBM": lambda: rbm_learning.febm(H=3),
    "DBM, exactly": lambda: dbm_learning.exact_ml(3, 2), "stacked RBM": lambda: dbn_learning.stacked_rbm(3),
    "random field": lambda: random_field_learning.sml(4),
    "IAG": lambda: auxiliary_generator_learning.iag(4, chains=6),
    "NCE": lambda: nce_learning.nce(nce_learning.neural(3)),
    "DNCE": lambda: nce_learning.dnce(nce_learning.boltzmann()),
    "autoregressive": autoregressive_learning.fully_visible, "masked": lambda: autoregressive_learning.masked(4),
    "denoising autoencoder": lambda: dae_learning.dae(J=4), "GSN": lambda: dae_learning.gsn(2, 4),
    "predictability minimisation": predictability_learning.predictability_minimisation}
ON_REALS = {
    "principal components": lambda: vae_learning.vae(vae_learning.principal_components(1),
                                                     inference_models.diagonal(1, 4)),
    "f-EBM": linear_febm, "BiGAN": bigan_learning.bigan, "GAN": of_players(gan_learning.gan),
    "f-GAN": of_players(gan_learning.fgan, "kl"),
    "WGAN": of_players(gan_learning.wgan, generator=lambda: gan_learning.tanh_generator(1, 2, (4,)))}
BY_KERNELS = {"CD": lambda: rbm_learning.cd(1, 3), "PCD": lambda: rbm_learning.pcd(1, 10, 3),
              "SML of a DBM": lambda: dbm_learning.sml(3, 2, chains=6)}


def fitted(make, data):
    return refdgm.fit(make(), backend.here(data), 3, batch=5, seed=1).parameters


@pytest.mark.parametrize("make, data", [pytest.param(make, data, id=name) for makers, data in (
    (ON_BITS, COINS), (ON_REALS, REAL)) for name, make in makers.items()])
def test_learning_on_the_device(make, data):
    expected = fitted(make, data)
    with strict_cupy.installed():
        found = fitted(make, data)
    for (path, a), (_, b) in zip(leaves(found), leaves(expected), strict=True):
        assert isinstance(a, strict_cupy.ndarray), path
        assert np.allclose(backend.to_host(a), b, rtol=1e-9, atol=1e-12), path


@pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler is found")
@pytest.mark.parametrize("name", BY_KERNELS)
def test_learning_by_a_gpu_s_kernels(name):
    expected = fitted(BY_KERNELS[name], COINS)
    with cuda_on_cpu.installed():
        same(fitted(BY_KERNELS[name], COINS), expected)


def test_diagnostics_are_the_host_s():
    with strict_cupy.installed(), pytest.raises(ValueError, match="draws must be on the host"):
        diagnostics.split_r_hat(backend.to_device(RNG.normal(size=(8, 2))))


# ---- the backend itself -----------------------------------------------------------------

def test_use_and_back():
    assert backend.name() == "numpy"
    with strict_cupy.installed():
        assert backend.name() == "cupy" and isinstance(backend.xp.zeros(2), strict_cupy.ndarray)
        with backend.use("numpy"):
            assert backend.name() == "numpy" and isinstance(backend.xp.zeros(2), np.ndarray)
        with pytest.raises(ArithmeticError), backend.use("numpy"):
            raise ArithmeticError
        assert backend.name() == "cupy"
    assert backend.name() == "numpy"


def test_there_and_back():
    class Pair(NamedTuple):
        a: np.ndarray
        b: object

    tree = {"w": X, "pair": Pair(BITS, "b"), "list": [LOG_P, (1, 2.0, None)], "f": functools.partial(np.dot, LOG_P)}
    with strict_cupy.installed():
        there = backend.to_device(tree)
        assert has(strict_cupy.ndarray, there) and not has(np.ndarray, there) and isinstance(there["pair"], Pair)
        assert isinstance(there["f"](backend.to_device(PROPOSAL)), strict_cupy.ndarray)
        assert backend.module_of(there["w"]) is strict_cupy.cupy and backend.on_device(there["w"])
        back = backend.to_host(there)
        assert isinstance(backend.here(X), strict_cupy.ndarray)
        made_there = backend.xp.ones(3)
    assert backend.module_of(X) is np and np.array_equal(backend.here(made_there), np.ones(3))
    assert np.array_equal(back["w"], X) and np.array_equal(back["pair"].a, BITS) and back["list"][1] == (1, 2.0, None)
    assert np.array_equal(back["f"](PROPOSAL), LOG_P @ PROPOSAL)


def test_what_cannot_be_used_is_said(monkeypatch):
    with pytest.raises(ValueError, match="must be 'numpy' or 'cupy', but is 'torch'"):
        backend.use("torch")
    monkeypatch.setitem(sys.modules, "cupy", None)          # as if it were not installed
    with pytest.raises(ValueError, match="needs CuPy: pip install"):
        backend.use("cupy")
    blind = types.ModuleType("cupy")
    blind.is_available = lambda: False
    monkeypatch.setitem(sys.modules, "cupy", blind)
    with pytest.raises(ValueError, match="finds no GPU"):
        backend.use("cupy")
    assert backend.name() == "numpy"


# ---- the stand-in is as strict as CuPy ----------------------------------------------------

ON = strict_cupy.cupy.array([[1.0, 2.0], [3.0, 4.0]])
HOST = np.ones((2, 2))


def fetched(number):
    with strict_cupy.no_floats():
        return float(number)


REFUSED = {
    "NumPy's array of it": lambda: np.asarray(ON),
    "a NumPy number of it": lambda: np.float32(ON[0, 0]),
    "a sum with NumPy's": lambda: ON + HOST,
    "NumPy's sum with it": lambda: HOST + ON,
    "in place": lambda: ON.copy().__iadd__(HOST),
    "a ufunc of both": lambda: np.maximum(ON, HOST),
    "a product of both": lambda: np.dot(ON, HOST),
    "NumPy's array as an index": lambda: ON[np.array([0])],
    "NumPy's values set": lambda: ON.copy().__setitem__(0, np.ones(2)),
    "NumPy's array set from it": lambda: HOST.copy().__setitem__(0, ON[0]),
    "joined with NumPy's": lambda: np.concatenate([ON, HOST]),
    "joined with a list": lambda: np.concatenate([ON[0], [1.0]]),
    "a sum with a list": lambda: ON + [1.0, 2.0],
    "a list": lambda: strict_cupy.cupy.sum([1.0, 2.0]),
    "a number": lambda: strict_cupy.cupy.reshape(1.0, (1, 1)),
    "np.block": lambda: np.block([[ON], [ON]]),
    "multi_dot": lambda: np.linalg.multi_dot([ON, ON, ON]),
    "a ufunc's reduce": lambda: np.logaddexp.reduce(ON),
    "scipy": lambda: special.gammaln(ON),
    "initial=": lambda: np.max(ON, initial=0.0),
    "where=": lambda: np.add(ON, ON, where=ON > 0),
    "repeats of its own": lambda: np.repeat(ON[0], strict_cupy.cupy.array([1, 2])),
    "slices in r_": lambda: backend.xp.r_[0:2] + ON[0],
    "an order of None": lambda: np.reshape(ON, (4,), order=None),
    "isin a tuple": lambda: np.isin(ON, (0, 1)),
    "a nest with numbers": lambda: strict_cupy.cupy.array([ON[0, 0], 1.0]),
    "a nest of unequal ones": lambda: strict_cupy.cupy.array([ON, ON[0]]),
    "a number, where numbers stay": lambda: fetched(ON[0, 0]),
    "math": lambda: range(strict_cupy.cupy.array(2)),
    "a set": lambda: set(ON[0]),
    "Gauss-Hermite nodes": lambda: strict_cupy.cupy.polynomial.hermite_e,
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_stand_in_refuses(name):
    with strict_cupy.installed(), pytest.raises((TypeError, AttributeError)):
        REFUSED[name]()


def test_the_stand_in_gives_arrays():
    assert isinstance(ON.sum(), strict_cupy.ndarray) and isinstance(ON[0, 0], strict_cupy.ndarray)
    assert isinstance(2.0 * ON, strict_cupy.ndarray) and isinstance(np.exp(ON), strict_cupy.ndarray)
    assert float(ON[0, 1]) == 2.0 and ON.shape == np.shape(ON) == (2, 2) and np.array_equal(ON.get()[0], [1, 2])


# ---- refdgm verify --backend cupy, refdgm doctor ------------------------------------------

def test_verify_computes_formulas_on_the_device_and_says_so():
    tasks = verification.resolve(["ou2018.eq15", "ou2018.fn4", next(iter(ledger.derivations()))])
    with strict_cupy.installed(), backend.use("numpy"):
        records = list(verification.run(tasks, range(4), backend="cupy"))
    assert [record["status"] for _, record in records] == 3 * ["confirmed"]
    assert [record["backend"] for task, record in records if task.kind == "claim"] == ["cupy", "numpy"]
    said = report.summary_text(verification.summary(records), 0.0, 0, 4)
    assert "1 of them computed by CuPy on a GPU and 1 by NumPy, as are derivations" in said
    host = list(verification.run(tasks, range(4)))
    assert [r["measured"] for _, r in host if "measured" in r] == [r["measured"] for _, r in records if "measured" in r]
    assert "CuPy" not in report.summary_text(verification.summary(host), 0.0, 0, 4)


def test_verify_sees_what_is_wrong_on_the_device_alone():
    def case(seed):
        return {"x": np.random.default_rng(seed).uniform(1.0, 2.0, size=4)}
    claim = Claim("x", lambda x: x**2 + (1.0 if backend.on_device(x) else 0.0), equals(lambda x: x**2, case),
                  {"x": lambda x: x, "2x": lambda x: 2 * x + 1})
    assert verdicts.verify_claim(claim, range(4))["status"] == "confirmed"
    with strict_cupy.installed(), backend.use("numpy"):
        record = verdicts.verify_claim(claim, range(4), backend="cupy")
    assert record["status"] == "contradicted" and record["backend"] == "cupy"


def test_verify_without_cupy_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert cli.main(["verify", "ou2018.eq15", "--backend", "cupy"]) == 2
    out, err = capsys.readouterr()
    assert not out and err == "refdgm: the backend 'cupy' needs CuPy: pip install 'refdgm[gpu]'.\n"


def test_doctor_says_what_gpu_there_is(monkeypatch):
    def answer(**runtime):
        cupy = types.ModuleType("cupy")
        cupy.__version__, cupy.__spec__, cupy.arange = "14.2.0", importlib.machinery.ModuleSpec("cupy", None), np.arange
        cupy.cuda = types.SimpleNamespace(runtime=types.SimpleNamespace(**runtime))
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        return list(doctor.gpu())

    def no_driver(device):
        raise RuntimeError("cudaErrorInsufficientDriver: too old\nand more")
    there = {"getDeviceProperties": lambda device: {"name": b"A card", "major": 8, "minor": 6},
             "memGetInfo": lambda: (2**30, 2**33)}
    assert answer(**there) == ["A card, compute capability 8.6, CuPy 14.2.0", "1.0 of 8.0 GiB of memory are free",
                               "a kernel runs"]
    assert answer(getDeviceProperties=no_driver) == [
        "cannot be used: RuntimeError: cudaErrorInsufficientDriver: too old"]
