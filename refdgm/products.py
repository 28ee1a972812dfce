"""w'x for a block of chains side by side: what a kernel's time goes to, kept in registers by hand."""
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from refdgm import backend
from refdgm.compiling import compiled

VECTOR_BYTES = 64 if binding.get_host_cpu_features().get("avx512f") else 32
VECTORS, ROWS = (4, 6) if VECTOR_BYTES == 64 else (4, 3)     # accumulators: 24 of 32 registers, or 12 of 16


def lanes(real):
    """How many chains a block holds for `dot`: four vectors of the processor's width."""
    return VECTORS * VECTOR_BYTES // np.dtype(real).itemsize


def tile(rows, fused):
    """add(w, x, out, start, j, k0, k1):  out[j + r, :] += sum_k w[k, j + r] x[k, :],  r < rows, k0 <= k < k1 in order.

    Where k0 = 0 the sums begin with start[j + r], or with start if it is a number; with out if it is None. w and x lie
    row by row without gaps, x and out are `lanes` wide. A product and its sum are rounded separately where fused is
    False, as the processor likes it where it is True, for x of zeros and ones, and once where it is "always".
    The sums stay in registers over the loop, which no loop vectoriser arranges; hence LLVM by hand.
    """
    flags = ["contract"] if fused is True else []

    @intrinsic
    def add(typing, w, x, out, start, j, k0, k1):
        def build(context, b, signature, arguments):
            arrays = [context.make_array(t)(context, b, a) for t, a in zip(signature.args[:3], arguments[:3])]
            w_data, x_data, out_data = (array.data for array in arrays)
            kind, (start, j, k0, k1) = signature.args[3], arguments[3:]
            index, int32 = ir.IntType(64), ir.IntType(32)
            width = VECTOR_BYTES // context.get_abi_sizeof(w_data.type.pointee)
            vector = ir.VectorType(w_data.type.pointee, width)
            columns = b.extract_value(arrays[0].shape, 1)

            def number(value):
                return ir.Constant(index, value)

            def vectors(data, row):                 # the addresses of row `row` of x or out
                start = b.mul(row, number(VECTORS * width))
                return [b.bitcast(b.gep(data, [b.add(start, number(v * width))]), vector.as_pointer())
                        for v in range(VECTORS)]

            def everywhere(scalar):
                first = b.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(int32, 0))
                zeros = ir.Constant(ir.VectorType(int32, width), [0] * width)
                return b.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)

            def beginning(row):                     # in every chain
                if isinstance(kind, types.Float):
                    return everywhere(start)
                return everywhere(b.load(b.gep(context.make_array(kind)(context, b, start).data, [row])))

            def add_product(total, weight, unit):
                if fused != "always":
                    return b.fadd(total, b.fmul(weight, unit, flags=flags), flags=flags)
                bits = 8 * context.get_abi_sizeof(w_data.type.pointee)
                fma = cgutils.get_or_insert_function(b.module, ir.FunctionType(vector, [vector] * 3),
                                                     f"llvm.fma.v{width}f{bits}")
                return b.call(fma, [weight, unit, total])

            targets = [vectors(out_data, b.add(j, number(r))) for r in range(rows)]
            sums = [[cgutils.alloca_once(b, vector) for _ in row] for row in targets]
            begins = ir.Constant(ir.IntType(1), 0) if kind == types.none else b.icmp_signed("==", k0, number(0))
            with b.if_else(begins) as (at_start, at_out):
                with at_start:
                    for r, row in enumerate(() if kind == types.none else sums):
                        first = beginning(b.add(j, number(r)))
                        for total in row:
                            b.store(first, total)
                with at_out:
                    for row, places in zip(sums, targets):
                        for total, place in zip(row, places):
                            b.store(b.load(place, align=4), total)
            with cgutils.for_range_slice(b, k0, k1, number(1), index) as (k, _):
                units = [b.load(p, align=4) for p in vectors(x_data, k)]
                weights = b.gep(w_data, [b.add(b.mul(k, columns), j)])
                for r, row in enumerate(sums):
                    weight = everywhere(b.load(b.gep(weights, [number(r)])))
                    for total, unit in zip(row, units):
                        b.store(add_product(b.load(total), weight, unit), total)
            for row, places in zip(sums, targets):
                for total, place in zip(row, places):
                    b.store(b.load(total), place, align=4)
            return context.get_dummy_value()

        return types.void(w, x, out, start, types.int64, types.int64, types.int64), build

    return add


