r"""A sample replay buffer for short Langevin chains (yu2020 Sec. 2.2, Algorithm 1, line 5; Du and Mordatch 2019).

The buffer holds B chains x_1, ..., x_B that outlive the training step which moved them. A round

    draws        `number` distinct slots of the buffer, every set of them alike
    restarts     each of these chains with probability rho: x ~ U(low, high) afresh (0.05 in Du and Mordatch)
    moves        them by K steps of a sampler, whose results are the minibatch
    puts back    the results into their slots

If the sampler's K steps have the kernel K and every slot is drawn in every round, the law of a chain is stationary at
sum_(k >= 0) rho (1 - rho)^k U K^(k+1): rho trades mixing that lasts 1/rho rounds against chains that are stuck.

All of it is a pure function of the buffer: its stream has one step a round, and its chains are the slots.
x (B, n); slots (number,) integers.

Half of the slots, and the share of their chains that begin afresh, which is about rho:

>>> import numpy as np
>>> from refdgm.samplers.replay_buffer import draw, init
>>> buffer = init(2000, 1, low=0.0, high=1.0, seed=0)
>>> slots, x = draw(buffer, 1000, rho=0.05, low=0.0, high=1.0)
>>> len(set(slots.tolist())), float((x != buffer.x[slots]).mean())
(1000, 0.04)
"""
from typing import NamedTuple

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.streams import Stream, advance, stream, uniforms, words

RESTART, FRESH, SLOTS = 0, 1, 2     # the draws of a round


class Buffer(NamedTuple):
    """B persistent chains, and whose numbers come next."""
    x: np.ndarray           # (B, n)
    stream: Stream


def init(number, n, low, high, seed=0, real=np.float64):
    """`number` slots of n uniform numbers between low and high.

    Raises ValueError if there is no slot or low is not below high.
    """
    s = stream(seed, number)
    return Buffer(fresh(s, n, low, high, real), advance(s))


def fresh(s, n, low, high, real=np.float64):
    """A new start for each chain of a stream.  -> (C, n)"""
    valid.count("the number of components n", n)
    valid.require(np.all(np.isfinite([low, high])) and low < high,
                  f"low must be below high, but they are {low} and {high}.")
    return real(low) + real(high - low) * uniforms(s, n, FRESH, real)


def draw(buffer, number, rho, low, high):
    """The slots of a round, and where their chains start.  -> slots (number,), x (number, n)"""
    valid.count("the number of slots to draw", number)
    valid.require(number <= len(buffer.x), f"{number} slots are asked for, but the buffer has {len(buffer.x)}.")
    valid.require(0 <= rho <= 1, f"rho must be a probability, but is {rho}.")
    x, s = buffer
    slots = np.sort(np.argsort(words(s, 1, SLOTS)[:, 0], kind="stable")[:number])   # those with the least words
    s = s._replace(chain=s.chain[slots])
    restart = uniforms(s, 1, RESTART) < rho
    return slots, np.where(restart, fresh(s, x.shape[1], low, high, x.dtype.type), x[slots])


def put_back(buffer, slots, x):
    """The buffer of the next round.  (number,), (number, n)"""
    valid.shape("x", x, (len(slots), buffer.x.shape[1]))
    valid.finite("x", x)
    new = buffer.x.copy()
    new[slots] = x
    return Buffer(new, advance(buffer.stream))
