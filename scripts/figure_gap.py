"""The two parts of the bound's gap, observation by observation: PNG and SVG, JSON and CSV.

    python scripts/figure_gap.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("gap_bars"))
