r"""Local stability of f-EBM's game: Theorem 5, and what it needs (yu2020 Sec. 4).

    J = f''(1) [[-K_EE, K_EH], [-K_EH^T, -K_HH]],  K_EH = m h^T,  m = E_p[dE],  h = E_p[dH]
    Hurwitz      if f''(1) > 0, K_EE >= 0, K_HH > 0 and Cov_p[dE] > 0 (for K_EE >= 0 see game_field.py)
    complex      Re lambda <= -f''(1)/2 (min K_EE + min K_HH)       "min" and "max" for the extreme eigenvalues
    real         Re lambda <= -f''(1) min(min K_HH, min(K_EE + K_EH K_HH^-1 K_EH^T))        in any dimension

The printed bound for real eigenvalues contains min(K_EH K_EH^T). K_EH is an outer product, so that is zero as soon as
theta has two components, and the bound says Re lambda < 0 < 0; for one component and nonzero means it holds.

Everything comes in batches of n random models; see models/energy_game.py. What the eigenvalues say of the
game's course is in game_dynamics.py.
p (n, S), dE (n, S, d), dH (n, S, e), J (n, d + e, d + e).

The largest real eigenvalue of one model, and a bound on it; the printed bound is 0 for theta of two components.

>>> import numpy as np
>>> from refdgm.adversarial.stability import blocks, definite, game_jacobian, real_bound
>>> case = definite(1, "real")(0)
>>> bound = real_bound(blocks(case["p"], case["dE"], case["dH"]), case["curvature"])
>>> eigenvalues = np.linalg.eigvals(game_jacobian(**case))
>>> round(float(eigenvalues.real[eigenvalues.imag == 0].max()), 2), round(float(bound[0]), 2)
(-0.47, -0.45)
"""

from refdgm.backend import xp as np
from refdgm.checking import ROUNDING, Claim, is_at_least, is_ordered, is_stable, provided
from refdgm.f_divergences import F_DIVERGENCES, SMOOTH
from refdgm.models.energy_game import Blocks, blocks, definite, jacobian, random_models


def game_jacobian(p, dE, dH, curvature):
    """J at an equilibrium, for each of n models (yu2020 Theorem 4).  -> (n, d + e, d + e)"""
    return jacobian(blocks(p, dE, dH), curvature)


def complex_bound(K, curvature):
    """-f''(1)/2 (min K_EE + min K_HH), above Re of every eigenvalue that is not real (yu2020 Theorem 5).  -> (n,)"""
    return -curvature / 2 * (smallest(K.EE) + smallest(K.HH))


def real_bound(K, curvature):
    """-f''(1) min(min K_HH, min(K_EE + K_EH K_HH^-1 K_EH^T)), above every real eigenvalue.  -> (n,)"""
    schur = K.EE + K.EH @ np.linalg.solve(K.HH, np.swapaxes(K.EH, -1, -2))
    return -curvature * np.minimum(smallest(K.HH), smallest(schur))


def printed_real_bound(K, curvature, pick=lambda eigenvalues: eigenvalues[..., 0]):
    """-f''(1) min K_HH g / (min K_HH max(K_EE, K_HH) + g), g = min K_EH K_EH^T (yu2020 Theorem 5).  -> (n,)"""
    g = pick(np.linalg.eigvalsh(K.EH @ np.swapaxes(K.EH, -1, -2)))
    low, high = smallest(K.HH), np.maximum(largest(K.EE), largest(K.HH))
    return -curvature * low * g / (low * high + g)


def smallest(K):
    return np.linalg.eigvalsh(K)[..., 0]


def largest(K):
    return np.linalg.eigvalsh(K)[..., -1]


# ---- oracle ---------------------------------------------------------------------------

def largest_real_part(of_kind):
    """The largest real part among the eigenvalues of J that are "real", or "complex"; -inf where there is none."""
    def largest(p, dE, dH, curvature):
        eigenvalues = np.linalg.eigvals(game_jacobian(p, dE, dH, curvature))
        return np.max(np.where((eigenvalues.imag == 0) == (of_kind == "real"), eigenvalues.real, -np.inf), axis=-1)
    return largest


# ---- claims ---------------------------------------------------------------------------

def indefinite(seed):
    """K_EE has a negative eigenvalue, and H is learned slowly."""
    return random_models(seed, np.random.default_rng([seed, 58]).uniform(3.0, 9.0, size=8), weak_H=0.2)


