"""Every figure and every table, each with its data.

    python scripts/reproduce.py [--quick] [--seed S] [--jobs N] DIR

Runs of a table that are finished are kept beside it, so that after a kill the same command goes on.
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main())
