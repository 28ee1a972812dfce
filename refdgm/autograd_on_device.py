"""autograd over CuPy arrays: the array type and its vector space registered, and what builds arrays on the host mended.

autograd calls NumPy's functions, and those pass CuPy arrays on to CuPy; so nearly every derivative works as it is. Here
is the rest: creation (zeros, ones, eye, ...), which has no array to follow and goes to `backend.xp`, and the few
adjoints that build arrays on the host. Written for autograd 1.9; a version in which something that is replaced here has
gone is refused.
"""
import math
from functools import cache

import autograd.numpy as anp
import numpy
from autograd.extend import VSpace, defvjp, defvjp_argnum, notrace_primitive, primitive
from autograd.numpy import numpy_boxes, numpy_vjps, numpy_vspaces, numpy_wrapper

from refdgm.array_library import xp

CREATION = ("zeros", "ones", "empty", "eye", "identity", "arange", "linspace", "tri", "full")
REPLACED = {numpy_vjps: ("onp", "repeat_to_match_shape", "grad_concatenate_args"),
            numpy_wrapper: ("_np", "concatenate_args", "make_diagonal",
                            "parse_einsum_input", "_parse_einsum_input", *CREATION)}


@cache
def register(library):
    """Make autograd at home on the arrays of `library`, for good.  Raises ValueError for a version that differs."""
    missing = [f"{module.__name__}.{name}" for module, names in REPLACED.items()
               for name in names if not hasattr(module, name)]
    if missing:
        raise ValueError(f"this version of autograd has no {missing[0]}, which is replaced for CuPy; use autograd 1.9.")
    numpy_boxes.ArrayBox.register(library.ndarray)
    VSpace.register(library.ndarray, DeviceVSpace)
    replace = {name: primitive(in_use(name)) for name in CREATION}
    defvjp(replace["full"], lambda ans, shape, value, dtype=None: lambda g: anp.sum(g), argnums=(1,))
    replace |= {f.__name__: f for f in (concatenate_args, make_diagonal, parse_einsum_input)}
    for name, function in replace.items():
        setattr(numpy_wrapper, name, function)
        setattr(anp, name, function)
    numpy_wrapper._np = Over(numpy, array=in_use("array"))
    numpy_vjps.onp = Over(numpy, zeros=in_use("zeros"), ones=in_use("ones"), asarray=asarray, add=Add,
                          transpose=with_axes(numpy.transpose), tensordot=with_axes(numpy.tensordot))
    defvjp(anp.transpose, grad_transpose)
    for function in (anp.reshape, anp.ravel):
        defvjp(function, grad_reshape)
    numpy_vjps.repeat_to_match_shape = repeat_to_match_shape


class DeviceVSpace(numpy_vspaces.ArrayVSpace):
    """The arrays of one shape and type on the device."""

    def __init__(self, value):
        self.shape, self.dtype = value.shape, value.dtype

    def zeros(self):
        return xp.zeros(self.shape, self.dtype)

    def ones(self):
        return xp.ones(self.shape, self.dtype)

    def standard_basis(self):
        return (xp.asarray(unit) for unit in super().standard_basis())


class Over:
    """A module with some of its names replaced."""

    def __init__(self, module, **instead):
        self.__dict__.update(instead, module=module)

    def __getattr__(self, name):
        return getattr(self.module, name)


class Add:
    """numpy.add as autograd's adjoint of indexing uses it."""

    @staticmethod
    def at(a, index, x):
        xp.add.at(a, xp.asarray(index) if isinstance(index, numpy.ndarray) else index, x)


def in_use(name):
    """The function of that name in the library that is in use when it is called."""
    def function(*arguments, **options):
        return getattr(xp, name)(*arguments, **options)

    function.__name__ = name
    return function


def repeat_to_match_shape(g, shape, dtype, axis, keepdims):
    """The adjoint of a sum: g (a sum over `axis`) for each of the terms, and how many terms a sum had."""
    if shape == ():
        return g, 1
    summed = range(len(shape)) if axis is None else [a % len(shape) for a in numpy.atleast_1d(axis)]
    kept = tuple(1 if i in summed else n for i, n in enumerate(shape))
    return anp.reshape(g, kept) + xp.zeros(shape, dtype), math.prod(shape[i] for i in summed)


def asarray(a, dtype=None):
    """a with this type, on the device if it is there; axes, which autograd treats so, too, stay on the host."""
    return (xp if isinstance(a, xp.ndarray) else numpy).asarray(a, dtype=dtype)


def with_axes(function):
    """A function whose last argument, axes, may be arrays of NumPy, which CuPy does not take for axes."""
    def plain(axes):
        return axes if isinstance(axes, int) else tuple(plain(a) if numpy.ndim(a) else int(a) for a in axes)
    return lambda *arguments: function(*arguments[:-1], plain(arguments[-1]))


def grad_transpose(ans, x, axes=None):
    """As autograd's, with axes that CuPy takes."""
    back = None if axes is None else tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))
    return lambda g: anp.transpose(g, back)


def grad_reshape(ans, x, shape=None, order="C"):
    """As autograd's for reshape and ravel, without an order of None."""
    return lambda g: anp.reshape(g, anp.shape(x), order=order)


@primitive
def concatenate_args(axis, *arrays):
    """As autograd's, which ends in a view of NumPy's type."""
    return xp.concatenate(arrays, axis)


@primitive
def make_diagonal(D, offset=0, axis1=0, axis2=1):
    """The adjoint of diagonal(0, -1, -2): D on the diagonals of new matrices.  (..., n) -> (..., n, n)"""
    return D[..., None] * xp.eye(D.shape[-1], dtype=D.dtype)


@notrace_primitive
def parse_einsum_input(subscripts, *operands):
    """As autograd's, whose parser looks at how many axes the operands have, and takes them to the host for that."""
    return numpy_wrapper._parse_einsum_input((subscripts, *(numpy.empty((1,) * numpy.ndim(a)) for a in operands)))


defvjp_argnum(concatenate_args, numpy_vjps.grad_concatenate_args)
defvjp(make_diagonal, lambda ans, D, *axes: lambda g: anp.diagonal(g, *axes))
