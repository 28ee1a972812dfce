r"""How often the tests of refdgm.draws are wrong about a right sampler, and how small a bias they find.

A right sampler draws by the contract's own law: table by table, h exactly from the posterior, an estimator with the
right mean, the right variance and the skewness 2. A biased one makes, with the probability delta, the first mistake of
its contract; the mean of a biased estimator is delta standard deviations off. `alarms` counts what is found in the
right ones, `smallest` the smallest delta = 2^-j that is found in 95 of 100 runs.
"""
from itertools import islice

import numpy as np

from refdgm import judging
from refdgm.contract import examine
from refdgm.models import sbn
from refdgm.numerics import all_binary

DRAWS = 2**16           # of one case, below 10^5
FILLED = ("states", "data", "count", "seed")


def drawn(contracts):
    """Those of the contracts whose functions draw.  -> {name: Contract}"""
    return {name: item for name, item in contracts.items() if item.judge.kind != "values"}


def sampler(item, run, delta=0.0):
    """A function that draws by the law of a contract, wrong with the probability delta; another `run`, other draws."""
    wrong = next(iter(item.mistakes.values())).function

    def function(*given):
        of_kind = dict(zip([a.kind for a in item.arguments], given, strict=True))
        parameters = [g for a, g in zip(item.arguments, given) if a.kind not in FILLED]
        rng = np.random.default_rng([run, of_kind["seed"]])
        return MAKERS[item.judge.kind](item, of_kind, parameters, rng, wrong, delta)
    return function


def _moves(item, given, parameters, rng, wrong, delta):
    P = (1 - delta) * item.reference(*parameters) + delta * wrong(*parameters)
    table = item.judge.places(*parameters) if item.judge.places else None
    states = given["states"] if table is None else judging.located(given["states"], table)
    new = np.sum(rng.uniform(size=len(states))[:, None] > P.cumsum(axis=1)[states], axis=1)
    new = np.minimum(new, len(P) - 1)
    return new if table is None else table[new]


def _draws(item, given, parameters, rng, wrong, delta):
    p = (1 - delta) * item.reference(*parameters) + delta * wrong(*parameters)
    return rng.choice(len(p), given["count"], p=p / p.sum())


def _mean(item, given, parameters, rng, wrong, delta):
    truth, spread = item.reference(*parameters), np.sqrt(np.maximum(item.judge.variance(*parameters), 0.0))
    return truth + spread * (rng.exponential(size=(given["count"], *np.shape(truth))) - 1 + delta)


def _keeps(item, given, parameters, rng, wrong, delta):
    x = given["states"]
    right = item.reference(x, *parameters, rng)
    return np.where(rng.uniform(size=(len(x), 1)) < delta, wrong(x, *parameters, rng), right) if delta else right


def _joint(item, given, parameters, rng, wrong, delta):
    """h from the posterior of a sigmoid belief net; with the probability delta from that without a prior."""
    a, W, b = parameters

    def posterior(a):
        p = sbn.posterior({"a": a, "W": W, "b": b}, given["data"]).cumsum(axis=1)
        h = np.sum(rng.uniform(size=(len(p), 1)) > p, axis=1)
        return all_binary(len(a))[np.minimum(h, p.shape[1] - 1)]
    h = posterior(a)
    return np.where(rng.uniform(size=(len(h), 1)) < delta, posterior(0 * a), h) if delta else h


MAKERS = {"moves": _moves, "draws": _draws, "mean": _mean, "keeps": _keeps, "joint": _joint}


def found(item, run, delta=0.0, most=DRAWS):
    """Whether a run on the first case of a contract's instance number `run` finds fault with the sampler."""
    judge = item.judge.within(most, lambda seed: islice(item.judge.cases(seed), 1))
    record = examine(item._replace(judge=judge), sampler(item, run, delta), dtypes=("float64",),
                     seeds=(run if delta == 0 else 0,))
    return record["status"] != "conforms"


def alarms(item, runs, most=2**14):
    """How many of the runs on a right sampler, each with parameters of its own, find fault with it."""
    return sum(found(item, run, most=most) for run in range(runs))


def smallest(item, runs, most=DRAWS):
    """The smallest delta = 1, 1/2, 1/4, ... that is found in at least 95 % of the runs; None if not even 1 is."""
    least, delta = None, 1.0
    while delta > 1e-4:
        missed = 0
        for run in range(runs):
            missed += not found(item, run, delta, most)
            if missed > 0.05 * runs:
                return least
        least, delta = delta, delta / 2
    return least
