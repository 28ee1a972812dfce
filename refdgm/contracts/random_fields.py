r"""Contracts of random fields and of the generators that help to learn them (ou2018 Secs. 4.1-4.2, Eqs. 33-38, Alg. 7).

    p(x) = exp(u(x)) / Z,    u(x) = v' tanh(Wx + b) + c'x on bits,    E = -u
    dlog p(x)/dtheta = du(x)/dtheta - E_p[du/dtheta]
    exclusive generator (EAG): min KL[q || p];   inclusive generator (IAG): min KL[p || q], q(x, h) a sigmoid belief net
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import random_field
from refdgm.numerics import log_mean_exp, log_sum_exp, sigmoid, softmax
from refdgm.undirected import iag, neural_field
from refdgm.values import values

X = Argument("x", "(B, D)", "data, zeros and ones", "bits")
FIELD = (Argument("W", "(J, D)", "weights of the J hidden units"), Argument("b", "(J,)", "their biases"),
         Argument("v", "(J,)", "weights out of them"), Argument("c", "(D,)", "the linear part"))
NAMES = ("W", "b", "v", "c")


def field_cases(scale, empty):
    """Fields of several shapes with batches of bits; `scale` is that of v and c in the hard case."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for B, D, J, size in ((1, 3, 2, 1.0), (2, 2, 3, 1.0), (4, 3, 4, 1.0), (2, 3, 2, scale),
                              *(((0, 3, 2, 1.0),) if empty else ())):
            label = "no row at all" if B == 0 else f"B = {B}, D = {D}, J = {J}"
            yield Case(label if size == 1 else f"potentials near {size:g}", {
                "x": 1.0 * (rng.random((B, D)) < 0.6), "W": rng.normal(size=(J, D)), "b": rng.normal(size=J),
                "v": 2 * size * rng.normal(size=J), "c": size * rng.normal(size=D)}, hard=size > 1 or B == 0)
    return cases


def theta_of(W, b, v, c):
    return {"W": W, "b": b, "v": v, "c": c}


def potential(x, *m):
    return random_field.potential(theta_of(*m), x)


def potential_with(hidden=np.tanh, b=1.0, c=1.0):
    return lambda x, *m: np.dot(hidden(np.dot(x, m[0].T) + b * m[1]), m[2]) + c * np.dot(x, m[3])


def log_likelihood(x, *m):
    return random_field.log_prob(theta_of(*m), x)


def normalised_with(u=potential, log_z=log_sum_exp):
    """u(x) - log_z of u over all states."""
    return lambda x, *m: u(x, *m) - log_z(u(random_field.states(theta_of(*m)), *m))


def gradient(x, *m, mean=neural_field.mean_gradient, sign=-1.0, up=np.mean):
    """The mean of du/dtheta over the data, plus sign times its mean under the field."""
    theta = theta_of(*m)
    data = neural_field.summed_gradient(theta, x, onp.full(len(x), 1 / len(x) if up is np.mean else 1.0))
    model = mean(theta)
    return tuple(data[name] + sign * model[name] for name in NAMES)


def gradient_with(**changed):
    return lambda *a: gradient(*a, **changed)


def under(law):
    """E[du/dtheta] under another law of x than the field's."""
    def mean(theta):
        u = random_field.potential(theta, random_field.states(theta))
        return neural_field.summed_gradient(theta, random_field.states(theta), law(u))
    return mean


# ---- losses of values that a user's networks give ---------------------------------------

ENERGIES = (Argument("energy_data", "(B,)", "E at the data"),
            Argument("energy_model", "(C,)", "E at the model's samples"))
GENERATED = (Argument("u", "(B,)", "u(x_n)"), Argument("log_q", "(B,)", "log q(x_n)"))


def energy_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, C in ((1, 2), (2, 5), (4, 3)):
        yield Case(f"B = {B}, C = {C}", {"energy_data": 2 * rng.normal(size=B) - 1, "energy_model": rng.normal(size=C)})
    yield Case("energies near 1e4", {"energy_data": 1e4 + rng.normal(size=3), "energy_model": 1e4 * rng.normal(size=2)},
               hard=True)


def ebm_loss(energy_data, energy_model):
    return np.mean(energy_data) - np.mean(energy_model)


def generator_cases(least):
    def cases(seed):
        rng = onp.random.default_rng(seed)
        for B in (least, 3, 5):
            yield Case(f"B = {B}", {"u": 2 * rng.normal(size=B), "log_q": rng.normal(size=B) - 2})
        yield Case("u near +-1e4", {"u": 1e4 * rng.normal(size=3), "log_q": rng.normal(size=3)}, hard=True)
    return cases


def eag_loss(u, log_q):
    return np.mean(log_q - u)


def score_weights(u, log_q, baseline=np.mean, size=lambda B: B - 1):
    """(log w - baseline) / size, w = exp(u) / q: what multiplies dlog q(x_n)/dphi."""
    signal = u - log_q
    return (signal - baseline(signal)) / size(len(u))


def weights_with(**changed):
    return lambda *a: score_weights(*a, **changed)


# ---- Algorithm 7 ------------------------------------------------------------------------

