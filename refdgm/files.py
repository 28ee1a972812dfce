"""Files that are there whole or not at all: the one way in which refdgm replaces a file."""
import contextlib
import os


@contextlib.contextmanager
def whole(path, half=".new"):
    """A binary file to write into, beside `path`; it takes the place of `path` when the block ends without an error.

    What a killed process had half written lies there as `<path><half>`, and the next writing replaces it.
    Raises ValueError where the folder cannot be written.
    """
    path = os.fspath(path)
    try:
        with open(path + half, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + half, path)
    except BaseException as reason:
        with contextlib.suppress(OSError):
            os.unlink(path + half)
        if isinstance(reason, OSError):
            raise ValueError(f"{path} cannot be written: {reason.strerror}.") from reason
        raise


def make_folder(folder):
    """A folder that is there.  Raises ValueError where it cannot be."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as reason:
        raise ValueError(f"{folder} cannot be made: {reason.strerror}.") from reason
