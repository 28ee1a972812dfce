"""Files that are there whole or not at all: the one way in which refdgm replaces a file."""
import contextlib
import os


def is_path(name, path):
    """Raise ValueError unless `path` is text or a pathlib.Path: a number would be a file that somebody has open."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise ValueError(f"{name} must be a path, but is {path!r}.")


@contextlib.contextmanager
def whole(path, half=".new"):
    """A binary file to write into, beside `path`; it takes the place of `path` when the block ends without an error.

    What a killed process had half written lies there as `<path><half>`, and the next writing replaces it. Where `path`
    is a link, what it points to is replaced; a device or a pipe is written to. Raises ValueError where none can be.
    """
    is_path("path", path)
    try:
        with open(path, "wb") if _is_device(path) else _replaced(os.path.realpath(path), half) as file:
            yield file
    except OSError as reason:
        raise ValueError(f"{path} cannot be written: {reason.strerror or reason}.") from reason


def _is_device(path):
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


@contextlib.contextmanager
def _replaced(path, half):
    try:
        with open(path + half, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + half, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path + half)
        raise


def make_folder(folder):
    """A folder that is there.  Raises ValueError where it cannot be."""
    is_path("folder", folder)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as reason:
        raise ValueError(f"{folder} cannot be made: {reason.strerror}.") from reason
