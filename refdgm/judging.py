"""What the judges of refdgm.draws share: how a function that draws is asked, and how what it gave is read and named."""
import numpy as np

from refdgm.contract import Failed, rounded

CHAINS = 4096           # draws of one call


def asked(contract, subject, cases, dtypes, seeds, note):
    """(case, parameters, call) for each case; call(parameters, states=, count=, seed=) -> the function's result."""
    dtype = dtypes[0]
    for seed in seeds:
        for case in cases(seed):
            note(case.label)
            parameters = rounded(contract, case.arguments, dtype if dtype == "bfloat16" else "float64")

            def call(parameters, **filled):
                def one(a):
                    if a.kind in ("count", "seed"):
                        return filled[a.kind]
                    if a.kind in ("states", "data"):
                        value = filled[a.kind]
                        return subject.framework.put(value, dtype if value.dtype.kind == "f" else "int64")
                    return subject.give(a, parameters[a.name], dtype)
                return subject.outcome([one(a) for a in contract.arguments])
            yield case, parameters, call


def own_rng():
    """The judge's own random numbers: a stream that no seed of a function under test gives."""
    return np.random.Generator(np.random.Philox(key=0x6A756467))


def law_of(function, contract, parameters):
    """What a reference, a mistake or a convention gives: an array."""
    with np.errstate(all="ignore"):
        return np.asarray(function(*(parameters[a.name] for a in contract.arguments if a.name in parameters)), float)


def believed(contract, convention):
    """The law to hold a function against: once a convention was recognised, in all further cases that."""
    return contract.conventions[convention["matches"]].function if convention else contract.reference


def named_law(contract, parameters, evidence):
    """The known mistake or convention whose law the draws do not contradict."""
    least, match = 3.0, {}
    for kind, others in (("conforms", contract.conventions), ("deviates", contract.mistakes)):
        for name, other in others.items():
            against = evidence(law_of(other.function, contract, parameters))
            if against < least:
                least, match = against, {"status": kind, "matches": name, "advice": other.advice}
    return match


def named_step(contract, parameters, counts, count):
    """The known wrong step whose moves, drawn as often, fall on the same bins (a chi-squared test of two samples)."""
    from scipy.stats import chi2_contingency
    best, match = 1e-4, {}
    for name, other in contract.mistakes.items():
        def call(parameters, states, seed, step=other.function):
            with np.errstate(all="ignore"):
                return step(states, *parameters.values(), np.random.default_rng(seed))
        for theirs, _ in count(contract, call, parameters):
            if theirs[0].sum() >= counts[0].sum():
                break
        p = 1.0
        for a, b in zip(counts, theirs):
            table = np.stack([a.ravel(), b.ravel()])
            p = min(p, chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)
        if p > best:
            best, match = p, {"matches": name, "advice": other.advice}
    return match


def numbered(states, shape, S):
    """States as numbers 0..S-1, or Failed."""
    states = np.asarray(states)
    if states.shape != shape:
        raise Failed(f"returns states of the shape {states.shape} where {shape} is due")
    whole = states.astype(np.int64)
    if np.any(whole != states) or np.any((whole < 0) | (whole >= S)):
        raise Failed(f"returns states that are not all whole numbers from 0 to {S - 1}")
    return whole


def located(x, table):
    """The number of each row of x in a table of states, or Failed."""
    x = real(x, (CHAINS, *table.shape[1:]))
    same = np.all(np.reshape(x, (CHAINS, 1, -1)) == np.reshape(table, (1, len(table), -1)), axis=-1)
    if not np.all(same.any(axis=1)):
        raise Failed(f"returns a state that is none of the {len(table)}: {x[~same.any(axis=1)][0]}")
    return same.argmax(axis=1)


def real(x, shape):
    x = np.asarray(x)
    if x.shape != shape:
        raise Failed(f"returns the shape {x.shape} where {shape} is due")
    if not np.all(np.isfinite(x)):
        raise Failed("returns numbers that are not finite")
    return x
