"""The commands about claims and derivations: each a function of the parsed arguments -> exit status.

Nothing heavy is imported before a command needs it. Bad input is a ValueError; `refdgm.cli` prints its sentence.
"""
import sys
import time
from contextlib import nullcontext

import refdgm
from refdgm import console


def verify(arguments):
    from refdgm import backend, report, verification
    begun = time.perf_counter()
    with backend.use(arguments.backend):        # whether it can be used is said at once
        pass
    seeds = verification.seeds_from(arguments.seed, arguments.instances)
    if arguments.json:
        console.writable(arguments.json)
    tasks, records = verification.resolve(arguments.targets), []
    try:
        with (verification.kept(arguments.resume, seeds, arguments.backend) if arguments.resume
              else nullcontext()) as journal:
            for pair in _under_headings(verification.run(tasks, seeds, arguments.jobs, journal=journal,
                                                         tell=console.progress, backend=arguments.backend)):
                records.append(pair)
                print(report.verdict_line(*pair), flush=True)
    except KeyboardInterrupt:
        console.progress()
        kept = f"`--resume {arguments.resume}` goes on" if arguments.resume else "--resume FILE would keep them"
        print(f"\nrefdgm: interrupted after {len(records)} of {len(tasks)}; {kept}.", file=sys.stderr)
        return 130
    seconds = time.perf_counter() - begun
    summary = verification.summary(records)
    print("\n" + report.summary_text(summary, seconds, arguments.seed, arguments.instances))
    if arguments.json:
        console.write(arguments.json, {
            "version": refdgm.__version__, "seed": arguments.seed, "instances": arguments.instances,
            "backend": arguments.backend, "seconds": seconds, "summary": summary,
            "claims": [r for task, r in records if task.kind == "claim"],
            "derivations": [r for task, r in records if task.kind == "derivation"]})
    return 1 if verification.fell_short(records) else 0


def _under_headings(pairs):
    """The (task, record) pairs; before the first of a document, of a file or of the derivations, print its name."""
    document = None
    for task, record in pairs:
        console.progress()
        heading = task.file or (task.kind == "derivation" and "derivations") or task.id.split(".")[0]
        if heading != document:
            print(("\n" if document else "") + heading)
            document = heading
        yield task, record


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
        console.progress(n, len(wrong), entry.id)
        task = verification.Task("claim", entry.id)
        records.append((task, verification.perform(task, seeds)))
        claim = ledger.claims().get(entry.id)
        attacks = [falsification.attack(form, formula, check, starts=4, seed=arguments.seed, seconds=5.0)
                   for form, formula, check, expected in (falsification.forms(claim) if claim else ()) if expected]
        shown = instances.show(attacks[0].case, indent="") if attacks and attacks[0].found else ""
        found.append(report.erratum(entry, records[-1][1], shown))
    console.progress()
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
        console.progress(n, len(tasks), task.id)
        claim = verification.of_task(task)[0].get(task.id)
        console.progress()
        if claim is None or not list(falsification.forms(claim)):
            print(f"{task.id}: {'no number can settle it' if claim is None else 'an identity'}; nothing to attack.")
            continue
        for form, formula, check, expected in falsification.forms(claim):
            attack = falsification.attack(form, formula, check, arguments.starts, arguments.seed)
            fell_short |= expected is not None and attack.found != expected
            print(report.attack_text(task.id, attack, expected, instances.show(attack.case)), flush=True)
    return 1 if fell_short else 0


def _known_document(name):
    from refdgm import ledger
    if name is not None and name not in ledger.documents():
        raise ValueError(f"there is no document {name!r}; the documents are {', '.join(ledger.documents())}.")
