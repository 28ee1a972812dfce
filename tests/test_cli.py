"""The commands as a user meets them: what they print, what they write, how they end."""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refdgm import cli, falsification, ledger
from refdgm.verification import INSTANCES

SLOW_START = 0.3        # seconds that `refdgm --help` may take


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """run("verify", "x") -> exit status, stdout, stderr."""
    def call(*arguments):
        try:
            status = cli.main(list(arguments))
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        return status, out, err
    return call


def test_verify_one_claim_and_its_json(run):
    status, out, err = run("verify", "ou2018.eq15", "--json", "r.json", "--seed", "3", "--instances", "2")
    assert status == 0 and err == ""
    assert "ou2018.eq15" in out and "mistakes rejected" in out
    result = json.loads(Path("r.json").read_text())
    assert {"version", "seed", "instances", "seconds", "summary", "claims"} <= set(result)
    assert result["seed"] == 3 and result["instances"] == 2
    claim, = result["claims"]
    assert {"id", "where", "kind", "verdict", "status", "measured", "allowed", "method", "printed", "mistakes", "code",
            "page", "seconds"} <= set(claim)
    assert claim["status"] == "confirmed" and claim["code"].startswith("refdgm/directed/iwae.py:")
    assert all(set(m) >= {"name", "measured", "rejected"} and m["rejected"] for m in claim["mistakes"])


def test_a_derivation_by_its_name_or_its_file(run):
    by_name, by_file = run("verify", "iwae_is_rws.theta_gradient"), run("verify", "iwae_is_rws")
    assert by_name[0] == by_file[0] == 0
    assert "iwae_is_rws.theta_gradient" in by_name[1] and "iwae_is_rws.theta_gradient" in by_file[1]


@pytest.mark.parametrize("arguments, message", [
    (["verify", "ou2018.eq15.mon"], "did you mean ou2018.eq15.mono"),
    (["verify", "nowhere.py"], "there is no file"),
    (["verify", "--instances", "0"], "must be a whole number of at least 1, not '0'"),
    (["verify", "--jobs", "two"], "must be a whole number of at least 1, not 'two'"),
    (["verify", "--seed", "-1"], "--seed"),
    (["verify", "ou2018.eq15", "--json", "no/such/folder/r.json"], "cannot be written: No such file or directory"),
    (["verify", "ou2018.eq15", "--resume", "no/such/folder/r.jsonl"], "cannot be written: No such file or directory"),
    (["show", "ou2018.eq999"], "there is no claim"),
    (["show", "ou2018"], "is a document"),
    (["list", "ou2017"], "the documents are ou2018, bachman2015, lecture12, kingma2019, yu2020"),
    (["errata", "ou2017"], "the documents are ou2018, bachman2015"),
    (["new", "paper.txt"], "ends in .py"),
    (["new", "no/such/folder/paper.py"], "cannot be written: No such file or directory"),
    ([], "required"),
    (["frobnicate"], "frobnicate"),
])
def test_bad_input_is_one_line_and_exit_2(run, arguments, message):
    status, out, err = run(*arguments)
    assert status == 2 and message in err and err.startswith("refdgm: ")
    assert err.count("\n") == 1 and "Traceback" not in err


def test_show_a_claim(run):
    status, out, _ = run("show", "ou2018.eq15")
    assert status == 0
    for part in ("printed", r"\mathcal I^K", "verdict", "measured", "no 1/K", "rejected", "refdgm/directed/iwae.py:",
                 "tests/test_claims.py::test_holds[ou2018.eq15]", "iwae_is_rws.theta_gradient"):
        assert part in out


def test_show_a_derivation(run):
    status, out, _ = run("show", "iwae_is_rws.theta_gradient")
    assert status == 0 and "a mistake" in out and "ou2018.eq20" in out and "derivations/iwae_is_rws.py:" in out


def test_list_is_the_ledger(run):
    _, everything, _ = run("list")
    _, one, _ = run("list", "bachman2015")
    of_document = [id for id in ledger.entries() if id.startswith("bachman2015.")]
    assert [line.split()[0] for line in one.splitlines()] == of_document and len(of_document) >= 85
    assert set(one.splitlines()) < set(everything.splitlines())
    assert "iwae_is_rws.theta_gradient" in run("list", "derivations")[1]


