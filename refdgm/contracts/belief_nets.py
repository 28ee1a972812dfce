r"""Contracts of a sigmoid belief net: log-densities, scores, the gradients of the wake and the sleep phase.

    p(h) = Bern(sigmoid(a))    p(x|h) = Bern(sigmoid(W h + b))    q(h|x) = Bern(sigmoid(V x + c))

(ou2018 Eqs. 2, 17-18, Sec. 3.2.2.) x and h are zeros and ones, W is (D, H), V is (H, D).
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import sbn
from refdgm.numerics import all_binary, bernoulli_log_prob, log_mean_exp, log_sum_exp, sigmoid
from refdgm.values import apart, values

X = Argument("x", "(..., D)", "observed units, zeros and ones", "bits")
H = Argument("h", "(..., H)", "latent units, zeros and ones", "bits")
THETA = (Argument("a", "(H,)", "biases of the latent units"), Argument("W", "(D, H)", "the model's weights"),
         Argument("b", "(D,)", "biases of the observed units"))
PHI = (Argument("V", "(H, D)", "the recognition net's weights"), Argument("c", "(H,)", "its biases"))
ROWS = (Argument("x", "(N, D)", "observed units, zeros and ones", "bits"),
        Argument("h", "(N, H)", "latent units, zeros and ones", "bits"))


def cases_of(*names, batches=((), (3,), (2, 4)), hard=True):
    """Nets with D != H, for pairs (x, h) in batches of these shapes; the last with activations of +-1e3."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for batch, (D, n) in zip(batches, ((3, 2), (4, 2), (2, 3))):
            yield Case(f"batch {batch}, D = {D}, H = {n}", net(rng, batch, D, n, 1.0))
        if hard:
            yield Case("activations of +-1e3", net(rng, batches[-1], 3, 2, 1e3), hard=True)

    def net(rng, batch, D, n, scale):
        shapes = {"x": (*batch, D), "h": (*batch, n), "a": (n,), "W": (D, n), "b": (D,), "V": (n, D), "c": (n,)}
        drawn = {name: rng.integers(0, 2, shape) if name in "xh" else scale * rng.normal(size=shape)
                 for name, shape in shapes.items()}
        return {name: drawn[name] for name in names}
    return cases


def theta_of(a, W, b):
    return {"a": a, "W": W, "b": b}


def log_joint(x, h, a, W, b):
    return sbn.log_joint(theta_of(a, W, b), x, h)


def log_weights(x, h, a, W, b, V, c):
    return sbn.log_weights(theta_of(a, W, b), {"V": V, "c": c}, x, h)


def log_q(x, h, V, c):
    return sbn.log_q({"V": V, "c": c}, x, h)


def log_marginal(x, a, W, b):
    return sbn.log_marginal(theta_of(a, W, b), x)


def over_states(reduce, of=log_joint):
    """Another reduction of some table over all h."""
    def marginal(x, a, W, b):
        return reduce(of(x[..., None, :], sbn.latent_states({"a": a}), a, W, b))
    return marginal


def sum_to_one(call, case):
    return apart([np.sum(np.exp(part)) for part in call(**{**case, "x": all_binary(len(case["b"]))})], [1.0])


def log_likelihood(x, h, a, W, b):
    return sbn.log_likelihood(theta_of(a, W, b), x, h)


def posterior_mean(x, a, W, b):
    """E[h|x], a sum over all h."""
    theta = theta_of(a, W, b)
    return np.dot(sbn.posterior(theta, x), sbn.latent_states(theta))


def score_theta(x, h, a, W, b):
    score = sbn.score_theta(theta_of(a, W, b), x, h)
    return score["a"], score["W"], score["b"]


def score_phi(x, h, V, c):
    score = sbn.score_phi({"V": V, "c": c}, x, h)
    return score["V"], score["c"]


def outer(error, of):
    return error[..., :, None] * of[..., None, :]


def theta_errors(x, h, a, W, b, in_x=lambda x, p: x - p, in_h=lambda h, p: h - p):
    """Scores made of other errors at the units."""
    error = in_x(x, sigmoid(np.dot(h, W.T) + b))
    return in_h(h, sigmoid(a)), outer(error, h), error


def squared_error(bits, p):
    return (bits - p) * p * (1 - p)


def phi_errors(x, h, V, c, error=lambda h, p: h - p):
    at_c = error(h, sigmoid(np.dot(x, V.T) + c))
    return outer(at_c, x), at_c


def over_rows(scores, reduce=lambda part: np.mean(part, axis=0)):
    """The mean over a minibatch, or what is done in its place."""
    return lambda *arguments: tuple(reduce(part) for part in scores(*arguments))


def negative(parts):
    return tuple(-part for part in parts)


