"""Compiling and launching the CUDA kernels: one place for how.

A family's source is stream.cuh and its likes, then its own .cu, in one text: CuPy keeps what it compiles on disk under
a hash of the text, and would not see an edit of an included file. No fast-math and no fusing of products with sums:
each operation is rounded once as IEEE 754 says, and a kernel gives NumPy's bits. One thing is out of our hands: CuPy
compiles everything with -ftz=true (its issue 9576), so that in float32 what falls below 1.2e-38 becomes zero.
"""
from functools import cache
from pathlib import Path

import numpy as np

from refdgm import backend
from refdgm import validation as valid
from refdgm.models.logistic_regression import LogisticRegression
from refdgm.models.targets import Gaussian, GaussianMixture, MLPEnergy

CUDA = Path(__file__).with_name("cuda")
SHARED = tuple(f"{name}.cuh" for name in ("elementary", "stream", "layer", "softplus", "targets"))
TILE_ROWS, TILE_COLUMNS = 128, 64           # chains and units of a block of threads in layer.cuh
THREADS = {np.float64: 256, np.float32: 128}
SIDE, HEIGHT = 32, 8                        # chains of a block of SIDE x HEIGHT threads in softplus.cuh
CHAINS = 128                                # threads of a block where each has a chain
WIDEST = 1024                               # coordinates of a chain, units of a layer, ..., that a thread has room for


def source(*families):
    """The CUDA C++ of some families of kernels, after what they share."""
    return "\n".join((CUDA / name).read_text() for name in (*SHARED, *(f"{family}.cu" for family in families)))


def options(real, **macros):
    """How to compile for `real`, np.float64 or np.float32, with what a family leaves open: -Dname=value."""
    return ("--std=c++17", "--fmad=false", f"-DREAL={8 * np.dtype(real).itemsize}", f"-DTILE_ROWS={TILE_ROWS}",
            f"-DTILE_COLUMNS={TILE_COLUMNS}", f"-DTHREADS={THREADS[real]}", f"-DSIDE={SIDE}", f"-DHEIGHT={HEIGHT}",
            f"-DCHAINS={CHAINS}", *(f"-D{name}={value}" for name, value in macros.items()))


@cache
def _module(library, family, real, **macros):
    return library.RawModule(code=source(family), options=options(real, **macros))


@cache
def _function(library, family, name, real, **macros):
    return _module(library, family, real, **macros).get_function(name)


def launch(family, name, real, blocks, block, *arguments, draw=(), **macros):
    """Run the kernel `name` of a family on `blocks` blocks of threads, each of the shape `block`.

    real: the dtype that the sources call `real`. Arrays lie on the GPU and are contiguous; ints become C's int, NumPy's
    numbers are passed as they are; draw = (step, number of the draw, the two words of the key), the last arguments,
    become unsigned. For each set of macros the family is compiled once.
    """
    library = next(backend.module_of(a) for a in arguments if backend.on_device(a))
    values = (*(np.int32(a) if isinstance(a, int) else a for a in arguments), *map(np.uint32, draw))
    _function(library, family, name, np.dtype(real).type, **macros)((blocks,), block, values)


def launch_layer(family, name, x, w, start, *arguments, draw=()):
    """Run a kernel built on layer.cuh: units given the layer beside them.  x (C, K), w (K, N), start (N,)"""
    shape = len(x), *w.shape
    blocks = -(-shape[0] // TILE_ROWS) * -(-shape[2] // TILE_COLUMNS)
    aligned = shape[1] % 4 == shape[2] % 4 == x.data.ptr % 16 == w.data.ptr % 16 == 0
    launch(family, name, x.dtype, blocks, (THREADS[x.dtype.type],), x, w, start, *arguments, *shape, draw=draw,
           ALIGNED=int(aligned))


def launch_in_order(family, name, x, *arguments, draw=()):
    """Run a kernel built on softplus.cuh for the chains of x (C, D), the first of its arguments."""
    launch(family, name, x.dtype, -(-len(x) // SIDE), (SIDE, HEIGHT), x, *arguments, draw=draw)


def launch_chains(family, name, real, chains, *arguments, draw=(), **macros):
    """Run a kernel with one thread for each chain, their number the first of its arguments."""
    launch(family, name, real, -(-chains // CHAINS), (CHAINS,), chains, *arguments, draw=draw, **macros)


def launch_on_target(name, target, by_chain, *arguments, draw):
    """Run a kernel of on_target.cu, compiled for the target, with a thread for each chain of the arrays `by_chain`."""
    kind, parameters = in_cuda(target)
    launch_chains("on_target", name, parameters.dtype, len(by_chain[0]), *by_chain, parameters, *arguments, draw=draw,
                  TARGET=kind)


# ---- targets as targets.cuh takes them ------------------------------------------------

def in_cuda(target):
    """A target's type in C++, and its parameters in one array.

    Raises ValueError where a thread would need more room than it has.
    """
    sizes, parameters = FORM[type(target)](target)
    valid.require(max(sizes) <= WIDEST, f"a chain on a GPU is compiled for at most {WIDEST} coordinates, components or "
                                        f"hidden units, but the target has {max(sizes)}: make its steps with `step`.")
    return (f"{type(target).__name__}<{','.join(map(str, sizes))}>",
            np.concatenate([a.ravel() for a in parameters]))


def _gaussian(target):
    return target.m.shape, target


def _gaussian_mixture(target):
    return target.mean.shape[::-1], target


def _mlp_energy(target):
    weights = (target.w1, target.w2, target.w2_transposed, target.w1_transposed)
    filled = [np.pad(w, ((0, 0), (0, -w.shape[1] % 4))) for w in weights]
    return (*target.w1.shape, len(target.b2)), (*filled, target.b1, target.b2, target.w3, target.tau)


def _logistic_regression(target):
    (N, n), size = target.data.shape, int(target.size[0])
    numbers = backend.module_of(target.data).array([N, size, N / size], target.data.dtype)
    return (n,), (numbers, target.tau, target.data)


FORM = {Gaussian: _gaussian, GaussianMixture: _gaussian_mixture, MLPEnergy: _mlp_energy,
        LogisticRegression: _logistic_regression}       # {class: target -> its sizes, its parameters}
