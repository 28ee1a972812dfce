r"""When stochastic approximation converges: step sizes, attracting roots, and the sign (ou2018 Sec. 2, Theorem 1).

Near a root the mean field is linear, f(lam) = -A (lam - root), and with independent noise of covariance S the error of
lam_t = lam_{t-1} + gamma_t F has a mean and a second moment that follow exact recursions:

    m_t = (I - gamma_t A) m_{t-1}
    V_t = (I - gamma_t A) V_{t-1} (I - gamma_t A)' + gamma_t^2 S,     E|lam_t - root|^2 = tr V_t

It tends to 0 iff A attracts (-A is Hurwitz), sum gamma_t = inf, and the noise is averaged out (sum gamma_t^2 < inf
suffices). In the eigenbasis of a symmetric A the recursions are scalar, so many steps are a cumulated product. For
gamma_t = c/t with 2 c A > 1 the error has a law of its own: T V_T -> c^2 S / (2 c A - 1).

Theorem 1 assumes a compact set of parameters, to which Algorithm 1 as printed does not keep lam. Where f grows faster
than |lam|, large early steps then throw lam out for good.

Algorithm 1 adds gamma_t F, so a minimum attracts for f = -grad(objective); f = +grad(objective) leaves it.

Shapes: rates a (d,) the eigenvalues of A, noise (d,) the variances of S in that basis, error (d,) = lam_0 - root.

A = S = 1 and gamma_t = 1.5/t: T V_T goes to 2.25 / (3 - 1).

    >>> import numpy as np
    >>> from refdgm.directed.robbins_monro import mean_square_error
    >>> V = mean_square_error(np.ones(1), np.ones(1), error=2 * np.ones(1), T=10_000, gamma=lambda t: 1.5 / t)
    >>> round(float(10_000 * V[0]), 3)
    1.125
"""
import autograd.numpy as anp
from autograd import grad, jacobian

from refdgm.backend import here
from refdgm.backend import xp as np
from refdgm.checking import Claim, converges_to, tends_to
from refdgm.numerics import log_sum_exp, softmax


def mean_square_error(a, noise, error, T, gamma):
    """E|lam_T - root|^2 in each direction, exactly (ou2018 Sec. 2, step sizes).  gamma(t) for t = 1..T  -> (d,)"""
    g = gamma(np.arange(1.0, T + 1))
    shrink = np.cumprod((1 - g[:, None] * a)[::-1], axis=0)[::-1]         # prod over s >= t
    after = np.vstack([shrink[1:], np.ones_like(a)])                     # prod over s > t
    return (shrink[0] * error)**2 + np.sum((g[:, None] * after)**2, axis=0) * noise


def distance_to_roots(lam, roots):
    """d(lam, L) = min over the root set of |lam - root| (ou2018 Theorem 1).  (...,), (n,) -> (...)"""
    return np.min(np.abs(lam[..., None] - roots), axis=-1)


# ---- claims ---------------------------------------------------------------------------

def linear_case(seed, d=3):
    rng = np.random.default_rng(seed)
    return {"a": rng.uniform(0.7, 1.5, d), "noise": rng.gamma(4.0, size=d) / 4, "error": rng.choice([-2, 2], d) * 1.0}


def harmonic(t):
    """1/t once t is large: sum gamma = inf, sum gamma^2 < inf."""
    return 1.5 / (t + 2)


def errors(gamma, sign=1):
    """T times the mean-square error after T steps: where that settles, the error falls as 1/T."""
    return lambda a, noise, error, T: T * mean_square_error(sign * a, noise, error, T, gamma)


def asymptotic_error(a, noise, error, first=1.5):
    """The oracle: with gamma_t = first/t the recursion of V_t balances at T V_T = first^2 S / (2 first a - 1)."""
    return first**2 * noise / (2 * first * a - 1)


def three_roots_case(seed, kept=True):
    """A mean field on [-2, 2] with two attracting roots and a repelling one: minus the gradient of a double well.

    kept says whether lam is put back into [-2, 2] when a step leads out.
    """
    rng = np.random.default_rng(seed)
    low, middle, high = np.sort(rng.uniform(-0.3, 0.3, 3)) + np.array([-1.2, 0.0, 1.2])
    return {"roots": np.array([low, middle, high]), "start": rng.uniform(-2, 2, 400), "kept": kept,
            "seed": seed}