def test_errata(run, monkeypatch):
    assert "fails at:" in run("errata", "bachman2015", "--format", "md")[1]
    monkeypatch.setattr(falsification, "forms", lambda claim: ())       # instances take long, and were just looked for
    status, text, _ = run("errata", "bachman2015")
    assert status == 0 and "bachman2015.eq4" in text and "as printed" in text
    found = json.loads(run("errata", "bachman2015", "--format", "json")[1])["errata"]
    assert {e["verdict"] for e in found} <= {"misprint", "false", "holds-if"}
    assert all(e["corrected"] and e["why"] for e in found)
    assert run("errata", "bachman2015", "--format", "md")[1].startswith("# Errata")


# ---- a user's own file -------------------------------------------------------------------

@pytest.fixture
def paper(run):
    assert run("new", "my_paper.py")[0] == 0
    return Path("my_paper.py")


def test_the_template_verifies(run, paper):
    status, out, err = run("verify", "my_paper.py", "--json", "r.json")
    assert status == 0 and err == "" and "my_paper.optimum" in out and "mypaper.eq1" in out
    result = json.loads(Path("r.json").read_text())
    assert [c["status"] for c in result["claims"]] == ["confirmed", "confirmed"]
    assert result["claims"][0]["where"] == "Eq. 1" and "my_paper.py:" in result["claims"][0]["code"]
    assert result["derivations"][0]["status"] == "confirmed"


def test_new_never_overwrites(run, paper):
    before = paper.read_text()
    status, _, err = run("new", "my_paper.py")
    assert status == 2 and "exists" in err and paper.read_text() == before


def test_a_wrong_line_is_named_with_its_residual_and_seed(run, paper):
    paper.write_text(paper.read_text().replace(
        'yield equals(r"\\log \\sum_i \\pi_i e^{r_i}", log_partition(reward, prior),',
        'yield equals(r"\\log \\sum_i \\pi_i e^{r_i}", log_partition(-reward, prior),'))
    status, out, _ = run("verify", "my_paper.py", "--json", "r.json")
    assert status == 1
    problem = next(line for line in out.splitlines() if "breaks" in line)
    assert "line 2 (= \\log \\sum_i \\pi_i e^{r_i}) breaks: residual" in problem and "--seed" in problem
    line = json.loads(Path("r.json").read_text())["derivations"][0]["lines"][1]
    assert not line["ok"] and line["measured"] > line["allowed"]
    seed = problem.split("--seed ")[1].split()[0]
    assert run("verify", "my_paper.py", "--seed", seed, "--instances", "1")[0] == 1, "the named instance shows it"


def test_a_wrong_claim_and_a_weak_check_fall_short(run, paper):
    text = paper.read_text()
    paper.write_text(text.replace('"divided by the prior": lambda reward, prior: softmax(reward - np.log(prior))',
                                  '"the same formula": best'))
    status, out, _ = run("verify", "my_paper.py")
    assert status == 1 and "not rejected: the same formula" in out
    paper.write_text(text.replace("grad(log_partition)(reward, prior)", "grad(log_partition)(-reward, prior)"))
    status, out, _ = run("verify", "my_paper.py")
    assert status == 1 and "FAIL" in out


@pytest.mark.parametrize("text, message", [
    ("def f(:\n", "line 1: SyntaxError"),
    ("x = 1\ny = undefined\n", "line 2: NameError"),
    ("import a_module_that_is_not_there\n", "ModuleNotFoundError"),
    ("x = 1\n", "defines no Claim and no @derivation"),
])
def test_a_broken_user_file_is_one_sentence(run, text, message):
    Path("broken.py").write_text(text)
    status, _, err = run("verify", "broken.py")
    assert status == 2 and message in err and err.count("\n") == 1


def test_an_exception_inside_a_users_formula_is_a_result(run, paper):
    paper.write_text(paper.read_text().replace("    return softmax(reward + np.log(prior))", "    return 1 / 0"))
    status, out, err = run("verify", "my_paper.py")
    assert status == 1 and "ERROR" in out and "ZeroDivisionError" in out and err == ""


