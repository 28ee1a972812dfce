r"""Contracts of Gaussians: densities, scores, divergences, samples (kingma2019 Sec. 2.5; ou2018 Eq. 4).

Everywhere log_variance = log sigma^2, and KL[p || q] has its expectation under the first.
"""
import autograd.numpy as np
from autograd import elementwise_grad
from autograd.tracer import getval

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import gaussian_posterior, linear_gaussian
from refdgm.numerics import LOG_2PI, full_gaussian_log_prob, gaussian_log_prob
from refdgm.values import apart, values

X = Argument("x", "(..., n)", "where the density is wanted")
MEAN = Argument("mean", "(..., n)", "its mean")
LOG_VARIANCE = Argument("log_variance", "(..., n)", "log sigma^2 of each component")
LOG_SD = Argument("log_sd", "(..., n)", "log sigma of each component")
EPS = Argument("eps", "(..., n)", "draws from N(0, 1)")
COVARIANCE = Argument("covariance", "(n, n)", "symmetric and positive definite")
FOR_LOG_SD = "log_variance is log sigma^2: the variance is exp(log_variance), sigma is exp(log_variance / 2)"


def diagonal_cases(*names):
    """Real arguments of one shape, then an empty batch, narrow and wide Gaussians."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for shape in ((2,), (3, 4), (2, 3, 5)):
            yield Case(f"shape {shape}", {name: rng.normal(size=shape) for name in names})
        yield Case("one dimension", {name: rng.normal(size=(3, 1)) for name in names})
        for label, log_scale in (("narrow", -12.0), ("wide", 12.0)):
            drawn = {name: rng.normal(size=(2, 3)) for name in names}
            yield Case(f"{label} Gaussians", {name: value + log_scale * name.startswith("log_")
                                              for name, value in drawn.items()}, hard=True)
        yield Case("an empty batch", {name: onp.zeros((0, 3)) for name in names}, hard=True)
    return cases


def covariance_of(rng, n):
    A = rng.normal(size=(n, n + 1)) / 2
    return A @ A.T + onp.diag(rng.uniform(0.3, 0.6, n))


def full_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((1,), (2,), (4, 3)):
        yield Case(f"shape {shape}", {"x": rng.normal(size=shape), "mean": rng.normal(size=shape),
                                      "covariance": covariance_of(rng, shape[-1])})
    one = onp.ones((3, 3)) + onp.diag([0.02, 0.01, 0.03])
    yield Case("strongly correlated", {"x": rng.normal(size=(2, 3)), "mean": rng.normal(size=(2, 3)),
                                       "covariance": one}, hard=True)


def full_kl_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (1, 2, 3):
        yield Case(f"{n} dimensions", {"mean_p": rng.normal(size=n), "covariance_p": covariance_of(rng, n),
                                       "mean_q": rng.normal(size=n), "covariance_q": 2 * covariance_of(rng, n)})


def zero(parts):
    return apart(parts, [0 * part for part in parts])


def log_prob(x, mean, log_variance):
    return gaussian_log_prob(x, mean, np.exp(log_variance))


def score(x, mean, log_sd):
    """The derivatives of log N in the mean and in log sigma, by automatic differentiation."""
    def each(mean, log_sd):
        return gaussian_log_prob(x[..., None], mean[..., None], np.exp(2 * log_sd)[..., None])
    return elementwise_grad(each, 0)(mean, log_sd), elementwise_grad(each, 1)(mean, log_sd)


def score_with(to_mean=lambda sd: 1.0, to_sd=lambda sd: 1.0, shift=0.0):
    def scores(x, mean, log_sd):
        by_mean, by_sd = score(x, mean, log_sd)
        return by_mean * to_mean(np.exp(log_sd)), (by_sd + shift) * to_sd(np.exp(log_sd))
    return scores


def kl(mean, log_variance):
    return gaussian_posterior.kl_to_prior(mean, log_variance / 2)


def kl_between(mean_p, log_variance_p, mean_q, log_variance_q):
    """An affine map takes q to N(0, I), and leaves KL as it is."""
    return kl((mean_p - mean_q) * np.exp(-log_variance_q / 2), log_variance_p - log_variance_q)


def kl_changed(*factors):
    return lambda m, lv: 0.5 * sum(np.sum(factor * part, axis=-1) for factor, part in zip(
        factors, (m**2, np.exp(lv), -1.0 + 0 * m, -lv)))


def reparameterise(mean, log_variance, eps):
    return gaussian_posterior.sample(mean, log_variance / 2, eps)


def density_with(normaliser=lambda n, lv: 0.5 * np.sum(lv + LOG_2PI, axis=-1),
                 square=lambda d, lv: 0.5 * d**2 / np.exp(lv)):
    return lambda x, mean, lv: -np.sum(square(x - mean, lv), axis=-1) - normaliser(x.shape[-1], lv)


def full_with(x, mean, covariance, log_det=1.0, constant=1.0):
    n = covariance.shape[-1]
    return (full_gaussian_log_prob(x, mean, covariance) + 0.5 * (1 - log_det) * np.linalg.slogdet(covariance)[1]
            + 0.5 * (1 - constant) * n * LOG_2PI)


CONTRACTS = [
    Contract("gaussian_log_prob", "log-density of a Gaussian with independent components, summed over them",
             "ou2018 Eq. 4; kingma2019 Sec. 2.5", (X, MEAN, LOG_VARIANCE), "(...): one number a row, in nats", log_prob,
             values(diagonal_cases("x", "mean", "log_variance"), gradients=("mean", "log_variance")),
             {"log sigma taken for log sigma^2": Other(lambda x, m, lv: log_prob(x, m, 2 * lv), FOR_LOG_SD),
              "sigma^2 = log_variance^2": Other(lambda x, m, lv: gaussian_log_prob(x, m, lv**2), FOR_LOG_SD),
              "the precision for the variance": Other(lambda x, m, lv: log_prob(x, m, -lv), "divide by the variance"),
              "sigma for sigma^2 under the square": Other(
                  density_with(square=lambda d, lv: 0.5 * d**2 / np.exp(lv / 2)), "divide by the variance"),
              "no 1/2 before the square": Other(density_with(square=lambda d, lv: d**2 / np.exp(lv)),
                                                "the exponent is -(x - mean)^2 / (2 sigma^2)"),
              "log sigma^2 without its 1/2": Other(density_with(lambda n, lv: np.sum(lv + LOG_2PI / 2, axis=-1)),
                                                   "subtract half of log_variance"),
              "the log-variance added": Other(density_with(lambda n, lv: 0.5 * np.sum(LOG_2PI - lv, axis=-1)),
                                              "subtract half of log_variance"),
              "no log 2 pi": Other(density_with(lambda n, lv: 0.5 * np.sum(lv, axis=-1)),
                                   "subtract log(2 pi) / 2 for each component, or call it a loss without its constant"),
              "log 2 pi once, not for each component": Other(
                  density_with(lambda n, lv: 0.5 * (np.sum(lv, axis=-1) + LOG_2PI)), "n times log(2 pi) / 2"),
              "averaged over the components": Other(lambda x, m, lv: log_prob(x, m, lv) / x.shape[-1],
                                                    "sum over the last axis"),
              "not summed over the components": Other(
                  lambda x, m, lv: log_prob(x[..., None], m[..., None], lv[..., None]), "sum over the last axis"),
              "one number for the batch": Other(lambda x, m, lv: np.sum(log_prob(x, m, lv)), "one number a row")},
             {"the loss: minus the log-density": Other(lambda x, m, lv: -log_prob(x, m, lv),
                                                       "you return the loss; refdgm states the log-density")}),
    Contract("gaussian_score", "the derivatives of the log-density of a Gaussian in its mean and in log sigma",
             "ou2018 Sec. 3.2.1, Eq. 10", (X, MEAN, LOG_SD), "(..., n) and (..., n): in the mean, in log sigma", score,
             values(diagonal_cases("x", "mean", "log_sd")),
             {"the derivative in sigma, not in log sigma": Other(score_with(to_sd=lambda sd: 1 / sd),
                                                                 "multiply by dsigma / dlog sigma = sigma"),
              "the derivative in log sigma^2": Other(score_with(to_sd=lambda sd: 0.5), "multiply by two"),
              "the derivative in sigma^2": Other(score_with(to_sd=lambda sd: 0.5 / sd**2), "multiply by 2 sigma^2"),
              "no -1 in the derivative in log sigma": Other(score_with(shift=1.0), "subtract one: log sigma itself"),
              "sigma for sigma^2 in the mean": Other(score_with(to_mean=lambda sd: sd), "divide by sigma^2"),
              "the derivatives in x": Other(score_with(to_mean=lambda sd: -1.0),
                                            "the derivative in the mean is minus that in x"),
              "of minus the log-density": Other(score_with(lambda sd: -1.0, lambda sd: -1.0), "the sign")}),
    Contract("full_gaussian_log_prob", "log-density of a Gaussian with a full covariance matrix",
             "kingma2019 Sec. 2.5.1", (X, MEAN, COVARIANCE), "(...): one number a row, in nats", full_gaussian_log_prob,
             values(full_cases, gradients=("mean", "covariance")),
             {"the precision for the covariance": Other(
                 lambda x, m, C: full_gaussian_log_prob(x, m, np.linalg.inv(C)), "the argument is a covariance"),
              "the covariance taken for its Cholesky factor": Other(
                  lambda x, m, C: full_gaussian_log_prob(x, m, np.dot(np.tril(C), np.tril(C).T)),
                  "take the Cholesky factor of the argument first"),
              "only the diagonal": Other(lambda x, m, C: gaussian_log_prob(x, m, np.diag(C)),
                                         "use the whole matrix: solve, do not divide by the diagonal"),
              "no log det": Other(lambda x, m, C: full_with(x, m, C, log_det=0.0), "subtract half of log det"),
              "log det without its 1/2": Other(lambda x, m, C: full_with(x, m, C, log_det=2.0), "half of log det"),
              "log det of the Cholesky factor for that of the covariance": Other(
                  lambda x, m, C: full_with(x, m, C, log_det=0.5), "log det = 2 sum_i log L_ii"),
              "no log 2 pi": Other(lambda x, m, C: full_with(x, m, C, constant=0.0), "subtract n log(2 pi) / 2"),
              "the gradient in the covariance has the wrong sign": Other(
                  lambda x, m, C: full_gaussian_log_prob(x, m, 2 * getval(C) - C),
                  "dlog N/dC = (C^-1 d d' C^-1 - C^-1) / 2")},
             {"the loss: minus the log-density": Other(lambda x, m, C: -full_gaussian_log_prob(x, m, C),
                                                       "you return the loss; refdgm states the log-density")}),
    Contract("gaussian_kl", "KL[N(mean, diag sigma^2) || N(0, I)]", "kingma2019 Sec. 2.5; ou2018 after Eq. 8",
             (MEAN, LOG_VARIANCE), "(...): one number a row, in nats", kl,
             values(diagonal_cases("mean", "log_variance"), gradients=("mean", "log_variance")),
             {"log sigma taken for log sigma^2": Other(lambda m, lv: kl(m, 2 * lv), FOR_LOG_SD),
              "log sigma taken for log sigma^2 in exp alone": Other(
                  lambda m, lv: kl(m, lv) + 0.5 * np.sum(np.exp(2 * lv) - np.exp(lv), axis=-1), FOR_LOG_SD),
              "log_variance^2 for exp(log_variance)": Other(
                  lambda m, lv: kl(m, lv) + 0.5 * np.sum(lv**2 - np.exp(lv), axis=-1), FOR_LOG_SD),
              "no 1/2": Other(kl_changed(2, 2, 2, 2), "half of the sum"),
              "the other direction: KL[N(0, I) || q]": Other(
                  lambda m, lv: kl(m * np.exp(-lv / 2), -lv), "the expectation is under q, not under the prior"),
              "the mean not squared": Other(lambda m, lv: kl(m, lv) + 0.5 * np.sum(m - m**2, axis=-1), "mean^2"),
              "no -1": Other(kl_changed(1, 1, 0, 1), "subtract one for each component: KL is zero at N(0, I)"),
              "log sigma^2 added": Other(kl_changed(1, 1, 1, -1), "subtract log_variance"),
              "averaged over the components": Other(lambda m, lv: kl(m, lv) / m.shape[-1], "sum over the last axis"),
              "one number for the batch": Other(lambda m, lv: np.sum(kl(m, lv)), "one number a row")},
             {"minus KL, as the bound has it": Other(lambda m, lv: -kl(m, lv), "you return -KL, a term of the bound")},
             {"KL is zero at N(0, I)": lambda call, case: zero(call(
                 mean=0 * case["mean"], log_variance=0 * case["mean"]))}),
    Contract("gaussian_kl_between", "KL[p || q] of two Gaussians with independent components",
             "kingma2019 Sec. 2.5", (Argument("mean_p", "(..., n)", "the mean of p"),
                                     Argument("log_variance_p", "(..., n)", "log sigma^2 of p"),
                                     Argument("mean_q", "(..., n)", "the mean of q"),
                                     Argument("log_variance_q", "(..., n)", "log sigma^2 of q")),
             "(...): one number a row, in nats", kl_between,
             values(diagonal_cases("mean_p", "log_variance_p", "mean_q", "log_variance_q"),
                    gradients=("mean_p", "log_variance_p")),
             {"p and q exchanged: KL[q || p]": Other(lambda a, b, c, d: kl_between(c, d, a, b),
                                                     "the expectation is under p, the first of the two"),
              "log sigma taken for log sigma^2": Other(lambda a, b, c, d: kl_between(a, 2 * b, c, 2 * d), FOR_LOG_SD),
              "the means' distance by the variance of p": Other(
                  lambda a, b, c, d: kl(0 * a, b - d) + 0.5 * np.sum((a - c)**2 / np.exp(b), axis=-1),
                  "divide (mean_p - mean_q)^2 by the variance of q"),
              "the means left out": Other(lambda a, b, c, d: kl(0 * a, b - d), "add their squared distance"),
              "to N(0, I)": Other(lambda a, b, c, d: kl(a, b), "this is KL[p || N(0, I)]: use q"),
              "no 1/2": Other(lambda a, b, c, d: 2 * kl_between(a, b, c, d), "half of the sum"),
              "averaged over the components": Other(lambda a, b, c, d: kl_between(a, b, c, d) / a.shape[-1],
                                                    "sum over the last axis")},
             {"minus KL": Other(lambda a, b, c, d: -kl_between(a, b, c, d), "you return -KL, as it is in the bound")},
             {"KL is zero where p = q": lambda call, case: zero(call(**{
                 **case, "mean_q": case["mean_p"], "log_variance_q": case["log_variance_p"]}))}),
    Contract("full_gaussian_kl", "KL[p || q] of two Gaussians with full covariance matrices", "ou2018 Eq. 7",
             (Argument("mean_p", "(n,)", "the mean of p"), Argument("covariance_p", "(n, n)", "of p"),
              Argument("mean_q", "(n,)", "the mean of q"), Argument("covariance_q", "(n, n)", "of q")), "(): in nats",
             linear_gaussian.kl_gaussian, values(full_kl_cases, gradients=("mean_p", "covariance_p")),
             {"p and q exchanged: KL[q || p]": Other(lambda a, A, b, B: linear_gaussian.kl_gaussian(b, B, a, A),
                                                     "the expectation is under p, the first of the two"),
              "no -n": Other(lambda a, A, b, B: linear_gaussian.kl_gaussian(a, A, b, B) + len(a) / 2,
                             "subtract the dimension: KL is zero where p = q"),
              "the log-determinants exchanged": Other(
                  lambda a, A, b, B: linear_gaussian.kl_gaussian(a, A, b, B)
                  + np.linalg.slogdet(A)[1] - np.linalg.slogdet(B)[1], "log det of q minus log det of p"),
              "no log-determinants": Other(
                  lambda a, A, b, B: linear_gaussian.kl_gaussian(a, A, b, B)
                  + 0.5 * (np.linalg.slogdet(A)[1] - np.linalg.slogdet(B)[1]), "add half of their difference"),
              "the means' distance by the covariance of p": Other(
                  lambda a, A, b, B: linear_gaussian.kl_gaussian(b, A, b, B)
                  + 0.5 * np.dot(a - b, np.dot(np.linalg.inv(A), a - b)), "weigh it with the precision of q"),
              "no 1/2": Other(lambda a, A, b, B: 2 * linear_gaussian.kl_gaussian(a, A, b, B), "half of the sum")}),
    Contract("reparameterise", "a draw from N(mean, diag sigma^2) as a function of noise, mean + sigma eps",
             "ou2018 Sec. 3.2.1; kingma2019 Sec. 2.5", (MEAN, LOG_VARIANCE, EPS), "(..., n)", reparameterise,
             values(diagonal_cases("mean", "log_variance", "eps"), gradients=("mean", "log_variance")),
             {"log sigma taken for log sigma^2": Other(lambda m, lv, e: reparameterise(m, 2 * lv, e), FOR_LOG_SD),
              "log_variance itself for sigma": Other(lambda m, lv, e: m + lv * e, FOR_LOG_SD),
              "sigma^2 = log_variance^2": Other(lambda m, lv, e: m + np.abs(lv) * e, FOR_LOG_SD),
              "exp(-log_variance / 2)": Other(lambda m, lv, e: reparameterise(m, -lv, e), "the sign in exp"),
              "no noise: the mean": Other(lambda m, lv, e: m + 0 * lv, "add sigma eps"),
              "the mean left out": Other(lambda m, lv, e: reparameterise(0 * m, lv, e), "add the mean"),
              "the noise not scaled": Other(lambda m, lv, e: m + e + 0 * lv, "multiply eps by sigma"),
              "no gradient: the draw is a constant": Other(
                  lambda m, lv, e: reparameterise(getval(m), getval(lv), e) + 0 * m + 0 * lv,
                  "do not detach, nor draw under no_grad: use rsample, not sample"),
              "sigma held constant": Other(lambda m, lv, e: reparameterise(m, getval(lv), e) + 0 * lv,
                                           "the gradient goes through sigma as well")},
             properties={"it is the mean where eps = 0": lambda call, case: apart(
                 call(**{**case, "eps": 0 * case["eps"]}), [case["mean"]])}),
]
