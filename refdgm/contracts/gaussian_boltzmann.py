r"""Contracts of the RBM with Gaussian visible units (Cho, Ilin and Raiko 2011; its likelihood as ou2018 Sec. 4.2).

    E(v, h) = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_ij v_i w_ij h_j / sigma_i^2 - c'h
    p(v|h)  = N(v; b + wh, diag sigma^2),        p(h_j = 1|v) = sigmoid(c_j + sum_i v_i w_ij / sigma_i^2)

Others have weights without a unit, w_ij / sigma_i here: their mean is b + sigma wh, their logits v_i w_ij / sigma_i.
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import gaussian_rbm
from refdgm.numerics import LOG_2PI, gaussian_log_prob, log_mean_exp, sigmoid
from refdgm.values import values

V = Argument("v", "(B, D)", "visible units, real")
H = Argument("h", "(B, H)", "hidden units, zeros and ones", "bits")
MACHINE = (Argument("w", "(D, H)", "weights, in units of v"), Argument("b", "(D,)", "visible biases, in units of v"),
           Argument("c", "(H,)", "hidden biases"), Argument("sigma", "(D,)", "standard deviations of v given h"))
GRADIENTS = ("w", "b", "c", "sigma")
UNITLESS = "your w is w / sigma here: the same machines, other numbers"
SQUARE = "sigma is a standard deviation: divide by its square"


def machine(w, b, c, sigma):
    return {"w": w, "b": b, "c": c, "sigma": sigma}


def cases_with(rows):
    """Machines of several shapes with rows for the layers "v", "h" and the noise "eps", as asked for."""
    def cases(seed):
        rng = onp.random.default_rng(seed)

        def case(label, B, D, H, scale=1.0, spread=1.0, hard=False):
            theta = gaussian_rbm.random_theta(rng, D, H)
            layers = {"v": 2 * rng.normal(size=(B, D)), "h": 1.0 * (rng.random((B, H)) < 0.6),
                      "eps": rng.normal(size=(B, D))}
            return Case(label, {**{name: layers[name] for name in rows}, "w": scale * theta["w"], "b": theta["b"],
                                "c": theta["c"], "sigma": spread * theta["sigma"]}, hard)
        for B, D, H in ((1, 3, 2), (2, 2, 3), (4, 3, 1), (3, 1, 2)):
            yield case(f"B = {B}, D = {D}, H = {H}", B, D, H)
        yield case("weights near 1e3", 2, 3, 2, scale=1e3, hard=True)
        yield case("sigma near 0.01", 2, 3, 2, spread=0.01, hard=True)
        yield case("no row at all", 0, 3, 2, hard=True)
    return cases


def of(function):
    """A function of the model's theta as one of w, b, c and sigma."""
    return lambda *args: function(machine(*args[-4:]), *args[:-4])


energy, free_energy = of(gaussian_rbm.energy), of(gaussian_rbm.free_energy)
hidden_logits, log_likelihood = of(gaussian_rbm.hidden_logits), of(gaussian_rbm.log_marginal)
visible_mean = of(gaussian_rbm.visible_mean)


def sample_visible(h, eps, w, b, c, sigma, noise=lambda sigma: sigma):
    return visible_mean(h, w, b, c, sigma) + noise(sigma) * eps


def sampled(**changed):
    return lambda *a: sample_visible(*a, **changed)


def unitless(function):
    """The function with the weights that others have."""
    return lambda *a: function(*a[:-4], a[-4] * a[-1][:, None], *a[-3:])


def at(function, w=lambda w, sigma: w, b=lambda b: b, c=lambda c: c, sigma=lambda sigma: sigma):
    """The function at other parameters."""
    return lambda *a: function(*a[:-4], w(a[-4], a[-1]), b(a[-3]), c(a[-2]), sigma(a[-1]))


def quadratic(v, b, sigma):
    return np.sum((v - b)**2 / (2 * sigma**2), axis=-1)


def plus_quadratic(function, factor):
    """The function with `factor` times the visible units' quadratic more."""
    return lambda v, *a: function(v, *a) + factor * quadratic(v, a[-3], a[-1])


def without_constant(function):
    """-b_i^2 / (2 sigma_i^2): Welling's form, v^2 / 2 - b v, over sigma^2."""
    return lambda *a: function(*a) - np.sum(a[-3]**2 / (2 * a[-1]**2))


