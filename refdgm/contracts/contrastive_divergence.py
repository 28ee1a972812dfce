r"""Contracts of what trains a restricted Boltzmann machine: likelihood, CD-k, PCD (bachman2015 Eq. 43; ou2018 Alg. 6).

    E(v, h) = -v'wh - b'v - c'h,     F(v) = -log sum_h exp(-E),     dF/dw = -v p(h|v)',  dF/db = -v,  dF/dc = -p(h|v)
"""
import autograd.numpy as np

from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.learning import rbm_learning
from refdgm.models import rbm
from refdgm.numerics import all_binary, sigmoid
from refdgm.values import values

DATA = Argument("v", "(B, D)", "a batch of data, zeros and ones", "bits")
ENDS = Argument("vk", "(B, D)", "where k Gibbs steps from v have led, zeros and ones", "bits")
CHAINS = Argument("chains", "(C, D)", "the persistent chains, C of them, zeros and ones", "bits")
MACHINE = (Argument("w", "(D, H)", "weights"), Argument("b", "(D,)", "visible biases"),
           Argument("c", "(H,)", "hidden biases"))
ASCEND = "(D, H), (D,), (H,): what to add to w, b and c, times a step size"
DESCENDED = "you return the gradient of a loss, to be descended"


def cases_with(**more):
    """Batches v and machines of several shapes; more = {argument: how many rows it has beyond those of v}."""
    def cases(seed):
        rng = onp.random.default_rng(seed)

        def case(label, B, D, H, scale=1.0, hard=False):
            rows = {name: 1.0 * (rng.random((B + n, D)) < 0.6) for name, n in {"v": 0, **more}.items()}
            return Case(label, {**rows, "w": scale * rng.normal(size=(D, H)), "b": scale * rng.normal(size=D),
                                "c": scale * rng.normal(size=H)}, hard)
        for B, D, H in ((1, 3, 2), (2, 2, 3), (4, 3, 1), (3, 4, 2)):
            yield case(f"B = {B}, D = {D}, H = {H}", B, D, H)
        yield case("one unit in each layer", 2, 1, 1, hard=True)
        yield case("weights and biases near 1e3", 6, 3, 2, 1e3, hard=True)
    return cases


def machine(w, b, c):
    return {"w": w, "b": b, "c": c}


def free_energy(v, *m):
    return rbm.free_energy(machine(*m), v)


def hidden_probabilities(v, *m):
    return sigmoid(rbm.hidden_logits(machine(*m), v))


def likelihood_gradient(v, *m):
    theta = machine(*m)
    up, down = rbm.mean_statistics(theta, onp.full(len(v), 1 / len(v)), v), rbm.model_mean(theta)
    return tuple(up[name] - down[name] for name in theta)


def contrastive_gradient(v, vk, *m):
    return tuple(rbm_learning.contrast(machine(*m), v, vk).values())


def phase(v, h, size=None):
    """The means of v h', v and h over the rows, which are len(v) unless `size` is said."""
    size = len(v) if size is None else size
    return v.T @ h / size, v.sum(axis=0) / size, h.sum(axis=0) / size


def difference(up, down, sign=-1.0):
    return tuple(a + sign * b for a, b in zip(up, down))


def phases(up=lambda v, vk, h: phase(v, h(v)), down=lambda v, vk, h: phase(vk, h(vk)), sign=-1.0,
           unit=lambda a: sigmoid(a), bias=1.0):
    """The contrast with something else in one of its places."""
    def gradient(v, vk, w, b, c):
        def h(x): return unit(x @ w + bias * c)
        return difference(up(v, vk, h), down(v, vk, h), sign)
    return gradient


def uniform_model(v, *m):
    every = all_binary(v.shape[1])
    return difference(phase(v, hidden_probabilities(v, *m)), phase(every, hidden_probabilities(every, *m)))


def negative(function):
    return lambda *a: tuple(-part for part in function(*a))


def naive_free_energy(v, w, b, c):
    return -np.dot(v, b) - np.sum(np.log(1 + np.exp(np.dot(v, w) + c)), axis=-1)


def cd_loss(v, vk, *m):
    return np.mean(free_energy(v, *m)) - np.mean(free_energy(vk, *m))


def cd_loss_of(F):
    return lambda v, vk, *m: np.mean(F(v, *m)) - np.mean(F(vk, *m))


IN_CONTRAST = {
    "the phases added": Other(phases(sign=1.0), "data minus model"),
    "no negative phase": Other(phases(sign=0.0), "subtract the model's statistics"),
    "hidden units 0 or 1 by a threshold": Other(phases(unit=lambda a: 1.0 * (a > 0)), "use their probabilities"),
    "sigma (1 - sigma) for sigma": Other(phases(unit=lambda a: sigmoid(a) * sigmoid(-a)),
                                         "the gradient of softplus is sigmoid"),
    "no bias in the hidden units": Other(phases(bias=0.0), "add c before the sigmoid"),
    "the whole batch's mean of v times that of h": Other(
        phases(lambda v, vk, h: (onp.outer(v.mean(0), h(v).mean(0)), *phase(v, h(v))[1:]),
               lambda v, vk, h: (onp.outer(vk.mean(0), h(vk).mean(0)), *phase(vk, h(vk))[1:])),
        "average the products v h', not the factors"),
}

