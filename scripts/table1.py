"""ou2018's Table 1 on a sigmoid belief net and binary digits: JSON and CSV, PNG and SVG.

    python scripts/table1.py [--quick] [--seed S] [--jobs N] DIR

Every finished run is kept in DIR/table1.runs; after a kill the same command goes on from there.
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("directed_table"))
