"""What README.md shows is what the commands print."""
import contextlib
import importlib.util
import re
from pathlib import Path

import cuda_on_cpu

ROOT = Path(__file__).parent.parent


def test_readme_shows_real_output():
    spec = importlib.util.spec_from_file_location("refresh_readme", ROOT / "scripts/refresh_readme.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.README.read_text()
    assert len(script.BLOCK.findall(text)) >= 2
    assert script.masked(text) == script.masked(script.refreshed(text)), "run scripts/refresh_readme.py"


def test_readme_python_runs():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        on_gpu = "cupy" in block
        if on_gpu and cuda_on_cpu.COMPILER is None:
            continue
        with cuda_on_cpu.in_place() if on_gpu else contextlib.nullcontext():
            exec(compile(block, "README.md", "exec"), {})


def test_readme_shows_the_file_that_it_checks():
    assert (ROOT / "tests/example/my_code.py").read_text() in (ROOT / "README.md").read_text()
