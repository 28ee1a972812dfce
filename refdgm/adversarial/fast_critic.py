r"""f-EBM's game where K_EE is indefinite: the Schur complement decides if H is learned fast (yu2020 Theorem 5).

With m = E_p[dE], h = E_p[dH] and rho = h^T K_HH^{-1} h, which lies in [0, 1] and is 1 if H has a bias unit:

    S = K_EE + K_EH K_HH^{-1} K_EH^T = Cov_p[dE] - (1 - rho) m m^T
    det(-J) = f''(1)^{d + e} det K_HH det S            so an eigenvalue is zero exactly where S is singular
    omega learned c times as fast, c -> infinity:       d eigenvalues tend to those of -f''(1) S, the rest to -infinity
    Hessian of D_f(p||q_theta) at q_theta = p           f''(1) Cov_p[dE]: S where rho = 1

So Theorem 5's "K_EE is positive semidefinite" asks too much: K_EE subtracts 2 m m^T, S at most once, and with a bias in
H nothing. The inner maximum, found to the end, descends D_f itself, whose Hessian is a covariance.
The model is that of models/energy_game.py, in batches (p (n, S), dE (n, S, d), dH (n, S, e), curvature (n,)).

H has a bias unit: K_EE is indefinite, and S, which decides if omega is fast, is a covariance. The smallest eigenvalues:

>>> import numpy as np
>>> from refdgm.adversarial.fast_critic import any_case, blocks, schur_complement
>>> p, dE, dH, _ = any_case(1).values()
>>> K = blocks(p, dE, dH)
>>> [round(float(np.linalg.eigvalsh(matrix)[0, 0]), 1) for matrix in (K.EE, schur_complement(K))]
[-1.5, 0.6]
"""
import autograd.numpy as np
from autograd import hessian

from refdgm.backend import xp as onp
from refdgm.checking import GRADIENT, Claim, equals, is_at_most, provided, tends_to
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH
from refdgm.models.energy_game import (blocks, covariance, definite, energy, jacobian, mean, outer, random_game,
                                       random_models, second_moment)
from refdgm.numerics import log_softmax


def schur_complement(K):
    """K_EE + K_EH K_HH^{-1} K_EH^T.  -> (n, d, d)"""
    return K.EE + K.EH @ onp.linalg.solve(K.HH, onp.swapaxes(K.EH, -1, -2))


def explained(p, dH):
    """rho = h^T K_HH^{-1} h, the share of the constant 1 that the features of H can express.  -> (n,)"""
    h = mean(p, dH)
    return onp.sum(h * onp.linalg.solve(second_moment(p, dH), h[..., None])[..., 0], axis=-1)


def reduced_covariance(p, dE, dH):
    """Cov_p[dE] - (1 - rho) m m^T (implied by yu2020 Theorem 4).  -> (n, d, d)"""
    m = mean(p, dE)
    return covariance(p, dE) - (1 - explained(p, dH))[:, None, None] * outer(m, m)


def slow_eigenvalues(p, dE, dH, curvature, c):
    """The d eigenvalues of J nearest to zero, omega learned c times as fast; their real parts in order.  -> (n, d)"""
    K = blocks(p, dE, dH)
    J = jacobian(K, curvature)
    d = K.EE.shape[-1]
    J[:, d:] *= c
    eigenvalues = onp.linalg.eigvals(J)
    nearest = onp.take_along_axis(eigenvalues, onp.argsort(onp.abs(eigenvalues), axis=-1)[:, :d], axis=-1)
    return onp.sort(nearest.real, axis=-1)


def hessian_of_divergence(theta, game, name):
    """f''(1) Cov_p[dE], the Hessian of D_f(p||q_theta) at q_theta = p (implied by yu2020 Eq. 17).  -> (d, d)"""
    return F_DIVERGENCES[name].second(1.0) * covariance(game["p"], np.tanh(theta + game["s"]))


def excess(p, dE, dH, curvature, real_factor=1.0, complex_factor=0.5, least=onp.minimum):
    """How far the largest eigenvalues of J, real and not, are above their bounds (yu2020 Theorem 5).  -> (n,)

    Re lambda <= -f''(1)/2 (min K_EE + min K_HH) if lambda is not real, else -f''(1) min(min K_HH, min S).
    """
    K = blocks(p, dE, dH)
    eigenvalues = onp.linalg.eigvals(jacobian(K, curvature))
    EE, HH, S = (onp.linalg.eigvalsh(block)[..., 0] for block in (K.EE, K.HH, schur_complement(K)))
    bound = onp.where(eigenvalues.imag == 0, -real_factor * least(HH, S)[:, None],
                      -complex_factor * (EE + HH)[:, None]) * curvature[:, None]
    return onp.max(eigenvalues.real - bound, axis=-1)


# ---- claims ---------------------------------------------------------------------------

SIZES = ((1, 2), (2, 3), (3, 2), (4, 4))        # d, e


def any_case(seed, n=6):
    """Models whose K_EE is mostly indefinite; on every second instance H has a bias unit."""
    case = random_models(seed, onp.random.default_rng([seed, 78]).uniform(0.5, 6.0, size=n), n)
    if seed % 2:
        case["dH"][..., 0] = 1.0
    return case


