"""The CUDA sources compile for a GPU, and what comes out rounds as they say. Needs nvcc or NVRTC, and no GPU."""
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from refdgm import launch

NVCC = shutil.which("nvcc") if "REFDGM_NVCC" in os.environ else None       # takes a minute
FAMILIES = sorted(path.stem for path in launch.CUDA.glob("*.cu"))
MLP = "MLPEnergy<2,64,64>"
OPEN = {"on_target": [{"TARGET": target} for target in ("Gaussian<3>", "GaussianMixture<2,8>", MLP,
                                                        "LogisticRegression<8>")],
        "linear_gaussian": [{"UNITS": 4}], "rbm": [{"ALIGNED": 0}, {}]}                 # macros of a family
PRODUCTS = {"rbm.half_step", "gaussian_rbm.visible", "ais.hidden", "ais.visible", "sbn.activate"}   # layer<true>
INEXACT = re.compile(r"\b(?:div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.(?:approx|full)")
STACK = 128                 # bytes of a thread's registers that may go to memory in a product of matrices
ARCHITECTURE = "sm_90"

everything = pytest.mark.parametrize("family, real, macros", [
    (family, real, {"ALIGNED": 1, **macros}) for family in FAMILIES for real in (np.float64, np.float32)
    for macros in OPEN.get(family, [{}])])


def check(ptx, family, real, macros):
    """No product is fused with a sum but where the source says so, and nothing is approximated."""
    assert not INEXACT.findall(ptx)
    columns = launch.TILE_ROWS * launch.TILE_COLUMNS // (8 * launch.THREADS[real])
    for name, body in re.findall(r"\.entry (\w+)\((.*?)(?=\.entry|\Z)", ptx, re.DOTALL):
        fused = len(re.findall(r"\bfma\.rn", body))
        if f"{family}.{name}" in PRODUCTS:
            assert fused == 8 * 8 * columns
        elif macros.get("TARGET") == MLP:               # four products of 8, 8, 8 and 1 fours, two loops over tanh
            assert fused == 4 * 3 * 8 + 2 + 2 * 2 * (16 if real is np.float64 else 9)
        else:
            assert fused == 0


@pytest.mark.skipif(NVCC is None, reason="nvcc is not found, or REFDGM_NVCC is not set")
@everything
def test_by_nvcc(family, real, macros, tmp_path):
    given = launch.options(real, **macros)
    defined = [option.removeprefix("-D").replace("=", " ") for option in given if option.startswith("-D")]
    source = "".join(f"#define {macro}\n" for macro in defined) + launch.source(family)     # nvcc splits -D at commas
    (tmp_path / "kernels.cu").write_text(source)
    done = subprocess.run([NVCC, f"-arch={ARCHITECTURE}", *(option for option in given if not option.startswith("-D")),
                           "-cubin", "--keep", "--resource-usage", "-diag-suppress=177", "kernels.cu"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    assert not done.returncode, report
    check((tmp_path / "kernels.ptx").read_text(), family, real, macros)
    print(report)
    if family not in OPEN:
        assert all(int(stack) <= STACK for stack in re.findall(r"(\d+) bytes stack frame", report))


@everything
def test_by_nvrtc_as_cupy_calls_it(family, real, macros):
    nvrtc = pytest.importorskip("cupy").cuda.nvrtc
    try:
        nvrtc.getVersion()
    except Exception as reason:                             # of a type that depends on CuPy's version
        pytest.skip(f"CuPy finds no NVRTC: {reason}")
    program = nvrtc.createProgram(launch.source(family), f"{family}.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*launch.options(real, **macros), "-ftz=true", f"-arch={ARCHITECTURE}",
                                       "--device-as-default-execution-space"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    check(nvrtc.getPTX(program).decode(), family, real, macros)
