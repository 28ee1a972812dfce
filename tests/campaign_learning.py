"""The campaign's part for what learns: factories, monitors and update rules are lazy, and judged by a fit of two steps.

    runs()      (function, arguments) that call what is public in learning, datasets, trees and fitting
    learners()  {name: (function, call)}, where `call` has one argument alone of a factory, of a monitor or of the fit:
                what refuses it must name it; the function adds the others, makes the algorithm and fits it
"""
import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import datasets, trees, updates
from refdgm.directed import iwae_network
from refdgm.learning import auxiliary_generator_learning as auxiliary
from refdgm.learning import autoregressive_learning as autoregressive
from refdgm.learning import avb_learning as avb
from refdgm.learning import bigan_learning as bigan
from refdgm.learning import dae_learning as dae
from refdgm.learning import dbm_learning as dbm
from refdgm.learning import dbn_learning as dbn
from refdgm.learning import em_learning as em
from refdgm.learning import febm_learning as febm
from refdgm.learning import gan_learning as gan
from refdgm.learning import helmholtz_learning as helmholtz
from refdgm.learning import inference_models as inference
from refdgm.learning import map_learning
from refdgm.learning import nce_learning as nce
from refdgm.learning import predictability_learning as predictability
from refdgm.learning import random_field_learning as field
from refdgm.learning import rbm_learning as rbm
from refdgm.learning import relaxed_learning as relaxed
from refdgm.learning import sbn_learning as sbn
from refdgm.learning import vae_learning as vae
from refdgm.models import critic, gaussian_fit
from refdgm.numerics import gaussian_log_prob

BITS = datasets.bars_and_stripes(2).train           # (6, 4)
LINE = datasets.mixture(8).train                    # (8, 1)
PLANE = datasets.ring(8).train                      # (8, 2)
BOTH = {"data": BITS, "test": BITS[:2]}             # what most monitors look at
FOLDER = Path(tempfile.mkdtemp())                   # there as long as the tests run
atexit.register(shutil.rmtree, FOLDER)


class Learner(NamedTuple):
    """An algorithm's factory and its arguments, the data, a monitor's factory and its arguments."""
    make: Callable
    settings: dict
    data: np.ndarray = BITS
    look: Callable | None = None
    looked: dict = {}


# ---- every algorithm ------------------------------------------------------------------

def of_generator(make, **settings):
    """A GAN whose generator, for as many numbers as it makes, is this one."""
    return Learner(lambda **given: gan.gan(make(**given), V), settings, LINE)


def of_energy(part, make, **settings):
    """An f-EBM of which this one is a part."""
    parts = {"energy": febm.quadratic(), "critic": V, "sampler": febm.sums(-9.0, 9.0, 41)}
    return Learner(lambda **given: febm.febm("kl", **{**parts, part: make(**given)}), settings, LINE)


def of_posterior(make, **settings):
    """A VAE with this posterior."""
    return Learner(lambda **given: vae.vae(P, make(**given)), {"H": 1, "J": 2, **settings})


P, Q, V = vae.bernoulli(1, 2), inference.diagonal(1, 2), gan.tanh_discriminator(1, (4,))
G, PIXELS = gan.location_scale(), auxiliary.autoregressive_generator()
BELOW = rbm.rbm.random_theta(np.random.default_rng(0), 4, 2)
MIXTURE = em.mixture(2, 0.1)

