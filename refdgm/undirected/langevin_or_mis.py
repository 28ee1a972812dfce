r"""Which sampler for a random field on continuous x: Langevin steps or MIS? (ou2018 Sec. 4.2.3; Song & Ou 2018)

    MIS        proposes from the generator; its contraction rate is 1 - 1 / max w,  w = p / q
    Langevin   x - (eta/2) dE/dx + sqrt(eta) z;  on precisions P its rate is max_i |1 - eta P_ii / 2|

The smaller rate is the faster sampler, per step. The field is a Gaussian of D independent components, the generator
one whose deviations are wider, each by its factor: max w is the product of those factors, which grows exponentially
with D, and the rate of MIS tends to one. The rate of Langevin steps depends on the range of precisions, and not on D;
what they pay is a bias, which samplers.langevin gives.

So it is with many dimensions. With few, a generator that is near the field makes MIS the faster one: one accepted
proposal forgets everything. (Langevin steps need a gradient in x, so that bits are left to MIS or Gibbs sampling.)

Shapes: precisions (D,), wider (D,) with entries > 1; x (D,).

In thirty dimensions a generator that is 20 % too wide in each makes MIS slow; Langevin steps do not mind.

>>> import numpy as np
>>> from refdgm.undirected.langevin_or_mis import langevin_rate, mis_rate
>>> precisions = np.linspace(1.0, 4.0, 30)
>>> round(float(mis_rate(precisions, np.full(30, 1.2))), 3), round(float(langevin_rate(precisions, 0.4)), 3)
(0.996, 0.8)
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, is_ordered
from refdgm.numerics import gaussian_log_prob
from refdgm.samplers import langevin

STEP = 0.5          # eta P_ii for the stiffest component


def mis_rate(precisions, wider):
    """1 - 1 / max w (Liu 1996), the largest weight being at the mean (ou2018 Sec. 4.2.3).  -> ()"""
    valid.require(np.all(wider > 1), "the generator must be wider than the field, or the weights have no maximum.")
    mode = np.zeros(len(precisions))
    return -np.expm1(-log_weight(mode, precisions, wider))


def log_weight(x, precisions, wider):
    """log p(x) - log q(x).  (D,) -> ()"""
    return gaussian_log_prob(x, 0.0, 1 / precisions) - gaussian_log_prob(x, 0.0, wider**2 / precisions)


def langevin_rate(precisions, eta, step=langevin.step):
    """How much of x - x' one step leaves, for two chains with the same noise, at worst (ou2018 Sec. 4.2.3).  -> ()"""
    units, still = np.eye(len(precisions)), np.zeros(len(precisions))
    left = step(units, lambda x: precisions * x, eta, still)
    return np.max(np.abs(np.linalg.eigvalsh(left)))


# ---- claims ---------------------------------------------------------------------------

def case(seed, D, wider):
    rng = np.random.default_rng([seed, 44])
    return {"precisions": rng.uniform(1.0, 4.0, D), "wider": rng.uniform(*wider, D)}


def many_dimensions(seed):
    """Thirty components, each of which the generator has 10 to 40 % too wide."""
    return case(seed, 30, (1.1, 1.4))


def two_dimensions(seed):
    """Two components, and the same generator."""
    return case(seed, 2, (1.1, 1.4))


def rates(mis=mis_rate, step=langevin.step):
    """Langevin's rate, then that of MIS: increasing where Langevin steps are the faster ones."""
    return lambda precisions, wider: np.array([langevin_rate(precisions, STEP / np.max(precisions), step),
                                               mis(precisions, wider)])


CLAIMS = [
    Claim("ou2018.rf.sgld", rates(), is_ordered(many_dimensions, method="matrix"),
          {"the worst component's weight for the product of all": rates(mis=lambda precisions, wider:
              1 - 1 / np.max(wider)),
           "1 - 1 / E_q[w] = 0, the mean weight for the largest": rates(mis=lambda precisions, wider: 0.0),
           "a Langevin step that does not see the field": rates(step=lambda x, gradient, eta, z: x + np.sqrt(eta) * z),
           "a step that climbs the energy": rates(step=lambda x, gradient, eta, z: x + eta / 2 * gradient(x))},
          without=is_ordered(two_dimensions, method="matrix")),
]