def distances(sign=1, gamma=lambda t: 4 / (t + 3), to=slice(None)):
    """Root mean square over 400 runs of d(lam_t, roots), at t = 0 and t = T.  -> (2,)"""
    def trajectory(roots, start, kept, seed, T=1000):
        noise = here(np.random.default_rng([seed, 3]).normal(size=(T, len(start)))) / 2
        lam = start
        for t in range(1, T + 1):
            f = -(lam - roots[0]) * (lam - roots[1]) * (lam - roots[2])
            lam = lam + gamma(t) * (sign * f + noise[t - 1])
            lam = np.clip(lam, -2, 2) if kept else lam
        return np.sqrt(np.mean(distance_to_roots(np.stack([start, lam]), roots[to])**2, axis=1))
    return trajectory


def objective(lam, B, c):
    """A convex objective, to be minimised: log sum exp of affine functions, plus a quadratic."""
    return log_sum_exp(anp.dot(B, lam) + c) + anp.dot(lam, lam) / 4


def gradient(lam, B, c):
    """The gradient of the objective, by hand.  -> (d,)"""
    return softmax(B @ lam + c) @ B + lam / 2


def descent(lam, B, c):
    """The mean field that finds the minimum, since Algorithm 1 adds it: minus the gradient (ou2018 Sec. 2)."""
    return -gradient(lam, B, c)


def convex_case(seed, d=3):
    rng = np.random.default_rng(seed)
    return {"B": rng.normal(size=(6, d)), "c": rng.normal(size=6), "start": rng.choice([-3.0, 3.0], d)}


def minimiser(B, c, start):
    """The oracle: the optimum by Newton's method with steps of at most 1/2, with derivatives by autograd."""
    slope, curvature, lam = grad(objective), jacobian(grad(objective)), np.zeros(B.shape[1])
    for _ in range(12):
        step = np.linalg.solve(curvature(lam, B, c), slope(lam, B, c))
        lam = lam - step / max(1.0, 2 * np.linalg.norm(step))
    return lam


def mean_path(field, gamma=lambda t: 4 / (10 + t), T=300):
    """lam_t = lam_{t-1} + gamma_t f(lam_{t-1}): Algorithm 1 with its noise averaged out.  -> (T + 1, d)"""
    def path(B, c, start):
        lams = [start]
        for t in range(1, T + 1):
            lams.append(lams[-1] + gamma(t) * field(lams[-1], B, c))
        return np.array(lams)
    return path


CLAIMS = [
    Claim("ou2018.sa.steps", errors(harmonic),
          tends_to(asymptotic_error, linear_case, "T", [10, 1000, 50_000], rtol=1e-3, method="matrix"),
          {"constant steps": errors(lambda t: 0.3 + 0 * t),
           "summable steps 1/t^2": errors(lambda t: 0.5 / t**2),
           "lambda - gamma F": errors(harmonic, sign=-1)}),
    Claim("ou2018.thm1", distances(),
          converges_to(lambda **case: np.array(0.0), three_roots_case, rtol=0.06, scale=lambda **case: 1.0),
          {"distance to one root, not to the set": distances(to=slice(0, 1)),
           "lambda - gamma F: runs end on the boundary": distances(sign=-1),
           "constant steps": distances(gamma=lambda t: 0.3),
           "steps 1/t^2": distances(gamma=lambda t: 1 / t**2)},
          without=converges_to(lambda **case: np.array(0.0), lambda seed: three_roots_case(seed, kept=False), rtol=0.06,
                               scale=lambda **case: 1.0)),
    Claim("ou2018.sa.convex", mean_path(descent),
          converges_to(minimiser, convex_case, rtol=0.01, scale=lambda **case: 1.0, method="optimisation"),
          {"ascent in one coordinate: a saddle": mean_path(lambda *at: descent(*at) * [1, 1, -1]),
           "the quadratic term's gradient forgotten": mean_path(lambda lam, B, c: descent(lam, B, c) + lam / 2),
           "steps 1/t^2": mean_path(descent, lambda t: 1 / t**2)},
          printed=mean_path(gradient)),
]
