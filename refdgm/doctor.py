"""What is installed here, and whether the core works: `refdgm doctor`."""
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys

import refdgm

CORE = ("numpy", "autograd", "scipy", "numba", "matplotlib")
EXTRAS = {"test": ("pytest", "hypothesis"), "gpu": ("cupy",), "jobs": ("joblib",), "pages": ("latex2mathml",)}


def examine():
    """Print the findings -> exit status: 0 when the core is whole and a known claim verifies, else 1."""
    print(f"refdgm {refdgm.__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
          f"{os.cpu_count()} cores")
    sound = sys.version_info >= (3, 11)
    if not sound:
        print("  Python 3.11 or newer is needed")
    for name in CORE:
        problem = _problem(name)
        sound &= not problem
        print(f"  {name:14s} {problem or importlib.metadata.version(name)}")
    for extra, names in EXTRAS.items():
        for name in names:
            there = importlib.util.find_spec(name) is not None
            missing = f"not installed (optional: pip install 'refdgm[{extra}]')"
            print(f"  {name:14s} {_version(name) if there else missing}")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_DISABLE_JIT"):
        if name in os.environ:
            print(f"  {name} = {os.environ[name]}")
    if sound:
        sound = _verifies()
    print("all is well." if sound else "something is missing: see above.")
    return 0 if sound else 1


def _problem(name):
    try:
        importlib.import_module(name)
    except Exception as error:
        return f"cannot be imported ({type(error).__name__}: {error}); pip install {name}"
    return ""


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "installed"


def _verifies():
    from refdgm import verification
    record = verification.perform(verification.Task("claim", "ou2018.eq15"), range(2))
    print(f"  ou2018.eq15 {record['status']}, {len(record['mistakes'])} mistakes rejected, "
          f"in {1000 * record['seconds']:.0f} ms")
    return record["status"] == "confirmed"