DRAWS = (Argument("x_data", "(B, D)", "a minibatch of data", "bits"), Argument("x", "(B, D)", "draws of the field",
         "bits"), Argument("h", "(B, H)", "draws of q(h|x), one for each x", "bits"))
GENERATOR = (Argument("a", "(H,)", "biases of h"), Argument("G", "(D, H)", "weights from h to x"),
             Argument("g", "(D,)", "biases of x"))


def update_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, D, J, H, size in ((1, 3, 2, 4, 1.0), (2, 2, 3, 1, 1.0), (4, 3, 4, 2, 1.0), (2, 3, 2, 2, 1e3)):
        yield Case(f"B = {B}, D = {D}, J = {J}, H = {H}" if size == 1 else "weights near 1e3", {
            "x_data": 1.0 * (rng.random((B, D)) < 0.7), "x": 1.0 * (rng.random((B, D)) < 0.4),
            "h": 1.0 * (rng.random((B, H)) < 0.5), "W": size * rng.normal(size=(J, D)), "b": rng.normal(size=J),
            "v": 2 * rng.normal(size=J), "c": rng.normal(size=D), "a": rng.normal(size=H),
            "G": size * rng.normal(size=(D, H)), "g": rng.normal(size=D)}, hard=size > 1)


def iag_update(x_data, x, h, W, b, v, c, a, G, g, swap=lambda x_data, x, h: (x_data, x, h), signs=(1.0, 1.0), rows=1.0):
    """iag.update as seven arrays; `swap`, `signs` and `rows` are there to go wrong."""
    step = iag.update(theta_of(W, b, v, c), {"a": a, "W": G, "b": g}, *swap(x_data, x, h))
    return (*(rows * signs[0] * step["theta"][name] for name in NAMES),
            *(rows * signs[1] * step["phi"][name] for name in ("a", "W", "b")))


def update_with(rows=lambda B: 1.0, **changed):
    return lambda *args: iag_update(*args, rows=rows(len(args[0])), **changed)


def score_at_data(x_data, x, h, *m):
    return *iag_update(x_data, x, h, *m)[:4], *iag_update(x_data, x_data, h, *m)[4:]


def without_prior(*args):
    """The score of q(x|h) for that of q(x, h)."""
    update = iag_update(*args)
    return *update[:4], 0 * update[4], *update[5:]


def mean_code(x_data, x, h, W, b, v, c, a, G, g):
    """h from the prior's mean."""
    return *iag_update(x_data, x, h, W, b, v, c, a, G, g)[:4], *iag_update(
        x_data, x, sigmoid(a) + 0 * h, W, b, v, c, a, G, g)[4:]


