r"""EM as it learns: exact, with a mean-field E-step, with Markov chains (kingma2019 App. A.2; lecture12 Sec. 1.1.4).

A latent has S states, p(x, z) is a table (B, S), and every variant ascends L(theta, q) with a q of its own:

    E-step   exact         q(z|x) = p(z|x)                                              (Eq. A.6 with a free q)
             mean field    q(h|x) = prod_j q(h_j|x), one factor after the other:        (Eq. A.6, App. A.2.2)
                           log-odds q(h_j|x) = E_q[log p(x, h_j = 1, rest) - log p(x, h_j = 0, rest)]
             MCMC          q(z|x) = (1/L) sum_l delta(z - z_l), a chain for each datum   (App. A.2.3)
    M-step   in one go     theta + F is the maximum of L(., q) over these x: with step size 1 and all x that is EM
             in part       F = E_p~(x)q(z|x) dlog p(x, z)/dtheta, one step or several with the q that is there

q, and the chains, are kept from one turn of a datum to the next. Two models: a Bernoulli mixture (z one of H
components, theta = {"a": (H,), "B": (H, D)}) and a sigmoid belief net (S = 2**H, theta = {"a", "W", "b"}).

The mixture takes MAP learning in the M-step: a prior prod_z pi_z^2c prod_i mu_zi^c (1 - mu_zi)^c, as if each component
had seen c rows of ones and c of zeros. A Gaussian prior for any model: see map_learning.

EM on a mixture of two coins: the mean log p(x) of two bits that always agree, at the start and after 20 steps.

>>> import numpy as np
>>> import refdgm
>>> from refdgm.learning.em_learning import em, exact, mixture
>>> x, model = np.array([[0.0, 0.0], [1.0, 1.0]]), mixture(H=2, prior=0.01)
>>> fit = refdgm.fit(em(model), x, 20, schedule=refdgm.updates.constant(1.0), monitor=exact(model, x))
>>> [round(float(log_p), 2) for log_p in fit.history["log_p"]]
[-1.35, -0.71]
"""
from typing import NamedTuple
from collections.abc import Callable

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import bernoulli_mixture, sbn
from refdgm.numerics import (all_binary, bernoulli_log_prob, log_sigmoid, log_softmax, log_sum_exp, mean_log_odds,
                             sigmoid, softmax)
from refdgm.samplers import metropolis_hastings
from refdgm.streams import Stream, normals, stream, uniforms

PROPOSE, ACCEPT = 0, 1          # the draws of a step


class Model(NamedTuple):
    """A model with S latent states, as EM sees it."""
    name: str
    start: Callable             # (data, seed) -> theta
    log_joint: Callable         # theta, x (B, D) -> log p(x, z), (B, S)
    gradient: Callable          # theta, x (B, D), q (B, S) -> the mean over x of E_q dlog p(x, z)/dtheta
    proposal: np.ndarray        # (S, S), the chain's symmetric proposal
    m_step: Callable | None     # x (N, D), q (N, S) -> theta, where there is a closed formula


# ---- the two models -------------------------------------------------------------------

def mixture(H=3, prior=0.0, scale=0.5):
    """A mixture of H Bernoulli vectors; prior is the pseudo-count c of MAP learning."""
    valid.count("H", H)
    valid.moderate("the pseudo-count prior", prior, 0)
    valid.moderate("scale", scale)

    def start(x, seed):
        spread = scale * normals(stream(seed, 1, first=2**31), H * x.shape[1])[0].reshape(H, -1)
        return {"a": np.zeros(H), "B": first_bias(x) + spread}

    def m_step(x, q):
        on, off = q.T @ x + prior, q.T @ (1 - x) + prior
        valid.require(np.all(on > 0) and np.all(off > 0), "a pixel of a component has one value throughout, which puts "
                      "the maximum of the likelihood at infinite log-odds: give the mixture a prior.")
        return {"a": np.log(q.sum(axis=0) + 2 * prior), "B": np.log(on) - np.log(off)}

    def gradient(theta, x, q):
        share = q.mean(axis=0)
        return {"a": share - softmax(theta["a"]), "B": q.T @ x / len(x) - share[:, None] * sigmoid(theta["B"])}
    return Model("mixture", start, bernoulli_mixture.log_joint, gradient, np.full((H, H), 1 / H), m_step)


