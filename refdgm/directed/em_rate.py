r"""How fast EM converges: the share of the information that is missing (kingma2019 App. A.2.2; Dempster et al. 1977).

EM as coordinate ascent on the bound is a map theta -> M(theta). At a maximum of the likelihood its Jacobian is

    dM/dtheta = I - C^{-1} J       C = -E[Hessian of log p(x, z)],  z ~ p(z|x): what complete data would tell
                                   J = -E[Hessian of log p(x)]:                what x alone tells

so an error shrinks, in the worst direction, by the largest eigenvalue of C^{-1}(C - J), the missing share. A direction
of which x tells nothing (J = 0) is never improved upon; if x tells all about z EM is done after one round.

The mixture of refdgm.models.bernoulli_mixture with two components, its parameters as one vector v (1 + 2 D,): the log
odds of the components, and B. Data are a law (2**D,) over every x; the model's own law makes v a fixed point.

The factor by which a round of EM shrinks the error in the worst direction:

    >>> import numpy as np
    >>> from refdgm.directed.em_rate import fixed_point_case, missing_share
    >>> round(float(abs(np.linalg.eigvals(missing_share(**fixed_point_case(0)))).max()), 3)
    0.998
"""
import autograd.numpy as np
from autograd import hessian, jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals
from refdgm.models import bernoulli_mixture as mixture
from refdgm.numerics import all_binary


def parameters(v):
    """The theta that v stands for."""
    return {"a": np.concatenate([np.zeros(1), v[:1]]), "B": np.reshape(v[1:], (2, -1))}


def em_map(v, data):
    """One E-step and one M-step (kingma2019 Eqs. A.6-A.7).  -> like v"""
    X = all_binary((len(v) - 1) // 2)
    joint = data[:, None] * np.exp(mixture.log_posterior(parameters(v), X))
    share = np.sum(joint, axis=0)
    means = np.dot(joint.T, X) / share[:, None]
    return np.concatenate([np.log(share[1:] / share[:1]), np.ravel(np.log(means) - np.log1p(-means))])


def complete_information(v, data):
    """C: minus the mean Hessian of log p(x, z), z from the posterior at v.  -> (d, d)"""
    X = all_binary((len(v) - 1) // 2)
    law = data[:, None] * np.exp(mixture.log_posterior(parameters(v), X))
    return -hessian(lambda u: np.sum(law * mixture.log_joint(parameters(u), X)))(v)


def observed_information(v, data):
    """J: minus the mean Hessian of log p(x).  -> (d, d)"""
    X = all_binary((len(v) - 1) // 2)
    return -hessian(lambda u: np.sum(data * mixture.log_marginal(parameters(u), X)))(v)


def missing_share(v, data):
    """I - C^{-1} J (implied by kingma2019 App. A.2.2).  -> (d, d)"""
    return onp.eye(len(v)) - onp.linalg.solve(complete_information(v, data), observed_information(v, data))


# ---- claims ---------------------------------------------------------------------------

def fixed_point_case(seed, D=3):
    """A mixture, and data with its law."""
    rng = onp.random.default_rng([seed, 77])
    v = onp.concatenate([rng.normal(size=1), 1.2 * rng.normal(size=2 * D)])
    return {"v": v, "data": onp.exp(mixture.log_marginal(parameters(v), all_binary(D)))}


def of_informations(formula):
    return lambda v, data: formula(complete_information(v, data), observed_information(v, data))


CLAIMS = [
    Claim("kingma2019.x_em_rate", missing_share,
          equals(lambda v, data: jacobian(em_map)(v, data), fixed_point_case, rtol=GRADIENT, method="autodiff"),
          {"the share that is observed": of_informations(onp.linalg.solve),
           "Newton's: no error is left": of_informations(lambda C, J: 0 * C),
           "I - J: unit steps along the gradient": of_informations(lambda C, J: onp.eye(len(C)) - J),
           "transposed: I - J C^{-1}": of_informations(lambda C, J: (onp.eye(len(C)) - onp.linalg.solve(C, J)).T),
           "x counted as if it told nothing of the other component": of_informations(
               lambda C, J: onp.eye(len(C)) - onp.linalg.solve(C, onp.diag(onp.diag(J))))}),
]
