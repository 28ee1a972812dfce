r"""`refdgm.fit`: the one loop in which every algorithm learns (ou2018 Algorithm 1).

    z_t      ~ K_{lam_{t-1}}(. | z_{t-1})                  draw
    lam_t    = lam_{t-1} + gamma_t F(z_t; lam_{t-1})       field, then the update rule

An algorithm is what it plugs in: `start` makes the parameters and what its chain remembers, `draw` takes z from
the stream of step t for a minibatch, `field` is F. The parameters are a dict of dicts of arrays, {"theta": .., "phi":
..}, and F has the same form: each part goes its own way (a discriminator up, its generator down: the signs are in F).

Every random number has an address (seed, chain, step), so that a run that was killed and goes on from its checkpoint is
the run that was not, bit for bit.
"""
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from refdgm import backend, streams, trees, updates
from refdgm import validation as valid
from refdgm.backend import xp

MINIBATCH = 2**32 - 1           # the chain of the stream that shuffles the data


class Algorithm(NamedTuple):
    """What the loop plugs in; x (B, D) are the rows `index` (B,) of the training data.

    start(data, seed) -> (parameters, memory);   draw(parameters, memory, x, index, seed, t) -> (z, memory);
    field(parameters, z, x) -> F, a tree like the parameters.
    """
    name: str
    start: Callable
    draw: Callable
    field: Callable


class Fit(NamedTuple):
    """What a fit gives back."""
    parameters: Any
    memory: Any             # of the algorithm's chains
    history: dict           # {"step": (n,), name: (n,), ...}: what the monitor said and when
    steps: int              # steps made
    interrupted: bool       # Ctrl-C ended it
    stopped_early: bool     # the monitor ended it


def fit(algorithm, data, steps, *, batch=None, schedule=None, update=None, seed=0, monitor=None, every=100,
        patience=None, checkpoint=None, progress=False):
    """Learn for `steps` steps from the rows of `data`, an array (N, D).

    batch       rows a step, drawn without replacement within an epoch; None takes all of them
    schedule    t -> gamma_t (refdgm.updates); update: the rule, SGD unless given
    monitor     parameters -> dict of numbers, asked every `every` steps and at the ends; they make the history
    patience    stop when the monitor's first number has not risen over this many looks; the best parameters come back
    checkpoint  a .npz file, written at every look and read, if it is there, to go on
    Ctrl-C ends the fit and returns what there is. Raises ValueError for bad settings, and where F is not finite.
    """
    valid.require(isinstance(algorithm, Algorithm), f"algorithm must be what a function of refdgm.learning gives, "
                                                    f"rbm_learning.cd(k=1) for one, but is {algorithm!r:.40}.")
    x = xp.asarray(data, dtype=float)
    valid.shape("data", x, (None, None))
    valid.finite("data", x)
    valid.count("the number of rows", len(x))
    valid.count("steps", steps)
    valid.count("every", every)
    batch = len(x) if batch is None else batch
    valid.count("batch", batch)
    valid.require(batch <= len(x), f"batch must be at most the number of rows, {len(x)}, but is {batch}.")
    valid.count("seed", seed, 0, 2**64 - 1)
    valid.require(isinstance(progress, bool), f"progress must be True or False, but is {progress!r}.")
    schedule, update = schedule or updates.constant(0.1), update or updates.sgd()
    valid.require(callable(schedule), f"schedule must be a function of t, but is {schedule!r:.40}.")
    valid.require(isinstance(update, updates.Update), f"update must be a rule, updates.adam() for one, but is "
                                                      f"{update!r:.40}.")
    parameters, memory = algorithm.start(x, seed)
    now = {"parameters": parameters, "memory": memory, "update": update.init(parameters), "best": parameters,
           "step": np.array(0), "seed": np.array(seed), "history": ()}
    watch = _Watch(monitor, patience)
    if checkpoint is not None:
        valid.require(isinstance(checkpoint, (str, PathLike)) and not Path(checkpoint).is_dir(),
                      f"checkpoint must be the path of a file, but is {checkpoint!r:.40}.")
        now = watch.resume(checkpoint, now)
    interrupted, show = False, _Progress(steps, progress)
    try:
        watch.look(now, checkpoint)
        while now["step"] < steps and not watch.over:
            t = int(now["step"]) + 1
            index = minibatch(len(x), batch, seed, t)
            z, memory = algorithm.draw(now["parameters"], now["memory"], x[index], index, seed, t)
            F = algorithm.field(now["parameters"], z, x[index])
            gamma = schedule(t)
            valid.number(f"the step size that schedule gives for t = {t}", gamma, 0)
            parameters, rule = update.step(now["parameters"], now["update"], F, gamma, t)
            _finite(algorithm.name, parameters, t)
            now = {**now, "parameters": parameters, "memory": memory, "update": rule, "step": np.array(t)}
            if t % every == 0 or t == steps:
                watch.look(now, checkpoint)
                show(t)
    except KeyboardInterrupt:
        interrupted = True
        watch.look(now, checkpoint)
        print(f"interrupted after {now['step']} of {steps} steps; what there is comes back.", file=sys.stderr)
    best = watch.best if patience is not None else now["parameters"]
    return Fit(best, now["memory"], watch.history(), int(now["step"]), interrupted, watch.over)


