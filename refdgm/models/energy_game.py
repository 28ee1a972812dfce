r"""The game of f-EBM between two small networks, and its linearisation at an equilibrium (yu2020 Sec. 4).

    E_theta(x) = sum_j log cosh(theta_j + s_j(x))         H_omega(x) = base(x) + sum_k log cosh(omega_k + t_k(x))
    q = exp(-E) / Z,   r = exp(H + E)
    V = E_p[f'(r)] - E_q[F(r)],   F(r) = f*(f'(r)) = r f'(r) - f(r)                             (Eq. 14)
    equilibrium   p = q_theta and H + E = 0, where r = 1
    J = f''(1) [[-K_EE, K_EH], [-K_EH^T, -K_HH]]                                                (Theorem 4)
    K_EE = E[dE dE^T] - 2 E[dE] E[dE]^T    K_EH = E[dE] E[dH]^T    K_HH = E[dH dH^T]            means under p

A game is {"s": (S, d), "t": (S, e), "base": (S,), "p": (S,)}: tables over the S states of x. theta (d,) and omega (e,)
are its players, f is an FDivergence. `Blocks` need only the gradients dE (..., S, d) and dH (..., S, e) at the
equilibrium, and come in batches.

At the equilibrium both players' gradients vanish:

>>> import numpy as np
>>> from refdgm.f_divergences import F_DIVERGENCES
>>> from refdgm.models.energy_game import gradients, random_game
>>> down, up = gradients(**random_game(0), f=F_DIVERGENCES["kl"])
>>> round(float(np.abs(np.append(down, up)).max()), 6)
0.0
"""
from typing import NamedTuple

import autograd.numpy as np

from refdgm import validation as valid
from refdgm.backend import xp as onp
from refdgm.numerics import log_softmax


def log_cosh(u):
    """log cosh(u), without overflow."""
    return np.logaddexp(u, -u) - np.log(2.0)


def energy(theta, game):
    """E_theta(x) for every state.  (d,) -> (S,)"""
    return np.sum(log_cosh(theta + game["s"]), axis=-1)


def variational(omega, game):
    """H_omega(x) for every state.  (e,) -> (S,)"""
    return game["base"] + np.sum(log_cosh(omega + game["t"]), axis=-1)


def value(theta, omega, game, f):
    """V, which theta makes small and omega large (yu2020 Eq. 14).  -> ()"""
    E, H = energy(theta, game), variational(omega, game)
    r = np.exp(H + E)
    slope = f.derivative(r)
    return np.sum(game["p"] * slope) - np.sum(np.exp(log_softmax(-E)) * (r * slope - f.f(r)))


def gradients(theta, omega, game, f):
    """dV/dtheta and dV/domega by hand (yu2020 Eq. 18).  -> (d,), (e,)"""
    E, dE, dH = energy(theta, game), np.tanh(theta + game["s"]), np.tanh(omega + game["t"])
    q, r = np.exp(log_softmax(-E)), np.exp(variational(omega, game) + E)
    on_data = r * f.second(r)                       # df'(r) / d(H + E)
    difference = game["p"] * on_data - q * r * on_data
    reward = r * f.derivative(r) - f.f(r)
    return np.dot(difference + q * (reward - np.dot(q, reward)), dE), np.dot(difference, dH)


# ---- the linearisation ----------------------------------------------------------------

class Blocks(NamedTuple):
    """K_EE (..., d, d), K_EH (..., d, e) and K_HH (..., e, e) of Theorem 4."""
    EE: np.ndarray
    EH: np.ndarray
    HH: np.ndarray


def blocks(p, dE, dH):
    """K_EE, K_EH and K_HH (yu2020 Theorem 4).  (..., S), (..., S, d), (..., S, e) -> Blocks"""
    m, h = mean(p, dE), mean(p, dH)
    return Blocks(second_moment(p, dE) - 2 * outer(m, m), outer(m, h), second_moment(p, dH))


def jacobian(K, curvature):
    """J = f''(1) [[-K_EE, K_EH], [-K_EH^T, -K_HH]] (yu2020 Theorem 4).  -> (..., d + e, d + e)"""
    curvature = onp.asarray(curvature)[..., None, None]
    return curvature * np.concatenate([np.concatenate([-K.EE, K.EH], axis=-1),
                                       np.concatenate([-np.swapaxes(K.EH, -1, -2), -K.HH], axis=-1)], axis=-2)


def mean(p, dE):
    """E_p[dE].  (..., S), (..., S, d) -> (..., d)"""
    return np.sum(p[..., None] * dE, axis=-2)


