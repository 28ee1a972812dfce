"""GANs and f-GANs on a ring of Gaussians, and the modes they cover: PNG and SVG, JSON and CSV.

    python scripts/figure_ring.py [--quick] [--seed S] [--jobs N] DIR

Every finished run is kept in DIR/gan_ring.runs; after a kill the same command goes on from there.
"""
import sys

from refdgm import reproduction

if __name__ == "__main__":
    sys.exit(reproduction.main("gan_ring"))
