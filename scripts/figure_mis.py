"""The transition matrix of Metropolis independence sampling, and of a shipped mistake: PNG and SVG, JSON and CSV.

    python scripts/figure_mis.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("mis_matrices"))
