"""`refdgm crosscheck` meets what users' modules do: they crash, hang, exit, print, and are wrong in every way."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refdgm import cli, crosscheck

BAD = """
import os, signal, sys, time
import numpy as np

def log_mean_exp(log_w):
    m = np.max(log_w, axis=-1, keepdims=True)
    return np.log(np.mean(np.exp(log_w - m), axis=-1)) + m[..., 0]

def iwae_bound(log_w):                  # a crash
    os.kill(os.getpid(), signal.SIGSEGV)

def elbo(log_w):                        # a hang
    time.sleep(1000)

def iwae_loss(log_w):                   # an end
    sys.exit(3)

def normalized_weights(log_w):          # another shape
    return np.zeros(3)

def vimco_coefficients(log_w):          # NaN
    return log_w * np.nan

def log_sum_exp(x):                     # another dtype
    return (log_mean_exp(x) + np.log(x.shape[-1])).astype(np.float32)

def softplus(x):                        # an exception
    return x.nothing

def log_softmax(logits):                # still to be written
    raise NotImplementedError

def log_sigmoid(x):                     # right, and talkative
    print("noise on stdout")
    os.write(1, b"more noise")
    return -np.logaddexp(0, -x)
"""
NAMES = ["iwae_bound", "elbo", "iwae_loss", "normalized_weights", "vimco_coefficients", "log_sum_exp", "softplus",
         "log_softmax", "log_sigmoid"]
KEYS = {"name", "status", "measured", "allowed", "matches", "input", "expected", "got"}      # of the JSON
RIGHT = """
import numpy as np

def bound(log_w):
    m = np.max(log_w, axis=-1)
    with np.errstate(all="ignore"):
        return np.log(np.mean(np.exp(log_w - m[..., None]), axis=-1)) + m
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(text, name="mine.py"):
    Path(name).write_text(text)
    return name


def environment():
    root = Path(__file__).parent.parent
    return {**os.environ, "PYTHONPATH": str(root)} if (root / "refdgm").is_dir() else dict(os.environ)


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "refdgm", "crosscheck", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environment(), **options)


def run(*arguments):
    process = start(*arguments)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def call(capsys, *arguments):
    """The same in this process, where only the user's module has its own."""
    status = cli.main(["crosscheck", *arguments])
    return status, *capsys.readouterr()


def test_nothing_that_a_module_does_ends_the_run(capfd):
    write(BAD)
    status, out, err = call(capfd, "mine.py", "--contract", *NAMES, "--seconds", "4", "--json", "r.json")
    records = {record["name"]: record for record in json.loads(Path("r.json").read_text())["contracts"]}
    assert status == 1 and list(records) == NAMES and all(KEYS <= set(record) for record in records.values())
    expected = {
        "iwae_bound": ("error", "was ended by SIGSEGV, at: float64, K = 1"),
        "elbo": ("timeout", "no answer within 4 s, at: float64, K = 1"),
        "iwae_loss": ("error", "ended by itself with the exit status 3"),
        "normalized_weights": ("deviates", "returns the shape (3,) where"),
        "vimco_coefficients": ("deviates", "returns NaN"),
        "log_sum_exp": ("deviates", "returns float32 for float64 arguments"),
        "softplus": ("error", "raises AttributeError"),
        "log_softmax": ("not offered", "still to be written"),
        "log_sigmoid": ("conforms", ""),
    }
    for name, (kind, problem) in expected.items():
        assert records[name]["status"] == kind and problem in records[name]["problem"], records[name]
    assert "noise" not in out and "noise on stdout" in err
    assert "1 conforms, 3 deviates, 3 error, 1 timeout, 1 not offered" in out
    assert records["vimco_coefficients"]["got"] and records["vimco_coefficients"]["input"]


@pytest.mark.parametrize("result, status, problem", [
    ("None", "error", "returns NoneType where real numbers are due"),
    ("'text'", "error", "returns str where real numbers are due"),
    ("bound(log_w) + 0j", "error", "returns complex128 where real numbers are due"),
    ("(bound(log_w), 1.0)", "deviates", "returns 2 arrays"),
    ("bound(log_w).tolist() if log_w.ndim == 1 else bound(log_w)", "conforms", ""),
    ("[bound(log_w)]", "conforms", ""),
    ("np.float16(bound(log_w))", "deviates", "returns float16 for float64 arguments"),
])
def test_what_a_function_returns(capsys, result, status, problem):
    write(RIGHT + f"\n\ndef iwae_bound(log_w):\n    return {result}\n")
    call(capsys, "mine.py", "--json", "r.json")
    record, = json.loads(Path("r.json").read_text())["contracts"]
    assert record["status"] == status and record["problem"].startswith(problem) and bool(problem) == bool(
        record["problem"])