CONTRACTS = [
    Contract("random_field_potential", "u(x) = v' tanh(Wx + b) + c'x", "ou2018 Eq. 33", (X, *FIELD), "(B,): log p(x), "
             "up to log Z", potential, values(field_cases(1e3, empty=True), NAMES),
             {"the linear part forgotten": Other(potential_with(c=0.0), "add c'x"),
              "hidden biases forgotten": Other(potential_with(b=0.0), "add b inside tanh"),
              "sigmoid for tanh": Other(potential_with(sigmoid), "the hidden units are tanh"),
              "no tanh": Other(potential_with(lambda a: a), "the hidden units are tanh"),
              "the tanh of the whole": Other(lambda *a: np.tanh(potential(*a)), "tanh of the hidden units alone"),
              "one number for the batch": Other(lambda *a: np.mean(potential(*a)), "one for each row")},
             {"the energy: f = -E": Other(lambda *a: -potential(*a), "you return E = -u (ou2018 footnote 14)")}),
    Contract("random_field_log_likelihood", "log p(x) = u(x) - log Z, Z a sum over all 2**D states", "ou2018 Eq. 33",
             (X, *FIELD), "(B,): in nats", log_likelihood, values(field_cases(1e3, empty=True), NAMES),
             {"log Z forgotten": Other(potential, "subtract log Z, which moves with theta"),
              "the potential taken for an energy": Other(normalised_with(lambda *a: -potential(*a)),
                                                         "p(x) = exp(u) / Z, with +u"),
              "Z a mean over the states": Other(normalised_with(log_z=log_mean_exp), "sum over the states"),
              "normalised over the batch": Other(lambda *a: potential(*a) - (log_sum_exp(potential(*a)) if len(a[0])
                                                                             else 0.0), "sum over all states"),
              "overflows": Other(normalised_with(log_z=lambda u: np.log(np.sum(np.exp(u)))), "use log-sum-exp"),
              "one number for the batch": Other(lambda *a: np.mean(log_likelihood(*a)), "one for each row")},
             {"the loss": Other(lambda *a: -log_likelihood(*a), "you return the loss, to be minimised")}),
    Contract("random_field_likelihood_gradient", "E_data[du/dtheta] - E_p[du/dtheta], the gradient of mean log p(x), "
             "exactly", "ou2018 Eq. 34", (X, *FIELD), "(J, D), (J,), (J,), (D,): to be ascended", gradient,
             values(field_cases(1e3, empty=False)),
             {"data plus model": Other(gradient_with(sign=1.0), "subtract the model's mean: it is dlog Z/dtheta"),
              "Z taken for a constant": Other(gradient_with(sign=0.0), "subtract the model's mean"),
              "all states alike for the model": Other(gradient_with(mean=under(lambda u: onp.full(len(u), 1 / len(u)))),
                                                      "weigh them by p(x)"),
              "Boltzmann weights of -u": Other(gradient_with(mean=under(lambda u: softmax(-u))), "p(x) = exp(u) / Z"),
              "at the mode only": Other(gradient_with(mean=under(lambda u: 1.0 * (u == onp.max(u)))), "a mean under p"),
              "the data summed, the model averaged": Other(gradient_with(up=np.sum), "two means")},
             {"model minus data: the loss's gradient": Other(lambda *a: tuple(-part for part in gradient(*a)),
                                                             "to be descended")}),
    Contract("ebm_loss", "stochastic maximum likelihood from energies: mean E(data) - mean E(model's samples), these "
             "held constant", "ou2018 Alg. 6; yu2020 Eq. 8", ENERGIES, "(): a number whose gradient trains", ebm_loss,
             values(energy_cases, ("energy_data", "energy_model")),
             {"the signs exchanged": Other(lambda d, m: -ebm_loss(d, m), "the energy of data must fall"),
              "the samples' energy added": Other(lambda d, m: np.mean(d) + np.mean(m), "subtract it"),
              "the data alone": Other(lambda d, m: np.mean(d), "without the samples nothing holds Z"),
              "sums": Other(lambda d, m: np.sum(d) - np.sum(m), "two means, each by its own number"),
              "both sums divided by B + C": Other(lambda d, m: (np.sum(d) - np.sum(m)) / (len(d) + len(m)),
                                                  "two means, each by its own number")}),
    Contract("eag_generator_loss", "KL[q || p] up to log Z, from x_n = G(eps_n): mean log q(x_n) - u(x_n)",
             "ou2018 Eqs. 35-36", GENERATED, "(): a number whose gradient trains q", eag_loss,
             values(generator_cases(1), ("u", "log_q")),
             {"no entropy: q seeks the mode": Other(lambda u, log_q: -np.mean(u), "add mean log q = -H[q]"),
              "+ H[q]": Other(lambda u, log_q: np.mean(-log_q - u), "the loss has -H[q]: entropy is wanted"),
              "the potential taken for an energy": Other(lambda u, log_q: np.mean(log_q + u), "subtract u"),
              "summed over the draws": Other(lambda u, log_q: np.sum(log_q - u), "average"),
              "the log of the mean weight": Other(lambda u, log_q: -log_mean_exp(u - log_q), "the mean of log w")},
             {"to be maximised": Other(lambda *a: -eag_loss(*a), "you return minus the loss")}),
    Contract("eag_score_weights", "what multiplies dlog q(x_n)/dphi, x_n ~ q, to descend KL[q || p]: (log w_n - "
             "mean log w) / (B - 1), w = exp(u) / q", "ou2018 Eq. 36", GENERATED, "(B,)", score_weights,
             values(generator_cases(2)),
             {"1/B beside a baseline with its own draw": Other(weights_with(size=lambda B: B),
                                                               "(B - 1)/B of the gradient: divide by B - 1"),
              "the entropy forgotten": Other(lambda u, log_q: score_weights(u, 0 * u), "log w = u - log q"),
              "log w = u + log q": Other(lambda u, log_q: score_weights(u, -log_q), "subtract log q"),
              "the inclusive generator's: normalised weights": Other(lambda u, log_q: softmax(u - log_q),
                                                                     "that descends KL[p || q]"),
              "summed over the draws": Other(weights_with(size=lambda B: 1.0), "average")},
             {"no baseline": Other(weights_with(baseline=lambda s: 0.0, size=lambda B: B), "unbiased, more variance"),
              "of the loss": Other(lambda *a: -score_weights(*a), "you descend")}),
    Contract("iag_update", "Algorithm 7's update at given draws: the means of du(x~)/dtheta - du(x)/dtheta and of "
             "dlog q(x, h)/dphi", "ou2018 Prop. 4, Alg. 7", (*DRAWS, *FIELD, *GENERATOR),
             "seven arrays, as W, b, v, c, a, G, g: to be added, times a step size", iag_update, values(update_cases),
             {"theta descends": Other(update_with(signs=(-1.0, 1.0)), "du(x~) - du(x): data minus model"),
              "phi descends": Other(update_with(signs=(1.0, -1.0)), "both ascend: KL[p || q] falls as E_p log q grows"),
              "no 1/B": Other(update_with(rows=lambda B: B), "average over the minibatch"),
              "the score of q at the data": Other(score_at_data, "q is fitted to the field: its score at x"),
              "the prior of h left out": Other(without_prior, "the score of q(x, h): h - sigmoid(a) is a's part"),
              "h the prior's mean": Other(mean_code, "h is drawn from q(h|x)")},
             {"the losses' gradients": Other(update_with(signs=(-1.0, -1.0)), "both to be descended")}),
]
