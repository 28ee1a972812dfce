r"""Conditional models: what one conditions on is an input, like a parameter (kingma2019 Sec. 1.3.1).

    p(x|y) = sum_h p(x, h|y)      L(x|y) = E_{q(h|x,y)}[log p(x, h|y) - log q(h|x, y)] = log p(x|y) - KL[q || p(h|x, y)]

A method for p_theta(x) becomes one for p(x|y) by letting the parameters depend on y, theta(y) and phi(y); y is given,
so no factor p(y) enters. The unconditional method is the bound of `refdgm.models.tables`, called once for each y.

theta = {"joint": (Y, X, H)} and phi = {"q": (Y, X, H)}: logits, one table for each y.

With q the posterior the bounds are log p(x|y), and p(x|y) sums to one over x for each y:

    >>> import numpy as np
    >>> from refdgm.directed.conditional_model import conditional_bound, random_case
    >>> theta = random_case(0)["theta"]
    >>> [round(float(p), 3) for p in np.exp(conditional_bound(theta, {"q": theta["joint"]})).sum(axis=1)]
    [1.0, 1.0]
"""
import math

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals
from refdgm.models import tables


def bound(theta, phi):
    """L(x) = E_q[log p(x, h) - log q(h|x)] for every x: the unconditional method.  -> (X,)"""
    log_q = tables.log_q(phi)
    return np.sum(np.exp(log_q) * (tables.log_joint(theta) - log_q), axis=-1)


def conditional_bound(theta, phi):
    """L(x|y) for every y and x: the same method, its parameters read at y (kingma2019 Sec. 1.3.1).  -> (Y, X)"""
    valid.shape("phi['q']", phi["q"], np.shape(theta["joint"]))
    return np.stack([bound({"joint": joint}, {"q": q}) for joint, q in zip(theta["joint"], phi["q"])])


# ---- claims ---------------------------------------------------------------------------

def random_case(seed, Y=2, X=3, H=4):
    rng = onp.random.default_rng(seed)
    return {"theta": {"joint": rng.normal(size=(Y, X, H))}, "phi": {"q": rng.normal(size=(Y, X, H))},
            "p_y": rng.dirichlet(onp.ones(Y))}


def from_the_joint_law(theta, phi, p_y):
    """log p(x|y) - KL[q(h|x, y) || p(h|x, y)], from one table p(y, x, h) with a law p(y), in plain Python."""
    Y, X, H = theta["joint"].shape
    p = [[[p_y[y] * math.exp(a) / sum(map(math.exp, theta["joint"][y].flat)) for a in row] for row in theta["joint"][y]]
         for y in range(Y)]
    q = [[[math.exp(a) / sum(map(math.exp, row)) for a in row] for row in phi["q"][y]] for y in range(Y)]

    def value(y, x):
        p_xy, p_of_y = sum(p[y][x]), sum(map(sum, p[y]))
        divergence = sum(q[y][x][h] * math.log(q[y][x][h] / (p[y][x][h] / p_xy)) for h in range(H))
        return math.log(p_xy / p_of_y) - divergence
    return onp.array([[value(y, x) for x in range(X)] for y in range(Y)])


def of_inputs(change=lambda a: a, change_q=lambda a: a):
    """The conditional bound, with the model or q reading y in another way."""
    return lambda theta, phi, p_y: conditional_bound({"joint": change(theta["joint"])}, {"q": change_q(phi["q"])})


def generated_too(theta, phi, p_y):
    """The bound on log p(x, y): y counted as an observation."""
    return conditional_bound(theta, phi) + onp.log(p_y)[:, None]


CLAIMS = [
    Claim("kingma2019.sec1.3.cond", lambda theta, phi, p_y: conditional_bound(theta, phi),
          equals(from_the_joint_law, random_case),
          {"y is generated, too: a bound on log p(x, y)": generated_too,
           "the model does not read y": of_inputs(lambda a: onp.mean(a, axis=0) + 0 * a),
           "q does not read y": of_inputs(change_q=lambda a: onp.mean(a, axis=0) + 0 * a),
           "the other y": of_inputs(lambda a: a[::-1])}),
]
