"""A run's results on disk: one JSON line a record, flushed to the disk before the next begins.

`kill -9` at any moment leaves a file that can be read: at worst its last line is cut, and is then ignored.
"""
import json
import math
import os


class Journal:
    """Append records to `path`; `done` holds those that an earlier run with the same settings left there."""

    def __init__(self, path, settings):
        self.path, self.done = path, {}
        lines, size = _read(path)
        if lines and lines[0] != settings:
            ours = ", ".join(f"{k} {v}" for k, v in settings.items())
            raise ValueError(f"{path} is not a record of such a run ({ours}); give the same settings or another file.")
        self.done = {tuple(line[name] for name in line if name != "record"): line["record"] for line in lines[1:]}
        try:
            self.file = open(path, "a", encoding="utf-8")
            self.file.truncate(size)            # drop a line that was cut in the middle
        except OSError as error:
            raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
        if not lines:
            self._append(settings)

    def add(self, task, record):
        """Write one record and wait until it is on the disk."""
        self._append({**task._asdict(), "record": record})

    def close(self):
        """Close the file."""
        self.file.close()

    def _append(self, line):
        try:
            self.file.write(dumps(line) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
        except OSError as error:
            raise ValueError(f"{self.path} cannot be written: {error.strerror}; what it holds so far can be resumed.") \
                from error


def dumps(value, **options):
    """JSON in which a number that is not finite is the string "inf", "-inf" or "nan" (JSON has no such numbers).

    An array is a list of lists.
    """
    return json.dumps(_plain(value), allow_nan=False, **options)


def _plain(value):
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return _plain(value.tolist()) if hasattr(value, "tolist") else value


def _read(path):
    """The whole lines of a journal, and how many bytes they take."""
    if not os.path.exists(path):
        return [], 0
    try:
        with open(path, "rb") as file:
            whole, newline, _ = file.read().rpartition(b"\n")      # what follows the last newline was cut
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    lines = []
    for number, raw in enumerate(whole.split(b"\n") if newline else [], 1):
        try:
            lines.append(json.loads(raw))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}, is not JSON: it was not written by --resume.") from error
    return lines, len(whole) + len(newline)
