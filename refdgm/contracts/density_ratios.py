r"""Contracts of what adversarial learning estimates, and of how it is used (ou2018 Sec. 3.2.4; yu2020 Secs. 1, 6.1).

    D* = p/(p + q)       the best discriminator of data, p, from generated x, q; p/q = D*/(1 - D*)
    W(p, q)              int |F_p - F_q| dx on the line, F the distribution functions
    importance           (1/n) sum_i r(x_i) g(x_i),  x_i ~ q, r = p/q
    rejection            accept x ~ q with probability r(x) / max r
    predictability       V = E sum_i (P_i(y_{-i}) - y_i)^2, lecture12 Sec. 1.1.3: P down, the code y up
"""
import autograd.numpy as np
from autograd.tracer import getval

from refdgm.adversarial import bias_correction, gan, wgan
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.directed import predictability_minimisation
from refdgm.values import values

P, Q = (Argument(name, "(n,)", f"the law {of}: probabilities, with sum one", "table")
        for name, of in (("p", "of the data"), ("q", "of the generator")))


def law_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (2, 3, 5):
        p, q = rng.dirichlet(onp.full(n, 1.5), size=2)
        yield Case(f"{n} states", {"p": p, "q": q})
    yield Case("states that only one law has", {"p": onp.array([0.0, 0.4, 0.6]), "q": onp.array([0.7, 0.3, 0.0])},
               hard=True)


def discriminator_cases(seed):
    rng = onp.random.default_rng(seed)
    for shape in ((1,), (3,), (2, 4)):
        yield Case(f"shape {shape}", {"D": rng.uniform(0.1, 0.9, size=shape)})
    yield Case("D nearly 0", {"D": onp.array([1e-30, 1e-3])}, hard=True)


def line_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (2, 3, 5):
        p, q = rng.dirichlet(onp.full(n, 1.0), size=2)
        yield Case(f"{n} atoms", {"x": onp.cumsum(rng.uniform(0.5, 2.0, size=n)) - 3, "p": p, "q": q})
    yield Case("the same mean", {"x": onp.array([-1.0, 0.5, 2.0]), "p": onp.array([0.45, 0.1, 0.45]),
                                 "q": onp.array([0.1, 0.8, 0.1])})
    yield Case("far apart", {"x": onp.array([-8.0, -7.5, 8.0]), "p": onp.array([1.0, 0, 0]),
                             "q": onp.array([0, 0, 1.0])}, hard=True)


def wasserstein(x, p, q):
    p, q = (onp.asarray(table, float) / onp.sum(table, dtype=float) for table in (p, q))
    return wgan.wasserstein(onp.asarray(x, float), p, q)


def on_gaps(x, distance):
    """The sum over the gaps of x."""
    return np.sum(np.diff(x) * distance)


def ratio_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (2, 3, 5):
        yield Case(f"{n} draws", {"r": onp.exp(rng.normal(size=n)), "g": rng.normal(size=n) + 1})
    yield Case("a ratio of zero", {"r": onp.array([0.0, 2.0]), "g": onp.array([3.0, 1.0])}, hard=True)


def rejection_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (2, 3, 5):
        yield Case(f"{n} states", {"q": rng.dirichlet(onp.full(n, 1.5)), "r": 3 * onp.exp(rng.normal(size=n))})
    yield Case("a ratio of zero", {"q": onp.array([0.3, 0.7]), "r": onp.array([0.0, 2.0])}, hard=True)


def code_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, n in ((1, 2), (4, 2), (3, 5)):
        yield Case(f"{N} codes of {n} units", {"y": rng.uniform(size=(N, n)), "P": rng.uniform(size=(N, n))})


def prediction_error(y, P):
    return np.mean(np.sum((P - y)**2, axis=1))


def best_predictors(p):
    p = onp.asarray(p, float)
    return predictability_minimisation.best_predictors(p / p.sum())


def bit_cases(seed):
    rng = onp.random.default_rng(seed)
    for n in (2, 3):
        yield Case(f"{n} units", {"p": rng.dirichlet(onp.full(2**n, 1.5)).reshape((2,) * n)})
    yield Case("independent units", {"p": onp.outer([0.25, 0.75], [0.5, 0.5])})


