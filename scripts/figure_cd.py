"""The term that CD-k ignores, and CD-k's bias, against k: PNG and SVG, JSON and CSV.

    python scripts/figure_cd.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("ignored_by_cd"))
