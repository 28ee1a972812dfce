"""What each command of `refdgm` does: a function of the parsed arguments -> exit status.

Nothing heavy is imported before a command needs it. Bad input is a ValueError; `refdgm.cli` prints its sentence.
"""
import os
import sys
import time
from contextlib import nullcontext

import refdgm


def verify(arguments):
    from refdgm import backend, report, verification
    begun = time.perf_counter()
    with backend.use(arguments.backend):        # whether it can be used is said at once
        pass
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    if arguments.json:
        _writable(arguments.json)
    tasks, records, document = verification.resolve(arguments.targets), [], None
    try:
        with (verification.kept(arguments.resume, seeds, arguments.backend) if arguments.resume
              else nullcontext()) as journal:
            for task, record in verification.run(tasks, seeds, arguments.jobs, journal=journal, tell=_progress,
                                                 backend=arguments.backend):
                records.append((task, record))
                heading = task.file or (task.kind == "derivation" and "derivations") or task.id.split(".")[0]
                _progress()
                if heading != document:
                    print(("\n" if document else "") + heading)
                    document = heading
                print(report.verdict_line(task, record), flush=True)
    except KeyboardInterrupt:
        _progress()
        kept = f"`--resume {arguments.resume}` goes on" if arguments.resume else "--resume FILE would keep them"
        print(f"\nrefdgm: interrupted after {len(records)} of {len(tasks)}; {kept}.", file=sys.stderr)
        return 130
    seconds = time.perf_counter() - begun
    summary = verification.summary(records)
    print("\n" + report.summary_text(summary, seconds, arguments.seed, arguments.instances))
    if arguments.json:
        _write(arguments.json, {
            "version": refdgm.__version__, "seed": arguments.seed, "instances": arguments.instances,
            "backend": arguments.backend, "seconds": seconds, "summary": summary,
            "claims": [r for task, r in records if task.kind == "claim"],
            "derivations": [r for task, r in records if task.kind == "derivation"]})
    return 1 if verification.fell_short(records) else 0


def show(arguments):
    from refdgm import ledger, report, verdicts, verification
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
            entry = verdicts.words_of(claim) if claim else ledger.entries()[task.id]
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
    from refdgm import falsification, instances, journal, ledger, report, verification
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
        shown = instances.show(attacks[0].case, indent="") if attacks and attacks[0].found else ""
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
    from refdgm import falsification, instances, report, verification
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
            print(report.attack_text(task.id, attack, expected, instances.show(attack.case)), flush=True)
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
    from refdgm import files
    if not arguments.file.endswith(".py"):
        raise ValueError(f"the template is a Python file: give a name that ends in .py, not {arguments.file!r}.")
    if os.path.exists(arguments.file):
        raise ValueError(f"{arguments.file} exists; give another name (nothing was written).")
    with open(os.path.join(os.path.dirname(__file__), "template.py"), encoding="utf-8") as file:
        text = file.read()
    with files.whole(arguments.file) as file:
        file.write(text.encode())
    print(f"wrote {arguments.file}; `refdgm verify {arguments.file}` runs it.")
    return 0


def bench(arguments):
    from refdgm import benchmark
    chosen = benchmark.chosen(arguments.names, arguments.quick)
    if arguments.list:
        print(benchmark.list_text(chosen))
        return 0
    chosen = chosen if arguments.names else benchmark.runnable(chosen)
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


def _known_document(name):
    from refdgm import ledger
    if name is not None and name not in ledger.documents():
        raise ValueError(f"there is no document {name!r}; the documents are {', '.join(ledger.documents())}.")


def _writable(path):
    """Complain now, not after the work; a file that was not there is not left behind."""
    new = not os.path.exists(path)
    try:
        with open(path, "a", encoding="utf-8"):
            pass
        if new:
            os.unlink(os.path.realpath(path))           # a link to a file that is not there yet stays
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
