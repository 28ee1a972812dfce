r"""Does a sampler move as its transition matrix says? A sequential test whose false-alarm rate is exact.

The moves of all chains are counted: N(s, s') of the n(s) moves that left s. If the sampler has the matrix P, the moves
out of s are independent draws from P(s, .). The rival explanation is that they come from another row, drawn from
a Dirichlet law around P(s, .), as far from it as kappa multinomial draws would be. The ratio of the two explanations,

    B_kappa = prod_s  Gamma(kappa) / Gamma(kappa + n(s))  prod_s' Gamma(kappa P(s,s') + N(s,s'))
                                                                  / (Gamma(kappa P(s,s')) P(s,s')^N(s,s'))

is a likelihood ratio, hence a martingale of mean 1 while P is right, and so is its mean B over several kappa. By
Ville's inequality, Pr(B >= 1 / error at any time) <= error: one may look whenever one likes, no count has to be large,
and no law of a statistic is approximated. A move with P = 0 makes B infinite. When the sampler has another matrix P',
log B grows by M sum_s pi'(s) KL(P'(s, .) || P(s, .)) in M moves, less a price for the number of cells.
"""
from typing import NamedTuple

import numpy as np

from refdgm import validation as valid

KAPPA = 4.0**np.arange(11)          # a probability p of the rival is p +- sqrt(p (1 - p) / (kappa + 1))


class Verdict(NamedTuple):
    """What the test found."""
    agrees: bool
    moves: int              # how many moves it needed
    p_value: float          # 1 / B at the last look, at most 1; the probability of such a B is below this at any look
    worst: tuple            # the pair (s, s') whose count is the most standard errors from n(s) P(s, s')

    def __str__(self):
        return (f"{self.moves:,} moves agree with the matrix" if self.agrees else
                f"after {self.moves:,} moves the matrix is rejected (p < {self.p_value:.1e}); "
                f"the move that deviates most is {self.worst[0]} -> {self.worst[1]}")


def compare(P, advance, states, *, error=1e-6, moves=4096, most=2**21):
    """Count moves, looking after `moves` of them, twice as many, ..., until they deviate from P or are `most`.

    P (S, S), rows sum to one; states (C,) of int, where the chains are; advance() makes one step of every chain and
    returns their new states (see `follow`). error bounds the false-alarm rate of the whole test.
    Raises ValueError unless P is a transition matrix, there is a chain and all states are 0..S-1.
    """
    valid.shape("P", P, (len(P), len(P)))
    valid.distribution("each row of the transition matrix P", P, axis=1)
    valid.require(0 < error < 1, f"error must be between 0 and 1, but is {error}.")
    valid.count("moves", moves)
    valid.count("most", most)
    S, counts, made = len(P), np.zeros(np.shape(P)), 0
    states = _numbered(states, S)
    valid.count("the number of chains in states", len(states))
    while True:
        while made < min(moves, most):
            new = _numbered(advance(), S)
            valid.shape("states", new, states.shape)
            counts += np.bincount(states * S + new, minlength=S * S).reshape(S, S)
            made, states = made + len(new), new
        log_ratio = log_bayes_factor(counts, P)
        rejected = log_ratio >= -np.log(error)
        if rejected or made >= most:
            return Verdict(not rejected, made, float(np.exp(min(-log_ratio, 0.0))), most_deviant(counts, P))
        moves *= 2


def _numbered(states, S):
    """The numbers of states as an array, if they are such."""
    states = np.asarray(states)
    valid.require(states.ndim == 1 and states.dtype.kind in "iub" and np.all((0 <= states) & (states < S)),
                  f"states must be numbered 0 to {S - 1}, with an integer for each chain.")
    return states


def log_bayes_factor(counts, P):
    """log B for the counts (S, S) of moves, inf where one of them is impossible."""
    from scipy.special import gammaln
    if np.any(counts[P == 0]):
        return np.inf
    N, p = counts[counts > 0], P[counts > 0]
    visits = counts.sum(axis=1)
    log_B = [np.sum(gammaln(kappa) - gammaln(kappa + visits))
             + np.sum(gammaln(kappa * p + N) - gammaln(kappa * p) - N * np.log(p)) for kappa in KAPPA]
    return float(np.logaddexp.reduce(log_B) - np.log(len(KAPPA)))


def most_deviant(counts, P):
    """The pair (s, s') with the largest |N - n P| / sqrt(n P (1 - P)); an impossible move comes first."""
    expected = counts.sum(axis=1, keepdims=True) * P
    difference, variance = np.abs(counts - expected), expected * (1 - P)
    standardised = np.divide(difference, np.sqrt(variance), where=variance > 0,
                             out=np.where(difference > 0.5, np.inf, 0.0))
    return tuple(int(i) for i in np.unravel_index(np.argmax(standardised), P.shape))


# ---- from samplers to numbered states -------------------------------------------------

def number(bits):
    """The number of each vector of bits in the order of numerics.all_binary.  (..., n) -> (...) of int

    >>> number(np.array([[1, 0, 0], [1, 0, 1]])).tolist()
    [1, 5]
    """
    return np.asarray(bits).astype(np.int64) @ (1 << np.arange(np.shape(bits)[-1]))


def follow(state, step, number):
    """advance and states for `compare`: step(state) -> the next state, number(state) -> the number of each chain's."""
    def advance():
        nonlocal state
        state = step(state)
        return number(state)

    return advance, number(state)
