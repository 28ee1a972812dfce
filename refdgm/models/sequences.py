r"""Ranges of a sequence: z_{i:j} = z_i, z_{i+1}, ..., z_j, from 1 and with both ends (ou2018 Notations, Sec. 1).

A Python slice counts from 0 and leaves out its end, so z_{i:j} is z[i-1:j]. The check takes the law of z_{2:4} from the
table of all paths of a Markov chain, and holds it against the chain's own: mu P, then P from z_2 to z_3 to z_4.

Shapes: z (..., n);  start (m,) the law of z_1, P (m, m) its transition matrix.

z_{2:4} has three entries, its last one included:

>>> import numpy as np
>>> from refdgm.models.sequences import between
>>> len(between(np.arange(1, 6), 2, 4))
3
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.numerics import all_tuples


def between(z, i, j):
    """z_{i:j}, the j - i + 1 entries from z_i to z_j (ou2018 Notations, Sec. 1).  (..., n) -> (..., j - i + 1)

    Raises ValueError unless 1 <= i <= j <= n.

    >>> between(np.array([10, 20, 30, 40]), 2, 3).tolist()
    [20, 30]
    """
    n = np.shape(z)[-1]
    valid.require(1 <= i <= j <= n, f"a range i:j of {n} entries needs 1 <= i <= j <= {n}, but is {i}:{j}.")
    return z[..., i - 1:j]


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, m=3):
    rng = np.random.default_rng(seed)
    return {"start": rng.dirichlet(np.ones(m)), "P": rng.dirichlet(np.ones(m), size=m)}


def law_of_range(select=between, n=5):
    """The law of z_{2:4}, from the probabilities of all paths z_{1:n}.  -> (m, m, m)"""
    def law(start, P):
        paths = all_tuples(len(start), n)
        probability = start[paths[:, 0]] * np.prod(P[paths[:, :-1], paths[:, 1:]], axis=1)
        table = np.zeros((len(start),) * select(paths, 2, 4).shape[-1])
        np.add.at(table, tuple(select(paths, 2, 4).T), probability)
        return table
    return law


def law_of_three_steps(start, P):
    """The oracle: p(z_2) p(z_3|z_2) p(z_4|z_3)."""
    return (start @ P)[:, None, None] * P[:, :, None] * P[None, :, :]


CLAIMS = [
    Claim("ou2018.sym.slice", law_of_range(), equals(law_of_three_steps, random_case),
          {"counted from 0": law_of_range(lambda z, i, j: z[..., i:j + 1]),
           "the end left out, as by z[i:j]": law_of_range(lambda z, i, j: z[..., i:j]),
           "backwards, from z_j to z_i": law_of_range(lambda z, i, j: between(z, i, j)[..., ::-1])}),
]
