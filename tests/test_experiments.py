"""Tables and figures: exact gradients, cells that cross two algorithms, the same rows for any number of processes and
after a kill, and what each quick script writes."""
import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad

import refdgm
from refdgm import datasets, drawing, fitting, reproduction, runs, trees, updates
from refdgm.directed import sbn_gradients
from refdgm.experiments import (bound_and_noise, directed_table, game_spectra, ignored_by_cd, langevin_bias,
                                nce_error, undirected_table)
from refdgm.learning import sbn_learning
from refdgm.models import sbn

BARS = datasets.bars_and_stripes(2).train
SCRIPTS = Path(__file__).parents[1] / "scripts"


# ---- the cells ------------------------------------------------------------------------

def log_likelihood(theta, phi, x):
    return np.mean(sbn.log_marginal(theta, x))


def elbo(theta, phi, x):
    log_q = sbn.log_q_table(phi, x)
    return np.mean(np.sum(np.exp(log_q) * (sbn.log_joint_table(theta, x) - log_q), axis=1))


def minus_inclusive_kl(theta, phi, x):
    return np.mean(np.sum(sbn.posterior(theta, x) * sbn.log_q_table(phi, x), axis=1))


def off(a, b):
    """The largest difference between two trees of one form."""
    b = dict(trees.leaves(b))
    return max(onp.max(onp.abs(leaf - b[path])) for path, leaf in trees.leaves(a))


@pytest.mark.parametrize("seed", range(3))
def test_exact_gradients_are_those_of_autograd(seed):
    case = sbn.random_data_case(seed, n=6, D=4, H=3)
    args = case["theta"], case["phi"], case["X"]
    inclusive, bound = sbn_gradients.inclusive_gradient(*args), sbn_gradients.elbo_gradient(*args)
    right = ((inclusive["theta"], log_likelihood, 0), (inclusive["phi"], minus_inclusive_kl, 1),
             (bound["theta"], elbo, 0), (bound["phi"], elbo, 1))
    for hand, objective, of in right:
        assert off(hand, grad(objective, of)(*args)) < 1e-12
    for hand, objective, of in ((bound["theta"], log_likelihood, 0), (inclusive["theta"], elbo, 0),
                                (inclusive["phi"], elbo, 1), (bound["phi"], minus_inclusive_kl, 1)):
        assert off(hand, grad(objective, of)(*args)) > 1e-3         # each is rejected as the other's gradient


def test_an_algorithm_crossed_with_itself_is_itself():
    jsa = sbn_learning.jsa(2, 3)
    twice = directed_table.crossed("twice", jsa, jsa)
    one, two = (refdgm.fit(a, BARS, 20, batch=3, seed=4).parameters for a in (jsa, twice))
    assert off(one, two) == 0
    other = refdgm.fit(directed_table.crossed("", jsa, sbn_learning.rws(2, 3)), BARS, 20, batch=3, seed=4).parameters
    assert off(one["phi"], other["phi"]) > 1e-3


@pytest.mark.parametrize("name", ["exact ML", "exact ELBO", "theta ML, phi V-LB", "theta IW-LB, phi MIS"])
def test_resume_is_the_run_that_was_not_interrupted(tmp_path, name):
    algorithm = directed_table.table(3, 2)[name][2]
    settings = {"batch": 3, "update": updates.adam(), "every": 5, "seed": 3, "monitor": sbn_learning.exact(BARS)}
    whole = refdgm.fit(algorithm, BARS, 20, **settings)
    refdgm.fit(algorithm, BARS, 10, checkpoint=tmp_path / "run.npz", **settings)
    rest = refdgm.fit(algorithm, BARS, 20, checkpoint=tmp_path / "run.npz", **settings)
    assert off(whole.parameters, rest.parameters) == 0
    assert all(onp.array_equal(whole.history[key], rest.history[key]) for key in whole.history)


def test_every_cell_of_the_table_for_discrete_h_is_there():
    filled = {(theta, phi) for theta, phi, _ in directed_table.table(3, 2).values()}
    assert {(t, p) for t in ("ML", "V-LB", "IW-LB") for p in ("V-LB", "IW-LB", "IS", "MIS", "sleep")} < filled
    with pytest.raises(ValueError, match="K must be"):
        directed_table.table(3, 1)


