"""The script on the mixture writes what its contract says; every divergence is learned within 0.03 of its optimum."""
import csv
import json
import runpy
import sys
from pathlib import Path

import pytest

import refdgm
from refdgm.experiments import febm_mixture

SCRIPT = Path(__file__).parents[1] / "scripts/febm_mixture.py"


def test_the_script_writes_optima_and_what_is_learned(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["febm_mixture.py", "--quick", "--seed", "1", str(tmp_path / "new")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    paths = [Path(line) for line in capsys.readouterr().out.split()]
    assert [path.name for path in paths] == ["febm_mixture.json", *(f"febm_mixture_figures.{kind}"
                                                                    for kind in ("json", "csv", "png", "svg"))]
    assert all(refdgm.__version__.encode() in path.read_bytes() and b"seed" in path.read_bytes() for path in paths)
    table = json.loads(paths[0].read_text())
    assert set(table) == set(febm_mixture.NAMES) and table["kl"]["seed"] == 1
    for row in table.values():
        assert all(abs(a - b) < 0.03 for a, b in zip(row["learned"], row["optimal"], strict=True))
    assert {name for name, row in table.items() if "second" in row} == {"reverse kl", "neyman"}
    rows = json.loads(paths[1].read_text())["rows"]
    assert len(list(csv.DictReader(paths[2].read_text().splitlines()[1:]))) == len(rows)
    assert {row["panel"] for row in rows} == {"table", "shape", "rejection", "path"}


def test_bad_input_is_one_sentence(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    for options, message in ((["--seed", "-1", str(tmp_path)], "seed must be"),
                             (["--quick", str(tmp_path / "file" / "x")], "cannot be made")):
        monkeypatch.setattr(sys, "argv", ["febm_mixture.py", *options])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        assert end.value.code == 2 and message in capsys.readouterr().err
