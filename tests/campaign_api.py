"""The campaign's part for what users call besides formulas: random numbers, checks, contracts, runs, files.

    calls()     {name of a public function: (the function, a valid call of it)}
    runs()      those of formula modules

What gives an answer only later (a check, a generator, a judge, a context manager) is asked for it here, so that a call
is judged whole; what writes a file does so in a folder that is gone after the call.
"""
import contextlib
import functools
import os
import tempfile
from functools import partial
from typing import NamedTuple

import numpy as np

from refdgm import runs as tables
from refdgm import (backend, checking, contract, crosscheck, derivation, drawing, elementary, exercise,
                    falsification, files, journal, ledger, proposals, sequential, streams, testing,
                    transition_test, values, vectors, verification, workers)

WORDS = np.array([0, 1, 2**31, 2**32 - 1], np.uint32)
X, U = np.array([[0.5, -1.0], [2.0, 0.25]]), np.array([0.25, 0.5, 0.75])
P = np.array([[0.25, 0.75], [0.5, 0.5]])
CLAIM, DERIVATION, CONTRACT = "ou2018.eq15", "iwae_is_rws.theta_gradient", "normalized_weights"


def calls():
    """{name: (function, arguments)}; a name says what is called, and where it is."""
    return {f"refdgm.{module}.{name}": (function, call)
            for module, table in TABLES.items() for name, (function, call) in table().items()}


def runs():
    """(function, arguments) of those that the campaign finds by itself."""
    return [*of_streams().values(), *of_elementary().values(), *of_proposals().values()]


def in_a_folder(function):
    """The function in a working folder of its own."""
    @functools.wraps(function)
    def inside(*arguments, **named):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            return function(*arguments, **named)
    return inside


# ---- random numbers -------------------------------------------------------------------

def of_streams():
    s, w = streams.stream(seed=1, chains=3, first=2), dict(zip(("w0", "w1", "w2", "w3"), np.outer([1, 2, 3, 4], WORDS)))
    block = {name: words.astype(np.uint32) for name, words in w.items()}
    counter = {name: WORDS for name in ("c0", "c1", "c2", "c3", "k0", "k1")}
    where = {"s": s, "n": 5, "draw": 1}
    return {"stream": (streams.stream, {"seed": 1, "chains": 3, "first": 2}),
            "advance": (streams.advance, {"s": s, "steps": 2}),
            "keys": (streams.keys, {"seed": 7}),
            "philox": (streams.philox, counter),
            "uniform": (streams.uniform, {"w": WORDS, "like": U}),
            "uniform64": (streams.uniform64, {"w": WORDS}),
            "uniform32": (streams.uniform32, {"w": WORDS}),
            "long_uniform": (streams.long_uniform, {"high": WORDS, "low": WORDS}),
            "two_normals": (streams.two_normals, {**block, "like": U}),
            "two_normals64": (streams.two_normals64, block),
            "two_normals32": (streams.two_normals32, block),
            "fires": (streams.fires, {"w": WORDS[:3], "logit": U}),
            "fires64": (streams.fires64, {"w": WORDS[:3], "logit": U}),
            "fires32": (streams.fires32, {"w": WORDS[:3], "logit": U.astype(np.float32)}),
            "blocks": (streams.blocks, where), "words": (streams.words, where),
            "uniforms": (streams.uniforms, where), "normals": (streams.normals, where)}


def of_elementary():
    w, start = np.ones((2, 3)), np.zeros(3)
    return {"elementary": (elementary.elementary, {"real": np.float32}),
            "exp": (elementary.exp, {"x": X}), "log": (elementary.log, {"x": U}), "tanh": (elementary.tanh, {"x": X}),
            "sincos": (elementary.sincos, {"u": U}), "box_muller": (elementary.box_muller, {"u": U, "v": U}),
            "fma": (elementary.fma, {"a": X, "b": X, "c": X}),
            "dot_in_order": (elementary.dot_in_order, {"x": X, "w": w, "start": start}),
            "dot_fused": (elementary.dot_fused, {"x": X, "w": w, "start": start})}


