"""The logos of a run as PNG files in memory, and a curve of its report."""

from __future__ import annotations

import numpy as np

from jaxmaxent import plot
from jaxmaxent.analysis import Profile, SequencesWithin, Thermodynamics, sequences_within
from jaxmaxent.console import printable
from jaxmaxent.data import Sequences
from jaxmaxent.results import Run

_THRESHOLDS = 31


def profile_logo(result: Run, a: int, k: int, found: Profile, anchors: Sequences) -> bytes:
    """Return the logo at a rung, above the anchor's letters, as a PNG file."""
    axes = plot.logo(
        found.frequencies,
        letters=result.letters,
        standard_error=found.frequency_errors,
        anchor=anchors.alphabet.decode(anchors.tokens)[a],
        title=f"{printable(result.names[a])}, β = {result.beta[a, k]:g}",
    )
    return plot.png(axes)


def number_of_sequences(result: Run, a: int, found: Thermodynamics | None) -> SequencesWithin | None:
    """Return the numbers of sequences within distances of an anchor; None if they are not known, or for a single β."""
    if found is None or not np.isfinite(found.heat_capacity).all() or not result.beta[a, -1] > result.beta[a, 0]:
        return None
    # The distances go from the smallest energies, of the target, to the largest, of the background.
    nearest, furthest = np.nanquantile(result.energies[a], [0.001, 0.99])
    if not furthest > nearest:
        return None
    within = sequences_within(result, np.linspace(nearest, furthest, _THRESHOLDS), anchor=a)
    return within if np.isfinite(within.log10_number).sum() >= 2 else None
