r"""Contracts of restricted Boltzmann machines on bits (bachman2015 Sec. 5.4, Eqs. 38-44; ou2018 Sec. 4.2.1).

    E(v, h) = -v'wh - b'v - c'h,     p(v, h) = exp(-E) / Z,     F(v) = -log sum_h exp(-E) = -log p(v) - log Z
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import rbm
from refdgm.numerics import all_binary, bernoulli_log_prob, log_mean_exp, log_sigmoid, log_sum_exp, sigmoid
from refdgm.values import values

V = Argument("v", "(B, D)", "visible units, zeros and ones", "bits")
H = Argument("h", "(B, H)", "hidden units, zeros and ones", "bits")
MACHINE = (Argument("w", "(D, H)", "weights"), Argument("b", "(D,)", "visible biases"),
           Argument("c", "(H,)", "hidden biases"))
OVERFLOW = "use a softplus, log-sum-exp or sigmoid that does not overflow"


def machine(w, b, c):
    return {"w": w, "b": b, "c": c}


def cases_with(rows, empty=False):
    """Machines of several shapes with bits for the layers in `rows`, "v", "h", or both; hard ones at the end."""
    def cases(seed):
        rng = onp.random.default_rng(seed)

        def case(label, B, D, H, scale=1.0, hard=False):
            units = {name: 1.0 * (rng.random((B, {"v": D, "h": H}[name])) < 0.6) for name in rows}
            return Case(label, {**units, "w": scale * rng.normal(size=(D, H)), "b": scale * rng.normal(size=D),
                                "c": scale * rng.normal(size=H)}, hard)
        for B, D, H in ((1, 3, 2), (3, 2, 1), (2, 1, 3), (2, 3, 2)):
            yield case(f"B = {B}, D = {D}, H = {H}" if rows else f"D = {D}, H = {H}", B, D, H)
        yield case("one unit in each layer", 2, 1, 1, hard=True)
        yield case("weights and biases near 1e3", 6, 3, 2, 1e3, hard=True)
        if empty:
            yield case("no row at all", 0, 3, 2, hard=True)
    return cases


def of(function):
    """A function of rbm's theta as one of w, b and c."""
    return lambda *args: function(machine(*args[-3:]), *args[:-3])


def energy_with(w=-1.0, b=-1.0, c=-1.0):
    return lambda v, h, *m: (w * np.sum(np.dot(v, m[0]) * h, axis=-1) + b * np.dot(v, m[1]) + c * np.dot(h, m[2]))


energy, free_energy = of(rbm.energy), of(rbm.free_energy)
log_partition, log_likelihood = of(rbm.log_partition), of(rbm.log_marginal)


def activation(v, w, b, c):
    return np.dot(v, w) + c


def hidden_probabilities(v, w, b, c):
    return sigmoid(rbm.hidden_logits(machine(w, b, c), v))


def visible_probabilities(h, w, b, c):
    return sigmoid(rbm.visible_logits(machine(w, b, c), h))


def free_energy_with(of_hidden, b=1.0):
    return lambda v, *m: -b * np.dot(v, m[1]) - np.sum(of_hidden(activation(v, *m)), axis=-1)


naive_free_energy = free_energy_with(lambda a: np.log(1 + np.exp(a)))


def log_partition_with(over_states):
    """log Z from over_states(-F of every visible state, states)."""
    def log_z(*m):
        v = all_binary(onp.shape(m[0])[0])
        return over_states(-free_energy(v, *m), v, m)
    return log_z


naive_log_partition = log_partition_with(lambda a, v, m: np.log(np.sum(np.exp(a))))


def flips(v, *m):
    """log p(v_i | the others) is log sigmoid of these: F with bit i flipped, less F.  -> (B, D)"""
    flipped = onp.abs(v[:, None, :] - onp.eye(v.shape[1]))
    return free_energy(flipped, *m) - free_energy(v, *m)[:, None]


def pseudo_log_likelihood(v, *m):
    return np.sum(log_sigmoid(flips(v, *m)), axis=-1)


