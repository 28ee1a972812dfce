r"""Contracts of Boltzmann machines: one layer, a lattice, two hidden layers (ou2018 Sec. 4.1; Ackley et al. 1985).

    Boltzmann      E(x) = -x'Jx / 2 - b'x, J symmetric with a zero diagonal, x of 0 and 1
    Ising          E(s) = -beta sum over bonds s s' - field sum s, spins of -1 and 1 on a torus
    deep (DBM)     E(v, h1, h2) = -v'W1 h1 - h1'W2 h2 - b'v - c1'h1 - c2'h2
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models import boltzmann, dbm, ising
from refdgm.numerics import bernoulli_log_prob, log_sigmoid, sigmoid
from refdgm.values import values

FULL = (Argument("x", "(B, n)", "units, zeros and ones", "bits"),
        Argument("J", "(n, n)", "couplings, symmetric, zero on the diagonal"), Argument("b", "(n,)", "biases"))
LATTICE = (Argument("spins", "(B, R, C)", "spins, -1 and 1"), Argument("beta", "", "the coupling", "number"),
           Argument("field", "", "the field", "number"))
V = Argument("v", "(B, D)", "visible units, zeros and ones", "bits")
LAYERS = (V, Argument("h1", "(B, H)", "the middle layer, zeros and ones", "bits"),
          Argument("h2", "(B, G)", "the top layer, zeros and ones", "bits"))
DEEP = (Argument("W1", "(D, H)", "weights between v and h1"), Argument("W2", "(H, G)", "weights between h1 and h2"),
        Argument("b", "(D,)", "biases of v"), Argument("c1", "(H,)", "biases of h1"),
        Argument("c2", "(G,)", "biases of h2"))
WEIGHTS = ("W1", "W2", "b", "c1", "c2")
MEANS = (Argument("mu1", "(B, H)", "means of h1 under q"), Argument("mu2", "(B, G)", "means of h2 under q"))


def potential(function):
    return {"the potential: minus the energy": Other(lambda *a: -function(*a), "you return u = -E")}


# ---- one layer --------------------------------------------------------------------------

def full_cases(seed):
    rng = onp.random.default_rng(seed)
    for label, B, n, scale in (("B = 1, n = 3", 1, 3, 1.0), ("B = 4, n = 5", 4, 5, 1.0), ("B = 3, n = 2", 3, 2, 1.0),
                               ("couplings near 1e3", 2, 4, 1e3), ("no row at all", 0, 3, 1.0)):
        theta = boltzmann.random_theta(rng, n, scale)
        yield Case(label, {"x": 1.0 * (rng.random((B, n)) < 0.6), "J": theta["J"], "b": theta["b"]},
                   hard=scale > 1 or B == 0)


def full_energy(x, J, b):
    return boltzmann.energy({"J": J, "b": b}, x)


def conditional_logits(x, J, b):
    return boltzmann.logits({"J": J, "b": b}, x)


def conditionals(*a):
    return sigmoid(conditional_logits(*a))


def pseudo_log_likelihood(x, J, b):
    return bernoulli_log_prob(x, conditional_logits(x, J, b))


def at(function, J=lambda J: J, b=lambda b: b):
    return lambda x, *m: function(x, J(m[0]), b(m[1]))


def in_conditionals(function):
    return {"the bias forgotten": Other(at(function, b=lambda b: 0 * b), "add b"),
            "half of the couplings": Other(at(function, J=lambda J: J / 2), "x'Jx / 2 has each pair twice"),
            "twice the couplings": Other(at(function, J=lambda J: 2 * J), "x'Jx / 2 has each pair twice"),
            "spins of -1 and 1": Other(lambda x, J, b: function(x, 4 * J, 2 * b - 2 * np.sum(J, axis=0)),
                                       "the units are 0 and 1"),
            "the units before i alone": Other(at(function, J=onp.triu), "condition on all other units")}


# ---- a lattice --------------------------------------------------------------------------

def lattice_cases(seed):
    rng = onp.random.default_rng(seed)
    for B, R, C in ((1, 2, 3), (2, 3, 4), (3, 4, 2)):
        yield Case(f"B = {B}, {R} x {C} spins", {"spins": rng.choice([-1.0, 1.0], (B, R, C)),
                                                 "beta": rng.uniform(0.3, 1.0), "field": rng.uniform(0.2, 0.8)})
    yield Case("all spins up, beta = 1e4", {"spins": onp.ones((2, 3, 4)), "beta": 1e4, "field": -0.5}, hard=True)
    yield Case("no lattice at all", {"spins": onp.ones((0, 3, 4)), "beta": 0.4, "field": 0.1}, hard=True)


def ising_energy(spins, beta, field):
    return ising.energy({"beta": beta, "field": field}, spins)


def ising_conditionals(spins, beta, field, neighbours=ising.neighbours):
    return sigmoid(ising.logit({"beta": beta, "field": field}, neighbours(spins)))


def open_energy(s, beta, field):
    bonds = (s[:, :, 1:] * s[:, :, :-1]).sum(axis=(1, 2)) + (s[:, 1:] * s[:, :-1]).sum(axis=(1, 2))
    return -beta * bonds - field * s.sum(axis=(1, 2))


def open_neighbours(s):
    wide = np.pad(s, ((0, 0), (1, 1), (1, 1)))
    return wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]


# ---- two hidden layers ------------------------------------------------------------------

def deep_cases(*rows, rounds=(), scale=1.0):
    """Machines of several shapes with a batch, weights near `scale`; rounds: how many, one for each case."""
    def cases(seed):
        rng = onp.random.default_rng(seed)
        sizes = ((1, 3, 2, 1), (2, 1, 3, 1), (2, 2, 1, 3), (6, 3, 2, 2), (0, 3, 2, 2))
        for i, (B, D, H, G) in enumerate(sizes):
            theta = dbm.random_theta(rng, D, H, G, 1e3 if i == 3 else scale)
            layers = {name: 1.0 * (rng.random((B, n)) < 0.6) for name, n in (("v", D), ("h1", H), ("h2", G))}
            layers |= {"mu1": rng.uniform(0.05, 0.95, (B, H)), "mu2": rng.uniform(0.05, 0.95, (B, G)) * (i != 3)}
            label = {3: "weights near 1e3", 4: "no row at all"}.get(i, f"B = {B}, D = {D}, H = {H}, G = {G}")
            yield Case(label, {**{name: layers[name] for name in rows}, **theta,
                               **({"rounds": rounds[i]} if rounds else {})}, hard=i > 2)
    return cases


def deep(function):
    """A function of dbm's theta as one of five arrays, before them the layers."""
    return lambda *a: function(dict(zip(WEIGHTS, a[-5:], strict=True)), *a[:-5])