def schur_and_determinant(p, dE, dH, curvature):
    """The oracle: S from the blocks, and det(-J)."""
    K = blocks(p, dE, dH)
    return {"S": schur_complement(K), "det": onp.linalg.det(-jacobian(K, curvature))}


def by_covariance(S=reduced_covariance, inner=second_moment):
    """S, and det(-J) from it."""
    def both(p, dE, dH, curvature):
        size = dE.shape[-1] + dH.shape[-1]
        matrix = S(p, dE, dH)
        return {"S": matrix, "det": curvature**size * onp.linalg.det(inner(p, dH)) * onp.linalg.det(matrix)}
    return both


def less_means(times):
    """Cov_p[dE] - times(rho) m m^T."""
    return lambda p, dE, dH: covariance(p, dE) - times(explained(p, dH))[:, None, None] * outer(
        mean(p, dE), mean(p, dE))


def limit(matrix=lambda p, dE, dH: schur_complement(blocks(p, dE, dH))):
    """The eigenvalues of -f''(1) times a matrix, in order."""
    return lambda p, dE, dH, curvature: onp.sort(-curvature[:, None] * onp.linalg.eigvalsh(matrix(p, dE, dH)), axis=-1)


def shifted(matrix):
    """The slow eigenvalues, moved as if they tended to those of another matrix than S."""
    return lambda p, dE, dH, curvature, c: slow_eigenvalues(p, dE, dH, curvature, c) \
        + limit()(p, dE, dH, curvature) - limit(matrix)(p, dE, dH, curvature)


def well_conditioned(seed):
    """As any_case, but no direction of H's features is nearly lost: those eigenvalues would be slow, too."""
    rng = onp.random.default_rng([seed, 79])
    while True:
        case = any_case(int(rng.integers(2**31)) * 2 + seed % 2)
        if onp.min(onp.linalg.eigvalsh(blocks(case["p"], case["dE"], case["dH"]).HH)) > 0.05:
            return case


def equilibrium_case(seed):
    game = random_game(seed)
    return {"theta": game["theta"], "game": game["game"], "name": SMOOTH[seed % len(SMOOTH)]}


def by_autograd(theta, game, name):
    """The oracle: the Hessian of D_f(p||q_theta) by autograd."""
    f = F_DIVERGENCES[name]
    def D(theta):
        q = np.exp(log_softmax(-energy(theta, game)))
        return np.sum(q * f.f(game["p"] / q))
    return hessian(D)(theta)


def scaled_hessian(matrix, factor=lambda f: f.second(1.0)):
    return lambda theta, game, name: factor(F_DIVERGENCES[name]) * matrix(game["p"], np.tanh(theta + game["s"]))


def many_models(seed):
    """2,500 models of one size; four seeds in turn have four sizes, and so 10,000 models."""
    d, e = SIZES[seed % len(SIZES)]
    return definite(2500, d=d, e=e)(seed)


def definite_blocks(p, dE, dH, curvature):
    K = blocks(p, dE, dH)
    return onp.all(onp.linalg.eigvalsh(K.EE) > 0) and onp.all(onp.linalg.eigvalsh(K.HH) > 0)


def with_bound(**change):
    return lambda **case: excess(**case, **change)


CLAIMS = [
    Claim("yu2020.x_schur", by_covariance(), equals(schur_and_determinant, any_case, method="matrix"),
          {"Cov_p[dE], without a bias in H": by_covariance(lambda p, dE, dH: covariance(p, dE)),
           "Cov_p[dE] - rho m m^T": by_covariance(less_means(lambda rho: rho)),
           "K_EE: H explains nothing": by_covariance(less_means(lambda rho: 1 + 0 * rho)),
           "K_HH a covariance": by_covariance(inner=lambda p, dH: covariance(p, dH) + 1e-3 * onp.eye(dH.shape[-1]))}),
    Claim("yu2020.x_fast_critic", slow_eigenvalues,
          tends_to(limit(), well_conditioned, "c", (1.0, 1e7), rtol=1e-4, method="spectrum"),
          {"K_EE decides": shifted(lambda p, dE, dH: blocks(p, dE, dH).EE),
           "the covariance, with a bias or without": shifted(lambda p, dE, dH: covariance(p, dE)),
           "the speed of H changes nothing": lambda p, dE, dH, curvature, c: slow_eigenvalues(
               p, dE, dH, curvature, 1.0)}),
    Claim("yu2020.x_hessian", hessian_of_divergence,
          equals(by_autograd, equilibrium_case, rtol=GRADIENT, method="autodiff"),
          {"f''(1) K_EE": scaled_hessian(lambda p, dE: blocks(p, dE, dE).EE),
           "the second moment": scaled_hessian(second_moment),
           "without f''(1)": scaled_hessian(covariance, lambda f: 1.0),
           "half, the expansion's 1/2": scaled_hessian(covariance, lambda f: f.second(1.0) / 2)}),
    Claim("yu2020.x_thm5_many", excess,
          provided(definite_blocks, is_at_most(lambda p, **_: onp.zeros(len(p)), many_models, method="spectrum")),
          {"complex: without 1/2": with_bound(complex_factor=1.0),
           "real: without min K_HH": with_bound(least=lambda HH, S: S),
           "real: without S": with_bound(least=lambda HH, S: HH),
           "real: 5 % tighter": with_bound(real_factor=1.05)}),
]