def definite_and_real(p, dE, dH, curvature):
    """K_EE and K_HH are positive definite in every model, and there is a real eigenvalue to be bounded."""
    K = blocks(p, dE, dH)
    return np.all(smallest(K.EE) > 0) and np.all(smallest(K.HH) > 0) \
        and np.all(np.isfinite(largest_real_part("real")(p, dE, dH, curvature)))


def complex_case(seed):
    """Models with complex eigenvalues; K_EE is definite, singular, or indefinite."""
    return random_models(seed, np.repeat([0.5, 1.0, 3.0], 50), 150, "complex")


def with_blocks(change):
    return lambda p, dE, dH, curvature: jacobian(change(blocks(p, dE, dH)), curvature)


def from_blocks(bound):
    return lambda p, dE, dH, curvature: bound(blocks(p, dE, dH), curvature)


def below_zero(bound):
    """The largest real eigenvalue, the bound and zero, in this order for each model."""
    def sequence(p, dE, dH, curvature):
        value = bound(blocks(p, dE, dH), curvature)
        return np.stack([largest_real_part("real")(p, dE, dH, curvature), value, 0 * value], axis=-1)
    return sequence


def smallest_nonzero(eigenvalues):
    """The one nonzero eigenvalue of K_EH K_EH^T, whose rank is one."""
    return eigenvalues[..., -1]


def without_dual(K, curvature):
    """The bound of the Schur complement alone."""
    return -curvature * smallest(K.EE + K.EH @ np.linalg.solve(K.HH, np.swapaxes(K.EH, -1, -2)))


def smallest_positive(K):
    """The smallest eigenvalue that is not zero."""
    eigenvalues = np.linalg.eigvalsh(K)
    return np.min(np.where(eigenvalues > 1e-9, eigenvalues, np.inf), axis=-1)


def fixed_f(second):
    """J with the f''(1) of another f."""
    return lambda p, dE, dH, curvature: jacobian(blocks(p, dE, dH), np.full(len(p), second))


def any_f(seed):
    """Curvatures f''(1) of the table."""
    case = definite()(seed)
    return {**case, "curvature": np.array([F_DIVERGENCES[SMOOTH[(seed + i) % 6]].second(1.0) for i in range(8)])}


CLAIMS = [
    Claim("yu2020.thm5.hurwitz", game_jacobian, is_stable(definite()),
          {"theta ascends": with_blocks(lambda K: K._replace(EE=-K.EE, EH=-K.EH)),
           "both descend": with_blocks(lambda K: Blocks(K.EE, -K.EH, -K.HH)),
           "the sign of K_EE alone": with_blocks(lambda K: K._replace(EE=-K.EE))},
          without=is_stable(indefinite)),
    Claim("yu2020.thm5.real", below_zero(real_bound),
          provided(definite_and_real, is_ordered(definite(60, "real"), margin=ROUNDING, method="spectrum")),
          {"the smallest nonzero eigenvalue of K_EH K_EH^T": below_zero(
              lambda K, curvature: printed_real_bound(K, curvature, smallest_nonzero)),
           "without min K_HH": below_zero(without_dual),
           "min K_EE + min K_HH, as if complex": below_zero(complex_bound)},
          printed=below_zero(printed_real_bound)),
    Claim("yu2020.thm5.complex", from_blocks(complex_bound),
          is_at_least(largest_real_part("complex"), complex_case, method="spectrum"),
          {"without 1/2": from_blocks(lambda K, curvature: 2 * complex_bound(K, curvature)),
           "the largest eigenvalues": from_blocks(
               lambda K, curvature: -curvature / 2 * (largest(K.EE) + largest(K.HH))),
           "the smallest nonzero eigenvalue of K_EE": from_blocks(
               lambda K, curvature: -curvature / 2 * (smallest_positive(K.EE) + smallest(K.HH))),
           "without f''(1)": from_blocks(lambda K, curvature: complex_bound(K, 1 + 0 * curvature))}),
    Claim("yu2020.thm5.anyf", game_jacobian, is_stable(any_f),
          {"f = |u - 1|^(3/2): once differentiable, f''(1) is infinite": fixed_f(np.inf),
           "f = u - 1: convex, but not strictly": fixed_f(0.0),
           "f = -log u with its sign lost": fixed_f(-1.0)},
          printed=fixed_f(12 * (1.0 - 1.0)**2)),        # f = (u - 1)^4: strictly convex, f'' = 12 (u - 1)^2

]
