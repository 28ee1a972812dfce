r"""Single-site Gibbs sampling of a fully visible Boltzmann machine, many chains side by side.

    site i              x_i ~ Bern(sigmoid((J x + b)_i)),  the other sites as they are
    sequential scan     one step draws every site once, i = 0, 1, ..., n-1:     P = P_0 P_1 ... P_{n-1}, invariant only
    random scan         one step draws one site, chosen uniformly:              P = (1/n) sum_i P_i, reversible

`step` is plain NumPy and pure: its random numbers are those of the state's stream. `run` is the same chain compiled,
bit for bit, in float64 and float32. Sites are taken in groups of four, which share a block of the stream: the logit of
a site is b_i, then the terms of the other groups, then those of its own group, each in order of the sites.

theta = {"J": (n, n), "b": (n,)} as in refdgm.models.boltzmann;  x (C, n) of 0. and 1., C chains.

The share of 2,000 chains with both units on after 20 sweeps (exactly it is 0.409):

>>> import numpy as np
>>> from refdgm.samplers.boltzmann_gibbs import init, step
>>> theta = {"J": np.array([[0.0, 3.0], [3.0, 0.0]]), "b": np.array([-1.5, -1.5])}
>>> state = init(theta, 2000, seed=0)
>>> for _ in range(20):
...     state = step(theta, state)
>>> float(state.x.prod(axis=1).mean())
0.3965
"""
from functools import reduce
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order
from refdgm.models import boltzmann
from refdgm.models.finite_chain import bit_update
from refdgm.numerics import all_binary, sigmoid
from refdgm.streams import Stream, advance, fires, keys, stream, words

SITES, START = 0, 1                 # the draws: of a step, and of a start at fair coin flips
GROUP = 4                           # sites whose words are one block of the stream


class State(NamedTuple):
    """C chains: the units, and whose numbers come next."""
    x: np.ndarray           # (C, n)
    stream: Stream


def init(theta, number, seed=0, x=None, first=0, real=np.float64):
    """`number` chains at x (C, n), or at fair coin flips.

    Raises ValueError if theta is not a finite Boltzmann machine, x is not a batch of bits, or there is no chain.
    """
    boltzmann.validate(theta, x)
    n, s = len(theta["b"]), stream(seed, number, first)
    if x is None:
        x = words(s, n, START) >> np.uint32(31)
    valid.shape("x", x, (number, n))
    return State(np.asarray(x, real), s)


def logit(J, b, x, i):
    """(J x + b)_i in the order that the docstring of this module states.  (C, n) -> (C,)"""
    start, stop = i - i % GROUP, i - i % GROUP + GROUP
    order = np.array([*range(start), *range(stop, len(b)), *range(start, min(stop, len(b)))])
    return dot_in_order(x[:, order], J[order, i:i + 1], b[i:i + 1])[:, 0]


def step(theta, state, scan="sequential"):
    """One sweep of every chain, or one site of every chain under a random scan."""
    J, b = _parameters(theta, state.x.dtype)
    return State(SCANS[_known(scan)](J, b, state.x.copy(), state.stream), advance(state.stream))


def _every_site(J, b, x, s):
    w = words(s, len(b), SITES)
    for i in range(len(b)):
        x[:, i] = fires(w[:, i], logit(J, b, x, i))
    return x


def _random_site(J, b, x, s):
    which, w = words(s, 2, SITES).T
    i, chain = (which.astype(np.uint64) * len(b) >> 32).astype(int), np.arange(len(x))
    logits = b[i]
    for k in range(len(b)):                             # here in order of all sites
        logits = logits + J[k, i] * x[:, k]
    x[chain, i] = fires(w, logits)
    return x


SCANS = {"sequential": _every_site, "random": _random_site}


def run(theta, state, steps, scan="sequential", threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels import boltzmann as kernels
    boltzmann.validate(theta)
    real, n = state.x.dtype, len(theta["b"])
    chains.shaped(state, x=(n,))
    J, b = _parameters(theta, real)
    if _known(scan) == "sequential":                    # sites without couplings fill up the last group
        more = -n % GROUP
        J, b = np.pad(J, (0, more)), np.pad(b, (0, more)).reshape(-1, GROUP)
        J = np.ascontiguousarray(np.swapaxes(J.reshape(n + more, -1, GROUP), 0, 1))
    kernel, lanes = getattr(kernels, scan), jit.lanes(real)

    def compiled(state, steps):
        x, s = state.x.copy(), state.stream
        jit.in_threads(kernel, (x, s.chain[:, None]), (J, b, s.step, steps, *keys(s.seed), lanes), threads, lanes)
        return State(x, advance(s, steps))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta, scan="sequential"):
    """P_0 P_1 ... P_{n-1}, or (1/n) sum_i P_i, over all 2**n states.  -> (2**n, 2**n), rows sum to one"""
    boltzmann.validate(theta)
    n = len(theta["b"])
    valid.enumerable(4**n, f"the transition matrix of a Boltzmann machine with {n} units")
    on = sigmoid(boltzmann.logits(theta, all_binary(n)))
    updates = [bit_update(on[:, i], i) for i in range(n)]
    return reduce(np.matmul, [np.eye(2**n), *updates]) if _known(scan) == "sequential" else sum(updates) / n


def _known(scan):
    valid.require(scan in SCANS, f"scan must be one of {', '.join(SCANS)}, but is {scan!r}.")
    return scan


def _parameters(theta, real):
    """J and b as arrays of one type."""
    valid.real_type(real)
    return np.ascontiguousarray(theta["J"], real), np.ascontiguousarray(theta["b"], real)
