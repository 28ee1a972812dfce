"""The loop: schedules and rules against their formulas, resume after a kill bit for bit, early stopping, bad input."""
import os
import subprocess
import sys

import numpy as np
import pytest

import refdgm
from refdgm import datasets, fitting, trees, updates
from refdgm.learning import sbn_learning

BARS = datasets.bars_and_stripes(2).train


def quadratic(noise=0.0):
    """F = mean of the rows - lam, plus noise: the loop must find the mean."""
    from refdgm.streams import Stream, normals

    def draw(parameters, memory, x, index, seed, t):
        return noise * normals(Stream(seed, np.array([0], np.uint32), t), x.shape[1])[0], memory
    return fitting.Algorithm("quadratic", lambda x, seed: ({"theta": {"lam": np.zeros(x.shape[1])}}, ()), draw,
                             lambda p, z, x: {"theta": {"lam": x.mean(axis=0) - p["theta"]["lam"] + z}})


def test_algorithm_1_with_steps_of_one_over_t_is_the_running_mean():
    x = np.random.default_rng(0).normal(size=(40, 3))
    fit = refdgm.fit(quadratic(), x, 40, batch=1, schedule=updates.harmonic(1.0))
    assert np.allclose(fit.parameters["theta"]["lam"], x.mean(axis=0), atol=1e-14)      # each row once in an epoch


def test_an_epoch_sees_every_row_once_and_the_next_in_another_order():
    epochs = [np.concatenate([fitting.minibatch(12, 4, 7, 3 * e + i) for i in (1, 2, 3)]) for e in (0, 1)]
    assert all(sorted(e) == list(range(12)) for e in epochs) and list(epochs[0]) != list(epochs[1])


def test_rules_against_their_formulas():
    rng = np.random.default_rng(1)
    gs, gamma = rng.normal(size=(5, 3)), 0.1
    for rule in (updates.sgd(), updates.momentum(0.5), updates.adam(0.8, 0.9, 1e-3), updates.adamax(0.8, 0.9)):
        p, memory = {"a": np.ones(3)}, None
        memory = rule.init(p)
        for t, g in enumerate(gs, 1):
            p, memory = rule.step(p, memory, {"a": g}, gamma, t)
        n = len(gs)
        decayed = {b: sum(b**(n - 1 - i) * gs[i] for i in range(n)) for b in (0.5, 0.8)}
        if rule.name == "SGD":
            assert np.allclose(p["a"], 1 + gamma * gs.sum(axis=0))
        elif rule.name == "momentum":
            assert np.allclose(memory["a"], decayed[0.5])
        else:
            assert np.allclose(memory[0]["a"], 0.2 * decayed[0.8])
            size = (sum(0.1 * 0.9**(n - 1 - i) * gs[i]**2 for i in range(n)) if rule.name == "Adam"
                    else np.max([0.9**(n - 1 - i) * np.abs(gs[i]) for i in range(n)], axis=0))
            assert np.allclose(memory[1]["a"], size)
    one = updates.adam(epsilon=0.0).step({"a": np.zeros(1)}, ({"a": np.zeros(1)}, {"a": np.zeros(1)}),
                                         {"a": np.array([1e-9])}, 0.1, 1)[0]
    assert np.allclose(one["a"], 0.1)                                   # the first step is gamma, whatever the scale


@pytest.mark.parametrize("algorithm", [sbn_learning.vimco(3, 4), sbn_learning.jsa(2, 4), sbn_learning.nvil(1, 4)],
                         ids=lambda a: a.name)
def test_resume_is_the_run_that_was_not_interrupted(tmp_path, algorithm):
    settings = {"batch": 3, "update": updates.adam(), "every": 5, "seed": 3,
                "monitor": sbn_learning.exact(BARS)}
    whole = refdgm.fit(algorithm, BARS, 20, **settings)
    path = tmp_path / "run.npz"
    refdgm.fit(algorithm, BARS, 10, checkpoint=path, **settings)
    rest = refdgm.fit(algorithm, BARS, 20, checkpoint=path, **settings)
    for (name, a), (_, b) in zip(trees.leaves(whole.parameters), trees.leaves(rest.parameters)):
        assert np.array_equal(a, b), name
    assert all(np.array_equal(whole.history[name], rest.history[name]) for name in whole.history)


def test_resume_after_kill_9(tmp_path):
    script = """
import sys
from refdgm import datasets, fit, updates
from refdgm.learning import sbn_learning as L
fit(L.rws(3, 4), datasets.bars_and_stripes(2).train, 10**6, batch=3, every=20, checkpoint=sys.argv[1],
    monitor=lambda p: print("look", flush=True) or {"a": 0.0})
"""
    path = tmp_path / "run.npz"
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    for _ in range(4):
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    with np.load(path) as file:
        made = int(file["step"])
    assert made % 20 == 0
    settings = {"batch": 3, "every": 20, "monitor": lambda p: {"a": 0.0}}
    rest = refdgm.fit(sbn_learning.rws(3, 4), BARS, made + 20, checkpoint=path, **settings)
    whole = refdgm.fit(sbn_learning.rws(3, 4), BARS, made + 20, **settings)
    pairs = zip(trees.leaves(whole.parameters), trees.leaves(rest.parameters))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in pairs)
    assert os.listdir(tmp_path) == ["run.npz"]