def free_energy_of(of_hidden):
    return lambda v, w, b, c, sigma: quadratic(v, b, sigma) - np.sum(
        of_hidden(hidden_logits(v, w, b, c, sigma)), axis=-1)


def log_normaliser(sigma):
    return len(sigma) * LOG_2PI / 2 + np.sum(np.log(sigma))


def even_mixture(v, *m):
    """The components N(b + wh, diag sigma^2), all as likely."""
    _, means = gaussian_rbm.mixture(machine(*m))
    return log_mean_exp(gaussian_log_prob(v[:, None, :], means, m[-1]**2))


IN_ENERGIES = {"sigma not squared": lambda f: (at(f, sigma=np.sqrt), SQUARE),
               "as if sigma were one": lambda f: (at(f, sigma=lambda s: 0 * s + 1.0), "divide by sigma^2"),
               "no 1/2": lambda f: (plus_quadratic(f, 1.0), "the quadratic is half of ((v - b) / sigma)^2"),
               "the quadratic with a minus": lambda f: (plus_quadratic(f, -2.0), "the energy grows with |v|"),
               "hidden biases forgotten": lambda f: (at(f, c=lambda c: 0 * c), "c belongs to the hidden units"),
               "visible biases forgotten": lambda f: (at(f, b=lambda b: 0 * b), "the quadratic is about b"),
               "w not divided by sigma^2": lambda f: (at(f, w=lambda w, s: w * s[:, None]**2),
                                                      "v'wh is over sigma^2, as the quadratic is")}


def in_energy(function):
    return {name: Other(*make(function)) for name, make in IN_ENERGIES.items()}


def same_machines(function):
    return {"weights without a unit": Other(unitless(function), UNITLESS),
            "without b^2 / (2 sigma^2)": Other(without_constant(function),
                                               "a constant in v: log Z changes by as much, p does not"),
            "weights without a unit, without b^2 / (2 sigma^2)": Other(without_constant(unitless(function)),
                                                                       "both change no p"),
            "the potential: minus the energy": Other(lambda *a: -function(*a), "you return u = -E or -F")}


