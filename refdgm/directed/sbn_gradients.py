r"""The exact gradients of learning a sigmoid belief net: what samples stand for, summed over all 2**H states of h.

    F_theta = E_p~ sum_h A(h|x) dlog p(x, h)/dtheta          F_phi = E_p~ sum_h B(h|x) dlog q(h|x)/dphi

    likelihood, inclusive KL    A = p(h|x)      B = p(h|x)                      (ou2018 Eq. 23)
    variational bound           A = q(h|x)      B = q(h|x) (log w - L(x))       (ou2018 Eq. 10)

theta and phi as in refdgm.models.sbn; x (B, D), A and B (B, 2**H). A step of learning costs two products of matrices.

Where q misses the posterior the likelihood and the bound move a weight differently:

    >>> from refdgm.directed.sbn_gradients import elbo_gradient, inclusive_gradient, sbn
    >>> data = sbn.random_data_case(0).values()
    >>> [round(float(gradient(*data)["theta"]["W"][0, 0]), 3) for gradient in (inclusive_gradient, elbo_gradient)]
    [0.013, -0.007]
"""

from refdgm.backend import xp as np
from refdgm.models import sbn
from refdgm.numerics import all_binary, sigmoid


def inclusive_gradient(theta, phi, x):
    """The gradients of the mean of log p(x), and of -KL[p(h|x) || q(h|x)] in phi (ou2018 Eq. 23).

    -> {"theta": .., "phi": ..}
    """
    posterior = sbn.posterior(theta, x)
    return {"theta": mean_score_theta(theta, x, posterior), "phi": mean_score_phi(phi, x, posterior)}


def elbo_gradient(theta, phi, x):
    """The gradients of the mean of L(x) (ou2018 Eq. 10).  -> {"theta": .., "phi": ..}"""
    log_q = sbn.log_q_table(phi, x)
    log_w, q = sbn.log_joint_table(theta, x) - log_q, np.exp(log_q)
    signal = q * (log_w - np.sum(q * log_w, axis=1, keepdims=True))
    return {"theta": mean_score_theta(theta, x, q), "phi": mean_score_phi(phi, x, signal)}


def mean_score_theta(theta, x, A):
    """The mean over rows of sum_h A(h|x) dlog p(x, h)/dtheta, for A that sums to one.  (B, D), (B, 2**H) -> dict"""
    h, law = sbn.latent_states(theta), A.mean(axis=0)
    on = sigmoid(h @ theta["W"].T + theta["b"])
    return {"a": law @ h - sigmoid(theta["a"]), "b": x.mean(axis=0) - law @ on,
            "W": x.T @ (A @ h) / len(x) - on.T @ (law[:, None] * h)}


def mean_score_phi(phi, x, B):
    """The mean over rows of sum_h B(h|x) dlog q(h|x)/dphi.  (B, D), (B, 2**H) -> dict"""
    error = B @ all_binary(len(phi["c"])) - B.sum(axis=1, keepdims=True) * sigmoid(x @ phi["V"].T + phi["c"])
    return {"V": error.T @ x / len(x), "c": error.mean(axis=0)}
