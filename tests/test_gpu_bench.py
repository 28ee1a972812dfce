"""The GPU cases of refdgm bench, small, on the stand-in: the same chain as on the host, timed by events."""
import json
import subprocess
import sys
import time
import types

import cuda_on_cpu
import numpy as np
import pytest

from refdgm import backend, benchmark, gpu_clock
from refdgm.bench_cases import langevin, rbm
from refdgm.samplers import mala, ula

pytestmark = pytest.mark.skipif(cuda_on_cpu.COMPILER is None, reason="no C++ compiler (c++, g++ or clang++) is found")


class Event:
    """As cupy.cuda.Event, on a device that has done everything as soon as it was asked."""

    def record(self):
        self.at = time.perf_counter()


@pytest.fixture
def gpu(monkeypatch):
    with cuda_on_cpu.installed() as cupy:
        cuda = types.SimpleNamespace(Event=Event, get_elapsed_time=lambda a, b: 1e3 * (b.at - a.at),
                                     Device=cupy.cuda.get_current_stream, **vars(cupy.cuda))
        monkeypatch.setattr(cupy, "cuda", cuda)
        yield cupy


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_rbm(gpu, real):
    size = 9, 6, 40, 3, real
    with backend.use("numpy"):
        host = rbm._refdgm(*size)()
        work = rbm._refdgm_gpu(*size)
        assert np.array_equal(work.fetch(work()), host) and 0 < work.clock(2) < 10


@pytest.mark.parametrize("sampler", [ula, mala])
def test_langevin(gpu, sampler, monkeypatch):
    monkeypatch.setattr(langevin, "GPU_CHAINS", 37)
    with backend.use("numpy"):
        host = langevin._refdgm(sampler, np.float64, 37)()
        work = langevin._refdgm_gpu(sampler, np.float64)
        assert np.array_equal(work.fetch(work()), host) and 0 < work.clock(1) < 10


def test_limits(gpu, monkeypatch):
    monkeypatch.setattr(gpu_clock, "SIDE", 64)
    monkeypatch.setattr(gpu_clock, "COPIED", 2**16)
    assert rbm._gpu_bound(9, 6, 40, 3, np.float32)() > 0


def test_a_worker_is_timed_by_the_clock_of_its_work():
    """A process of its own: its work says that a call takes 250 s, and that its result is 0, 1, 2 on the host."""
    code = """
import numpy as np
from refdgm import bench_process, benchmark, gpu_clock

class Event:
    def record(self): pass

work = gpu_clock.OnGPU(lambda: None, Event, lambda a, b: 250e3, lambda: None, lambda found: np.arange(3.0))
case = benchmark.Case("topic.case", "", 1, "calls", "float64", lambda: work, {}, observe=lambda a: 2 * a)
bench_process.serve(case, "refdgm", 1)"""
    done = subprocess.run([sys.executable, "-c", code], input="\n", capture_output=True, text=True, check=True)
    prepared, measured = map(json.loads, done.stdout.splitlines())
    assert prepared["observed"] == [2.0, 4 / 3, 3]
    calls = 250 / measured["seconds"]
    assert calls == pytest.approx(round(calls)) and calls > 1.5     # 250 s for all of them, as the events say


def test_cases_that_need_a_gpu_are_left_out_where_there_is_none(monkeypatch):
    cases = list(benchmark.cases().values())
    assert any(case.gpu for case in cases)
    monkeypatch.setattr(gpu_clock, "description", lambda: None)
    assert benchmark.runnable(cases) == [case for case in cases if not case.gpu]
    monkeypatch.setattr(gpu_clock, "description", lambda: "a GPU")
    assert benchmark.runnable(cases) == cases
