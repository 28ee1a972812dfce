"""What is public in formula modules and in tools is guarded (refdgm.boundary) when its module is loaded."""
import sys
from importlib.machinery import PathFinder, SourceFileLoader

ROOMS = ("elementary", "streams", "proposals", "numerics", "divergences", "diagnostics", "datasets", "updates",
         "gradients", "trees", "enumeration", "fused", "chains", "continuous", "fitting", "models", "samplers",
         "f_divergences", "directed", "undirected", "adversarial", "autoencoders", "learning")
TOOLS = ("checking", "transition_test", "sequential", "contract", "crosscheck", "testing", "vectors", "verification",
         "falsification", "exercise", "drawing", "runs", "workers")         # what users call besides formulas


class Loader(SourceFileLoader):
    """Loads a module and guards what is public in it."""

    def exec_module(self, module):
        super().exec_module(module)
        _guard(module, module.__name__)


def _guard(place, module):
    """Guard the functions of a module, and of its classes the methods and what makes them callable."""
    import inspect

    from refdgm.boundary import guarded
    for name, value in list(vars(place).items()):
        if getattr(value, "__module__", None) == module and (not name.startswith("_") or name == "__call__"):
            if inspect.isclass(value):
                _guard(value, module)
            elif inspect.isfunction(value) and not inspect.isgeneratorfunction(value):
                setattr(place, name, guarded(value))


class Finder:
    """Finds the modules of ROOMS and TOOLS."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        package, _, inside = name.partition(".")
        if package != "refdgm" or inside.split(".")[0] not in ROOMS + TOOLS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def guard_formulas():
    """Guard the modules of ROOMS and TOOLS as they are imported."""
    sys.meta_path.insert(0, Finder)
