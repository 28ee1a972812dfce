"""Contracts of posterior samplers, held by Geweke's joint test: h | x by the step, x | h exactly (Geweke 2004)."""

from refdgm.backend import xp as np
from refdgm.contract import Argument, Case, Contract, Other
from refdgm.draws import joint
from refdgm.models import sbn
from refdgm.numerics import all_binary, bernoulli_log_prob, sigmoid
from refdgm.samplers import gibbs
from refdgm.transition_test import number

ROUNDS = 8          # steps, and x drawn anew between them


def cases(seed):
    rng = np.random.default_rng(seed)
    for D, H in ((3, 2), (2, 3)):
        yield Case(f"{D} observed and {H} latent units", {"a": rng.normal(size=H), "W": 1.5 * rng.normal(size=(D, H)),
                                                          "b": rng.normal(size=D)})


def net(a, W, b):
    return {"a": a, "W": W, "b": b}


def draw(rng, n, a, W, b):
    h = (rng.uniform(size=(n, len(a))) < sigmoid(a)) * 1.0
    return h, redraw(rng, h, a, W, b)


def redraw(rng, h, a, W, b):
    return (rng.uniform(size=(len(h), len(b))) < sigmoid(h @ W.T + b)) * 1.0


def numbered(h, x):
    return number(h) + 2**h.shape[-1] * number(x)


def tables(a, W, b):
    """log p(x, h) for each x and h.  -> (2**D, 2**H)"""
    return sbn.log_joint_table(net(a, W, b), all_binary(len(b)))


def law(a, W, b):
    return np.exp(tables(a, W, b)).ravel()


def after(kernel):
    """The law of (h, x) after ROUNDS steps, from the joint law on, where h moves by kernel(a, W, b)[x] (2**H, 2**H)."""
    def of(a, W, b):
        p_x = np.exp(sbn.log_likelihood(net(a, W, b), all_binary(len(b))[:, None], all_binary(len(a))))
        P, mu = kernel(a, W, b), np.exp(tables(a, W, b))
        for turn in range(ROUNDS):
            mu = np.einsum("xh,xhk->xk", p_x * mu.sum(axis=0) if turn else mu, P)
        return mu.ravel()
    return of


def sweeps(table):
    """A Gibbs sweep of h by another table of log p(x, h)."""
    return after(lambda a, W, b: np.stack([gibbs.sequential_scan(row) for row in table(a, W, b)]))


def at_once(a, W, b):
    """All latent units drawn given the old ones."""
    h, u, states = all_binary(len(a)), tables(a, W, b), np.arange(2**len(a))
    logits = np.stack([u[:, states | 1 << j] - u[:, states & ~(1 << j)] for j in range(len(a))], axis=-1)
    return np.exp(bernoulli_log_prob(h, logits[:, :, None, :]))


def as_an_rbm(a, W, b):
    """h_j ~ sigmoid(a + W'x)_j."""
    h, x = all_binary(len(a)), all_binary(len(b))
    return np.broadcast_to(np.exp(bernoulli_log_prob(h, (a + x @ W)[:, None]))[:, None], (len(x), len(h), len(h)))


def from_the_prior(a, W, b):
    return np.broadcast_to(np.exp(bernoulli_log_prob(all_binary(len(a)), a)), (2**len(b), 2**len(a), 2**len(a)))


CONTRACTS = [
    Contract("sbn_posterior_kernel", "a step that leaves p(h|x) of a sigmoid belief net as it is, as a sweep of Gibbs "
             "sampling does", "ou2018 Sec. 3.2.3; Geweke 2004",
             (Argument("h", "(N, H)", "latent units of N chains, 0 or 1", "states"),
              Argument("x", "(N, D)", "what each explains, 0 or 1", "data"), Argument("a", "(H,)", "prior logits"),
              Argument("W", "(D, H)", "weights: x has the logits W h + b"), Argument("b", "(D,)", "biases"),
              Argument("seed", "", "a whole number; the same seed gives the same draws", "seed")),
             "(N, H): the next h", law, joint(cases, draw, redraw, numbered, ROUNDS),
             {"the prior forgotten": Other(sweeps(lambda a, W, b: tables(0 * a, W, b)), "add log p(h)"),
              "the biases of x forgotten": Other(sweeps(lambda a, W, b: tables(a, W, 0 * b)), "logits W h + b"),
              "the probability of the other value": Other(sweeps(lambda a, W, b: -tables(a, W, b)),
                                                          "h_j is 1 where u is below its probability"),
              "the likelihood twice": Other(sweeps(lambda a, W, b: 2 * tables(a, W, b)
                                                   - bernoulli_log_prob(all_binary(len(a)), a)), "count it once"),
              "all latent units at once": Other(after(at_once), "draw one after the other, given the new ones"),
              "as in an RBM: sigmoid(a + W'x)": Other(after(as_an_rbm), "given x they depend on each other"),
              "from the prior": Other(after(from_the_prior), "h is drawn given x")}),
]