deep_energy, deep_log_likelihood = deep(dbm.energy), deep(dbm.log_marginal)


def deep_bound(v, mu1, mu2, *a):
    """dbm.bound, whose means are checked to be probabilities to the last digit: in float64."""
    return deep(dbm.bound)(v, onp.asarray(mu1, float), onp.asarray(mu2, float), *a)


def without(function, name):
    """The function as if a parameter were zero."""
    i = WEIGHTS.index(name) - 5
    return lambda *a: function(*(0 * part if k == len(a) + i else part for k, part in enumerate(a)))


def mean_field(v, *a):
    return dbm.mean_field(dict(zip(WEIGHTS, a[:5], strict=True)), v, a[5])


def sweeps(start=0.5, doubled=1.0, at_once=False, top=1.0):
    """mean_field with another start, the weights from below doubled, both layers at once, or none from above."""
    def means(v, W1, W2, b, c1, c2, rounds):
        mu1 = onp.full((len(v), len(c1)), 0.5)
        mu2 = onp.full((len(v), len(c2)), start)
        for _ in range(rounds):
            new = sigmoid(doubled * v @ W1 + top * mu2 @ W2.T + c1)
            mu2 = sigmoid((mu1 if at_once else new) @ W2 + c2)
            mu1 = new
        return mu1, mu2
    return means


def entropy_of(v, mu1, mu2, *a):
    return deep_bound(v, mu1, mu2, *a) + deep_energy(v, mu1, mu2, *a) + deep(dbm.log_partition)(*a)


def with_log_z(v, mu1, mu2, *a):
    return deep_bound(v, mu1, mu2, *a) + deep(dbm.log_partition)(*a)


