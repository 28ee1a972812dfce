"""What the commands share: a bar that shows how far they are, and files of results."""
import os
import sys


def progress(done=0, total=0, what=""):
    """A bar on a terminal's stderr, nothing in a pipe; without arguments it wipes the bar."""
    if sys.stderr.isatty():
        filled = 30 * done // total if total else 0
        bar = f"[{'#' * filled}{' ' * (30 - filled)}] {done}/{total} {what[:40]}" if total else ""
        print(f"\r\x1b[K{bar}", end="", file=sys.stderr, flush=True)


def writable(path):
    """Complain now, not after the work; a file that was not there is not left behind."""
    new = not os.path.exists(path)
    try:
        with open(path, "a", encoding="utf-8"):
            pass
        if new:
            os.unlink(os.path.realpath(path))           # a link to a file that is not there yet stays
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}.") from error


def write(path, value):
    """The value as JSON."""
    from refdgm import files, journal
    with files.whole(path, half=".part") as file:       # a reader sees the old file or the new one, never half of it
        file.write((journal.dumps(value, indent=1) + "\n").encode())
