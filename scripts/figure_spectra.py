"""The spectra of f-EBM's game at its equilibrium, and its flow: PNG and SVG, JSON and CSV.

    python scripts/figure_spectra.py [--quick] [--seed S] DIR
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("game_spectra"))
