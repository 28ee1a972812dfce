"""Write the output of the commands named in README.md into its blocks; `--check` only says whether that is needed.

A block follows `<!-- output of: COMMAND -->` (the whole output) or `<!-- excerpt of: COMMAND -->` (the lines with the
ids that it shows). Numbers may differ from machine to machine in their last digits: the check compares all the rest.
"""
import contextlib
import io
import re
import shlex
import sys
from pathlib import Path

from refdgm import cli

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(<!-- (output|excerpt) of: (.+?) -->\n```text\n)(.*?)(```)", re.S)


def output(command):
    """What a refdgm command prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.chdir(README.parent):
        cli.main(shlex.split(command)[1:])
    return text.getvalue()


def refreshed(text):
    """README's text with every block made anew."""
    def block(match):
        head, kind, command, old, tail = match.groups()
        new = output(command)
        if kind == "excerpt":
            ids = [line.split()[1] for line in old.splitlines()]
            lines = {line.split()[1]: line for line in new.splitlines() if len(line.split()) > 1}
            new = "".join(lines[id] + "\n" for id in ids)
        return head + new + tail
    return BLOCK.sub(block, text)


def masked(text):
    """All but the numbers and the blanks: those vary from machine to machine, and with the width of a number."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", text))


if __name__ == "__main__":
    before = README.read_text()
    after = refreshed(before)
    if "--check" in sys.argv:
        sys.exit(masked(before) != masked(after))
    README.write_text(after)
