r"""Where CD-K goes as K grows: to maximum likelihood, if the chain goes to the model (yu2020 Sec. 2.3).

    CD-K     E_p[dE] - E_{q^K}[dE],   q^K = p P^K the law after K steps from the data
    K = inf  Eq. 8, E_p[dE] - E_{q_theta}[dE], if P leaves q_theta invariant and reaches every state
    Eq. 5    x' = x - (eps/2) E'(x) + sqrt(eps) z: no such P, for any fixed eps > 0

Langevin steps on a fine grid of a line are a finite chain. With Metropolis' correction they leave the grid's law of
q_theta invariant, and the error of CD-K shrinks by the second eigenvalue of P in each step. Without it, as Eq. 5 is
printed and used, the error stops at the bias of the chain's own stationary law.

Shapes: theta (2,), grid x (S,), E(x) = theta_0 x + theta_1 x^2/2 + x^4/16, dE (S, 2); laws p, q (S,); P (S, S).

The error of CD-1, and that of CD-10000 without Metropolis' correction, relative to the likelihood gradient:

>>> import numpy as np
>>> from refdgm.undirected.cd_limit import exact_gradient, line_case, surrogate
>>> exact = exact_gradient(**line_case(1))[0]
>>> [round(float(surrogate(**line_case(1, corrected), K=K)[0] / exact - 1), 3) for corrected, K in ((1, 1), (0, 10000))]
[-0.873, 0.029]
"""
import autograd.numpy as np
from autograd import elementwise_grad, grad

from refdgm.backend import xp as onp
from refdgm.checking import Claim, has_order
from refdgm.models.energy import contrast
from refdgm.numerics import softmax
from refdgm.samplers import metropolis_hastings


def energy(theta, x):
    """E(x) = theta_0 x + theta_1 x^2/2 + x^4/16.  (2,), (S,) -> (S,)"""
    return theta[0] * x + theta[1] * x**2 / 2 + x**4 / 16


def langevin_proposal(theta, x, eps):
    """Eq. 5 as a transition matrix on the grid: normal around x - (eps/2) E'(x), of variance eps.  (S,) -> (S, S)"""
    drifted = x - eps / 2 * elementwise_grad(energy, 1)(theta, x)
    return softmax(-(x - drifted[:, None])**2 / (2 * eps))


def kernel(theta, x, eps, corrected):
    """Langevin steps with Metropolis' correction, or as in Eq. 5 without it.  -> (S, S)"""
    R = langevin_proposal(theta, x, eps)
    return metropolis_hastings.transition_matrix(-energy(theta, x), R) if corrected else R


def surrogate(theta, x, p, eps, corrected, K):
    """E_p[dE] - E_{q^K}[dE], chains started at the data (yu2020 Sec. 2.3, after Eq. 8).  -> (2,)"""
    return surrogate_of(kernel(theta, x, eps, corrected), x, p, K)


def surrogate_of(P, x, p, K):
    """The same for any kernel P.  (S, S), (S,), (S,) -> (2,)"""
    dE = onp.stack([x, x**2 / 2], axis=1)
    return contrast(dE, p, p @ onp.linalg.matrix_power(P, K))


# ---- claims ---------------------------------------------------------------------------

def line_case(seed, corrected=True):
    """A lopsided energy, and data of another mean and width; steps so short that few are rejected."""
    rng = onp.random.default_rng([seed, 62])
    x = onp.linspace(-4.0, 4.0, 41)
    mean, width = rng.choice([-1, 1]) * rng.uniform(0.5, 1.0), rng.uniform(0.5, 0.8)
    return {"theta": onp.array([-onp.sign(mean) * rng.uniform(0.2, 0.5), rng.uniform(0.5, 1.0)]), "x": x,
            "p": softmax(-(x - mean)**2 / (2 * width**2)), "eps": rng.uniform(0.2, 0.4), "corrected": corrected}


def exact_gradient(theta, x, p, eps, corrected):
    """The oracle: autograd of -E_p[log q_theta], with the weights exp(-E) spelled out."""
    def nll(theta):
        weights = np.exp(-theta[0] * x - theta[1] * x**2 / 2 - x**4 / 16)
        return -np.sum(p * np.log(weights / np.sum(weights)))
    return grad(nll)(theta)


def rate(theta, x, p, eps, corrected):
    """The second largest modulus of an eigenvalue of the kernel."""
    return onp.sort(onp.abs(onp.linalg.eigvals(kernel(theta, x, eps, corrected))))[-2]


def with_kernel(change):
    """CD-K with change(R, E, x) in place of the corrected kernel, R the proposal."""
    return lambda theta, x, p, eps, corrected, K: surrogate_of(
        change(langevin_proposal(theta, x, eps), energy(theta, x), x), x, p, K)


def cut_in_two(R, E, x):
    """No proposal crosses zero: q_theta is still invariant, but the chain stays on the side where it began."""
    same_side = (x[:, None] < 0) == (x < 0)
    R = R * same_side
    return metropolis_hastings.transition_matrix(-E, R / R.sum(axis=1, keepdims=True))


def metropolis_alone(R, E, x):
    """Accepts by the energies only, as if the proposal were symmetric."""
    moves = R * onp.exp(-onp.maximum(E - E[:, None], 0.0)) * (1 - onp.eye(len(x)))
    return moves + onp.diag(1 - moves.sum(axis=1))


def limit_check(case):
    return has_order(exact_gradient, case, "K", (50, 60), order=rate, within=1e-2, geometric=True, method="matrix")


CLAIMS = [
    Claim("yu2020.cdk.inf", surrogate, limit_check(line_case),
          {"one step, however large K": lambda K, **case: surrogate(K=1, **case),
           "energies with the wrong sign": with_kernel(
               lambda R, E, x: metropolis_hastings.transition_matrix(E, R)),
           "Metropolis' ratio for a proposal that is not symmetric": with_kernel(metropolis_alone),
           "a chain that cannot cross": with_kernel(cut_in_two),
           "model minus data": lambda **case: -surrogate(**case)},
          without=limit_check(lambda seed: line_case(seed, corrected=False))),
]
