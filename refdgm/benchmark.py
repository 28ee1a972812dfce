"""How long a piece of work takes here, in others' libraries, and at least: `refdgm bench`.

Each implementation of a case has a process of its own, so that no library's threads or settings touch another's. They
all stay alive and take turns, the next when the threads of the last are asleep: a round times every one of them once,
what else the machine does falls on all of them alike, and the reported ratio is that of the medians. Compiling and the
first calls are not timed. Before anything is timed the implementations must agree on the result: a peer that does other
work is no peer.
"""
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import refdgm
from refdgm import gpu_clock
from refdgm import validation as valid
from refdgm.bench_process import Worker

PEERS = {"NumPy": "numpy", "scikit-learn": "sklearn", "JAX": "jax", "PyTorch": "torch", "BlackJAX": "blackjax",
         "CuPy": "cupy"}
PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "jax", "jaxlib", "torch", "blackjax", "cupy-cuda12x")
PINS = ("OPENBLAS_CORETYPE", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "XLA_FLAGS", "KMP_AFFINITY",
        "OMP_WAIT_POLICY", "MKL_CBWR", "ATEN_CPU_CAPABILITY")

PATIENCE = 60.0             # seconds after which a case makes no further rounds, once it has made MINIMUM
MINIMUM = 3
BUSY = 0.5                  # other programs that run or wait, per processor, above which the numbers are called rough
STANDARD_ERRORS = 6.0       # two means of independent numbers differ by more than this once in 10^9
RELATIVE = {"float64": 1e-9, "float32": 1e-4}       # two results without chance may differ by this


class Case(NamedTuple):
    """One piece of work."""
    name: str                       # topic.what.dtype, where refdgm/bench_cases/topic.py has it
    work: str                       # what is done, in a sentence
    amount: int                     # how many units of it one call does
    unit: str                       # "chain-steps", "states", ...
    dtype: str                      # "float32" or "float64"
    refdgm: Callable                # a maker: refdgm() -> work(), see refdgm.bench_cases
    peers: dict                     # {name: maker}: the names of PEERS, or "JAX, in another way", or refdgm's own ways
    observe: Callable | None = None     # what work() returned, as an array -> (n,) independent numbers; equal in mean
    #                                     in all implementations; a single number must be equal itself
    limit: tuple | None = None      # (name, maker): maker() -> bound(), the seconds that the work needs at least here
    quick: bool = False             # part of `--quick`: takes well under a second
    gpu: bool = False               # needs a GPU; unless it is named, it is left out where there is none


def cases():
    """All cases by name."""
    package = importlib.import_module("refdgm.bench_cases")
    found = {}
    for module in sorted(m.name for m in pkgutil.iter_modules(package.__path__)):
        for case in importlib.import_module(f"refdgm.bench_cases.{module}").CASES:
            valid.require(case.name.split(".")[0] == module and case.name not in found,
                          f"the case {case.name!r} of bench_cases/{module}.py needs a name of its own in that topic.")
            found[case.name] = case
    return found


def chosen(names, quick=False):
    """The cases that `names` select: a case, a topic, or the beginning of a name up to a dot; all without names."""
    known = cases()
    for name in names:
        valid.require(any(_selects(name, case) for case in known),
                      f"there is no case {name!r}; `refdgm bench --list` shows the {len(known)} that there are.")
    found = [case for key, case in known.items() if not names or any(_selects(name, key) for name in names)]
    found = [case for case in found if case.quick or not quick]
    valid.require(found, "none of these cases is quick.")
    return found


def runnable(found):
    """Those of the cases that this machine has what they need for."""
    here = gpu_clock.description()
    return [case for case in found if here or not case.gpu]


def _selects(name, case):
    return case == name or case.startswith(name + ".")


# ---- one case ---------------------------------------------------------------------------

