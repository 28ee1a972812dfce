"""What the elementary functions are made of: numbers as their bits, of another type, within bounds.

They are called dozens of times in a step and no user calls them: the guard (refdgm.loading) is for what they make up.
Kernels have an instruction or two in their place (refdgm.compiling).
"""
import numpy as np


def bits_of(x):
    """The bits of a floating-point number as an integer of the same width."""
    return x.view(np.int64 if x.dtype == np.float64 else np.int32)


def from_bits(x):
    """The floating-point number that has these bits."""
    return x.view(np.float64 if x.dtype == np.int64 else np.float32)


def to(x, real):
    """x, one number or many, as numbers of the type `real`."""
    return x.astype(real, copy=False)


def clamp(x, least, most):
    """x within bounds; NaN stays NaN."""
    return np.minimum(np.maximum(x, least), most)
