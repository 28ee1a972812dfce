"""Kernels kept on disk: a second process finds them, and an edit of any source that they inline throws them away."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refdgm
from refdgm import elementary, jit
from refdgm.elementary import dot_in_order
from refdgm.streams import philox

KERNEL = """
from refdgm.jit import compiled
from refdgm.streams import uniform

@compiled
def first_uniform(words, u):
    for i in range(len(u)):
        u[i] = uniform(words[i], u[i])
"""
PROCESS = """
import numpy as np
from refdgm.kernels.tiny import first_uniform
u = np.zeros(1)
first_uniform(np.full(1, 2**31, np.uint32), u)
print(round(u[0], 3), sum(first_uniform.stats.cache_hits.values()), sum(first_uniform.stats.cache_misses.values()))
"""


def test_an_edit_of_an_inlined_source_compiles_anew(tmp_path):
    package = tmp_path / "refdgm"
    (package / "kernels").mkdir(parents=True)
    source = Path(refdgm.__file__).parent
    for path in (*source.glob("*.py"), source / "kernels/__init__.py"):
        shutil.copy(path, package / path.relative_to(source))
    shutil.copytree(source / "cuda", package / "cuda")
    (package / "kernels/tiny.py").write_text(KERNEL)
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"PYTHONPATH": str(tmp_path)}

    def run():
        done = subprocess.run([sys.executable, "-c", PROCESS], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert run() == ["0.5", "0", "1"]               # the uniform, found on disk, compiled
    assert run() == ["0.5", "1", "0"]
    source = (package / "streams.py").read_text()
    edited = source.replace("* np.float64(2.0**-32)\n", "* np.float64(2.0**-33)\n", 1)
    assert edited != source
    (package / "streams.py").write_text(edited)
    assert run() == ["0.25", "0", "1"]


def test_a_kernel_computes_what_numpy_computes():
    import numba

    @numba.njit
    def on_numbers(x, u, out):
        for i in range(len(x)):
            out[0, i], out[1, i] = elementary.exp(x[i]), elementary.log(u[i])
            out[2, i], out[3, i] = elementary.sincos(u[i])
            out[4, i], out[5, i] = elementary.box_muller(u[i], u[-i])
            out[6, i], out[7, i] = elementary.tanh(x[i]), elementary.tanh(u[i])

    @numba.njit
    def words(c, out):
        for i in range(c.shape[1]):
            out[0, i], out[1, i], out[2, i], out[3, i] = philox(c[0, i], c[1, i], c[2, i], c[3, i], c[4, i], c[5, i])

    rng = np.random.default_rng(0)
    for real in (np.float64, np.float32):
        x = np.concatenate([rng.uniform(-900, 900, 1000), [np.inf, -np.inf, np.nan, 0.0, -0.0]]).astype(real)
        u, out = rng.uniform(0.01, 1, len(x)).astype(real), np.empty((8, len(x)), real)
        on_numbers(x, u, out)
        of = elementary.FOR[real]
        twin = (of.exp(x), of.log(u), *of.sincos(u), *of.box_muller(u, u[-np.arange(len(u))]), of.tanh(x), of.tanh(u))
        assert np.array_equal(out, np.stack(twin), equal_nan=True)
        assert np.array_equal(np.isnan(out[0]), np.isnan(x))
    counters = rng.integers(0, 2**32, (6, 100), dtype=np.uint32)
    out = np.empty((4, 100), np.uint32)
    words(counters, out)
    assert np.array_equal(out, np.stack(philox(*counters)))


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("K, J", [(1, 1), (7, 5), (300, 13), (4, 12)])
def test_products_add_in_order(K, J, real):
    import numba

    @numba.njit
    def products(w, panels, x, bits, reals, from_panels):
        jit.dot_bits(w, x, bits)
        jit.dot_reals(w, x, reals)
        jit.dot_bits(panels, x, from_panels)

    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(K, J)).astype(real), rng.integers(0, 2, (K, jit.lanes(real))).astype(real)
    outs = [np.ones((J, x.shape[1]), real) for _ in range(3)]
    products(w, jit.panels(w), x, *outs)
    twin = dot_in_order(x.T, w, np.ones((x.shape[1], J), real)).T
    assert all(np.array_equal(out, twin) for out in outs)


@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("K, J", [(1, 1), (300, 13), (7, 12)])
def test_products_begin_where_they_are_told(K, J, real):
    import numba

    @numba.njit
    def products(w, panels, x, start, of_matrix, of_panels, of_number):
        jit.dot_bits(w, x, of_matrix, start)
        jit.dot_bits(panels, x, of_panels, start)
        jit.dot_bits(w, x, of_number, start[0])

    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(K, J)).astype(real), rng.integers(0, 2, (K, jit.lanes(real))).astype(real)
    start, outs = rng.normal(size=J).astype(real), [np.full((J, x.shape[1]), np.nan, real) for _ in range(3)]
    products(w, jit.panels(w), x, start, *outs)
    for out, begin in zip(outs, (start, start, np.full_like(start, start[0]))):
        assert np.array_equal(out, dot_in_order(x.T, w, begin).T)


@pytest.mark.parametrize("n", [5, 200])             # shorter and longer than jit.SHORT
@pytest.mark.parametrize("chains", [1, 70])
def test_chains_are_turned_side_by_side_and_back(n, chains):
    x, lanes = np.random.default_rng(0).normal(size=(chains, n)), 32
    blocks, back = jit.pack(x, lanes), np.zeros_like(x)
    for b, block in enumerate(blocks):
        loaded = np.zeros_like(block)
        jit.load(x, b * lanes, loaded)
        assert np.array_equal(loaded, block)
        jit.store(loaded, back, b * lanes)
    assert np.array_equal(back, x) and np.array_equal(jit.unpack(blocks, chains), x)


def test_threads_get_whole_blocks():
    rows = np.arange(10)
    seen = []
    for threads, expected in ((1, [10]), (2, [4, 4, 2]), (5, [4, 4, 2])):
        seen.clear()
        jit.in_threads(lambda part: seen.append(len(part)), (rows,), (), threads, together=4)
        assert sorted(seen) == sorted(expected)
    seen.clear()
    jit.in_threads(lambda part: seen.extend(part), (np.arange(1000),), (), 2)
    assert sorted(seen) == list(range(1000))


@pytest.mark.parametrize("threads", [0, -1, np.nan, 1.5])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    """A pool of NaN threads starts none, and waits for them."""
    with pytest.raises(ValueError, match="threads must be an integer of at least 1"):
        jit.in_threads(len, (np.arange(1000),), (), threads)
