r"""When stochastic approximation converges: step sizes, attracting roots, and the sign (ou2018 Sec. 2, Theorem 1).

Near a root the mean field is linear, f(lam) = -A (lam - root), and with independent noise of covariance S the error of
lam_t = lam_{t-1} + gamma_t F has a mean and a second moment that follow exact recursions:

    m_t = (I - gamma_t A) m_{t-1}
    V_t = (I - gamma_t A) V_{t-1} (I - gamma_t A)' + gamma_t^2 S,     E|lam_t - root|^2 = tr V_t

It tends to 0 iff A attracts (-A is Hurwitz), sum gamma_t = inf, and the noise is averaged out (sum gamma_t^2 < inf
suffices). In the eigenbasis of a symmetric A the recursions are scalar, so many steps are a cumulated product.

Shapes: rates a (d,) the eigenvalues of A, noise (d,) the variances of S in that basis, error (d,) = lam_0 - root.
"""
import autograd.numpy as np
import numpy as onp
from autograd import grad, jacobian

from refdgm.checking import Claim, converges_to, equals, is_stable, tends_to
from refdgm.numerics import all_tuples, log_sum_exp


def mean_square_error(a, noise, error, T, gamma):
    """E|lam_T - root|^2 in each direction, exactly (ou2018 Sec. 2, step sizes).  gamma(t) for t = 1..T  -> (d,)"""
    g = gamma(onp.arange(1.0, T + 1))
    shrink = onp.cumprod((1 - g[:, None] * a)[::-1], axis=0)[::-1]          # prod over s >= t
    after = onp.vstack([shrink[1:], onp.ones_like(a)])                      # prod over s > t
    return (shrink[0] * error)**2 + onp.sum((g[:, None] * after)**2, axis=0) * noise


def distance_to_roots(lam, roots):
    """d(lam, L) = min over the root set of |lam - root| (ou2018 Theorem 1).  (...,), (n,) -> (...)"""
    return onp.min(onp.abs(lam[..., None] - roots), axis=-1)


# ---- claims ---------------------------------------------------------------------------

def linear_case(seed, d=3):
    rng = onp.random.default_rng(seed)
    return {"a": rng.uniform(0.7, 1.5, d), "noise": rng.gamma(4.0, size=d) / 4, "error": rng.choice([-2, 2], d) * 1.0}


def harmonic(t):
    """1/t once t is large: sum gamma = inf, sum gamma^2 < inf."""
    return 1.5 / (t + 2)


def errors(gamma, sign=1):
    """The mean-square error after T steps, for the schedule gamma."""
    return lambda a, noise, error, T: mean_square_error(sign * a, noise, error, T, gamma)


def three_roots_case(seed):
    """A mean field on [-2, 2] with two attracting roots and a repelling one: minus the gradient of a double well."""
    rng = onp.random.default_rng(seed)
    low, middle, high = onp.sort(rng.uniform(-0.3, 0.3, 3)) + onp.array([-1.2, 0.0, 1.2])
    return {"roots": onp.array([low, middle, high]), "start": rng.uniform(-2, 2, 400), "seed": seed}


def distances(sign=1, gamma=lambda t: 1.5 / (t + 10), to=slice(None)):
    """Root mean square over 400 runs of d(lam_t, roots), lam kept in the compact [-2, 2].  -> (T,)"""
    def trajectory(roots, start, seed, T=3000):
        rng, lam, path = onp.random.default_rng([seed, 3]), start, []
        for t in range(1, T + 1):
            f = -(lam - roots[0]) * (lam - roots[1]) * (lam - roots[2])
            lam = onp.clip(lam + gamma(t) * (sign * f + rng.normal(size=lam.size) / 2), -2, 2)
            if t == 1 or t == T:
                path.append(distance_to_roots(lam, roots[to]))
        return onp.sqrt(onp.mean(onp.square(path), axis=1))
    return trajectory


