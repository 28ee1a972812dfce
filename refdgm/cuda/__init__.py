"""The samplers' kernels for a GPU, each the twin of one in refdgm.kernels: the same name, arguments and bits.

elementary.cuh, stream.cuh    the formulas of elementary.py and streams.py in CUDA C++
layer.cuh                     a layer of units given the layer beside it: a matrix product and its epilogue
softplus.cuh                  sums over units in order, of terms computed side by side
targets.cuh                   log p and score of the ready targets, for one chain
on_target.cu                  chains that follow a target, compiled for its kind and sizes
FAMILY.cu, FAMILY.py          kernels, and the functions that launch them

To add a kernel, write FAMILY.cu (extern "C" __global__ functions over `real`; the shared sources come before it) and in
FAMILY.py a function with the name and the arguments of the numba kernel in refdgm/kernels/FAMILY.py, which calls
refdgm.launch. Where a sampler hands arrays of a GPU to `jit.in_threads`, that function is called instead of the kernel:
nothing else need be told. tests/test_cuda.py holds it against the sampler's `step`, on any machine, and
tests/test_cuda_compiled.py looks at what nvcc or NVRTC makes of it.
"""
import importlib

from refdgm import backend


def run_twin(kernel, blocked, arguments):
    """What kernel(*blocked, *arguments) does, on a GPU. Kernels count on arrays without gaps: others are copied, and
    what the kernel writes to such a copy goes back."""
    twin = getattr(importlib.import_module(f"refdgm.cuda.{kernel.__module__.split('.')[-1]}"), kernel.__name__)
    whole = [_without_gaps(a) for a in blocked]
    twin(*whole, *map(_without_gaps, arguments))
    for array, copy in zip(blocked, whole):
        if copy is not array:
            array[...] = copy


def _without_gaps(a):
    return a if not backend.on_device(a) or a.flags.c_contiguous else backend.module_of(a).ascontiguousarray(a)