def transposed(place, scores):
    def other(*arguments):
        parts = list(scores(*arguments))
        parts[place] = np.swapaxes(parts[place], -1, -2)
        return tuple(parts)
    return other


SIGN = "this is the gradient of the loss: ascend log-probabilities, or negate"
THETA_MISTAKES = {
    "dW transposed": (lambda scores: transposed(1, scores), "dW has the shape of W, (D, H): the error times h"),
    "the sigmoid's slope left in: squared error": (
        lambda scores: lambda *a: theta_errors(*a, in_x=squared_error), "the error is x - sigmoid(W h + b), as it is"),
    "x without its mean: no - sigmoid(W h + b)": (
        lambda scores: lambda *a: theta_errors(*a, in_x=lambda x, p: x + 0 * p), "subtract sigmoid(W h + b)"),
    "h without its mean: no - sigmoid(a)": (
        lambda scores: lambda *a: theta_errors(*a, in_h=lambda h, p: h + 0 * p), "subtract sigmoid(a)"),
    "the prior not learned": (lambda scores: lambda *a: theta_errors(*a, in_h=lambda h, p: 0 * h),
                              "log p(x, h) has log p(h), too: da = h - sigmoid(a)"),
}
PHI_MISTAKES = {
    "dV transposed": (lambda scores: transposed(0, scores), "dV has the shape of V, (H, D): the error times x"),
    "the sigmoid's slope left in: squared error": (
        lambda scores: lambda *a: phi_errors(*a, error=squared_error), "the error is h - sigmoid(V x + c), as it is"),
    "h without its mean": (lambda scores: lambda *a: phi_errors(*a, error=lambda h, p: h + 0 * p),
                           "subtract sigmoid(V x + c)"),
}


def mistakes_of(table, scores, wrap=lambda f: f):
    return {name: Other(wrap(make(scores)), advice) for name, (make, advice) in table.items()}


PHASE = {"summed over the minibatch": (lambda part: np.sum(part, axis=0), "average over the rows"),
         "the last row alone: assigned, not added up": (lambda part: part[-1], "add up the rows' gradients, then / N"),
         "not averaged": (lambda part: part, "average over the rows")}


def phase_mistakes(scores):
    """What goes wrong in a phase of wake-sleep besides its score."""
    return {name: Other(over_rows(scores, reduce), advice) for name, (reduce, advice) in PHASE.items()}


