r"""Learning a deep Boltzmann machine of two hidden layers (Salakhutdinov and Hinton 2009; ou2018 Sec. 4.2.1).

    F = E_data E_{h|v}[grad -E] - E_model[grad -E],      grad -E = (v h1', h1 h2', v, h1, h2)

    h given v                                                          where it goes
    exact          a sum over h2, in which h1 is independent           the maximum of the likelihood
    Gibbs          a code h2 for each row, kept and moved by rounds    there, if the steps decrease
                   h2 -> h1 -> h2 each time the row has its turn
    mean field     independent units that climb the bound on           the maximum of the bound, below the likelihood's
                   log p(v), from h2 = 1/2 by `rounds` rounds

    the model      exact: a sum over the states of h1 or of (v, h2), whichever are fewer; or persistent chains, k steps
                   of samplers/dbm_gibbs.py a turn, compiled (stochastic maximum likelihood)

In every state h1 is replaced by its mean given both its neighbours. Chain n makes at step t of the learning its steps
(t - 1) k + 1, ..., tk, numbered from CHAIN on; a row's code has the stream of the row.

parameters = {"theta": {"W1": (D, H), "W2": (H, G), "b": (D,), "c1": (H,), "c2": (G,)}} as in refdgm.models.dbm.

What mean field makes of E[h2|v], against the exact posterior:

>>> import numpy as np
>>> from refdgm.learning.dbm_learning import dbm, exact_posterior
>>> theta, v = dbm.random_theta(np.random.default_rng(0), D=3, H=2, G=1), np.array([[1.0, 0.0, 1.0]])
>>> layers = exact_posterior(theta, v)
>>> round(float(dbm.mean_field(theta, v, 50)[1][0, 0]), 3), round(float(layers.weights @ layers.h2[:, 0]), 3)
(0.686, 0.664)
"""
from typing import NamedTuple

from refdgm import enumeration
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import dbm, rbm
from refdgm.numerics import all_binary, sigmoid, softmax
from refdgm.samplers import dbm_gibbs
from refdgm.streams import Stream, fires, normals, stream, words

CHAIN = 2**30                   # the first of the persistent chains' streams, apart from the rows'


class Layers(NamedTuple):
    """States of the three layers, h1 and h2 perhaps as means, and their weights, which sum to one."""
    weights: np.ndarray         # (N,)
    v: np.ndarray               # (N, D)
    h1: np.ndarray              # (N, H)
    h2: np.ndarray              # (N, G)


class Draws(NamedTuple):
    """What a step draws; None where it takes an exact mean."""
    h2: np.ndarray | None       # (B, G), the codes of the rows
    model: Layers | None        # the persistent chains


def begin(x, seed, H, G, scale=0.1):
    """Small random weights, and the units' mean log-odds as b.  -> theta"""
    valid.count("G", G)
    below = rbm.start(x, H, seed, scale)
    W2 = scale * normals(stream(seed, 1, first=2**31 + 1), H * G)[0].reshape(H, G)
    return {"W1": below["w"], "W2": W2, "b": below["b"], "c1": below["c"], "c2": np.zeros(G)}


# ---- h given v ------------------------------------------------------------------------

def with_middle(theta, v, h2, weights=None):
    """The states (v, E[h1|v, h2], h2), alike unless weighted.  (N, D), (N, G) -> Layers"""
    weights = np.full(len(v), 1 / len(v)) if weights is None else weights
    return Layers(weights, v, sigmoid(dbm.middle_logits(theta, v, h2)), h2)


def exact_posterior(theta, x):
    """Every h2 for every row, with p(h2|v) / B as weights.  (B, D) -> Layers of B 2**G states"""
    top = all_binary(len(theta["c2"]))
    p = softmax(-dbm.outer_free_energy(theta, x[:, None, :], top))
    return with_middle(theta, np.repeat(x, len(top), axis=0), np.tile(top, (len(x), 1)), p.ravel() / len(x))


def posterior_gibbs(theta, x, h2, s, rounds):
    """Rounds h2 -> h1 -> h2 of Gibbs sampling with v held at the rows.  (B, D), (B, G) -> (B, G)"""
    for i in range(rounds):
        middle = dbm.middle_logits(theta, x, h2)
        h1 = fires(words(s, middle.shape[1], 2 * i), middle).astype(float)
        top = dbm.top_logits(theta, h1)
        h2 = fires(words(s, top.shape[1], 2 * i + 1), top).astype(float)
    return h2


