"""Windows of genomes for tests in which some intervals have none."""

import warnings

from jaxmaxent.data import LeftOut, read_windows


def windows_inside(genome, intervals, **settings):
    """Windows of the intervals that have one; the others are left out without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)
        return read_windows(genome, intervals, skip_invalid=True, **settings)