def net(H=3, scale=0.5):
    """A sigmoid belief net with H hidden units; its chains flip one bit at a time."""
    valid.count("H", H)
    valid.moderate("scale", scale)
    valid.enumerable(valid.power(4, H), f"the proposal between the states of {H} bits", 2)
    h = all_binary(H)
    states = np.arange(2**H)
    flip = np.mean(np.array([np.eye(2**H)[states ^ 1 << j] for j in range(H)]), axis=0)

    def start(x, seed):
        D = x.shape[1]
        W = scale * normals(stream(seed, 1, first=2**31), D * H)[0].reshape(D, H)
        return {"a": np.zeros(H), "W": W, "b": first_bias(x)}

    def gradient(theta, x, q):
        share, means = q.mean(axis=0), sigmoid(h @ theta["W"].T + theta["b"])
        expected = share[:, None] * means
        return {"a": share @ h - sigmoid(theta["a"]), "b": x.mean(axis=0) - expected.sum(axis=0),
                "W": x.T @ (q @ h) / len(x) - expected.T @ h}
    return Model("SBN", start, sbn.log_joint_table, gradient, flip, None)


def first_bias(x):
    """The log-odds of each pixel over the data, which must be bits.  (N, D) -> (D,)"""
    valid.require(valid.are_bits(x), "a model with Bernoulli units takes bits, 0 or 1.")
    return mean_log_odds(x)


# ---- E-steps --------------------------------------------------------------------------

def posterior(log_joint):
    """The exact E-step, q(z|x) = p(z|x) (kingma2019 Eq. A.6).  (B, S) -> (B, S)"""
    return softmax(log_joint)


def factorial(mu_logits):
    """q(h) = prod_j Bern(h_j) for every h, from the log-odds of each unit.  (B, H) -> (B, 2**H)"""
    return np.exp(bernoulli_log_prob(all_binary(mu_logits.shape[1]), mu_logits[:, None, :]))


def mean_field(log_joint, mu_logits, sweeps=1):
    """Coordinate ascent on the bound: each unit in turn, given the others (kingma2019 App. A.2.2).  (B, H) -> (B, H)"""
    states = np.arange(log_joint.shape[1])
    logits = mu_logits.copy()
    for _ in range(sweeps):
        for j in range(logits.shape[1]):
            on, off = log_joint[:, states | 1 << j], log_joint[:, states & ~(1 << j)]
            logits[:, j] = np.sum(factorial(logits) * (on - off), axis=1)
    return logits


# ---- the algorithms -------------------------------------------------------------------

def em(model, hold=1):
    """EM with exact E-step, made anew every `hold` steps; in between M-steps go on with the q that is there."""
    valid.count("hold", hold)

    def first(x, seed):
        theta = model.start(x, seed)
        return {"theta": theta}, {"q": posterior(model.log_joint(theta, x))}

    def draw(parameters, memory, x, index, seed, t):
        if (t - 1) % hold:
            return memory["q"][index], memory
        q = memory["q"].copy()
        q[index] = posterior(model.log_joint(parameters["theta"], x))
        return q[index], {"q": q}

    def field(parameters, q, x):
        theta = parameters["theta"]
        if model.m_step is None:
            return {"theta": model.gradient(theta, x, q)}
        best = model.m_step(x, q)
        return {"theta": {name: best[name] - theta[name] for name in theta}}
    return Algorithm(f"EM ({model.name})", first, draw, field)


