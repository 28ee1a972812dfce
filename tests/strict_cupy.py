"""A stand-in for CuPy on any machine: NumPy inside, as strict as CuPy at the border.

It refuses `__array__`, arrays of NumPy among its arguments, and lists where CuPy refuses them; what it gives back is
always one of its arrays, also where NumPy would give a number. `cupy` is the module; `in_place()` lets it be imported
under that name, `installed()` has it in use, too.
"""
import contextlib
import sys
import types

import numpy

LACKS = set("""asmatrix block bmat busday_count busday_offset datetime_as_string datetime_data einsum_path frompyfunc
    fromregex geomspace histogram_bin_edges insert isnat matvec nanpercentile nanquantile nested_iters polyder polydiv
    polyint spacing unstack vecdot vecmat""".split())                   # as of CuPy 14.2
LINALG_LACKS = set("diagonal matrix_norm multi_dot outer svdvals tensordot trace vecdot vector_norm".split())
UPLOADS = {"array", "asarray", "ascontiguousarray", "asanyarray", "asfortranarray"}     # take NumPy's arrays, and lists
JOINS = {"concatenate", "concat", "stack", "hstack", "vstack", "column_stack", "dstack"}            # take CuPy's arrays
TAKES_OTHERS = UPLOADS | set("""append arange array_equal broadcast_arrays broadcast_shapes choose einsum empty eye full
    identity indices iscomplexobj isscalar issubdtype ix_ linspace logspace ndim ones promote_types ravel_multi_index
    result_type select shape size tri unravel_index zeros""".split())       # to others, but ufuncs, an array
OF_TWO = {"dot", "inner", "interp", "isin", "kron", "outer", "searchsorted", "take_along_axis", "tensordot", "vdot"}
OPTIONS_LACKED = {"where", "initial", "correction", "subok", "like", "device"}
COMPARISONS = {numpy.less, numpy.less_equal, numpy.greater, numpy.greater_equal, numpy.equal, numpy.not_equal}
PLAIN = (tuple, list, int, str, bool, type, numpy.dtype, type(None))     # as cupy.shape, cupy.result_type give


REFUSES = {"float": False}      # numbers of a result may leave by get() only, where this is set


class ndarray:
    """An array on the device that this is not."""

    __module__ = "cupy"
    __array_priority__ = 100
    __slots__ = ("_a", "__weakref__")
    __cuda_array_interface__ = property(lambda self: {"shape": self.shape, "typestr": self.dtype.str, "version": 3,
                                                      "strides": None, "data": (self.data.ptr, False)})

    def __init__(self, a):
        self._a = a

    def __array__(self, *arguments, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy "
                        "array explicitly.")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method != "__call__" or not hasattr(cupy, ufunc.__name__):
            return NotImplemented
        given = inputs + options.get("out", ())
        if not all(isinstance(x, (ndarray, numpy.ndarray, numpy.generic, int, float, complex, bool)) for x in given):
            return NotImplemented
        if ufunc in COMPARISONS:                        # as CuPy: NumPy's numbers come as arrays without axes
            inputs = [x.item() if isinstance(x, numpy.ndarray) and not x.ndim else x for x in inputs]
        return _through(ufunc, inputs, options)

    def __array_function__(self, function, types, arguments, options):
        names = function.__module__.split(".")[1:]
        if function.__name__ in (LINALG_LACKS if names == ["linalg"] else LACKS):
            return NotImplemented
        if not all(issubclass(t, (ndarray, numpy.ndarray)) for t in types):
            return NotImplemented
        return _through(function, arguments, options)

    def get(self):
        """A copy on the host."""
        return self._a.copy()

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self._a.ctypes.data)

    def __getitem__(self, index):
        return ndarray(numpy.asarray(self._a[_inside(index)]))

    def __setitem__(self, index, value):
        self._a[_inside(index)] = _inside(value)

    def __iter__(self):
        if not self._a.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __len__(self):
        return len(self._a)

    def __bool__(self):
        return bool(self._a)

    def __float__(self):
        if REFUSES["float"]:
            raise TypeError("a number is taken to the host: float(array)")
        return float(self._a)

    def __int__(self):
        return int(self._a)

    def __complex__(self):
        return complex(self._a)

    def __repr__(self):
        return f"strict {self._a!r}"

    def __format__(self, specification):
        return format(self._a[()], specification)

    def __reduce__(self):
        return cupy.array, (self.get(),)

    def __deepcopy__(self, memo):
        return self.copy()

    __hash__ = None
    T = property(lambda self: ndarray(self._a.T))
    real = property(lambda self: ndarray(self._a.real))
    imag = property(lambda self: ndarray(self._a.imag))
    flags = property(lambda self: self._a.flags)
    base = property(lambda self: self._a.base)


