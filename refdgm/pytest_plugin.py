"""The pytest plugin: the fixture `conforms`, the option --refdgm-seed, and a list of the conventions that were met.

    def test_iwae(conforms):
        conforms("iwae_bound", my_bound)

Nothing of refdgm is loaded before a test asks for the fixture.
"""
import pytest

MET = "refdgm_convention"


def pytest_addoption(parser):
    parser.getgroup("refdgm").addoption("--refdgm-seed", type=int, default=0, metavar="S",
                                        help="seed of the first instance of `conforms` (default 0)")


@pytest.fixture
def conforms(request):
    """refdgm.testing.conforms with the seed of --refdgm-seed; a convention that is met is listed after the run."""
    from refdgm import testing

    def call(name, function, framework=None, dtypes=("float64", "float32"), seed=None, conventions=True):
        __tracebackhide__ = True
        seed = request.config.getoption("--refdgm-seed") if seed is None else seed
        record = testing.held(name, function, framework, dtypes, seed, conventions)
        if record["matches"]:
            request.node.user_properties.append((MET, f"{name}: {record['matches']} ({record['advice']})"))
    return call


def pytest_terminal_summary(terminalreporter):
    met = [f"{report.nodeid}  {words}" for report in terminalreporter.getreports("passed")
           for name, words in report.user_properties if name == MET]
    if met:
        terminalreporter.section("right by a convention other than refdgm's")
        for line in met:
            terminalreporter.write_line(line)
