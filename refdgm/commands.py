"""The commands about others' code, reading, practice and speed: each a function of the parsed arguments -> exit status.

As in refdgm.claim_commands, nothing heavy is imported before a command needs it, and bad input is a ValueError.
"""
import os
import sys

from refdgm import console


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
        console.writable(arguments.json)
    records, names = [], arguments.contract
    for record in crosscheck.crosscheck(arguments.target, names, arguments.framework, arguments.dtype, arguments.seed,
                                        arguments.seconds):
        records.append(record)
        print(crosscheck_report.text(record), flush=True)
    print("\n" + crosscheck_report.summary(records))
    if arguments.json:
        console.write(arguments.json, crosscheck.result(records))
    return 1 if crosscheck.fell_short(records) else 0


def pages(arguments):
    from refdgm import site, verification
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    made = site.build(arguments.folder, seeds, arguments.jobs, console.progress)
    console.progress()
    print(f"{arguments.folder}/index.html: {made['pages']} pages, {made['formulas']} formulas, {made['lines']} lines, "
          "each with its number.")
    return 0


def vectors(arguments):
    from refdgm import vectors
    index = vectors.write(arguments.folder, arguments.contract, console.progress)
    console.progress()
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
        console.writable(arguments.json)
    records, interrupted = [], False
    print(benchmark.machine_text(threads))
    try:
        for n, case in enumerate(chosen):
            console.progress(n, len(chosen), case.name)
            records.append(benchmark.measure(case, threads, 3 if arguments.quick else arguments.repeats))
            console.progress()
            print("\n" + benchmark.text(records[-1]), flush=True)
    except KeyboardInterrupt:
        interrupted = True
        console.progress()
        print(f"\nrefdgm: interrupted after {len(records)} of {len(chosen)} cases.", file=sys.stderr)
    if arguments.json:
        console.write(arguments.json, benchmark.result(records, threads))
    return 130 if interrupted else benchmark.fell_short(records)


def doctor(arguments):
    from refdgm import doctor
    return doctor.examine()
