"""An attack finds what is wrong and shrinks it, and leaves what is right standing."""
import numpy as np
import pytest

from refdgm import falsification, instances, ledger
from refdgm.checking import Claim, equals, is_at_most, provided

WRONG = sorted(id for id, claim in ledger.claims().items() if claim.printed is not None or claim.without is not None)
BOUNDS = sorted(id for id, claim in ledger.claims().items() if claim.check.gap is not None and not claim.typical)


@pytest.mark.parametrize("id", WRONG)
def test_a_counter_example_is_found(id):
    """For every printed form that is wrong, and for every condition that is left out."""
    for form, formula, check, expected in falsification.forms(ledger.claims()[id]):
        if expected:
            attack = falsification.attack(form, formula, check, seconds=10.0)
            assert attack.found, f"{id}, {form}: {attack.measured} after {attack.evaluations} evaluations"


@pytest.mark.parametrize("id", BOUNDS)
def test_a_true_bound_survives(id):
    claim = ledger.claims()[id]
    attack = falsification.attack("the claim", claim.claimed, claim.check, starts=2, seconds=1.0)
    assert not attack.found, instances.show(attack.case)


@pytest.mark.parametrize("id", sorted(id for id, claim in ledger.claims().items() if claim.check.assumes is not None))
def test_a_stated_condition_is_what_the_cases_differ_in(id):
    """The cases of a claim satisfy its condition, and those without it do not."""
    claim = ledger.claims()[id]
    for seed in range(20):
        assert claim.check.assumes(**claim.check.case(seed))
        assert claim.without is None or not claim.check.assumes(**claim.without.case(seed))


def nearly_true(claimed_gap):
    """a . b <= |a| |b| + claimed_gap: false by little, and only near the direction of equality, for a negative gap."""
    import autograd.numpy as anp
    def case(seed, n=3):
        rng = np.random.default_rng(seed)
        return {"a": rng.normal(size=n), "b": rng.normal(size=n)}
    return Claim("test.cauchy", lambda a, b: anp.dot(a, b) + 0 * a[0], is_at_most(
        lambda a, b: anp.sqrt(anp.dot(a, a) * anp.dot(b, b)) + claimed_gap, case), {})


def test_a_violation_that_sampling_misses_is_climbed_to():
    claim = nearly_true(-1e-3)
    assert claim.check(claim.claimed, range(50)).ok, "50 random instances do not see it"
    attack = falsification.attack("the claim", claim.claimed, claim.check)
    assert attack.found and attack.measured > 1e-4
    assert not falsification.attack("the claim", *nearly_true(0.0)[1:3]).found


def test_an_attack_stays_where_the_condition_holds():
    """|x| <= 1 holds where x'x <= 1, and nowhere else; an instance outside of the condition is an error."""
    def case(seed):
        x = np.random.default_rng(seed).normal(size=3)
        return {"x": x / np.sqrt(4 * x @ x)}
    everywhere = is_at_most(lambda x: np.ones(3), case)
    inside = provided(lambda x: x @ x <= 1, everywhere)
    assert falsification.attack("the claim", lambda x: abs(x), everywhere).found
    assert not falsification.attack("the claim", lambda x: abs(x), inside).found
    with pytest.raises(ValueError, match="outside of the condition"):
        provided(lambda x: False, everywhere)(lambda x: x)


def test_what_is_found_is_shrunk():
    def case(seed):
        rng = np.random.default_rng(seed)
        return {"x": rng.normal(size=3), "p": rng.dirichlet(np.ones(3))}
    claim = Claim("test.square", lambda x, p: np.sum(x) ** 2 * np.sum(p), equals(
        lambda x, p: np.sum(x**2) * np.sum(p), case), {})
    case = falsification.attack("the claim", claim.claimed, claim.check).case
    assert np.all(case["x"] == np.round(case["x"])) and np.count_nonzero(case["x"]) == 2
    assert np.allclose(case["p"] * 10, np.round(case["p"] * 10)) and np.isclose(case["p"].sum(), 1)


def test_what_is_no_number_stays_as_it_is():
    case = {"bits": np.array([0.0, 1.0]), "k": 3, "f": len, "log_p": np.log([0.5, 0.25]),
            "theta": {"W": np.eye(2) * 1.5}}
    moved = instances.nudged(case, np.random.default_rng(0), 0.5)
    assert moved["bits"] is case["bits"] and moved["k"] == 3 and moved["f"] is len
    assert np.isclose(np.exp(moved["log_p"]).sum(), 0.75) and not np.allclose(moved["log_p"], case["log_p"])
    assert not np.array_equal(moved["theta"]["W"], case["theta"]["W"])
    assert "exp(log_p) = [0.5, 0.25]" in instances.show(case) and "f =" not in instances.show(case)
