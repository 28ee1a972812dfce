r"""The flow of f-EBM's game, its Jacobian at an equilibrium, and when K_EE is definite (yu2020 Sec. 4, Theorem 4).

    Eq. 19       dtheta/dt = -dV/dtheta,   domega/dt = +dV/domega
    Theorem 4    J = f''(1) [[-K_EE, K_EH], [-K_EH^T, -K_HH]]   at  p = q_theta, H + E = 0
    K_EE         = Cov_p[dE] - m m^T,  m = E_p[dE]:  a covariance minus an outer product, so not always definite;
                 it is positive semidefinite if and only if m^T Cov^-1 m <= 1
    matched      if dH = -dE, the eigenvalues of J are those of -f''(1) Cov_p[dE], each twice, whatever K_EE is

Where K_EE is indefinite, the game may still be stable (matched networks) or may not be: see stability.py.
The model is that of models/energy_game.py. The oracle differentiates V, twice, and knows no block.

dE = 1 or 2 with equal probability: m^2 = 9/4 exceeds the variance 1/4, and K_EE is negative.

>>> import numpy as np
>>> from refdgm.adversarial.game_field import blocks
>>> float(blocks(np.array([0.5, 0.5]), np.array([[1.0], [2.0]]), np.ones((2, 1))).EE[0, 0])
-2.0
"""
import autograd.numpy as np
from autograd import grad
from autograd import jacobian as autograd_jacobian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_least, provided
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH
from refdgm.models.energy_game import (blocks, covariance, gradients, jacobian, mean, mean_in_covariances, outer,
                                       random_game, random_gradients, second_moment, validate, value)


def field(theta, omega, game, name):
    """(-dV/dtheta, +dV/domega): theta descends, omega ascends (yu2020 Eq. 19).  -> (d + e,)"""
    validate(theta, omega, game)
    down, up = gradients(theta, omega, game, F_DIVERGENCES[name])
    return np.concatenate([-down, up])


def jacobian_at_equilibrium(theta, omega, game, name):
    """J of Theorem 4 from one mean of each kind (yu2020 Theorem 4).  -> (d + e, d + e)"""
    return jacobian(blocks_of(theta, omega, game), F_DIVERGENCES[name].second(1.0))


def blocks_of(theta, omega, game):
    """The Blocks of a game (yu2020 Theorem 4)."""
    return blocks(game["p"], np.tanh(theta + game["s"]), np.tanh(omega + game["t"]))


# ---- oracles --------------------------------------------------------------------------

def field_by_autograd(theta, omega, game, name):
    """Eq. 19 with the gradients of V by autograd."""
    def V(theta, omega): return value(theta, omega, game, F_DIVERGENCES[name])
    return np.concatenate([-grad(V, 0)(theta, omega), grad(V, 1)(theta, omega)])


def jacobian_by_autograd(theta, omega, game, name):
    """The Jacobian of that field: second derivatives of V."""
    d = len(theta)
    return autograd_jacobian(lambda z: field_by_autograd(z[:d], z[d:], game, name))(onp.concatenate([theta, omega]))


def block_of(rows, columns, sign):
    """One block of the Jacobian by autograd, divided by f''(1) and its sign; "E" and "H" name the players."""
    def block(theta, omega, game, name):
        f, player = F_DIVERGENCES[name], {"E": 0, "H": 1}
        slope = grad(lambda theta, omega: value(theta, omega, game, f), player[rows])
        return sign * autograd_jacobian(slope, player[columns])(theta, omega) / f.second(1.0)
    return block


# ---- claims ---------------------------------------------------------------------------

def equilibrium_case(seed):
    return {**random_game(seed), "name": SMOOTH[seed % len(SMOOTH)]}


def away_case(seed):
    """Both players away from the equilibrium."""
    rng, case = onp.random.default_rng([seed, 54]), equilibrium_case(seed)
    return {**case, "theta": case["theta"] + rng.normal(size=2) / 4, "omega": case["omega"] + rng.normal(size=3) / 4}


def with_signs(theta_sign, omega_sign):
    """The field with other signs of its two parts."""
    def field(theta, omega, game, name):
        down, up = gradients(theta, omega, game, F_DIVERGENCES[name])
        return np.concatenate([theta_sign * down, omega_sign * up])
    return field


def with_blocks(change=lambda K: K, curvature=lambda f: f.second(1.0)):
    """The Jacobian with other blocks, or another factor."""
    return lambda theta, omega, game, name: jacobian(change(blocks_of(theta, omega, game)),
                                                     curvature(F_DIVERGENCES[name]))


def from_gradients(block):
    """block(p, dE, dH) at the equilibrium."""
    return lambda theta, omega, game, name: block(game["p"], np.tanh(theta + game["s"]), np.tanh(omega + game["t"]))


def smallest_eigenvalue(matrix):
    return lambda p, dE, **_: onp.linalg.eigvalsh(matrix(p, dE))[..., 0]


def minus_means(times):
    """E[dE dE^T] - times E[dE] E[dE]^T."""
    return lambda p, dE: second_moment(p, dE) - times * outer(mean(p, dE), mean(p, dE))


def criterion_case(low, high):
    """Gradients with m^T Cov^-1 m between low and high."""
    return lambda seed: random_gradients(seed, onp.random.default_rng([seed, 55]).uniform(low, high, size=6))


def short_mean(p, dE, **_):
    """The mean of dE is at most one standard deviation long: m^T Cov^-1 m <= 1."""
    return onp.all(mean_in_covariances(p, dE) <= 1)