def of_proposals():
    from refdgm.models.targets import gaussian
    normal = proposals.normal([0.0, 1.0], [1.0, 2.0])
    weight = proposals.LogWeight(gaussian(np.zeros(2), np.eye(2)), normal)
    return {"normal": (proposals.normal, {"m": U, "scale": np.ones(3)}),
            "compilable": (proposals.compilable, {"propose": normal, "log_weight": weight}),
            "Normal": (lambda stream: normal(stream), {"stream": streams.stream(1, 2)}),
            "LogWeight": (lambda x: weight(x), {"x": X})}


def of_backend():
    def use(name):
        with backend.use(name) as library:
            return library.__name__
    return {"use": (use, {"name": "numpy"}),
            "computed_by": (lambda library: backend.computed_by(library, np.exp)(U), {"library": "numpy"})}


# ---- sequential tests -----------------------------------------------------------------

def of_transition_test():
    counts = np.array([[3.0, 9.0], [5.0, 5.0]])

    def compare(P, states, error, moves, most):
        rng = np.random.default_rng(0)
        return transition_test.compare(P, lambda: rng.integers(0, 2, len(states)), states, error=error, moves=moves,
                                       most=most)
    return {"compare": (compare, {"P": P, "states": np.arange(64) % 2, "error": 1e-6, "moves": 64, "most": 256}),
            "log_bayes_factor": (transition_test.log_bayes_factor, {"counts": counts, "P": P}),
            "most_deviant": (transition_test.most_deviant, {"counts": counts, "P": P}),
            "number": (transition_test.number, {"bits": np.array([[1, 0], [1, 1]])}),
            "follow": (transition_test.follow, {"state": X, "step": np.copy, "number": np.sum})}


def of_sequential():
    return {"law": (sequential.law, {"counts": np.array([3, 9]), "p": P[0]}),
            "reversibility": (sequential.reversibility, {"counts": np.array([[3, 9], [8, 5]])})}


# ---- checks and derivations -----------------------------------------------------------

def case(seed):
    """A case for the checks."""
    return {"x": np.random.default_rng(seed).normal(size=3)}


def square(x):
    return np.sum(x * x)


def approached(x, n):
    return square(x) + 1.0 / n


def checked(kind, claimed=square):
    """A kind of check, and what it finds on two instances."""
    return lambda **arguments: kind(**arguments)(claimed, range(2))


def of_checking():
    compared = {"truth": square, "case": case, "rtol": 1e-9, "scale": lambda x: 1.0, "method": "enumeration"}
    limit = {"truth": square, "case": case, "values": (1, 10, 10**10), "rtol": 1e-9}
    along = partial(checking.tends_to, index="n")
    bound = {"case": case, "slack": 1e-12, "method": "quadrature"}
    return {"equals": (checked(checking.equals), compared),
            "vanishes": (checked(checking.vanishes, lambda x: 0 * x),
                         {"scale": lambda x: 1.0, "case": case, "rtol": 1e-9, "method": "enumeration"}),
            "differs_from": (checked(checking.differs_from), {"other": lambda x: 2 * square(x), "case": case,
                                                              "by": 0.1, "scale": lambda x: 1.0, "method": "matrix"}),
            "is_gradient_of": (checked(checking.is_gradient_of, lambda x: 2 * x),
                               {"objective": square, "wrt": "x", "case": case, "rtol": 1e-9, "method": "autodiff"}),
            "is_at_most": (checked(checking.is_at_most), {"upper": lambda x: 2 * square(x), **bound}),
            "is_at_least": (checked(checking.is_at_least), {"lower": lambda x: square(x) / 2, **bound}),
            "is_ordered": (checked(checking.is_ordered, lambda x: (1.0, 2.0)), {"case": case, "margin": 1e-6}),
            "tends_to": (checked(along, approached), limit),
            "has_order": (checked(partial(checking.has_order, index="n"), approached), {
                "truth": square, "case": case, "values": (10, 20), "order": 1.0, "within": 0.1}),
            "leaves_invariant": (checked(checking.leaves_invariant, lambda x: P), {
                "distribution": lambda x: np.array([0.4, 0.6]), "case": case, "reversible": True, "rtol": 1e-9}),
            "is_stable": (checked(checking.is_stable, lambda x: -np.eye(2)), {"case": case, "margin": 1e-6}),
            "minimises": (checked(checking.minimises, lambda x: 0 * x),
                          {"objective": square, "wrt": "x", "case": case, "rtol": 1e-9}),
            "converges_to": (checked(checking.converges_to), compared),
            "is_unbiased_for": (checked(checking.is_unbiased_for, lambda x, rng, n: rng.normal(size=n)),
                                {"truth": lambda x: 0.0, "case": case, "n": 100, "batches": 16, "false_alarm": 1e-9})}


