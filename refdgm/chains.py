r"""Running many chains for a long time: burn-in, thinning, statistics in constant memory, Ctrl-C.

A sampler has a state, a NamedTuple of arrays whose first axis counts chains and whose last field is a Stream, and
a pure step. `drive` calls advance(state, n), n steps at once, as often as needed. Because every random number has an
address, how the steps are cut into calls changes nothing.
"""
import sys
import time
from functools import partial, reduce
from typing import Any, NamedTuple

from refdgm import backend, workers
from refdgm import validation as valid
from refdgm.backend import xp as np
from refdgm.trees import tree_map

CALL_SECONDS = 0.5          # an interrupt is seen after the call in progress; so calls are kept short


class Run(NamedTuple):
    """What a run gives back."""
    state: Any              # after the last step; run on from here, or save it
    kept: Any               # keep(state) every `thin` steps, stacked along a new first axis; None without keep
    average: Any            # the mean of average(state) over the same steps; None without average
    samples: int            # how many states were looked at
    interrupted: bool       # whether Ctrl-C ended the run early


def drive(state, advance, steps, *, burn_in=0, thin=1, keep=None, average=None, progress=False):
    """Make burn_in + steps steps and look at the state after every `thin` of the last `steps`.

    advance(state, n) -> state, n steps later. keep and average are functions of the state that give an array, or a
    tuple or dict of arrays; keep's results are stored, average's only summed, so that memory does not grow with the
    length of the run. progress=True writes a line on stderr. Ctrl-C ends the run and returns what there is.

    Raises ValueError unless steps >= 1, burn_in >= 0 and thin >= 1 divides steps.
    """
    valid.count("steps", steps)
    valid.count("burn_in", burn_in, 0)
    valid.count("thin", thin)
    valid.require(steps % thin == 0, f"thin must divide steps, but {steps} is not a multiple of {thin}.")
    looks = steps // thin if keep or average else 1
    clock = _Clock(burn_in + steps, progress)
    kept, total, samples, interrupted = [], None, 0, False
    try:
        state = clock.advance(state, advance, burn_in)
        for _ in range(looks):
            state = clock.advance(state, advance, steps // looks)
            samples += 1
            if keep:
                kept.append(tree_map(np.copy, keep(state)))
            if average:
                now = tree_map(lambda a: np.asarray(a, dtype=np.float64), average(state))
                total = now if total is None else tree_map(np.add, total, now)
    except KeyboardInterrupt:
        state, interrupted = clock.latest, True
        print(f"interrupted after {clock.done} of {clock.total} steps; what there is comes back.", file=sys.stderr)
    clock.close()
    return Run(state, tree_map(lambda *a: np.stack(a), *kept) if kept else None,
               None if total is None else tree_map(lambda a: a / samples, total), samples, interrupted)


def repeated(step):
    """What `drive` advances by where a chain is not compiled: step(state), n times."""
    return lambda state, n: reduce(lambda state, _: step(state), range(n), state)


def in_ranges(run, number, at_once, jobs=1, executor=None):
    """`number` chains, `at_once` of them a task, on some processes or a cluster (see refdgm.workers).  -> Run

    run(first, number) -> Run makes the chains first, ..., first + number - 1: it hands both to a sampler's `init`, and
    can be pickled. The result is that of run(0, number), however the chains are divided. What `keep` and `average` give
    must have the chains as its first axis; after Ctrl-C nothing comes back.

    Raises ValueError where there is no chain, or what was kept does not tell chains apart.
    """
    valid.count("the number of chains", number)
    valid.count("the number of chains at once", at_once)
    ranges = [(first, min(at_once, number - first)) for first in range(0, number, at_once)]
    runs = []
    for _, part in workers.in_order(ranges, workers.finished(ranges, partial(_range, run), jobs, executor)):
        if part.interrupted:
            raise KeyboardInterrupt
        runs.append(part)
    counts = [count for _, count in ranges]
    return Run(_side_by_side([part.state for part in runs], counts, 0),
               _side_by_side([part.kept for part in runs], counts, 1),
               _side_by_side([part.average for part in runs], counts, 0), runs[0].samples, False)


def _range(run, chosen):
    return run(*chosen)


def _side_by_side(trees, counts, axis):
    """Trees of arrays, joined along `axis`, that of the chains; plain numbers, as a stream's seed and step, are one."""
    def join(*arrays):
        if isinstance(arrays[0], int):
            return arrays[0]
        valid.require([np.shape(array)[axis:axis + 1] for array in arrays] == [(count,) for count in counts],
                      "what is kept or averaged over ranges of chains must have the chains as its first axis.")
        return np.concatenate(arrays, axis)
    return None if trees[0] is None else tree_map(join, *trees)


def fits(state, step):
    """The plain step of the first chain gives a state of the same form: what a compiled step takes on trust.

    Raises ValueError for an array that is not of one row a chain, or of another shape or type than the model makes.
    """
    number = state.stream.chain
    _numbered(state)
    for name, a in zip(state._fields, state[:-1]):
        valid.require(len(a) == len(number), f"state.{name} must have a row for each of the {len(number)} chains of "
                                             f"state.stream, but has {len(a)}.")
    after = step(type(state)(*(a[:1] for a in state[:-1]), state.stream._replace(chain=number[:1])))
    for name, a, b in zip(state._fields, state[:-1], after):
        valid.shape(f"state.{name}", a, (len(number), *np.shape(b)[1:]))
        _typed(f"state.{name}", a, state[0].dtype if b.dtype.kind == "f" else b.dtype)


def shaped(state, **shapes):
    """The state has for each chain of its stream an array of these shapes: what a compiled step takes on trust.

    As `fits`, for those who know the shapes. Raises ValueError for another, or where the arrays are of several types.
    """
    _numbered(state)
    for name, shape in shapes.items():
        valid.shape(f"state.{name}", getattr(state, name), (len(state.stream.chain), *shape))
        _typed(f"state.{name}", getattr(state, name), state[0].dtype)


def _numbered(state):
    valid.shape("state.stream.chain", state.stream.chain, (None,))
    _typed("state.stream.chain", state.stream.chain, np.uint32)


def _typed(name, array, dtype):
    valid.require(array.dtype == dtype, f"{name} must be of type {np.dtype(dtype)}, but is of type {array.dtype}.")


class _Clock:
    """Cuts an advance into calls of about CALL_SECONDS and says how far they are."""

    def __init__(self, total, progress):
        self.total, self.done, self.progress = total, 0, progress
        self.at_once, self.start, self.latest, self.shown = 8, time.monotonic(), None, 0.0

    def advance(self, state, advance, steps):
        self.latest = state
        while steps:
            n = min(steps, self.at_once)
            begin = time.monotonic()
            self.latest = state = advance(state, n)
            backend.wait()                      # a GPU's work is only queued so far, and would look short
            elapsed = time.monotonic() - begin
            self.done, steps = self.done + n, steps - n
            if n == self.at_once:
                self.at_once = max(1, int(n * min(8, CALL_SECONDS / max(elapsed, 1e-9))))
            if self.progress and time.monotonic() - self.shown > 0.2:
                self.show()
        return state

    def show(self):
        self.shown = time.monotonic()
        left = (self.shown - self.start) * (self.total / self.done - 1)
        print(f"\r{self.done} of {self.total} steps, {left:.0f} s left ", end="", file=sys.stderr, flush=True)

    def close(self):
        if self.progress and self.done:
            self.show()
            print(file=sys.stderr)
