"""The CUDA sources compile for a GPU, and what comes out rounds as they say. Needs nvcc or NVRTC, and no GPU."""
import re
import shutil
import subprocess

import numpy as np
import pytest

from refdgm import launch

NVCC = shutil.which("nvcc")
FAMILIES = sorted(path.stem for path in launch.CUDA.glob("*.cu"))
OPEN = {"on_target": {"TARGET": "GaussianMixture<2,8>"}, "linear_gaussian": {"UNITS": 4}}       # macros of a family
PRODUCTS = {"rbm.half_step", "gaussian_rbm.visible", "ais.hidden", "ais.visible", "sbn.activate"}   # layer<true>
NO_FMA = {"gaussian_rbm.hidden", "ais_weight.weigh", "sbn_sweep.sweep", "boltzmann.sequential",
          "boltzmann.random_site", "ising.colour"}
INEXACT = re.compile(r"\b(?:div|sqrt|rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.(?:approx|full)")
STACK = 128                 # bytes of a thread's registers that may go to memory in a product of matrices
ARCHITECTURE = "sm_90"

everything = pytest.mark.parametrize("family, real, aligned", [
    (family, real, aligned) for family in FAMILIES for real in (np.float64, np.float32)
    for aligned in ((0, 1) if family == "rbm" else (1,))])


def options(family, real, aligned):
    return launch.options(real, ALIGNED=aligned, **OPEN.get(family, {}))


def check(ptx, family, real):
    """No product is fused with a sum but where the source says so, and nothing is approximated."""
    assert not INEXACT.findall(ptx)
    columns = launch.TILE_ROWS * launch.TILE_COLUMNS // (8 * launch.THREADS[real])
    for name, body in re.findall(r"\.entry (\w+)\((.*?)(?=\.entry|\Z)", ptx, re.DOTALL):
        fused = len(re.findall(r"\bfma\.rn", body))
        if f"{family}.{name}" in PRODUCTS:
            assert fused == 8 * 8 * columns
        elif f"{family}.{name}" in NO_FMA:
            assert fused == 0


@pytest.mark.skipif(NVCC is None, reason="nvcc is not found")
@everything
def test_by_nvcc(family, real, aligned, tmp_path):
    given = options(family, real, aligned)
    macros = [option.removeprefix("-D").replace("=", " ") for option in given if option.startswith("-D")]
    source = "".join(f"#define {macro}\n" for macro in macros) + launch.source(family)     # nvcc splits -D at commas
    (tmp_path / "kernels.cu").write_text(source)
    done = subprocess.run([NVCC, f"-arch={ARCHITECTURE}", *(option for option in given if not option.startswith("-D")),
                           "-cubin", "--keep", "--resource-usage", "-diag-suppress=177", "kernels.cu"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    assert not done.returncode, report
    check((tmp_path / "kernels.ptx").read_text(), family, real)
    print(report)
    if family not in OPEN:
        assert all(int(stack) <= STACK for stack in re.findall(r"(\d+) bytes stack frame", report))


@everything
def test_by_nvrtc_as_cupy_calls_it(family, real, aligned):
    nvrtc = pytest.importorskip("cupy").cuda.nvrtc
    try:
        nvrtc.getVersion()
    except Exception as reason:                             # of a type that depends on CuPy's version
        pytest.skip(f"CuPy finds no NVRTC: {reason}")
    program = nvrtc.createProgram(launch.source(family), f"{family}.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*options(family, real, aligned), "-ftz=true", f"-arch={ARCHITECTURE}",
                                       "--device-as-default-execution-space"))
    except nvrtc.NVRTCError:
        pytest.fail(nvrtc.getProgramLog(program))
    check(nvrtc.getPTX(program).decode(), family, real)