def test_the_references_reach_what_they_follow():
    reached = {}
    for name in ("exact ML", "exact ELBO"):
        theta_by, phi_by, algorithm = directed_table.table(2, 2)[name]
        fit = refdgm.fit(algorithm, BARS, 300, update=updates.adam(), seed=0,
                         schedule=updates.constant_then_harmonic(0.1, 150))
        exact = directed_table.exact_gradients(theta_by, phi_by, fit.parameters, BARS)
        numbers = runs.gradient_noise(algorithm, fit, BARS, exact, 0, 2)
        assert numbers["theta_variance"] == 0 and max(numbers["theta_error"], numbers["phi_error"]) < 1e-12
        reached[name] = float(sbn_learning.exact(BARS)(fit.parameters)["log_p"])
    assert reached["exact ELBO"] < reached["exact ML"] - 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_an_unbiased_gradient_shows_no_error_and_a_biased_one_does(seed):
    """Where F is unbiased, |mean F - exact| is about `noise`, 0.7 to 2.1 times it on eight seeds. RWS at K = 2, held
    against the exact gradients of the likelihood and of the inclusive KL, is off by 8 times the noise and more."""
    case = sbn.random_data_case(seed, n=6, D=5, H=3)

    def errors(name, theta_by, phi_by):
        algorithm = directed_table.table(3, 2)[name][2]
        parameters = {**algorithm.start(case["X"], seed)[0], "theta": case["theta"], "phi": case["phi"]}
        fit = fitting.Fit(parameters, (), {}, 0, False, False)
        exact = directed_table.exact_gradients(theta_by, phi_by, parameters, case["X"])
        found = runs.gradient_noise(algorithm, fit, case["X"], exact, seed, 400)
        return [found[f"{part}_error"] / found[f"{part}_noise"] for part in ("theta", "phi")]
    assert max(errors("NVIL", "V-LB", "V-LB")) < 4 < min(errors("RWS, wake phi", "ML", "MIS"))


@pytest.mark.parametrize("seed", range(2))
def test_of_an_rbm_cd_1_is_biased_and_the_exact_likelihood_is_highest(seed):
    """On six seeds CD-1's error is 6 to 21 times the noise, CD-10's 1.3 to 3, and both end 0.3 nats below exact ML."""
    settings = undirected_table.Settings(H=6, chains=50, steps=300, rows=200, batch=50, repeats=200)
    exact, cd_1, cd_10 = (undirected_table.perform(runs.Cell("", name, seed), settings)
                          for name in ("exact ML", "CD-1", "CD-10"))
    assert exact["theta_variance"] == 0 and exact["theta_error"] < 1e-12
    assert cd_1["theta_error"] > 4 * cd_1["theta_noise"] and cd_1["theta_error"] > 1.5 * cd_10["theta_error"]
    assert exact["train_nll"] < min(cd_1["train_nll"], cd_10["train_nll"]) - 0.1


# ---- the runs -------------------------------------------------------------------------

TINY = directed_table.QUICK._replace(H=2, steps=2, rows=20, repeats=2)


def without_seconds(rows):
    return [{key: value for key, value in row.items() if "seconds" not in key} for row in rows]


def test_the_table_is_the_same_for_any_number_of_processes_and_after_a_kill(tmp_path, monkeypatch):
    path = tmp_path / "table.runs"
    whole = directed_table.run(TINY, journal=path)
    assert without_seconds(directed_table.run(TINY, jobs=2)) == without_seconds(whole)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:20]) + lines[20][:30])         # killed within the 20th record
    performed, real = [], directed_table.perform
    monkeypatch.setattr(directed_table, "perform", lambda cell, **how: performed.append(cell) or real(cell, **how))
    assert without_seconds(directed_table.run(TINY, journal=path)) == without_seconds(whole)
    assert len(performed) == len(lines) - 20
    performed.clear()
    one, two = (directed_table.run(TINY, journal=path) for _ in range(2))
    assert one == two and not performed
    with pytest.raises(ValueError, match="is not a record of such a run"):
        directed_table.run(TINY._replace(gamma=0.1), journal=path)


