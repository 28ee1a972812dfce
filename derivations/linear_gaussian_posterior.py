r"""The marginal and the posterior of the linear-Gaussian model, by completing the square.

With $p(h) = N(0, I)$ and $p(x|h) = N(Wh + b, \Psi)$ the log joint is a quadratic function of $h$. Written as a square
plus a rest, the square is the posterior and the rest the marginal: one computation gives both, and both are Gaussian.
This is the one continuous model in which nothing is intractable, so it is what approximations are held against.
The first derivation watches the joint at five latent points; the second starts from the integral over $h$, done
numerically.
"""
import numpy as np

from refdgm.derivation import derivation, equals, mistake, start
from refdgm.models import linear_gaussian as lg
from refdgm.numerics import LOG_2PI, all_tuples, gauss_hermite, log_sum_exp


def quadratic(M, d):
    """d' M d for every row d of an array (..., n)."""
    return np.einsum("...i,ij,...j->...", d, M, d)


def log_det(M):
    return np.linalg.slogdet(M)[1]


@derivation(lg.random_case)
def posterior(theta, phi, x):
    """Completing the square in h splits the joint into posterior times marginal."""
    W, b, Psi = theta["W"], theta["b"], theta["Psi"]
    D, H = W.shape
    h = np.random.default_rng(0).normal(size=(5, H))
    P = np.linalg.inv(Psi)
    r = x - b                                               # the data, centred

    yield start(r"\log p(x, h) = \log N(h; 0, I) + \log N(x; Wh + b, \Psi)", lg.log_joint(theta, x, h),
                claim="ou2018.model.vae_joint")

    constant = -0.5 * ((D + H) * LOG_2PI + log_det(Psi))
    yield equals(r"-\tfrac12 h^\top h - \tfrac12 (r - Wh)^\top \Psi^{-1} (r - Wh) + c, \quad r = x - b",
                 -0.5 * np.sum(h**2, -1) - 0.5 * quadratic(P, r - h @ W.T) + constant,
                 because="the two densities written out; c = -((D + H) log 2 pi + log det Psi) / 2")

    Lambda = np.eye(H) + W.T @ P @ W
    linear = h @ W.T @ P @ r
    yield equals(r"-\tfrac12 h^\top \Lambda h + h^\top W^\top \Psi^{-1} r - \tfrac12 r^\top \Psi^{-1} r + c, \quad "
                 r"\Lambda = I + W^\top \Psi^{-1} W",
                 -0.5 * quadratic(Lambda, h) + linear - 0.5 * quadratic(P, r) + constant,
                 because="collect the powers of h")

    yield mistake(r"\Lambda = W^\top \Psi^{-1} W",
                  -0.5 * quadratic(Lambda - np.eye(H), h) + linear - 0.5 * quadratic(P, r) + constant,
                  because="the prior has a precision, too")

    m = np.linalg.solve(Lambda, W.T @ P @ r)
    rest = 0.5 * quadratic(Lambda, m) - 0.5 * quadratic(P, r) + constant
    yield equals(r"-\tfrac12 (h - m)^\top \Lambda (h - m) + \tfrac12 m^\top \Lambda m - \tfrac12 r^\top \Psi^{-1} r "
                 r"+ c, \quad m = \Lambda^{-1} W^\top \Psi^{-1} r",
                 -0.5 * quadratic(Lambda, h - m) + rest, because="complete the square")

    yield mistake(r"\text{the same without } \tfrac12 m^\top \Lambda m",
                  -0.5 * quadratic(Lambda, h - m) - 0.5 * quadratic(P, r) + constant,
                  because="what the square adds must be taken off again")

    yield mistake(r"m = \Lambda^{-1} W^\top r",
                  -0.5 * quadratic(Lambda, h - np.linalg.solve(Lambda, W.T @ r)) + rest,
                  because="the data count in units of their noise, Psi^{-1}")

    normaliser = 0.5 * (log_det(Lambda) - H * LOG_2PI)
    yield equals(r"\log N(h; m, \Lambda^{-1}) + \left\{ \tfrac12 m^\top \Lambda m - \tfrac12 r^\top \Psi^{-1} r + c "
                 r"- \tfrac12 \log \det \Lambda + \tfrac H2 \log 2\pi \right\}",
                 lg.log_posterior(theta, x, h) + (rest - normaliser),
                 because="the square, normalised, is a density of h; what is left in braces depends on x alone")

    yield equals(r"\log p(h|x) + \log p(x)", lg.log_posterior(theta, x, h) + lg.log_marginal(theta, x),
                 because="a joint splits into a density of h given x and one of x in one way only")


