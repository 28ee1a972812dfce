"""refdgm: the mathematics of deep generative models, executed and checked.

`import refdgm` loads nothing but this file; a submodule loads when it is first named
(``refdgm.directed.iwae`` works after a plain ``import refdgm``).
"""
import importlib
import os

from refdgm.loading import guard_formulas

__version__ = "0.1.0"

# In a checkout the derivations lie beside the package; installed, they are refdgm.derivations.
_beside = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if not os.path.isdir(os.path.join(__path__[0], "derivations")) and os.path.isdir(os.path.join(_beside, "derivations")):
    __path__.append(_beside)

guard_formulas()

_SUBMODULES = ("adversarial", "autoencoders", "backend", "bench_cases", "benchmark", "chains", "checking", "cli",
               "contract", "contracts", "crosscheck", "datasets", "derivation", "derivations", "diagnostics",
               "directed", "divergences", "elementary", "enumeration", "falsification", "fitting", "jit", "kernels",
               "learning", "ledger", "models", "numerics", "report", "samplers", "streams", "testing",
               "transition_test", "trees", "undirected", "updates", "validation", "vectors", "verification")


def __getattr__(name):
    if name == "fit":
        return importlib.import_module("refdgm.fitting").fit
    if name in _SUBMODULES:
        return importlib.import_module(f"refdgm.{name}")
    raise AttributeError(f"module 'refdgm' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES, "fit"])
