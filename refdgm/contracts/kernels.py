"""Contracts of samplers that draw inside, each held against its exact law (ou2018 Sec. 2.3, Alg. 4; yu2020 Sec. 3).

A step takes the states of many independent chains and a seed, and returns their next states.
"""

from functools import reduce

from refdgm.backend import xp as np
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.draws import draws, keeps, moves
from refdgm.models.finite_chain import bit_update
from refdgm.numerics import all_binary, bernoulli_log_prob, sigmoid
from refdgm.samplers import block_gibbs, finite_metropolis, gibbs

STATES = Argument("states", "(N,)", "where the N chains are, numbers 0..S-1", "states")
BITS = STATES._replace(says="where the N chains are, numbers 0..2^D - 1: bit i of s is (s >> i) & 1")
LOG_WEIGHTS = Argument("log_weights", "(2^D,)", "log of each state's probability, up to a constant")
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


def unrecorded(log_target, log_proposal):
    """Only accepted proposals are counted."""
    P = np.exp(log_proposal) * np.minimum(1.0, np.exp(np.subtract.outer(log_proposal - log_target, log_proposal
                                                                         - log_target)))
    return P / P.sum(axis=1, keepdims=True)


# ---- Metropolis-Hastings with a table of proposals ----------------------------------------

def walk_cases(seed):
    for case in table_cases(seed):
        S = len(case.arguments["log_target"])
        R = np.random.default_rng([seed, S]).dirichlet(np.ones(S), size=S)
        yield Case(case.label, {"log_target": case.arguments["log_target"], "R": R})


def walk(target=1.0, forward=-1.0, backward=1.0, least=-np.inf):
    """P(s, s') by the parts of the ratio, for mistakes; a log-ratio below `least` is rejected."""
    def matrix(log_target, R):
        log_a = target * (log_target - log_target[:, None]) + forward * np.log(R) + backward * np.log(R.T)
        P = R * np.exp(np.minimum(0.0, log_a)) * (log_a >= least)
        np.fill_diagonal(P, 0.0)
        return P + np.diag(1 - P.sum(axis=1))
    return matrix


# ---- Gibbs ------------------------------------------------------------------------------

def bits_cases(seed):
    rng = np.random.default_rng(seed)
    for D in (2, 3):
        yield Case(f"{D} bits", {"log_weights": 1.5 * rng.normal(size=2**D)})


def at_once(log_weights):
    """All bits drawn given the old ones."""
    D = gibbs.bits(log_weights)
    states = np.arange(2**D)
    on = np.stack([sigmoid(log_weights[states | 1 << i] - log_weights[states & ~(1 << i)]) for i in range(D)], axis=1)
    return np.exp(bernoulli_log_prob(all_binary(D), np.log(on / (1 - on))[:, None]))


def other_order(log_weights):
    sites = range(gibbs.bits(log_weights))
    return reduce(np.matmul, [np.eye(len(log_weights)), *(gibbs.site_matrix(log_weights, i) for i in sites[::-1])])


def by_marginals(log_weights):
    """Each bit drawn from its marginal, whatever the others are."""
    p, states = np.exp(log_weights) / np.sum(np.exp(log_weights)), np.arange(len(log_weights))
    updates = [bit_update(np.full(len(p), p[states >> i & 1 == 1].sum()), i) for i in range(gibbs.bits(p))]
    return reduce(np.matmul, [np.eye(len(p)), *updates])


def machine_cases(seed):
    rng = np.random.default_rng(seed)
    for D, H in ((2, 3), (3, 2)):
        yield Case(f"{D} visible and {H} hidden units", {"W": 4.0 * rng.normal(size=(D, H)), "b": rng.normal(size=D),
                                                         "c": rng.normal(size=H)})


def rbm_matrix(W, b, c):
    return block_gibbs.transition_matrix({"w": W, "b": b, "c": c})


