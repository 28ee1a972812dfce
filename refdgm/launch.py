"""Compiling and launching the CUDA kernels: one place for how.

A family's source is stream.cuh and its likes, then its own .cu, in one text: CuPy keeps what it compiles on disk under
a hash of the text, and would not see an edit of an included file. No fast-math and no fusing of products with sums:
each operation is rounded once as IEEE 754 says, and a kernel gives NumPy's bits.
"""
from functools import cache
from pathlib import Path

import numpy as np

from refdgm import backend

CUDA = Path(__file__).with_name("cuda")
SHARED = tuple(f"{name}.cuh" for name in ("elementary", "stream", "layer"))
TILE_ROWS, TILE_COLUMNS = 128, 64           # chains and units of a block of threads in layer.cuh
THREADS = {np.float64: 256, np.float32: 128}
CHAINS = 128                                # threads of a block where each has a chain


def source(*families):
    """The CUDA C++ of some families of kernels, after what they share."""
    return "\n".join((CUDA / name).read_text() for name in (*SHARED, *(f"{family}.cu" for family in families)))


def options(real):
    """How to compile for `real`, np.float64 or np.float32."""
    return ("--std=c++17", "--fmad=false", f"-DREAL={8 * np.dtype(real).itemsize}", f"-DTILE_ROWS={TILE_ROWS}",
            f"-DTILE_COLUMNS={TILE_COLUMNS}", f"-DTHREADS={THREADS[real]}", f"-DCHAINS={CHAINS}")


@cache
def _function(library, family, name, real):
    return library.RawModule(code=source(family), options=options(real)).get_function(name)


def launch(family, name, real, blocks, threads, *arguments):
    """Run the kernel `name` of a family on `blocks` blocks of `threads` threads.

    real: the dtype that the sources call `real`. Arrays are passed as they are and must be contiguous, ints as C's int,
    NumPy's numbers as their type.
    """
    library = backend.module_of(next(a for a in arguments if hasattr(a, "shape") and a.shape))
    if blocks:
        _function(library, family, name, np.dtype(real).type)((blocks,), (threads,), tuple(map(_argument, arguments)))


def launch_layer(family, name, real, rows, columns, *arguments):
    """Run a kernel built on layer.cuh for `rows` chains and `columns` units."""
    launch(family, name, real, -(-rows // TILE_ROWS) * -(-columns // TILE_COLUMNS), THREADS[np.dtype(real).type],
           *arguments)


def launch_chains(family, name, real, chains, *arguments):
    """Run a kernel with one thread for each chain."""
    launch(family, name, real, -(-chains // CHAINS), CHAINS, *arguments)


def _argument(value):
    return np.int32(value) if isinstance(value, int) else value
