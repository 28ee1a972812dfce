r"""Contracts of EM, MAP and minibatches: estimating theta (kingma2019 Secs. 1.6.2, App. A.2; lecture12 Sec. 2.1).

    mixture of Bernoulli vectors    p(z) = softmax(a)_z    p(x|z) = Bern(sigmoid(B_z)),    B (H, D)
    E-step                          r_iz = p(z|x_i)
    M-step                          pi_z = mean_i r_iz,    mu_z = sum_i r_iz x_i / sum_i r_iz
    MAP, Gaussian mean              m + V (V + S / N)^-1 (xbar - m)
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import elbo, map_estimation, variational_em
from refdgm.models import bernoulli_mixture
from refdgm.numerics import bernoulli_log_prob, log_softmax, log_sum_exp, sigmoid, softmax
from refdgm.values import apart, values

BITS = Argument("x", "(N, D)", "the data, zeros and ones", "bits")
PRIOR_LOGITS = Argument("a", "(H,)", "logits of p(z)")
PIXEL_LOGITS = Argument("B", "(H, D)", "log-odds of a one in each component")
SHARES = Argument("r", "(N, H)", "responsibilities, each row with sum one", "table")


def mixture_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, H, D in ((1, 2, 3), (4, 3, 2), (3, 2, 5)):
        yield Case(f"N = {N}, H = {H}, D = {D}", {"x": rng.integers(0, 2, (N, D)), "a": rng.normal(size=H),
                                                  "B": 1.5 * rng.normal(size=(H, D))})
    yield Case("one component", {"x": rng.integers(0, 2, (2, 3)), "a": rng.normal(size=1),
                                 "B": rng.normal(size=(1, 3))}, hard=True)
    yield Case("likelihoods below e^-1000", {"x": onp.ones((2, 4)), "a": rng.normal(size=2),
                                             "B": rng.normal(size=(2, 4)) - 500}, hard=True)


def share_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, H, D in ((3, 2, 4), (5, 3, 2), (4, 2, 3)):
        yield Case(f"N = {N}, H = {H}, D = {D}", {"x": rng.integers(0, 2, (N, D)),
                                                  "r": rng.dirichlet(onp.ones(H), N) * 0.98 + 0.02 / H})
    yield Case("hard assignments", {"x": rng.integers(0, 2, (4, 3)), "r": onp.eye(2)[[0, 1, 1, 0]]}, hard=True)


def responsibilities(x, a, B, prior=log_softmax, likelihood=bernoulli_log_prob, normalise=softmax):
    if (prior, likelihood, normalise) == (log_softmax, bernoulli_log_prob, softmax):
        return np.exp(bernoulli_mixture.log_posterior({"a": a, "B": B}, x))
    return normalise(prior(a) + likelihood(x[..., None, :], B))


def e_step_with(**changed):
    return lambda x, a, B: responsibilities(x, a, B, **changed)


def naive_softmax(t):
    w = np.exp(t)
    return w / np.sum(w, axis=-1, keepdims=True)


def mixture_log_likelihood(x, a, B):
    return bernoulli_mixture.log_marginal({"a": a, "B": B}, x)


def m_step(x, r):
    """refdgm's step takes logits of r and gives logits; a share of 0 or 1 makes those infinite, and is right."""
    with onp.errstate(divide="ignore"):
        theta = variational_em.m_step(onp.log(r), x)
    return onp.exp(theta["a"]), sigmoid(theta["B"])


def m_step_with(shares=lambda r: onp.mean(r, axis=0), means=lambda x, r: r.T @ x / onp.sum(r, axis=0)[:, None]):
    return lambda x, r: (shares(r), means(x, r))


