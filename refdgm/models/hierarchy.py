r"""A hierarchy of latent variables, and a recognition model that climbs it (kingma2019 Sec. 1.1).

    generative    p(x, z_0..z_L) = p(x|z_L) p(z_L|z_{L-1}) ... p(z_1|z_0) p(z_0)
    recognition   q(z_0..z_L|x) = q(z_0|z_1) ... q(z_{L-1}|z_L) q(z_L|x)

The recognition model reads the chain backwards. That loses nothing: a chain reversed is a chain, so the exact posterior
has this form. Every variable is discrete: prior (Z_0,), and for each step a table (from, to) whose rows sum to one,
`steps` = [p(z_1|z_0), ..., p(z_L|z_{L-1}), p(x|z_L)].

The recognition chain built from the posterior's own tables, times p(x), is the generative model again:

>>> import numpy as np
>>> from refdgm.models.hierarchy import generative, random_case, recognition, reversed_chain
>>> case = random_case(0)
>>> p = generative(**case)
>>> q = recognition(*reversed_chain(**case)) * p.sum(axis=(0, 1, 2))
>>> round(float(np.abs(p - q).max()), 6)
0.0
"""
import itertools
import math

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals


def generative(prior, steps):
    """p(z_0, .., z_L, x), one axis a variable in this order (kingma2019 Sec. 1.1)."""
    validate(prior, steps)
    return chain(prior, steps)


def recognition(top, steps):
    """q(z_0, .., z_L|x) from q(z_L|x) (X, Z_L) and [q(z_{L-1}|z_L), .., q(z_0|z_1)] (kingma2019 Sec. 1.1).

    -> one axis a variable, in the order z_0, .., z_L, x
    """
    validate(np.full(len(top), 1 / len(top)), [top, *steps])
    downwards = chain(np.ones(len(top)), [top, *steps])     # in the order x, z_L, .., z_0
    return np.transpose(downwards)


def chain(start, steps):
    """start(a) T_1(a, b) T_2(b, c) ..., one axis a variable."""
    p = start
    for T in steps:
        p = p[..., None] * T
    return p


def reversed_chain(prior, steps):
    """The tables of the exact posterior: p(z_L|x), and p(z_{l-1}|z_l) for l = L..1, by Bayes' rule at each step."""
    laws = [prior]
    for T in steps:
        laws.append(laws[-1] @ T)
    backwards = [(law[:, None] * T / after).T for law, T, after in zip(laws, steps, laws[1:])]
    return backwards[-1], backwards[-2::-1]


def validate(start, steps):
    """Raise ValueError, saying which, unless `start` is a distribution and each table a conditional that follows."""
    valid.distribution("the first law", start)
    before = len(start)
    for n, T in enumerate(steps):
        valid.shape(f"table {n} of the chain", T, (before, None))
        valid.distribution(f"table {n} of the chain", T)
        before = T.shape[1]


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, sizes=(3, 2, 4, 3)):
    rng = np.random.default_rng(seed)
    return {"prior": rng.dirichlet(np.ones(sizes[0])),
            "steps": [rng.dirichlet(np.ones(after), size=before) for before, after in zip(sizes, sizes[1:])]}


def state_by_state(prior, steps):
    """p of every state in plain Python, each variable drawn given the one above."""
    sizes = [len(prior), *(T.shape[1] for T in steps)]
    return np.array([prior[s[0]] * math.prod(T[a, b] for T, a, b in zip(steps, s, s[1:]))
                     for s in itertools.product(*map(range, sizes))]).reshape(sizes)


def posterior(prior, steps):
    """The oracle: p(z_0..z_L|x) as a quotient of sums over all states."""
    p = state_by_state(prior, steps)
    return p / np.sum(p, axis=tuple(range(p.ndim - 1)))


def exact_recognition(prior, steps):
    return recognition(*reversed_chain(prior, steps))


def mean_field(prior, steps):
    """q(z_0|x) q(z_1|x) .. q(z_L|x): every layer reads x and no other layer."""
    p = posterior(prior, steps)
    layers = range(p.ndim - 1)
    return math.prod(np.sum(p, axis=tuple(j for j in layers if j != i), keepdims=True) for i in layers)


def same_order(prior, steps):
    """q(z_0|x) q(z_1|z_0) .. q(z_L|z_{L-1}): x is read at the top and not again."""
    p = state_by_state(prior, steps)
    p_top_x = np.sum(p, axis=tuple(range(1, p.ndim - 1)))
    top = (p_top_x / np.sum(p_top_x, axis=0)).T
    return np.moveaxis(chain(np.ones(len(top)), [top, *steps[:-1]]), 0, -1)


def generative_reversed_without_bayes(prior, steps):
    """The generative tables transposed and normalised, as if every layer were uniform."""
    backwards = [(T / np.sum(T, axis=0)).T for T in steps]
    return recognition(backwards[-1], backwards[-2::-1])


CLAIMS = [
    Claim("kingma2019.sec1.1.hier", generative, equals(state_by_state, random_case),
          {"a uniform prior": lambda prior, steps: generative(np.full(len(prior), 1 / len(prior)), steps),
           "tables normalised over the layer above": lambda prior, steps: chain(
              prior, [T / np.sum(T, axis=0) for T in steps]),
           "z_0 drawn twice": lambda prior, steps: chain(prior**2, steps)},
          printed=lambda prior, steps: chain(np.ones(len(prior)), steps)),
    Claim("kingma2019.sec1.1.qhier", exact_recognition, equals(posterior, random_case),
          {"mean field: each layer given x alone": mean_field,
           "the order of the generative model, x read once": same_order,
           "generative tables transposed, without Bayes' rule": generative_reversed_without_bayes}),
]
