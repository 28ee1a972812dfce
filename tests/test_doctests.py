"""The examples in docstrings are executed."""
import doctest
import importlib
import pkgutil

import pytest

import refdgm


def names():
    for info in pkgutil.walk_packages(refdgm.__path__[:1], "refdgm."):
        if info.name not in ("refdgm.__main__", "refdgm.template"):
            yield info.name


@pytest.mark.parametrize("name", list(names()))
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
