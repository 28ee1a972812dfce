"""A run's results on disk: one JSON line a record, flushed to the disk before the next begins.

`kill -9` at any moment leaves a file that can be read: at worst its last line is cut, and is then ignored. A full disk
costs no more: what was half written is taken back. One process at a time writes to a journal, on POSIX systems.
"""
import contextlib
import json
import math
import os

from refdgm import files, workers


def finished(tasks, perform, journal=None, jobs=1, executor=None):
    """Yield (task, perform(task)): what a Journal holds at once, the rest as refdgm.workers does, and into the journal.
    """
    done = journal.done if journal else {}
    yield from ((task, done[task]) for task in tasks if task in done)
    for task, record in workers.finished([task for task in tasks if task not in done], perform, jobs, executor):
        if journal:
            journal.add(task, record)
        yield task, record


class Journal:
    """Append records to `path`; `done` holds those that an earlier run with the same settings left there.

    Raises ValueError where the file cannot be written, is of another run, or another process writes to it.
    """

    def __init__(self, path, settings):
        files.is_path("path", path)
        if not isinstance(settings, dict):
            raise ValueError(f"settings must be a dict, but are {settings!r}.")
        settings = json.loads(dumps(settings))          # as they are read back: a tuple is a list, infinity a word
        self.path = path
        if os.path.exists(path) and not os.path.isfile(path):
            raise ValueError(f"{path} is no file: --resume needs one to append to.")
        try:
            self.file = open(path, "a+b", buffering=0)
        except OSError as error:
            raise ValueError(f"{path} cannot be written: {error.strerror}.") from error
        try:
            _lock(self.file, path)
            lines, self.size = _read(self.file, path)
            if lines and lines[0] != settings:
                ours = ", ".join(f"{k} {v}" for k, v in settings.items())
                raise ValueError(f"{path} is not a record of such a run ({ours}); give the same settings or another "
                                 "file.")
            self.done = dict(_task_and_record(line, path) for line in lines[1:])
            self.file.truncate(self.size)           # drop a line that was cut in the middle
            if not lines:
                self._append(settings)
        except BaseException:
            self.file.close()
            raise

    def add(self, task, record):
        """Write one record and wait until it is on the disk."""
        self._append({**task._asdict(), "record": record})

    def close(self):
        """Close the file, and let another process have it."""
        self.file.close()

    def _append(self, line):
        raw = (dumps(line) + "\n").encode()
        try:
            while raw:
                raw = raw[self.file.write(raw):]
            os.fsync(self.file.fileno())
            self.size = os.fstat(self.file.fileno()).st_size
        except OSError as error:
            with contextlib.suppress(OSError):
                self.file.truncate(self.size)
            raise ValueError(f"{self.path} cannot be written: {error.strerror}; what it holds so far can be resumed.") \
                from error


def _task_and_record(line, path):
    task = dict(line) if isinstance(line, dict) else {}
    record = task.pop("record", None)
    if record is None or not all(isinstance(part, (str, int)) for part in task.values()):
        raise ValueError(f"{path} has a line without a record: it was not written by --resume.")
    return tuple(task.values()), record


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


def _lock(file, path):
    """Keep other processes off; the lock ends with this process, however that ends."""
    try:
        import fcntl
    except ImportError:                 # not a POSIX system
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)    # unlike flock's, not inherited by the processes of a pool
    except (BlockingIOError, PermissionError) as error:
        raise ValueError(f"{path} is being written by another process; wait for it, or give another file.") from error


def _read(file, path):
    """The whole lines of a journal, and how many bytes they take."""
    file.seek(0)
    whole, newline, _ = file.read().rpartition(b"\n")           # what follows the last newline was cut
    lines = []
    for number, raw in enumerate(whole.split(b"\n") if newline else [], 1):
        try:
            lines.append(json.loads(raw))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}, is not JSON: it was not written by --resume.") from error
    return lines, len(whole) + len(newline)