def gaussian_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, d in ((1, 2), (4, 2), (6, 3)):
        A, C = (rng.normal(size=(d, d + 1)) / 2 for _ in range(2))
        yield Case(f"N = {N}, d = {d}", {"x": rng.normal(size=(N, d)) + 2, "S": A @ A.T + 0.5 * onp.eye(d),
                                         "m": rng.normal(size=d), "V": C @ C.T + 0.5 * onp.eye(d)})
    yield Case("a prior on a line", {"x": rng.normal(size=(3, 2)), "S": onp.eye(2), "m": onp.zeros(2),
                                     "V": onp.ones((2, 2))}, hard=True)


def map_estimate(x, S, m, V, N=None):
    return map_estimation.estimate({"m": m, "V": V}, S, np.mean(x, axis=0), len(x) if N is None else N)


def precisions_exchanged(x, S, m, V):
    return np.mean(x, axis=0) + m - map_estimate(x, S, m, V)


def minibatch_cases(seed):
    rng = onp.random.default_rng(seed)
    for M, N in ((2, 7), (3, 3), (5, 60)):
        yield Case(f"M = {M} of N = {N}", {"log_likelihood": rng.normal(size=M) - 3, "kl": rng.uniform(0.2, 2, M),
                                           "N": N})
    yield Case("M = 1", {"log_likelihood": rng.normal(size=1) - 3, "kl": rng.uniform(0.2, 2, 1), "N": 4})


def minibatch_bound(log_likelihood, kl, N):
    return N * np.mean(log_likelihood - kl)


def table_cases(seed):
    rng = onp.random.default_rng(seed)
    for X, H in ((1, 2), (3, 4), (4, 3)):
        yield Case(f"X = {X}, H = {H}", {"log_joint": rng.normal(size=(X, H)) - 2,
                                         "log_q": log_softmax(rng.normal(size=(X, H)))})
    yield Case("a state that q never draws", {"log_joint": rng.normal(size=(1, 3)),
                                              "log_q": onp.array([[onp.log(0.4), -onp.inf, onp.log(0.6)]])}, hard=True)
    yield Case("log p of -1e4", {"log_joint": onp.array([[-1e4, -1.0]]), "log_q": onp.log(onp.array([[0.5, 0.5]]))},
               hard=True)


