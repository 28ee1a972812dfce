r"""One chain of three discrete variables, as a directed and as an undirected model (ou2018 Sec. 1, footnote 1).

    directed:     p(a, b, c) = p(a) p(b|a) p(c|b)                    sums to one by itself
    undirected:   p(a, b, c) = phi_1(a, b) phi_2(b, c) / Z           needs Z, the sum over all states

Tables: p(a) (A,), p(b|a) (A, B), p(c|b) (B, C), each row a distribution; phi_1 (A, B), phi_2 (B, C), positive.

The sum over all states of a product of conditionals, and of a product of potentials:

>>> from refdgm.models.graphical import directed_joint, random_case, undirected_product
>>> case = random_case(0)
>>> directed, undirected = directed_joint(*case["conditionals"]), undirected_product(*case["potentials"])
>>> round(float(directed.sum()), 6), round(float(undirected.sum()), 3)
(1.0, 76.662)
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals


def directed_joint(p_a, p_b_given_a, p_c_given_b):
    """p(a) p(b|a) p(c|b), the product of local conditionals (ou2018 Sec. 1).  -> (A, B, C)"""
    return p_a[:, None, None] * p_b_given_a[:, :, None] * p_c_given_b[None, :, :]


def undirected_product(phi_1, phi_2):
    """phi_1(a, b) phi_2(b, c), the product of local potentials, not yet a density (ou2018 Sec. 1).  -> (A, B, C)"""
    return phi_1[:, :, None] * phi_2[None, :, :]


def undirected_joint(phi_1, phi_2):
    """phi_1(a, b) phi_2(b, c) / Z (ou2018 Sec. 1).  -> (A, B, C)"""
    for name, phi in (("phi_1", phi_1), ("phi_2", phi_2)):
        valid.require(np.all(phi >= 0), f"{name} must be non-negative: a potential is a factor of a density.")
    product = undirected_product(phi_1, phi_2)
    return product / np.sum(product)


def partition_function(phi_1, phi_2):
    """Z = 1' phi_1 phi_2 1: the chain is summed variable by variable, at a cost linear in its length."""
    return np.sum(np.sum(phi_1, axis=0) * np.sum(phi_2, axis=1))


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, A=2, B=3, C=4):
    """Random conditionals and random potentials on the same chain."""
    rng = np.random.default_rng(seed)
    conditionals = rng.dirichlet(np.ones(A)), rng.dirichlet(np.ones(B), size=A), rng.dirichlet(np.ones(C), size=B)
    return {"conditionals": conditionals, "potentials": (rng.gamma(2.0, size=(A, B)), rng.gamma(2.0, size=(B, C)))}


def totals(directed=directed_joint, undirected=undirected_joint):
    """What the directed model, the undirected one, and the bare product of potentials sum to."""
    return lambda conditionals, potentials: np.array(
        [np.sum(directed(*conditionals)), np.sum(undirected(*potentials)), np.sum(undirected_product(*potentials))])


def normalised_over_the_parent(p_a, p_b_given_a, p_c_given_b):
    return directed_joint(p_a, p_b_given_a / p_b_given_a.sum(0), p_c_given_b)


CLAIMS = [
    Claim("ou2018.model.directed", totals(),
          equals(lambda conditionals, potentials: np.array([1.0, 1.0, partition_function(*potentials)]), random_case),
          {"a product of potentials sums to one": totals(undirected=undirected_product),
           "each potential is normalised, so Z = 1": totals(
               undirected=lambda f, g: undirected_product(f / f.sum(), g / g.sum())),
           "a directed model needs Z, too": lambda conditionals, potentials: totals()(conditionals, potentials)
              / np.array([partition_function(*potentials), 1.0, 1.0]),
           "conditionals normalised over the parent": totals(directed=normalised_over_the_parent)}),
]