CONTRACTS = [
    Contract("boltzmann_machine_energy", "E(x) = -x'Jx / 2 - b'x", "Ackley, Hinton and Sejnowski 1985", FULL,
             "(B,): an energy for each row", full_energy, values(full_cases, ("b",)),
             {"every pair twice: no 1/2": Other(at(full_energy, J=lambda J: 2 * J), "J is symmetric: halve x'Jx"),
              "biases with +": Other(at(full_energy, b=lambda b: -b), "subtract b'x"),
              "the bias forgotten": Other(at(full_energy, b=lambda b: 0 * b), "subtract b'x"),
              "spins of -1 and 1": Other(lambda x, *m: full_energy(2 * x - 1, *m), "the units are 0 and 1"),
              "one number for the batch": Other(lambda *a: np.mean(full_energy(*a)), "one for each row")},
             potential(full_energy)),
    Contract("boltzmann_machine_conditionals", "p(x_i = 1 | all other x) = sigmoid((Jx + b)_i)",
             "Ackley, Hinton and Sejnowski 1985", FULL, "(B, n): probabilities", conditionals, values(full_cases),
             {**in_conditionals(conditionals),
              "p(x_i = 0)": Other(lambda *a: 1 - conditionals(*a), "the logit is Jx + b"),
              "the logits": Other(conditional_logits, "take the sigmoid")}),
    Contract("boltzmann_machine_pseudo_log_likelihood", "sum_i log p(x_i | all other x)", "Besag 1975", FULL,
             "(B,): in nats", pseudo_log_likelihood, values(full_cases, ("b",)),
             {**in_conditionals(pseudo_log_likelihood),
              "the mean over the units": Other(lambda x, *m: pseudo_log_likelihood(x, *m) / x.shape[-1], "sum over i"),
              "log sigmoid of the logits, whatever x_i": Other(
                  lambda *a: np.sum(log_sigmoid(conditional_logits(*a)), axis=-1), "log sigmoid(-logit) where x_i = 0"),
              "-E(x): not normalised": Other(lambda *a: -full_energy(*a), "sum the conditionals' logs")},
             {"the loss": Other(lambda *a: -pseudo_log_likelihood(*a), "you return the loss, to be minimised")}),
    Contract("ising_energy", "E(s) = -beta sum over bonds s s' - field sum s, each bond of the torus once",
             "Ising 1925", LATTICE, "(B,): an energy for each lattice", ising_energy, values(lattice_cases),
             {"every bond twice": Other(lambda s, beta, field: ising_energy(s, 2 * beta, field),
                                        "the four neighbours of all spins count each bond twice: halve"),
              "beta with +": Other(lambda s, beta, field: ising_energy(s, -beta, field), "aligned spins: less energy"),
              "field with +": Other(lambda s, beta, field: ising_energy(s, beta, -field), "subtract field times sum s"),
              "no field": Other(lambda s, beta, field: ising_energy(s, beta, 0.0), "subtract field times sum s"),
              "open boundaries": Other(open_energy, "the lattice is a torus: row R is row 0"),
              "bonds of one direction": Other(
                  lambda s, beta, field: -beta * (s * np.roll(s, -1, -1)).sum((1, 2)) - field * s.sum((1, 2)),
                  "to the right and down"),
              "spins of 0 and 1": Other(lambda s, beta, field: ising_energy((s + 1) / 2, beta, field), "-1 and 1")},
             {**potential(ising_energy),
              "for each spin": Other(lambda s, *m: ising_energy(s, *m) / s[0].size if len(s) else ising_energy(s, *m),
                                     "you divide by the number of spins")}),
    Contract("ising_conditionals", "p(s_rc = 1 | all others) = sigmoid(2 (beta m + field)), m the four neighbours' sum",
             "Ising 1925", LATTICE, "(B, R, C): probabilities", ising_conditionals, values(lattice_cases),
             {"the 2 forgotten": Other(lambda s, beta, field: ising_conditionals(s, beta / 2, field / 2),
                                       "s jumps by 2: sigmoid(2 (beta m + field))"),
              "p(s_rc = -1)": Other(lambda *a: 1 - ising_conditionals(*a), "spins align for beta > 0"),
              "open boundaries": Other(lambda *a: ising_conditionals(*a, open_neighbours), "the lattice is a torus"),
              "the field once": Other(lambda s, beta, field: ising_conditionals(s, beta, field / 2), "2 field"),
              "the spin among its neighbours": Other(
                  lambda *a: ising_conditionals(*a, lambda s: ising.neighbours(s) + s), "four neighbours, not five"),
              "eight neighbours": Other(lambda *a: ising_conditionals(*a, lambda s: ising.neighbours(s) + sum(
                  np.roll(s, (i, j), (-1, -2)) for i in (1, -1) for j in (1, -1))), "no diagonals")}),
    Contract("dbm_energy", "E(v, h1, h2) = -v'W1 h1 - h1'W2 h2 - b'v - c1'h1 - c2'h2", "ou2018 Sec. 4.1",
             (*LAYERS, *DEEP), "(B,): an energy for each triple", deep_energy,
             values(deep_cases("v", "h1", "h2"), WEIGHTS),
             {**{f"{name} forgotten": Other(without(deep_energy, name), "five terms, each with a minus")
                 for name in WEIGHTS},
              "biases with +": Other(lambda *a: deep_energy(*a[:-3], *(-part for part in a[-3:])), "all have a minus"),
              "one number for the batch": Other(lambda *a: np.mean(deep_energy(*a)), "one for each row")},
             potential(deep_energy)),
    Contract("dbm_mean_field", "rounds of mu1 = sigmoid(v'W1 + W2 mu2 + c1), then mu2 = sigmoid(mu1'W2 + c2), from "
             "mu2 = 1/2", "Salakhutdinov and Hinton 2009", (V, *DEEP, Argument("rounds", "", "how many", "integer")),
             "(B, H), (B, G): mu1, mu2", mean_field, values(deep_cases("v", rounds=(1, 2, 3, 2, 1), scale=2.0)),
             {"nothing from above": Other(sweeps(top=0.0), "h1 has two neighbours: add W2 mu2"),
              "from mu2 = 0": Other(sweeps(start=0.0), "begin at mu2 = 1/2"),
              "both layers at once, from 1/2": Other(sweeps(at_once=True), "mu2 is found from the new mu1"),
              "the weights from below doubled": Other(sweeps(doubled=2.0), "that is for the pass that sets it off"),
              "one round short": Other(lambda *a: mean_field(*a[:-1], a[-1] - 1) if a[-1] > 1 else
                                       sweeps()(*a[:-1], 0), "make `rounds` rounds"),
              "one round too many": Other(lambda *a: mean_field(*a[:-1], a[-1] + 1), "make `rounds` rounds")}),
    Contract("dbm_bound", "E_q[-E] + H[q] - log Z, a bound on log p(v), q with independent units of means mu1, mu2",
             "Salakhutdinov and Hinton 2009", (V, *MEANS, *DEEP), "(B,): in nats", deep_bound,
             values(deep_cases("v", "mu1", "mu2"), WEIGHTS),
             {"no entropy": Other(lambda *a: deep_bound(*a) - entropy_of(*a), "add H[q]"),
              "the entropy subtracted": Other(lambda *a: deep_bound(*a) - 2 * entropy_of(*a), "add H[q]"),
              "log Z forgotten": Other(with_log_z, "subtract log Z: it moves with the weights"),
              "+ E": Other(lambda *a: deep_bound(*a) + 2 * deep_energy(*a), "subtract the energy")},
             {"the loss": Other(lambda *a: -deep_bound(*a), "you return the loss, to be minimised")}),
    Contract("dbm_log_likelihood", "log p(v) = log sum_h1,h2 exp(-E) - log Z, exactly", "ou2018 Sec. 4.1", (V, *DEEP),
             "(B,): in nats", deep_log_likelihood, values(deep_cases("v"), WEIGHTS),
             {"log Z forgotten": Other(lambda *a: deep_log_likelihood(*a) + deep(dbm.log_partition)(*a[1:]),
                                       "subtract log Z"),
              "W2 forgotten: a machine of one hidden layer": Other(without(deep_log_likelihood, "W2"),
                                                                   "sum over both hidden layers"),
              "the bound of mean field": Other(
                  lambda v, *a: deep_bound(v, *mean_field(v, *a, 30), *a), "a bound, not log p(v): sum over h2")},
             {"the loss": Other(lambda *a: -deep_log_likelihood(*a), "you return the loss, to be minimised")}),
]
