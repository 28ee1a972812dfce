"""Every contract is kept by its reference, and every mistake and convention beside it is flagged and named."""
import numpy as np
import pytest

from refdgm import contract, crosscheck, draws, frameworks, judging, trials

CONTRACTS = crosscheck.contracts()
EXACT = {name: item for name, item in CONTRACTS.items() if item.judge.kind == "values"}
DRAWN = {name: item for name, item in CONTRACTS.items() if name not in EXACT}


def as_sampler(item, law):
    """A function that draws by a law of the contract, in the form that the contract asks for."""
    kind = item.judge.kind

    def step(states, parameters, seed):                 # moves
        cumulative, table = law(*parameters).cumsum(axis=1), None
        if item.judge.places:
            table = item.judge.places(*parameters)
            states = judging.located(states, table)
        u = np.random.default_rng(seed).uniform(size=len(states))
        new = np.minimum(np.sum(u[:, None] > cumulative[states], axis=1), len(cumulative) - 1)
        return new if table is None else table[new]

    def table(n, parameters, seed):                     # draws
        p = law(*parameters)
        return np.random.default_rng(seed).choice(len(p), n, p=p / p.sum())

    def walk(x, parameters, seed):                      # keeps
        return law(x, *parameters, np.random.default_rng(seed))

    def estimate(n, parameters, seed):                  # mean
        truth = np.asarray(law(*parameters), dtype=float)
        return truth + np.random.default_rng(seed).normal(size=(n, *truth.shape))

    def function(*given):
        by_kind = dict(zip([a.kind for a in item.arguments], given, strict=True))
        first = by_kind.get("states", by_kind.get("count"))
        parameters = [g for a, g in zip(item.arguments, given) if a.kind not in ("states", "data", "count", "seed")]
        return {"moves": step, "draws": table, "keeps": walk, "mean": estimate}[kind](
            first, parameters, by_kind["seed"])
    return function


def sweep(prior=1.0, bias=1.0, likelihood=1.0, sign=1.0, together=False, odds=None):
    """A Gibbs sweep over the latent units of a sigmoid belief net, by its parts: what a law alone cannot make."""
    def log_joint(h, x, a, W, b):
        logits = h @ W.T + bias * b
        return prior * h @ a + likelihood * np.sum(x * logits - np.logaddexp(0.0, logits), axis=1)

    def step(h, x, a, W, b, seed):
        u, old, new = np.random.default_rng(seed).uniform(size=h.shape), h.copy(), h.copy()
        for j in range(len(a)):
            on, off = (old.copy(), old.copy()) if together else (new.copy(), new.copy())
            on[:, j], off[:, j] = 1.0, 0.0
            logit = odds(x, a, W)[:, j] if odds else log_joint(on, x, a, W, b) - log_joint(off, x, a, W, b)
            new[:, j] = u[:, j] < 1 / (1 + np.exp(-sign * logit))
        return new
    return step


STEPS = {("sbn_posterior_kernel", None): sweep(),
         ("sbn_posterior_kernel", "the prior forgotten"): sweep(prior=0.0),
         ("sbn_posterior_kernel", "the biases of x forgotten"): sweep(bias=0.0),
         ("sbn_posterior_kernel", "the probability of the other value"): sweep(sign=-1.0),
         ("sbn_posterior_kernel", "the likelihood twice"): sweep(likelihood=2.0),
         ("sbn_posterior_kernel", "all latent units at once"): sweep(together=True),
         ("sbn_posterior_kernel", "as in an RBM: sigmoid(a + W'x)"): sweep(odds=lambda x, a, W: a + x @ W),
         ("sbn_posterior_kernel", "from the prior"): sweep(odds=lambda x, a, W: a + 0 * x @ W)}


def in_form(item, law, name=None):
    if item.judge.kind == "joint":
        return STEPS[item.name, name]
    return law if item.name in EXACT else as_sampler(item, law)


def others(kind):
    return [pytest.param(item, name, other, id=f"{item.name}: {name}") for item in CONTRACTS.values()
            for name, other in getattr(item, kind).items()]


@pytest.mark.parametrize("item", CONTRACTS.values(), ids=CONTRACTS)
def test_the_reference_conforms(item):
    found = contract.examine(item, in_form(item, item.reference))
    assert found["status"] == "conforms" and not found["matches"], found


@pytest.mark.parametrize("item, name, other", others("mistakes"))
def test_a_mistake_is_flagged_and_named(item, name, other):
    with np.errstate(all="ignore"):
        found = contract.examine(item, in_form(item, other.function, name))
    assert found["status"] == "deviates" and found["matches"] == name, found


@pytest.mark.parametrize("item, name, other", others("conventions"))
def test_a_convention_is_named_and_no_bug(item, name, other):
    with np.errstate(all="ignore"):
        found = contract.examine(item, in_form(item, other.function, name))
    assert found["status"] == "conforms" and found["matches"] == name, found


@pytest.mark.parametrize("item", EXACT.values(), ids=EXACT)
def test_the_coarsest_tolerance_still_sees_every_mistake(item):
    """A mistake is further off than bfloat16 may be, on some case."""
    coarse = trials.TOLERANCE["bfloat16"]
    for name, other in item.mistakes.items():
        seen = False
        for case in (case for seed in contract.SEEDS for case in item.judge.cases(seed)):
            for wrt in (None, *item.judge.gradients):
                right = contract.truth(item.reference, item, case.arguments, wrt)
                try:
                    wrong = contract.truth(other.function, item, case.arguments, wrt)
                except Exception:
                    seen = True
                    continue
                size = trials.scale(item, case.arguments, right, "float64", wrt)
                seen |= trials.distance(wrong, right, size)[0] > coarse
        assert seen, name


@pytest.mark.parametrize("item, name, holds", [pytest.param(item, name, holds, id=f"{item.name}: {name}")
                                               for item in EXACT.values() for name, holds in item.properties.items()])
def test_a_property_holds_for_the_reference_and_not_for_everything(item, name, holds):
    cases = [case.arguments for case in item.judge.cases(0) if not case.hard]

    def error(function, case):
        def call(**arguments):
            return contract.truth(function, item, arguments)
        return holds(call, {a.name: case[a.name] for a in item.arguments})

    def skewed(*given):
        """The reference with an error that depends on the order of all that is given."""
        parts = [np.asarray(part) for part in frameworks.leaves(item.reference(*given))]
        error = sum(np.cos(np.arange(np.size(value))) @ np.ravel(value) for value in given)
        return [part + error * np.reshape(np.cos(np.arange(part.size)), part.shape) for part in parts]
    assert all(error(item.reference, case) <= trials.TOLERANCE["float64"] for case in cases)
    wrong = [skewed, *(other.function for other in item.mistakes.values())]
    assert any(error(function, case) > trials.TOLERANCE["bfloat16"] for function in wrong for case in cases)


@pytest.mark.parametrize("item", CONTRACTS.values(), ids=CONTRACTS)
def test_a_contract_is_complete(item):
    assert len(item.mistakes) >= 2 and item.where and item.says and item.returns
    assert all(other.advice for group in (item.mistakes, item.conventions) for other in group.values())
    case = next(iter(item.judge.cases(0)))
    filled = {a.name for a in item.arguments if a.kind in ("states", "data", "count", "seed")}
    assert set(case.arguments) == {a.name for a in item.arguments} - filled


def test_draws_are_judged_by_every_judge():
    assert {item.judge.kind for item in DRAWN.values()} <= {"moves", "draws", "mean", "joint", "keeps"}
    assert draws.ERROR <= 1e-8