def matched_case(seed):
    """H is minus the energy's network: the same features, the same parameters, so H + E = 0 and dH = -dE."""
    rng, case = onp.random.default_rng([seed, 56]), random_game(seed)
    return {"theta": case["theta"], "game": {"s": case["game"]["s"], "p": case["game"]["p"]},
            "name": SMOOTH[seed % len(SMOOTH)], "x": rng.uniform(0.2, 3.0, size=5)}


def matched_polynomial(theta, game, name, x):
    """det(x - J) for J by autograd of the game in which H_omega = -E_omega."""
    f, d = F_DIVERGENCES[name], len(theta)

    def V(theta, omega):
        E, H = (sign * np.sum(np.log(np.cosh(z + game["s"])), axis=-1) for sign, z in ((1, theta), (-1, omega)))
        r, weight = np.exp(H + E), np.exp(-E)
        return np.sum(game["p"] * f.derivative(r)) - np.sum(weight * (r * f.derivative(r) - f.f(r))) / np.sum(weight)

    def v(z):
        return np.concatenate([-grad(V, 0)(z[:d], z[d:]), grad(V, 1)(z[:d], z[d:])])
    J = autograd_jacobian(v)(onp.concatenate([theta, theta]))
    return onp.linalg.det(x[:, None, None] * onp.eye(2 * d) - J)


def polynomial_of(matrix, power=2, factor=lambda f: f.second(1.0)):
    """prod_i (x + factor lambda_i)^power over the eigenvalues lambda_i of matrix(p, dE)."""
    def at(theta, game, name, x):
        eigenvalues = onp.linalg.eigvalsh(matrix(game["p"], onp.tanh(theta + game["s"])))
        return onp.prod((x[:, None] + factor(F_DIVERGENCES[name]) * eigenvalues)**power, axis=-1)
    return at


CLAIMS = [
    Claim("yu2020.eq19", field, equals(field_by_autograd, away_case, rtol=GRADIENT, method="autodiff"),
          {"both descend": with_signs(-1, -1),
           "both ascend": with_signs(1, 1),
           "theta ascends, omega descends": with_signs(1, -1)}),
    Claim("yu2020.thm4", jacobian_at_equilibrium,
          equals(jacobian_by_autograd, equilibrium_case, rtol=GRADIENT, method="autodiff"),
          {"without f''(1)": with_blocks(curvature=lambda f: 1.0),
           "f'(1) for f''(1)": with_blocks(curvature=lambda f: f.derivative(1.0)),
           "symmetric, as if both descended": with_blocks(lambda K: K._replace(EH=-K.EH, HH=-K.HH)),
           "K_EE a covariance": lambda theta, omega, game, name: with_blocks(lambda K: K._replace(EE=covariance(
               game["p"], np.tanh(theta + game["s"]))))(theta, omega, game, name),
           "the off-diagonal blocks exchange their signs": with_blocks(lambda K: K._replace(EH=-K.EH))}),
    Claim("yu2020.thm4.KEE", from_gradients(lambda p, dE, dH: blocks(p, dE, dH).EE),
          equals(block_of("E", "E", 1), equilibrium_case, rtol=GRADIENT, method="autodiff"),
          {"the covariance: the outer product once": from_gradients(lambda p, dE, dH: minus_means(1)(p, dE)),
           "the second moment": from_gradients(lambda p, dE, dH: minus_means(0)(p, dE)),
           "the outer product three times": from_gradients(lambda p, dE, dH: minus_means(3)(p, dE))}),
    Claim("yu2020.thm4.KEH", from_gradients(lambda p, dE, dH: blocks(p, dE, dH).EH),
          equals(block_of("E", "H", -1), equilibrium_case, rtol=GRADIENT, method="autodiff"),
          {"E[dE dH^T]": from_gradients(lambda p, dE, dH: (p[:, None] * dE).T @ dH),
           "the covariance of dE and dH": from_gradients(
               lambda p, dE, dH: (p[:, None] * dE).T @ dH - outer(mean(p, dE), mean(p, dH))),
           "the sign of K_EE": from_gradients(lambda p, dE, dH: -outer(mean(p, dE), mean(p, dH)))}),
    Claim("yu2020.thm4.KHH", from_gradients(lambda p, dE, dH: blocks(p, dE, dH).HH),
          equals(block_of("H", "H", -1), equilibrium_case, rtol=GRADIENT, method="autodiff"),
          {"the covariance": from_gradients(lambda p, dE, dH: covariance(p, dH)),
           "minus twice the outer product, as in K_EE": from_gradients(lambda p, dE, dH: minus_means(2)(p, dH)),
           "half, the Hessian's 1/2": from_gradients(lambda p, dE, dH: second_moment(p, dH) / 2)}),
    Claim("yu2020.thm5.psd", smallest_eigenvalue(minus_means(2)),
          provided(short_mean, is_at_least(lambda p, dE, **_: onp.zeros(len(p)), criterion_case(0.5, 0.99))),
          {"the outer product three times": smallest_eigenvalue(minus_means(3)),
           "the outer product first": smallest_eigenvalue(lambda p, dE: -minus_means(2)(p, dE)),
           "under a uniform p": smallest_eigenvalue(lambda p, dE: minus_means(2)(onp.full(p.shape, 1 / 7), dE))},
          without=is_at_least(lambda p, dE, **_: onp.zeros(len(p)), criterion_case(1.01, 2.0))),
    Claim("yu2020.thm5.matched", polynomial_of(covariance),
          equals(matched_polynomial, matched_case, rtol=GRADIENT, method="autodiff"),
          {"-f''(1) K_EE, each twice": polynomial_of(minus_means(2)),
           "the second moment for the covariance": polynomial_of(minus_means(0)),
           "each once": polynomial_of(covariance, power=1),
           "without f''(1)": polynomial_of(covariance, factor=lambda f: 1.0)}),
]
