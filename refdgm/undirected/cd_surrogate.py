r"""The CD-K surrogate for an energy-based model: its bias, and of which K it is a gradient at all (yu2020 Sec. 2.3).

    CD-K      E_p[dE] - E_{q^K}[dE],   q^K = p P^K,   P_ij = R_ij phi(E_j - E_i) for j != i, R a symmetric proposal
    K = 1     is the gradient of L_CD-1 = sum_ij p_i R_ij Phi(E_i - E_j),   Phi' = phi(-.)
    K >= 2    is in general the gradient of nothing: its Jacobian in theta is not symmetric

Barker's acceptance phi(d) = 1/(1 + e^d) makes Phi = softplus, and L_CD-1, with R flipping one bit, is the mean
negative log-pseudolikelihood; Metropolis' is phi(d) = min(1, e^-d).

Shapes: theta (d,), s (S, d), laws (S,), P and R (S, S), as in refdgm.models.energy.

The asymmetry of the Jacobian of CD-1, and that of CD-2, which is the gradient of nothing:

>>> import numpy as np
>>> from refdgm.undirected.cd_surrogate import case, curl, surrogate
>>> theta, s, p, R, _ = case(0).values()
>>> [round(float(np.abs(curl(lambda t: surrogate(t, s, R, p, K), theta)).max()), 5) for K in (1, 2)]
[0.0, 0.00065]
"""
import autograd.numpy as np
from autograd import jacobian

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, vanishes
from refdgm.models.energy import contrast, energy, grad_energy, law_of, random_case
from refdgm.numerics import sigmoid, softplus


def barker(d):
    """phi(d) = 1 / (1 + e^d): accept by the odds of the two states."""
    return sigmoid(-d)


def metropolis(d):
    """phi(d) = min(1, e^-d): always accept a lower energy."""
    return np.exp(-np.maximum(d, 0.0))


def transition_matrix(E, R, accept=barker):
    """P with P_ij = R_ij phi(E_j - E_i) off the diagonal; reversible for exp(-E).  (S,), (S, S) -> (S, S)

    Raises ValueError unless R is a symmetric transition matrix.
    """
    valid.distribution("each row of the proposal R", R)
    valid.require(onp.allclose(R, R.T, rtol=0, atol=1e-12), "the proposal R must be symmetric.")
    moves = R * accept(E[None, :] - E[:, None]) * (1 - onp.eye(len(R)))
    return moves + np.diag(1 - np.sum(moves, axis=1))


def law_after(K, E, R, start, accept=barker):
    """q^K = start P^K (yu2020 Sec. 2.3).  -> (S,)"""
    P = transition_matrix(E, R, accept)
    for _ in range(K):
        start = np.dot(start, P)
    return start


def surrogate(theta, s, R, p, K, accept=barker):
    """E_p[dE] - E_{q^K}[dE], chains started at the data (yu2020 Sec. 2.3, after Eq. 8).  -> (d,)"""
    return contrast(grad_energy(theta, s), p, law_after(K, energy(theta, s), R, p, accept))


def loss_of_one_step(theta, s, R, p):
    """L_CD-1 = sum_ij p_i R_ij softplus(E_i - E_j), of which CD-1 with Barker's acceptance is the gradient.  -> ()"""
    E = energy(theta, s)
    return np.sum(p[:, None] * R * softplus(E[:, None] - E[None, :]))


def curl(field, theta):
    """J - J', J the Jacobian of the field: zero exactly where the field is, locally, a gradient.  (d,) -> (d, d)"""
    J = jacobian(field)(theta)
    return J - J.T


# ---- claims ---------------------------------------------------------------------------

def case(seed, K=2):
    c = random_case(seed)
    return {**c, "R": random_proposal(seed, len(c["p"])), "K": K}


def random_proposal(seed, S):
    """A symmetric transition matrix with unequal entries, and no state that mostly stays."""
    R = onp.random.default_rng([seed, 61]).uniform(0.3, 1.0, size=(S, S))
    R = (R + R.T) * (1 - onp.eye(S))
    R = 0.95 * R / onp.max(R.sum(1))
    return R + onp.diag(1 - R.sum(1))


def sum_over_trajectories(theta, s, R, p, K):
    """The oracle: every trajectory x_0 -> x_1 -> x_2 with its probability, the kernel by hand in plain loops."""
    weight = onp.array([onp.prod(1 + onp.exp(theta + row)) for row in s])           # exp(-E)
    S = len(weight)
    P = onp.array([[R[i, j] * weight[j] / (weight[i] + weight[j]) if i != j else 0.0 for j in range(S)]
                   for i in range(S)])
    P += onp.diag(1 - P.sum(1))
    dE = [-onp.exp(theta + row) / (1 + onp.exp(theta + row)) for row in s]
    return sum(p[i] * P[i, j] * P[j, k] * (dE[i] - dE[k]) for i in range(S) for j in range(S) for k in range(S))


def update(start=lambda p, E: p, steps=0, law=law_after, **options):
    """CD-K from another initial law, with more or fewer steps, or with another kernel."""
    def field(theta, s, R, p, K):
        E = energy(theta, s)
        return contrast(grad_energy(theta, s), p, law(K + steps, E, R, start(p, E), **options))
    return field


def without_difference(K, E, R, start):
    """The law after K steps that accept by the new energy alone, phi(E_j) in place of phi(E_j - E_i)."""
    moves = R * barker(E)[None, :] * (1 - onp.eye(len(R)))
    P = moves + np.diag(1 - np.sum(moves, axis=1))
    for _ in range(K):
        start = np.dot(start, P)
    return start


def curl_of(field):
    return lambda theta, **case: curl(lambda theta: field(theta, **case), theta)


def size_of_jacobian(theta, **case):
    return onp.max(onp.abs(jacobian(lambda theta: surrogate(theta, **case))(theta)))


CLAIMS = [
    Claim("yu2020.cdk", surrogate, equals(sum_over_trajectories, case),
          {"unbiased: the samples are the model's": update(lambda p, E: law_of(E), steps=-2),
           "chains started in the uniform law": update(lambda p, E: np.full(len(p), 1 / len(p))),
           "one step fewer": update(steps=-1),
           "model minus data": lambda **c: -surrogate(**c),
           "Metropolis' acceptance": update(accept=metropolis)}),
    Claim("yu2020.cdk.field", curl_of(surrogate),
          vanishes(size_of_jacobian, lambda seed: case(seed, K=1), method="autodiff"),
          {"CD-2 is a gradient, too": curl_of(update(steps=1)),
           "CD-3 is a gradient, too": curl_of(update(steps=2)),
           "the chains start at a law that moves with theta": curl_of(update(lambda p, E: law_of(E / 2))),
           "acceptance by the new energy alone": curl_of(update(law=without_difference))},
          without=vanishes(size_of_jacobian, case, method="autodiff")),
]
