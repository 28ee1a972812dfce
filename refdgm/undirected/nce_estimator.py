r"""The parametric NCE estimator: what it converges to, and how fast (ou2018 Sec. 4.2.4; Gutmann & Hyvarinen 2012).

For a log-linear field u_hat(x) = g(x)'(theta, c) with g = (f, -1), J is concave in theta_hat = (theta, c), and

    gradient     sum_x g (p_0 P(C=1|x) - nu p_n P(C=0|x))
    -Hessian     A = sum_x g g' (p_0 + nu p_n) P(C=0|x) P(C=1|x)
    covariance   n Cov(theta_hat) -> A^-1 B A^-1,   B = Cov_p0[P(C=1) g] + nu Cov_pn[P(C=0) g]

for n data and nu n noise samples. If p_0 = exp(u)/Z is in the family, the maximum is at the true theta and c = log Z.
As nu grows, theta_hat tends to maximum likelihood and its covariance to the inverse of the Fisher information F:

    covariance of theta = F^-1 + (1/nu) F^-1 Cov F^-1 + O(1/nu^2),   Cov = E_p0[(p_0/p_n) (f - E f)(f - E f)'],

so the price of a small nu is high where the noise is rare among the data: large p_0/p_n.

Shapes: features f (S, d), p_0 and p_n (S,), theta_hat (d + 1,) with c last.

NCE learns the normaliser along with theta: c, and log Z(theta).

>>> from refdgm.undirected.nce_estimator import estimate, fitting_case, log_partition
>>> case = fitting_case(0)
>>> c = estimate(case["features"], case["p_0"], case["p_n"], case["nu"])[-1]
>>> round(float(c), 3), round(float(log_partition(case["theta"], case["features"])), 3)
(1.894, 1.894)
"""

from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.checking import Claim, equals, has_order
from refdgm.models import exponential_family
from refdgm.models.noise_contrast import log_partition, posterior, random_case, smooth_law, validate
from refdgm.numerics import least_squares, softmax


def with_normaliser(features):
    """g = (f, -1), so that u_hat = g theta_hat.  (S, d) -> (S, d + 1)"""
    return np.column_stack([features, -np.ones(len(features))])


def gradient(theta_hat, g, p_0, p_noise, p_n, nu):
    """dJ/dtheta_hat, the noise samples having frequencies p_noise (ou2018 Eqs. 43-44).  -> (d + 1,)"""
    data, noise = posterior(g @ theta_hat, p_n, nu)
    return (p_0 * noise - nu * p_noise * data) @ g


def information(theta_hat, g, p_0, p_noise, p_n, nu):
    """A, minus the Hessian of J (ou2018 Eq. 43).  -> (d + 1, d + 1)"""
    data, noise = posterior(g @ theta_hat, p_n, nu)
    return g.T @ (((p_0 + nu * p_noise) * data * noise)[:, None] * g)


def estimate(features, p_0, p_n, nu, p_noise=None):
    """argmax J by Newton's method, for data frequencies p_0 and noise frequencies p_noise (default p_n).  -> (d + 1,)

    A step that does not shorten the gradient is halved.
    """
    validate(p_0, p_n, nu)
    valid.shape("features", features, (len(p_n), None))
    g, p_noise = with_normaliser(features), p_n if p_noise is None else p_noise
    def slope(theta_hat): return gradient(theta_hat, g, p_0, p_noise, p_n, nu)
    theta_hat = np.zeros(g.shape[1])
    theta_hat[-1] = np.log(len(g))                      # a uniform law
    for _ in range(40):
        A, b = information(theta_hat, g, p_0, p_noise, p_n, nu), slope(theta_hat)
        step = least_squares(A, b, rcond=1e-12)
        while np.linalg.norm(slope(theta_hat + step)) > np.linalg.norm(b) and np.linalg.norm(step) > 1e-12:
            step = step / 2
        theta_hat = theta_hat + step
        if np.linalg.norm(step) < 1e-9:                 # the next one would be its square
            break
    return theta_hat


