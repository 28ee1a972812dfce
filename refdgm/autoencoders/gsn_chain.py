r"""Sampling from a generalised denoising autoencoder by encoding and decoding in turn (bachman2015 Sec. 2).

    T(x, x') = sum_zbar q(zbar|x) p(x'|zbar)

With the optimal decoder p(x, z|zbar) = q(x, z|zbar) the divergence of `gsn` is zero, and T leaves D invariant. T is
then reversible and has no negative eigenvalue, so the chain from one x converges to D if it can reach every x. It
cannot where the codes of different x are disjoint: on such "islands" the bound is as good as it gets, and T is the
identity.

Tables q(x, z0, z1, zbar) and p(x, z0, z1|zbar) have the axes of `refdgm.models.joint_tables`.

The chance to be back at the first x after 1024 rounds, on islands, and where codes overlap (there it is D(x)):

    >>> from refdgm.autoencoders.gsn_chain import encoder_case, islands_case, many_rounds
    >>> [round(float(many_rounds(**case)[0, 0]), 3) for case in (islands_case(0), encoder_case(0))]
    [1.0, 0.422]
"""
import autograd.numpy as np

from refdgm.checking import Claim, equals
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


def both_ways(q, p, law=lambda q, p: q):
    """KL(q(x, zbar) || p(x, zbar)), split through x and through zbar (bachman2015 Sec. 2).  -> (2,)

    Each half is the divergence of a marginal plus the mean under q of that of a conditional. None of the four is
    negative, so all vanish where KL(q || p), which is no smaller than their sum, does.
    """
    q, p = marginal(q, X, ZBAR), marginal(p, X, ZBAR)

    def split(given):
        inside = np.sum(conditional(q, given) * np.log(conditional(q, given) / conditional(p, given)),
                        axis=ZBAR if given == X else X, keepdims=True)
        return kl(marginal(q, given), marginal(p, given)) + np.sum(marginal(law(q, p), given) * inside)
    return np.array([split(X), split(ZBAR)])


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
    return np.full(2, kl(marginal(q, X, ZBAR), marginal(p, X, ZBAR)))


def marginals_only(q, p):
    return np.array([kl(marginal(q, i), marginal(p, i)) for i in (X, ZBAR)])


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
    Claim("bachman2015.sec2_klzero", both_ways, equals(pair_divergence, random_joints),
          {"the marginals alone": marginals_only,
           "conditionals averaged under p": lambda q, p: both_ways(q, p, law=lambda q, p: p),
           "KL(p || q)": lambda q, p: both_ways(p, q)}),
    Claim("bachman2015.sec2_marginal", data_marginal, equals(lambda theta, phi, D: D, near_optimal_case),
          {"p(x), for any decoder": decoder_marginal,
           "conditionals that sum to one over x": normalised_over_x}),
]