def of_derivation():
    """A line's value is what is judged, NaN or not: the rest of it is spoilt."""
    def examined(line):
        def examine(seeds, **arguments):
            def steps(x):
                yield derivation.start("a", x)
                yield line(value=x, **arguments)
            return derivation.examine(derivation.derivation(case)(steps), seeds)
        return examine

    def approaches(value, **said):
        return derivation.approaches(values=[2 * value, value], **said)
    line = {"latex": "a", "because": "it is so", "claim": CLAIM, "allowed": 1e-9, "seeds": range(2)}
    kinds = {name: getattr(derivation, name) for name in ("equals", "at_most", "at_least", "mistake")}
    return {name: (examined(kind), line) for name, kind in {**kinds, "approaches": approaches}.items()}


def of_exercise():
    @in_a_folder
    def look(name, answer):
        with open("answer.py", "w", encoding="utf-8") as file:
            file.write(f"wrong_lines = {answer!r}" if isinstance(answer, list) else "answer = None")
        return exercise.look(name, "answer.py")
    return {"named": (exercise.named, {"name": CLAIM}), "task": (exercise.task, {"name": DERIVATION}),
            "look": (look, {"name": DERIVATION, "answer": [4]})}


def of_falsification():
    def attack(form, starts, seed, seconds):
        _, formula, check, _ = next(falsification.forms(ledger.claims()["ou2018.eq15.mono"]))
        return falsification.attack(form, formula, check, starts, seed, seconds)
    return {"attack": (attack, {"form": "the claim", "starts": 1, "seed": 0, "seconds": 0.05})}


def of_verification():
    def run(**arguments):
        return list(verification.run(verification.resolve([CLAIM, DERIVATION]), **arguments))

    @in_a_folder
    def kept(path, seeds, backend):
        with verification.kept(path, seeds, backend):
            return os.path.getsize(path)
    return {"resolve": (verification.resolve, {"targets": [CLAIM]}),
            "run": (run, {"seeds": range(4), "jobs": 1, "executor": None,
                          "backend": "numpy"}),
            "seeds_from": (verification.seeds_from, {"seed": 0, "instances": 4}),
            "kept": (kept, {"path": "sweep.jsonl", "seeds": range(4), "backend": "numpy"})}


def of_ledger():
    return {"load_file": (in_a_folder(ledger.load_file), {"path": derivation.__file__})}


# ---- contracts ------------------------------------------------------------------------

def weights(log_w):
    """What the contract of normalized weights asks for."""
    return np.exp(log_w - np.logaddexp.reduce(log_w, axis=-1, keepdims=True))


def of_contract():
    def examine(framework, dtypes, seeds):
        return contract.examine(crosscheck.named(CONTRACT), weights, framework, dtypes, seeds)
    return {"examine": (examine, {"framework": "numpy", "dtypes": ("float64",), "seeds": range(1)})}


def of_testing():
    held = {"name": CONTRACT, "function": weights, "framework": "numpy", "dtypes": ("float64",), "seed": 0}
    return {"conforms": (testing.conforms, {**held, "conventions": True}),
            "held": (testing.held, {**held, "conventions": False})}


