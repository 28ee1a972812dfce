r"""The Wasserstein distance, and why the WGAN uses it (ou2018 Sec. 3.2.4; Arjovsky et al. 2017).

    W(p, q) = min over couplings E|x - y| = sup over 1-Lipschitz critics E_p[D] - E_q[D]
            = int |F_p(x) - F_q(x)| dx                                      on the line, F the distribution function

Where the supports of p and q are disjoint, JS[p||q] = log 2 however near they are. A sequence of laws that moves
towards p therefore converges in W and not in JS, and only W has a gradient that says which way to go.

Shapes: atoms x (n,) in increasing order, p and q (n,).

All mass at 0 against all mass at 0.1: the distance is 0.1, where JS is log 2 however near they are.

>>> import numpy as np
>>> from refdgm.adversarial.wgan import js, wasserstein
>>> x, p, q = np.array([0.0, 0.1]), np.array([1.0, 0.0]), np.array([0.0, 1.0])
>>> round(float(wasserstein(x, p, q)), 3), round(float(js(p, q)), 3)
(0.1, 0.693)
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.divergences import js


def wasserstein(x, p, q):
    """W(p, q) = int |F_p - F_q| dx on the line (ou2018 Sec. 3.2.4).  (n,), (n,), (n,) -> ()"""
    valid.distribution("p", p)
    valid.distribution("q", q)
    valid.require(onp.all(onp.diff(x) > 0), "the atoms x must increase.")
    return np.sum(np.diff(x) * np.abs(np.cumsum(p - q)[:-1]))


def beside(x, p, theta):
    """p and its copy shifted by theta, as two laws on the atoms of both.  -> atoms, p, shifted p, each (2 n,)"""
    atoms = onp.concatenate([x, x + theta])
    order = onp.argsort(atoms)
    zero = onp.zeros(len(p))
    return atoms[order], onp.append(p, zero)[order], onp.append(zero, p)[order]


# ---- claims ---------------------------------------------------------------------------

def random_case(seed):
    """Atoms at least 1 apart, p in their middle and q at their ends, and shifts theta below 1 that go to zero."""
    rng = onp.random.default_rng([seed, 81])
    theta = rng.choice([-1, 1]) * rng.uniform(0.5, 0.9) * 0.1**onp.arange(4)
    return {"x": onp.cumsum(1 + rng.gamma(1.0, size=5)), "p": rng.dirichlet([1, 3, 9, 3, 1]),
            "q": rng.dirichlet([6, 1, 1, 1, 6]), "theta": theta}


def overlapping_case(seed):
    """Atoms on a lattice of step 1, and shifts along it: the supports of p and of its shift meet."""
    case = random_case(seed)
    return {**case, "x": onp.arange(5.0), "theta": onp.array([3.0, 2.0, 1.0])}


def along(distance, divergence):
    """The distance of p and q, and both measures between p and its shifts as they come nearer."""
    def measured(x, p, q, theta):
        pairs = [merged(*beside(x, p, shift)) for shift in theta]
        return {"p and q": distance(x, p, q), "shifted": onp.array([distance(*pair) for pair in pairs]),
                "divergence": onp.array([divergence(*pair[1:]) for pair in pairs])}
    return measured


def merged(x, p, q):
    """The same laws with equal atoms taken together."""
    atoms, place = onp.unique(x, return_inverse=True)
    return atoms, onp.bincount(place, p), onp.bincount(place, q)


def best_critic(x, p, q, theta):
    """The oracle of W: p against q by the best of all critics that rise or fall by at most x_{i+1} - x_i, at corners.

    A linear function of the critic's increments is largest where each is +-(x_{i+1} - x_i): 2^(n-1) critics.
    """
    signs = onp.array(onp.meshgrid(*[[-1, 1]] * (len(x) - 1))).reshape(len(x) - 1, -1).T
    critics = onp.concatenate([onp.zeros((len(signs), 1)), onp.cumsum(signs * onp.diff(x), axis=1)], axis=1)
    return {"p and q": onp.max(critics @ (p - q)), "shifted": onp.abs(theta), "divergence": 0 * theta + onp.log(2)}


def squared_differences(x, p, q):
    """The root of the integral of (F_p - F_q)^2: Cramer's distance."""
    return onp.sqrt(onp.sum(onp.diff(x) * onp.cumsum(p - q)[:-1]**2))


def total_variation(x, p, q):
    return onp.sum(onp.abs(p - q)) / 2


CLAIMS = [
    Claim("ou2018.wgan", along(wasserstein, js), equals(best_critic, random_case),
          {"the distance of the means": along(lambda x, p, q: abs((p - q) @ x), js),
           "total variation for W": along(total_variation, js),
           "squared differences of F": along(squared_differences, js),
           "total variation for JS": along(wasserstein, lambda p, q: total_variation(None, p, q)),
           "without the factors 1/2 in JS": along(wasserstein, lambda p, q: 2 * js(p, q))},
          without=equals(best_critic, overlapping_case)),
]