def variational_em_of_net(H=3, sweeps=2):
    """Variational EM on the SBN: each datum keeps its own factorised q and moves it by a few sweeps (App. A.2.2)."""
    valid.count("sweeps", sweeps)
    model = net(H)

    def first(x, seed):
        return {"theta": model.start(x, seed)}, {"mu": np.zeros((len(x), H))}

    def draw(parameters, memory, x, index, seed, t):
        mu = memory["mu"].copy()
        mu[index] = mean_field(model.log_joint(parameters["theta"], x), mu[index], sweeps)
        return factorial(mu[index]), {"mu": mu}

    def field(parameters, q, x):
        return {"theta": model.gradient(parameters["theta"], x, q)}
    return Algorithm("variational EM (SBN)", first, draw, field)


def mcmc_em(model, L=5):
    """EM with L states of a Metropolis chain for each datum, kept between its turns (kingma2019 App. A.2.3)."""
    valid.count("L", L)
    S = len(model.proposal)

    def first(x, seed):
        everyone = Stream(seed, np.arange(len(x), dtype=np.uint32), 0)
        return ({"theta": model.start(x, seed)},
                {"state": np.floor(S * uniforms(everyone, 1, PROPOSE)[:, 0]).astype(int)})

    def draw(parameters, memory, x, index, seed, t):
        s = Stream(seed, np.asarray(index, np.uint32), t)
        log_joint = model.log_joint(parameters["theta"], x)
        proposals, accepts = uniforms(s, L, PROPOSE), uniforms(s, L, ACCEPT)
        z, path = memory["state"][index], []
        for i in range(L):
            z = metropolis_hastings.step(log_joint, model.proposal, z, proposals[:, i], accepts[:, i])
            path.append(z)
        state = memory["state"].copy()
        state[index] = z
        return np.stack(path, axis=1), {"state": state}

    def field(parameters, path, x):
        q = np.mean(path[:, :, None] == np.arange(S), axis=1)
        return {"theta": model.gradient(parameters["theta"], x, q)}
    return Algorithm(f"MCMC-EM ({model.name})", first, draw, field)


# ---- what is reached, exactly ---------------------------------------------------------

def exact(model, data, test=None):
    """A monitor: the mean log p(x), a sum over all S latent states."""
    valid.data_and_test(data, test)

    def look(parameters):
        numbers = {"log_p": np.mean(log_sum_exp(model.log_joint(parameters["theta"], data)))}
        if test is not None and len(test):
            numbers["test_log_p"] = np.mean(log_sum_exp(model.log_joint(parameters["theta"], test)))
        return numbers
    return look


def exact_bound(H, data, sweeps=50):
    """A monitor for variational EM: the mean-field bound on mean log p(x), log p(x) and the gap between them."""
    valid.data_and_test(data)
    valid.count("sweeps", sweeps)
    model = net(H)

    def look(parameters):
        valid.require(H == len(parameters["theta"]["a"]), f"the net has {len(parameters['theta']['a'])} hidden units, "
                                                          f"but the monitor's H is {H}.")
        log_joint = model.log_joint(parameters["theta"], data)
        mu = mean_field(log_joint, np.zeros((len(data), H)), sweeps)
        log_q = bernoulli_log_prob(all_binary(H), mu[:, None, :])
        gap = np.mean(np.sum(np.exp(log_q) * (log_q - log_softmax(log_joint)), axis=1))
        log_p = np.mean(log_sum_exp(log_joint))
        return {"bound": log_p - gap, "log_p": log_p, "gap": gap}
    return look


def mixture_log_prior(theta, prior):
    """log prod_z pi_z^2c prod_i mu_zi^c (1 - mu_zi)^c, the prior of MAP learning up to its constant.  -> ()"""
    return prior * (2 * np.sum(log_softmax(theta["a"]))
                    + np.sum(log_sigmoid(theta["B"]) + log_sigmoid(-theta["B"])))
