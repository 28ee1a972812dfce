r"""Contracts of what f-EBM has in common for every f, and of CD-K for any energy (yu2020 Secs. 2.3, 3.1.2, 3.2).

    q = exp(-E)/Z    H* = log(p Z)    exp(H* + E) = p/q
    Theorem 1        - d/dtheta E_q[F] = E_q[F dE] - E_q[F] E_q[dE], for an F that does not move
    CD-K             E_p[dE] - E_{q^K}[dE], q^K the law after K steps from the data

E is the energy: low where x is probable.
"""
import autograd.numpy as np

from refdgm.adversarial import febm, febm_dual
from refdgm.backend import xp as onp
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.models.energy import contrast, law_of, log_partition
from refdgm.undirected import cd_surrogate
from refdgm.values import values

E = Argument("E", "(S,)", "the energy of every state")
H = Argument("H", "(S,)", "the critic at every state")
P = Argument("p", "(S,)", "the law of the data: probabilities, with sum one", "table")
D_E = Argument("dE", "(S, d)", "the gradient of the energy at every state")


def function_cases(seed):
    rng = onp.random.default_rng(seed)
    for S in (2, 3, 5):
        yield Case(f"{S} states", {"E": rng.normal(size=S), "H": 0.7 * rng.normal(size=S)})
    yield Case("large terms that cancel", {"E": onp.array([1e4, -50.0]), "H": onp.array([-1e4, 49.0])}, hard=True)


def law_cases(seed):
    rng = onp.random.default_rng(seed)
    for S in (2, 3, 5):
        yield Case(f"{S} states", {"E": rng.normal(size=S), "p": rng.dirichlet(onp.full(S, 2.0))})
    yield Case("one state", {"E": onp.array([0.4]), "p": onp.ones(1)}, hard=True)
    yield Case("energies of +-1e4", {"E": onp.array([1e4, -1e4, 0.0]), "p": onp.full(3, 1 / 3)}, hard=True)


def reward_cases(seed):
    rng = onp.random.default_rng(seed)
    for N, d in ((2, 3), (4, 2), (3, 5)):
        yield Case(f"{N} samples", {"dE": rng.normal(size=(N, d)) + 1, "F": 2 * rng.normal(size=N) + 1})


def chain_cases(seed):
    """Neighbours on a ring or on the corners of a square; energies that are no symmetric function of them."""
    rng = onp.random.default_rng(seed)
    for S, d, K in ((4, 3, 1), (5, 2, 2), (4, 2, 5)):
        ring = onp.roll(onp.eye(S), 1, axis=1)
        yield Case(f"{S} states, K = {K}", {"E": 2 * rng.normal(size=S), "neighbours": ring + ring.T,
                                            "p": rng.dirichlet(onp.ones(S)), "dE": 2 * rng.normal(size=(S, d)), "K": K})
    yield Case("K = 0", {"E": onp.zeros(3), "neighbours": 1 - onp.eye(3), "p": onp.array([0.5, 0.3, 0.2]),
                         "dE": onp.eye(3)[:, :2], "K": 0}, hard=True)


def cd_k(E, neighbours, p, dE, K, start=None, accept=cd_surrogate.barker, steps=lambda K: K):
    R = neighbours / np.sum(neighbours, axis=1, keepdims=True)
    return contrast(dE, p, cd_surrogate.law_after(steps(K), E, R, p if start is None else start, accept))