# ---- the model ------------------------------------------------------------------------

def exact_model(theta):
    """E_model[grad -E], the DBM seen as an RBM of (v, h2) and h1.  -> dict"""
    mean, D = enumeration.rbm_moments(dbm.as_rbm(theta), threads=1).mean, len(theta["b"])
    return {"W1": mean["w"][:D], "W2": mean["w"][D:].T, "b": mean["b"][:D], "c1": mean["c"], "c2": mean["b"][D:]}


# ---- the algorithm --------------------------------------------------------------------

def learn(H=8, G=4, posterior="exact", rounds=10, chains=0, k=5):
    """Learn with h given v "exact", by "gibbs" or by "mean field", and the model's mean exact if chains = 0."""
    valid.require(posterior in ("exact", "gibbs", "mean field"),
                  f"the posterior is 'exact', 'gibbs' or 'mean field', not {posterior!r}.")
    for name, value, least in (("rounds", rounds, 1), ("chains", chains, 0), ("k", k, 1)):
        valid.count(name, value, least)

    def start(x, seed):
        theta = begin(x, seed, H, G)
        codes = words(Stream(seed, np.arange(len(x), dtype=np.uint32), 0), G) >> np.uint32(31)
        top = words(stream(seed, max(chains, 1), CHAIN), G)[:chains] >> np.uint32(31)
        return {"theta": theta}, {"codes": codes.astype(float) if posterior == "gibbs" else np.zeros((0, G)),
                                  "v": x[np.arange(chains) % len(x)], "h2": top.astype(float)}

    def draw(parameters, memory, x, index, seed, t):
        theta, h2, model = parameters["theta"], None, None
        if posterior == "gibbs":
            s = Stream(seed, np.asarray(index, np.uint32), t)
            h2 = posterior_gibbs(theta, x, memory["codes"][index], s, rounds)
            codes = memory["codes"].copy()
            codes[index] = h2
            memory = {**memory, "codes": codes}
        if chains:
            s = Stream(seed, np.arange(CHAIN, CHAIN + chains, dtype=np.uint32), (t - 1) * k + 1)
            state = dbm_gibbs.State(memory["v"], np.empty((chains, H)), memory["h2"], s)
            state = dbm_gibbs.run(theta, state, k, threads=1).state
            model, memory = with_middle(theta, state.v, state.h2), {**memory, "v": state.v, "h2": state.h2}
        return Draws(h2, model), memory

    def field(parameters, z, x):
        theta = parameters["theta"]
        if posterior == "mean field":
            data = Layers(np.full(len(x), 1 / len(x)), x, *dbm.mean_field(theta, x, rounds))
        else:
            data = exact_posterior(theta, x) if z.h2 is None else with_middle(theta, x, z.h2)
        up = dbm.mean_statistics(theta, *data)
        down = exact_model(theta) if z.model is None else dbm.mean_statistics(theta, *z.model)
        return {"theta": {name: up[name] - down[name] for name in up}}
    model = f"{chains} chains" if chains else "exact model"
    return Algorithm(f"DBM ({posterior} posterior, {model})", start, draw, field)


def exact_ml(H=8, G=4):
    """The gradient of the mean log-likelihood by enumeration."""
    return learn(H, G)


def sml(H=8, G=4, posterior="mean field", rounds=10, chains=100, k=5):
    """Stochastic maximum likelihood, h given v by mean field or by Gibbs sampling."""
    valid.count("chains", chains)
    return learn(H, G, posterior, rounds, chains, k)


# ---- what is reached, exactly ---------------------------------------------------------

def exact(data, test=None, rounds=50):
    """A monitor: mean log p(v) and mean-field's bound on it, of the data, and log p(v) of test data."""
    valid.data_and_test(data, test)
    valid.count("rounds", rounds)

    def look(parameters):
        theta = parameters["theta"]
        log_z = enumeration.rbm_log_partition(dbm.as_rbm(theta), threads=1)
        numbers = {"log_p": np.mean(dbm.log_marginal(theta, data, log_z)),
                   "bound": np.mean(dbm.bound(theta, data, *dbm.mean_field(theta, data, rounds), log_z))}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(dbm.log_marginal(theta, test, log_z))
        return numbers
    return look