def second_moment(p, dE):
    """E_p[dE dE^T].  -> (..., d, d)"""
    return np.matmul(np.swapaxes(p[..., None] * dE, -1, -2), dE)


def covariance(p, dE):
    """Cov_p[dE] = E[dE dE^T] - E[dE] E[dE]^T.  -> (..., d, d)"""
    return second_moment(p, dE) - outer(mean(p, dE), mean(p, dE))


def outer(a, b):
    """a b^T.  (..., d), (..., e) -> (..., d, e)"""
    return a[..., :, None] * b[..., None, :]


def mean_in_covariances(p, dE):
    """m^T Cov^-1 m with m = E_p[dE]: K_EE is positive semidefinite where this is at most 1.  -> (...)"""
    m = mean(p, dE)
    return np.sum(m * np.linalg.solve(covariance(p, dE), m[..., None])[..., 0], axis=-1)


# ---- small random cases ---------------------------------------------------------------

def random_game(seed, S=7, d=2, e=3):
    """A game, and its players at an equilibrium: no law uniform, nothing symmetric, d and e unequal.

    -> {"theta", "omega", "game"}
    """
    rng = onp.random.default_rng([seed, 51])
    theta, omega = rng.normal(size=d) / 2, rng.normal(size=e) / 2
    game = {"s": 1.5 * rng.normal(size=(S, d)), "t": 1.5 * rng.normal(size=(S, e)), "base": onp.zeros(S)}
    game["base"] = -energy(theta, game) - variational(omega, game)
    return {"theta": theta, "omega": omega, "game": {**game, "p": onp.exp(log_softmax(-energy(theta, game)))}}


def stable_game(seed, S=7, d=1, e=2):
    """The same, where K_EE and K_HH are well inside of the positive definite matrices."""
    rng = onp.random.default_rng([seed, 52])
    for _ in range(10_000):
        case = random_game(int(rng.integers(2**31)), S, d, e)
        game = case["game"]
        K = blocks(game["p"], onp.tanh(case["theta"] + game["s"]), onp.tanh(case["omega"] + game["t"]))
        if min(onp.linalg.eigvalsh(K.EE)[0], onp.linalg.eigvalsh(K.HH)[0]) > 0.15:
            return case
    raise ValueError(f"no game of {S} states was found stable with d = {d} and e = {e}: take fewer dimensions.")


def random_gradients(seed, off, n=6, S=7, d=2, e=3):
    """n laws p and gradients dE and dH at once, with m^T Cov^-1 m = off (a number, or (n,)).

    -> {"p": (n, S), "dE": (n, S, d), "dH": (n, S, e), "curvature": (n,)}
    """
    rng = onp.random.default_rng([seed, 53])
    p, dE, dH = rng.dirichlet(onp.full(S, 2.0), size=n), rng.normal(size=(n, S, d)), rng.normal(size=(n, S, e))
    dE = dE - mean(p, dE)[:, None]
    m = rng.normal(size=(n, d))                     # a direction, to be given its length
    length = onp.sqrt(off / mean_in_covariances(p, dE + m[:, None]))
    return {"p": p, "dE": dE + length[..., None, None] * m[:, None], "dH": dH + rng.normal(size=(n, 1, e)),
            "curvature": rng.uniform(0.2, 3.0, size=n)}


def random_models(seed, off, n=8, kind=None, d=2, e=3, weak_H=1.0):
    """n such models, dH times weak_H; with `kind` only those with an eigenvalue that is "real", or "complex"."""
    case = random_gradients(seed, off, n, d=d, e=e)
    case["dH"] = weak_H * case["dH"]
    if kind is not None:
        J = jacobian(blocks(case["p"], case["dE"], case["dH"]), case["curvature"])
        keep = onp.any((onp.linalg.eigvals(J).imag == 0) == (kind == "real"), axis=-1)
        case = {name: array[keep] for name, array in case.items()}
    return case


def definite(n=8, kind=None, d=2, e=3):
    """seed -> random models in which K_EE is positive definite."""
    def case(seed):
        return random_models(seed, onp.random.default_rng([seed, 57]).uniform(0.3, 0.95, size=n), n, kind, d, e)
    return case


def validate(theta, omega, game):
    """Raise ValueError, saying which, if a player or a table of the game has a wrong shape or is not finite."""
    S, d = valid.matrix("game", game, "s")
    _, e = valid.matrix("game", game, "t")
    valid.parameters("game", game, {"s": (S, d), "t": (S, e), "base": (S,), "p": (S,)})
    valid.distribution("p", game["p"])
    valid.vector("theta", theta, d)
    valid.vector("omega", omega, e)
