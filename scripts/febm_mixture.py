"""f-EBM on the mixture of two Gaussians (yu2020 Sec. 6.1): febm_mixture.json, and Figures 1 to 4 with their data.

    python scripts/febm_mixture.py [--quick] [--seed S] DIR
"""
import argparse
import sys

from refdgm.experiments import febm_mixture

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=f"Write {febm_mixture.TITLE}: JSON and CSV, PNG and SVG.")
    parser.add_argument("folder", metavar="DIR", help="where the files go; it is made if it is not there")
    parser.add_argument("--quick", action="store_true", help="a small one, in seconds, to see that it works")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the minibatches (default 0)")
    arguments = parser.parse_args()
    try:
        print(*febm_mixture.write(arguments.folder, arguments.quick, arguments.seed), sep="\n")
    except ValueError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        sys.exit(2)
