"""A package that is not ours adds a document of its own: its claims, derivations and contracts are run like ours."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "example/renyi2016.py"


def install(folder, source, module="renyi2016"):
    """What pip leaves of a package of one file: the module, and a .dist-info with its entry point."""
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[refdgm]\n{module} = {module}\n")
    (folder / f"{module}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(tmp_path_factory.mktemp("site"), EXAMPLE.read_text())


def refdgm(site, *arguments, cwd=None):
    """Run the command in a process where the packages in `site` are installed."""
    root = Path(__file__).parent.parent
    path = os.pathsep.join([str(site), *([str(root)] if (root / "refdgm").is_dir() else [])])
    return subprocess.run([sys.executable, "-m", "refdgm", *arguments], capture_output=True, text=True, timeout=100,
                          env={**os.environ, "PYTHONPATH": path}, cwd=cwd or site)


def test_its_claims_and_derivations_are_verified(installed, tmp_path):
    run = refdgm(installed, "verify", "renyi2016", "renyi2016.gap", "--json", str(tmp_path / "r.json"))
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "r.json").read_text())
    assert [(c["id"], c["status"]) for c in result["claims"]] == [
        ("renyi2016.eq6", "confirmed"), ("renyi2016.zero", "confirmed")]
    assert [(d["id"], d["status"]) for d in result["derivations"]] == [("renyi2016.gap", "confirmed")]
    assert all(len(c["mistakes"]) == 2 and c["code"].split(":")[0].endswith("renyi2016.py") for c in result["claims"])


def test_its_words_are_shown_and_listed(installed):
    run = refdgm(installed, "show", "renyi2016.eq6")
    assert run.returncode == 0 and "For 0 < alpha < 1" in run.stdout and "derivation   renyi2016.gap" in run.stdout
    run = refdgm(installed, "list", "renyi2016")
    assert run.returncode == 0 and "renyi2016.zero" in run.stdout and "ou2018" not in run.stdout
    assert "renyi2016.gap" in refdgm(installed, "list", "derivations").stdout


def test_its_contract_names_a_mistake(installed, tmp_path):
    (tmp_path / "mine.py").write_text("import numpy as np\n\ndef renyi_bound(log_w, alpha):\n"
                                      "    return np.log(np.mean(np.exp((1 - alpha) * log_w), axis=-1))\n")
    run = refdgm(installed, "crosscheck", "mine.py", cwd=tmp_path)
    assert run.returncode == 1 and "deviates: 1 / (1 - alpha) forgotten" in run.stdout, run.stdout + run.stderr


def test_without_the_package_its_document_is_unknown(tmp_path):
    run = refdgm(tmp_path, "list", "renyi2016")
    assert run.returncode == 2 and "there is no document 'renyi2016'" in run.stderr


@pytest.mark.parametrize("source, problem", [
    ("import nothing_of_the_kind\n", "the package behind the entry point 'bad' (bad) does not load"),
    (EXAMPLE.read_text().replace("renyi2016.eq6", "ou2018.eq7"), "the claim ou2018.eq7 is defined twice"),
])
def test_a_package_that_does_not_work_is_named(tmp_path, source, problem):
    run = refdgm(install(tmp_path, source, "bad"), "list")
    assert run.returncode == 2 and problem in run.stderr and run.stderr.count("\n") == 1


def test_two_packages_with_the_same_contract_are_named(tmp_path, installed):
    install(tmp_path, EXAMPLE.read_text().replace("renyi2016.", "copy."), "copy")
    shutil.copytree(installed, tmp_path, dirs_exist_ok=True)
    run = refdgm(tmp_path, "crosscheck", "--list")
    assert run.returncode == 2 and "the contract renyi_bound is there twice" in run.stderr