LOSS = {"the loss: minus the log-likelihood": Other(lambda *a: -log_likelihood(*a), "you return the loss")}
GRADIENTS = ("w", "b", "c")

CONTRACTS = [
    Contract("rbm_energy", "E(v, h) = -v'wh - b'v - c'h", "bachman2015 Eq. 39", (V, H, *MACHINE),
             "(B,): an energy for each pair", energy, values(cases_with("vh", True), GRADIENTS),
             {"the energy printed with +": Other(lambda *a: -energy(*a), "all three terms have a minus: the likelier "
                                                 "the state, the lower its energy"),
              "biases with +": Other(energy_with(-1.0, 1.0, 1.0), "all three terms have a minus"),
              "visible biases forgotten": Other(energy_with(b=0.0), "subtract b'v"),
              "hidden biases forgotten": Other(energy_with(c=0.0), "subtract c'h"),
              "half of v'wh": Other(energy_with(w=-0.5), "each pair (i, j) is there once: no 1/2"),
              "one number for the batch": Other(lambda *a: np.mean(energy(*a)), "return one energy for each row")}),
    Contract("rbm_free_energy", "F(v) = -log sum_h exp(-E(v, h)) = -b'v - sum_j softplus((v'w + c)_j)",
             "bachman2015 Eqs. 38, 41", (V, *MACHINE), "(B,): in nats", free_energy,
             values(cases_with("v", True), GRADIENTS),
             {"visible biases forgotten": Other(free_energy_with(lambda a: np.logaddexp(0, a), 0.0), "subtract b'v"),
              "visible biases with +": Other(free_energy_with(lambda a: np.logaddexp(0, a), -1.0), "subtract b'v"),
              "log of the activation, not softplus": Other(free_energy_with(lambda a: -log_sigmoid(a)),
                                                           "softplus(a) = log(1 + exp(a)), with +a"),
              "spins of -1 and 1": Other(free_energy_with(lambda a: np.logaddexp(a, -a)), "h is 0 or 1"),
              "the energy at the mean of h": Other(free_energy_with(lambda a: a * sigmoid(a)),
                                                   "sum over h inside the log: the entropy is missing"),
              "sigmoid for softplus": Other(free_energy_with(sigmoid), "log(1 + exp(a))"),
              "one number for the batch": Other(lambda *a: np.mean(free_energy(*a)), "one for each row"),
              "overflows": Other(naive_free_energy, OVERFLOW)},
             {"log Z_v: minus the free energy": Other(lambda *a: -free_energy(*a),
                                                      "you return the unnormalised log p(v), the potential u = -F")}),
    Contract("rbm_hidden_probabilities", "p(h_j = 1|v) = sigmoid((v'w + c)_j)", "bachman2015 Eq. 42", (V, *MACHINE),
             "(B, H): probabilities", hidden_probabilities, values(cases_with("v", True)),
             {"the bias forgotten": Other(lambda v, w, b, c: sigmoid(v @ w), "add c"),
              "p(h_j = 0|v)": Other(lambda *a: 1 - hidden_probabilities(*a), "the logit is +v'w + c"),
              "the logits": Other(activation, "take the sigmoid"),
              "spins of -1 and 1: twice the logit": Other(lambda *a: sigmoid(2 * activation(*a)), "h is 0 or 1"),
              "0 or 1 by a threshold": Other(lambda *a: 1.0 * (activation(*a) > 0), "return probabilities"),
              "normalised over the units": Other(
                  lambda *a: np.exp(activation(*a)) / np.exp(activation(*a)).sum(-1, keepdims=True),
                  "the units are independent: a sigmoid for each"),
              "overflows": Other(lambda *a: np.exp(activation(*a)) / (1 + np.exp(activation(*a))), OVERFLOW)}),
    Contract("rbm_visible_probabilities", "p(v_i = 1|h) = sigmoid((wh + b)_i)", "bachman2015 Sec. 5.4", (H, *MACHINE),
             "(B, D): probabilities", visible_probabilities, values(cases_with("h", True)),
             {"the bias forgotten": Other(lambda h, w, b, c: sigmoid(h @ w.T), "add b"),
              "p(v_i = 0|h)": Other(lambda *a: 1 - visible_probabilities(*a), "the logit is +wh + b"),
              "w reshaped, not transposed": Other(lambda h, w, b, c: sigmoid(h @ w.reshape(w.T.shape) + b),
                                                  "transpose w (H, D): reshape or view mixes its entries"),
              "0 or 1 by a threshold": Other(lambda h, w, b, c: 1.0 * (h @ w.T + b > 0), "return probabilities")}),
    Contract("rbm_log_partition", "log Z = log sum_v,h exp(-E(v, h)), exactly", "bachman2015 Sec. 5.4", MACHINE,
             "(): in nats", log_partition, values(cases_with(""), GRADIENTS),
             {"the sign of the free energy": Other(log_partition_with(lambda a, v, m: log_sum_exp(-a)),
                                                   "sum exp(-F(v))"),
              "-log Z": Other(lambda *m: -log_partition(*m), "Z is the sum, its log has a plus"),
              "hidden units all on": Other(
                  log_partition_with(lambda a, v, m: log_sum_exp(v @ m[1] + np.sum(activation(v, *m), axis=-1))),
                  "each hidden unit gives a factor 1 + exp(a_j)"),
              "the mean over the states": Other(log_partition_with(lambda a, v, m: log_mean_exp(a)), "sum, no 2**-D"),
              "overflows": Other(naive_log_partition, OVERFLOW)}),
    Contract("rbm_log_likelihood", "log p(v) = -F(v) - log Z, log Z by a sum over all states", "bachman2015 Eq. 38",
             (V, *MACHINE), "(B,): in nats", log_likelihood, values(cases_with("v", True), GRADIENTS),
             {"log Z forgotten": Other(lambda *a: -free_energy(*a), "subtract log Z: it moves with w, b and c"),
              "log Z added": Other(lambda v, *m: log_partition(*m) - free_energy(v, *m), "subtract log Z"),
              "+F": Other(lambda v, *m: free_energy(v, *m) - log_partition(*m), "log p(v) = -F(v) - log Z"),
              "Z of a machine without weights": Other(
                  lambda v, w, b, c: -free_energy(v, w, b, c) - log_partition(0 * w, b, c), "Z depends on w"),
              "one number for the batch": Other(lambda *a: np.mean(log_likelihood(*a)), "one for each row"),
              "overflows": Other(lambda v, *m: -naive_free_energy(v, *m) - naive_log_partition(*m), OVERFLOW)}, LOSS),
    Contract("rbm_pseudo_log_likelihood", "sum_i log p(v_i | all other v) = sum_i log sigmoid(F(v with v_i flipped) - "
             "F(v))", "yu2020 Sec. 2.3, CD-1 of single flips", (V, *MACHINE), "(B,): in nats", pseudo_log_likelihood,
             values(cases_with("v", True), GRADIENTS),
             {"F(v) - F(flipped)": Other(lambda *a: np.sum(log_sigmoid(-flips(*a)), axis=-1), "the flipped one first"),
              "the mean over the units": Other(lambda *a: np.mean(log_sigmoid(flips(*a)), axis=-1), "sum over i"),
              "the log forgotten": Other(lambda *a: np.sum(sigmoid(flips(*a)), axis=-1), "take logs"),
              "the reconstruction: given the mean of h": Other(
                  lambda v, *m: bernoulli_log_prob(v, np.dot(hidden_probabilities(v, *m), m[0].T) + m[1]),
                  "h was found from v_i itself: sum h out, with the free energy"),
              "overflows": Other(lambda *a: -np.sum(np.log(1 + np.exp(-flips(*a))), axis=-1), OVERFLOW)},
             {"the loss": Other(lambda *a: -pseudo_log_likelihood(*a), "you return the loss, to be minimised")}),
]
