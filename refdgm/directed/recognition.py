r"""The recognition model: one network for all data, and the noise of its samples (kingma2019 Sec. 1.1).

    amortised inference    q(z|x) = N(V x + c, diag exp(s)): one (V, c, s) for all x, none for each x by itself
    sampling               z = f(x, eps), eps ~ p(eps); a gradient averaged over L draws for each datum of a batch
    its noise              Var[g] = Var_x[E_eps g] + (1/L) E_x[Var_eps g]: the second term is the price of sampling
    reparameterisation     d/dm E f(z) = E[f'(z)] = E[f(z) eps / s]: same mean, and for slowly varying f less variance

The model is linear-Gaussian (`linear_gaussian`) where the best q must be known, and `vae` with one latent elsewhere.
Shapes: X (n, D), mean (n, H), variance (H,); eps (n,) where z is one number.

f(z) = z^2 at m = 1, s = 1/2: the variance of a draw, along the path and by the score:

    >>> from refdgm.directed.recognition import mean_and_variance, pathwise, score_function
    >>> draws = [(draw, lambda z: z**2, lambda z: 2 * z, 1.0, 0.5) for draw in (pathwise, score_function)]
    >>> [round(float(mean_and_variance(*draw)[1]), 3) for draw in draws]
    [1.0, 21.75]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, is_at_least
from refdgm.models import linear_gaussian, vae
from refdgm.numerics import all_tuples, gauss_hermite, gaussian_log_prob, normal_trapezoid, trapezoid


def encoder(phi, X):
    """The amortised q(z|x) for each x: mean V x + c, variance exp(s) (kingma2019 Sec. 1.1).  (n, D) -> (n, H), (H,)"""
    return X @ phi["V"].T + phi["c"], onp.exp(phi["s"])


def best_encoder(theta):
    """The one network that gives every x its best factorised q: V = Lambda^{-1} W' Psi^{-1}, exp(-s) = diag Lambda."""
    precision = linear_gaussian.posterior_precision(theta)
    V = onp.linalg.solve(precision, onp.linalg.solve(theta["Psi"], theta["W"]).T)
    return {"V": V, "c": -V @ theta["b"], "s": -onp.log(onp.diag(precision))}


def bounds(theta, X, mean, variance):
    """L(x) for each x under its q = N(mean, diag variance).  (n, D), (n, H), (H,) -> (n,)"""
    eps, w = gauss_hermite(2, dimensions=mean.shape[1])             # exact: log p(x, z) - log q is quadratic in z
    z = mean[:, None] + onp.sqrt(variance) * eps
    return (linear_gaussian.log_joint(theta, X[:, None], z) - gaussian_log_prob(z, mean[:, None], variance)) @ w


def sample(phi, x, eps):
    """z = f(x, eps) with the law q(z|x): for a Gaussian m(x) + s(x) eps (kingma2019 Sec. 1.1).  -> (..., H)"""
    mean, variance = vae.gaussian_head(phi, x)
    return mean + np.sqrt(variance) * eps


def gradient_variance(g, w, L):
    """Var of a gradient from one random datum and L draws of z (kingma2019 Sec. 1.1).

    g : (n, nodes, d), the gradient for each datum and each node of eps; w : (nodes,) their weights.  -> (d,)
    """
    mean = onp.einsum("k,nkd->nd", w, g)
    of_sampling = onp.einsum("k,nkd->nd", w, (g - mean[:, None])**2)
    return onp.var(mean, axis=0) + onp.mean(of_sampling, axis=0) / L


def score_function(f, slope, m, s, eps):
    """f(z) eps / s, z = m + s eps: one estimate of d/dm E f(z) for each eps (kingma2019 Sec. 1.1).  (n,) -> (n,)"""
    return f(m + s * eps) * eps / s


def pathwise(f, slope, m, s, eps):
    """f'(z), z = m + s eps: reparameterised (kingma2019 Sec. 1.1).  (n,) -> (n,)"""
    return slope(m + s * eps)


def mean_and_variance(estimator, f, slope, m, s):
    """The exact mean and variance of an estimator over eps ~ N(0, 1), by quadrature."""
    eps, w = noise()
    draws = estimator(f, slope, m, s, eps)
    return w @ draws, w @ (draws - w @ draws)**2