CONTRACTS = [
    Contract("sbn_log_joint", "log p(x, h) = log p(h) + log p(x|h) of a sigmoid belief net", "ou2018 Eq. 2, Sec. 3.1.2",
             (X, H, *THETA), "(...): one number a row, in nats", log_joint,
             values(cases_of("x", "h", "a", "W", "b"), gradients=("a", "W")),
             {"no log p(h)": Other(log_likelihood, "add log p(h)"),
              "no log p(x|h)": Other(lambda x, h, a, W, b: bernoulli_log_prob(h, a), "add log p(x|h)"),
              "the prior at sigmoid(sigmoid(a))": Other(lambda x, h, a, W, b: log_joint(x, h, sigmoid(a), W, b),
                                                        "a is a logit, not a probability"),
              "no b": Other(lambda x, h, a, W, b: log_joint(x, h, a, W, 0 * b), "add the bias"),
              "averaged over the units": Other(
                  lambda x, h, a, W, b: log_likelihood(x, h, a, W, b) / len(b) + bernoulli_log_prob(h, a) / len(a),
                  "sum over the units"),
              "one number for the batch": Other(lambda *s: np.sum(log_joint(*s)), "one number a row")},
             {"the energy: minus log p(x, h)": Other(lambda *s: -log_joint(*s), "you return -log p(x, h)")}),
    Contract("sbn_log_weights", "log w = log p(x, h) - log q(h|x), log-weights and learning signal",
             "ou2018 Eqs. 10 and 19", (X, H, *THETA, *PHI), "(...): one number a row, in nats", log_weights,
             values(cases_of("x", "h", "a", "W", "b", "V", "c"), gradients=("W", "V")),
             {"log q added": Other(lambda x, h, a, W, b, V, c: log_joint(x, h, a, W, b) + log_q(x, h, V, c),
                                   "subtract log q(h|x)"),
              "no - log q": Other(lambda x, h, a, W, b, V, c: log_joint(x, h, a, W, b) + 0 * np.sum(c),
                                  "subtract log q(h|x)"),
              "no log p(h)": Other(
                  lambda x, h, a, W, b, V, c: log_likelihood(x, h, a, W, b) - log_q(x, h, V, c), "add log p(h)"),
              "q / p": Other(lambda *s: -log_weights(*s), "the weight is p(x, h) / q(h|x)"),
              "q without its biases": Other(lambda x, h, a, W, b, V, c: log_weights(x, h, a, W, b, V, 0 * c),
                                            "add c")}),
    Contract("sbn_log_marginal", "log p(x) = log sum_h p(x, h), over all 2^H states", "ou2018 Sec. 3.1.1",
             (X, *THETA), "(...): one number a row, in nats", log_marginal,
             values(cases_of("x", "a", "W", "b"), gradients=("a", "W")),
             {"p(x, h) averaged over the states": Other(over_states(log_mean_exp), "sum over h: p(h) is in p(x, h)"),
              "every h equally likely": Other(over_states(log_mean_exp, log_likelihood), "weigh p(x|h) with p(h)"),
              "no p(h)": Other(over_states(log_sum_exp, log_likelihood), "weigh p(x|h) with p(h)"),
              "the log inside of the sum": Other(over_states(lambda t: np.sum(t, axis=-1)), "log-sum-exp over h"),
              "the best h": Other(over_states(lambda t: np.max(t, axis=-1)), "sum over h, do not maximise"),
              "p(x|h) at the mean of h": Other(
                  lambda x, a, W, b: log_likelihood(x, sigmoid(a), a, W, b), "the mean is outside of p(x|h)"),
              "overflows": Other(over_states(lambda t: np.log(np.sum(np.exp(t), axis=-1))),
                                 "subtract the largest before exp, and add it again after log")},
             properties={"the probabilities of all x have sum one": sum_to_one}),
    Contract("sbn_posterior_mean", "E[h|x] under the exact posterior, over all 2^H states", "ou2018 Eq. 19",
             (X, *THETA), "(..., H): probabilities", posterior_mean, values(cases_of("x", "a", "W", "b")),
             {"the prior's mean": Other(lambda x, a, W, b: sigmoid(a) + 0 * x[..., :1], "condition on x"),
              "factorised, as in a restricted Boltzmann machine": Other(
                  lambda x, a, W, b: sigmoid(a + np.dot(x, W)),
                  "the latent units of a directed model depend on one another given x"),
              "every h equally likely before x": Other(lambda x, a, W, b: posterior_mean(x, 0 * a, W, b),
                                                       "weigh with p(h)"),
              "the posterior not normalised": Other(
                  lambda x, a, W, b: posterior_mean(x, a, W, b) * np.exp(log_marginal(x, a, W, b))[..., None],
                  "divide by p(x)")}),
    Contract("sbn_score_theta", "the gradient of log p(x, h) in a, W and b, for every row", "ou2018 Eq. 10, line 1",
             (*ROWS, *THETA), "(N, H), (N, D, H), (N, D): in a, W, b", score_theta,
             values(cases_of("x", "h", "a", "W", "b", batches=((1,), (3,), (5,)))),
             {**mistakes_of(THETA_MISTAKES, score_theta),
              "of minus the log-density": Other(lambda *s: negative(score_theta(*s)), SIGN)}),
    Contract("sbn_score_phi", "the gradient of log q(h|x) in V and c, for every row", "ou2018 Eq. 10, line 2",
             (*ROWS, *PHI), "(N, H, D), (N, H): in V, c", score_phi,
             values(cases_of("x", "h", "V", "c", batches=((1,), (3,), (5,)))),
             {**mistakes_of(PHI_MISTAKES, score_phi),
              "of minus the log-density": Other(lambda *s: negative(score_phi(*s)), SIGN)}),
    Contract("wake_phase_gradient", "wake-sleep's gradient in theta: the mean of dlog p(x, h)/dtheta, x from the data "
             "and h ~ q(h|x)", "ou2018 Eq. 18, line 1; Algorithm 3", (*ROWS, *THETA), "(H,), (D, H), (D,): in a, W, b",
             over_rows(score_theta), values(cases_of("x", "h", "a", "W", "b", batches=((2,), (3,), (5,)))),
             {**phase_mistakes(score_theta), **mistakes_of(THETA_MISTAKES, score_theta, over_rows)},
             {"the loss's gradient, to be descended": Other(over_rows(lambda *s: negative(score_theta(*s))), SIGN)}),
    Contract("sleep_phase_gradient", "wake-sleep's gradient in phi: the mean of dlog q(h|x)/dphi over dreams (x, h) "
             "from the model", "ou2018 Eq. 18, line 2; Algorithm 3", (*ROWS, *PHI), "(H, D), (H,): in V, c",
             over_rows(score_phi), values(cases_of("x", "h", "V", "c", batches=((2,), (3,), (5,)))),
             {**phase_mistakes(score_phi), **mistakes_of(PHI_MISTAKES, score_phi, over_rows)},
             {"the loss's gradient, to be descended": Other(over_rows(lambda *s: negative(score_phi(*s))), SIGN)}),
]