def panels(w):
    """w (K, J) as dot_bits and dot_reals read it fastest; on a GPU, row by row."""
    return backend.module_of(w).ascontiguousarray(w) if backend.on_device(w) else _panels(w)


@compiled
def _panels(w):
    """(J / ROWS, K, ROWS), the last panel filled up with zeros. In w consecutive reads lie a row apart, mostly on
    another page."""
    units, columns = w.shape
    packed = np.zeros((-(-columns // ROWS), units, ROWS), w.dtype)
    for j in range(0, columns, ROWS):
        panel, source = packed[j // ROWS], w[:, j:j + ROWS]
        if source.shape[1] == ROWS:                 # so many: known to the compiler, which then needs no loop
            for k in range(units):
                for r in range(ROWS):
                    panel[k, r] = source[k, r]
        else:
            for k in range(units):
                for r in range(source.shape[1]):
                    panel[k, r] = source[k, r]
    return packed


def rest(start, j):
    """What is left of it from row j on: of an array; a number, or None, is the same for all rows."""


overload(rest)(lambda start, j: (lambda start, j: start[j:]) if isinstance(start, types.Array)
               else (lambda start, j: start))


def _dot(fused):
    wide, pair, single, stretch = tile(ROWS, fused), tile(2, fused), tile(1, fused), 256

    def of_matrix(w, x, out, start=None):
        units, columns = w.shape
        for k0 in range(0, units, stretch):         # a stretch of x stays in the cache while all columns pass
            k1 = min(units, k0 + stretch)
            whole = columns - columns % ROWS
            for j in range(0, whole, ROWS):
                wide(w, x, out, start, j, k0, k1)
            for j in range(whole, columns - 1, 2):
                pair(w, x, out, start, j, k0, k1)
            if (columns - whole) % 2:
                single(w, x, out, start, columns - 1, k0, k1)

    def of_panels(w, x, out, start=None):
        units = x.shape[0]
        for k0 in range(0, units, stretch):
            k1 = min(units, k0 + stretch)
            for p in range(w.shape[0]):
                panel, rows, first = w[p], out[p * ROWS:], rest(start, p * ROWS)
                if rows.shape[0] >= ROWS:
                    wide(panel, x, rows, first, 0, k0, k1)
                else:
                    left = rows.shape[0]
                    for r in range(0, left - 1, 2):
                        pair(panel, x, rows, first, r, k0, k1)
                    if left % 2:
                        single(panel, x, rows, first, left - 1, k0, k1)

    def dot(w, x, out, start=None):
        """For kernels only."""

    overload(dot, jit_options={"error_model": "numpy"})(
        lambda w, x, out, start=None: of_matrix if w.ndim == 2 else of_panels)
    return dot


dot_bits = _dot(fused=True)
"""dot_bits(w, x, out): out += w'x for a block of chains, x of zeros and ones.  (K, J), (K, lanes), (J, lanes)
dot_bits(w, x, out, start): out = start + w'x, start (J,) or a number.

w may also come as panels(w), which is faster where w is large. Equal bit for bit to elementary.dot_in_order: the
products are exact, so that fusing them with the sum changes nothing.
"""
dot_reals = _dot(fused=False)
"""The same for any x, at half the speed: product and sum are rounded separately, as NumPy does."""
dot_fused = _dot(fused="always")
"""The same for any x at full speed: product and sum are rounded once, as elementary.dot_fused does."""
