"""Contracts of samplers that draw inside, each held against its exact law (ou2018 Sec. 2.3, Alg. 4; yu2020 Sec. 3).

A step takes the states of many independent chains and a seed, and returns their next states.
"""
import numpy as np

from refdgm.contract import Argument, Case, Contract, Other
from refdgm.draws import draws, keeps, moves

STATES = Argument("states", "(N,)", "where the N chains are, numbers 0..S-1", "states")
POINTS = Argument("x", "(N, d)", "where the N chains are", "states")
COUNT = Argument("n", "", "how many draws", "count")
SEED = Argument("seed", "", "a whole number; the same seed gives the same draws", "seed")
LOG_TARGET = Argument("log_target", "(S,)", "log of the target's probabilities, up to a constant")
LOG_PROPOSAL = Argument("log_proposal", "(S,)", "log of the proposal's probabilities, with sum one")


# ---- Metropolis independence sampling ---------------------------------------------------

def table_cases(seed):
    rng = np.random.default_rng(seed)
    for S in (3, 5):
        target, proposal = rng.normal(size=S), rng.normal(size=S)
        yield Case(f"{S} states", {"log_target": target, "log_proposal": proposal - np.log(np.sum(np.exp(proposal)))})


def independence_matrix(log_target, log_proposal, log_ratio=lambda w, new: new - w[:, None]):
    """P(s, s') = q(s') min(1, w(s') / w(s)), the rest on the diagonal."""
    log_w = log_target - log_proposal
    P = np.exp(log_proposal) * np.minimum(1.0, np.exp(log_ratio(log_w, log_w[None, :])))
    np.fill_diagonal(P, 0.0)
    return P + np.diag(1.0 - P.sum(axis=1))


def by_target_alone(log_target, log_proposal):
    return independence_matrix(log_target, log_proposal, lambda w, new: log_target[None, :] - log_target[:, None])


def inverted(log_target, log_proposal):
    return independence_matrix(log_target, log_proposal, lambda w, new: w[:, None] - new)


def always(log_target, log_proposal):
    return np.tile(np.exp(log_proposal), (len(log_proposal), 1))


# ---- MALA on a normal -------------------------------------------------------------------

def normal_cases(seed):
    rng = np.random.default_rng(seed)
    yield Case("a normal in 2 dimensions, step 0.8", {"mean": rng.normal(size=2), "sd": np.array([1.0, 0.7]),
                                                       "step": 0.8})


def normal_draw(rng, n, mean, sd, step):
    return mean + sd * rng.normal(size=(n, len(mean)))


def normal_cdf(x, mean, sd, step):
    from scipy.special import ndtr
    return ndtr((x - mean) / sd)


def mala(correction=1.0, noise=2.0, sign=1.0):
    """A step of MALA on the normal, and its mistakes: x + step grad + sqrt(noise step) xi, accepted or not."""
    def step_of(x, mean, sd, step, rng):
        def log_p(x): return -0.5 * np.sum(((x - mean) / sd)**2, axis=1)
        def drift(x): return x - step * (x - mean) / sd**2
        def log_q(to, at): return -np.sum((to - drift(at))**2, axis=1) / (4 * step)
        new = drift(x) + np.sqrt(noise * step) * rng.normal(size=x.shape)
        log_a = sign * (log_p(new) - log_p(x) + correction * (log_q(x, new) - log_q(new, x)))
        return np.where((np.log(rng.uniform(size=len(x))) < log_a)[:, None], new, x)
    return step_of


def ula(noise=2.0):
    def step_of(x, mean, sd, step, rng):
        return x - step * (x - mean) / sd**2 + np.sqrt(noise * step) * rng.normal(size=x.shape)
    return step_of


CONTRACTS = [
    Contract("mis_kernel", "a step of Metropolis independence sampling on a finite set", "ou2018 Sec. 2.3, Alg. 4",
             (STATES, LOG_TARGET, LOG_PROPOSAL, SEED), "(N,): the next states", independence_matrix,
             moves(table_cases),
             {"the ratio of targets alone": Other(by_target_alone, "accept by w(new) / w(old), w = target / proposal"),
              "the ratio inverted": Other(inverted, "accept by w(new) / w(old)"),
              "every proposal accepted": Other(always, "accept with the probability min(1, w(new) / w(old))")}),
    Contract("categorical_draws", "independent draws from a table of log-probabilities, normalised or not",
             "ou2018 Sec. 2.3", (COUNT, LOG_TARGET, SEED), "(n,): numbers 0..S-1",
             lambda log_target: np.exp(log_target) / np.sum(np.exp(log_target)),
             draws(lambda seed: [Case(c.label, {"log_target": c.arguments["log_target"]}) for c in table_cases(seed)]),
             {"uniform": Other(lambda log_target: np.full(len(log_target), 1 / len(log_target)), "use the weights"),
              "log-probabilities taken for weights": Other(lambda log_target: np.abs(log_target) / np.sum(
                  np.abs(log_target)), "exponentiate"),
              "inverted": Other(lambda log_target: np.exp(-log_target) / np.sum(np.exp(-log_target)),
                                "the sign of the log-probabilities is wrong")}),
    Contract("mala_kernel", "a step of MALA on the normal N(mean, diag(sd^2)): proposal x + step grad log p + "
             "sqrt(2 step) xi, accepted or not", "yu2020 Sec. 3; ou2018 Sec. 2.3",
             (POINTS, Argument("mean", "(d,)", "of the normal"), Argument("sd", "(d,)", "standard deviations"),
              Argument("step", "", "the step size", "number"), SEED), "(N, d): the next states", mala(),
             keeps(normal_cases, normal_draw, normal_cdf),
             {"no accept step: ULA": Other(ula(), "accept with the Metropolis-Hastings ratio, or state the bias"),
              "no accept step, noise sqrt(step)": Other(ula(1.0), "the noise is sqrt(2 step)"),
              "the Hastings correction missing": Other(mala(correction=0.0), "add log q(old|new) - log q(new|old)"),
              "the Hastings correction inverted": Other(mala(correction=-1.0), "add log q(old|new) - log q(new|old)"),
              "the whole ratio inverted": Other(mala(sign=-1.0), "accept by new over old"),
              "noise sqrt(step)": Other(mala(noise=1.0), "the noise is sqrt(2 step), as in the proposal's density")}),
]