CONTRACTS = [
    Contract("gaussian_rbm_energy", "E(v, h) = sum_i (v_i - b_i)^2 / (2 sigma_i^2) - sum_ij v_i w_ij h_j / sigma_i^2 - "
             "c'h", "Cho, Ilin and Raiko 2011", (V, H, *MACHINE), "(B,): an energy for each pair", energy,
             values(cases_with(("v", "h")), GRADIENTS),
             {**in_energy(energy),
              "the interaction with +": Other(at(energy, w=lambda w, s: -w, c=lambda c: -c),
                                              "v'wh and c'h have a minus")}, same_machines(energy)),
    Contract("gaussian_rbm_free_energy", "F(v) = -log sum_h exp(-E(v, h)), the quadratic of v less sum_j "
             "softplus(logit_j)", "Cho, Ilin and Raiko 2011; bachman2015 Eq. 38", (V, *MACHINE), "(B,): in nats",
             free_energy, values(cases_with(("v",)), GRADIENTS),
             {**in_energy(free_energy),
              "softplus added": Other(free_energy_of(lambda a: -np.logaddexp(0, a)), "subtract the softplus terms"),
              "softplus(-a)": Other(free_energy_of(lambda a: np.logaddexp(0, -a)), "softplus(a) = log(1 + exp(a))"),
              "the quadratic of bits: -b'v": Other(
                  lambda v, *m: free_energy(v, *m) - quadratic(v, m[1], m[3]) - np.dot(v, m[1]),
                  "visible units are real here: (v - b)^2 / (2 sigma^2)"),
              "overflows": Other(free_energy_of(lambda a: np.log(1 + np.exp(a))), "use a softplus that does not")},
             same_machines(free_energy)),
    Contract("gaussian_rbm_hidden_probabilities", "p(h_j = 1|v) = sigmoid(c_j + sum_i v_i w_ij / sigma_i^2)",
             "Cho, Ilin and Raiko 2011", (V, *MACHINE), "(B, H): probabilities",
             lambda *a: sigmoid(hidden_logits(*a)), values(cases_with(("v",))),
             {"as if sigma were one": Other(
                 lambda *a: sigmoid(at(hidden_logits, sigma=lambda s: 0 * s + 1.0)(*a)), "divide v by sigma^2"),
              "v less its bias": Other(lambda v, *m: sigmoid(hidden_logits(v - m[1], *m)), "v enters as it is"),
              "the bias forgotten": Other(lambda *a: sigmoid(at(hidden_logits, c=lambda c: 0 * c)(*a)), "add c"),
              "p(h_j = 0|v)": Other(lambda *a: sigmoid(-hidden_logits(*a)), "the logit has a plus"),
              "0 or 1 by a threshold": Other(lambda *a: 1.0 * (hidden_logits(*a) > 0), "return probabilities")},
             {"weights without a unit": Other(lambda *a: sigmoid(unitless(hidden_logits)(*a)), UNITLESS)}),
    Contract("gaussian_rbm_visible_mean", "E[v|h] = b + wh", "Cho, Ilin and Raiko 2011", (H, *MACHINE),
             "(B, D): in units of v", visible_mean, values(cases_with(("h",))),
             {"the bias forgotten": Other(at(visible_mean, b=lambda b: 0 * b), "add b"),
              "a sigmoid of it": Other(lambda *a: sigmoid(visible_mean(*a)), "the units are Gaussian: no sigmoid"),
              "w reshaped, not transposed": Other(lambda h, w, b, c, s: h @ w.reshape(w.T.shape) + b,
                                                  "transpose w (H, D): reshape or view mixes its entries"),
              "sigma^2 (b + wh)": Other(lambda *a: a[-1]**2 * visible_mean(*a), "w and b have the unit of v already"),
              "b + sigma^2 wh": Other(at(visible_mean, w=lambda w, s: w * s[:, None]**2),
                                      "with this energy the precision cancels")},
             {"weights without a unit": Other(unitless(visible_mean), UNITLESS)}),
    Contract("gaussian_rbm_visible_sample", "a draw of v given h, its noise given: b + wh + sigma eps",
             "Cho, Ilin and Raiko 2011", (H, Argument("eps", "(B, D)", "standard normal noise"), *MACHINE),
             "(B, D): the draw", sample_visible, values(cases_with(("h", "eps"))),
             {"the mean: no noise": Other(sampled(noise=lambda s: 0 * s), "add sigma eps: the mean is no sample"),
              "noise of variance one": Other(sampled(noise=lambda s: 0 * s + 1.0), "multiply eps by sigma"),
              "sigma^2 eps": Other(sampled(noise=np.square), "sigma is a standard deviation already"),
              "sqrt(sigma) eps": Other(sampled(noise=np.sqrt), "sigma is a standard deviation, no variance"),
              "exp(sigma) eps": Other(sampled(noise=np.exp), "sigma is given, not its logarithm"),
              "the bias forgotten": Other(at(sample_visible, b=lambda b: 0 * b), "add b")},
             {"weights without a unit": Other(unitless(sample_visible), UNITLESS),
              "the noise with a minus": Other(sampled(noise=lambda s: -s), "the same law")}),
    Contract("gaussian_rbm_log_likelihood", "log p(v) = -F(v) - log Z, Z summed over h and integrated over v",
             "Cho, Ilin and Raiko 2011; ou2018 Sec. 4.2", (V, *MACHINE), "(B,): in nats", log_likelihood,
             values(cases_with(("v",)), GRADIENTS),
             {"log Z forgotten": Other(lambda *a: -free_energy(*a), "subtract log Z"),
              "sqrt(2 pi) sigma forgotten": Other(lambda *a: log_likelihood(*a) + log_normaliser(a[-1]),
                                                  "the integral over v gives prod_i sqrt(2 pi) sigma_i"),
              "sigma forgotten in Z": Other(lambda *a: log_likelihood(*a) + np.sum(np.log(a[-1])),
                                            "the integral over v gives prod_i sqrt(2 pi) sigma_i"),
              "all h as likely": Other(even_mixture, "p(h) is no uniform law: exp(c'h + ((b + wh)^2 - b^2) / (2 "
                                       "sigma^2))"),
              "log Z added": Other(lambda *a: -2 * free_energy(*a) - log_likelihood(*a), "subtract log Z"),
              "one number for the batch": Other(lambda *a: np.mean(log_likelihood(*a)), "one for each row")},
             {"the loss": Other(lambda *a: -log_likelihood(*a), "you return the loss, to be minimised"),
              "weights without a unit": Other(unitless(log_likelihood), UNITLESS)}),
]