def covariance(theta_hat, features, p_0, p_n, nu):
    """A^-1 B A^-1, n times the covariance of the estimate for n data and nu n noise samples.  -> (d + 1, d + 1)"""
    g = with_normaliser(features)
    data, noise = posterior(g @ theta_hat, p_n, nu)
    B = covariance_of(noise[:, None] * g, p_0) + nu * covariance_of(data[:, None] * g, p_n)
    bread = np.linalg.inv(information(theta_hat, g, p_0, p_n, p_n, nu))
    return bread @ B @ bread


def covariance_of(rows, p):
    """The covariance of rows (S, d) under p (S,).  -> (d, d)"""
    centred = rows - p @ rows
    return centred.T @ (p[:, None] * centred)


def price_of_noise(theta, features, p_n):
    """F^-1 E_p0[(p_0/p_n) (f - E f)(f - E f)'] F^-1: nu times what NCE loses to maximum likelihood.  -> (d, d)"""
    p_0 = softmax(features @ theta)
    centred = features - p_0 @ features
    F = centred.T @ (p_0[:, None] * centred)
    return np.linalg.solve(F, np.linalg.solve(F, centred.T @ ((p_0**2 / p_n)[:, None] * centred)).T)


def drift_from_likelihood(theta, features, p_0, p_n):
    """nu times (theta_hat - its limit) as nu grows, for data that the family does not fit.  -> (d + 1,)"""
    g, p = with_normaliser(features), softmax(features @ theta)
    return -np.linalg.solve(g.T @ (p[:, None] * g), ((p_0 - p) * p / p_n) @ g)


# ---- claims ---------------------------------------------------------------------------

def fitting_case(seed, S=6):
    """Data from the family itself: the law of a random theta."""
    case = random_case(seed, S)
    return {**{name: case[name] for name in ("theta", "features", "p_n", "nu")},
            "p_0": softmax(case["features"] @ case["theta"])}


def misfitting_case(seed):
    """Data outside the family; theta is where their likelihood is largest."""
    case = fitting_case(seed)
    p_0 = smooth_law(np.random.default_rng([seed, 51]), 6)
    return {**case, "p_0": p_0, "theta": maximum_likelihood(case["features"], p_0)}


def maximum_likelihood(features, p_0):
    """The oracle: Newton's method on the concave log-likelihood, a step that does not shorten the gradient halved."""
    theta = np.zeros(features.shape[1])
    def slope(theta): return (p_0 - softmax(features @ theta)) @ features
    for _ in range(40):
        step = np.linalg.solve(covariance_of(features, softmax(features @ theta)), slope(theta))
        while np.linalg.norm(slope(theta + step)) > np.linalg.norm(slope(theta)) and np.linalg.norm(step) > 1e-12:
            step = step / 2
        theta = theta + step
        if np.linalg.norm(step) < 1e-9:
            break
    return theta


def theta_and_log_Z(theta, features, **_):
    return np.append(theta, log_partition(theta, features))


def learned(theta, **case):
    """What NCE makes of theta and c."""
    return estimate(**case)


def likelihood_with_free_c(theta, features, p_0, p_n, nu):
    """A hundred steps up E_p0[u - c]: c goes on falling."""
    return 0.1 * 100 * p_0 @ with_normaliser(features)


def sampled_case(seed):
    """As fitting_case, with sqrt(n) times the errors in the frequencies of n data and of nu n noise samples."""
    case, rng = fitting_case(seed), np.random.default_rng([seed, 52])
    def errors(p):
        z = rng.normal(size=len(p))
        return p * (z - p @ z)                              # they sum to zero
    return {**case, "off": [errors(case["p_0"]), errors(case["p_n"]) / np.sqrt(case["nu"])]}


def barely_covered_case(seed):
    """As sampled_case, but the noise falls on two states only."""
    case = sampled_case(seed)
    p_n = np.append(case["p_n"][:2], np.zeros(4))
    return {**case, "p_n": p_n / p_n.sum(), "off": [case["off"][0], 0 * p_n]}