# ---- long runs -----------------------------------------------------------------------------

TARGETS = ("ou2018.eq14", "ou2018.eq15", "ou2018.eq15.mono")


def test_resume_skips_what_is_there(run):
    assert run("verify", *TARGETS[:2], "--resume", "r.jsonl")[0] == 0
    before = Path("r.jsonl").read_text()
    assert len(before.splitlines()) == 3
    assert run("verify", *TARGETS, "--resume", "r.jsonl")[0] == 0
    assert Path("r.jsonl").read_text().startswith(before) and len(Path("r.jsonl").read_text().splitlines()) == 4


def test_resume_after_a_kill_in_the_middle_of_a_line(run):
    assert run("verify", *TARGETS, "--resume", "r.jsonl")[0] == 0
    whole = Path("r.jsonl").read_text()
    Path("r.jsonl").write_text(whole[:-25])
    assert run("verify", *TARGETS, "--resume", "r.jsonl")[0] == 0
    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines[1:]] == list(TARGETS)


def test_resume_refuses_another_run(run):
    assert run("verify", TARGETS[0], "--resume", "r.jsonl")[0] == 0
    status, _, err = run("verify", TARGETS[0], "--resume", "r.jsonl", "--seed", "1")
    assert status == 2 and "is not a record of such a run" in err
    Path("notes.txt").write_text("not json\n")
    assert "is not JSON" in run("verify", TARGETS[0], "--resume", "notes.txt")[2]
    assert Path("notes.txt").read_text() == "not json\n"


def test_jobs_give_the_same_numbers(run):
    run("verify", *TARGETS, "--json", "one.json")
    run("verify", *TARGETS, "--json", "two.json", "--jobs", "2")
    one, two = (json.loads(Path(name).read_text())["claims"] for name in ("one.json", "two.json"))
    assert [(c["id"], c["measured"]) for c in one] == [(c["id"], c["measured"]) for c in two]


# ---- processes -----------------------------------------------------------------------------

def python(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_module_is_the_command():
    done = python("-m", "refdgm", "verify", "ou2018.eq15")
    assert done.returncode == 0 and "ou2018.eq15" in done.stdout and done.stderr == "", "no progress bar in a pipe"


def test_help_is_quick_and_loads_nothing_heavy():
    best = min(_seconds("-m", "refdgm", "--help") for _ in range(3))
    assert best < SLOW_START
    loaded = python("-c", "import sys, refdgm, refdgm.cli; refdgm.cli.parser(); print(*sys.modules)").stdout.split()
    assert not {"numpy", "autograd", "scipy", "numba", "matplotlib"} & set(loaded)


def test_submodules_load_on_first_use():
    done = python("-c", "import refdgm; print(refdgm.directed.__name__, 'numerics' in dir(refdgm)); refdgm.nothing")
    assert done.stdout.split() == ["refdgm.directed", "True"] and "no attribute 'nothing'" in done.stderr


@pytest.mark.skipif(shutil.which("head") is None, reason="no head")
def test_a_closed_pipe_is_no_error():
    done = subprocess.run(f"{sys.executable} -m refdgm list | head -1", shell=True, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and done.stderr == ""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_keeps_what_was_done():
    import signal
    with subprocess.Popen([sys.executable, "-m", "refdgm", "verify", "--instances", "50", "--resume", "r.jsonl"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.time() + 120
        while time.time() < deadline and not (os.path.exists("r.jsonl") and
                                              Path("r.jsonl").read_text().count("\n") > 3):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted after" in err and "--resume r.jsonl" in err
    assert "Traceback" not in err
    for line in Path("r.jsonl").read_text().splitlines():
        json.loads(line)


def test_doctor(run):
    status, out, _ = run("doctor")
    assert status == 0 and "numpy" in out and "all is well." in out


def test_the_default_number_of_instances_is_said_once():
    assert f"default {INSTANCES}" in cli.parser()._subparsers._group_actions[0].choices["verify"].format_help()


def _seconds(*arguments):
    """Of the processor: a busy machine makes a process wait."""
    before = os.times()
    assert python(*arguments).returncode == 0
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system
