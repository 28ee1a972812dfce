"""Many independent runs: on some processes, each written to a journal when it has finished, the results the same.

A run is a Cell; perform(cell) -> record, a dict of plain numbers that depends on the cell alone (its seconds apart). A
kill loses the runs in progress; the next call with the same settings performs only what is missing.
"""
from contextlib import closing, nullcontext
from typing import NamedTuple

import numpy as np

from refdgm import trees
from refdgm.journal import Journal


class Cell(NamedTuple):
    """One run of a table."""
    table: str
    algorithm: str
    seed: int


def perform_all(cells, perform, jobs=1, path=None, settings=None, tell=lambda done, of: None):
    """perform(cell) for every cell.  -> {cell: record}, in the order of `cells`

    path, settings: the journal, and what must be the same for what it holds to count.
    """
    with closing(Journal(path, settings)) if path else nullcontext() as journal:
        records = {cell: journal.done[cell] for cell in cells if journal and cell in journal.done}
        left = [cell for cell in cells if cell not in records]
        for cell, record in _finished(left, perform, jobs):
            records[cell] = record
            if journal:
                journal.add(cell, record)
            tell(len(records), len(cells))
    return {cell: records[cell] for cell in cells}


def _finished(cells, perform, jobs):
    """(cell, record), each as soon as it is there."""
    if jobs == 1:
        for cell in cells:
            yield cell, perform(cell)
        return
    from concurrent.futures import ProcessPoolExecutor, as_completed
    with ProcessPoolExecutor(jobs, initializer=_end_with_parent) as pool:
        futures = {pool.submit(perform, cell): cell for cell in cells}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with_parent():
    """A process of the pool ends when the one that began it has been killed, and not when its queue is empty."""
    import os
    from multiprocessing import parent_process
    from multiprocessing.connection import wait
    from threading import Thread
    Thread(target=lambda: (wait([parent_process().sentinel]), os._exit(1)), daemon=True).start()


def gradient_noise(algorithm, fit, x, exact, seed, repeats):
    """How F varies where a fit has ended, over more draws for the rows x, numbered from 0.  -> dict of numbers

    exact: {part: the gradient that F stands for, a tree, or None}. Of each part of the parameters

        variance    the trace of F's covariance
        error       |mean F - exact|, None where there is no exact gradient
        noise       sqrt(variance / repeats), the error by chance alone if the draws are independent and F unbiased
    """
    memory, drawn, numbers = fit.memory, {part: [] for part in exact}, {}
    for t in range(fit.steps + 1, fit.steps + 1 + repeats):
        z, memory = algorithm.draw(fit.parameters, memory, x, np.arange(len(x)), seed, t)
        F = algorithm.field(fit.parameters, z, x)
        for part, rows in drawn.items():
            rows.append(_flat(F[part]))
    for part, rows in drawn.items():
        away = np.array(rows) - rows[0]                         # exactly zero where nothing is drawn
        variance, mean = float(np.sum(np.var(away, axis=0, ddof=1))), rows[0] + np.mean(away, axis=0)
        error = None if exact[part] is None else float(np.linalg.norm(mean - _flat(exact[part])))
        numbers |= {f"{part}_variance": variance, f"{part}_error": error,
                    f"{part}_noise": float(np.sqrt(variance / repeats))}
    return numbers


def _flat(tree):
    return np.concatenate([np.ravel(leaf) for _, leaf in sorted(trees.leaves(tree), key=lambda pair: pair[0])])


def row(algorithm, theta_by, phi_by, records):
    """What a table says of the runs of several seeds: each number's mean, its standard error under `..._stderr`.

    `stderr` is that of test_nll once more. A number that is None in a run stays so.
    """
    numbers = {}
    for key in records[0]:
        values = [record[key] for record in records]
        known = None not in values
        numbers[key] = float(np.mean(values)) if known else None
        numbers[f"{key}_stderr"] = float(np.std(values, ddof=1) / len(values)**0.5) if known else None
    return {"algorithm": algorithm, "theta_objective": theta_by, "phi_objective": phi_by, "seeds": len(records),
            "stderr": numbers["test_nll_stderr"], **numbers}
