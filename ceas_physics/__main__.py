"""`python -m ceas_physics`: the command `ceas`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
