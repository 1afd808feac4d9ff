"""`python -m jaxmaxent` is the same as `jaxmaxent`."""

import sys

from jaxmaxent.cli import main

if __name__ == "__main__":
    sys.exit(main())
