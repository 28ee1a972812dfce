"""The error of noise-contrastive estimation against nu: PNG and SVG, JSON and CSV.

    python scripts/figure_nce.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("nce_error"))
