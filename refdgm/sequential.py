r"""Sequential tests of what is drawn: a law on a finite set, reversibility, a mean. One may look at any time.

The first two are likelihood ratios against a mixture of rivals: martingales of mean 1 while the hypothesis holds, so
that Pr(B >= 1 / error at any time) <= error by Ville's inequality, whatever the counts (see transition_test).

    law            counts n_s of independent draws from p           against Dirichlet laws around p
    reversibility  n(a, b) of n(a, b) + n(b, a) moves between a, b  against other shares than 1/2

The third, of a mean, is a z-test at n, 4n, 16n, ...: the j-th look spends error / 2**j, shared by the components. It
trusts the central limit theorem in its tails; `error` is therefore set well below what is promised, and measured.
"""
from typing import NamedTuple

import numpy as np

from refdgm.transition_test import KAPPA, log_bayes_factor


def law(counts, p):
    """log B of independent draws that fell counts (S,) times on states whose probabilities are p (S,)."""
    return log_bayes_factor(np.reshape(counts, (1, -1)), np.reshape(p, (1, -1)))


def reversibility(counts):
    """log B of a stationary chain's counts (S, S) of moves: a -> b and b -> a are equally likely if it is reversible.

    For each pair the share of a -> b is 1/2, or has a beta law around it, as far from it as kappa draws would be.
    """
    from scipy.special import betaln
    a, b = np.triu_indices(len(counts), 1)
    there, back = counts[a, b], counts[b, a]
    log_B = [np.sum(betaln(kappa / 2 + there, kappa / 2 + back) - betaln(kappa / 2, kappa / 2)
                    + (there + back) * np.log(2.0)) for kappa in KAPPA]
    return float(np.logaddexp.reduce(log_B) - np.log(len(KAPPA)))


class Mean(NamedTuple):
    """The test of a mean, as far as it has come: sums over the draws minus what their mean should be."""
    n: int                  # draws so far
    sum: np.ndarray         # (components,)
    squares: np.ndarray
    looks: int

    @classmethod
    def of(cls, components):
        return cls(0, np.zeros(components), np.zeros(components), 0)

    def add(self, deviations):
        """With more draws minus the hypothesis, (n, components)."""
        return Mean(self.n + len(deviations), self.sum + deviations.sum(axis=0),
                    self.squares + np.sum(deviations**2, axis=0), self.looks + 1)

    def variance(self):
        """Of one draw, (components,)."""
        return np.maximum(self.squares / self.n - (self.sum / self.n)**2, 0.0)

    def ratio(self, error, rounding=0.0):
        """|z| over its critical value at this look, (components,): above 1, the mean is another.

        A mean off by at most `rounding` is right, whatever its standard error.
        """
        from scipy.stats import norm
        off = np.abs(self.sum / self.n)
        critical = norm.isf(error / 2**self.looks / (2 * len(off)))
        spread = np.sqrt(self.variance() / self.n)
        return np.where(off <= rounding, 0.0, off / np.maximum(critical * spread, 1e-300))
