r"""Maximum a posteriori estimation: the mode of the posterior over parameters (kingma2019 App. A.2.1).

    Eq. A.4   L^MAP(theta) = log p(theta|X)
    Eq. A.5                = log p(theta) + L^ML(theta) + constant

with L^ML = sum_i log p_theta(x_i), a sum over the data and not their mean, and the constant -log p(X).

For the Gaussian mean of `refdgm.models.gaussian_mean` both estimates are linear in the mean xbar of the N data:

    theta_ML = xbar    theta_MAP = m + V (V + S / N)^{-1} (xbar - m)    theta_MAP - theta_ML = O(1/N)

A mode, unlike a posterior, depends on the chart: a prior that is flat in theta is not flat in another parameter.
prior = {"m": (d,), "V": (d, d)}, S (d, d), X (N, d), xbar (..., d).

N data, all of them 1, under the prior N(0, 1) and unit noise, for N = 1 and N = 9:

    >>> import numpy as np
    >>> from refdgm.directed.map_estimation import estimate
    >>> prior = {"m": np.zeros(1), "V": np.eye(1)}
    >>> [round(float(estimate(prior, np.eye(1), xbar=np.ones(1), N=N)[0]), 3) for N in (1, 9)]
    [0.5, 0.9]
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.checking import Claim, equals, has_order, is_at_most, minimises, provided
from refdgm.models import gaussian_mean
from refdgm.numerics import full_gaussian_log_prob, gauss_hermite, log_sigmoid


def objective(prior, S, X, theta):
    """L^MAP(theta) = log p(theta) + L^ML(theta) - log p(X) (kingma2019 Eq. A.5).  (d,) -> ()"""
    return (gaussian_mean.log_prior(prior, theta) + gaussian_mean.log_likelihood(theta, S, X)
            - gaussian_mean.log_evidence(prior, S, X))


def estimate(prior, S, xbar, N):
    """theta_MAP = m + V (V + S / N)^{-1} (xbar - m) (kingma2019 App. A.2.1).  (..., d) -> (..., d)

    V may be singular: then only some directions of theta are open to the data.
    """
    gain = np.linalg.solve(prior["V"] + S / N, prior["V"]).T
    return prior["m"] + np.dot(xbar - prior["m"], gain.T)


def flat_prior_estimate(heads, tails):
    """The log-odds of theta_ML = heads / n: what MAP estimates where p(theta) = constant (kingma2019 App. A.2.1)."""
    return np.log(heads / tails)


def mean_squared_error(estimator, truth, S, N, nodes=3):
    """E |estimator(xbar) - theta|^2 over data of the true theta; exact for linear estimators.  (..., d) -> (...)"""
    eps, w = gauss_hermite(nodes, S.shape[0])
    xbar = truth[..., None, :] + np.dot(eps, np.linalg.cholesky(S / N).T)
    return np.dot(np.sum((estimator(xbar) - truth[..., None, :])**2, axis=-1), w)


# ---- claims ---------------------------------------------------------------------------

def posterior_density(prior, S, X, theta):
    """The oracle: the normal density with the precisions of prior and data added up."""
    return full_gaussian_log_prob(theta, *gaussian_mean.posterior(prior, S, X))


def prior_times_likelihood(prior, S, X, theta):
    """- log p(theta) p_theta(X), which has its minimum where the posterior has its mode."""
    return -gaussian_mean.log_prior(prior, theta) - gaussian_mean.log_likelihood(theta, S, X)


def at_some_theta(seed):
    return {**gaussian_mean.random_case(seed), "theta": onp.random.default_rng([seed, 1]).normal(size=2)}


def sum_of(prior_times=1.0, likelihood_times=lambda N: 1.0, evidence_times=-1.0):
    """Eq. A.5 with its three terms in other proportions."""
    return lambda prior, S, X, theta: (prior_times * gaussian_mean.log_prior(prior, theta)
                                       + likelihood_times(len(X)) * gaussian_mean.log_likelihood(theta, S, X)
                                       + evidence_times * gaussian_mean.log_evidence(prior, S, X))


def from_prior(prior):
    """True parameters with the law p(theta): Gauss-Hermite nodes and weights, exact for a squared error."""
    eps, w = gauss_hermite(3, 2)
    return prior["m"] + eps @ onp.linalg.cholesky(prior["V"]).T, w


def far_from_prior(prior):
    """One true parameter, ten units from where the prior expects it."""
    return prior["m"] + onp.array([[6.0, -8.0]]), onp.ones(1)


def risk_of(estimator, prior, S, N, truths):
    """The mean squared error over data, and over the true parameters truths(prior)."""
    truth, w = truths(prior)
    return np.dot(w, mean_squared_error(estimator, truth, S, N))


def with_prior(change):
    """The risk of the MAP estimate under another prior change(prior, N) than nature's."""
    return lambda prior, S, N, truths: risk_of(lambda xbar: estimate(change(prior, N), S, xbar, N), prior, S, N, truths)


def maximum_likelihood_risk(**case):
    return risk_of(lambda xbar: xbar, **case)


def truths_case(truths):
    def case(seed):
        drawn = gaussian_mean.random_case(seed)
        return {"prior": drawn["prior"], "S": drawn["S"], "N": 3, "truths": truths}
    return case