def of_crosscheck():
    @in_a_folder
    def crosschecked(target, names, framework, dtypes, seed, seconds):
        with open("mine.py", "w", encoding="utf-8") as file:
            file.write("def weights(log_w): return log_w")
        return list(crosscheck.crosscheck(target, names, framework, dtypes, seed, seconds))
    return {"named": (crosscheck.named, {"name": CONTRACT}), "wanted": (crosscheck.wanted, {"names": [CONTRACT]}),
            "load": (in_a_folder(crosscheck.load), {"target": "math"}),
            "template": (crosscheck.template, {"names": [CONTRACT], "framework": "numpy"}),
            "crosscheck": (crosschecked, {"target": "mine.py", "names": [f"{CONTRACT}=weights"], "framework": "numpy",
                                          "dtypes": ("float64",), "seed": 0, "seconds": 5.0})}


def of_vectors():
    @in_a_folder
    def write(folder, name):
        return vectors.write(folder, [name])
    return {"write": (write, {"folder": "there", "name": CONTRACT})}


def of_values():
    """The judge of a contract, asked about a right function."""
    def ask(gradients):
        item = crosscheck.named(CONTRACT)
        item = item._replace(judge=values.values(item.judge.cases, gradients))
        return contract.examine(item, weights, "numpy", ("float64",), range(1))
    return {"values": (ask, {"gradients": ("log_w",)})}


# ---- runs and files -------------------------------------------------------------------

class Settings(NamedTuple):
    seeds: int
    steps: int


def perform(cell, settings=None):
    return {"test_nll": 1.0}


def of_runs():
    cells = [tables.Cell("table", "one", seed) for seed in range(2)]

    @in_a_folder
    def by_algorithm(**arguments):
        return tables.by_algorithm(perform=perform, **arguments)
    return {"perform_all": (in_a_folder(partial(tables.perform_all, perform=perform)),
                            {"cells": cells, "jobs": 1, "path": "run.jsonl", "settings": {"seeds": 2}}),
            "by_algorithm": (by_algorithm, {"table": "table", "algorithms": ["one"], "settings": Settings(2, 3),
                                            "seed": 0, "jobs": 1, "journal": "run.jsonl", "executor": None}),
            "row": (tables.row, {"algorithm": "one", "theta_by": "log p", "phi_by": "KL",
                               "records": [{"test_nll": 1.0}, {"test_nll": 2.0}]})}


def of_workers():
    def finished(jobs, executor):
        return list(workers.finished([1, 2], abs, jobs, executor))
    return {"finished": (finished, {"jobs": 1, "executor": None})}


def of_journal():
    @in_a_folder
    def kept(path, settings):
        with contextlib.closing(journal.Journal(path, settings)) as book:
            book.add(tables.Cell("table", "one", 0), {"test_nll": 1.0})
    return {"Journal": (kept, {"path": "run.jsonl", "settings": {"table": "one"}})}


def of_files():
    @in_a_folder
    def whole(path):
        with files.whole(path) as file:
            file.write(b"all")
    return {"whole": (whole, {"path": "whole.txt"}), "make_folder": (in_a_folder(files.make_folder), {"folder": "f"})}


def of_drawing():
    def draw(figure, rows):
        drawing.curve(figure.subplots(), rows, "K", "gap", "a line")
    header, rows = {"version": "0", "seed": 0}, [{"K": 1, "gap": 0.5}, {"K": 2, "gap": 0.25}]
    return {"write": (in_a_folder(drawing.write), {"folder": "there", "name": "gap", "header": header, "rows": rows,
                                                   "draw": draw, "as_list": False}),
            "table_text": (drawing.table_text, {"header": header, "rows": rows}),
            "picture": (drawing.picture, {"draw": draw, "rows": rows, "header": header, "name": "gap", "kind": "svg"})}


TABLES = {name.removeprefix("of_"): table for name, table in list(globals().items()) if name.startswith("of_")}
