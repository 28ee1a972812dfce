"""The bias of Langevin dynamics against its step: PNG and SVG, JSON and CSV.

    python scripts/figure_langevin.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("langevin_bias"))
