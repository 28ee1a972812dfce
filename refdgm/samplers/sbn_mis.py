r"""Metropolis independence sampling of the codes of a sigmoid belief net, as in JSA (ou2018 Sec. 3.2.3, Alg. 4).

    state   a code h_k for each of n observations x_k        target   prod_k p(h_k|x_k)
    step    choose k uniformly, propose h' ~ q(.|x_k), let it replace h_k with probability min{1, w(h') / w(h_k)}

    log w(h) = log p(x_k, h) - log q(h|x_k)
             = constant_k + sum_j h_j (a_j - (V x_k + c)_j) + sum_i [x_ki s_i - softplus(s_i)],     s = W h + b
    softplus(s) = max(s, 0) + log(1 + e^-|s|),  the logarithms taken of products over 64 units, each factor at most 2

The intractable p(x_k) cancels because both weights have the same k (footnote 11). The weight of every code is kept and
moves with it; it belongs to the parameters with which it was made, so that `reweighted` is due after these change. One
update at a time is Algorithm 4's chain; K of them in a row, `run` for K steps with average=, are SA with multiple moves
(Sec. 2). every=True updates all n codes in a step, which commutes: a minibatch that is the data.

`step` is plain NumPy and pure; `run` is the same chain compiled, bit for bit, in float64 and float32.

theta, phi as in refdgm.models.sbn;  x (n, D) of 0. and 1.;  C chains, each with all codes: h (C, n, H), log_w (C, n).

The second eigenvalue of a chain over the codes of two observations, of which each step proposes one:

>>> import numpy as np
>>> from refdgm.samplers.sbn_mis import sbn, transition_matrix
>>> theta, phi, X = sbn.random_data_case(0, n=2).values()
>>> round(float(np.sort(np.linalg.eigvals(transition_matrix(theta, phi, X)).real)[-2]), 3)
0.717
"""
from functools import reduce
from typing import NamedTuple

from refdgm import chains
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.elementary import dot_in_order, exp, log
from refdgm.models import sbn
from refdgm.numerics import softplus
from refdgm.streams import Stream, advance, fires, keys, stream, uniform, words

GROUP = 64                          # factors between 1 and 2 whose product is within the range of float32


class State(NamedTuple):
    """C chains: their codes, the codes' log weights, the observation chosen last, and whose numbers come next."""
    h: np.ndarray           # (C, n, H)
    log_w: np.ndarray       # (C, n)
    k: np.ndarray           # (C,) of int
    stream: Stream


class Problem(NamedTuple):
    """What a step computes with, in the chains' precision."""
    x: np.ndarray           # (n, D)
    q_logits: np.ndarray    # (n, H), V x_k + c
    gain: np.ndarray        # (n, H), a - V x_k - c: what h_j = 1 adds to log p(h) - log q(h|x_k)
    constant: np.ndarray    # (n,), what h = 0 has of that
    W: np.ndarray           # (D, H)
    b: np.ndarray           # (D,)


def init(theta, phi, x, number, seed=0, h=None, first=0, real=np.float64):
    """`number` chains at the codes h (C, n, H), or at draws from the proposals.

    Raises ValueError if theta or phi is no finite net, x or h is no batch of bits, or there is no chain.
    """
    problem, s = _problem(theta, phi, x, real), stream(seed, number, first)
    n, H = problem.q_logits.shape
    every = np.arange(n)[:, None].repeat(number, axis=1)
    if h is None:
        h = np.stack([propose(problem, k, s, m) for m, k in enumerate(every)], axis=1)
        s = advance(s)
    valid.shape("h", h, (number, n, H))
    valid.require(valid.are_bits(h), "h must consist of bits, 0 or 1.")
    return reweighted(theta, phi, x, State(np.asarray(h, real), None, every[0], s))


def reweighted(theta, phi, x, state):
    """The same codes with the weights that they have under theta and phi."""
    problem, k = _problem(theta, phi, x, state.h.dtype.type), np.zeros(len(state.h), int)
    log_w = [log_weight(problem, k + m, state.h[:, m]) for m in range(len(problem.x))]
    return state._replace(log_w=np.stack([_finite(column, state.stream) for column in log_w], axis=1))


def propose(problem, k, s, move):
    """h' ~ q(.|x_k) for every chain.  k (C,) -> (C, H)"""
    return fires(words(s, problem.q_logits.shape[1], 2 * move + 1), problem.q_logits[k]).astype(problem.b.dtype)


def log_weight(problem, k, h):
    """log p(x_k, h) - log q(h|x_k), summed in order.  (C,), (C, H) -> (C,)"""
    x, _, gain, constant, W, b = problem
    total, activations, x, gain, one = constant[k], dot_in_order(h, W.T, b), x[k], gain[k], b.dtype.type(1)
    for j in range(h.shape[1]):
        total = total + h[:, j] * gain[:, j]
    for start in range(0, len(b), GROUP):
        product = one
        for s, bit in zip(activations.T[start:start + GROUP], x.T[start:start + GROUP]):
            total = total + (bit * s - np.maximum(s, 0 * one))
            product = product * (one + exp(-np.abs(s)))
        total = total - log(product)
    return total


