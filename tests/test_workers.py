"""The same results on one process, on two, on joblib and on a Dask cluster; a worker that is killed loses nothing."""
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from refdgm import verification, workers

TASKS = verification.resolve(["ou2018.eq7", "ou2018.eq20", "ou2018.eq14", "iwae_is_rws", "bachman2015.eq14"])


def square(n):
    return n * n


def killed_once(mark, n):
    """The first process that comes to 3 is killed, with a mark left behind."""
    if n == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def always_killed(n):
    os.kill(os.getpid(), signal.SIGKILL)


def as_json(pairs):
    return json.dumps([{**record, "seconds": 0} for _, record in pairs], default=str)


@pytest.mark.parametrize("options", [{}, {"jobs": 2}, {"executor": ThreadPoolExecutor(2)}])
def test_finished(options):
    assert dict(workers.finished(range(9), square, **options)) == {n: n * n for n in range(9)}
    assert list(workers.finished([], square, **options)) == []


def test_in_order():
    pairs = [(2, "c"), (0, "a"), (1, "b"), (3, "d")]
    assert list(workers.in_order(range(4), pairs)) == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_killed_worker_loses_nothing(tmp_path):
    pairs = dict(workers.finished(range(20), partial(killed_once, tmp_path / "mark"), jobs=2))
    assert pairs == {n: n * n for n in range(20)} and (tmp_path / "mark").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_workers_that_keep_dying_are_named():
    with pytest.raises(ValueError, match="processes were killed 3 times, with 4 tasks left"):
        list(workers.finished(range(4), always_killed, jobs=2))


def test_an_executor_must_be_one():
    with pytest.raises(ValueError, match="has submit"):
        list(workers.finished(range(4), square, executor="dask"))


def test_joblib_gives_the_same():
    pytest.importorskip("joblib")
    serial = as_json(verification.run(TASKS, range(2)))
    assert as_json(verification.run(TASKS, range(2), jobs=2, executor="joblib")) == serial
    assert as_json(verification.run(TASKS, range(2), jobs=2)) == serial


def test_dask_gives_the_same_and_survives_a_killed_worker():
    """On a real local cluster of two workers, one of which is killed at work."""
    joblib, distributed = pytest.importorskip("joblib"), pytest.importorskip("distributed")
    serial = as_json(verification.run(TASKS, range(2)))
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client, \
            joblib.parallel_config("dask"):
        assert as_json(verification.run(TASKS, range(2), jobs=-1, executor="joblib")) == serial
        ids = client.run(os.getpid)
        pairs = workers.finished(range(40), slow_square, jobs=-1, executor="joblib")
        first = next(pairs)
        os.kill(next(iter(ids.values())), signal.SIGKILL)
        assert dict([first, *pairs]) == {n: n * n for n in range(40)}


def slow_square(n):
    time.sleep(0.05)
    return n * n