CONTRACTS = [
    Contract("mixture_responsibilities", "the E-step of a mixture of Bernoulli vectors: p(z|x_i) for every datum",
             "kingma2019 Eq. A.6; lecture12 Sec. 2.1", (BITS, PRIOR_LOGITS, PIXEL_LOGITS),
             "(N, H): each row with sum one", responsibilities, values(mixture_cases),
             {"no p(z)": Other(e_step_with(prior=lambda a: 0 * a), "multiply by p(z)"),
              "only the pixels that are on": Other(
                  e_step_with(likelihood=lambda x, B: np.sum(x * np.log(sigmoid(B)), axis=-1)),
                  "add (1 - x) log(1 - mu)"),
              "logits of a zero": Other(e_step_with(likelihood=lambda x, B: bernoulli_log_prob(x, -B)),
                                        "B are log-odds of a one"),
              "normalised over the data": Other(e_step_with(normalise=lambda t: softmax(t, axis=0)),
                                                "the classes' shares of one datum have sum one"),
              "p(z) taken for its logits": Other(e_step_with(prior=lambda a: softmax(a)), "add log p(z)"),
              "the best class only": Other(
                  e_step_with(normalise=lambda t: 1.0 * (t == np.max(t, axis=-1, keepdims=True))),
                  "that is k-means' step: EM shares each datum out"),
              "the average over the pixels": Other(
                  e_step_with(likelihood=lambda x, B: bernoulli_log_prob(x, B) / x.shape[-1]), "sum over the pixels"),
              "0/0 where the likelihoods underflow": Other(e_step_with(normalise=naive_softmax),
                                                           "subtract the largest before exp")},
             properties={"the shares of each datum have sum one": lambda call, case: apart(
                 [part.sum(axis=-1) for part in call(**case)], [onp.ones(len(case["x"]))])}),
    Contract("mixture_log_likelihood", "log p(x_i) = log sum_z p(z) p(x_i|z) of a mixture of Bernoulli vectors",
             "lecture12 Sec. 1.1.4", (BITS, PRIOR_LOGITS, PIXEL_LOGITS), "(N,): in nats", mixture_log_likelihood,
             values(mixture_cases, gradients=("a", "B")),
             {"the logits of p(z) not normalised": Other(
                 lambda x, a, B: mixture_log_likelihood(x, a, B) + log_sum_exp(a), "use log-softmax(a)"),
              "the log inside of the sum": Other(
                  lambda x, a, B: np.sum(softmax(a) * bernoulli_log_prob(x[:, None, :], B), axis=-1),
                  "the sum over z is inside of the logarithm"),
              "every class equally likely": Other(lambda x, a, B: mixture_log_likelihood(x, 0 * a, B), "use p(z)"),
              "the average of the components' means": Other(
                  lambda x, a, B: np.sum(x * np.log(np.dot(softmax(a), sigmoid(B)))
                                         + (1 - x) * np.log(1 - np.dot(softmax(a), sigmoid(B))), axis=-1),
                  "mix the likelihoods of whole vectors, not the pixels' means"),
              "summed over the data": Other(lambda x, a, B: np.sum(mixture_log_likelihood(x, a, B)),
                                            "one number a datum"),
              "underflows": Other(
                  lambda x, a, B: np.log(np.sum(softmax(a) * np.exp(bernoulli_log_prob(x[:, None, :], B)), axis=-1)),
                  "log-sum-exp over z")},
             {"the loss: minus the log-likelihood": Other(lambda *a: -mixture_log_likelihood(*a),
                                                          "you return the loss")}),
    Contract("mixture_m_step", "the M-step of a mixture of Bernoulli vectors: the classes' shares, and their means",
             "kingma2019 Eq. A.7; lecture12 Sec. 2.1", (BITS, SHARES), "(H,), (H, D): p(z), means of the pixels",
             m_step, values(share_cases),
             {"means divided by N": Other(m_step_with(means=lambda x, r: r.T @ x / len(x)),
                                          "divide by sum_i r_iz, the class's own weight"),
              "hard assignments": Other(
                  lambda x, r: m_step(x, 0.0 + (r == r.max(axis=1, keepdims=True))), "weigh by r, do not round it"),
              "shares left at 1/H": Other(m_step_with(lambda r: onp.full(r.shape[1], 1 / r.shape[1])),
                                          "p(z) = mean_i r_iz"),
              "shares not divided by N": Other(m_step_with(lambda r: onp.sum(r, axis=0)), "they have sum one"),
              "unweighted means": Other(m_step_with(means=lambda x, r: onp.mean(x, axis=0) + 0 * r.T @ x),
                                        "weigh by r"),
              "means transposed": Other(m_step_with(means=lambda x, r: (r.T @ x / onp.sum(r, axis=0)[:, None]).T),
                                        "(H, D): a row for each class")},
             {"a pseudo-count of one in the means": Other(
                 m_step_with(means=lambda x, r: (r.T @ x + 1) / (onp.sum(r, axis=0)[:, None] + 2)),
                 "you return the posterior's mean under a uniform prior (Laplace smoothing)")},
             {"the shares have sum one": lambda call, case: abs(1 - call(**case)[0].sum())}),
    Contract("gaussian_map_estimate", "the MAP estimate of a Gaussian's mean: data x_i ~ N(theta, S), prior N(m, V)",
             "kingma2019 App. A.2.1, Eq. A.4",
             (Argument("x", "(N, d)", "the data"), Argument("S", "(d, d)", "the covariance of the data"),
              Argument("m", "(d,)", "the prior's mean"), Argument("V", "(d, d)", "the prior's covariance")), "(d,)",
             map_estimate, values(gaussian_cases),
             {"maximum likelihood": Other(lambda x, S, m, V: np.mean(x, axis=0), "the prior is not used"),
              "the data weighed as one datum, or the prior counted for each": Other(
                  lambda x, S, m, V: map_estimate(x, S, m, V, 1),
                  "log p(theta) once, and the log-likelihood a sum over the data, not their mean"),
              "weighed with variances, not precisions": Other(precisions_exchanged,
                                                              "the sharper of the two counts more"),
              "the prior's mean taken for zero": Other(lambda x, S, m, V: map_estimate(x, S, 0 * m, V),
                                                       "weight decay towards m"),
              "only the variances": Other(
                  lambda x, S, m, V: map_estimate(x, np.diag(np.diag(S)), m, np.diag(np.diag(V))),
                  "use the whole covariance matrices")}),
    Contract("minibatch_bound", "the bound of N data, estimated by M of them: (N / M) sum_i (log p(x_i|h_i) - KL_i)",
             "kingma2019 Sec. 1.6.2; lecture12 Algorithm 1",
             (Argument("log_likelihood", "(M,)", "log p(x_i|h_i)"), Argument("kl", "(M,)", "KL[q(h|x_i) || p(h)]"),
              Argument("N", "", "the number of all data", "integer")), "(): in nats", minibatch_bound,
             values(minibatch_cases, gradients=("log_likelihood", "kl")),
             {"not scaled": Other(lambda ll, kl, N: np.sum(ll - kl) + 0 * N, "multiply by N / M"),
              "N times the sum": Other(lambda ll, kl, N: N * np.sum(ll - kl), "divide by M"),
              "the scale on the likelihood alone": Other(lambda ll, kl, N: N * np.mean(ll) - np.sum(kl),
                                                         "each datum has a KL of its own: scale it, too"),
              "the scale counted twice": Other(lambda ll, kl, N: (N / len(kl))**2 * np.sum(ll - kl), "N / M once"),
              "the scale upside down": Other(lambda ll, kl, N: len(kl) / N * np.sum(ll - kl), "N / M, not M / N"),
              "KL added": Other(lambda ll, kl, N: N * np.mean(ll + kl), "subtract KL")},
             {"the average over the data": Other(lambda ll, kl, N: np.mean(ll - kl) + 0 * N,
                                                 "you estimate the bound of one datum: the step size must know"),
              "the loss: minus the bound": Other(lambda *a: -minibatch_bound(*a), "you return the loss")}),
    Contract("elbo_from_tables", "the exact bound sum_h q(h|x) (log p(x, h) - log q(h|x)), where 0 log 0 = 0",
             "ou2018 Eq. 7", (Argument("log_joint", "(X, H)", "log p(x, h) for every h"),
                              Argument("log_q", "(X, H)", "log q(h|x) for every h")), "(X,): one bound for each x",
             elbo.bound, values(table_cases, gradients=("log_joint",)),
             {"no entropy of q": Other(lambda p, q: np.sum(np.exp(q) * p, axis=-1), "subtract log q"),
              "log q added": Other(lambda p, q: np.sum(np.exp(q) * (p + q), axis=-1), "subtract log q"),
              "not weighed with q": Other(lambda p, q: np.sum(p - q, axis=-1), "weigh with q(h|x)"),
              "under the posterior, not under q": Other(lambda p, q: np.sum(softmax(p) * (p - q), axis=-1),
                                                        "the expectation is under q: this is an upper bound"),
              "log p(x)": Other(lambda p, q: log_sum_exp(p) + 0 * q[..., 0], "the logarithm is inside of the sum"),
              "0 times infinity": Other(lambda p, q: np.sum(np.exp(q) * (p - q), axis=-1),
                                        "a state that q never draws adds nothing: mask it")},
             {"the loss: minus the bound": Other(lambda p, q: -elbo.bound(p, q), "you return the loss")}),
]
