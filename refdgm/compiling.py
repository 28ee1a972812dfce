"""Compiling and running kernels with numba: one place for how, and the functions that they share with NumPy.

`compiled` compiles a kernel without the interpreter's lock and keeps it on disk; `in_threads` runs it on blocks of
chains, one slice a thread. The functions of `elementary` and `streams` are compiled from the source that NumPy runs, so
that both give the same numbers. Importing this module imports numba (0.3 s): samplers do so when they first run.
"""
import hashlib
import inspect
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, overload

from refdgm import backend, bits, cuda, elementary, streams
from refdgm import validation as valid

HERE = Path(__file__).parent
SHARED = ("bits.py", "elementary.py", "streams.py", "compiling.py", "products.py", "jit.py", "moves.py")
SLICES = 4                  # for each thread

if numba.config.CPU_FEATURES is None and binding.get_host_cpu_features().get("avx512f"):
    # LLVM's tuning for Intel's processors leaves half of the 512-bit registers idle; exp takes half the time with all.
    # Numba reads this before it compiles for the first time; later it has no effect, and never one on a result.
    numba.config.CPU_FEATURES = get_host_cpu_features() + ",-prefer-256-bit"


@cache
def fingerprint():
    """A hash of all source that a kernel may inline. numba itself looks only at the kernel's own file, so that an edit
    of another one would leave the old code running."""
    sources = [*(HERE / name for name in SHARED), *sorted((HERE / "kernels").glob("*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def compiled(function):
    """A kernel: compiled for each combination of argument types, kept on disk until any shared source changes.

    No fast-math: a result is what NumPy's separate operations give, bit for bit.
    """
    kernel = numba.njit(function, nogil=True, error_model="numpy")
    kernel.enable_caching()
    kernel._cache._cache_file._source_stamp = fingerprint()
    return kernel


@cache
def on_demand(function, lasting):
    """The same, for a target that is known when the chain is: kept on disk if that is `lasting`, as the targets of this
    package are; those of others may change without our noticing."""
    return compiled(function) if lasting else numba.njit(function, nogil=True, error_model="numpy")


def shared(function, by_type=None, instead=None):
    """Let kernels call a plain Python function, compiled into them, or what stands for it there; `by_type`
    {dtype: function} chooses by the type of its last argument. LLVM is told to inline: it must see a whole loop to run
    it on many chains at once."""
    table = by_type and {numba.from_dtype(np.dtype(real)): f for real, f in by_type.items()}
    inner = instead or inspect.unwrap(function)             # without its guard
    choose = (lambda *arguments: table.get(arguments[-1])) if table else (lambda *arguments: inner)
    overload(function, strict=False, jit_options={"forceinline": True, "error_model": "numpy"})(choose)


# ---- what NumPy and the kernels share -------------------------------------------------

def _bitcast(to):
    @intrinsic
    def cast(typing, x):
        return to(x), lambda context, builder, signature, arguments: builder.bitcast(
            arguments[0], context.get_value_type(to))

    return lambda x: cast(x)


INTEGER = {types.float64: types.int64, types.float32: types.int32}
REAL = {integer: real for real, integer in INTEGER.items()}
overload(bits.bits_of)(lambda x: _bitcast(INTEGER[x]))
overload(bits.from_bits)(lambda x: _bitcast(REAL[x]))


def _clamp(x, least, most):
    """As bits.clamp, in the two instructions that a processor has for it."""
    x = least if x < least else x
    return most if most < x else x


@intrinsic
def _fma(typing, a, b, c):
    """a b + c, rounded once."""
    def build(context, b, signature, arguments):
        kind = arguments[0].type
        name = f"llvm.fma.f{8 * context.get_abi_sizeof(kind)}"
        return b.call(cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind] * 3), name), arguments)

    return c(c, c, c), build


shared(bits.to, instead=lambda x, real: real(x))
shared(bits.clamp, instead=_clamp)
shared(elementary.fma, instead=lambda a, b, c: _fma(a, b, c))
for _i, _name in enumerate(elementary.Elementary._fields):
    shared(getattr(elementary, _name), {real: functions[_i] for real, functions in elementary.FOR.items()})
    for _functions in elementary.FOR.values():
        shared(_functions[_i])
for _function in (streams.philox, streams.long_uniform, streams.uniform64, streams.uniform32):
    shared(_function)
shared(streams.uniform, streams.UNIFORM)
shared(streams.two_normals, streams.TWO_NORMALS)
shared(streams.fires, streams.FIRES)


# ---- threads --------------------------------------------------------------------------

def cores():
    """How many threads this process may use: NUMBA_NUM_THREADS where it is set, else the processor's."""
    return numba.config.NUMBA_NUM_THREADS


@cache
def _pool(threads):
    return ThreadPoolExecutor(threads, thread_name_prefix="refdgm")


def in_threads(kernel, blocked, arguments, threads=None, together=1):
    """Call kernel(*blocked, *arguments) on contiguous slices of the blocks, in threads. There are some slices for each
    thread, and who is done takes the next: a thread that another program holds up does not hold up the others.

    blocked: arrays whose first axis counts blocks of chains; the kernel works on them in place. Where it counts chains,
    `together` of them are a block. Where arrays lie on a GPU, the kernel's twin in refdgm.cuda is called there instead.
    """
    if any(map(backend.on_device, (*blocked, *arguments))):
        cuda.run_twin(kernel, blocked, arguments)
        return
    if threads is not None:
        valid.count("threads", threads)
    rows = len(blocked[0])
    blocks = -(-rows // together)
    threads = min(threads or cores(), blocks)
    if threads == 1:
        kernel(*blocked, *arguments)
        return
    slices = min(blocks, SLICES * threads)
    edges = [min(rows, blocks * i // slices * together) for i in range(slices + 1)]
    parts = [_pool(threads).submit(kernel, *(a[start:stop] for a in blocked), *arguments)
             for start, stop in zip(edges, edges[1:])]
    for part in parts:
        part.result()
