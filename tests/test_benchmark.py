"""What `refdgm bench` says and writes, and that a peer with another result gets no number."""
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from refdgm import benchmark, cli
from refdgm.samplers import rbm_gibbs

CASE = "rbm.784x500x100.float32"


def run(capsys, *arguments):
    try:
        status = cli.main(["bench", *arguments])
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


def test_one_case_and_its_json(capsys, tmp_path):
    status, out, err = run(capsys, CASE, "--quick", "--threads", "1", "--json", str(tmp_path / "r.json"))
    assert status == 0 and err == ""
    result = json.loads((tmp_path / "r.json").read_text())
    assert {"machine", "threads", "versions", "cases"} == set(result) and result["threads"] == 1
    assert {"cpu", "cores", "gpu", "system", "load", "environment"} == set(result["machine"])
    assert result["versions"]["numpy"] == np.__version__
    case, = result["cases"]
    assert {"name", "work", "unit", "seconds", "peers", "limit"} <= set(case)
    assert case["name"] == CASE and case["unit"] == "300 chain-steps" and case["seconds"] > 0
    assert case["peers"]["NumPy"] > 0 and 0 < case["limit"]["fraction"] < 2 and case["repeats"] == 3
    for peer, ratio in case["peers"].items():
        assert ratio is None and case["notes"][peer] == "not installed" or ratio > 0
        assert f"{peer} {case['notes'].get(peer) or f'{ratio:.3g}'}" in out


@pytest.mark.parametrize("arguments, message", [
    (["nowhere"], "there is no case 'nowhere'"),
    (["rbm.7"], "there is no case 'rbm.7'"),
    (["rbm.16x16x100000", "--quick"], "none of these cases is quick"),
    (["--threads", "4096"], "4096 threads are asked for"),
    (["--repeats", "0"], "must be a whole number of at least 1"),
    ([CASE, "--json", "nowhere/r.json"], "cannot be written")])
def test_bad_input(capsys, arguments, message):
    status, out, err = run(capsys, *arguments)
    assert status == 2 and message in err and len(err.splitlines()) == 1


def test_list(capsys):
    status, out, _ = run(capsys, "rbm", "--list")
    assert status == 0 and CASE in out and all(line.startswith("rbm.") for line in out.splitlines())


def test_every_case_is_complete():
    found = benchmark.cases()
    assert len(found) > 20
    for name, case in found.items():
        assert case.amount > 0 and case.work and case.unit and callable(case.refdgm)
        for peer in case.peers:                 # a library is looked for by its name in PEERS
            libraries = [library for library in benchmark.PEERS if library.lower() in peer.lower()]
            assert not libraries or peer.split(",")[0] in libraries, (name, peer)
    assert "jax" not in sys.modules and "torch" not in sys.modules


@pytest.mark.parametrize("theirs, agrees", [
    ((0.5003, 1e-8, 1000), True), ((0.51, 1e-8, 1000), False), ((0.5, 1e-8, 999), False),
    ((np.nan, 1e-8, 1000), False)])
def test_a_peer_must_agree_with_the_result(theirs, agrees):
    closed = []
    workers = {name: SimpleNamespace(close=lambda name=name: closed.append(name)) for name in ("refdgm", "NumPy")}
    case, notes = benchmark.cases()[CASE], {}
    benchmark._judge(case, "refdgm", {"observed": (0.5, 1e-8, 1000)}, workers, notes)
    benchmark._judge(case, "NumPy", {"observed": theirs}, workers, notes)
    assert ("NumPy" in workers) == agrees and closed == ([] if agrees else ["NumPy"])
    assert agrees or "disagrees" in notes["NumPy"]
    assert benchmark.fell_short([{"notes": notes}]) != agrees


def test_a_number_without_chance_must_agree_itself():
    case = benchmark.cases()[CASE]._replace(dtype="float64")
    for theirs, agrees in ((2.0 + 1e-10, True), (2.0 + 1e-8, False)):
        workers = {name: SimpleNamespace(close=lambda: None) for name in ("refdgm", "NumPy")}
        benchmark._judge(case, "refdgm", {"observed": (2.0, 0.0, 1)}, workers, {})
        benchmark._judge(case, "NumPy", {"observed": (theirs, 0.0, 1)}, workers, {})
        assert ("NumPy" in workers) == agrees


def test_a_process_that_fails_says_why():
    case = benchmark.cases()[CASE]
    worker = benchmark.Worker(case, "Basic", 1)
    try:
        assert worker.hear() == {"error": "KeyError: 'Basic'"}
        worker.process.wait()
        assert worker.measure() == {"error": "the process ended with status 0"}
    finally:
        worker.close()


def test_memory_does_not_grow_with_the_length_of_a_run():
    import tracemalloc
    theta = {"w": np.zeros((20, 10))}
    start, peaks = rbm_gibbs.init(theta, 2000), []
    rbm_gibbs.run(theta, start, 1)                  # compiles
    for steps in (20, 400):
        tracemalloc.start()
        rbm_gibbs.run(theta, start, steps, thin=2, average=lambda s: s.v)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