def test_a_function_by_another_name(capsys):
    write(RIGHT)
    status, out, err = call(capsys, "mine.py", "--contract", "iwae_bound=bound")
    assert status == 0 and "1 conforms" in out and not err
    write(RIGHT.replace(" + m", ""), "wrong.py")
    status, out, err = call(capsys, "wrong.py", "--contract", "iwae_bound=bound")
    assert status == 1 and "deviates: shift not added back" in out and "to mend" in out
    status, out, err = call(capsys, "mine.py", "--contract", "elbo=bound", "iwae_bound=missing")
    assert status == 1 and "deviates" in out and "mine.py has no function missing" in out


def test_an_importable_module(capsys):
    write(RIGHT.replace("bound", "iwae_bound"), "my_module.py")
    status, out, err = run("my_module")
    assert status == 0 and "1 conforms" in out, out + err


def test_a_function_that_changes_its_argument_is_still_shown_its_input(capsys):
    write("import numpy as np\n\ndef iwae_bound(log_w):\n    log_w -= 1.0\n    log_w += 1.0\n    log_w *= 0\n"
          "    return log_w.sum(-1)\n")
    call(capsys, "mine.py", "--json", "r.json")
    record, = json.loads(Path("r.json").read_text())["contracts"]
    assert record["status"] == "deviates" and any(record["input"]["log_w"])


@pytest.mark.parametrize("text, arguments, problem", [
    ("import nothing_of_the_kind\n", [], "mine.py, line 1: ModuleNotFoundError: No module named 'nothing_of_the_kind'"),
    ("def f(:\n", [], "mine.py, line 1: SyntaxError"),
    ("x = 1\n", [], "has no function that bears the name of a contract"),
    ("import os\nos._exit(7)\n", [], "was not imported: the process ended by itself with the exit status 7"),
    ("import os\nos.kill(os.getpid(), 9)\n", [], "was not imported: the process was ended by SIGKILL"),
    (RIGHT, ["--contract", "iwae_bund"], "there is no contract with the name 'iwae_bund'; did you mean iwae_bound"),
    (RIGHT, ["--contract", "iwae_bound=bound", "--json", "no/such/folder.json"], "cannot be written"),
], ids=["import", "syntax", "nothing offered", "exit", "kill", "unknown contract", "unwritable"])
def test_bad_input_is_one_line(capsys, text, arguments, problem):
    write(text)
    status, out, err = call(capsys, "mine.py", *arguments)
    assert status == 2 and problem in err and err.count("\n") == 1 and not out, err


@pytest.mark.parametrize("arguments, problem", [
    (["nowhere.py"], "there is no file"), (["no_module_of_that_name"], "cannot be imported"),
    ([], "crosscheck needs a TARGET"),
])
def test_a_target_that_is_not_there(capsys, arguments, problem):
    status, _, err = call(capsys, *arguments)
    assert status == 2 and problem in err and err.count("\n") == 1


def test_usage_is_exit_two(capsys):
    for arguments in (["mine.py", "--dtype", "float8"], ["mine.py", "--framework", "fortran"],
                      ["mine.py", "--seconds", "0"]):
        with pytest.raises(SystemExit) as stopped:
            cli.main(["crosscheck", *arguments])
        assert stopped.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_what_can_be_listed_and_filled_in(capsys):
    status, out, _ = call(capsys, "--list")
    assert status == 0 and all(name in out for name in crosscheck.contracts())
    status, out, _ = call(capsys, "--template", "numpy", "--contract", "iwae_bound", "mis_kernel")
    assert status == 0
    write(out)
    status, out, _ = call(capsys, "mine.py")
    assert status == 0 and "2 not offered" in out and out.count("still to be written") == 2


def test_ctrl_c_ends_it_all():
    write("import os, time\n\ndef iwae_bound(log_w):\n    with open('pid', 'w') as file:\n"
          "        print(os.getpid(), file=file)\n    time.sleep(1000)\n")
    process = start("mine.py", start_new_session=True)
    deadline = time.monotonic() + 60
    while not (os.path.exists("pid") and Path("pid").read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(Path("pid").read_text())
    os.killpg(process.pid, signal.SIGINT)           # as a terminal does: to both
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == "\nrefdgm: interrupted.\n", err
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(child, 0)
            time.sleep(0.05)


def test_seeds_and_dtypes_reach_the_function(capsys):
    write(RIGHT.replace("bound(log_w):", "bound(log_w):\n    with open('seen', 'a') as f: "
                        "print(log_w.dtype, log_w.ravel()[0], file=f)"))
    seen = []
    for seed in ("0", "9"):
        call(capsys, "mine.py", "--contract", "iwae_bound=bound", "--dtype", "float32", "--seed", seed)
        seen.append(Path("seen").read_text().splitlines())
        os.remove("seen")
    assert {line.split()[0] for line in seen[0]} == {"float32"} and seen[0][0] != seen[1][0]