LEARNERS = {
    "fully visible": Learner(autoregressive.fully_visible, {}, BITS, autoregressive.exact, BOTH),
    "masked": Learner(autoregressive.masked, {"J": 2}, BITS, autoregressive.exact, BOTH),
    "iag": Learner(auxiliary.iag, {"J": 2, "generator": PIXELS, "chains": 4, "proposals": 2, "number": 1}, BITS,
                   auxiliary.exact, {"generator": PIXELS, **BOTH}),
    "eag": Learner(auxiliary.eag, {"J": 2, "generator": PIXELS, "chains": 4, "negative": "chains", "entropy": "exact",
                                   "proposals": 1, "number": 1}),
    "belief net": Learner(lambda **given: auxiliary.iag(2, auxiliary.belief_net(**given), 4), {"H": 2}),
    "eag of reals": Learner(auxiliary.eag, {"J": 2, "generator": auxiliary.invertible(), "chains": 4, "sigma": 1.0,
                                            "entropy": "activations", "eps": 0.1}, LINE),
    "iag of reals": Learner(auxiliary.iag, {"J": 2, "chains": 4, "sigma": 1.0, "eps": 0.1}, LINE, auxiliary.exact,
                            {"data": LINE, "generator": auxiliary.invertible(), "sigma": 1.0}),
    "avb": Learner(avb.avb, {"decoder": P, "posterior": Q, "K": 2, "J": 2}),
    "bigan": Learner(bigan.bigan, {"critic": bigan.quadratic_critic(), "decoder": (0.5, 0.0, 0.0),
                                   "encoder": (0.5, 0.0, 0.0), "speed": 4.0}, LINE, bigan.exact,
                     {"log_p0": lambda x: gaussian_log_prob(x[:, None], 0.0, 1.0), "low": -9.0, "high": 9.0, "n": 41}),
    "dae": Learner(dae.dae, {"rho": 0.2, "J": 2, "decoder": "chain", "K": 2}, BITS, dae.exact,
                   {"data": BITS, "rho": 0.2, "decoder": "chain"}),
    "gsn": Learner(dae.gsn, {"H": 2, "J": 2, "decoder": "units", "K": 2}, BITS, dae.exact,
                   {"data": BITS, "decoder": "units"}),
    "dbm": Learner(dbm.learn, {"H": 2, "G": 1, "posterior": "gibbs", "rounds": 2, "chains": 3, "k": 2}, BITS, dbm.exact,
                   {"rounds": 2, **BOTH}),
    "exact dbm": Learner(dbm.exact_ml, {"H": 2, "G": 1}),
    "sml dbm": Learner(dbm.sml, {"H": 2, "G": 1, "posterior": "mean field", "rounds": 2, "chains": 3, "k": 2}),
    "rbm below": Learner(dbn.stacked_rbm, {"H": 2, "k": 1}, BITS, dbn.exact, {"data": BITS}),
    "rbm on top": Learner(dbn.stacked_rbm, {"H": 2, "below": (BELOW,), "chains": 3, "k": 2}, BITS, dbn.exact,
                          {"data": BITS, "below": BELOW}),
    "upside down": Learner(dbn.stacked_rbm, {"H": None, "below": (BELOW,), "chains": 0}),
    "em": Learner(em.em, {"model": MIXTURE, "hold": 2}, BITS, em.exact, {"model": MIXTURE, **BOTH}),
    "mixture": Learner(lambda **given: em.em(em.mixture(**given)), {"H": 2, "prior": 0.1, "scale": 0.5}),
    "net": Learner(lambda **given: em.em(em.net(**given)), {"H": 2, "scale": 0.5}),
    "variational em": Learner(em.variational_em_of_net, {"H": 2, "sweeps": 2}, BITS, em.exact_bound,
                              {"H": 2, "data": BITS, "sweeps": 3}),
    "mcmc em": Learner(em.mcmc_em, {"model": em.net(2), "L": 2}),
    "febm": Learner(febm.febm, {"name": "kl", "energy": febm.quadratic(), "critic": V,
                                "sampler": febm.sums(-9.0, 9.0, 41), "speed": 2.0}, LINE, febm.exact_divergence,
                    {"name": "kl", "target": gaussian_fit.PRINTED}),
    "quadratic": of_energy("energy", febm.quadratic, mu=0.2, sigma=2.25),
    "tanh critic": of_energy("critic", critic.tanh_critic, D=1, hidden=(4,), scale=1.0, which=0),
    "linear critic": of_energy("critic", critic.linear_critic, data=LINE, units=4, widen=1.25, steep=1.0, keep=1e-3),
    "sums": of_energy("sampler", febm.sums, low=-9.0, high=9.0, n=41),
    "inverse": of_energy("sampler", febm.exact, low=-9.0, high=9.0, n=41),
    "langevin": of_energy("sampler", febm.langevin, chains=4, eps=0.1, steps=2),
    "gan": Learner(gan.gan, {"generator": G, "discriminator": V, "trick": True, "speed": 2.0}, LINE,
                   gan.exact_divergence, {"name": "gan", "target": gaussian_fit.PRINTED}),
    "fgan": Learner(gan.fgan, {"name": "kl", "generator": G, "discriminator": V, "activation": "rule", "trick": False,
                               "speed": 2.0, "sums": 21}, LINE),
    "fgan of the table": Learner(gan.fgan, {"name": "jensen-shannon", "generator": G, "discriminator": V,
                                            "activation": "table"}, LINE),
    "wgan": Learner(gan.wgan, {"generator": G, "discriminator": V, "speed": 2.0, "sums": 21}, LINE,
                    gan.exact_wasserstein, {"generator": G, "data": LINE, "n": 21}),
    "location and scale": of_generator(gan.location_scale, mu=0.2, sigma=2.25),
    "tanh generator": of_generator(gan.tanh_generator, D=1, d=2, hidden=(4,), scale=1.0),
    "ring": Learner(lambda **given: gan.gan(gan.tanh_generator(2), gan.tanh_discriminator(**given)),
                    {"D": 2, "hidden": (4,), "scale": 1.0}, PLANE, gan.ring_monitor,
                    {"generator": gan.tanh_generator(2), "centres": datasets.ring_centres(), "sigma": 0.1, "n": 50}),
    "helmholtz": Learner(helmholtz.wake_sleep, {"H1": 2, "H2": 1}, BITS, helmholtz.exact, BOTH),
    "mean helmholtz": Learner(helmholtz.mean_wake_sleep, {"H1": 2, "H2": 1}),
    "diagonal": of_posterior(inference.diagonal),
    "full": of_posterior(inference.full),
    "planar": of_posterior(inference.planar, T=2),
    "iaf": of_posterior(inference.iaf, T=2),
    "auxiliary": of_posterior(inference.auxiliary, A=1),
    "semi-amortised": of_posterior(inference.semi_amortised, refinements=1, rate=0.1, nodes=3),
    "map": Learner(map_learning.gaussian_prior, {"algorithm": sbn.vimco(2, 2), "N": 6, "precision": 1.0}),
    "nce": Learner(nce.nce, {"field": nce.neural(2), "nu": 2}, BITS, nce.exact, {"field": nce.neural(2), **BOTH}),
    "dnce": Learner(nce.dnce, {"field": nce.boltzmann(2), "nu": 2, "alpha": 0.5}, BITS, nce.exact,
                    {"field": nce.boltzmann(2), **BOTH}),
    "neural": Learner(lambda **given: nce.nce(nce.neural(**given), 2), {"J": 2, "sigma": 1.0}, LINE),
    "boltzmann": Learner(lambda **given: nce.nce(nce.boltzmann(**given), 2), {"H": 2}),
    "predictability": Learner(predictability.predictability_minimisation, {"n": 2, "J": 2, "speed": 2.0}, BITS,
                              predictability.exact, {"data": BITS}),
    "exact random field": Learner(field.exact_ml, {"J": 2, "sigma": 2.0}, LINE, field.exact,
                                  {"data": LINE, "test": LINE[:2], "sigma": 2.0}),
    "sml of a random field": Learner(field.sml, {"J": 2, "chains": 4, "number": 2, "sigma": 2.0, "eps": 0.1,
                                                 "tested": True}, LINE),
    "sml of bits": Learner(field.sml, {"J": 2, "chains": 4, "number": 2}, BITS, field.exact, BOTH),
    "exact rbm": Learner(rbm.exact_ml, {"H": 2}, BITS, rbm.exact, BOTH),
    "cd": Learner(rbm.cd, {"k": 2, "H": 2}),
    "pcd": Learner(rbm.pcd, {"k": 2, "chains": 4, "H": 2}),
    "febm of bits": Learner(rbm.febm, {"name": "kl", "H": 2, "J": 3, "chains": 0}),
    "febm of chains": Learner(rbm.febm, {"H": 2, "J": None, "chains": 4, "k": 2}),
    "muprop": Learner(relaxed.muprop, {"K": 2, "H": 2}, BITS, sbn.exact, BOTH),
    "straight-through": Learner(relaxed.straight_through, {"K": 2, "H": 2}),
    "gumbel-softmax": Learner(relaxed.gumbel_softmax, {"K": 2, "H": 2, "tau": 0.5, "hard": False}),
    "vector quantised": Learner(relaxed.vector_quantised, {"M": 2, "H": 2, "beta": 0.25}, BITS, relaxed.exact_quantised,
                                {"data": BITS}),
    "vimco": Learner(sbn.vimco, {"K": 2, "H": 2}),
    "wake-sleep": Learner(sbn.wake_sleep, {"K": 2, "H": 2}),
    "rws": Learner(sbn.rws, {"K": 2, "H": 2, "phi": "both"}),
    "nvil": Learner(sbn.nvil, {"K": 2, "H": 2}),
    "jsa": Learner(sbn.jsa, {"K": 2, "H": 2}),
    "vae": Learner(vae.vae, {"decoder": P, "posterior": Q, "K": 2}, BITS, vae.exact,
                   {"decoder": P, "posterior": Q, "nodes": 3, **BOTH}),
    "aevb": Learner(vae.aevb, {"decoder": P, "posterior": Q, "K": 2}),
    "bernoulli": Learner(lambda **given: vae.vae(vae.bernoulli(**given), Q), {"H": 1, "J": 2}),
    "principal components": Learner(lambda **given: vae.vae(vae.principal_components(**given), Q), {"H": 1}, PLANE),
}
PLUGGED = {
    "update": {updates.momentum: {"b": 0.9}, updates.adam: {"b1": 0.9, "b2": 0.999, "epsilon": 1e-8},
               updates.adamax: {"b1": 0.9, "b2": 0.999, "epsilon": 1e-8},
               gan.weight_clipping: {"rule": updates.sgd(), "c": 0.1, "part": "theta"},
               avb.two_rates: {"rule": updates.adam(), "factors": {"phi": 2.0}}},
    "schedule": {updates.constant: {"gamma": 0.1}, updates.harmonic: {"first": 0.1, "offset": 1.0},
                 updates.robbins_monro: {"first": 0.1, "power": 0.75, "offset": 1.0},
                 updates.constant_then_harmonic: {"gamma": 0.1, "until": 1}}}