def accepts(log_w_new, log_w, word):
    """Who moves: u < w' / w (ou2018 Sec. 3.2.3, MIS step 2).  -> (C,)"""
    return uniform(word, log_w) < exp(log_w_new - log_w)


def step(theta, phi, x, state, every=False):
    """One step of every chain: of one code h_k, or of every code; the weight moves with the code.

    Raises ValueError, naming chain and step, where a proposal's log weight is not finite.
    """
    problem, s = _problem(theta, phi, x, state.h.dtype.type), state.stream
    h, log_w, chain, n = state.h.copy(), state.log_w.copy(), np.arange(len(state.h)), len(x)
    for move in range(n if every else 1):
        to_choose, to_accept = words(s, 2, 2 * move).T
        k = np.full(len(h), move) if every else (to_choose.astype(np.uint64) * n >> 32).astype(int)
        h_new = propose(problem, k, s, move)
        log_w_new = _finite(log_weight(problem, k, h_new), s)
        moves = accepts(log_w_new, log_w[chain, k], to_accept)
        h[chain, k] = np.where(moves[:, None], h_new, h[chain, k])
        log_w[chain, k] = np.where(moves, log_w_new, log_w[chain, k])
    return State(h, log_w, k, advance(s))


def run(theta, phi, x, state, steps, every=False, threads=None, **options):
    """`steps` steps of every chain, compiled.  -> refdgm.chains.Run; options as in refdgm.chains.drive"""
    from refdgm import jit
    from refdgm.kernels.mis import sbn_codes
    number, real = len(state.h), state.h.dtype.type
    x_k, q_logits, gain, constant, W, b = _problem(theta, phi, x, real)
    chains.shaped(state, h=q_logits.shape, log_w=q_logits.shape[:1])
    valid.shape("state.k", state.k, (number,))
    lanes, W_transposed = jit.lanes(real), np.ascontiguousarray(W.T)

    def compiled(state, n):
        h, log_w, s = state.h.reshape(number, -1).copy(), state.log_w.copy(), state.stream
        k, faults = np.zeros((number, 1), np.int64), np.zeros((number, 1), real)
        jit.in_threads(sbn_codes, (h, log_w, k, faults, s.chain[:, None]),
                       (x_k, q_logits, gain, constant, W_transposed, b, every, s.step, n, *keys(s.seed), lanes, GROUP),
                       threads, lanes)
        if np.isnan(faults).any():                                             # the twin raises where it happened
            chains.repeated(lambda state: step(theta, phi, x, state, every))(state, n)
        return State(h.reshape(state.h.shape), log_w, k[:, 0], advance(s, n))

    return chains.drive(state, compiled, steps, **options)


def transition_matrix(theta, phi, x, every=False):
    """The exact matrix over all 2**(n H) states of the codes, h_1's first unit fastest.  -> square, rows sum to one

    P_k(h, h') = q(h'|x_k) min{1, w(h') / w(h)} for one code; the mean over k of 1 x .. P_k .. x 1, or their product.
    """
    n, H = _problem(theta, phi, x, np.float64).q_logits.shape
    valid.enumerable(4**(n * H), f"the transition matrix of {n} codes of {H} units")
    one_code, own = np.eye(2**H), []
    for log_joint, log_q in zip(sbn.log_joint_table(theta, x), sbn.log_q_table(phi, x)):
        log_w = log_joint - log_q
        P = np.exp(log_q + np.minimum(0, log_w - log_w[:, None]))
        np.fill_diagonal(P, 0)
        own.append(P + np.diag(1 - P.sum(axis=1)))

    def together(factors):
        return reduce(lambda low, high: np.kron(high, low), factors)

    return together(own) if every else sum(together([own[k] if i == k else one_code for i in range(n)])
                                           for k in range(n)) / n


def _problem(theta, phi, x, real):
    """Sums over units in a stated order, so that a code's numbers do not depend on how many observations there are."""
    valid.real_type(real)
    sbn.validate(theta, phi)
    D, H = np.shape(theta["W"])
    valid.shape("phi['V']", phi["V"], (H, D))
    valid.shape("x", x, (None, D))
    valid.count("the number of observations", len(x))
    valid.require(valid.are_bits(x), "x must consist of bits, 0 or 1.")
    q_logits = dot_in_order(np.asarray(x, np.float64), np.transpose(phi["V"]), phi["c"])
    constant = np.sum(softplus(q_logits) - softplus(theta["a"]), axis=1)
    return Problem(*(np.ascontiguousarray(a, real)
                     for a in (x, q_logits, theta["a"] - q_logits, constant, theta["W"], theta["b"])))


def _finite(log_w, s):
    """log_w, or a ValueError that names a chain and the step."""
    for i in np.flatnonzero(~np.isfinite(log_w)):
        raise ValueError(f"the log weight must be finite, but is {log_w[i]} for chain {s.chain[i]} at step {s.step}.")
    return log_w
