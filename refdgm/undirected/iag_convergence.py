r"""When does stochastic approximation find the root of Eq. 38? (ou2018 Prop. 4, the last sentence of its proof)

    f(theta, phi) = (E_p~[s] - E_p[s],  E_p(x)[dlog q(x)/dphi]),     p(x) prop. to exp(theta's(x))
    J = df/d(theta, phi) at a root = [[-Cov_p(s), 0], [., d2 E_p[log q(x)]/dphi2]]

The theta-row does not see phi, so the eigenvalues of J are those of the diagonal blocks, both symmetric. The first is
never positive; the second is a Hessian, and Theorem 1 applies near the root if that is negative definite: the root
must be a strict maximum of E_p[log q]. A saddle point is a root of Eq. 38, too, and it repels.

The field on three bits is saturated, s(x) = all seven products of bits, so that p = p~ at the root. The generator is a
sigmoid belief net with one latent bit and seven parameters, phi = {"a": (1,), "W": (3, 1), "b": (3,)}, and the data
follow one such net. Two roots are known: that net, and the best generator whose x does not depend on h, W = 0.
theta (7,), p and p~ (8,), J (14, 14).

The largest real part of an eigenvalue of J at the two roots: the first attracts, the second repels.

>>> import numpy as np
>>> from refdgm.undirected.iag_convergence import generator_that_ignores_h, jacobian, perfect_generator
>>> roots = perfect_generator(0), generator_that_ignores_h(0)
>>> [round(float(np.linalg.eigvals(jacobian(**root)).real.max()), 4) for root in roots]
[-0.0056, 0.0333]
"""

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, is_stable
from refdgm.models import sbn
from refdgm.models.exponential_family import log_p
from refdgm.numerics import all_binary, weighted_sum

BITS = all_binary(3)
STATISTICS = np.stack([np.prod(BITS[:, mask == 1], axis=1) for mask in all_binary(3)[1:]], axis=1)     # (8, 7)


def field(theta, phi, p_data):
    """f(theta, phi), both rows of Eq. 38 by enumeration (ou2018 Eq. 38).  (7,), dict -> (14,)"""
    s = here(STATISTICS)
    p = np.exp(log_p(theta, s, np.zeros(8)))
    return joined((p_data - p) @ s, mean_score(phi, p[:, None] * sbn.posterior(phi, here(BITS))))


def mean_score(phi, law):
    """E[dlog q(x, h)/dphi] under a law (8, 2) of (x, h).  -> dict"""
    return weighted_sum(law, sbn.score_theta(phi, here(BITS)[:, None], sbn.latent_states(phi)))


def jacobian(theta, phi, p_data, field=field):
    """df/d(theta, phi), by central differences of the exact field (ou2018 Prop. 4, Theorem 1).  -> (14, 14)"""
    at, step = joined(theta, phi), 1e-5
    return np.stack([(field(*parted(at + d), p_data) - field(*parted(at - d), p_data)) / (2 * step)
                     for d in step * np.eye(14)], axis=1)


def joined(theta, phi):
    """(theta, phi) as one vector.  (7,), dict -> (14,)"""
    return np.concatenate([theta, phi["a"], phi["W"][:, 0], phi["b"]])


def parted(vector):
    """The inverse of `joined`."""
    return vector[:7], {"a": vector[7:8], "W": vector[8:11, None], "b": vector[11:]}


def saturated(p):
    """The theta at which the saturated field is p > 0: log p(x) - log p(0) = theta's(x).  (8,) -> (7,)"""
    return np.linalg.solve(STATISTICS[1:], np.log(p[1:] / p[0]))


# ---- claims ---------------------------------------------------------------------------

def data_of(seed):
    """A generator whose three bits all depend on h, and the law of its x."""
    rng = np.random.default_rng([seed, 43])
    phi = {"a": rng.uniform(-0.7, 0.7, 1), "W": rng.uniform(2.0, 3.0, (3, 1)) * rng.choice([-1, 1], (3, 1))}
    phi["b"] = -phi["W"][:, 0] / 2 + rng.uniform(-0.5, 0.5, 3)
    return phi, np.exp(sbn.log_marginal(phi, BITS))


def perfect_generator(seed):
    """The root where q = p = p~."""
    phi, p_data = data_of(seed)
    return {"theta": saturated(p_data), "phi": phi, "p_data": p_data}


def generator_that_ignores_h(seed):
    """The root where W = 0 and q has the right mean of each bit, and nothing else."""
    phi, p_data = data_of(seed)
    mean = p_data @ BITS
    return {"theta": saturated(p_data), "phi": {"a": phi["a"], "W": 0 * phi["W"], "b": np.log(mean / (1 - mean))},
            "p_data": p_data}


def with_rows(theta_factor=1.0, phi_factor=1.0):
    """The Jacobian of updates with their rows multiplied by a number."""
    factors = np.repeat([theta_factor, phi_factor], 7)
    return lambda theta, phi, p_data: factors[:, None] * jacobian(theta, phi, p_data)


def x_from_the_generator(theta, phi, p_data):
    """Updates whose second row draws (x, h) from q: it is zero for every phi, and nothing attracts."""
    def blind(theta, phi, p_data):
        second = mean_score(phi, np.exp(sbn.log_joint_table(phi, BITS)))
        return joined(field(theta, phi, p_data)[:7], second)
    return jacobian(theta, phi, p_data, blind)


CLAIMS = [
    Claim("ou2018.prop4.convergence", jacobian, is_stable(perfect_generator),
          {"theta descends": with_rows(theta_factor=-1.0),
           "phi descends": with_rows(phi_factor=-1.0),
           "x from the generator": x_from_the_generator,
           "phi is not updated": with_rows(phi_factor=0.0)},
          without=is_stable(generator_that_ignores_h)),
]
