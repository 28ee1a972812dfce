r"""A deep belief net as a stack of RBMs, learned one after the other (ou2018 Sec. 4.1; Hinton, Osindero and Teh 2006).

    p(x, h) = p(x|h) p(h),      p(x|h) of the RBM below, p(h) = sum_g p(h, g) of the RBM on top

    log p(x) >= E_{p1(h|x)}[log p(x|h) + log p(h)] + H[p1(h|x)],       p1(h|x) the posterior of the RBM below alone

The bound is tight when the top RBM is the lower one upside down: w2 = w1', b2 = c1, c2 = b1, since p(h) is then p1(h).
From there learning the top on h ~ p1(h|x), x ~ data, raises E log p(h), hence the bound, hence the likelihood's floor.

An RBM moves along F = E_data[x z'] - E_model[x z'] (and of x, z), its data what the RBMs below make of the rows. The
model's mean is exact, or from persistent chains that make k steps of block Gibbs a turn.
parameters = {"theta": an RBM} as in refdgm.models.rbm;  x (B, D), h (B, H) are bits.

With the lower RBM upside down on top, the bound is tight: the two numbers are one.

>>> import numpy as np
>>> from refdgm.learning.dbn_learning import bound, log_likelihood, rbm, upside_down
>>> below, x = rbm.random_theta(np.random.default_rng(0), 3, 2), np.array([[1.0, 0.0, 1.0]])
>>> top = upside_down(below)
>>> round(float(bound(below, top, x)[0]), 3), round(float(log_likelihood(below, top, x)[0]), 3)
(-2.765, -2.765)
"""
from typing import NamedTuple

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.fitting import Algorithm
from refdgm.models import rbm
from refdgm.numerics import all_binary, entropy, log_sum_exp, sigmoid
from refdgm.streams import Stream, fires, words

CHAIN = 2**30                   # the first of the persistent chains' streams, apart from the rows'
HIDDEN, VISIBLE = 0, 1          # the draws of a chain's step


class Layer(NamedTuple):
    """What a step draws for the RBM that learns."""
    data: np.ndarray                # (B, D), what the layers below make of the rows
    model: np.ndarray | None        # (C, D), the persistent chains; None where the model's mean is exact


def upside_down(theta):
    """The RBM with its layers exchanged: the top on which the bound is tight."""
    return {"w": theta["w"].T.copy(), "b": theta["c"].copy(), "c": theta["b"].copy()}


# ---- draws ----------------------------------------------------------------------------

def pass_up(below, x, s):
    """h ~ p1(h|x) through every RBM below, from the bottom up.  (B, D) -> (B, H)"""
    for layer, theta in enumerate(below):
        logits = rbm.hidden_logits(theta, x)
        x = fires(words(s, logits.shape[1], layer), logits).astype(float)
    return x


def block_gibbs(theta, x, seed, t, k):
    """k steps x -> z -> x of every persistent chain.  (C, D) -> (C, D)"""
    s = Stream(seed, np.arange(CHAIN, CHAIN + len(x), dtype=np.uint32), t)
    for i in range(k):
        hidden = rbm.hidden_logits(theta, x)
        z = fires(words(s, hidden.shape[1], 2 * i + HIDDEN), hidden).astype(float)
        visible = rbm.visible_logits(theta, z)
        x = fires(words(s, visible.shape[1], 2 * i + VISIBLE), visible).astype(float)
    return x


# ---- the algorithm --------------------------------------------------------------------

def stacked_rbm(H=8, below=(), chains=0, k=5):
    """Learn the RBM on top of the RBMs `below`, bottom first; on H units, or from `upside_down` if H is None.

    chains      how many persistent chains stand for the model; 0 takes the exact mean over all states
    """
    valid.require(H is not None or len(below) > 0, "H can be left out only where there is an RBM below.")
    valid.count("chains", chains, 0)
    valid.count("k", k)
    for theta in below:
        rbm.validate(theta)

    def first(x, seed):
        valid.require(valid.are_bits(x), "a deep belief net takes bits, 0 or 1.")
        data = pass_up(below, x, Stream(seed, np.arange(len(x), dtype=np.uint32), 0))
        theta = upside_down(below[-1]) if H is None else rbm.start(data, H, seed)
        return {"theta": theta}, {"x": data[np.arange(chains) % len(data)]}

    def draw(parameters, memory, x, index, seed, t):
        data = pass_up(below, x, Stream(seed, np.asarray(index, np.uint32), t))
        if not chains:
            return Layer(data, None), memory
        fantasy = block_gibbs(parameters["theta"], memory["x"], seed, t, k)
        return Layer(data, fantasy), {"x": fantasy}

    def field(parameters, z, x):
        theta = parameters["theta"]
        model = rbm.model_mean(theta) if z.model is None else mean_statistics(theta, z.model)
        return {"theta": {name: leaf - model[name] for name, leaf in mean_statistics(theta, z.data).items()}}
    return Algorithm(f"RBM on {len(below)} below", first, draw, field)


def mean_statistics(theta, x):
    """The mean over rows of grad log Z_x: x z', x and z with z = E[z|x] (bachman2015 Eq. 43).  -> dict"""
    valid.count("the number of rows of x", len(x))
    z = sigmoid(rbm.hidden_logits(theta, x))
    return {"w": x.T @ z / len(x), "b": x.mean(axis=0), "c": z.mean(axis=0)}


# ---- exactly, by enumeration ----------------------------------------------------------

def log_likelihood(below, top, x):
    """log p(x) = log sum_h p(x|h) p(h) of a net with one RBM below.  (B, D) -> (B,)"""
    h = all_binary(len(top["b"]))
    return log_sum_exp(rbm.log_x_given_z(below, x[:, None, :], h) + rbm.log_marginal(top, h))


def bound(below, top, x):
    """E_{p1(h|x)}[log p(x|h) + log p(h)] + H[p1(h|x)], never above log p(x).  (B, D) -> (B,)"""
    h = all_binary(len(top["b"]))
    q = np.exp(rbm.log_z_given_x(below, x[:, None, :], h))
    log_joint = rbm.log_x_given_z(below, x[:, None, :], h) + rbm.log_marginal(top, h)
    return np.sum(q * log_joint, axis=1) + entropy(q)


def exact(data, below=None):
    """A monitor: mean log p(x) of the RBM at the bottom, or with one below log p(x) of the net and the bound on it."""
    valid.data_and_test(data)

    def look(parameters):
        if below is None:
            return {"log_p": np.mean(rbm.log_marginal(parameters["theta"], data))}
        return {"bound": np.mean(bound(below, parameters["theta"], data)),
                "log_p": np.mean(log_likelihood(below, parameters["theta"], data))}
    return look
