"""An import names only a strictly lower layer, so siblings never import each other and the structure stays a tree."""
import ast
from pathlib import Path

import refdgm

LAYERS = [("array_library",), ("autograd_on_device",), ("backend",),
          ("validation", "formulas", "files", "boundary", "bits"), ("loading",),
          ("numerics", "trees", "markup", "line_code", "workers"),
          ("elementary", "gradients"), ("streams", "updates", "frameworks", "journal"),
          ("chains", "diagnostics", "transition_test", "datasets", "fitting", "drawing", "runs",
           "claim", "distances"),
          ("checking", "sequential"), ("derivation", "contract", "instances"), ("judging", "trials"),
          ("draws", "values", "f_divergences", "every_state"),
          ("models", "divergences"),
          ("launch", "proposals"), ("cuda",), ("compiling",), ("products",), ("jit",), ("moves",), ("kernels",),
          ("enumeration", "fused", "continuous"), ("samplers",),
          ("directed", "undirected", "adversarial", "autoencoders"), ("learning",), ("experiments",),
          ("derivations", "contracts", "reproduction"), ("ledger",), ("places",), ("verdicts",), ("merging",),
          ("verification", "falsification", "crosscheck", "derivation_files"),
          ("report", "crosscheck_report", "doctor", "bench_process", "gpu_clock", "pages", "notebooks", "course"),
          ("benchmark", "bench_peers"),
          ("site", "walk", "exercise", "bench_cases", "vectors", "testing", "console"),
          ("claim_commands", "commands", "pytest_plugin"),
          ("cli",), ("__main__",)]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
PACKAGE = Path(refdgm.__file__).parent
DERIVATIONS = Path(next(p for p in map(Path, refdgm.__path__) if (p / "derivations").is_dir())) / "derivations"
NOT_LAYERED = {PACKAGE / "__init__.py", PACKAGE / "template.py"}     # the template is a user's file


def imported(path):
    """The modules of refdgm that a file imports, "directed.iwae" for refdgm.directed.iwae."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "refdgm":
            inside = node.module.split(".")[1:]
            for alias in node.names:
                below = ".".join([*inside, alias.name])
                yield below if not inside or (PACKAGE / below.replace(".", "/")).with_suffix(".py").exists() \
                    else ".".join(inside)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("refdgm."):
                    yield alias.name.removeprefix("refdgm.")


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        if path not in NOT_LAYERED:
            yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path
    for path in sorted(DERIVATIONS.glob("*.py")):
        yield "derivations", path


def test_imports_go_down():
    wrong = [f"{path.name} imports refdgm.{name}" for room, path in modules() for name in imported(path)
             if name.split(".")[0] not in ("__version__",) and LEVEL[name.split(".")[0]] >= LEVEL[room]]
    assert not wrong, "; ".join(wrong)


def test_the_walk_sees_the_package():
    found = {room for room, _ in modules()}
    assert {"numerics", "models", "directed", "derivations", "cli"} <= found
    assert "directed.iwae" in set(imported(DERIVATIONS / "iwae_is_rws.py"))


def test_modules_are_short():
    """A module can be read in five minutes."""
    long = [f"{path.name}: {n}" for _, path in modules() if (n := len(path.read_text().splitlines())) > 250]
    assert not long, long
