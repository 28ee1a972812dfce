"""ERRATA.md is what the command prints, as far as words go; numbers and instances are those of the machine."""
import re
from pathlib import Path

from refdgm import cli, falsification, ledger, report

ERRATA = Path(__file__).parent.parent / "ERRATA.md"


def words(text):
    """Without the instances, the numbers, and how each is reproduced."""
    text = re.sub(r"- fails at:\n\n  ```text\n.*?  ```\n?", "", text, flags=re.S)
    text = re.sub(r"`refdgm (falsify|verify) ", "`refdgm ", text)
    return re.sub(r"-?\d+(\.\d+)?(e-?\d+)?|inf", "#", text).split()


def test_errata_are_current(capsys, monkeypatch):
    monkeypatch.setattr(falsification, "forms", lambda claim: ())       # the instances take long, and are no words
    assert cli.main(["errata", "--format", "md"]) == 0
    assert words(capsys.readouterr().out) == words(ERRATA.read_text()), "run: refdgm errata --format md > ERRATA.md"


def test_every_erratum_has_a_severity():
    wrong = [e for e in ledger.entries().values() if e.verdict in ("misprint", "false", "holds-if")]
    assert {e.severity for e in wrong} <= set(ledger.SEVERITIES)
    assert report.errata_markdown([]).startswith("# Errata")
