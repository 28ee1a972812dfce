"""The command `refdgm`. Exit status: 0 as recorded, 1 something fell short, 2 usage or bad input (one line on stderr).

Nothing heavy is imported before a command needs it: `refdgm --help` and `refdgm list` load no NumPy.
"""
import argparse
import os
import sys
import time

import refdgm


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"refdgm: {message} (see `{self.prog} --help`)\n")


def parser():
    """The argument parser: one subcommand a job."""
    top = _Parser(prog="refdgm", description="The mathematics of deep generative models, executed and checked.",
                  epilog="exit status: 0 as recorded, 1 something fell short, 2 usage or bad input")
    top.add_argument("--version", action="version", version=f"refdgm {refdgm.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, run, says, **options):
        sub = commands.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".", **options)
        sub.set_defaults(run=run)
        return sub

    def instances(sub):
        sub.add_argument("--instances", type=_positive, default=4, metavar="N",
                         help="random models per claim (default 4)")
        sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first instance (default 0)")

    sub = command("verify", verify, "check claims and derivations, ours or those of your own file")
    sub.add_argument("targets", nargs="*", metavar="TARGET",
                     help="an id, a document, a derivation, or FILE.py (default: everything)")
    instances(sub)
    sub.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes (default 1)")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")
    sub.add_argument("--resume", metavar="FILE",
                     help="append each result to FILE, and skip what an earlier run left there")

    sub = command("show", show, "show one claim, or walk down one derivation, with its numbers")
    sub.add_argument("name", metavar="ID|DERIVATION")
    sub.add_argument("--walk", action="store_true", help="step down a derivation, a key at a time")
    instances(sub)

    sub = command("list", list_, "list the claims of a document, or the derivations")
    sub.add_argument("document", nargs="?", metavar="DOCUMENT|derivations")

    sub = command("errata", errata, "list what is misprinted, false or lacks a condition, with the numbers")
    sub.add_argument("document", nargs="?", metavar="DOCUMENT")
    sub.add_argument("--format", choices=("text", "md", "json"), default="text")
    instances(sub)

    sub = command("falsify", falsify, "attack claims: search for counter-examples, and shrink what is found")
    sub.add_argument("targets", nargs="+", metavar="TARGET", help="an id, a document, or FILE.py")
    sub.add_argument("--starts", type=_positive, default=16, metavar="N",
                     help="random starts of each search (default 16)")
    sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first start (default 0)")

    sub = command("crosscheck", crosscheck, "hold your own implementation against the reference, and name its mistake")
    sub.add_argument("target", nargs="?", metavar="TARGET", help="FILE.py or an importable module, with functions that "
                     "bear the names of contracts; NumPy, PyTorch or JAX")
    sub.add_argument("--contract", nargs="+", default=[], metavar="NAME", help="only these; NAME=FUNCTION where the "
                     "function has another name")
    sub.add_argument("--list", action="store_true", help="list the contracts")
    sub.add_argument("--template", choices=("torch", "jax", "numpy"), help="print a file to fill in")
    sub.add_argument("--framework", choices=("torch", "jax", "numpy"), help="default: what each function uses")
    sub.add_argument("--dtype", nargs="+", default=["float64", "float32"], choices=("float64", "float32", "bfloat16"),
                     help="default: float64 float32")
    sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first instance (default 0)")
    sub.add_argument("--seconds", type=_positive, default=60, metavar="N", help="limit of one contract (default 60)")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")

    sub = command("pages", pages, "write the site: derivations, ledger and errata, with the numbers of this run")
    sub.add_argument("folder", metavar="DIR", help="a new folder, or that of an older site")
    sub.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes (default 1)")
    instances(sub)

    sub = command("vectors", vectors, "write test vectors in JSON for implementations in other languages")
    sub.add_argument("folder", metavar="DIR", help="where: schema.json, index.json and a file for each contract")
    sub.add_argument("--contract", nargs="+", default=[], metavar="NAME", help="only these")

    sub = command("exercise", exercise, "ask for a formula, or for a derivation's wrong lines, and look at the answer")
    sub.add_argument("name", metavar="ID|DERIVATION")
    sub.add_argument("file", nargs="?", metavar="FILE.py", help="the answer; without it, the exercise is printed")

    sub = command("new", new, "write a commented template for a derivation of your own")
    sub.add_argument("file", metavar="FILE.py")

    sub = command("bench", bench, "time refdgm beside other libraries and beside what is possible")
    sub.add_argument("names", nargs="*", metavar="NAME", help="a case, or the beginning of some (default: all)")
    sub.add_argument("--list", action="store_true", help="only list the cases")
    sub.add_argument("--repeats", type=_positive, default=11, metavar="N", help="rounds; medians count (default 11)")
    sub.add_argument("--threads", type=_positive, metavar="N", help="threads of each library (default: all processors)")
    sub.add_argument("--quick", action="store_true", help="only the small cases, in 3 rounds")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")

    command("doctor", doctor, "say what is installed and whether it works")
    return top


