r"""Where contrastive divergence comes to rest (bachman2015 Sec. 5.4, Eq. 44; Carreira-Perpinan & Hinton 2005).

    CD_k(w) = E_D[grad log Z_x] - E_{q_k}[grad log Z_x],   q_k = D T^k

If some w gives the RBM the law of the data, D = pi, the chain leaves D alone, q_k = D, and CD_k vanishes there for
every k, as the likelihood gradient does. If none does, it does not vanish at the maximum of the likelihood: there
E_D[grad log Z_x] = E_pi[grad log Z_x], but q_k is neither D nor pi. The RBM is that of Eq. 39, without biases.
w (D, H); data, q_k and pi are laws of x, (2**D,).

CD-1 at the maximum of the likelihood, for data that no such RBM has, and for data that one has:

>>> import numpy as np
>>> from refdgm.undirected.cd_fixed_point import mean_update, realisable_case, unrealisable_case
>>> [round(float(np.abs(mean_update(**case(0))).max()), 4) for case in (unrealisable_case, realisable_case)]
[0.0053, 0.0]
"""
from autograd import grad, hessian

from refdgm.backend import xp as np
from refdgm.checking import Claim, provided, vanishes
from refdgm.models import rbm
from refdgm.numerics import all_binary, sigmoid
from refdgm.samplers import block_gibbs as gibbs


def mean_update(w, data, k):
    """The mean of CD-k's update (bachman2015 Eq. 44).  (D, H), (2**D,) -> (D, H)"""
    theta = {"w": w}
    return rbm.mean_statistics(theta, data - gibbs.marginal(theta, data, k))["w"]


def negative_log_likelihood(w, data):
    return -np.sum(data * rbm.log_marginal_table({"w": w}))


def maximum_likelihood(w, data):
    """The maximum of E_D[log p(x)] next to w, by Newton steps of bounded length along which it rises."""
    for _ in range(100):
        g = np.ravel(grad(negative_log_likelihood)(w, data))
        curvature, axes = np.linalg.eigh(hessian(negative_log_likelihood)(w, data).reshape(w.size, w.size))
        step = axes @ (axes.T @ g / np.maximum(np.abs(curvature), 1e-6))
        w = w - (step * min(1.0, 0.5 / np.linalg.norm(step))).reshape(w.shape)
        if np.linalg.norm(step) < 1e-12:
            break
    return w


# ---- claims ---------------------------------------------------------------------------

def realisable_case(seed, D=3, H=2):
    """Data with the law of an RBM, which is at its maximum of the likelihood."""
    w = 1.5 * np.random.default_rng([seed, 75]).normal(size=(D, H))
    return {"w": w, "data": gibbs.visible_table({"w": w}), "k": 1 + seed % 3}


def unrealisable_case(seed):
    """Data that are half such a law and half anything, and w at their maximum of the likelihood: one hidden unit.

    Data whose maximum is at infinity, as of one in ten, are drawn again.
    """
    case, rng = realisable_case(seed, H=1), np.random.default_rng([seed, 76])
    while True:
        data = 0.5 * case["data"] + 0.5 * rng.dirichlet(np.full(8, 2.0))
        w = maximum_likelihood(case["w"], data)
        if np.max(np.abs(w)) < 6:
            return {**case, "data": data, "w": w}


def at_maximum(w, data, k):
    """The likelihood gradient vanishes."""
    return np.max(np.abs(grad(negative_log_likelihood)(w, data))) < 1e-10


def size_of_statistics(w, data, k):
    return np.max(np.abs(rbm.mean_statistics({"w": w}, data)["w"]))


def with_law(law):
    """The update against the statistics of another law(theta, data, k) of x_k."""
    return lambda w, data, k: rbm.mean_statistics({"w": w}, data - law({"w": w}, data, k))["w"]


def hidden_kept(w, data, k):
    """z_0 in the negative phase, too: x_k z_0'."""
    x = all_binary(len(w))
    h = sigmoid(x @ w)
    x_next = gibbs.visible_to_hidden({"w": w}) @ gibbs.hidden_to_visible({"w": w}) @ x
    return (data[:, None] * x).T @ h - (data[:, None] * x_next).T @ h


CLAIMS = [
    Claim("bachman2015.x_cd_fixed_point", mean_update, vanishes(size_of_statistics, realisable_case),
          {"the chains start in a uniform x": with_law(lambda theta, data, k: gibbs.marginal(
              theta, 0 * data + 1 / data.size, k)),
           "the chain of the energy printed with +": with_law(lambda theta, data, k: gibbs.marginal(
               {"w": -theta["w"]}, data, k)),
           "the hidden state of x_0 kept": hidden_kept,
           "the positive phase alone": with_law(lambda theta, data, k: 0 * data)},
          without=provided(at_maximum, vanishes(size_of_statistics, unrealisable_case))),
]
