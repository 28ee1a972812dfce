"""Many independent runs: on some processes, each written to a journal when it has finished, the results the same.

A run is a Cell; perform(cell) -> record, a dict of plain numbers that depends on the cell alone (its seconds apart). A
kill loses the runs in progress; the next call with the same settings performs only what is missing.
"""
from contextlib import closing, nullcontext
from functools import partial
from typing import NamedTuple

import numpy as np

import refdgm
from refdgm import trees
from refdgm import validation as valid
from refdgm.journal import Journal, finished


class Cell(NamedTuple):
    """One run of a table."""
    table: str
    algorithm: str
    seed: int


def perform_all(cells, perform, jobs=1, path=None, settings=None, tell=lambda done, of: None, executor=None):
    """perform(cell) for every cell.  -> {cell: record}, in the order of `cells`

    path, settings: the journal, and what must be the same for what it holds to count; jobs, executor: see
    refdgm.workers.
    """
    with closing(Journal(path, settings)) if path else nullcontext() as journal:
        records = {}
        for cell, record in finished(cells, perform, journal, jobs, executor):
            records[cell] = record
            tell(len(records), len(cells))
    return {cell: records[cell] for cell in cells}


def by_algorithm(table, algorithms, settings, perform, seed=0, jobs=1, journal=None, tell=lambda done, of: None,
                 executor=None):
    """The runs of a table: settings.seeds seeds, from `seed` on, of each algorithm.  -> {algorithm: [record, ...]}

    settings is a NamedTuple; perform(cell, settings) -> record.
    """
    valid.count("the number of seeds", settings.seeds, 2)
    header = {"table": table, "version": refdgm.__version__, "seed": seed, **settings._asdict()}
    cells = [Cell(table, name, s) for s in range(seed, seed + settings.seeds) for name in algorithms]
    records = perform_all(cells, partial(perform, settings=settings), jobs, journal, header, tell, executor)
    return {name: [records[cell] for cell in cells if cell.algorithm == name] for name in algorithms}


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