def test_what_a_kill_left_half_written_is_swept_up(tmp_path):
    path = tmp_path / "run.npz"
    (tmp_path / "run.npz.new").write_bytes(b"PK half a file")
    trees.save(path, {"a": np.arange(3)})
    assert os.listdir(tmp_path) == ["run.npz"]
    assert np.array_equal(trees.load(path, {"a": np.zeros(3)})["a"], [0, 1, 2])


def test_early_stopping_returns_the_best():
    values = iter([0.0, 1.0, 5.0, 4.0, 3.0, 2.0])
    seen = []

    def monitor(parameters):
        seen.append(parameters["theta"]["lam"].copy())
        return {"score": next(values)}
    fit = refdgm.fit(quadratic(), BARS, 100, every=1, monitor=monitor, patience=2)
    assert fit.stopped_early and fit.steps == 4 and np.array_equal(fit.parameters["theta"]["lam"], seen[2])


@pytest.mark.parametrize("change, message", [
    ({"steps": 0}, "steps must be"), ({"batch": 99}, "batch must be at most the number of rows"),
    ({"data": np.array([[np.nan]])}, "data must be finite"), ({"data": np.zeros(3)}, "data must have shape"),
    ({"patience": 1}, "patience needs a monitor"), ({"schedule": lambda t: 1e300}, "not finite after step"),
    ({"schedule": lambda t: np.nan if t == 3 else 0.1}, "schedule gives for t = 3 must be a number"),
    ({"schedule": lambda t: -0.1}, "schedule gives for t = 1 must be a number of at least 0, but is -0.1"),
    ({"schedule": 0.1}, "schedule must be a function of t, but is 0.1"),
    ({"update": updates.adam}, "update must be a rule, updates.adam\\(\\) for one, but is <function adam"),
    ({"algorithm": sbn_learning.vimco}, "algorithm must be what a function of refdgm.learning gives"),
    ({"monitor": {"a": 1.0}}, "monitor must be a function"), ({"monitor": lambda p: None}, "dict of numbers.* None"),
    ({"monitor": lambda p: {}}, "monitor must give a dict of numbers"),
    ({"monitor": lambda p: {"a": "high"}}, "monitor must give a dict of numbers"),
    ({"monitor": lambda p: {"a": np.zeros(2)}}, "monitor must give a dict of numbers"),
    ({"monitor": lambda p: {"step": 1.0}}, "none of them called step"),
    ({"monitor": lambda p: {f"at {p['theta']['lam'][0]:.3f}": 1.0}, "every": 1}, "the same numbers at every look"),
    ({"seed": -1}, "seed must be an integer"), ({"seed": 2**64}, "seed must be an integer of at most"),
    ({"progress": "yes"}, "progress must be True or False"),
    ({"checkpoint": 3}, "checkpoint must be the path of a file")])
def test_errors(change, message):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        refdgm.fit(**{"algorithm": quadratic(), "data": BARS, "steps": 9, **change})


def test_a_spoilt_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(b"PK not a file")
    with pytest.raises(ValueError, match="not a whole .npz"):
        refdgm.fit(quadratic(), BARS, 5, checkpoint=path)
    with pytest.raises(ValueError, match="cannot be written"):
        refdgm.fit(quadratic(), BARS, 5, checkpoint=tmp_path / "no" / "run.npz")
    other = tmp_path / "other.npz"
    refdgm.fit(quadratic(), np.zeros((4, 2)), 5, checkpoint=other)
    with pytest.raises(ValueError, match="shape"):
        refdgm.fit(quadratic(), np.zeros((4, 3)), 5, checkpoint=other)


def test_data(tmp_path):
    assert datasets.digits().train.shape == (1438, 64) and datasets.digits("grey").test.shape == (359, 64)
    assert len(np.unique(datasets.bars_and_stripes(3).train, axis=0)) == 14
    np.save(tmp_path / "x.npy", np.eye(3))
    np.savez(tmp_path / "x.npz", train=np.eye(3), test=np.eye(3)[:1])
    (tmp_path / "x.csv").write_text("1,2\n3,4\n")
    shapes = [datasets.load(tmp_path / name).train.shape for name in ("x.npy", "x.npz", "x.csv")]
    assert shapes == [(3, 3), (3, 3), (2, 2)]
    (tmp_path / "bad.csv").write_text("1,a\n")
    for name, message in (("none.npy", "cannot be read"), ("bad.csv", "plain numbers"), ("x.txt", "must end in")):
        with pytest.raises(ValueError, match=message):
            datasets.load(tmp_path / name)
    with pytest.raises(ValueError, match="takes bits"):
        refdgm.fit(sbn_learning.rws(3, 4), datasets.digits("grey").train, 5)