def noise(n=601, reach=12.0):
    """Nodes and weights of E over eps ~ N(0, 1)."""
    return normal_trapezoid(n, reach)


# ---- claims ---------------------------------------------------------------------------

def amortised_case(seed, n=4):
    theta, rng = linear_gaussian.random_case(seed)["theta"], onp.random.default_rng([seed, n])
    return {"theta": theta, "phi": best_encoder(theta), "X": 1.5 * rng.normal(size=(n, 3))}


def bottleneck_case(seed):
    """The condition violated: a network that is too small, its V of rank one."""
    case = amortised_case(seed)
    U, size, Vt = onp.linalg.svd(case["phi"]["V"])
    return {**case, "phi": {**case["phi"], "V": size[0] * onp.outer(U[:, 0], Vt[0])}}


def amortised_bounds(change=lambda phi, theta: {}):
    return lambda theta, phi, X: bounds(theta, X, *encoder({**phi, **change(phi, theta)}, X))


def one_fit_for_each_x(theta, phi, X):
    """The oracle: parameters for each x, by coordinate ascent; q(z_i) is read off log p(x, z) at three points."""
    n, H = len(X), theta["W"].shape[1]
    exact = linear_gaussian.posterior_mean(theta, X), onp.linalg.inv(linear_gaussian.posterior_precision(theta))
    mean, variance = onp.zeros((n, H)), onp.ones(H)
    for _ in range(10_000):
        before = mean.copy()
        for i in range(H):
            around = mean + onp.array([-1.0, 0.0, 1.0])[:, None, None] * onp.eye(H)[i]
            below, at, above = linear_gaussian.log_joint(theta, X, around)
            variance[i] = 1 / onp.mean(2 * at - below - above)
            mean[:, i] += (above - below) / 2 * variance[i]
        if onp.max(onp.abs(mean - before)) <= 1e-10:        # the bound is off by its square
            gap = linear_gaussian.kl_gaussian(mean, onp.diag(variance), *exact)
            return linear_gaussian.log_marginal(theta, X) - gap
    raise ValueError("the units of theta depend so strongly on each other that 10,000 rounds were too few.")


def encoder_and_x(seed):
    case = vae.random_case(seed)
    return {"phi": case["phi"], "x": case["x"]}


STATISTICS = (lambda z: z, lambda z: z**2, lambda z: z**4, np.cos)


def means_of_samples(draw=sample, change_noise=lambda eps: eps):
    """E of some statistics of z = f(x, eps), an average over eps."""
    def means(phi, x):
        eps, w = noise()
        z = draw(phi, x, change_noise(eps)[:, None])[:, 0]
        return onp.array([w @ statistic(z) for statistic in STATISTICS])
    return means


def means_under_q(phi, x):
    """The same from the density q(z|x), an average over z."""
    z, w = trapezoid(-12.0, 12.0, 1601)
    return onp.array([(w * onp.exp(vae.log_q(phi, x, z[:, None]))) @ statistic(z) for statistic in STATISTICS])


def gradient_case(seed, n=3):
    """d/dm log p(x, z), m the bias of the decoder's mean, for n data and a few draws of z; L = 1 or 2."""
    case = vae.random_case(seed)
    X = onp.random.default_rng([seed, n]).normal(size=(n, 1, 2))
    eps, w = gauss_hermite(12)
    mean, variance = vae.gaussian_head(case["theta"], sample(case["phi"], X, eps))
    return {"g": (X - mean) / variance, "w": w, "L": 1 + seed % 2}


def over_data_and_draws(g, w, L):
    """The oracle: the variance over all pairs of a datum and a tuple of L draws."""
    index = all_tuples(len(w), L)
    estimates, weights = onp.mean(g[:, index], axis=2), onp.prod(w[index], axis=1) / len(g)
    mean = onp.einsum("t,ntd->d", weights, estimates)
    return onp.einsum("t,ntd->d", weights, (estimates - mean)**2)


def without_sampling(g, w, L):
    return onp.var(onp.einsum("k,nkd->nd", w, g), axis=0)


