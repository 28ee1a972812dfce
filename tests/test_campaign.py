"""Bad input in every public function is answered or refused by name; REFDGM_CAMPAIGN=20 asks for so many examples."""
import os
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import campaign

EXAMPLES = int(os.environ.get("REFDGM_CAMPAIGN", 3))        # of every function
MODULES = sorted({name.rsplit(".", 1)[0] for name in campaign.functions()})


@cache
def calls():
    return campaign.recorded()


def of(module):
    return [(campaign.functions()[name], call) for name, call in calls().items() if name.rsplit(".", 1)[0] == module]


@pytest.mark.parametrize("module", MODULES)
def test_bad_input(module):
    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.data())
    def every_function(data):
        for function, call in of(module):
            bad = data.draw(campaign.spoilt(call), label=function.__name__)
            wrong = campaign.judged(function, bad, call)
            assert wrong is None, f"{function.__name__} of {bad}: {wrong}"
    every_function()


def test_most_functions_are_called():
    assert len(calls()) > 1900, len(calls())
