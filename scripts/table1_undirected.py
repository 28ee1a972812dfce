"""One RBM on binary digits by exact ML, CD-k, PCD and NCE: JSON and CSV, PNG and SVG.

    python scripts/table1_undirected.py [--quick] [--seed S] [--jobs N] DIR

Every finished run is kept in DIR/table1_undirected.runs; after a kill the same command goes on from there.
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("undirected_table"))
