"""Judges of functions that draw: the law is exact, the draws are counted, and the test may stop at any time.

    moves      a step on a finite space                 the truth is its transition matrix, (S, S)
    draws      independent draws from a finite set      the truth is the table of probabilities, (S,)
    mean       an estimator that draws inside           the truth is its mean, an array
    joint      a step that draws codes given data       the joint table of both, (S,): Geweke's test (2004)
    keeps      a step on R^d                            it must leave a known distribution as it is, and be reversible

The reference of such a contract, its mistakes and its conventions are laws: they take the contract's parameters and
return the truth as above (for `keeps`, they are steps in NumPy, with a Generator for the seed). The arguments of kind
"states", "data", "count" and "seed" are filled in by the judge. All randomness of a function comes from its seed, so
that what was found can be found again.

Each test is wrong about a right function with a probability of at most ERROR, at however many looks. A judge's
within(most, cases) is the same test with other cases, and at most so many draws of each.
"""
import numpy as np

from refdgm import sequential
from refdgm.judging import CHAINS, asked, believed, law_of, located, named_law, named_step, numbered, own_rng, real
from refdgm.transition_test import log_bayes_factor, most_deviant

ERROR = 1e-9            # of one test; a run has some 50
LIMIT = -np.log(ERROR)
MOST = 2**18            # draws of one case


