r"""Unadjusted Langevin dynamics: the step, and its exact law on a Gaussian target (yu2020 Sec. 2.2).

    Eq. 5     x_t = x_{t-1} - (eps/2) dE(x_{t-1})/dx + sqrt(eps) z_t,   z_t ~ N(0, I)
    Gaussian  E(x) = (x - m)'P(x - m)/2:  x_t - m = (I - eps P/2) (x_{t-1} - m) + sqrt(eps) z_t, so that
              the stationary law is N(m, C),  C = P^-1 (I - eps P/4)^-1 = P^-1 + (eps/4) I + O(eps^2),
              for 0 < eps < 4 / lambda_max(P); for a larger step there is none

Shapes: x, z (..., D); P (D, D) symmetric and positive definite; m (D,). A step takes its noise as an argument; it is
affine on a Gaussian target, so that its law is a recursion of moments.

A step of variance eps = 1 on N(0, 1) makes the chain's own variance 1 / (1 - 1/4), and not 1:

>>> import numpy as np
>>> from refdgm.samplers.langevin import stationary_covariance
>>> round(float(stationary_covariance(np.eye(1), 1.0)[0, 0]), 3)
1.333
"""
import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, has_order


def step(x, grad_energy, eps, z):
    """One step, driven by the noise z (yu2020 Eq. 5).  (..., D), x -> dE/dx, (), (..., D) -> (..., D)"""
    return x - eps / 2 * grad_energy(x) + np.sqrt(eps) * z


def run(x, grad_energy, eps, z):
    """The last of T steps (yu2020 Eq. 5).  (..., D), x -> dE/dx, (), (T, ..., D) -> (..., D)"""
    for z_t in z:
        x = step(x, grad_energy, eps, z_t)
    return x


def stationary_covariance(P, eps):
    """C = P^-1 (I - eps P/4)^-1 on a Gaussian target of precision P (after yu2020 Eq. 5).  (D, D), () -> (D, D)

    Raises ValueError where the step is too long for a stationary law, eps >= 4 / lambda_max(P).
    """
    valid.shape("P", P, (len(P), len(P)))
    longest = longest_step(P)
    valid.require(0 < eps < longest, f"eps must be between 0 and 4 / lambda_max(P) = {longest:.6g}, "
                                     f"but is {eps}: a longer step has no stationary law.")
    return onp.linalg.inv(P - eps / 4 * P @ P)


def longest_step(P):
    """4 / lambda_max(P): from this eps on, I - eps P/2 does not contract.  (D, D) -> ()"""
    return 4 / onp.max(onp.linalg.eigvalsh(P))


def affine_map(a_step, m, eps):
    """A step on a linear drift as x - m -> A (x - m) + b + B z, read off the step itself.  -> A, B (D, D), b (D,)"""
    unit, origin = onp.eye(len(m)), onp.zeros(len(m))
    b = a_step(m, eps, origin) - m
    return (a_step(m + unit, eps, origin) - m - b).T, (a_step(m, eps, unit) - m - b).T, b


def moments_after(a_step, m, eps, x, T):
    """Mean and covariance of x_T from a fixed x, on a Gaussian target: T affine maps, composed by doubling.

    a_step(x, eps, z) is the step with its drift; T steps cost log T compositions, each exact.
    """
    valid.count("T", T, 0)
    A, B, b = affine_map(a_step, m, eps)
    mean, covariance, Q = x - m, onp.zeros_like(A), B @ B.T
    while T:
        if T % 2:
            mean, covariance = A @ mean + b, A @ covariance @ A.T + Q
        A, b, Q, T = A @ A, A @ b + b, A @ Q @ A.T + Q, T // 2
    return {"mean": mean + m, "covariance": covariance}


# ---- claims ---------------------------------------------------------------------------

def gaussian_case(seed, D=3):
    """A correlated Gaussian target, and a start away from it."""
    rng = onp.random.default_rng([seed, 51])
    root = rng.normal(size=(D, D))
    return {"P": root @ root.T / D + 0.4 * onp.eye(D), "m": rng.normal(size=D), "x": 3 * rng.normal(size=D)}


def target(P, m, x):
    return {"mean": m, "covariance": onp.linalg.inv(P)}


def truth_of_limit(P, m, x, power):
    return target(P, m, x)


