"""A GPU's own clock, and what the GPU can do at most: for the cases of `refdgm bench` that run there.

Work on a GPU is only queued by the call that asks for it. CuPy's and PyTorch's is timed by events that the device
itself records before and after; JAX shows no events, so that its calls are timed until their result is there.
"""
from typing import NamedTuple

import numpy as np

SECONDS = 1e-3              # events count milliseconds
COPIED = 2**28              # bytes, far more than a cache holds
SIDE = 8192                 # of a product's square matrices: large enough to reach the peak


class OnGPU(NamedTuple):
    """A piece of work that a GPU does, timed by events of its library."""
    work: object            # () -> its result, perhaps before it is there
    event: object           # () -> an event with record()
    elapsed: object         # (begin, end) -> milliseconds between two events that the device has come to
    wait: object            # () -> when the device has done what was queued
    fetch: object           # the result as an array on the host

    def __call__(self):
        found = self.work()
        self.wait()
        return found

    def clock(self, calls):
        """Seconds of one of `calls` calls in a row."""
        begin, end = self.event(), self.event()
        begin.record()
        for _ in range(calls):
            self.work()
        end.record()
        self.wait()
        return self.elapsed(begin, end) * SECONDS / calls


def by_cupy(work):
    """Work that CuPy or refdgm's kernels do."""
    import cupy
    return OnGPU(work, cupy.cuda.Event, cupy.cuda.get_elapsed_time, cupy.cuda.Device().synchronize, cupy.asnumpy)


def by_torch(work):
    """Work that PyTorch does.  Raises RuntimeError where it sees no GPU."""
    import torch
    if not torch.cuda.is_available():
        raise RuntimeError("PyTorch sees no GPU")
    return OnGPU(work, lambda: torch.cuda.Event(enable_timing=True), lambda begin, end: begin.elapsed_time(end),
                 torch.cuda.synchronize, lambda a: a.cpu().numpy())


def by_jax(work):
    """Work that JAX does, which waits for its result itself.  Raises RuntimeError where JAX sees no GPU."""
    import jax
    if jax.default_backend() != "gpu":
        raise RuntimeError("JAX sees no GPU")
    return work


def product_seconds(real):
    """Of one multiplication and addition in a large matrix product of type `real`, by CuPy."""
    import cupy
    a = cupy.ones((SIDE, SIDE), real)
    return min(by_cupy(lambda: a @ a).clock(1) for _ in range(5)) / SIDE**3


def byte_seconds():
    """Of one byte read or written, in a copy, by CuPy."""
    import cupy
    a, b = cupy.zeros(COPIED // 4, np.float32), cupy.empty(COPIED // 4, np.float32)
    return min(by_cupy(lambda: cupy.copyto(b, a)).clock(4) for _ in range(5)) / (2 * COPIED)


def description():
    """The GPU's name, or None where CuPy finds none."""
    try:
        import cupy
        return cupy.cuda.runtime.getDeviceProperties(0)["name"].decode() if cupy.is_available() else None
    except Exception:                                   # no CuPy, no driver, or one too old: each has its own error
        return None
