"""Test vectors for other languages: complete, the same from run to run, and read without Python."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refdgm import cli, contract, crosscheck, trials, vectors

SCRIPTS = Path(__file__).parent.parent / "scripts"
NAMES = ["iwae_bound", "normalized_weights", "mis_kernel", "categorical_draws", "mala_kernel", "cd_estimator"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("vectors")
    vectors.write(made)
    return made


def contents(folder):
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))
            if path.stem not in ("schema", "index")}


def decoded(x):
    """An argument or an output as an array."""
    return np.array([float(number) for number in x["data"]]).reshape(x["shape"]) if isinstance(x, dict) else x


def test_every_contract_has_a_file_and_the_index_names_it(folder):
    index = json.loads((folder / "index.json").read_text())
    assert {row["file"] for row in index["files"]} == {f"{name}.json" for name in crosscheck.contracts()}
    for row in index["files"]:
        raw = (folder / row["file"]).read_bytes()
        results = [test["result"] for group in json.loads(raw)["groups"] for test in group["tests"]]
        assert hashlib.sha256(raw).hexdigest() == row["sha256"] and row["valid"] == results.count("valid") > 0
        assert row["invalid"] == results.count("invalid")


def test_every_file_is_as_its_schema_says(folder):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((folder / "schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for name, content in contents(folder).items():
        assert not [error.message[:200] for error in validator.iter_errors(content)], name


def test_shapes_arguments_and_notes_fit_together(folder):
    for name, content in contents(folder).items():
        item = crosscheck.contracts()[name]
        assert set(content["notes"]) == {*item.mistakes, *item.conventions}
        ids = [test["id"] for group in content["groups"] for test in group["tests"]]
        assert ids == list(range(1, content["tests"] + 1))
        for group in content["groups"]:
            for test in group["tests"]:
                fixed = [a.name for a in item.arguments if a.kind not in vectors.FILLED]
                assert list(test["input"]) == fixed and bool(test["flags"]) == (test["result"] != "valid")
                for array in [*test["output"], *(x for x in test["input"].values() if isinstance(x, dict))]:
                    assert np.prod(array["shape"], dtype=int) == len(array["data"])


def exact():
    return [item for item in crosscheck.contracts().values() if item.judge.kind == "values"]


@pytest.mark.parametrize("item", exact(), ids=lambda item: item.name)
def test_the_reference_gives_every_valid_output_and_no_invalid_one(item, folder):
    for group in json.loads((folder / f"{item.name}.json").read_text())["groups"]:
        for test in group["tests"]:
            arguments = {name: decoded(value) for name, value in test["input"].items()}
            got = contract.truth(item.reference, item, arguments, group.get("wrt"))
            output = [decoded(part) for part in test["output"]]
            if "float64" not in test["allowed"]:
                assert set(test["allowed"]) == {"float32"} and test["result"] != "valid"
                continue
            allowed = test["allowed"]["float64"]
            agrees = trials.distance(got, output, allowed)[0] <= 1
            assert agrees == (test["result"] == "valid"), test
            assert test["hard"] or test["flags"] or set(test["allowed"]) == set(trials.TOLERANCE)


def raises(item, name):
    """Whether a known mistake has no output where it shows: an overflow that ends in an exception."""
    for case in item.judge.cases(0):
        try:
            contract.truth({**item.mistakes, **item.conventions}[name].function, item, case.arguments)
        except Exception:
            return True
    return False


def test_every_mistake_is_shown(folder):
    for name, content in contents(folder).items():
        shown = {flag for group in content["groups"] for test in group["tests"] for flag in test["flags"]}
        if crosscheck.contracts()[name].judge.kind != "keeps":
            hidden = set(content["notes"]) - shown
            assert all(raises(crosscheck.contracts()[name], other) for other in hidden), (name, hidden)


def test_twice_the_same_bytes(folder, tmp_path, capsys):
    assert cli.main(["vectors", str(tmp_path / "again"), "--contract", *NAMES]) == 0
    said = capsys.readouterr().out
    assert f"{len(NAMES)} contracts" in said and "invalid on purpose" in said
    for name in [*NAMES, "schema"]:
        assert (tmp_path / f"again/{name}.json").read_bytes() == (folder / f"{name}.json").read_bytes()
    assert not list((tmp_path / "again").glob("*.part"))
    command = [sys.executable, "-m", "refdgm", "vectors", str(tmp_path / "other"), "--contract", *NAMES]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "5"}, capture_output=True, timeout=100)
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes(), path.name


def test_what_cannot_be_written_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["vectors", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
    assert cli.main(["vectors", str(tmp_path / "dir"), "--contract", "iwae_bond"]) == 2
    assert "did you mean iwae_bound" in capsys.readouterr().err and not (tmp_path / "dir").exists()
    (tmp_path / "dir/schema.json.part").mkdir(parents=True)
    assert cli.main(["vectors", str(tmp_path / "dir"), "--contract", "iwae_bound"]) == 2
    err = capsys.readouterr().err
    assert "schema.json cannot be written" in err and err.count("\n") == 1
    assert os.listdir(tmp_path / "dir") == ["schema.json.part"]


def test_a_file_is_written_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    """An old file stays as it was when the disk is full."""
    shutil.copy(folder / "iwae_bound.json", tmp_path)
    before = (tmp_path / "iwae_bound.json").read_bytes()

    def full(name, *arguments):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(vectors.os, "replace", full)
    with pytest.raises(ValueError, match="No space left on device"):
        vectors.write(tmp_path, ["iwae_bound"])
    assert (tmp_path / "iwae_bound.json").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["iwae_bound.json"]


# ---- other languages ----------------------------------------------------------------------

def read(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_javascript_reads_them(folder, tmp_path):
    node = shutil.which("node")
    if not node:
        pytest.skip("there is no node")
    status, said = read(node, str(SCRIPTS / "read_vectors.js"), str(folder))
    assert status == 0 and "right: 0 tests fail" in said and "log K forgotten: subtract log K" in said, said
    spoilt(folder, tmp_path)
    status, said = read(node, str(SCRIPTS / "read_vectors.js"), str(tmp_path))
    assert status == 1 and "right: 1 tests fail" in said, said


def test_c_reads_them(folder, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("there is no C compiler")
    program = str(tmp_path / "read_vectors")
    status, said = read(compiler, "-Wall", "-Wextra", str(SCRIPTS / "read_vectors.c"), "-lm", "-o", program)
    if status:
        pytest.skip(f"the compiler does not work: {said[:200]}")
    assert not said
    status, said = read(program, str(folder))
    assert status == 0 and "right: 0 tests fail" in said and 'flags ["log K forgotten"]' in said, said
    spoilt(folder, tmp_path)
    status, said = read(program, str(tmp_path))
    assert status == 1 and "right: 1 tests fail" in said, said


def spoilt(folder, target):
    """A copy in which the output of one test is off by 1e-6."""
    content = json.loads((folder / "iwae_bound.json").read_text())
    content["groups"][0]["tests"][1]["output"][0]["data"][0] += 1e-6
    (target / "iwae_bound.json").write_text(vectors.text(content))


@pytest.mark.parametrize("name", ["read_vectors.js", "read_vectors.c"])
def test_a_reader_is_short(name):
    assert len((SCRIPTS / name).read_text().splitlines()) <= 60
