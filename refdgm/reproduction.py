"""What the scripts do: make the data of one experiment, or of all, and write them with their pictures."""
import argparse
import importlib
import os
import sys
import time

EXPERIMENTS = ("bound_and_noise", "gap_bars", "mis_matrices", "ignored_by_cd", "langevin_bias", "nce_error",
               "game_spectra", "febm_mixture", "gan_ring", "directed_table", "undirected_table")


def main(name=None, argv=None):
    """One script: `name` is a module of refdgm.experiments, None all of them.  -> exit status"""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")      # matrices are small, and sums the same on every machine
    modules = [importlib.import_module(f"refdgm.experiments.{n}") for n in ([name] if name else EXPERIMENTS)]
    says = f"Write {modules[0].TITLE}" if name else "Write every figure and table"
    parser = argparse.ArgumentParser(description=f"{says}: JSON and CSV, PNG and SVG.")
    parser.add_argument("folder", metavar="DIR", help="where the files go; it is made if it is not there")
    parser.add_argument("--quick", action="store_true", help="a small one, in seconds, to see that it works")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N",
                        help="processes for tables (default all processors); the results are the same for any number")
    arguments = parser.parse_args(argv)
    try:
        for module in modules:
            begun = time.perf_counter()
            for path in make(module, arguments.folder, arguments.quick, arguments.seed, arguments.jobs):
                print(path)
            print(f"{module.NAME}: {time.perf_counter() - begun:.1f} s", file=sys.stderr)
    except (ValueError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{parser.prog}: interrupted; the runs of a table that were finished are kept.", file=sys.stderr)
        return 130
    return 0


def make(module, folder, quick=False, seed=0, jobs=1):
    """One experiment, written.  -> its files; a table leaves its runs beside them, and goes on from those"""
    from pathlib import Path

    import refdgm
    from refdgm import validation as valid
    from refdgm import drawing, files
    valid.count("the seed", seed, 0)
    valid.count("the number of processes", jobs)
    if hasattr(module, "write"):                            # files of another form
        return module.write(folder, quick, seed)
    header = {"name": module.NAME, "version": refdgm.__version__, "seed": seed, "quick": quick}
    is_table = getattr(module, "AS_LIST", False)
    if is_table or getattr(module, "WITH_RUNS", False):
        files.make_folder(folder)
        journal = Path(folder) / f"{module.NAME}{'.quick' if quick else ''}.runs"
        rows = module.make(quick, seed, jobs=jobs, journal=journal, tell=tell(module.NAME))
    else:
        rows = module.make(quick, seed)
    return drawing.write(folder, module.NAME, header, rows, module.draw, is_table)


def tell(name):
    """A line on stderr, rewritten, where there is someone to read it."""
    def say(done, of):
        if sys.stderr.isatty():
            print(f"\r{name}: {done} of {of} runs", end="\n" if done == of else "", file=sys.stderr, flush=True)
    return say
