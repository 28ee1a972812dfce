r"""Contrastive divergence for a random field: its bias, exactly (ou2018 Sec. 4.2).

    CD-k          E_p~[du/dtheta] - E_{p~ K^k}[du/dtheta],   K a kernel with p K = p, k steps from the data
    log-lik.      E_p~[du/dtheta] - E_p[du/dtheta]

The bias is (p - p~ K^k) du/dtheta. For a reversible K with eigenvalues 1 > l_2 >= ... it is a sum of terms l_i^k: it
dies out geometrically in k, is gone at no finite k, and vanishes where p~ = p.

Shapes: S = 2**D states, p_data (S,), K (S, S); the gradients are dicts like theta.

The bias of CD-k in one component, for one step and for ten:

>>> from refdgm.undirected.random_field_cd import case, expected_update, log_likelihood_gradient
>>> exact = log_likelihood_gradient(**case(0))["c"][0]
>>> [round(abs(float(expected_update(**case(0), k=k)["c"][0] - exact)), 3) for k in (1, 10)]
[0.094, 0.006]
"""
from autograd import grad

from refdgm.backend import xp as np
from refdgm.checking import Claim, equals
from refdgm.models.random_field import grad_potential, law, log_prob, potential, random_case, states
from refdgm.numerics import weighted_sum
from refdgm.samplers import gibbs


def expected_update(theta, p_data, k):
    """The mean of CD-k with random-scan Gibbs steps (ou2018 Sec. 4.2).  -> dict"""
    K = gibbs.random_scan(potential(theta, states(theta)))
    mu = p_data
    for _ in range(k):
        mu = mu @ K
    return weighted_sum(p_data - mu, grad_potential(theta, states(theta)))


# ---- claims ---------------------------------------------------------------------------

def case(seed):
    return {"theta": random_case(seed)["theta"], "p_data": np.random.default_rng([seed, 21]).dirichlet(np.full(8, 2.0))}


def updates(theta, p_data, ks=(1, 2, 5)):
    return [expected_update(theta, p_data, k) for k in ks]


def log_likelihood_gradient(theta, p_data):
    return grad(lambda theta: p_data @ log_prob(theta, states(theta)))(theta)


def gradient_plus_spectral_bias(theta, p_data):
    """The oracle: autograd of the log-likelihood, plus the bias from the eigenvalues of the symmetrised kernel."""
    root_p = np.sqrt(law(theta))
    K = gibbs.random_scan(np.log(law(theta)))
    eigenvalues, vectors = np.linalg.eigh((root_p[:, None] * K / root_p + (root_p[:, None] * K / root_p).T) / 2)
    overlap = (p_data / root_p) @ vectors
    gradient, scores = log_likelihood_gradient(theta, p_data), grad_potential(theta, states(theta))
    def biased(k):
        left = (vectors[:, :-1] @ (eigenvalues**k * overlap)[:-1]) * root_p      # p~ K^k - p: all but the eigenvalue 1
        bias = weighted_sum(-left, scores)
        return {name: gradient[name] + bias[name] for name in gradient}
    return [biased(k) for k in (1, 2, 5)]


def from_the_model(theta, p_data):
    """Chains that start in p: no bias at any k, and that is not CD."""
    K = np.linalg.matrix_power(gibbs.random_scan(potential(theta, states(theta))), 5)
    return 3 * [weighted_sum(p_data - law(theta) @ K, grad_potential(theta, states(theta)))]


CLAIMS = [
    Claim("ou2018.cd", updates, equals(gradient_plus_spectral_bias, case),
          {"unbiased": lambda theta, p_data: 3 * [log_likelihood_gradient(theta, p_data)],
           "the chains start in the model": from_the_model,
           "the bias does not depend on k": lambda theta, p_data: updates(theta, p_data, (1, 1, 1)),
           "one step too many": lambda theta, p_data: updates(theta, p_data, (2, 3, 6))}),
]
