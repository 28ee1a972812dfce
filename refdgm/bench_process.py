"""The process in which one implementation of a case of `refdgm bench` works: what it answers, and how it is asked."""
import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
ROUND = 0.05                # seconds that one measurement lasts at least: short work is repeated within it
PAUSE = 0.01                # seconds: a process whose threads do less than a tenth of that in it has gone to sleep
COMMAND = """from refdgm.bench_process import serve
from refdgm.benchmark import cases
serve(cases()[{name!r}], {implementation!r}, {threads})"""


def serve(case, implementation, threads):
    """Prepare, say what the work gave, then make one measurement for every line that comes in.

    A work that has a clock of its own, clock(calls) -> seconds of a call, is timed by that; what its result is on the
    host, its fetch(result) says.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                               # what a library prints does not get between the answers

    def answer(**content):
        print(json.dumps(content), file=answers, flush=True)

    if hasattr(os, "sched_setaffinity"):        # the one setting of threads that every library obeys
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    try:
        makers = {"refdgm": case.refdgm, **case.peers, **({"limit": case.limit[1]} if case.limit else {})}
        work = makers[implementation]()
        result = work()                         # compiles
        begin = time.perf_counter()
        work()
        calls = 1 if implementation == "limit" else max(1, round(ROUND / (time.perf_counter() - begin)))
        clock = getattr(work, "clock", partial(_clock, work))
        observed = summary(case, getattr(work, "fetch", lambda a: a)(result)) if implementation != "limit" else None
        gc.collect()
        gc.disable()
        _settle()
        answer(observed=observed, peak=_peak_memory())
        for _ in sys.stdin:
            seconds = work() if implementation == "limit" else clock(calls)
            _settle()
            answer(seconds=seconds)
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")


def _clock(work, calls):
    begin = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - begin) / calls


def _settle():
    """Wait until no thread of this process runs: those of OpenBLAS go on asking for work for up to 0.1 s, and whoever
    is measured next would share the processor with them."""
    for _ in range(100):
        begin = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - begin < PAUSE / 10:
            return


def _peak_memory():
    """The most memory that this process has had, libraries and all, in bytes; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def summary(case, result):
    """Mean, squared standard error and number of what a case observes."""
    if case.observe is None:
        return None
    import numpy as np
    numbers = np.asarray(case.observe(np.asarray(result)), np.float64).ravel()
    error = numbers.var(ddof=1) / len(numbers) if len(numbers) > 1 else 0.0
    return float(numbers.mean()), float(error), len(numbers)


class Worker:
    """A process that serves one implementation of a case."""

    def __init__(self, case, implementation, threads):
        environment = {**os.environ, **dict.fromkeys(THREADS, str(threads))}
        self.errors = tempfile.TemporaryFile("w+")
        command = COMMAND.format(name=case.name, implementation=implementation, threads=threads)
        self.process = subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=environment)

    def hear(self):
        """The next answer; {"error": ...} if the process has failed or gone."""
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.errors.seek(0)
        said = self.errors.read().strip().splitlines()
        return {"error": said[-1] if said else f"the process ended with status {self.process.wait()}"}

    def measure(self):
        """One measurement in seconds, or the error."""
        with contextlib.suppress(BrokenPipeError):          # hear() says why
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self.hear()

    def close(self):
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(BrokenPipeError):      # a question that the process did not live to read
                file.close()