SETTINGS = {"algorithm": sbn.vimco(2, 2), "steps": 2, "batch": 3, "schedule": None, "update": None, "seed": 0,
            "monitor": sbn.exact(BITS), "every": 1, "patience": 2, "checkpoint": None, "progress": False}


# ---- judged ---------------------------------------------------------------------------

def algorithm(learner, **given):
    """Two steps of the algorithm that the factory makes of its arguments and what is given."""
    return refdgm.fit(learner.make(**learner.settings | given), learner.data, 2)


def monitor(learner, **given):
    """The same of a monitor."""
    return refdgm.fit(learner.make(**learner.settings), learner.data, 1, monitor=learner.look(**learner.looked | given))


def rows(learner, data):
    """The same of the data."""
    return refdgm.fit(learner.make(**learner.settings), data, 2)


def plugged(keyword, make, **given):
    """The same of an update rule or a schedule."""
    return refdgm.fit(sbn.vimco(2, 2), BITS, 2, **{keyword: make(**PLUGGED[keyword][make] | given)})


def fitted(**given):
    """The same of what else a fit takes."""
    return refdgm.fit(data=BITS, **SETTINGS | given)


def learners():
    """{name: (function, call)} with one argument in a call."""
    found = {}
    for name, learner in LEARNERS.items():
        found[f"{name}, data"] = partial(rows, learner), {"data": learner.data}
        for part, arguments in ((algorithm, learner.settings), (monitor, learner.looked)):
            for key, value in arguments.items():
                found[f"{name}, {part.__name__} {key}"] = partial(part, learner), {"**given": {key: value}}
    for keyword, table in PLUGGED.items():
        for make, arguments in table.items():
            for key, value in arguments.items():
                found[f"{make.__name__} {key}"] = partial(plugged, keyword, make), {"**given": {key: value}}
    return found | {f"fit {key}": (fitted, {"**given": {key: value}}) for key, value in SETTINGS.items()}


