r"""Several latent variables: the divergence adds up along a chain (kingma2019 Secs. 3.2 and 4.1).

    Sec. 3.2   KL[q(x, z, u) || p(x, z, u)] = KL[q(x, z) || p(x, z)] + E_{q(x, z)} KL[q(u|x, z) || p(u|x, z)]
                                            >= KL[q(x, z) || p(x, z)]                an auxiliary u can only add
    Sec. 4.1   KL[q(z1, z2) || p(z1, z2)] = KL[q(z2) || p(z2)] + E_{q(z2)} KL[q(z1|z2) || p(z1|z2)]     top-down
                                          = KL[q(z1) || p(z1)] + E_{q(z1)} KL[q(z2|z1) || p(z2|z1)]     bottom-up

q and p are tables, one axis a variable: (Z1, Z2), all given one x; or (X, Z, U).

One divergence, top-down and bottom-up:

    >>> from refdgm.directed.hierarchical_latents import chain, pair_case
    >>> [round(float(chain(**pair_case(0), first=variable)), 3) for variable in (1, 0)]
    [0.878, 0.878]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models.joint_tables import conditional, kl, marginal, random_joints


def chain(q, p, first):
    """KL of the variable `first`, plus the expected KL of the rest given it (kingma2019 Sec. 4.1).  -> ()"""
    return kl(marginal(q, first), marginal(p, first)) + conditional_divergence(q, p, first)


def conditional_divergence(q, p, *given):
    """E_q KL[q(rest|given) || p(rest|given)] (kingma2019 Secs. 3.2 and 4.1).  -> ()"""
    return np.sum(q * np.log(conditional(q, *given) / conditional(p, *given)))


def divergence_with_auxiliary(q, p):
    """KL[q(x, z, u) || p(x, z, u)]: without u, and what u adds (kingma2019 Sec. 3.2).  -> ()"""
    return kl(marginal(q, 0, 1), marginal(p, 0, 1)) + conditional_divergence(q, p, 0, 1)


# ---- claims ---------------------------------------------------------------------------

def pair_case(seed):
    return random_joints(seed, (3, 4))


def triple_case(seed):
    return random_joints(seed, (3, 2, 4))


def cell_by_cell(q, p):
    """The oracle: the sum over the cells."""
    return sum(a * onp.log(a / b) for a, b in zip(q.ravel(), p.ravel()))


def orders(of):
    """of(q, p, first) for both orders of the latents."""
    return lambda q, p: {"top-down": of(q, p, 1), "bottom-up": of(q, p, 0)}


def under_p(q, p, first):
    """The conditional divergences averaged over p(first)."""
    return kl(marginal(q, first), marginal(p, first)) + np.sum(
        marginal(p, first) * conditional(q, first) * np.log(conditional(q, first) / conditional(p, first)))


def with_and_without(with_u=divergence_with_auxiliary, added=lambda q, p: conditional_divergence(q, p, 0, 1)):
    """The divergence with u, and what u adds to the one without."""
    return lambda q, p: {"with u": with_u(q, p), "added": added(q, p)}


def summed_out(q, p):
    """The oracle: u summed out of both laws, or not, and both divergences cell by cell."""
    with_u = cell_by_cell(q, p)
    return {"with u": with_u, "added": with_u - cell_by_cell(q.sum(axis=2), p.sum(axis=2))}


CLAIMS = [
    Claim("kingma2019.toc.3.2", with_and_without(), equals(summed_out, triple_case),
          {"nothing is added": with_and_without(added=lambda q, p: 0.0),
           "u's conditional divergence subtracted": with_and_without(
               lambda q, p: divergence_with_auxiliary(q, p) - 2 * conditional_divergence(q, p, 0, 1)),
           "u's marginal divergence added": with_and_without(
               added=lambda q, p: kl(marginal(q, 2), marginal(p, 2))),
           "the divergence given each u": with_and_without(lambda q, p: conditional_divergence(q, p, 2)),
           "KL[p(u|x, z) || q(u|x, z)]": with_and_without(
               added=lambda q, p: np.sum(marginal(q, 0, 1) * conditional(p, 0, 1) * np.log(
                   conditional(p, 0, 1) / conditional(q, 0, 1))))}),
    Claim("kingma2019.toc.4.1", orders(chain),
          equals(lambda q, p: {"top-down": cell_by_cell(q, p), "bottom-up": cell_by_cell(q, p)}, pair_case),
          {"the sum of the marginal divergences": lambda q, p: orders(lambda q, p, first: kl(
              marginal(q, 0), marginal(p, 0)) + kl(marginal(q, 1), marginal(p, 1)))(q, p),
           "the conditional divergence averaged under p": orders(under_p),
           "the conditional divergence alone": orders(conditional_divergence),
           "the same variable in both terms": orders(lambda q, p, first: kl(
               marginal(q, first), marginal(p, first)) + conditional_divergence(q, p, 1 - first))}),
]