def measure(case, threads, repeats):
    """The record of one case: what the JSON has, and `notes` {implementation: why it has no number}."""
    names = ["refdgm", *case.peers, *(["limit"] if case.limit else [])]
    notes = {name: "not installed" for name in names if not _installed(name)}
    workers, memory = {}, {}
    try:
        for name in names:
            if name not in notes:
                workers[name] = Worker(case, name, threads)
                first = workers[name].hear()
                memory[name] = first.get("peak")
                _judge(case, name, first, workers, notes)
        seconds = {name: [] for name in workers}
        begin = time.monotonic()
        for done in range(repeats):
            if done >= MINIMUM and time.monotonic() - begin > PATIENCE:
                break
            for name in list(workers):
                answer = workers[name].measure()
                if "error" in answer:
                    _dismiss(name, answer["error"], workers, notes)
                else:
                    seconds[name].append(answer["seconds"])
    finally:
        for worker in workers.values():
            worker.close()
    middle = {name: median(seconds[name]) for name in workers}
    ours = middle.get("refdgm")
    return {"name": case.name, "work": case.work, "unit": f"{case.amount} {case.unit}", "seconds": ours,
            "peers": {name: ours / middle[name] if ours and name in middle else None for name in case.peers},
            "limit": case.limit and {"name": case.limit[0],
                                     "fraction": middle["limit"] / ours if ours and "limit" in middle else None},
            "dtype": case.dtype, "repeats": len(seconds.get("refdgm", ())),
            "memory": {name: memory[name] for name in workers if name != "limit"}, "notes": notes}


def _installed(implementation):
    module = PEERS.get(implementation.split(",")[0])
    return module is None or importlib.util.find_spec(module) is not None


def _judge(case, name, answer, workers, notes):
    """Dismiss a worker that failed, or whose result is another than refdgm's."""
    if "error" in answer:
        _dismiss(name, answer["error"], workers, notes)
    elif name == "refdgm":
        workers[name].observed = answer["observed"]
    elif answer["observed"] and "refdgm" in workers:
        (a, a_error, n), (b, b_error, m) = workers["refdgm"].observed, answer["observed"]
        allowed = STANDARD_ERRORS * (a_error + b_error)**0.5 if n > 1 else RELATIVE[case.dtype] * abs(a)
        if n != m or not abs(a - b) <= allowed:
            _dismiss(name, f"disagrees: {b:.9g} where refdgm has {a:.9g} (allowed {allowed:.1g})", workers, notes)


def _dismiss(name, why, workers, notes):
    notes[name] = why
    workers.pop(name).close()


# ---- the command ------------------------------------------------------------------------

def threads(asked=None):
    """How many threads every library gets: all processors that this process may use, or as many as are asked for."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    valid.require((asked or 1) <= there, f"{asked} threads are asked for, but there are {there} processors.")
    return asked or there


def machine():
    """Where this is measured: the processor, how busy it is already (programs that run or wait, over the last minute),
    and the settings of the environment that change what libraries do."""
    return {"cpu": _cpu(), "cores": threads(), "gpu": gpu_clock.description(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
            "environment": {name: os.environ[name] for name in PINS if name in os.environ}}


def _cpu():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def versions():
    """What is installed of refdgm, Python and the peers; None for what is not."""
    found = {"refdgm": refdgm.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


def result(records, threads):
    """What `bench --json` writes."""
    return {"machine": machine(), "threads": threads, "versions": versions(), "cases": records}


def fell_short(records):
    """Whether something did not run, or a peer's result was another."""
    return any(why != "not installed" for record in records for why in record["notes"].values())


def list_text(cases):
    """One line a case."""
    return "\n".join(f"{case.name:36s} {case.work}" for case in cases)


def machine_text(threads):
    """Where and with what this is measured."""
    here, there = machine(), versions()
    pins = "".join(f", {name}={value}" for name, value in here["environment"].items())
    busy = (here["load"] or 0) > BUSY * here["cores"]
    gpu = f", {here['gpu']}" if here["gpu"] else ""
    return (f"{here['cpu']}, {threads} of {here['cores']} processors{gpu}{pins}\n"
            + ", ".join(f"{name} {version or 'not installed'}" for name, version in there.items())
            + (f"\nOther programs run beside this one (load {here['load']:.1f}): the numbers are rough."
               if busy else ""))


def text(record):
    """A record as three lines."""
    heading = f"{record['name']}    {record['work']}"
    if record["seconds"] is None:
        return f"{heading}\n    refdgm failed: {record['notes'].get('refdgm')}"
    amount, unit = record["unit"].split(" ", 1)
    limit = record["limit"]
    share = "" if not limit else f"    {100 * limit['fraction']:.0f} % of {limit['name']}" if limit["fraction"] \
        else f"    limit: {record['notes']['limit']}"
    times = [f"{name} {record['notes'].get(name) or f'{ratio:.3g}'}" for name, ratio in record["peers"].items()]
    return (f"{heading}\n    {1e3 * record['seconds']:.3g} ms    {int(amount) / record['seconds']:.3g} {unit}/s{share}"
            + (f"\n    time relative to {' · '.join(times)}" if times else ""))
