"""A full disk, a folder that cannot be written, `kill -9`, two writers, a pickle: a sentence, and nothing is lost."""
import json
import os
import pickle
import random
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import refdgm
from refdgm import cli, datasets, files, reproduction, site, trees
from refdgm.experiments import mis_matrices, undirected_table
from refdgm.journal import Journal
from refdgm.learning import sbn_learning
from refdgm.runs import Cell

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and signals")
CLAIMS = ("ou2018.eq14", "ou2018.eq15", "ou2018.eq15.mono")
BARS = datasets.bars_and_stripes(2).train
OLD = b"what was there before"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(OLD)


@pytest.fixture
def run(capsys):
    """run("verify", "x") -> exit status, stdout, stderr."""
    def call(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()
    return call


@contextmanager
def full_disk(after):
    """No file can grow beyond `after` bytes: writing fails half way, as on a disk that is full."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fit(steps, checkpoint):
    return refdgm.fit(sbn_learning.rws(3, 4), BARS, steps, batch=3, every=5, checkpoint=checkpoint)


def test_any_settings_are_found_again():
    """As JSON has them: a tuple comes back as a list, and infinity as a word."""
    settings = {"sizes": (2, 3), "bound": np.inf}
    with closing(Journal("journal", settings)) as journal:
        journal.add(Cell("table", "one", 0), {"x": 1.0})
    with closing(Journal("journal", settings)) as journal:
        assert journal.done == {("table", "one", 0): {"x": 1.0}}


def test_a_number_is_no_path():
    """It would be a file that somebody has open, and would close."""
    with open("file", "rb") as other:
        for write in (lambda path: Journal(path, {}), lambda path: trees.save(path, {"x": BARS}), files.make_folder):
            with pytest.raises(ValueError, match="must be a path"):
                write(other.fileno())
        assert other.read() == OLD


# ---- a full disk, a folder that cannot be written -----------------------------------------

COMMANDS = {
    "verify --json": ["verify", CLAIMS[0], "--json"],
    "verify --resume": ["verify", CLAIMS[0], "--resume"],
    "crosscheck --json": ["crosscheck", "mine.py", "--dtype", "float64", "--json"],
    "bench --json": ["bench", "one", "--json"],
    "new": ["new"],
    "vectors": ["vectors", "--contract", "iwae_bound", "--"],
    "pages": ["pages"],
}


@pytest.fixture
def small_work(monkeypatch):
    """What takes long and is not about files is left out of `pages` and `bench`."""
    from refdgm import benchmark

    def write(folder, records, progress):
        with files.whole(folder / "page.html") as file:
            file.write(bytes(4000))
        yield "page.html", ""
    monkeypatch.setattr(site, "compute", lambda *rest: {})
    monkeypatch.setattr(site, "write", write)
    Path("mine.py").write_text("import numpy as np\n\n\ndef normalized_weights(log_w):\n"
                               "    return np.exp(log_w - np.logaddexp.reduce(log_w, axis=-1, keepdims=True))\n")
    monkeypatch.setattr(benchmark, "chosen", lambda names, quick: [])
    monkeypatch.setattr(benchmark, "result", lambda records, threads: {"all": "x" * 4000})


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_a_sentence(run, small_work, command):
    words, target = COMMANDS[command], "out.py" if command == "new" else "out"
    before = set(os.listdir())
    with full_disk(after=100):
        status, out, err = run(*words, target)
    assert status == 2 and err.count("\n") == 1 and "cannot be written: File too large" in err, err
    left = [path for path in Path().rglob("*") if path.is_file() and path.name not in before]
    assert [path.name for path in left] == (["out"] if command == "verify --resume" else []), "nothing half written"
    if command.startswith("verify --json"):
        assert "confirmed" in out or "1 claims" in out, "what was computed is said"
    assert run(*words, target)[0] == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("place", ["file/out.py", "no/such/out.py"])
def test_a_place_that_cannot_be_written_is_a_sentence(run, small_work, command, place):
    if command in ("vectors", "pages") and place.startswith("no"):
        place = "file/out"                  # they make the folders on the way
    status, _, err = run(*COMMANDS[command], place)
    assert status == 2 and err.count("\n") == 1 and ("cannot be written" in err or "cannot be made" in err), err
    assert Path("file").read_bytes() == OLD


def test_a_full_disk_leaves_what_was_there_before(run):
    assert run("verify", CLAIMS[0], "--json", "r.json")[0] == 0
    before = Path("r.json").read_bytes()
    with full_disk(after=100):
        assert run("verify", CLAIMS[1], "--json", "r.json")[0] == 2
    assert Path("r.json").read_bytes() == before and "r.json.part" not in os.listdir()


def test_a_full_disk_costs_a_journal_one_record(run):
    whole = Path("whole.jsonl")
    assert run("verify", *CLAIMS, "--resume", whole)[0] == 0
    lines = whole.read_bytes().splitlines(keepends=True)
    for room in range(len(lines[0]), whole.stat().st_size, 111):
        Path("r.jsonl").unlink(missing_ok=True)
        with full_disk(after=room):
            status, _, err = run("verify", *CLAIMS, "--resume", "r.jsonl")
        assert status == 2 and "what it holds so far can be resumed" in err
        kept = Path("r.jsonl").read_bytes()
        assert kept.endswith(b"\n") and len(kept) <= room, "what was half written is taken back"
    assert run("verify", *CLAIMS, "--resume", "r.jsonl", "--json", "r.json")[0] == 0
    assert Path("r.jsonl").read_bytes().startswith(kept)


def test_a_full_disk_costs_a_fit_what_follows_its_checkpoint():
    fit(10, "run.npz")
    before = Path("run.npz").read_bytes()
    with full_disk(after=1000), pytest.raises(ValueError, match="run.npz cannot be written: File too large"):
        fit(20, "run.npz")
    assert Path("run.npz").read_bytes() == before and not list(Path().glob("run.npz.*"))
    parts = zip(trees.leaves(fit(20, "run.npz").parameters), trees.leaves(fit(20, None).parameters))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in parts)


def test_a_full_disk_leaves_pictures_and_keeps_runs(tmp_path):
    kept = {path: path.read_bytes() for path in reproduction.make(mis_matrices, tmp_path / "out", quick=True)}
    with full_disk(after=100), pytest.raises(ValueError, match="cannot be written: File too large"):
        reproduction.make(mis_matrices, tmp_path / "out", quick=True, seed=1)
    assert {path: path.read_bytes() for path in kept} == kept
    reproduction.make(undirected_table, tmp_path / "whole", quick=True)         # Numba writes what it has compiled
    with full_disk(after=1500), pytest.raises(ValueError, match="what it holds so far can be resumed"):
        reproduction.make(undirected_table, tmp_path / "table", quick=True)
    journal, = (tmp_path / "table").iterdir()
    begun = journal.read_bytes()
    reproduction.make(undirected_table, tmp_path / "table", quick=True)
    assert begun.count(b"\n") > 1 and journal.read_bytes().startswith(begun)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_device_that_is_full(run):
    status, _, err = run("verify", CLAIMS[0], "--json", "/dev/full")
    assert status == 2 and "/dev/full cannot be written: No space left on device" in err
    assert not os.path.isfile("/dev/full") and not os.path.exists("/dev/full.part")
    assert "/dev/full is no file" in run("verify", CLAIMS[0], "--resume", "/dev/full")[2]
    with open("/dev/full", "w") as full:
        for words in (["list"], ["verify", CLAIMS[0]]):
            done = subprocess.run([sys.executable, "-m", "refdgm", *words], stdout=full, stderr=subprocess.PIPE,
                                  text=True)
            assert done.returncode == 2
            assert done.stderr == "refdgm: what is printed cannot be written: No space left on device.\n"


def test_a_link_and_a_pipe_stay_what_they_are(run):
    os.symlink("target.json", "link.json")
    assert run("verify", CLAIMS[0], "--json", "link.json")[0] == 0
    assert os.path.islink("link.json") and json.loads(Path("target.json").read_text())["claims"]
    done = subprocess.run([sys.executable, "-m", "refdgm", "verify", CLAIMS[0], "--json", "/dev/stderr"],
                          capture_output=True, text=True)
    assert json.loads(done.stderr)["claims"] and done.returncode == 0


# ---- kill -9 -----------------------------------------------------------------------------

class Number(NamedTuple):
    n: int


APPEND = """
import sys
from typing import NamedTuple
from refdgm.journal import Journal


class Number(NamedTuple):
    n: int


journal = Journal(sys.argv[1], {"of": "numbers"})
print("begun", flush=True)
for n in range(300):
    if (n,) not in journal.done:
        journal.add(Number(n), {"squares": [n * n] * 2000})
"""

LEARN = """
import sys
from refdgm import datasets, fit
from refdgm.learning import sbn_learning
print("begun", flush=True)
fit(sbn_learning.rws(3, 4), datasets.bars_and_stripes(2).train, 300, batch=3, every=1, checkpoint=sys.argv[1])
"""


def killed(after, *arguments):
    """Whether a process ended by itself within `after` seconds of its first line of output; else it is killed."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        process.stdout.readline()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait() == 0


def killed_until_done(name, script, readable):
    """The bytes that a script leaves which is killed, at random moments, until it has come to its end."""
    chance, patience, kills = random.Random(0), 0.05, 0
    while not killed(chance.uniform(0, patience), "-c", script, name):
        kills += 1
        patience *= 1.4                     # so that it ends on a busy machine, too
        readable(name)
    assert kills >= 5
    return Path(name).read_bytes()


def test_a_journal_outlives_kills():
    def readable(name):
        journal = Journal(name, {"of": "numbers"})
        journal.close()
        assert list(journal.done) == [(n,) for n in range(len(journal.done))]
    assert killed(600, "-c", APPEND, "whole.jsonl")
    assert killed_until_done("r.jsonl", APPEND, readable) == Path("whole.jsonl").read_bytes()


def test_a_checkpoint_outlives_kills():
    def readable(name):
        if os.path.exists(name):
            with np.load(name, allow_pickle=False) as file:
                assert 0 <= int(file["step"]) <= 300 and all(np.all(np.isfinite(file[part])) for part in file)
    assert killed(600, "-c", LEARN, "whole.npz")
    assert killed_until_done("run.npz", LEARN, readable) == Path("whole.npz").read_bytes()


VERIFY = """
print("begun", flush=True)
from refdgm import cli
raise SystemExit(cli.main())
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_verify_outlives_kills(jobs):
    words = ["-c", VERIFY, "verify", "ou2018.eq14", "kl_chain_rule", "bachman2015.eq14", "--instances", "300"]
    assert killed(600, *words, "--json", "whole.json")
    chance = random.Random(1)
    for _ in range(2):
        killed(chance.uniform(0.5, 3.0), *words, "--resume", "r.jsonl", "--jobs", jobs)
    assert killed(600, *words, "--resume", "r.jsonl", "--jobs", jobs, "--json", "r.json")
    assert results("r.json") == results("whole.json")


def results(name):
    """Everything that a JSON file says but the seconds."""
    def without(value):
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items() if key != "seconds"}
        return [without(item) for item in value] if isinstance(value, list) else value
    return json.dumps(without(json.loads(Path(name).read_text())))


def test_a_journal_can_be_cut_anywhere():
    journal = Journal("whole.jsonl", {"of": "numbers"})
    for n in range(3):
        journal.add(Number(n), {"square": n * n})
    journal.close()
    whole = Path("whole.jsonl").read_bytes()
    for cut in range(len(whole)):
        Path("r.jsonl").write_bytes(whole[:cut])
        journal = Journal("r.jsonl", {"of": "numbers"})
        for n in range(3):
            if (n,) not in journal.done:
                journal.add(Number(n), {"square": n * n})
        journal.close()
        assert Path("r.jsonl").read_bytes() == whole, cut


# ---- two writers, a pickle ---------------------------------------------------------------

HOLD = """
import sys
from refdgm.journal import Journal
journal = Journal(sys.argv[1], {"of": "numbers"})
print("begun", flush=True)
sys.stdin.read()
"""


def test_a_journal_has_one_writer(run):
    with subprocess.Popen([sys.executable, "-c", HOLD, "r.jsonl"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        before = Path("r.jsonl").read_bytes()
        status, _, err = run("verify", CLAIMS[0], "--resume", "r.jsonl")
        assert status == 2 and err == ("refdgm: r.jsonl is being written by another process; wait for it, or give "
                                       "another file.\n")
        assert Path("r.jsonl").read_bytes() == before
        other.kill()
    Journal("r.jsonl", {"of": "numbers"}).close()                # the lock has ended with its process


class Bomb:
    """Unpickled, it leaves a file."""

    def __reduce__(self):
        return open, ("exploded", "w")


def test_loading_never_unpickles(run):
    fit(5, "run.npz")
    with np.load("run.npz") as file:
        parts = dict(file)
    np.savez("run.npz", **{**parts, "step": np.array([Bomb()], dtype=object)})
    np.savez("data.npz", train=np.array([[Bomb()]], dtype=object))
    np.save("data.npy", np.array([[Bomb()]], dtype=object))
    Path("raw.npz").write_bytes(pickle.dumps(Bomb()))
    Path("raw.jsonl").write_bytes(pickle.dumps(Bomb()) + b"\n")
    for load, name in [(lambda name: fit(9, name), "run.npz"), (lambda name: fit(9, name), "raw.npz"),
                       (datasets.load, "data.npz"), (datasets.load, "data.npy"), (datasets.load, "raw.npz")]:
        with pytest.raises(ValueError, match=name):
            load(name)
    status, _, err = run("verify", CLAIMS[0], "--resume", "raw.jsonl")
    assert status == 2 and "raw.jsonl, line 1, is not JSON" in err
    assert not os.path.exists("exploded")
    pickle.loads(Path("raw.jsonl").read_bytes()).close()
    assert os.path.exists("exploded"), "the bomb is one"


@pytest.mark.parametrize("line", ["5", "[1]", '"word"', '{"n": 1}', '{"n": [1], "record": 2}', "null"])
def test_a_line_that_is_no_record_is_a_sentence(line):
    Path("r.jsonl").write_text('{"of": "numbers"}\n' + line + "\n")
    with pytest.raises(ValueError, match="r.jsonl has a line without a record"):
        Journal("r.jsonl", {"of": "numbers"})
