r"""Gibbs sampling of the Ising model on a chequered torus, many lattices side by side.

    s_rc = 1 with probability sigmoid(2 (beta m + field)),  m in {-4, -2, 0, 2, 4} the sum of its four neighbours

One step draws all even sites (r + c even), then all odd ones. Sites of one colour are no neighbours, so that drawing
them together is drawing them one by one: P = (prod_even P_i) (prod_odd P_i), which leaves p(s) as it is.

There are five probabilities, kept as thresholds for a random word of 32 bits: no rounding enters a chain, and `run` is
`step` compiled, bit for bit. A probability is realised within 2^-32.

theta = {"beta": (), "field": ()} as in refdgm.models.ising;  spins (N, R, C) int8, -1 or 1: N lattices, R and C even.
Four rows share the blocks of the stream: site (r, c) takes word r mod 4 of block (r // 4) C / 2 + c // 2 of its colour.

Below the critical temperature, beta > 0.4407, a lattice that begins with all spins up stays magnetised:

>>> import numpy as np
>>> from refdgm.samplers.ising_gibbs import init, step
>>> theta = {"beta": 0.5, "field": 0.0}
>>> state = init(theta, (16, 16), number=8, seed=0, spins=np.ones((8, 16, 16), dtype=np.int8))
>>> for _ in range(100):
...     state = step(theta, state)
>>> round(float(state.spins.mean()), 2)
0.93
"""
from functools import reduce
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import exp
from refdgm.models import ising
from refdgm.models.finite_chain import bit_update
from refdgm.numerics import sigmoid
from refdgm.streams import Stream, advance, keys, stream, words

EVEN, ODD, START = 0, 1, 2          # the draws: the two of a step, and that of a start at fair coin flips
GROUP = 4                           # rows that share blocks of the stream
LANES = 256                         # sites side by side that keep the processor's vectors busy
BAND, AT_ONCE = 128, 8              # the least rows of a band, and its steps before the threads meet


class State(NamedTuple):
    """N lattices, and whose numbers come next."""
    spins: np.ndarray       # (N, R, C) int8
    stream: Stream


def init(theta, shape, number=1, seed=0, spins=None, first=0):
    """`number` lattices of the shape (R, C) with these spins (number, R, C), or with fair coin flips.

    Raises ValueError unless theta is finite, R and C are even, and the spins are -1 or 1.
    """
    _validate(theta, shape, spins)
    (R, C), s = shape, stream(seed, number, first)
    if spins is None:
        spins = 2 * (words(s, R * C, START) >> np.uint32(31)).reshape(number, R, C).astype(np.int8) - 1
    valid.shape("spins", spins, (number, R, C))
    return State(np.asarray(spins, np.int8), s)


def thresholds(theta):
    """round(2^32 sigmoid(2 (beta m + field))) for the five m, below 2^32.  -> (5,) uint32"""
    logit = ising.logit({name: np.asarray(theta[name], float) for name in ("beta", "field")}, np.asarray(ising.SUMS))
    return np.minimum(np.floor(2.0**32 / (1 + exp(-logit)) + 0.5), 2.0**32 - 1).astype(np.uint32)


def step(theta, state):
    """All even sites, then all odd ones, of every lattice."""
    limit, spins = thresholds(theta), state.spins
    _, R, C = spins.shape
    colour_of = np.add.outer(np.arange(R), np.arange(C)) % 2
    for colour in (EVEN, ODD):
        up = site_words(state.stream, R, C, colour) < limit[(ising.neighbours(spins) + 4) // 2]
        spins = np.where(colour_of == colour, np.where(up, 1, -1), spins).astype(np.int8)
    return State(spins, advance(state.stream))


def site_words(s, R, C, colour):
    """The word of every site of a colour; what stands at the sites of the other colour is not used.  -> (N, R, C)"""
    groups = -(-R // GROUP)
    w = words(s, groups * C // 2 * GROUP, colour).reshape(-1, groups, C // 2, GROUP)
    return np.repeat(np.swapaxes(w, 2, 3).reshape(-1, groups * GROUP, C // 2)[:, :R], 2, axis=2)


def run(theta, state, steps, threads=None, **options):
    """`steps` steps of every lattice, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive

    The threads share the lattices, or bands of rows where there are fewer lattices than threads: a few steps of a band
    need a few rows around it, which are then computed twice, because their random numbers have addresses.
    """
    from refdgm import jit
    from refdgm.kernels.ising import checkerboard
    _validate(theta, np.shape(state.spins)[1:])
    chains.shaped(state, spins=(None, None))
    (N, R, C), kind = state.spins.shape, state.spins.dtype
    valid.require(kind == np.int8, f"state.spins must be of type int8, but is of type {kind}.")
    limit, threads = thresholds(theta), threads or jit.cores()
    bands = max(b for b in range(1, -(-threads // N) + 1) if b == 1 or R % (GROUP * b) == 0 and R // b >= BAND)
    height, margin = R // bands, 0 if bands == 1 else 2 * AT_ONCE
    together = min(-(-2 * LANES // C), -(-N // threads))
    strips = [a.ravel() for a in np.meshgrid(np.arange(0, N, together), np.arange(0, R, height))]

    def compiled(state, steps):
        spins, s, at_once = state.spins, state.stream, steps if bands == 1 else AT_ONCE
        for done in range(0, steps, at_once):
            source, spins = spins, np.empty_like(spins)
            jit.in_threads(checkerboard, strips, (source, spins, s.chain, limit, height, margin, together,
                                                  s.step + done, min(at_once, steps - done), *keys(s.seed)), threads)
        return State(spins, advance(s, steps))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta, shape):
    """(prod_even P_i) (prod_odd P_i) over all lattices of a small shape, numbered as ising.all_spins.

    -> (2**(R C), 2**(R C)), rows sum to one
    """
    _validate(theta, shape)
    R, C = shape
    valid.enumerable(4**(R * C), f"the transition matrix of {R} x {C} spins")
    on = sigmoid(ising.logit(theta, ising.neighbours(ising.all_spins(R, C)))).reshape(-1, R * C)
    sites = sorted(range(R * C), key=lambda i: (i // C + i % C) % 2)
    return reduce(np.matmul, [bit_update(on[:, i], i) for i in sites])


def _validate(theta, shape, spins=None):
    ising.validate(theta, spins)
    R, C = shape
    valid.count("the number of rows", R, 2)
    valid.count("the number of columns", C, 2)
    valid.require(R % 2 == C % 2 == 0, f"a chequered torus has even sides, but its shape is ({R}, {C}).")