# ---- recorded -------------------------------------------------------------------------

def whole(learner):
    """Two steps with a monitor, of half the rows each."""
    settings = {"monitor": learner.look and learner.look(**learner.looked), "batch": len(learner.data) // 2}
    return refdgm.fit(learner.make(**learner.settings), learner.data, 2, **settings)


def runs():
    """(function, arguments) that call what is public in learning, datasets, trees and fitting."""
    for learner in LEARNERS.values():
        yield whole, {"learner": learner}
    for keyword, table in PLUGGED.items():
        for make in table:
            yield plugged, {"keyword": keyword, "make": make}
    for function in (fitted, afterwards, data_sets, files):
        yield function, {}


def afterwards():
    """What is done with what was learned."""
    def learned(name):
        return whole(LEARNERS[name]).parameters
    theta = learned("masked")["theta"]
    autoregressive.sample(theta, 2, seed=0)
    dae.run_chain(learned("gsn"), BITS, 2, seed=0, rho=0.2, decoder="units")
    em.mixture_log_prior(learned("em")["theta"], 0.1)
    map_learning.log_prior(theta, 2.0)
    febm.ratio(learned("febm"), febm.quadratic(), V, LINE)
    points = gan.sample(gan.tanh_generator(2), learned("ring"), 5)
    gan.modes_covered(points, datasets.ring_centres(), 0.1)
    gan.tricked(refdgm.divergences.named("kl"))
    inputs = P, Q, learned("vae"), BITS, vae.draw_noise(Q, 2, np.arange(len(BITS)), 0, 1)
    vae.bound(*inputs)
    vae.bound_with_kl(*inputs)
    auxiliary.usual_generator(None)
    bigan.quadratic_critic()
    params = iwae_network.random_params(0, 4, 3, 2)
    iwae_network.gradient(params, BITS, np.zeros((len(BITS), 2, 2)))


def data_sets():
    datasets.digits("grey")
    datasets.digit_labels()
    datasets.bars_and_stripes(2)
    datasets.ring(6, 2, 2.0, 0.1, seed=0)
    datasets.mixture(6)
    np.savetxt(path := FOLDER / "rows.csv", LINE)
    datasets.load(path)


def files():
    tree = {"theta": {"w": np.ones(2)}, "memory": (np.zeros(1),)}
    trees.save(path := FOLDER / "tree.npz", tree)
    trees.load(path, tree)