def units(p, of_unit):
    """of_unit(i) for every unit, as an array of the shape of all states."""
    return np.array([of_unit(i) + 0 * p for i in range(p.ndim)])


CONTRACTS = [
    Contract("optimal_discriminator", "D*(x) = p(x)/(p(x) + q(x)) at every state", "ou2018 before Eq. 25", (P, Q),
             "(n,): between 0 and 1", gan.optimal_discriminator, values(law_cases),
             {"that of generated x": Other(lambda p, q: q / (p + q), "D is large for data"),
              "the ratio p/q": Other(lambda p, q: p / q, "D = r / (1 + r)"),
              "relative to the mixture's mean": Other(lambda p, q: 2 * p / (p + q), "p + q, not (p + q)/2"),
              "a hard decision": Other(lambda p, q: np.where(p > q, 1.0, 0.0), "the probability, not the class")},
             {"its logit": Other(lambda p, q: np.log(p) - np.log(q), "you return V* = log p/q; D* = sigmoid(V*)")}),
    Contract("density_ratio_from_discriminator", "p/q = D/(1 - D), for as many data as generated x", "ou2018 Sec. "
             "3.2.4; yu2020 footnote 2", (Argument("D", "(...)", "the discriminator's probability of data"),), "(...)",
             lambda D: bias_correction.ratio_from_variational_function(np.log(D), "gan"), values(discriminator_cases),
             {"q/p": Other(lambda D: (1 - D) / D, "D is the probability of data: p/q = D/(1 - D)"),
              "D itself": Other(lambda D: 1.0 * D, "divide by 1 - D"),
              "e^D": Other(np.exp, "exponentiate the logit, not the probability"),
              "p relative to the mixture": Other(lambda D: 2 * D, "this is p/((p + q)/2)")},
             {"its logarithm": Other(lambda D: np.log(D / (1 - D)), "you return log p/q")}),
    Contract("wasserstein_distance", "W(p, q) = int |F_p(x) - F_q(x)| dx of two laws on the line", "ou2018 Sec. 3.2.4",
             (Argument("x", "(n,)", "the atoms, increasing"), P, Q), "(): in the units of x", wasserstein,
             values(line_cases),
             {"of the probabilities, not of their sums": Other(lambda x, p, q: on_gaps(x, np.abs(p - q)[:-1]),
                                                               "the distribution functions are cumulative sums"),
              "the gaps left out": Other(lambda x, p, q: np.sum(np.abs(np.cumsum(p - q))[:-1]) + 0 * x[0],
                                         "multiply by the distance to the next atom"),
              "squared": Other(lambda x, p, q: on_gaps(x, np.cumsum(p - q)[:-1]**2), "the absolute difference: squared "
                                                                                    "it is Cramer's distance"),
              "the difference of the means": Other(lambda x, p, q: np.abs(np.sum(x * (p - q))),
                                                   "the absolute value is inside of the integral"),
              "Kolmogorov's": Other(lambda x, p, q: np.max(np.abs(np.cumsum(p - q))) + 0 * x[0],
                                    "integrate over x, do not take the largest"),
              "the gap before, not after, an atom": Other(lambda x, p, q: on_gaps(x, np.abs(np.cumsum(p - q))[1:]),
                                                          "F is constant from an atom to the next")}),
    Contract("reweighted_mean", "(1/n) sum_i r_i g_i at draws from q: an estimate of E_p[g] without bias",
             "yu2020 Sec. 1", (Argument("r", "(n,)", "the density ratio p/q at each draw"),
                               Argument("g", "(n,)", "the function at each draw")), "()",
             lambda r, g: bias_correction.reweighted_mean(r, g, onp.arange(len(r))), values(ratio_cases),
             {"not divided by n": Other(lambda r, g: np.sum(r * g), "average over the draws"),
              "not weighed": Other(lambda r, g: np.mean(g) + 0 * r[0], "multiply by the ratio"),
              "q/p": Other(lambda r, g: np.mean(g / r), "multiply by p/q"),
              "the log-ratio": Other(lambda r, g: np.mean(np.log(r) * g), "the ratio, not its logarithm"),
              "a product of means": Other(lambda r, g: np.mean(r) * np.mean(g), "the mean of the products")},
             {"self-normalised": Other(lambda r, g: np.sum(r * g) / np.sum(r),
                                       "a factor of r cancels; biased for a finite n")}),
    Contract("rejection_corrected_law", "the law of what rejection with probability r / max r lets through of draws "
             "from q, and, last, the share let through", "yu2020 Sec. 6.1",
             (Q, Argument("r", "(n,)", "the density ratio p/q at each state, up to a constant factor")), "(n + 1,)",
             bias_correction.accepted_law, values(rejection_cases),
             {"not normalised": Other(lambda q, r: np.append(q * r / np.max(r), np.sum(q * r) / np.max(r)),
                                      "divide the law by the share"),
              "min(1, r)": Other(lambda q, r: bias_correction.passed(q, np.minimum(1.0, r)),
                                 "divide r by its maximum: above one it is cut off"),
              "r/(1 + r)": Other(lambda q, r: bias_correction.passed(q, r / (1 + r)),
                                 "the discriminator's D is not the probability to accept"),
              "upside down": Other(lambda q, r: bias_correction.passed(q, np.min(r) / r), "accept where r is large"),
              "the ratio squared": Other(lambda q, r: bias_correction.passed(q, (r / np.max(r))**2), "r, once"),
              "r divided by its sum": Other(lambda q, r: bias_correction.passed(q, r / np.sum(r)),
                                            "the law is right, but too little is let through: divide by the maximum")}),
    Contract("predictability_loss", "predictability minimisation: the mean over codes of sum_i (P_i - y_i)^2, which "
             "the predictors minimise and the code maximises", "lecture12 Sec. 1.1.3",
             (Argument("y", "(N, n)", "N codes of n units"),
              Argument("P", "(N, n)", "what predictor i makes of the other units of each code")), "(): a number",
             prediction_error, values(code_cases, gradients=("y", "P")),
             {"averaged over the units": Other(lambda y, P: np.mean((P - y)**2), "sum over the units"),
              "summed over the codes": Other(lambda y, P: np.sum((P - y)**2), "average over the codes"),
              "the sign": Other(lambda y, P: -prediction_error(y, P), "this is the code's loss, not the predictors'"),
              "not squared": Other(lambda y, P: np.mean(np.sum(np.abs(P - y), axis=1)), "square"),
              "the code's gradient stopped": Other(lambda y, P: prediction_error(getval(y), P) + 0 * np.sum(y),
                                                   "the code is trained on it, too: do not detach y")},
             {"with the factor 1/2": Other(lambda y, P: prediction_error(y, P) / 2, "half of it: the same game")}),
    Contract("best_predictors", "E[y_i|y_{-i}] for each unit i of a code of bits: the predictors that predictability "
             "minimisation seeks", "lecture12 Sec. 1.1.3",
             (Argument("p", "(2, .., 2)", "the law of the code, one axis a unit", "table"),),
             "(n, 2, .., 2): for every unit and every code, whose own bit does not matter", best_predictors,
             values(bit_cases),
             {"the mean of each unit alone": Other(lambda p: units(p, lambda i: np.sum(p * onp.indices(p.shape)[i])),
                                                   "condition on the other units"),
              "the joint law": Other(lambda p: units(p, lambda i: np.take(p, [1], axis=i)),
                                     "divide by the law of the other units"),
              "the probability of a zero": Other(lambda p: 1 - best_predictors(p), "the mean of a bit is P(1)"),
              "conditioned on its own bit": Other(
                  lambda p: units(p, lambda i: p / np.sum(p, axis=i, keepdims=True)),
                  "what is predicted must not be seen: P(y_i = 1|y_{-i}) whatever y_i is"),
              "normalised over the other units": Other(
                  lambda p: units(p, lambda i: np.take(p, [1], axis=i) / np.sum(np.take(p, [1], axis=i))),
                  "divide by p(y_{-i}), each by its own")}),
]
