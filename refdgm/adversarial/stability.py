r"""Local stability of f-EBM's game: Theorem 5, and what it needs (yu2020 Sec. 4).

    J = f''(1) [[-K_EE, K_EH], [-K_EH^T, -K_HH]],  K_EH = m h^T,  m = E_p[dE],  h = E_p[dH]
    Hurwitz      if f''(1) > 0, K_EE >= 0, K_HH > 0 and Cov_p[dE] > 0 (for K_EE >= 0 see game_field.py)
    complex      Re lambda <= -f''(1)/2 (min K_EE + min K_HH)       "min" and "max" for the extreme eigenvalues
    real         Re lambda <= -f''(1) min(min K_HH, min(K_EE + K_EH K_HH^-1 K_EH^T))        in any dimension

The printed bound for real eigenvalues contains min(K_EH K_EH^T). K_EH is an outer product, so that is zero as soon as
theta has two components, and the bound says Re lambda < 0 < 0; for one component and nonzero means it holds.

    rate         (1/t) log |exp(J t)| -> max Re lambda              as t -> infinity only
    steps        |1 + eta lambda| < 1 for all lambda  <=>  eta < min 2 |Re lambda| / |lambda|^2    (footnote 3)

Everything comes in batches of n random models; see models/energy_game.py.
"""
import numpy as np

from refdgm.checking import ROUNDING, Claim, converges_to, equals, is_at_least, is_ordered, is_stable, tends_to
from refdgm.divergences import F_DIVERGENCES, SMOOTH
from refdgm.models.energy_game import Blocks, blocks, gradients, jacobian, random_gradients, stable_game


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


def flow(theta, omega, game, name, start, steps=60, field=lambda down, up: (-down, up)):
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

def largest_real_part(of_kind):
    """The largest real part among the eigenvalues of J that are "real", or "complex"; -inf where there is none."""
    def largest(p, dE, dH, curvature):
        eigenvalues = np.linalg.eigvals(game_jacobian(p, dE, dH, curvature))
        return np.max(np.where((eigenvalues.imag == 0) == (of_kind == "real"), eigenvalues.real, -np.inf), axis=-1)
    return largest


def step_by_bisection(J):
    """The step at which the spectral radius of I + eta J passes one."""
    low, high = 0.0, 4 / np.linalg.norm(J, 2) + 4 * np.linalg.norm(np.linalg.inv(J), 2)
    for _ in range(60):
        eta = (low + high) / 2
        stable = np.max(np.abs(np.linalg.eigvals(np.eye(len(J)) + eta * J))) < 1
        low, high = (eta, high) if stable else (low, eta)
    return low


# ---- claims ---------------------------------------------------------------------------

def models(seed, off, n=8, kind=None, d=2, e=3, weak_H=1.0):
    """n random models with m^T Cov^-1 m = off; with `kind`, only those that have an eigenvalue of that kind."""
    case = random_gradients(seed, off, n, d=d, e=e)
    case["dH"] = weak_H * case["dH"]
    keep = slice(None) if kind is None else np.isfinite(largest_real_part(kind)(**case))
    return {name: array[keep] for name, array in case.items()}


def definite(n=8, kind=None, d=2, e=3):
    """K_EE is positive definite."""
    return lambda seed: models(seed, np.random.default_rng([seed, 57]).uniform(0.3, 0.95, size=n), n, kind, d, e)


def indefinite(seed):
    """K_EE has a negative eigenvalue, and H is learned slowly."""
    return models(seed, np.random.default_rng([seed, 58]).uniform(3.0, 9.0, size=8), weak_H=0.2)


def complex_case(seed):
    """Models with complex eigenvalues; K_EE is definite, singular, or indefinite."""
    return models(seed, np.repeat([0.5, 1.0, 3.0], 50), 150, "complex")


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


def one_jacobian(seed):
    """J of one model, Hurwitz."""
    return {"J": game_jacobian(**definite(1)(seed))[0]}


def oscillating(seed):
    """The same for every other seed; else one with a complex pair, in which both players have one parameter."""
    return one_jacobian(seed) if seed % 2 else {"J": game_jacobian(**definite(60, "complex", 1, 1)(seed))[0]}


def spectral_abscissa(J, t=None):
    return np.max(np.linalg.eigvals(J).real)


def near_case(seed):
    """A game with K_EE well inside of the definite matrices, and a start at distance 0.01 from its equilibrium."""
    case, rng = stable_game(seed), np.random.default_rng([seed, 59])
    z = np.concatenate([case["theta"], case["omega"]])
    off = rng.normal(size=len(z))
    return {**case, "name": SMOOTH[seed % len(SMOOTH)], "start": z + 0.01 * off / np.linalg.norm(off)}


def flow_with(theta_sign, omega_sign):
    return lambda **case: flow(**case, field=lambda down, up: (theta_sign * down, omega_sign * up))


CLAIMS = [
    Claim("yu2020.thm5.hurwitz", game_jacobian, is_stable(definite()),
          {"theta ascends": with_blocks(lambda K: K._replace(EE=-K.EE, EH=-K.EH)),
           "both descend": with_blocks(lambda K: Blocks(K.EE, -K.EH, -K.HH)),
           "the sign of K_EE alone": with_blocks(lambda K: K._replace(EE=-K.EE))},
          without=is_stable(indefinite)),
    Claim("yu2020.thm5.real", below_zero(real_bound),
          is_ordered(definite(60, "real"), margin=ROUNDING, method="spectrum"),
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
    Claim("yu2020.thm5.rate", log_growth,
          tends_to(spectral_abscissa, one_jacobian, "t", (1.0, 2.0**10, 2.0**34), method="matrix"),
          {"the smallest real part": lambda J, t: log_growth(J, t) + np.min(np.linalg.eigvals(J).real)
              - spectral_abscissa(J),
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
