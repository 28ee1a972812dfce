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
    for line in gpu():
        print(f"  {'GPU':14s} {line}")
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


def gpu():
    """What CuPy sees, a line each: the device, its memory, whether a kernel runs there; or why not. -> the lines"""
    if importlib.util.find_spec("cupy") is None:
        return
    try:
        import cupy
        device, (free, total) = cupy.cuda.runtime.getDeviceProperties(0), cupy.cuda.runtime.memGetInfo()
        yield (f"{device['name'].decode()}, compute capability {device['major']}.{device['minor']}, "
               f"CuPy {cupy.__version__}")
        yield f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB of memory are free"
        sum_of_squares = int((cupy.arange(4)**2).sum())
        yield "a kernel runs" if sum_of_squares == 14 else f"a kernel gives a wrong number, {sum_of_squares} for 14"
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "no reason given")
        yield f"cannot be used: {type(error).__name__}: {first}"


def _verifies():
    from refdgm import verification
    record = verification.perform(verification.Task("claim", "ou2018.eq15"), range(2))
    print(f"  ou2018.eq15 {record['status']}, {len(record['mistakes'])} mistakes rejected, "
          f"in {1000 * record['seconds']:.0f} ms")
    return record["status"] == "confirmed"