CONTRACTS = [
    Contract("febm_score_gradient", "Theorem 1 from N samples of the model: (1/(N - 1)) sum_i (F_i - mean F)(dE_i - "
             "mean dE), the gradient of - E_q[F] for a fixed F, without bias", "yu2020 Theorem 1",
             (Argument("dE", "(N, d)", "the gradient of the energy at the samples"),
              Argument("F", "(N,)", "the reward f*(T) there")), "(d,)", febm_dual.estimate_score_gradient,
             values(reward_cases),
             {"the sign": Other(lambda *a: -febm_dual.estimate_score_gradient(*a), "dlog q = -dE + E_q[dE]"),
              "no product of means": Other(lambda dE, F: np.mean(F[:, None] * dE, axis=0), "subtract E_q[F] E_q[dE]"),
              "the product of means added": Other(lambda dE, F: np.mean(F[:, None] * dE, axis=0)
                                                  + np.mean(F) * np.mean(dE, axis=0), "subtract it"),
              "summed over the samples": Other(lambda dE, F: len(F) * febm_dual.plug_in(dE, F), "divide by N - 1")},
             {"the plug-in estimate, divided by N": Other(febm_dual.plug_in, "as in App. E.1: short by 1 - 1/N")}),
    Contract("febm_density_ratio", "exp(H + E), f-EBM's estimate of p/q", "yu2020 Eq. 16", (E, H), "(S,)", febm.ratio,
             values(function_cases),
             {"q/p": Other(lambda E, H: np.exp(-E - H), "exp(H + E)"),
              "exp(H) alone": Other(lambda E, H: np.exp(H) + 0 * E, "this is p Z: multiply by exp(E)"),
              "a sigmoid": Other(lambda E, H: 1 / (1 + np.exp(-E - H)), "this is p/(p + q)")},
             {"its logarithm": Other(lambda E, H: H + E, "you return log p/q"),
              "E for -E": Other(lambda E, H: np.exp(H - E), "right if you are given f = -E; an energy is added")}),
    Contract("febm_best_critic", "H* = log(p Z), Z = sum exp(-E)", "yu2020 Eq. 15", (E, P), "(S,)", febm.best_H,
             values(law_cases),
             {"log(p/Z)": Other(lambda E, p: np.log(p) - log_partition(E), "multiply p by Z"),
              "log p": Other(lambda E, p: np.log(p) + 0 * E, "add log Z"),
              "log p/q": Other(lambda E, p: np.log(p) + log_partition(E) + E, "this is H* + E, the log-ratio"),
              "Z = sum exp(E)": Other(lambda E, p: np.log(p) + log_partition(-E), "Z = sum exp(-E)"),
              "overflows": Other(lambda E, p: np.log(p * np.sum(np.exp(-E))), "log Z by log-sum-exp")}),
    Contract("cd_k_surrogate", "E_p[dE] - E_{q^K}[dE] exactly, q^K the law of K steps from the data: propose a "
             "neighbour j of i, all alike, and go there with probability 1/(1 + exp(E_j - E_i)) (Barker)",
             "yu2020 Sec. 2.3, after Eq. 8",
             (E, Argument("neighbours", "(S, S)", "ones where a step may go, as many in every row; symmetric", "bits"),
              P, D_E, Argument("K", "", "the number of steps", "integer")), "(d,): the energy's parameters descend it",
             cd_k, values(chain_cases),
             {"the sign": Other(lambda *a: -cd_k(*a), "data minus chain: this is the gradient of a loss"),
              "the chain from a uniform start": Other(lambda E, A, p, dE, K: cd_k(E, A, p, dE, K, np.full(len(p),
                                                      1 / len(p))), "the chains start at the data"),
              "maximum likelihood": Other(lambda E, A, p, dE, K: contrast(dE, p, law_of(E)), "K steps, not infinitely "
                                                                                             "many"),
              "one step more": Other(lambda *a: cd_k(*a, steps=lambda K: K + 1), "K steps"),
              "every proposal accepted": Other(lambda *a: cd_k(*a, accept=lambda d: 1.0 + 0 * d), "accept or stay"),
              "accepted uphill": Other(lambda *a: cd_k(*a, accept=lambda d: cd_surrogate.barker(-d)),
                                       "lower energies are accepted more often")},
             {"Metropolis' acceptance": Other(lambda *a: cd_k(*a, accept=cd_surrogate.metropolis),
                                              "min(1, exp(E_i - E_j)): the same stationary law, another q^K")}),
]