def from_samples(p_assumed=lambda p_n: p_n, nu_assumed=lambda nu: nu):
    """theta_hat from frequencies that are off by order 1/sqrt(n), perhaps with wrong ideas of the noise."""
    def theta_hat(theta, features, p_0, p_n, nu, off, n):
        data, noise = p_0 + off[0] / np.sqrt(n), p_n + off[1] / np.sqrt(n)
        assumed = nu_assumed(nu)
        return estimate(features, data, p_assumed(p_n), assumed, noise * nu / assumed)
    return theta_hat


def with_c_zero(theta, features, p_0, p_n, nu, off, n):
    """The field is taken to be normalised as it is: c = 0, and theta alone is fitted."""
    data, fitted = p_0 + off[0] / np.sqrt(n), np.zeros(2)
    for _ in range(60):
        P, Q = posterior(features @ fitted, p_n, nu)
        A = features.T @ (((data + nu * p_n) * P * Q)[:, None] * features)
        step = np.linalg.solve(A, (data * Q - nu * p_n * P) @ features)
        fitted = fitted + step / max(1.0, np.linalg.norm(step))
    return np.append(fitted, 0.0)


def many_noise_samples(price=price_of_noise, drift=drift_from_likelihood, power=1):
    """The estimate and the covariance of theta for large nu, less their claimed terms of order 1/nu."""
    def corrected(theta, features, p_0, p_n, nu):
        model = softmax(features @ theta)
        spread = covariance(theta_and_log_Z(theta, features), features, model, p_n, nu)[:-1, :-1]
        return {"theta_hat": estimate(features, p_0, p_n, nu) - drift(theta, features, p_0, p_n) / nu**power,
                "covariance": spread - price(theta, features, p_n) / nu**power}
    return corrected


def maximum_likelihood_limit(theta, features, p_0, p_n):
    """The maximum likelihood estimate with its log Z, and the inverse of the Fisher information."""
    F = exponential_family.fisher_information(theta, features, np.zeros(len(features)))
    return {"theta_hat": theta_and_log_Z(theta, features), "covariance": np.linalg.inv(F)}


def without_nu(case):
    return lambda seed: {name: value for name, value in case(seed).items() if name != "nu"}


CLAIMS = [
    Claim("ou2018.nce.logZ_recovered", learned, equals(theta_and_log_Z, fitting_case, method="optimisation"),
          {"maximum likelihood with a free c": likelihood_with_free_c,
           "c estimates -log Z": lambda theta, **case: estimate(**case) * np.array([1, 1, -1]),
           "c estimates Z": lambda theta, **case: np.append(estimate(**case)[:2], np.exp(estimate(**case)[2])),
           "no nu in the posterior": lambda theta, features, p_0, p_n, nu: estimate(features, p_0, p_n, 1.0, nu * p_n),
           "the noise thought to be uniform": lambda theta, features, p_0, p_n, nu: estimate(
               features, p_0, np.full(6, 1 / 6), nu, p_n)},
          without=equals(theta_and_log_Z, misfitting_case, method="optimisation")),
    Claim("ou2018.nce.consistent", from_samples(),
          has_order(lambda off, nu, **case: theta_and_log_Z(**case), sampled_case, "n", (10**4, 10**6), order=1 / 2,
                    method="optimisation"),
          {"the noise thought to be uniform": from_samples(p_assumed=lambda p_n: np.full(6, 1 / 6)),
           "nu thought to be one": from_samples(nu_assumed=lambda nu: 1.0),
           "the field thought to be normalised": with_c_zero},
          without=has_order(lambda off, nu, **case: theta_and_log_Z(**case), barely_covered_case, "n",
                            (10**4, 10**6), order=1 / 2, method="optimisation")),
    Claim("ou2018.nce.large_nu", many_noise_samples(),
          has_order(maximum_likelihood_limit, without_nu(misfitting_case), "nu", (10**3, 10**4), order=2,
                    method="optimisation"),
          {"rate 1/sqrt(nu)": many_noise_samples(power=0.5),
           "the same for all noise: p_n = p_0": many_noise_samples(
               price=lambda theta, features, p_n: price_of_noise(theta, features, softmax(features @ theta))),
           "the noise's variance left out": many_noise_samples(price=lambda *_: 0.0),
           "an efficient estimate at every nu": many_noise_samples(drift=lambda *_: 0.0)}),
]