def objective(lam, B, c):
    """A convex objective, to be minimised: log sum exp of affine functions, plus a quadratic."""
    return log_sum_exp(np.dot(B, lam) + c) + 0.05 * np.dot(lam, lam)


def convex_case(seed, d=3):
    rng = onp.random.default_rng(seed)
    return {"B": rng.normal(size=(6, d)), "c": rng.normal(size=6)}


def minimiser(B, c):
    """The optimum, by Newton's method."""
    lam = onp.zeros(B.shape[1])
    for _ in range(30):
        lam = lam - onp.linalg.solve(jacobian(grad(objective))(lam, B, c), grad(objective)(lam, B, c))
    return lam


def field_at_optimum(sign):
    """The Jacobian at the optimum of the mean field f = sign * gradient, which Algorithm 1 adds."""
    return lambda B, c: sign * jacobian(grad(objective))(minimiser(B, c), B, c)


def terms_case(seed, n=5, d=3):
    """The gradients (n, d) of n terms at one point."""
    rng = onp.random.default_rng(seed)
    return {"g": rng.normal(size=(n, d)) + rng.normal(size=d), "w": rng.dirichlet(onp.ones(n))}


def minibatch(g, w, M=2, divide=True, replace=True):
    """Mean and covariance of the average of M terms, drawn uniformly, by summing all ordered M-tuples."""
    index = all_tuples(len(g), M)
    if not replace:
        index = index[[len(set(row)) == M for row in index.tolist()]]
    draws = onp.sum(g[index], axis=1) / (M if divide else 1)
    return {"mean": draws.mean(0), "covariance": onp.cov(draws.T, bias=True)}


def one_over_M(g, w, M=2):
    """The mean gradient, and the covariance of one term over M."""
    return {"mean": g.mean(0), "covariance": onp.cov(g.T, bias=True) / M}


CLAIMS = [
    Claim("ou2018.sa.steps", errors(harmonic),
          tends_to(lambda a, noise, error: 0 * a, linear_case, "T", [10, 300, 20_000], rtol=1e-3,
                   scale=lambda **case: 1.0, method="matrix"),
          {"constant steps": errors(lambda t: 0.3 + 0 * t),
           "summable steps 1/t^2": errors(lambda t: 0.5 / t**2),
           "lambda - gamma F": errors(lambda t: harmonic(t) / 50, sign=-1)}),
    Claim("ou2018.thm1", distances(),
          converges_to(lambda roots, start, seed: onp.array(0.0), three_roots_case, rtol=0.06, scale=lambda **c: 1.0),
          {"distance to one root, not to the set": distances(to=slice(0, 1)),
           "constant steps": distances(gamma=lambda t: 0.3),
           "steps 1/t^2": distances(gamma=lambda t: 1 / t**2)}),
    Claim("ou2018.sa.convex", field_at_optimum(-1), is_stable(convex_case),
          {"a concave objective minimised": lambda B, c: -field_at_optimum(-1)(B, c),
           "a saddle": lambda B, c: field_at_optimum(-1)(B, c) @ onp.diag([1.0, 1.0, -1.0])},
          printed=field_at_optimum(+1)),
    Claim("ou2018.sa.sgd", lambda g, w: onp.full(len(g), 1 / len(g)) @ g, equals(
              lambda g, w: onp.mean(g, axis=0), terms_case),
          {"unbiased for the sum, without the factor n": lambda g, w: g.sum(0),
           "drawn with unequal probabilities, unweighted": lambda g, w: w @ g}),
    Claim("ou2018.sa.minibatch", minibatch, equals(one_over_M, terms_case),
          {"the sum, not the average": lambda g, w: minibatch(g, w, divide=False),
           "no variance reduction": lambda g, w: {**minibatch(g, w), "covariance": minibatch(g, w, M=1)["covariance"]},
           "without replacement (smaller variance)": lambda g, w: minibatch(g, w, replace=False)}),
]
