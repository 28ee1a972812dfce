"""The same results on one process, on two, on joblib and on a Dask cluster; a worker that is killed loses nothing."""
import json
import os
import signal
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from refdgm import cli, runs, verification, workers

TASKS = verification.resolve(["ou2018.eq7", "ou2018.eq20", "ou2018.eq14", "iwae_is_rws", "bachman2015.eq14"])


def square(n):
    return n * n


def killed_once(mark, n):
    """The first process that comes to 3 is killed, with a mark left behind."""
    if n == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def killed_at_every_second(folder, task):
    """A task of the name "die" kills the first process that comes to it, a while after the others have worked."""
    mark = Path(folder) / str(task[1])
    if task[0] == "die" and not mark.exists():
        time.sleep(0.2)
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


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
def test_processes_may_be_killed_as_often_as_they_finish_something(tmp_path):
    deaths = workers.LIVES + 2
    tasks = [task for n in range(deaths) for task in (("work", n), ("die", n))]
    pairs = dict(workers.finished(tasks, partial(killed_at_every_second, tmp_path), jobs=2))
    assert len(pairs) == len(tasks) and len(list(tmp_path.iterdir())) == deaths


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


class Grid(NamedTuple):
    seeds: int
    steps: int


def cell_record(cell, settings):
    return {"number": cell.seed * settings.steps + len(cell.algorithm)}


class Counting(ThreadPoolExecutor):
    submitted = 0

    def submit(self, *work):
        self.submitted += 1
        return super().submit(*work)


@pytest.mark.parametrize("options", [{"jobs": 2}, {"executor": Counting(2)}, {"executor": "joblib"}],
                         ids=["processes", "executor", "joblib"])
def test_a_grid_of_seeds_and_algorithms_is_the_same_anywhere(options, tmp_path):
    if options.get("executor") == "joblib":
        pytest.importorskip("joblib")
    grid = partial(runs.by_algorithm, "table", ["sgd", "jsa2"], Grid(3, 10), cell_record, seed=5)
    assert grid() == {"sgd": [{"number": n} for n in (53, 63, 73)], "jsa2": [{"number": n} for n in (54, 64, 74)]}
    assert grid(journal=tmp_path / "grid.jsonl", **options) == grid() == grid(journal=tmp_path / "grid.jsonl")
    assert len((tmp_path / "grid.jsonl").read_text().splitlines()) == 7
    assert getattr(options.get("executor"), "submitted", 6) == 6


@pytest.fixture
def dask():
    """dask(n): a real cluster of n processes on this machine, and the client that joblib uses in the `with`."""
    joblib, distributed = pytest.importorskip("joblib"), pytest.importorskip("distributed")

    @contextmanager
    def cluster(n):
        local = {"n_workers": n, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
        with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client, \
                joblib.parallel_config("dask"):
            yield client
    return cluster


@pytest.mark.parametrize("workers", [1, 2])
def test_the_sweep_of_the_readme(dask, workers, tmp_path, monkeypatch):
    """It runs on Dask as it is printed, but for the address, the claims and the seeds; the command goes on from it."""
    text = (Path(__file__).parent.parent / "README.md").read_text()
    after = text.split("\n    import joblib\n")[1]
    code = textwrap.dedent("    import joblib\n" + after.split("\n\n`refdgm verify")[0])
    names = ["ou2018.eq15.mono", "bachman2015.eq14", "iwae_is_rws"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verification, "BLOCK", 5)
    with dask(workers) as client:
        for printed, here in (("tcp://scheduler:8786", client.scheduler.address), ("[]", str(names)), ("10_000", "23")):
            assert code.count(printed) == 1
            code = code.replace(printed, here)
        exec(compile(code, "README.md", "exec"), found := {})
    assert as_json(found["records"]) == as_json(verification.run(verification.resolve(names), range(23)))
    monkeypatch.setattr(verification, "perform", None)           # nothing is left to be done
    assert cli.main(["verify", *names, "--instances", "23", "--resume", "sweep.jsonl", "--json", "sweep.json"]) == 0
    said = json.loads(Path("sweep.json").read_text())
    assert as_json(found["records"]) == json.dumps([{**r, "seconds": 0} for r in said["claims"] + said["derivations"]])


def test_a_sweep_on_dask_survives_a_killed_worker(dask, monkeypatch):
    monkeypatch.setattr(verification, "BLOCK", 5)
    serial = as_json(verification.run(TASKS, range(40)))
    with dask(2) as client:
        ids = client.run(os.getpid)
        pairs = verification.run(TASKS, range(40), jobs=-1, executor="joblib")
        first = next(pairs)
        os.kill(next(iter(ids.values())), signal.SIGKILL)
        assert as_json([first, *pairs]) == serial
        assert set(client.run(os.getpid).values()) != set(ids.values()), "a worker was killed"
