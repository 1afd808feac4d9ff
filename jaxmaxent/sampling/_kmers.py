"""Which k-mers a run counts."""

from __future__ import annotations

from typing import Any

from jaxmaxent import checks
from jaxmaxent.ensembles import Ensemble

# Counts are kept of every k-mer that is possible: at most those of 8 letters of DNA.
MOST_KMERS = 4**8


def checked_kmers(given: Any, ensemble: Ensemble) -> int:
    """Return the letters of the k-mers to count, 0 for None; ValueError if there are too many k-mers or none."""
    if given is None:
        return 0
    size = checks.integer("kmers", given, at_least=1, at_most=ensemble.length)
    if len(ensemble.alphabet) ** size > MOST_KMERS:
        raise ValueError(f"kmers must be so small that at most {MOST_KMERS:,} k-mers are possible, got {size}")
    return size
