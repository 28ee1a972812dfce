"""Bad input in every public function is answered or refused by name; REFDGM_CAMPAIGN=20 asks for so many examples."""
import gc
import os
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import campaign
import campaign_api
import campaign_learning
from refdgm import numerics
from refdgm.models import rbm
from refdgm.models.targets import has_form
from refdgm.samplers import block_gibbs

EXAMPLES = int(os.environ.get("REFDGM_CAMPAIGN", 1))        # of every function
MODULES = sorted({name.rsplit(".", 1)[0] for name in campaign.functions()})


@cache
def calls():
    return campaign.recorded()


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """A gigabyte of arguments would slow down every collection of garbage in the tests that follow."""
    yield
    calls.cache_clear()
    gc.collect()


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """Where a file goes that is called "nonsense"."""
    monkeypatch.chdir(tmp_path)


def of(module):
    return {name: (campaign.functions()[name], call) for name, call in calls().items()
            if name.rsplit(".", 1)[0] == module}


def spoil(calls):
    """Each {name: (function, call)} with a spoilt argument, EXAMPLES times."""
    @settings(max_examples=1 + EXAMPLES,                    # Hypothesis begins with the simplest, which shows little
              derandomize=True, database=None, deadline=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def every_function(data):
        for name, (function, call) in calls.items():
            bad = data.draw(campaign.spoilt(call))
            wrong = campaign.judged(function, bad, call)
            assert wrong is None, f"{name} of {bad}: {wrong}"
    every_function()


@pytest.mark.parametrize("module", MODULES)
def test_bad_input(module):
    spoil(of(module))


def test_bad_input_to_what_learns():
    spoil(campaign_learning.learners())


def test_bad_input_to_what_users_call():
    spoil(campaign_api.calls())


def test_most_functions_are_called():
    assert len(calls()) > 3300, len(calls())


def other_forms(array):
    """With rows too few, chains too many, another width, and integers in place of real numbers."""
    yield array[:-1]
    yield np.repeat(array, 2, axis=0)
    if array.ndim > 1:
        yield np.concatenate([array, array[..., -1:]], axis=-1)
    if array.dtype.kind == "f":
        yield np.ones(array.shape, np.int64)


def test_a_compiled_sampler_takes_no_state_of_another_form():
    """Kernels do not look where an array ends, or what a number is: rows too few, chains too many, another width and
    integers must not reach them. How an array lies in memory is nothing to them."""
    samplers = {name: call for name, call in calls().items() if name.endswith(".run") and "samplers" in name
                and "state" in call}
    assert len(samplers) >= 17 and all(has_form(call["target"]) for call in samplers.values() if "target" in call)
    for name, call in samplers.items():
        run = campaign.functions()[name]
        expected = run(**call).state
        for path, leaf in campaign.leaves(call.get("target", ())):
            for other in (leaf[:-1], leaf[..., None]):
                with pytest.raises(ValueError):
                    run(**campaign.replaced(call, ("target", *path), other))
        for path, leaf in campaign.leaves(call["state"]):
            if isinstance(leaf, np.ndarray):
                for other in other_forms(leaf):
                    with pytest.raises(ValueError):
                        run(**campaign.replaced(call, ("state", *path), other))
                apart = campaign.replaced(call, ("state", *path), np.repeat(leaf, 2, axis=0)[::2])
                assert campaign.same(run(**apart).state, expected)


@pytest.mark.parametrize("call", [
    lambda: numerics.all_binary(2**31), lambda: numerics.all_tuples(3, 2**31), lambda: numerics.gauss_hermite(3, 2**31),
    lambda: block_gibbs.all_trajectories(3, 2, 2**31),
    lambda: block_gibbs.forward_table({"w": np.zeros((3, 2))}, np.ones(8) / 8, 2**31)])
def test_too_many_states_are_refused_at_once(call):
    with pytest.raises(ValueError, match="inf states, more than"):
        call()


def test_the_campaign_sees_what_is_wrong(monkeypatch):
    """Each kind of defect, in a function of its own."""
    def warns(x): return np.log(x)
    def silent(x): return 1.0
    def changes(x): x += 1
    def strays(x): return {}["w"]
    def mute(x): raise ValueError("no good.")
    def ends_not(x):
        while True:
            pass
    good, bad = {"x": np.ones(2)}, {"x": -np.ones(2)}
    assert "Warning" in campaign.judged(warns, bad, good)
    assert "NaN" in campaign.judged(silent, {"x": np.full(2, np.nan)}, good)
    assert "dtype" in campaign.judged(silent, {"x": np.array(["a"])}, good)
    assert "changes" in campaign.judged(changes, bad, good)
    assert "KeyError" in campaign.judged(strays, bad, good)
    assert "names no argument" in campaign.judged(mute, bad, good)
    monkeypatch.setattr(campaign, "SECONDS", 0.1)
    assert "takes more than" in campaign.judged(ends_not, bad, good)
    assert campaign.judged(rbm.free_energy, {"theta": {}, "x": np.ones(2)}, good) is None