def from_means(W, b, c):
    """v' made from the hidden probabilities, not from hidden bits."""
    v = all_binary(len(b))
    return np.exp(bernoulli_log_prob(v, (sigmoid(v @ W + c) @ W.T + b)[:, None]))


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
              "every proposal accepted": Other(always, "accept with the probability min(1, w(new) / w(old))"),
              "rejected proposals are not counted": Other(unrecorded, "after a rejection the state counts once more")}),
    Contract("metropolis_kernel", "a step of Metropolis-Hastings on a finite set with the proposals R(s, .)",
             "ou2018 Sec. 2.3", (STATES, LOG_TARGET, Argument("R", "(S, S)", "row s: what s proposes", "table"),
                                 SEED), "(N,): the next states", finite_metropolis.transition_matrix, moves(walk_cases),
             {"the Hastings correction missing": Other(walk(forward=0.0, backward=0.0),
                                                       "multiply by R(new, old) / R(old, new): R is not symmetric"),
              "the Hastings correction inverted": Other(walk(forward=1.0, backward=-1.0),
                                                        "multiply by R(new, old) / R(old, new)"),
              "the ratio inverted": Other(walk(-1.0, 1.0, -1.0), "accept by new over old"),
              "every proposal accepted": Other(walk(0.0, 0.0, 0.0), "accept with the probability min(1, ratio)"),
              "only better ones accepted": Other(walk(least=0.0), "compare the ratio with u, not with 1")}),
    Contract("gibbs_sweep_kernel", "a sweep of Gibbs sampling over bits: each drawn anew, from bit 0 to the last",
             "ou2018 Sec. 2.3", (BITS, LOG_WEIGHTS, SEED), "(N,): the next states", gibbs.sequential_scan,
             moves(bits_cases),
             {"all bits at once": Other(at_once, "a bit is drawn given the new values of those before it"),
              "the probability of the other value": Other(lambda u: gibbs.sequential_scan(-u),
                                                          "bit i is 1 with sigmoid(u(with 1) - u(with 0))"),
              "one random bit": Other(gibbs.random_scan, "a sweep draws every bit once"),
              "from the marginals": Other(by_marginals, "draw each bit given the others")},
             {"from the last bit to the first": Other(other_order, "it has the same invariant law")}),
    Contract("gibbs_random_scan_kernel", "a step of Gibbs sampling over bits: one of them, at random, is drawn anew",
             "ou2018 Sec. 2.3", (BITS, LOG_WEIGHTS, SEED), "(N,): the next states", gibbs.random_scan,
             moves(bits_cases),
             {"the probability of the other value": Other(lambda u: gibbs.random_scan(-u),
                                                          "bit i is 1 with sigmoid(u(with 1) - u(with 0))"),
              "always the first bit": Other(lambda u: gibbs.site_matrix(u, 0), "choose the bit uniformly"),
              "a whole sweep": Other(gibbs.sequential_scan, "a step draws one bit"),
              "a fair coin": Other(lambda u: gibbs.random_scan(0 * u), "use the weights")}),
    Contract("rbm_gibbs_kernel", "a step of block Gibbs sampling of an RBM, v -> h -> v'", "bachman2015 Sec. 5.4",
             (Argument("v", "(N, D)", "visible units of N chains, 0 or 1", "states"),
              Argument("W", "(D, H)", "couplings"), Argument("b", "(D,)", "visible biases"),
              Argument("c", "(H,)", "hidden biases"), SEED),
             "(N, D): the next v", rbm_matrix, moves(machine_cases, places=lambda W, b, c: all_binary(len(b))),
             {"v' made from the hidden probabilities": Other(from_means, "draw h first"),
              "the energy printed with +, or on where u is above": Other(
                  lambda W, b, c: rbm_matrix(-W, -b, -c), "a unit is on where u is below sigmoid(v'W + c)"),
              "no hidden biases": Other(lambda W, b, c: rbm_matrix(W, b, 0 * c), "add c to v'W"),
              "no visible biases": Other(lambda W, b, c: rbm_matrix(W, 0 * b, c), "add b to Wh")}),
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