def test_processes_end_with_the_one_that_was_killed():
    """They hold its standard output open: reading it ends when the last of them has."""
    script = """
import os, time
from refdgm.runs import Cell, perform_all
def perform(cell):
    os.write(1, b"begun\\n")             # in one piece: two processes write here
    time.sleep(600)
perform_all([Cell("", "", seed) for seed in range(4)], perform, jobs=2)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert [process.stdout.readline() for _ in range(2)] == ["begun\n", "begun\n"]
        finally:
            process.kill()
        assert process.communicate(timeout=60)[0] == ""


def test_means_and_standard_errors():
    row = runs.row("a", "b", "c", [{"test_nll": y, "x": x} for y, x in ((1.0, None), (2.0, 1.0), (6.0, 2.0))])
    assert row["test_nll"] == 3.0 and row["stderr"] == row["test_nll_stderr"] == pytest.approx((14 / 2 / 3)**0.5)
    assert row["x"] is None and row["seeds"] == 3


# ---- the figures' numbers -------------------------------------------------------------

def test_figures_say_what_the_documents_say():
    bound = bound_and_noise.make(quick=True)
    assert bound[-1]["gap"] == pytest.approx(bound[-1]["gap_first_order"], rel=0.02)
    assert bound[-1]["snr_mu"] > bound[3]["snr_mu"] and bound[-1]["snr_m"] < bound[3]["snr_m"]
    ignored = ignored_by_cd.make(quick=True)
    for scale in ignored_by_cd.SCALES:
        biases = [row["bias"] for row in ignored if row["scale"] == scale]
        assert biases == sorted(biases, reverse=True)
    langevin = langevin_bias.make(quick=True)
    for row in langevin[:2]:
        assert abs(row["ula"] - row["exact"]) < 6 * row["ula_error"] and abs(row["mala"]) < 6 * row["mala_error"]
    assert abs(langevin[1]["ula"] - langevin[1]["first_order"]) > 6 * langevin[1]["ula_error"]
    assert langevin[-1]["total_variation"] > langevin[-2]["total_variation"] > 0.1
    nce = nce_error.make(quick=True)
    for name in {row["noise"] for row in nce}:
        losses = [row["loss"] for row in nce if row["noise"] == name]
        assert losses == sorted(losses, reverse=True) and 1 < losses[-1] < 1.1
    spectra = game_spectra.make(quick=True)
    right = {kind: [row["real"] > 0 for row in spectra if row.get("kind") == kind] for kind in game_spectra.KINDS}
    assert not any(right["K_EE positive definite"]) and any(right["K_EE indefinite"])


def test_the_bias_on_the_mixture_falls_like_the_step():
    from refdgm.numerics import trapezoid
    grid = trapezoid(-8.0, 12.0, 251)
    ratio = langevin_bias.of_mixture(0.08, *grid) / langevin_bias.of_mixture(0.04, *grid)
    assert 1.9 < ratio < 2.4


# ---- what is written ------------------------------------------------------------------

@pytest.mark.parametrize("script", sorted(path.name for kind in ("figure_*.py", "table1*.py")
                                           for path in SCRIPTS.glob(kind)))
def test_a_script_writes_four_files_with_version_and_seed(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--quick", "--seed", "1", "--jobs", "1", str(tmp_path / "new")])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPTS / script), run_name="__main__")
    assert end.value.code == 0
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.suffix for path in paths] == [".json", ".csv", ".png", ".svg"]
    for path in paths:
        content = path.read_bytes()
        assert refdgm.__version__.encode() in content and b"seed" in content
    written = json.loads(paths[0].read_text())
    rows = written if isinstance(written, list) else written["rows"]
    lines = paths[1].read_text().splitlines()
    assert lines[0].startswith("# name ") and "seed 1" in lines[0]
    assert len(list(csv.DictReader(lines[1:]))) == len(rows)
    assert (rows[0] if isinstance(written, list) else written)["seed"] == 1
    if script.startswith("table1"):
        assert {"algorithm", "theta_objective", "phi_objective", "train_nll", "test_nll", "stderr", "seeds",
                "seconds"} <= set(rows[0])


def test_every_experiment_has_a_script():
    called = " ".join(path.read_text() for path in SCRIPTS.glob("*.py"))
    assert {name for name in reproduction.EXPERIMENTS if name in called} == set(reproduction.EXPERIMENTS)


def test_the_same_rows_give_the_same_bytes():
    def draw(figure, rows):
        drawing.curve(figure.subplots(), rows, "x", "y", "a line")
    rows, header = [{"x": 0, "y": 1.0}, {"x": 1, "y": None}, {"x": 2, "y": 3.0}], {"version": "1", "seed": 0}
    for kind in ("png", "svg"):
        one, two = (drawing.picture(draw, rows, header, "a", kind) for _ in range(2))
        assert one == two and one != drawing.picture(draw, rows[1:], header, "a", kind)


def test_ink_and_colours_stand_out_from_white_and_from_black():
    def luminance(colour):
        parts = onp.array([int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)])
        return onp.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055)**2.4) @ [0.2126, 0.7152, 0.0722]
    for colour in (drawing.INK, *drawing.COLOURS):
        assert min(1.05 / (luminance(colour) + 0.05), (luminance(colour) + 0.05) / 0.05) > 2.8, colour


@pytest.mark.parametrize("options, message", [(["--seed", "-1"], "seed must be"), (["--jobs", "0"], "processes must")])
def test_bad_input_is_one_sentence(options, message, tmp_path, capsys):
    assert reproduction.main("bound_and_noise", ["--quick", *options, str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert reproduction.main("directed_table", ["--quick", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
