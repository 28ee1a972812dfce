"""A product and a sum rounded once: NumPy's emulation against rational numbers, and the compiled product against it."""
from fractions import Fraction

import numba
import numpy as np
import pytest

from refdgm import jit
from refdgm.elementary import dot_fused, dot_in_order, fma


def hard_cases(real, number=4000):
    """Sums that cancel to their last bits, sums that lie beside the middle of two numbers, and others."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=number) * np.exp(rng.uniform(-9, 9, number)) for _ in range(2))
    a, b = a.astype(real), b.astype(real)
    tiny, other = np.finfo(real).eps, rng.normal(size=number)
    c = np.choose(np.arange(number) % 4, [-a * b, -a * b * real(1 + 2 * tiny), other,
                                          other * np.abs(a * b) * np.exp(rng.uniform(-40, 40, number))]).astype(real)
    few = np.array([1, 1 + tiny, 1 + 3 * tiny, 1 - tiny / 2, 1.5 * tiny, tiny / 2, -tiny / 2, tiny**2, -tiny**2], real)
    corners = np.stack(np.meshgrid(few, few, few), axis=-1).reshape(-1, 3).T
    e = (np.arange(1, 64, 2) * np.exp2(-np.arange(14, 50)[:, None])).ravel()    # a b = tiny (1 - e^2): beside a middle
    beside = (tiny * (1 - e)).astype(real), (1 + e).astype(real), np.full(len(e), 2 + 2 * tiny, real)
    return tuple(np.concatenate(parts) for parts in zip((a, b, c), corners, beside))


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_fma_is_the_nearest_number(real):
    a, b, c = hard_cases(real)
    found = fma(a, b, c)
    assert found.dtype == real
    separate, integer = 0, np.uint32 if real is np.float32 else np.uint64
    for x, y, z, s in zip(a, b, c, found):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        error = abs(Fraction(float(s)) - exact)
        for other in (np.nextafter(s, real(np.inf)), np.nextafter(s, real(-np.inf))):
            further = abs(Fraction(float(other)) - exact)
            assert error < further or error == further and s.view(integer) % 2 == 0
        separate += x * y + z != s
    assert separate > 1000          # the cases tell it from two roundings


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("K, J", [(1, 1), (7, 5), (300, 13)])
def test_the_compiled_product_rounds_once(K, J, real):
    @numba.njit
    def product(w, x, out):
        jit.dot_fused(w, x, out)

    rng = np.random.default_rng(1)
    w, x = rng.normal(size=(K, J)).astype(real), rng.normal(size=(K, jit.lanes(real))).astype(real)
    start = rng.normal(size=(J, x.shape[1])).astype(real)
    out = start.copy()
    product(w, x, out)
    assert np.array_equal(out, dot_fused(x.T, w, start.T).T)
    assert not np.array_equal(out, dot_in_order(x.T, w, start.T).T)
