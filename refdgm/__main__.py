"""`python -m refdgm` is `refdgm`."""
import sys

from refdgm.cli import main

sys.exit(main())
