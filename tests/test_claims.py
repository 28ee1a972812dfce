"""Every claim of the ledger holds, and every mistake beside it is rejected; the id of a test is the id of its claim."""
from functools import cache

import numpy as np
import pytest

from refdgm import ledger, verdicts
from refdgm.checking import Claim

SEEDS = range(4)
EXECUTED = sorted(ledger.claims())


@cache
def record(id):
    return verdicts.verify_claim(ledger.claims()[id], SEEDS)


@pytest.mark.parametrize("id", EXECUTED)
def test_holds(id):
    found = record(id)
    assert found["status"] == "confirmed", found["problem"]


@pytest.mark.parametrize("id", EXECUTED)
def test_rejects(id):
    """At least two mistakes, and the misprint and the missing condition where the verdict speaks of one."""
    found, entry = record(id), ledger.entries()[id]
    assert len(found["mistakes"]) >= 2, "a claim needs at least two mistakes that its check rejects"
    for mistake in found["mistakes"]:
        assert mistake["rejected"], f"not rejected: {mistake['name']}"
    if entry.verdict in ("misprint", "false"):
        assert found["printed"]["rejected"]
    if entry.verdict == "holds-if":
        assert found["without"]["rejected"]


@pytest.mark.parametrize("name", sorted(ledger.derivations()))
def test_derivation(name):
    found = verdicts.verify_derivation(ledger.derivations()[name], SEEDS)
    assert found["status"] == "confirmed", found["problem"]
    relations = [line["relation"] for line in found["lines"]]
    assert relations[0] == "" and "!=" in relations and set(relations) - {"", "!="}, "a start, a step, and a mistake"
    for line in found["lines"]:
        assert line["claim"] == "" or line["claim"] in ledger.entries(), f"unknown claim {line['claim']}"


@pytest.mark.parametrize("entry", ledger.entries().values(), ids=lambda entry: entry.id)
def test_ledger_entry_is_whole(entry):
    assert entry.verdict in ledger.VERDICTS
    assert entry.where and entry.statement and entry.printed
    if entry.verdict in ("misprint", "false", "holds-if"):
        assert entry.corrected and entry.why
    if entry.verdict == "unverifiable" or entry.method == "editorial":
        assert entry.why, "say why no number can settle it"
    executed = entry.id in ledger.claims()
    assert executed or entry.method == "editorial" or entry.verdict in ("definitional", "unverifiable")
    assert not (executed and entry.method == "editorial"), "what a number shows is not editorial"


def test_every_check_has_an_entry():
    assert set(ledger.claims()) <= set(ledger.entries())


def test_tolerances_are_the_named_ones():
    """No equality is held more loosely than float64 arithmetic explains."""
    for id, claim in ledger.claims().items():
        assert isinstance(claim, Claim)
        if claim.check.kind in ("equality", "invariance"):
            assert claim.check.allowed <= 1e-8, f"{id}: {claim.check.allowed}"
        if claim.check.kind == "gradient":
            assert claim.check.allowed <= 1e-9, f"{id}: {claim.check.allowed}"


def test_a_run_repeats_itself():
    """The same seed gives the same numbers: nothing draws from global state."""
    before = np.random.get_state()[1].copy()
    id = "ou2018.eq15"
    first, second = (verdicts.verify_claim(ledger.claims()[id], SEEDS) for _ in range(2))
    assert first["measured"] == second["measured"]
    assert np.array_equal(before, np.random.get_state()[1])
