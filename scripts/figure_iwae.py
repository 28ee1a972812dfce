"""The IWAE bound, and its gradient's signal-to-noise ratio, against K: PNG and SVG, JSON and CSV.

    python scripts/figure_iwae.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("bound_and_noise"))
