"""The command `refdgm`. Exit status: 0 as recorded, 1 something fell short, 2 usage or bad input (one line on stderr).

Nothing heavy is imported before a command needs it: `refdgm --help` and `refdgm list` load no NumPy.
"""
import argparse
import os
import sys

import refdgm
from refdgm import claim_commands, commands


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"refdgm: {message} (see `{self.prog} --help`)\n")


def parser():
    """The argument parser: one subcommand a job."""
    top = _Parser(prog="refdgm", description="The mathematics of deep generative models, executed and checked.",
                  epilog="exit status: 0 as recorded, 1 something fell short, 2 usage or bad input")
    top.add_argument("--version", action="version", version=f"refdgm {refdgm.__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(run, says):
        sub = subparsers.add_parser(run.__name__.rstrip("_"), help=says, description=says[0].upper() + says[1:] + ".")
        sub.set_defaults(run=run)
        return sub

    def instances(sub):
        sub.add_argument("--instances", type=_positive, default=4, metavar="N",
                         help="random models per claim (default 4)")
        sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first instance (default 0)")

    sub = command(claim_commands.verify, "check claims and derivations, ours or those of your own file")
    sub.add_argument("targets", nargs="*", metavar="TARGET",
                     help="an id, a document, a derivation, or FILE.py (default: everything)")
    instances(sub)
    sub.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes (default 1)")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")
    sub.add_argument("--backend", choices=("numpy", "cupy"), default="numpy",
                     help="what computes the claims' formulas; cupy does so on a GPU (default numpy)")
    sub.add_argument("--resume", metavar="FILE",
                     help="append each result to FILE, and skip what an earlier run left there")

    sub = command(claim_commands.show, "show one claim, or walk down one derivation, with its numbers")
    sub.add_argument("name", metavar="ID|DERIVATION")
    sub.add_argument("--walk", action="store_true", help="step down a derivation, a key at a time")
    instances(sub)

    sub = command(claim_commands.list_, "list the claims of a document, or the derivations")
    sub.add_argument("document", nargs="?", metavar="DOCUMENT|derivations")

    sub = command(claim_commands.errata, "list what is misprinted, false or lacks a condition, with the numbers")
    sub.add_argument("document", nargs="?", metavar="DOCUMENT")
    sub.add_argument("--format", choices=("text", "md", "json"), default="text")
    instances(sub)

    sub = command(claim_commands.falsify, "attack claims: search for counter-examples, and shrink what is found")
    sub.add_argument("targets", nargs="+", metavar="TARGET", help="an id, a document, or FILE.py")
    sub.add_argument("--starts", type=_positive, default=16, metavar="N",
                     help="random starts of each search (default 16)")
    sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first start (default 0)")

    sub = command(commands.crosscheck, "hold your own implementation against the reference, and name its mistake")
    sub.add_argument("target", nargs="?", metavar="TARGET", help="FILE.py or an importable module, with functions that "
                     "bear the names of contracts; NumPy, PyTorch or JAX")
    sub.add_argument("--contract", nargs="+", default=[], metavar="NAME", help="only these; NAME=FUNCTION where the "
                     "function has another name")
    sub.add_argument("--list", action="store_true", help="list the contracts")
    sub.add_argument("--template", choices=("torch", "jax", "numpy"), help="print a file to fill in")
    sub.add_argument("--framework", choices=("torch", "jax", "numpy"), help="default: what each function uses")
    sub.add_argument("--dtype", nargs="+", default=["float64", "float32"], choices=("float64", "float32", "bfloat16"),
                     help="default: float64 float32")
    sub.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the first instance (default 0)")
    sub.add_argument("--seconds", type=_positive, default=60, metavar="N", help="limit of one contract (default 60)")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")

    sub = command(commands.pages, "write the site: derivations, ledger and errata, with the numbers of this run")
    sub.add_argument("folder", metavar="DIR", help="a new folder, or that of an older site")
    sub.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes (default 1)")
    instances(sub)

    sub = command(commands.vectors, "write test vectors in JSON for implementations in other languages")
    sub.add_argument("folder", metavar="DIR", help="where: schema.json, index.json and a file for each contract")
    sub.add_argument("--contract", nargs="+", default=[], metavar="NAME", help="only these")

    sub = command(commands.exercise, "ask for a formula, or for a derivation's wrong lines, and look at the answer")
    sub.add_argument("name", metavar="ID|DERIVATION")
    sub.add_argument("file", nargs="?", metavar="FILE.py", help="the answer; without it, the exercise is printed")

    sub = command(commands.new, "write a commented template for a derivation of your own")
    sub.add_argument("file", metavar="FILE.py")

    sub = command(commands.bench, "time refdgm beside other libraries and beside what is possible")
    sub.add_argument("names", nargs="*", metavar="NAME", help="a case, or the beginning of some (default: all)")
    sub.add_argument("--list", action="store_true", help="only list the cases")
    sub.add_argument("--repeats", type=_positive, default=11, metavar="N", help="rounds; medians count (default 11)")
    sub.add_argument("--threads", type=_positive, metavar="N", help="threads of each library (default: all processors)")
    sub.add_argument("--quick", action="store_true", help="only the small cases, in 3 rounds")
    sub.add_argument("--json", metavar="FILE", help="write the whole result to FILE")

    command(commands.doctor, "say what is installed and whether it works")
    return top


def main(argv=None):
    """Run the command line -> exit status."""
    arguments = parser().parse_args(argv)
    # The matrices are small: threads of BLAS cost more than they bring, most of all beside --jobs or other programs.
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except ValueError as error:
        print(f"refdgm: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nrefdgm: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:             # the reader has gone, as in `refdgm list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"refdgm: {error.filename or 'what is printed'} cannot be written: {error.strerror}.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())      # what is left would fail once more at exit
        return 2


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {text!r}")
    return int(text)


def _seed(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 0, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