def _operator(name):
    reflected = name.startswith("__r") and name != "__rshift__"
    function = getattr(numpy.ndarray, name)

    def operate(self, other):
        if not isinstance(other, (ndarray, numpy.ndarray, numpy.generic, int, float, complex, bool)):
            ufunc = UFUNC.get(name)                     # as CuPy: NumPy's ufunc asks both sides, autograd's boxes too
            return NotImplemented if ufunc is None or not hasattr(other, "__array_ufunc__") else (
                ufunc(other, self) if reflected else ufunc(self, other))
        return _wrapped(function(self._a, _inside(other)))
    return operate


UFUNC = {f"__{name}__": ufunc for name, ufunc in {
    "add": numpy.add, "sub": numpy.subtract, "mul": numpy.multiply, "truediv": numpy.divide, "pow": numpy.power,
    "mod": numpy.mod, "floordiv": numpy.floor_divide, "matmul": numpy.matmul, "lt": numpy.less, "le": numpy.less_equal,
    "gt": numpy.greater, "ge": numpy.greater_equal, "eq": numpy.equal, "ne": numpy.not_equal}.items()}
for _name in ("add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split()):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
for _name in "lt le gt ge eq ne".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in "neg pos abs invert".split():
    setattr(ndarray, f"__{_name}__", lambda self, name=f"__{_name}__": _wrapped(getattr(self._a, name)()))


def _in_place(name):
    function = getattr(numpy.ndarray, name)

    def operate(self, other):
        function(self._a, _inside(other))
        return self
    return operate


for _name in "iadd isub imul itruediv ifloordiv ipow iand ior ixor".split():
    setattr(ndarray, f"__{_name}__", _in_place(f"__{_name}__"))


def _method(name):
    def method(self, *arguments, **options):
        return _wrapped(getattr(self._a, name)(*_inside(arguments), **_known(options)))
    return method


for _name in """all any argmax argmin argpartition argsort astype clip compress conj copy cumprod cumsum diagonal dot
        fill flatten max mean min nonzero partition prod ravel repeat reshape round searchsorted sort squeeze std sum
        swapaxes take trace transpose var view""".split():
    setattr(ndarray, _name, _method(_name))
for _name in "shape dtype ndim size nbytes itemsize strides".split():
    setattr(ndarray, _name, property(lambda self, name=_name: getattr(self._a, name)))
for _name in "item tolist tobytes".split():
    setattr(ndarray, _name, lambda self, *arguments, name=_name: getattr(self._a, name)(*arguments))


def _inside(x):
    """What an argument holds; an array of NumPy is refused."""
    if isinstance(x, ndarray):
        return x._a
    if isinstance(x, numpy.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(x, (tuple, list)) and not hasattr(x, "_fields"):
        return type(x)(_inside(item) for item in x)
    if isinstance(x, dict):
        return {key: _inside(value) for key, value in x.items()}
    return x


def _known(options):
    """What the options hold; those that CuPy does not have are refused."""
    for name in OPTIONS_LACKED & options.keys():
        raise TypeError(f"Wrong arguments {{{name!r}: {options[name]!r}}}")
    if options.get("order", "C") is None:
        raise TypeError("object of type 'NoneType' has no len()")
    return _inside(options)


def _wrapped(result):
    if isinstance(result, numpy.ndarray):
        return ndarray(result)
    if isinstance(result, (numpy.generic, float, complex)) or type(result) is bool:
        return ndarray(numpy.asarray(result))
    if isinstance(result, (tuple, list)) and any(isinstance(r, (numpy.ndarray, numpy.generic)) for r in result):
        return (list if isinstance(result, list) else tuple)(_wrapped(r) for r in result)
    if result is None or isinstance(result, PLAIN):
        return result
    raise TypeError(f"the stand-in does not know what CuPy gives for {type(result).__name__}.")


def _through(function, arguments, options):
    name = function.__name__
    if name in JOINS:
        strangers = [x for x in arguments[0] if not isinstance(x, ndarray)]
    elif isinstance(function, numpy.ufunc):
        strangers = [x for x in arguments if isinstance(x, (list, tuple))]
    else:
        strangers = [x for x in arguments[:1] if not isinstance(x, ndarray) and name not in TAKES_OTHERS]
        strangers += [x for x in arguments[1:2] if isinstance(x, ndarray) if name == "repeat"]
        strangers += [x for x in arguments[1:2] if not isinstance(x, ndarray) if name in OF_TWO]
    for x in strangers:
        raise TypeError(f"Unsupported type {type(x)}")
    return _wrapped(function(*_inside(arguments), **_known(options)))


class _Ufunc:
    """A function of arrays element by element, as an attribute of the module: callable, with `at` and `outer`."""

    def __init__(self, ufunc):
        self.ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *arguments, **options):
        return _through(self.ufunc, arguments, options)

    def at(self, a, index, b=None):
        self.ufunc.at(a._a, _inside(index), *(() if b is None else (_inside(b),)))

    def outer(self, a, b):
        return _wrapped(self.ufunc.outer(_inside(a), _inside(b)))


def _function(name, function):
    def call(*arguments, **options):
        if name in UPLOADS:
            return ndarray(numpy.array(function(_held(arguments[0]), *arguments[1:], **options)))
        return _through(function, arguments, options)
    call.__name__ = name
    return call


def _held(x):
    """For array and asarray, which may be given anything, but of CuPy's arrays only nests of equal ones."""
    if isinstance(x, ndarray):
        return x._a
    if not isinstance(x, (tuple, list)):
        return x
    if _has_array(x) and _shape(x) is None:
        return numpy.asarray(ndarray(None))         # CuPy asks NumPy, which is refused
    return type(x)(_held(item) for item in x)


def _has_array(x):
    return any(map(_has_array, x)) if isinstance(x, (tuple, list)) else isinstance(x, ndarray)


def _shape(x):
    """Of a nest of arrays of one shape, to any depth; else None."""
    if not isinstance(x, (tuple, list)):
        return x.shape if isinstance(x, ndarray) else None
    shapes = {_shape(item) for item in x}
    return (len(x), *shapes.pop()) if len(shapes) == 1 and None not in shapes else None


def _fill(module, source, lacks):
    for name in dir(source):
        value = getattr(source, name)
        if name.startswith("_") or name in lacks or name in module:
            continue
        if isinstance(value, numpy.ufunc):
            module[name] = _Ufunc(value)
        elif callable(value) and not isinstance(value, type):
            module[name] = _function(name, value)
        elif not isinstance(value, (types.ModuleType, type(numpy.r_), type(numpy.c_), type(numpy.mgrid))):
            module[name] = value


cupy = types.ModuleType("cupy", __doc__)
cupy.__version__, cupy.ndarray, cupy.is_available = "0 (a stand-in)", ndarray, lambda: True
cupy.linalg = types.ModuleType("cupy.linalg")
STREAM = types.SimpleNamespace(synchronize=lambda: None)            # what is asked for is done at once
cupy.cuda = types.SimpleNamespace(get_current_stream=lambda: STREAM)
cupy.polynomial = types.ModuleType("cupy.polynomial")       # has neither Hermite's nor Legendre's
cupy.asnumpy = lambda a: a.get() if isinstance(a, ndarray) else numpy.asarray(a)
_fill(vars(cupy), numpy, LACKS | {"ndarray"})
_fill(vars(cupy.linalg), numpy.linalg, LINALG_LACKS)


@contextlib.contextmanager
def in_place():
    """`import cupy` gives the stand-in, until the block ends."""
    before = sys.modules.get("cupy")
    sys.modules["cupy"] = cupy
    try:
        yield cupy
    finally:
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before


@contextlib.contextmanager
def no_floats():
    """Until the block ends, float(array) is refused, which CuPy allows."""
    REFUSES["float"] = True
    try:
        yield
    finally:
        REFUSES["float"] = False


@contextlib.contextmanager
def installed():
    """The stand-in in place and in use, until the block ends."""
    from refdgm import backend
    with in_place(), backend.use("cupy"):
        yield cupy
