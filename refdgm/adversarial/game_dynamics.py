r"""How f-EBM's game moves near an equilibrium: the flow, its rate, and discrete steps (yu2020 Sec. 4, footnote 3).

    linearised   dz/dt = J z:  if J is Hurwitz, the flow of Eq. 19 itself converges from every nearby start
    rate         (1/t) log |exp(J t)| -> max Re lambda              as t -> infinity, and not before
    steps        |1 + eta lambda| < 1 for all lambda  <=>  eta < min 2 |Re lambda| / |lambda|^2

J is that of stability.py; the models are those of models/energy_game.py. z = (theta, omega), less the equilibrium.
J (d + e, d + e), z (d + e,).

A spiral inwards, lambda = -1 +- 5i: steps must be shorter than 2/26, or it turns outwards.

>>> import numpy as np
>>> from refdgm.adversarial.game_dynamics import largest_step
>>> round(float(largest_step(np.array([[-1.0, 5.0], [-5.0, -1.0]]))), 4)
0.0769
"""

from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to, equals, tends_to
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH
from refdgm.models.energy_game import blocks, definite, gradients, jacobian, stable_game


def log_growth(J, t):
    """(1/t) log |exp(J t)|, the mean rate up to time t (yu2020 Theorem 5).  -> ()

    exp(J t) is exp(J t / 2^k), a short power series, squared k times; its size is kept as a logarithm.
    """
    k = max(0, int(np.ceil(np.log2(8 * t * np.linalg.norm(J, 2)))))
    P = term = np.eye(len(J))
    for i in range(1, 13):
        term = term @ J * (t / 2.0**k / i)
        P = P + term
    log_size = 0.0
    for _ in range(k):
        P = P @ P
        size = np.max(np.abs(P))
        P, log_size = P / size, 2 * log_size + np.log(size)
    return (log_size + np.log(np.linalg.norm(P, 2))) / t


def largest_step(J):
    """min 2 |Re lambda| / |lambda|^2: smaller steps of simultaneous updates converge (yu2020 footnote 3).  -> ()"""
    eigenvalues = np.linalg.eigvals(J)
    return np.min(-2 * eigenvalues.real / np.abs(eigenvalues)**2)


def flow(theta, omega, game, name, start, steps=100, field=lambda down, up: (-down, up)):
    """The flow of Eq. 19 from near an equilibrium, by Runge-Kutta (yu2020 Sec. 4).  -> (steps + 1, d + e)"""
    f, d = F_DIVERGENCES[name], len(theta)
    h = 0.5 / f.second(1.0)
    def v(z): return np.concatenate(field(*gradients(z[:d], z[d:], game, f)))
    z, path = start, [start]
    for _ in range(steps):
        k1 = v(z)
        k2 = v(z + h / 2 * k1)
        k3 = v(z + h / 2 * k2)
        k4 = v(z + h * k3)
        z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(z)
        if not np.max(np.abs(z)) < 10:          # it has left for good
            break
    return np.array(path)


# ---- oracles --------------------------------------------------------------------------

def spectral_abscissa(J, t=None):
    """max Re lambda, at any time t."""
    return np.max(np.linalg.eigvals(J).real)


def step_by_bisection(J):
    """The step at which the spectral radius of I + eta J passes one."""
    low, high = 0.0, 4 / np.linalg.norm(J, 2) + 4 * np.linalg.norm(np.linalg.inv(J), 2)
    for _ in range(60):
        eta = (low + high) / 2
        stable = np.max(np.abs(np.linalg.eigvals(np.eye(len(J)) + eta * J))) < 1
        low, high = (eta, high) if stable else (low, eta)
    return low


# ---- claims ---------------------------------------------------------------------------

def first_jacobian(models):
    """J of the first of many models."""
    return jacobian(blocks(models["p"][0], models["dE"][0], models["dH"][0]), models["curvature"][0])


def one_jacobian(seed):
    """J of one model, Hurwitz."""
    return {"J": first_jacobian(definite(1)(seed))}


def oscillating(seed):
    """The same for every other seed; else one with a complex pair, in which both players have one parameter."""
    return one_jacobian(seed) if seed % 2 else {"J": first_jacobian(definite(60, "complex", 1, 1)(seed))}


def near_case(seed):
    """A game with K_EE well inside of the definite matrices, and a start at distance 0.01 from its equilibrium.

    J + J^T = -2 f''(1) diag(K_EE, K_HH), and no eigenvalue of the two blocks is below 0.15, so that the distance falls
    at least as fast as exp(-0.15 f''(1) t): in 100 steps of 0.5 / f''(1) by a factor of 1800.
    """
    case, rng = stable_game(seed), np.random.default_rng([seed, 59])
    z = np.concatenate([case["theta"], case["omega"]])
    off = rng.normal(size=len(z))
    return {**case, "name": SMOOTH[seed % len(SMOOTH)], "start": z + 0.01 * off / np.linalg.norm(off)}


def flow_with(theta_sign, omega_sign):
    return lambda **case: flow(**case, field=lambda down, up: (theta_sign * down, omega_sign * up))


CLAIMS = [
    Claim("yu2020.thm5.rate", log_growth,
          tends_to(spectral_abscissa, one_jacobian, "t", (1.0, 2.0**10, 2.0**34), method="matrix"),
          {"the smallest real part": lambda J, t: -log_growth(-J, t),
           "the eigenvalues of its symmetric part": lambda J, t: log_growth((J + J.T) / 2, t),
           "twice that, the rate of the squared distance": lambda J, t: 2 * log_growth(J, t)},
          without=equals(spectral_abscissa, lambda seed: {**one_jacobian(seed), "t": 1.0})),
    Claim("yu2020.fn3", largest_step, equals(step_by_bisection, oscillating, method="spectrum"),
          {"2 / |lambda|": lambda J: np.min(2 / np.abs(np.linalg.eigvals(J))),
           "|Re lambda| / |lambda|^2": lambda J: largest_step(J) / 2,
           "2 / max |Re lambda|": lambda J: 2 / np.max(np.abs(np.linalg.eigvals(J).real)),
           "any step: stability of the flow is enough": lambda J: np.inf}),
    Claim("yu2020.sec4.lin", flow,
          converges_to(lambda theta, omega, start, **_: np.concatenate([theta, omega]), near_case, rtol=1e-3,
                       scale=lambda theta, omega, start, **_: 0.05),
          {"both descend": flow_with(-1, -1),
           "both ascend": flow_with(1, 1),
           "theta ascends": flow_with(1, -1)}),
]