def on_gaussian(P, m, a_step=step):
    return lambda x, eps, z: a_step(x, lambda x: (x - m) @ P, eps, z)


def stationary_moments(a_step):
    """The moments of the stationary law for eps = 1/n, by solving C = A C A' + B B' and mean = A mean + b."""
    def moments(P, m, x, n):
        A, B, b = affine_map(on_gaussian(P, m, a_step), m, 1 / n)
        C = onp.linalg.solve(onp.eye(A.size) - onp.kron(A, A), (B @ B.T).reshape(-1)).reshape(A.shape)
        return {"mean": m + onp.linalg.solve(onp.eye(len(A)) - A, b), "covariance": C}
    return moments


def limit_case(power):
    """T = n^power steps of length 1/n: the simulated time eps T grows with n for power 2, and stays the same for 1."""
    return lambda seed: {**gaussian_case(seed), "power": power}


def moments_of(steps=lambda n, power: n**power, eps=lambda n: 1 / n, a_step=step):
    def moments(P, m, x, power, n):
        return moments_after(on_gaussian(P, m, a_step), m, eps(n), x, steps(n, power))
    return moments


def one_size_case(seed):
    """A Gaussian case, with a step that is neither small nor too long."""
    c = gaussian_case(seed)
    return {**c, "eps": onp.random.default_rng([seed, 52]).uniform(0.2, 0.9) * longest_step(c["P"])}


def covariance_and_longest_step(P, m, x, eps):
    return {"covariance": stationary_covariance(P, eps), "longest": longest_step(P)}


def by_many_steps(P, m, x, eps):
    """The oracle: the covariance after 2^13 steps, and the eps where a step stops contracting, by bisection."""
    low, high = 1e-3, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        A = affine_map(on_gaussian(P, m), m, middle)[0]
        low, high = (middle, high) if onp.max(onp.abs(onp.linalg.eigvals(A))) < 1 else (low, middle)
    return {"covariance": moments_after(on_gaussian(P, m), m, eps, x, 2**13)["covariance"], "longest": low}


def covariance_with(factor, longest=longest_step):
    """P^-1 times factor(eps P)."""
    return lambda P, m, x, eps: {"covariance": onp.linalg.inv(P) @ factor(onp.eye(len(P)), eps * P),
                                 "longest": longest(P)}


CLAIMS = [
    Claim("yu2020.eq5", stationary_moments(step),
          has_order(target, gaussian_case, "n", (400, 800), order=1, within=0.02, method="matrix"),
          {"drift eps, not eps/2": stationary_moments(lambda x, g, eps, z: x - eps * g(x) + np.sqrt(eps) * z),
           "noise sqrt(2 eps) with drift eps/2": stationary_moments(
               lambda x, g, eps, z: step(x, g, eps, np.sqrt(2) * z)),
           "noise eps": stationary_moments(lambda x, g, eps, z: x - eps / 2 * g(x) + eps * z),
           "climbs the energy": stationary_moments(lambda x, g, eps, z: step(x, lambda x: -g(x), eps, z))}),
    Claim("yu2020.eq5.limit", moments_of(),
          has_order(truth_of_limit, limit_case(2), "n", (400, 800), order=1, within=0.02, method="matrix"),
          {"many steps of a fixed length": moments_of(eps=lambda n: 0.1),
           "the length to zero, the number of steps fixed": moments_of(steps=lambda n, power: 1000),
           "drift eps, not eps/2": moments_of(a_step=lambda x, g, eps, z: step(x, lambda x: 2 * g(x), eps, z))},
          without=has_order(truth_of_limit, limit_case(1), "n", (400, 800), order=1, within=0.02, method="matrix")),
    Claim("yu2020.eq5.bias", covariance_and_longest_step, equals(by_many_steps, one_size_case, method="matrix"),
          {"no bias": covariance_with(lambda one, eps_P: one),
           "the first order only": covariance_with(lambda one, eps_P: one + eps_P / 4),
           "I - eps P/2, as for a drift eps": covariance_with(lambda one, eps_P: onp.linalg.inv(one - eps_P / 2)),
           "stable up to 2 / lambda_max": covariance_with(lambda one, eps_P: onp.linalg.inv(one - eps_P / 4),
                                                          lambda P: longest_step(P) / 2)}),
]
