"""Hold the functions of a user's module against the contracts, in a process of their own with a time limit.

The functions may be written in NumPy, PyTorch or JAX; their names say which contract each is for. A crash, a hang or
an exception is a result: the process is begun again for the contracts that are left.
"""
import contextlib
import importlib
import importlib.metadata
import importlib.util
import multiprocessing
import os
import pkgutil
import signal
import sys
import time
from functools import lru_cache

from refdgm import contract as contracts_
from refdgm import files, frameworks, ledger
from refdgm import validation as valid

SECONDS = 60.0          # for one contract
LONGEST = 86_400.0      # that it may be
STARTING = 120.0        # for the import of the user's module


@lru_cache(maxsize=1)
def contracts():
    """Every contract, ours and those that installed packages register: {name: Contract}."""
    package, found = importlib.import_module("refdgm.contracts"), {}
    modules = [importlib.import_module(f"refdgm.contracts.{info.name}")
               for info in pkgutil.iter_modules(package.__path__)]
    for module in [*modules, *ledger.plugins()]:
        for item in getattr(module, "CONTRACTS", []):
            valid.require(item.name not in found,
                          f"the contract {item.name} is there twice, the second time in {module.__name__}.")
            found[item.name] = item
    return found


def named(name):
    """The contract of that name. Raises ValueError with the nearest names where there is none."""
    import difflib
    near = difflib.get_close_matches(name, contracts(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`refdgm crosscheck --list` shows all."
    valid.require(name in contracts(), f"there is no contract with the name {name!r}; {hint}")
    return contracts()[name]


def wanted(names):
    """{contract: function} of the words NAME or NAME=FUNCTION; every contract under its own name if there are none."""
    pairs = [name.partition("=")[::2] for name in names]
    return {named(name).name: function or name for name, function in pairs} or {name: name for name in contracts()}


def load(target):
    """The module that a target names: FILE.py, or one that can be imported. Raises ValueError in one sentence."""
    if target.endswith(".py") or os.sep in target:
        return ledger.load_file(target)
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(target)
    except ImportError as error:
        raise ValueError(f"the target {target} cannot be imported: {error}.") from error
    except Exception as error:
        raise ValueError(f"the target {target}: {type(error).__name__}: {error}") from error


# ---- the process ----------------------------------------------------------------------

def crosscheck(target, names=(), framework=None, dtypes=("float64", "float32"), seed=0, seconds=SECONDS):
    """A record for each contract that `target` offers, or that `names` asks for, in the order of the list, one by one.

    names: NAME or NAME=FUNCTION; framework: "numpy", "torch", "jax", or None for what each function uses;
    seconds: the time limit of one contract. Raises ValueError where the target cannot be imported or offers nothing.
    """
    files.is_path("target", target)
    if framework is not None:
        valid.text("framework", framework)
    valid.count("seed", seed, 0)
    valid.number("seconds", seconds, 0)
    valid.require(seconds <= LONGEST, f"seconds must be at most {LONGEST:g}, a day, but are {seconds}.")
    return _records(target, wanted(names), bool(names), framework, dtypes, seed, seconds)


def _records(target, left, asked, framework, dtypes, seed, seconds):
    offered = None
    while offered is None or left:
        with _process(target, left, framework, dtypes, seed) as (child, pipe):
            kind, content = _receive(child, pipe, STARTING)
            if kind == "bad":
                raise ValueError(content)
            if kind != "offered":
                raise ValueError(f"{target} was not imported: the process {_ending(kind, content)}.")
            if offered is None:
                offered = content
                valid.require(asked or offered, f"{target} has no function that bears the name of a contract; "
                                                "`refdgm crosscheck --list` shows the names.")
                for name in left:
                    if asked and name not in offered:
                        yield contracts_.blank(name, problem=f"{target} has no function {left[name]}")
                left = {name: left[name] for name in left if name in offered}
            while left:
                name = next(iter(left))
                record = _one(child, pipe, name, seconds)
                del left[name]
                yield record
                if not child.is_alive() or record["status"] == "timeout":
                    break


def _one(child, pipe, name, seconds):
    """The record of one contract: what the process sends, or how it ended."""
    begun, at = time.monotonic(), ""
    while True:
        kind, content = _receive(child, pipe, seconds - (time.monotonic() - begun))
        if kind == "record":
            return {**content, "seconds": time.monotonic() - begun}
        if kind == "note":
            at = content
            continue
        status = "timeout" if kind == "late" else "error"
        said = f"no answer within {seconds:g} s" if kind == "late" else f"the process {_ending(kind, content)}"
        return {**contracts_.blank(name, status, f"{said}, at: {at or 'the start'}"), "case": at,
                "seconds": time.monotonic() - begun}


@contextlib.contextmanager
def _process(*arguments):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_work, args=(there, *arguments), daemon=True)
    child.start()
    there.close()
    try:
        yield child, here
    finally:
        child.kill()
        child.join()
        here.close()


def _receive(child, pipe, seconds):
    """(kind, content) of the next message; ("late", None) or ("gone", exit code) where there is none."""
    try:
        if pipe.poll(max(0.0, seconds)):
            return pipe.recv()
        return "late", None
    except EOFError:
        child.join(5.0)
        return "gone", child.exitcode


def _ending(kind, code):
    if kind == "late":
        return "gave no answer in time"
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended by itself with the exit status {code}"


def _work(pipe, target, functions, framework, dtypes, seed):
    """In the process: import the target, say what it offers, and send one record for each contract."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # Ctrl-C is for the process that reads the pipe
    os.dup2(2, 1)                       # what the user's code prints is not our output
    try:
        module = load(target)
        offered = [name for name, function in functions.items() if callable(getattr(module, function, None))]
        if framework:
            frameworks.named(framework)
    except ValueError as error:
        pipe.send(("bad", str(error)))
        return
    pipe.send(("offered", offered))
    seeds = range(seed, seed + len(contracts_.SEEDS))
    for name in offered:
        function = getattr(module, functions[name])
        try:
            record = contracts_.examine(contracts()[name], function, framework or frameworks.of_function(function),
                                        dtypes, seeds, lambda what: pipe.send(("note", what)))
        except NotImplementedError:
            record = contracts_.blank(name, problem="still to be written: it raises NotImplementedError")
        except Exception as error:      # of ours, not of the function under test
            record = contracts_.blank(name, "error", f"refdgm itself failed: {type(error).__name__}: {error}")
        pipe.send(("record", record))


def result(records):
    """The object that `refdgm crosscheck --json` writes."""
    import refdgm
    return {"version": refdgm.__version__, "contracts": list(records)}


def fell_short(records):
    return any(record["status"] in ("deviates", "error", "timeout") for record in records)


# ---- a file to fill in ----------------------------------------------------------------

IMPORTS = {"numpy": "import autograd.numpy as np      # plain numpy will do where no gradient is wanted",
           "torch": "import torch", "jax": "import jax.numpy as jnp"}


def template(names, framework):
    """The text of a module with a function to fill in for each of the contracts."""
    import textwrap
    valid.require(framework in IMPORTS, f"a template is for {', '.join(IMPORTS)}, not {framework!r}.")
    parts = ['"""`refdgm crosscheck THIS_FILE` holds every function below against the reference."""\n'
             + IMPORTS[framework]]
    for item in map(named, names):
        width = max(len(a.name) + len(a.shape) for a in item.arguments) + 3
        rows = [f"    {f'{a.name} {a.shape}'.ljust(width)} {a.says}" for a in item.arguments]
        first = textwrap.fill(f'"""{_capital(item.says)} ({item.where}).', 116, initial_indent="    ",
                              subsequent_indent="    ")
        parts.append(f"def {item.name}({', '.join(a.name for a in item.arguments)}):\n{first}\n\n"
                     + "\n".join(rows) + f"\n    -> {item.returns}\n    \"\"\"\n    raise NotImplementedError")
    return "\n\n\n".join(parts) + "\n"


def _capital(sentence):
    return sentence[:1].upper() + sentence[1:]
