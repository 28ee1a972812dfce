"""CUDA kernels without a GPU: their source, unchanged, compiled by the system's C++ compiler.

`RawModule` has the interface of CuPy's, and takes the arrays of the stand-in. The arithmetic is IEEE's on both
machines, so that a kernel that gives the twin's bits here gives them on a GPU. Every array of a launch is moved between
memory that must not be touched.
"""
import contextlib
import ctypes
import hashlib
import importlib
import mmap
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import strict_cupy

from refdgm import backend

SHIM = Path(__file__).with_name("cuda_on_cpu.hpp")
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
FLAGS = ("-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-fno-strict-aliasing", "-w")
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")
FENCE = 2**20               # bytes before and after an array that must not be touched
LINE = 64                   # bytes to which arrays are aligned, so that up to so many lie between one and its fence
LIBC, FORBIDDEN = ctypes.CDLL(None), 0                              # PROT_NONE
WRONG = {1: "the arguments do not fit the kernel's", 2: "a barrier that only some threads of a block reach",
         3: "an access beyond the ends of an array"}                # what a launcher answers


@cache
def _library(code, options):
    """The compiled source, kept in the temporary folder."""
    source = "\n".join([f'#include "{SHIM}"', code, *(f"LAUNCHER({name})" for name in KERNEL.findall(code))])
    defines = tuple(option for option in options if option.startswith("-D"))
    stamp = hashlib.sha256("\n".join((source, SHIM.read_text(), COMPILER, *FLAGS, *defines)).encode()).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"refdgm-cuda-on-cpu-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    library = folder / f"{stamp[:32]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            (Path(work) / "kernels.cpp").write_text(source)
            command = [COMPILER, *FLAGS, *defines, *_fused_by_processor(), "kernels.cpp", "-o", "kernels.so"]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr)
            (Path(work) / "kernels.so").replace(library)
    return ctypes.CDLL(library)


@cache
def _fused_by_processor():
    """fma() in one instruction where the processor has it; elsewhere the library's gives the same, slowly."""
    cpu = Path("/proc/cpuinfo")
    return ("-mfma",) if cpu.exists() and " fma " in cpu.read_text() else ()


class RawModule:
    """As cupy.RawModule."""

    def __init__(self, *, code, options=()):
        if "--fmad=false" not in options:
            raise ValueError("the kernels must be compiled with --fmad=false.")
        self.library = _library(code, tuple(options))

    def get_function(self, name):
        return Kernel(getattr(self.library, f"launch_{name}"), name)


class Kernel:
    """As what cupy.RawModule.get_function gives: called with the grid, the block and the arguments."""

    def __init__(self, function, name):
        self.function, self.name = function, name

    def __call__(self, grid, block, args, shared_mem=0):
        assert not shared_mem, "the shim has no dynamic shared memory"
        assert np.prod(block) <= 1024 and grid[0] < 2**31 and all(n < 2**16 for n in grid[1:]), (grid, block)
        shape = [*grid, *(1,) * (3 - len(grid)), *block, *(1,) * (3 - len(block))]
        arrays = {a.data.ptr: _Guarded(a) for a in args if isinstance(a, strict_cupy.ndarray)}
        values = [arrays[a.data.ptr].pointer if isinstance(a, strict_cupy.ndarray) else _value(a, self.name)
                  for a in args]
        addresses = (ctypes.c_void_p * len(args))(*(v.ctypes.data for v in values))
        sizes = [-1 if isinstance(a, strict_cupy.ndarray) else v.nbytes for a, v in zip(args, values)]
        answer = self.function((ctypes.c_uint * 6)(*shape), addresses, (ctypes.c_int * len(args))(*sizes), len(args))
        assert not answer, f"{self.name}: {WRONG[answer]}"
        for array in arrays.values():
            array.back(self.name)


def _value(number, kernel):
    assert isinstance(number, np.generic), f"{kernel}: {number!r} has no definite type, which CuPy would guess"
    return np.array(number)


class _Guarded:
    """A copy of an array's memory between fences, for one launch; what is left of its pages is NaN."""

    def __init__(self, array):
        a = array._a
        assert a.flags.c_contiguous, "a kernel was given an array with gaps"
        own = -(-(a.nbytes + LINE) // mmap.PAGESIZE) * mmap.PAGESIZE
        self.memory = np.frombuffer(mmap.mmap(-1, own + 2 * FENCE), np.uint8)
        for start in (0, FENCE + own):
            place = ctypes.c_void_p(self.memory.ctypes.data + start)
            assert LIBC.mprotect(place, ctypes.c_size_t(FENCE), FORBIDDEN) == 0
        self.array, self.room = a, self.memory[FENCE:FENCE + own]
        self.start = own - a.nbytes - (own - a.nbytes - a.ctypes.data) % LINE               # aligned as it was
        self.room[:] = 0xFF
        self.inside[:] = a.reshape(-1).view(np.uint8)
        self.pointer = np.array(self.inside.ctypes.data, np.uint64)

    @property
    def inside(self):
        return self.room[self.start:self.start + self.array.nbytes]

    def back(self, kernel):
        around = np.delete(self.room, slice(self.start, self.start + self.array.nbytes))
        assert np.all(around == 0xFF), f"{kernel}: {WRONG[3]}"
        self.array.reshape(-1).view(np.uint8)[:] = self.inside


strict_cupy.cupy.RawModule = RawModule
installed, in_place = strict_cupy.installed, strict_cupy.in_place


def has_gpu():
    """Whether CuPy is installed and finds a GPU."""
    try:
        return importlib.import_module("cupy").is_available()
    except ImportError:
        return False


@contextlib.contextmanager
def device():
    """CuPy in use where it finds a GPU, elsewhere the stand-in; gives the module."""
    with backend.use("cupy") if has_gpu() else installed() as library:
        yield library


needed = pytest.mark.skipif(COMPILER is None and not has_gpu(),
                            reason="there is neither a C++ compiler (c++, g++ or clang++) nor a GPU")
