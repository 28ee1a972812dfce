"""Every public function of the formula modules is guarded (refdgm.boundary) when its module is loaded."""
import sys
from importlib.machinery import PathFinder, SourceFileLoader

ROOMS = ("elementary", "streams", "proposals", "numerics", "divergences", "diagnostics", "datasets", "updates",
         "gradients", "trees", "enumeration", "fused", "chains", "continuous", "fitting", "models", "samplers",
         "f_divergences", "directed", "undirected", "adversarial", "autoencoders", "learning")


class Loader(SourceFileLoader):
    """Loads a module and guards what is public in it."""

    def exec_module(self, module):
        super().exec_module(module)
        import inspect

        from refdgm.boundary import guarded
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_") \
                    and not inspect.isgeneratorfunction(value):
                setattr(module, name, guarded(value))


class Finder:
    """Finds the modules of ROOMS."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        package, _, inside = name.partition(".")
        if package != "refdgm" or inside.split(".")[0] not in ROOMS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def guard_formulas():
    """Guard the modules of ROOMS as they are imported."""
    sys.meta_path.insert(0, Finder)