def with_covariances(prior, S, N, truths):
    """V and S are covariances, and the truth is a draw from the prior."""
    return truths.__name__ == "from_prior" and all(
        onp.array_equal(C, C.T) and onp.linalg.eigvalsh(C)[0] > 0 for C in (prior["V"], S))


def fixed_mean_case(seed):
    """A data mean that stays as N grows."""
    case = gaussian_mean.random_case(seed)
    return {"prior": case["prior"], "S": case["S"], "xbar": onp.mean(case["X"], axis=0)}


def prior_on_a_line(seed):
    """A prior with all its mass on a line, which excludes most parameters."""
    case = fixed_mean_case(seed)
    u = onp.random.default_rng([seed, 2]).normal(size=2)
    return {**case, "prior": {"m": case["prior"]["m"], "V": onp.outer(u, u)}}


def coins(chart):
    """Heads and tails of three coins, and the chart in which the posterior's mode is sought."""
    def case(seed):
        rng = onp.random.default_rng(seed)
        return {"heads": rng.integers(2, 9, 3).astype(float), "tails": rng.integers(2, 9, 3).astype(float),
                "chart": chart}
    return case


def negative_log_posterior(log_odds, heads, tails, chart):
    """- log p(theta|D) under p(theta) = constant, as the density of theta or (chart = "log-odds") of the log-odds."""
    log_density = heads * log_sigmoid(log_odds) + tails * log_sigmoid(-log_odds)
    if chart == "log-odds":
        log_density = log_density + log_sigmoid(log_odds) + log_sigmoid(-log_odds)      # dtheta = theta (1 - theta) du
    return -np.sum(log_density)


CLAIMS = [
    Claim("kingma2019.eqA.4", lambda prior, S, X: estimate(prior, S, np.mean(X, axis=0), len(X)),
          minimises(prior_times_likelihood, "theta", gaussian_mean.random_case),
          {"maximum likelihood": lambda prior, S, X: np.mean(X, axis=0),
           "the data weighed as one datum": lambda prior, S, X: estimate(prior, S, np.mean(X, axis=0), 1),
           "the prior counted for each datum": lambda prior, S, X: estimate(
               {"m": prior["m"], "V": prior["V"] / len(X)}, S, np.mean(X, axis=0), len(X)),
           "weighed with variances, not precisions": lambda prior, S, X: np.mean(X, axis=0) + prior["m"] - estimate(
               prior, S, np.mean(X, axis=0), len(X))}),
    Claim("kingma2019.eqA.5", objective, equals(posterior_density, at_some_theta),
          {"the mean, not the sum, of the log-likelihoods": sum_of(likelihood_times=lambda N: 1 / N),
           "the prior counted for each datum": sum_of(prior_times=4.0),
           "no prior": sum_of(prior_times=0.0),
           "+ log p(X)": sum_of(evidence_times=1.0),
           "no constant": sum_of(evidence_times=0.0)}),
    Claim("kingma2019.A.2.1.improve", with_prior(lambda prior, N: prior),
          provided(with_covariances, is_at_most(maximum_likelihood_risk, truths_case(from_prior))),
          {"a prior that is far too sure": with_prior(lambda prior, N: {**prior, "V": prior["V"] / 100}),
           "a prior with another mean": with_prior(lambda prior, N: {**prior, "m": prior["m"] + 3.0}),
           "no prior: nothing is gained": maximum_likelihood_risk},
          without=is_at_most(maximum_likelihood_risk, truths_case(far_from_prior))),
    Claim("kingma2019.A.2.1.dim", estimate,
          has_order(lambda prior, S, xbar: xbar, fixed_mean_case, "N", [100, 1000, 10000], order=1, within=0.02),
          {"the prior counted for each datum": lambda prior, S, xbar, N: estimate(
              {**prior, "V": prior["V"] / N}, S, xbar, N),
           "the prior tempered by 1/N": lambda prior, S, xbar, N: estimate(
               {**prior, "V": prior["V"] * N}, S, xbar, N),
           "standard errors in place of variances": lambda prior, S, xbar, N: estimate(prior, S, xbar, np.sqrt(N)),
           "the data weighed as one datum": lambda prior, S, xbar, N: estimate(prior, S, xbar, 1)},
          without=has_order(lambda prior, S, xbar: xbar, prior_on_a_line, "N", [100, 1000, 10000], order=1,
                            within=0.02)),
    Claim("kingma2019.A.2.1.flat", lambda heads, tails, chart: flat_prior_estimate(heads, tails),
          minimises(negative_log_posterior, "log_odds", coins("theta")),
          {"the posterior's mean: one more of each": lambda heads, tails, chart: flat_prior_estimate(
              heads + 1, tails + 1),
           "flat in the log-odds: one less of each": lambda heads, tails, chart: flat_prior_estimate(
               heads - 1, tails - 1),
           "Jeffreys' prior: half of one less": lambda heads, tails, chart: flat_prior_estimate(
               heads - 0.5, tails - 0.5)},
          without=minimises(negative_log_posterior, "log_odds", coins("log-odds"))),
]
