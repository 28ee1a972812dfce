"""In your own tests: hold a function against a contract of refdgm, as numpy.testing holds arrays against each other.

    from refdgm.testing import conforms

    def test_iwae():
        conforms("iwae_bound", my_bound)

`refdgm crosscheck --list` shows the contracts. The pytest plugin brings the same as a fixture, which takes the seed
from the command line and lists the conventions that were met.
"""
from refdgm import contract, crosscheck, crosscheck_report, frameworks
from refdgm import validation as valid


def conforms(name, function, framework=None, dtypes=("float64", "float32"), seed=0, conventions=True):
    """Raise AssertionError unless `function` does what the contract `name` says.

    framework: "numpy", "torch", "jax", or None for what the function uses. conventions: whether a known convention
    other than the reference's is accepted. The message says what deviates, which known mistake it is and what to
    change, and has the smallest input that shows it with both values.
    """
    __tracebackhide__ = True            # a test that fails is shown at its own line
    held(name, function, framework, dtypes, seed, conventions)


def held(name, function, framework=None, dtypes=("float64", "float32"), seed=0, conventions=True):
    """As `conforms`, and returns the record that `refdgm crosscheck --json` has of it."""
    __tracebackhide__ = True
    item = crosscheck.named(name)
    valid.require(callable(function), f"{name} is to be held against a function, not {function!r}.")
    if framework is None:
        framework = frameworks.of_function(function)
    seeds = range(seed, seed + len(contract.SEEDS))
    record = contract.examine(item, function, framework, dtypes, seeds)
    if record["status"] != "conforms" or (record["matches"] and not conventions):
        raise AssertionError(message(item, function, record)) from cause(item, function, record)
    return record


def message(item, function, record):
    """What is wrong, in the words of `refdgm crosscheck`."""
    called = getattr(function, "__name__", type(function).__name__)
    if record["status"] == "conforms":
        said = f"conforms to {item.name} only by a convention: {record['matches']} ({record['advice']})"
    else:
        known = f": {record['matches']}" if record["matches"] else ""
        said = f"{record['status'].replace('error', 'does not run')} as {item.name}{known}"
    due = f"{item.says} ({item.where}) -> {item.returns}"
    return "\n".join([f"{called} {said}", crosscheck_report.wrapped("due", due), *crosscheck_report.rows(record)])


def cause(item, function, record):
    """The exception that the function itself raised, with its own frames alone; None where it raised none."""
    if record["status"] != "error" or record["input"] is None:
        return None
    subject = contract.Subject(function, frameworks.named(record["framework"]))
    try:
        subject.call(item, record["input"], record["dtype"])
    except Exception as failure:
        trace = failure.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__", "").split(".")[0] == "refdgm":
            trace = trace.tb_next
        return failure.with_traceback(trace)
    return None