CONTRACTS = [
    Contract("rbm_likelihood_gradient", "the gradient of the mean log p(v): the data's means of v h', v and h less the "
             "model's, exactly", "ou2018 Eq. 34", (DATA, *MACHINE), ASCEND, likelihood_gradient,
             values(cases_with()),
             {"no negative phase": Other(lambda v, *m: phase(v, hidden_probabilities(v, *m)), "subtract the model's"),
              "all states alike in the negative phase": Other(uniform_model, "weigh them by p(v)"),
              "summed data, averaged model": Other(
                  lambda v, *m: difference(likelihood_gradient(v, *m), phase(v, hidden_probabilities(v, *m)),
                                           len(v) - 1.0), "divide the data's sum by B"),
              "one row of data only": Other(lambda v, *m: likelihood_gradient(v[:1], *m), "average over the batch")},
             {"the gradient of the loss": Other(negative(likelihood_gradient), DESCENDED)}),
    Contract("cd_gradient", "one draw of CD-k: the mean of v p(h|v)', v, p(h|v) over the data less that over the ends "
             "vk of k Gibbs steps", "bachman2015 Eqs. 43-44", (DATA, ENDS, *MACHINE), ASCEND, contrastive_gradient,
             values(cases_with(vk=0)),
             {**IN_CONTRAST,
              "the data's h in the negative phase": Other(
                  phases(down=lambda v, vk, h: (vk.T @ h(v) / len(v), *phase(vk, h(vk))[1:])), "use p(h|vk)"),
              "the data in the negative phase, h of its end": Other(
                  phases(down=lambda v, vk, h: (v.T @ h(vk) / len(v), *phase(vk, h(vk))[1:])), "vk with p(h|vk)")},
             {"the gradient of the loss": Other(negative(contrastive_gradient), DESCENDED),
              "summed over the batch": Other(
                  phases(lambda v, vk, h: phase(v, h(v), 1), lambda v, vk, h: phase(vk, h(vk), 1)),
                  "you return B times the mean: the step size must know")}),
    Contract("pcd_gradient", "stochastic maximum likelihood: the mean of v p(h|v)', v, p(h|v) over a batch less that "
             "over chains that are never reset", "ou2018 Alg. 6", (DATA, CHAINS, *MACHINE), ASCEND,
             contrastive_gradient, values(cases_with(chains=2)),
             {**IN_CONTRAST,
              "the chains' sum divided by B": Other(
                  phases(down=lambda v, vk, h: phase(vk, h(vk), len(v))), "divide by the number of chains"),
              "both sums divided by B + C": Other(
                  phases(lambda v, vk, h: phase(v, h(v), len(v) + len(vk)),
                         lambda v, vk, h: phase(vk, h(vk), len(v) + len(vk))), "two means, each by its own number"),
              "sums, not means": Other(phases(lambda v, vk, h: phase(v, h(v), 1), lambda v, vk, h: phase(vk, h(vk), 1)),
                                       "two means: with other numbers of rows the sums do not balance")},
             {"the gradient of the loss": Other(negative(contrastive_gradient), DESCENDED)}),
    Contract("cd_loss", "the loss whose gradient is CD-k's: mean F(v) - mean F(vk), vk held constant",
             "bachman2015 Eqs. 40, 43", (DATA, ENDS, *MACHINE), "(): a number whose gradient trains", cd_loss,
             values(cases_with(vk=0), ("w", "b", "c")),
             {"F(vk) - F(v)": Other(lambda *a: -cd_loss(*a), "the data's free energy must fall: F(v) - F(vk)"),
              "the data's free energy alone": Other(lambda v, vk, *m: np.mean(free_energy(v, *m)),
                                                    "subtract that of vk, or nothing holds Z"),
              "the reconstruction error": Other(lambda v, vk, *m: np.mean((v - vk)**2) + 0 * cd_loss(v, vk, *m),
                                                "it has no gradient in w: vk is a draw"),
              "visible biases forgotten": Other(cd_loss_of(lambda v, w, b, c: free_energy(v, w, 0 * b, c)),
                                                "F(v) has -b'v"),
              "overflows": Other(cd_loss_of(naive_free_energy), "use a softplus that does not overflow")},
             {"summed over the batch": Other(lambda v, *a: len(v) * cd_loss(v, *a),
                                             "you return B times the loss: the step size must know")}),
]