def minibatch(N, batch, seed, t):
    """The rows of step t: epochs of N rows, each in a random order of its own.  -> (batch,) of int

    An epoch has N // batch steps; what is left of its order is not used.
    """
    if batch == N:
        return xp.arange(N)
    epoch, place = divmod(t - 1, N // batch)
    return epoch_order(N, seed, epoch)[place * batch:(place + 1) * batch]


def epoch_order(N, seed, epoch):
    """All rows in the random order of one epoch.  -> (N,) of int, read-only"""
    return _epoch_order(N, seed, epoch, backend.name())


@lru_cache(maxsize=4)                   # an epoch's steps share its order
def _epoch_order(N, seed, epoch, library):
    shuffle = streams.Stream(seed, xp.array([MINIBATCH], np.uint32), epoch)
    order = np.argsort(streams.words(shuffle, N)[0], kind="stable")
    if library == "numpy":              # CuPy's arrays cannot be read-only
        order.flags.writeable = False
    return order


def _finite(name, parameters, t):
    for path, leaf in trees.leaves(parameters):
        valid.require(np.all(np.isfinite(leaf)), f"{name}: {path} is not finite after step {t}: a smaller step size is "
                                                 "needed, or the data are not what the model takes.")


def _numbers(said):
    """What a monitor said, as numbers of Python."""
    try:
        numbers = {name: float(value) for name, value in said.items()}
    except (AttributeError, TypeError, ValueError):
        numbers = {}
    valid.require(numbers and "step" not in numbers,
                  f"monitor must give a dict of numbers, none of them called step, but gives {said!r:.60}.")
    return numbers


class _Watch:
    """The monitor's numbers over time, the best parameters, and the checkpoint."""

    def __init__(self, monitor, patience):
        valid.require(monitor is None or callable(monitor), f"monitor must be a function, but is {monitor!r:.40}.")
        valid.require(patience is None or monitor, "patience needs a monitor whose first number is to rise.")
        if patience is not None:
            valid.count("patience", patience)
        self.monitor, self.patience, self.over = monitor, patience, False
        self.rows, self.best, self.best_value, self.since = [], None, -np.inf, 0

    def look(self, now, checkpoint):
        step = int(now["step"])
        if self.monitor and not (self.rows and self.rows[-1]["step"] == step):
            self._add({"step": step, **_numbers(self.monitor(now["parameters"]))}, now["parameters"])
        if checkpoint is not None:
            rows = {name: np.array([row[name] for row in self.rows]) for name in (self.rows[0] if self.rows else {})}
            trees.save(checkpoint, {**now, "best": self.best if self.best is not None else now["parameters"],
                                    "history": rows})

    def _add(self, row, parameters):
        valid.require(not self.rows or row.keys() == self.rows[0].keys(),
                      f"monitor must give the same numbers at every look, but gives {', '.join(row)}.")
        self.rows.append(row)
        value = list(row.values())[1]
        if value > self.best_value:
            self.best, self.best_value, self.since = parameters, value, 0
        else:
            self.since += 1
        self.over = self.patience is not None and self.since >= self.patience

    def resume(self, path, now):
        if not Path(path).exists():
            return now
        form = {name: part for name, part in now.items() if name != "history"}
        back = trees.load(path, form)
        valid.require(int(back["seed"]) == int(now["seed"]), f"{path} was made with the seed {back['seed']}.")
        with np.load(path, allow_pickle=False) as file:
            columns = {name.removeprefix("history/"): file[name] for name in file if name.startswith("history/")}
        for i in range(len(columns.get("step", ()))):
            row = {name: float(column[i]) for name, column in columns.items()}
            self._add({**row, "step": int(row["step"])}, None)
        self.best = back["best"] if self.rows else None
        return {**back, "history": ()}

    def history(self):
        return {name: np.array([row[name] for row in self.rows]) for name in (self.rows[0] if self.rows else {})}


class _Progress:
    """One line on stderr, rewritten."""

    def __init__(self, steps, wanted):
        self.steps, self.wanted, self.start = steps, wanted, time.monotonic()

    def __call__(self, t):
        if self.wanted:
            left = (time.monotonic() - self.start) / t * (self.steps - t)
            print(f"\rstep {t} of {self.steps}, {left:.0f} s left ", end="\n" if t == self.steps else "",
                  file=sys.stderr, flush=True)