@derivation(lg.random_case)
def marginal(theta, phi, x):
    """The integral over h is a Gaussian whose covariance adds what the latent variable explains."""
    W, b, Psi = theta["W"], theta["b"], theta["Psi"]
    D, H = W.shape
    P = np.linalg.inv(Psi)
    r = x - b
    Lambda = np.eye(H) + W.T @ P @ W
    C = W @ W.T + Psi

    # The integrand is a Gaussian around m: a trapezoid sum in its own axes is exact to rounding.
    grid = np.linspace(-9, 9, 61)[all_tuples(61, H)]
    axes = np.linalg.cholesky(np.linalg.inv(Lambda))
    log_volume = H * np.log(18 / 60) + log_det(axes)
    h = lg.posterior_mean(theta, x) + grid @ axes.T
    yield start(r"\log \int p(h)\, p(x|h)\, dh", log_sum_exp(lg.log_joint(theta, x, h)) + log_volume,
                claim="ou2018.model.vae_joint")

    m = np.linalg.solve(Lambda, W.T @ P @ r)
    yield equals(r"\tfrac12 m^\top \Lambda m - \tfrac12 r^\top \Psi^{-1} r - \tfrac12 \log \det \Lambda "
                 r"- \tfrac12 \log \det \Psi - \tfrac D2 \log 2\pi",
                 0.5 * (quadratic(Lambda, m) - quadratic(P, r) - log_det(Lambda) - log_det(Psi) - D * LOG_2PI),
                 because="the square integrates to (2 pi)^{H/2} det(Lambda)^{-1/2}")

    yield equals(r"-\tfrac12 r^\top \left( \Psi^{-1} - \Psi^{-1} W \Lambda^{-1} W^\top \Psi^{-1} \right) r "
                 r"- \tfrac12 \log \det \Lambda - \tfrac12 \log \det \Psi - \tfrac D2 \log 2\pi",
                 -0.5 * (quadratic(P - P @ W @ np.linalg.solve(Lambda, W.T @ P), r)
                         + log_det(Lambda) + log_det(Psi) + D * LOG_2PI),
                 because="insert m: one quadratic form in r")

    yield equals(r"-\tfrac12 r^\top (W W^\top + \Psi)^{-1} r "
                 r"- \tfrac12 \log \det \Lambda - \tfrac12 \log \det \Psi - \tfrac D2 \log 2\pi",
                 -0.5 * (r @ np.linalg.solve(C, r) + log_det(Lambda) + log_det(Psi) + D * LOG_2PI),
                 because="Woodbury's identity")

    yield equals(r"-\tfrac12 r^\top (W W^\top + \Psi)^{-1} r - \tfrac12 \log \det (W W^\top + \Psi) "
                 r"- \tfrac D2 \log 2\pi",
                 -0.5 * (r @ np.linalg.solve(C, r) + log_det(C) + D * LOG_2PI),
                 because="det(W W^T + Psi) = det(Lambda) det(Psi), the determinant lemma")

    yield equals(r"\log N(x; b, W W^\top + \Psi)", lg.log_marginal(theta, x), because="read off mean and covariance")

    yield mistake(r"\log N(x; b, \Psi)", lg.log_marginal(theta | {"W": 0 * W}, x),
                  because="the latent variable spreads the data, too")
    nodes, w = gauss_hermite(8, H)
    yield mistake(r"\int p(h) \log p(x|h)\, dh", w @ lg.log_likelihood(theta, x, nodes),
                  because="the mean of the log is below the log of the mean: a bound, not the marginal")