def moves(cases, places=None, most=MOST):
    """The judge of a step(states, ..., seed) on the states 0..S-1: its truth is the transition matrix.

    places(*parameters) -> (S, ...), what the step takes and returns for each state, where that is not its number.
    """
    def count(call, parameters, S):
        counts, states = np.zeros((S, S)), np.arange(CHAINS) % S
        table = None if places is None else places(*parameters.values())
        for n in range(most // CHAINS):
            new = call(parameters, states=states if table is None else table[states], seed=n + 1)
            new = numbered(new if table is None else located(new, table), (CHAINS,), S)
            counts += np.bincount(states * S + new, minlength=S * S).reshape(S, S)
            states = new
            yield counts

    def worst(counts, P):
        a, b = most_deviant(counts, P)
        visits = counts[a].sum()
        return {"case": f"the move {a} -> {b}", "expected": [np.array(P[a, b])],
                "got": [np.array(counts[a, b] / max(visits, 1))]}
    judge = _counted("moves", cases, count, log_bayes_factor, worst)
    judge.places, judge.within = places, lambda most, cases=cases: moves(cases, places, most)
    return judge


def draws(cases, most=MOST):
    """The judge of draw(n, ..., seed) -> states (n,) of int: its truth is their table of probabilities."""
    def count(call, parameters, S):
        counts = np.zeros(S)
        for n in range(most // CHAINS):
            counts += np.bincount(numbered(call(parameters, count=CHAINS, seed=n + 1), (CHAINS,), S), minlength=S)
            yield counts

    def worst(counts, p):
        _, s = most_deviant(counts[None], p[None])
        return {"case": f"the state {s}", "expected": [np.array(p[s])], "got": [np.array(counts[s] / counts.sum())]}
    judge = _counted("draws", cases, count, sequential.law, worst)
    judge.within = lambda most, cases=cases: draws(cases, most)
    return judge


def joint(cases, draw, redraw, number, rounds=8, most=MOST):
    """The judge of step(h, x, ..., seed), which leaves p(h|x) as it is: Geweke's joint test on a finite space.

    draw(rng, n, *parameters) -> h, x from the joint law; redraw(rng, h, *parameters) -> x ~ p(x|h); number(h, x) ->
    the place of each pair in the table. The pairs are drawn, then step and redraw alternate, a step first and last: the
    law must stay. (After a redraw a step that draws h from its prior would pass, whatever x is.)
    """
    def count(call, parameters, S):
        counts, rng = np.zeros(S), own_rng()
        for n in range(most // CHAINS):
            h, x = draw(rng, CHAINS, *parameters.values())
            for turn in range(rounds):
                x = redraw(rng, h, *parameters.values()) if turn else x
                h = real(call(parameters, states=h, data=x, seed=n * rounds + turn + 1), h.shape)
            counts += np.bincount(numbered(number(h, x), (CHAINS,), S), minlength=S)
            yield counts

    def worst(counts, p):
        _, s = most_deviant(counts[None], p[None])
        return {"case": f"the pair (h, x) number {s}", "expected": [np.array(p[s])],
                "got": [np.array(counts[s] / counts.sum())]}
    judge = _counted("joint", cases, count, sequential.law, worst)
    judge.within = lambda most, cases=cases: joint(cases, draw, redraw, number, rounds, most)
    return judge


def _counted(kind, cases, count, log_evidence, worst):
    """Counts grow, and are looked at whenever there are twice as many."""
    def judge(contract, subject, dtypes, seeds, note):
        made, most_evidence, convention = 0, -np.inf, {}
        for case, parameters, call in asked(contract, subject, cases, dtypes, seeds, note):
            truth, seen = law_of(believed(contract, convention), contract, parameters), None
            for calls, counts in enumerate(count(call, parameters, len(truth)), 1):
                if calls & (calls - 1) or seen:
                    continue
                evidence = log_evidence(counts, truth)
                if evidence >= LIMIT:
                    seen = evidence, made + int(counts.sum()), worst(counts, truth)
            made = made + int(counts.sum())
            if seen:
                name = named_law(contract, parameters, lambda law, counts=counts: log_evidence(counts, law))
                if name.get("status") != "conforms" or convention:
                    evidence, draws, shown = seen
                    found = {**shown, "case": f"{shown['case']}, {case.label}", "input": parameters, **name}
                    return _said({**found, "status": "deviates"}, evidence, draws)
                convention = name
            else:
                most_evidence = max(most_evidence, evidence)
        return _said({"status": "conforms", **convention}, most_evidence, made)
    judge.kind, judge.cases = kind, cases
    return judge


def mean(cases, variance=None, most=MOST, first=CHAINS):
    """The judge of an estimator(..., n, seed) -> n draws (n, ...): its truth is their mean.

    variance(*parameters): that of the reference's estimator, if known: the ratio is noted, it is not judged.
    """
    def judge(contract, subject, dtypes, seeds, note):
        made, largest, notes, convention = 0, 0.0, [], {}
        for case, parameters, call in asked(contract, subject, cases, dtypes, seeds, note):
            truth = law_of(believed(contract, convention), contract, parameters)
            test, size, n, seen = sequential.Mean.of(truth.size), max(float(np.max(np.abs(truth))), 1e-300), first, None
            while test.n < most:
                got = real(call(parameters, count=n, seed=test.looks + 1), (n, *truth.shape))
                test = test.add((got - truth).reshape(n, -1))
                ratio = float(np.max(test.ratio(ERROR, 1e-5 * size)))
                if ratio > 1 and not seen:
                    seen = ratio, made + test.n
                n = 3 * test.n
            made += test.n
            estimate = truth + (test.sum / test.n).reshape(truth.shape)
            if seen:
                spread = np.sqrt(test.variance() / test.n).reshape(truth.shape)

                def surprise(law, estimate=estimate, spread=spread, size=size):
                    return float(np.max(np.abs(law - estimate) / np.maximum(spread, 1e-5 * size))) - 4.0
                name = named_law(contract, parameters, surprise)
                if name.get("status") != "conforms" or convention:
                    return {"case": case.label, "input": parameters, "expected": [truth], "got": [estimate],
                            "measured": seen[0], "allowed": 1.0, "draws": seen[1], "dtype": dtypes[0],
                            "problem": f"its mean is {seen[0]:.1f} times further off than chance allows", **name,
                            "status": "deviates"}
                convention = name
            else:
                largest = max(largest, ratio)
            if variance is not None:
                ours = law_of(variance, contract, parameters)
                notes.append(f"variance {float(np.sum(test.variance()) / np.sum(ours)):.3g} times the reference "
                             f"estimator's ({case.label})")
        return {"status": "conforms", "measured": largest, "allowed": 1.0, "draws": made, "dtype": dtypes[0],
                "notes": notes, **convention}
    judge.kind, judge.cases, judge.variance = "mean", cases, variance
    judge.within = lambda most, cases=cases: mean(cases, variance, most, first)
    return judge


def keeps(cases, draw, cdf, bins=8, reversible=True, most=MOST):
    """The judge of a step(x, ..., seed) on R^d: it leaves a distribution as it is, and is reversible.

    draw(rng, n, *parameters) -> (n, d) exact draws; cdf(x, *parameters) -> (n, c) in [0, 1], some functions of x whose
    law is uniform. The x are drawn, one step is made, and the numbers of the bins before and after are counted.
    """
    def binned(x, parameters):
        return np.minimum((bins * cdf(x, *parameters.values())).astype(int), bins - 1)

    def count(contract, call, parameters):
        counts, rng = None, own_rng()
        for n in range(most // CHAINS):
            x = draw(rng, CHAINS, *parameters.values())
            new = real(call(parameters, states=x, seed=n + 1), x.shape)
            before, after = binned(x, parameters), binned(new, parameters)
            cells = np.stack([np.bincount(a * bins + b, minlength=bins**2) for a, b in zip(before.T, after.T)])
            counts = cells.reshape(-1, bins, bins) if counts is None else counts + cells.reshape(-1, bins, bins)
            yield counts, np.array_equal(new, x)

    def evidence_of(counts):
        """log B of the worst of: stationarity, reversibility, for each function."""
        found = [(sequential.law(table.sum(axis=0), np.full(bins, 1 / bins)), "does not keep its distribution")
                 for table in counts]
        if reversible:
            found += [(sequential.reversibility(table), "is not reversible") for table in counts]
        return max(found)

    def judge(contract, subject, dtypes, seeds, note):
        made, largest = 0, -np.inf
        for case, parameters, call in asked(contract, subject, cases, dtypes, seeds, note):
            for calls, (counts, still) in enumerate(count(contract, call, parameters), 1):
                if still:
                    return _said({"status": "deviates", "case": case.label, "problem": "it never moves"}, np.inf, made)
                if calls & (calls - 1):
                    continue
                evidence, what = evidence_of(counts)
                if evidence >= LIMIT + np.log(2 * len(counts)):
                    found = {"status": "deviates", "case": case.label, "problem": f"it {what}", "input": parameters,
                             "expected": [np.full(bins, 1 / bins)], "got": [counts[0].sum(0) / counts[0].sum()],
                             **named_step(contract, parameters, counts, count)}
                    return _said(found, evidence, made + int(counts[0].sum()))
            made, largest = made + int(counts[0].sum()), max(largest, evidence)
        return _said({"status": "conforms"}, largest, made)
    judge.kind, judge.cases, judge.draw = "keeps", cases, draw
    judge.within = lambda most, cases=cases: keeps(cases, draw, cdf, bins, reversible, most)
    return judge


def _said(found, evidence, made):
    """The evidence in powers of ten, against what ERROR allows."""
    return {**found, "measured": float(evidence / np.log(10)), "allowed": float(LIMIT / np.log(10)), "draws": made}