def smooth_case(seed):
    """A quadratic and a slow wave: f varies slowly over the width s of q."""
    rng = onp.random.default_rng(seed)
    (a, b, c), m, s = rng.normal(size=3), rng.normal(), rng.uniform(0.5, 1.0)
    return {"f": lambda z: a * z**2 + b * z + c * onp.sin(z / 2) + 1.0,
            "slope": lambda z: 2 * a * z + b + c / 2 * onp.cos(z / 2), "m": m, "s": s}


def variance_and_bias(estimator, factor=1.0):
    """The variance of factor times one draw, and minus its bias, |E draw - d/dm E f|."""
    def both(f, slope, m, s):
        eps, w = noise()
        mean, variance = mean_and_variance(estimator, f, slope, m, s)
        by_differences = sum(c * (w @ f(m + h + s * eps)) for h, c in ((-2e-3, 1), (-1e-3, -8), (1e-3, 8), (2e-3, -1)))
        return onp.array([factor * variance, -abs(mean - by_differences / 12e-3)])
    return both


def least_variance_and_no_bias(f, slope, m, s):
    """The variance along the path, and a bias of zero up to the differences' rounding."""
    return onp.array([mean_and_variance(pathwise, f, slope, m, s)[1], -1e-8])


def oscillating_case(seed):
    """The condition violated: f oscillates within the width of q."""
    rng = onp.random.default_rng(seed)
    s = rng.uniform(0.5, 1.0)
    k = rng.uniform(4.0, 6.0) / s
    return {"f": lambda z: onp.cos(k * z), "slope": lambda z: -k * onp.sin(k * z), "m": rng.normal(), "s": s}


CLAIMS = [
    Claim("kingma2019.sec1.1.amortized", amortised_bounds(), equals(one_fit_for_each_x, amortised_case),
          {"one q for all x": amortised_bounds(lambda phi, theta: {"V": 0 * phi["V"]}),
           "no offset": amortised_bounds(lambda phi, theta: {"c": 0 * phi["c"]}),
           "tied weights: the decoder transposed": amortised_bounds(lambda phi, theta: {"V": theta["W"].T}),
           "the variance of the prior": amortised_bounds(lambda phi, theta: {"s": 0 * phi["s"]})},
          without=equals(one_fit_for_each_x, bottleneck_case)),
    Claim("kingma2019.sec1.1.repvar", variance_and_bias(score_function),
          is_at_least(least_variance_and_no_bias, smooth_case, method="quadrature"),
          {"equal means, hence equal variances": variance_and_bias(pathwise),
           "the mean of 1,000 draws held against one draw": variance_and_bias(score_function, 1 / 1000),
           "more variance, but biased: no 1/s": variance_and_bias(
              lambda f, slope, m, s, eps: s * score_function(f, slope, m, s, eps))},
          without=is_at_least(least_variance_and_no_bias, oscillating_case, method="quadrature")),
    Claim("kingma2019.sec1.1.repsource", gradient_variance, equals(over_data_and_draws, gradient_case),
          {"sampling adds nothing": without_sampling,
           "more draws shrink the minibatch's noise, too": lambda g, w, L: gradient_variance(g, w, 1) / (2 * L - 1),
           "standard deviations add up": lambda g, w, L: (onp.sqrt(without_sampling(g, w, L)) + onp.sqrt(
              gradient_variance(g, w, L) - without_sampling(g, w, L)))**2}),
    Claim("kingma2019.sec1.1.noise", means_of_samples(), equals(means_under_q, encoder_and_x, method="quadrature"),
          {"f without noise": means_of_samples(change_noise=lambda eps: 0 * eps),
           "the variance for the standard deviation": means_of_samples(
              lambda phi, x, eps: vae.gaussian_head(phi, x)[0] + vae.gaussian_head(phi, x)[1] * eps),
           "noise of the right variance and another law": means_of_samples(
              change_noise=lambda eps: onp.sign(eps)),
           "a noise that depends on x": means_of_samples(
              lambda phi, x, eps: sample(phi, x, eps * (1 + x[0]**2)))}),
]