def main(argv=None):
    """Run the command line -> exit status."""
    arguments = parser().parse_args(argv)
    # The matrices are small: threads of BLAS cost more than they bring, most of all beside --jobs or other programs.
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        return arguments.run(arguments)
    except ValueError as error:
        print(f"refdgm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefdgm: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:             # the reader has gone, as in `refdgm list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def verify(arguments):
    from refdgm import report, verification
    begun = time.perf_counter()
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    if arguments.json:
        _writable(arguments.json)
    tasks = verification.resolve(arguments.targets)
    journal = _journal(arguments) if arguments.resume else None
    done = journal.done if journal else {}
    records, document = [], None
    fresh = verification.run([task for task in tasks if task not in done], seeds, arguments.jobs)
    try:
        for task in tasks:
            _progress(len(records), len(tasks), task.id)
            if task in done:
                record = done[task]
            else:
                _, record = next(fresh)
                if journal:
                    journal.add(task, record)
            records.append((task, record))
            heading = task.file or (task.kind == "derivation" and "derivations") or task.id.split(".")[0]
            _progress()
            if heading != document:
                print(("\n" if document else "") + heading)
                document = heading
            print(report.verdict_line(task, record), flush=True)
    except KeyboardInterrupt:
        _progress()
        kept = f"; `--resume {arguments.resume}` goes on from here" if journal else "; --resume FILE would keep them"
        print(f"\nrefdgm: interrupted after {len(records)} of {len(tasks)}{kept}.", file=sys.stderr)
        return 130
    finally:
        if journal:
            journal.close()
    seconds = time.perf_counter() - begun
    summary = verification.summary(records)
    print("\n" + report.summary_text(summary, seconds, arguments.seed, arguments.instances))
    if arguments.json:
        _write(arguments.json, {
            "version": refdgm.__version__, "seed": arguments.seed, "instances": arguments.instances, "seconds": seconds,
            "summary": summary, "claims": [r for task, r in records if task.kind == "claim"],
            "derivations": [r for task, r in records if task.kind == "derivation"]})
    return 1 if verification.fell_short(records) else 0


def show(arguments):
    from refdgm import ledger, report, verification
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    tasks = verification.resolve([arguments.name])
    if arguments.name in ledger.documents():
        raise ValueError(f"{arguments.name} is a document; `refdgm list {arguments.name}` lists its claims.")
    if arguments.walk:
        return _walk(tasks, arguments.seed)
    records = [(task, verification.perform(task, seeds)) for task in tasks]
    pages = []
    for task, record in records:
        if task.kind == "derivation":
            known = verification.of_task(task)[1]
            pages.append(report.derivation_text(known[task.id], record))
        else:
            claim = verification.of_task(task)[0].get(task.id)
            entry = ledger.entries().get(task.id) or verification.words_of(claim)
            pages.append(report.claim_text(entry, record, verification.used_in(task.id)))
    print("\n\n".join(pages))
    return 1 if verification.fell_short(records) else 0


def _walk(tasks, seed):
    from refdgm import verification, walk
    for task in tasks:
        if task.kind != "derivation":
            raise ValueError(f"{task.id} is a claim; --walk is for derivations (`refdgm list derivations`).")
        walk.walk(verification.of_task(task)[1][task.id], seed)
    return 0


def list_(arguments):
    from refdgm import ledger, report
    if arguments.document == "derivations":
        for derivation in ledger.derivations().values():
            print(f"{derivation.name:44s} {derivation.title}")
        return 0
    _known_document(arguments.document)
    print(report.list_text([e for e in ledger.entries().values() if arguments.document in (None, e.document)]))
    return 0


def errata(arguments):
    from refdgm import falsification, journal, ledger, report, verification
    _known_document(arguments.document)
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    wrong = [e for e in ledger.entries().values()
             if e.verdict in ("misprint", "false", "holds-if") and arguments.document in (None, e.document)]
    records, found = [], []
    for n, entry in enumerate(wrong):
        _progress(n, len(wrong), entry.id)
        task = verification.Task("claim", entry.id)
        records.append((task, verification.perform(task, seeds)))
        claim = ledger.claims().get(entry.id)
        attacks = [falsification.attack(form, formula, check, starts=4, seed=arguments.seed, seconds=5.0)
                   for form, formula, check, expected in (falsification.forms(claim) if claim else ()) if expected]
        shown = falsification.show(attacks[0].case, indent="") if attacks and attacks[0].found else ""
        found.append(report.erratum(entry, records[-1][1], shown))
    _progress()
    found.sort(key=lambda e: (list(ledger.documents()).index(e["id"].split(".")[0]),
                              ledger.SEVERITIES.index(e["severity"])))
    if arguments.format == "json":
        print(journal.dumps({"version": refdgm.__version__, "seed": arguments.seed, "instances": arguments.instances,
                             "errata": found}, indent=1))
    else:
        print(report.errata_markdown(found) if arguments.format == "md" else report.errata_text(found))
    return 1 if verification.fell_short(records) else 0


def falsify(arguments):
    from refdgm import falsification, report, verification
    fell_short, tasks = False, [t for t in verification.resolve(arguments.targets) if t.kind == "claim"]
    for n, task in enumerate(tasks):
        _progress(n, len(tasks), task.id)
        claim = verification.of_task(task)[0].get(task.id)
        _progress()
        if claim is None or not list(falsification.forms(claim)):
            print(f"{task.id}: {'no number can settle it' if claim is None else 'an identity'}; nothing to attack.")
            continue
        for form, formula, check, expected in falsification.forms(claim):
            attack = falsification.attack(form, formula, check, arguments.starts, arguments.seed)
            fell_short |= expected is not None and attack.found != expected
            print(report.attack_text(task.id, attack, expected, falsification.show(attack.case)), flush=True)
    return 1 if fell_short else 0


def crosscheck(arguments):
    from refdgm import crosscheck, crosscheck_report
    if arguments.list or arguments.template:
        chosen = {name: crosscheck.named(name) for name in crosscheck.wanted(arguments.contract)}
        print(crosscheck.template(chosen, arguments.template) if arguments.template else
              crosscheck_report.list_text(chosen), end="" if arguments.template else "\n")
        return 0
    if arguments.target is None:
        raise ValueError("crosscheck needs a TARGET, FILE.py or a module (or --list, or --template torch|jax|numpy).")
    if arguments.json:
        _writable(arguments.json)
    records, names = [], arguments.contract
    for record in crosscheck.crosscheck(arguments.target, names, arguments.framework, arguments.dtype, arguments.seed,
                                        arguments.seconds):
        records.append(record)
        print(crosscheck_report.text(record), flush=True)
    print("\n" + crosscheck_report.summary(records))
    if arguments.json:
        _write(arguments.json, crosscheck.result(records))
    return 1 if crosscheck.fell_short(records) else 0


def pages(arguments):
    from refdgm import site, verification
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    made = site.build(arguments.folder, seeds, arguments.jobs, _progress)
    _progress()
    print(f"{arguments.folder}/index.html: {made['pages']} pages, {made['formulas']} formulas, {made['lines']} lines, "
          "each with its number.")
    return 0


def vectors(arguments):
    from refdgm import vectors
    index = vectors.write(arguments.folder, arguments.contract, _progress)
    _progress()
    counts = {kind: sum(row[kind] for row in index["files"]) for kind in ("valid", "invalid", "acceptable")}
    print(f"{arguments.folder}: {len(index['files'])} contracts, {counts['valid']} valid tests, {counts['invalid']} "
          f"invalid on purpose, {counts['acceptable']} by a convention; schema.json says how to read them.")
    return 0


def exercise(arguments):
    from refdgm import exercise
    if arguments.file is None:
        print(exercise.task(arguments.name))
        return 0
    right, said = exercise.look(arguments.name, arguments.file)
    print(said)
    return 0 if right else 1


def new(arguments):
    if not arguments.file.endswith(".py"):
        raise ValueError(f"the template is a Python file: give a name that ends in .py, not {arguments.file!r}.")
    if os.path.exists(arguments.file):
        raise ValueError(f"{arguments.file} exists; give another name (nothing was written).")
    with open(os.path.join(os.path.dirname(__file__), "template.py"), encoding="utf-8") as file:
        text = file.read()
    try:
        with open(arguments.file, "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ValueError(f"{arguments.file} cannot be written: {error.strerror}.") from error
    print(f"wrote {arguments.file}; `refdgm verify {arguments.file}` runs it.")
    return 0


def bench(arguments):
    from refdgm import benchmark
    chosen = benchmark.chosen(arguments.names, arguments.quick)
    if arguments.list:
        print(benchmark.list_text(chosen))
        return 0
    threads = benchmark.threads(arguments.threads)
    if arguments.json:
        _writable(arguments.json)
    records, interrupted = [], False
    print(benchmark.machine_text(threads))
    try:
        for n, case in enumerate(chosen):
            _progress(n, len(chosen), case.name)
            records.append(benchmark.measure(case, threads, 3 if arguments.quick else arguments.repeats))
            _progress()
            print("\n" + benchmark.text(records[-1]), flush=True)
    except KeyboardInterrupt:
        interrupted = True
        _progress()
        print(f"\nrefdgm: interrupted after {len(records)} of {len(chosen)} cases.", file=sys.stderr)
    if arguments.json:
        _write(arguments.json, benchmark.result(records, threads))
    return 130 if interrupted else benchmark.fell_short(records)


def doctor(arguments):
    from refdgm import doctor
    return doctor.examine()


# ---- small things the commands share ----------------------------------------------------

def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _seed(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, not {text!r}")
    return int(text)


def _known_document(name):
    from refdgm import ledger
    if name is not None and name not in ledger.documents():
        raise ValueError(f"there is no document {name!r}; the documents are {', '.join(ledger.documents())}.")


def _journal(arguments):
    from refdgm.journal import Journal
    return Journal(arguments.resume, {"version": refdgm.__version__, "seed": arguments.seed,
                                      "instances": arguments.instances})


def _writable(path):
    """Complain now, not after the work; a file that was not there is not left behind."""
    new = not os.path.exists(path)
    try:
        with open(path, "a", encoding="utf-8"):
            pass
        if new:
            os.unlink(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error


def _write(path, value):
    from refdgm import files, journal
    with files.whole(path, half=".part") as file:       # a reader sees the old file or the new one, never half of it
        file.write((journal.dumps(value, indent=1) + "\n").encode())


def _progress(done=0, total=0, what=""):
    """A bar on a terminal's stderr, nothing in a pipe; without arguments it wipes the bar."""
    if sys.stderr.isatty():
        filled = 30 * done // total if total else 0
        bar = f"[{'#' * filled}{' ' * (30 - filled)}] {done}/{total} {what[:40]}" if total else ""
        print(f"\r\x1b[K{bar}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
