r"""Sampling from a generalised denoising autoencoder by encoding and decoding in turn (bachman2015 Sec. 2).

    T(x, x') = sum_zbar q(zbar|x) p(x'|zbar)

With the optimal decoder p(x, z|zbar) = q(x, z|zbar) the divergence of `gsn` is zero, and T leaves D invariant. T is
then reversible and has no negative eigenvalue, so the chain from one x converges to D if it can reach every x. It
cannot where the codes of different x are disjoint: on such "islands" the bound is as good as it gets, and T is the
identity.

Tables q(x, z0, z1, zbar) and p(x, z0, z1|zbar) have the axes of `refdgm.models.joint_tables`.
"""
import autograd.numpy as np

from refdgm.checking import Claim, equals, is_at_most
from refdgm.models.joint_tables import (ZBAR, X, Z, conditional, decoder, encoder, islands_case, kl, marginal,
                                        near_optimal_case, random_case, random_joints)
from refdgm.numerics import softmax


def chain(q, p_given_zbar):
    """T(x, x') = sum_zbar q(zbar|x) p(x'|zbar) (bachman2015 Sec. 2).  tables -> (X, X)"""
    code = conditional(marginal(q, X, ZBAR), X)[:, 0, 0, :]
    return np.dot(code, marginal(p_given_zbar, X, ZBAR)[:, 0, 0, :].T)


def optimal_decoder(q):
    """p(x, z|zbar) = q(x, z|zbar), at which KL(q || p) = 0 (bachman2015 Sec. 2).  table -> table"""
    return conditional(q, ZBAR)


def best_bound(phi, D):
    """KL(q || p) and T at the optimal decoder (bachman2015 footnote 3).  -> {"kl": (), "chain": (X, X)}"""
    q = encoder(phi, D)
    p_given_zbar = optimal_decoder(q)
    return {"kl": kl(q, p_given_zbar * marginal(q, ZBAR)), "chain": chain(q, p_given_zbar)}


def many_rounds(phi, D, rounds=1024):
    """The law of x_t given x_0 after many rounds with the optimal decoder (bachman2015 Sec. 2).  -> (X, X)"""
    q = encoder(phi, D)
    return np.linalg.matrix_power(chain(q, optimal_decoder(q)), rounds)


def four_divergences(q, p):
    """E_q of the divergences of x, zbar, x|zbar and zbar|x, all zero if KL(q || p) is (bachman2015 Sec. 2).  -> (4,)"""
    q, p = marginal(q, X, ZBAR), marginal(p, X, ZBAR)
    return np.array([kl(marginal(q, X), marginal(p, X)), kl(marginal(q, ZBAR), marginal(p, ZBAR)),
                     np.sum(q * np.log(conditional(q, ZBAR) / conditional(p, ZBAR))),
                     np.sum(q * np.log(conditional(q, X) / conditional(p, X)))])


def data_marginal(theta, phi, D):
    """q(x) = sum_{z, zbar} D(x) q(z, zbar|x) (bachman2015 Sec. 2).  -> (X,)"""
    return np.ravel(marginal(encoder(phi, D), X))


# ---- claims ---------------------------------------------------------------------------

def encoder_case(seed):
    case = random_case(seed)
    return {"phi": case["phi"], "D": case["D"]}


def every_row_is_D(phi, D):
    return np.tile(D, (len(D), 1))


def with_overlap(phi, D, overlap=0.01):
    """`best_bound` of islands that share a little of their codes."""
    q = encoder(phi, D)
    q = (1 - overlap) * q + overlap * marginal(q, X, *Z) * marginal(q, ZBAR)
    return {"kl": kl(q, optimal_decoder(q) * marginal(q, ZBAR)), "chain": chain(q, optimal_decoder(q))}


def mixing_islands(phi, D):
    return {**best_bound(phi, D), "chain": every_row_is_D(phi, D)}


def paid_for_islands(phi, D):
    """Islands, held against a decoder that has its codes' prior only: KL(q(x, z|zbar) || q(x, z)) on average."""
    q = encoder(phi, D)
    return {**best_bound(phi, D), "kl": kl(q, marginal(q, X, *Z) * marginal(q, ZBAR))}


def suboptimal_rounds(phi, D):
    """`many_rounds` with a decoder that knows p(x|zbar) up to a factor 1, 2, 3, ... for each x."""
    q = encoder(phi, D)
    off = q * (1.0 + np.arange(len(D)))[:, None, None, None]
    return np.linalg.matrix_power(chain(q, conditional(off, ZBAR)), 1024)


def transposed_rounds(phi, D):
    q = encoder(phi, D)
    return np.linalg.matrix_power(chain(q, optimal_decoder(q)).T, 1024)


def pair_divergence(q, p):
    """KL(q(x, zbar) || p(x, zbar)), which KL(q || p) over all variables dominates."""
    return np.full(4, kl(marginal(q, X, ZBAR), marginal(p, X, ZBAR)))


def cross_entropies(q, p):
    q, p = marginal(q, X, ZBAR), marginal(p, X, ZBAR)
    return np.array([-np.sum(q * np.log(law)) for law in (marginal(p, X), marginal(p, ZBAR), conditional(p, ZBAR),
                                                          conditional(p, X))])


def decoder_marginal(theta, phi, D):
    return np.ravel(marginal(decoder(theta) * marginal(encoder(phi, D), ZBAR), X))


def normalised_over_x(theta, phi, D):
    """Every conditional with its softmax over x."""
    wrong = {name: softmax(logits, axis=0) for name, logits in phi.items()}
    return D * np.sum(wrong["z0"][..., None, None] * wrong["z1"][..., None] * wrong["zbar"], axis=(1, 2, 3))


CLAIMS = [
    Claim("bachman2015.fn3", best_bound, equals(lambda phi, D: {"kl": 0.0, "chain": np.eye(len(D))}, islands_case),
          {"the islands overlap by one hundredth": with_overlap,
           "the chain still mixes": mixing_islands,
           "the bound pays for the islands": paid_for_islands}),
    Claim("bachman2015.sec2_chain", many_rounds, equals(every_row_is_D, encoder_case),
          {"one round is enough": lambda phi, D: many_rounds(phi, D, rounds=1),
           "any decoder will do": suboptimal_rounds,
           "columns for rows": transposed_rounds},
          without=equals(every_row_is_D, islands_case)),
    Claim("bachman2015.sec2_klzero", four_divergences, is_at_most(pair_divergence, random_joints),
          {"both factorisations added up": lambda q, p: np.full(4, np.sum(four_divergences(q, p))),
           "cross-entropies": cross_entropies}),
    Claim("bachman2015.sec2_marginal", data_marginal, equals(lambda theta, phi, D: D, near_optimal_case),
          {"p(x), for any decoder": decoder_marginal,
           "conditionals that sum to one over x": normalised_over_x}),
]
