"""The entry point of `python -m jaxmaxent`, which is the same as `jaxmaxent`."""

import sys

from jaxmaxent.cli import main

if __name__ == "__main__":
    sys.exit(main())
