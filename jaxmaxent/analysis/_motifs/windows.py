"""The informative windows of many anchors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent.analysis._profiles.profile import information_bits, information_errors, informative_window

_SURE = 2.0  # standard errors that are taken off the information of a position


class Window(NamedTuple):
    """The positions [start, stop) of an anchor, given by its index."""

    anchor: int
    start: int
    stop: int


def informative_windows(
    frequencies: Float[np.ndarray, "anchors length letters"],
    errors: Float[np.ndarray, "anchors length letters"],
    threshold: float,
    least: float,
    gap: int,
    flank: int,
) -> list[Window]:
    """All windows, by anchor and position; the arguments are those of `find_motifs`.

    Information counts as far as it is sure, less 2 of its standard errors. An anchor is cut where more than `gap`
    positions in a row have no more than `threshold` bits; of each part the stretch with the largest sum of information
    above `threshold` is taken, and so on to its left and right.
    """
    # The error of a letter that was always or never seen is not known: its information counts as it is.
    doubt = information_errors(frequencies, np.nan_to_num(errors))
    length = frequencies.shape[1]
    windows = []
    for anchor, bits in enumerate(information_bits(frequencies) - _SURE * doubt):
        parts = _islands(bits > threshold, gap)
        while parts:
            low, high = parts.pop()
            start, stop = (low + end for end in informative_window(bits[low:high], threshold=threshold))
            if start == stop:
                continue
            if bits[start:stop].sum() >= least:
                windows.append(Window(anchor, max(start - flank, 0), min(stop + flank, length)))
            parts += [(low, start), (stop, high)]
    return sorted(windows)


def _islands(informative: Bool[np.ndarray, " length"], gap: int) -> list[tuple[int, int]]:
    """Stretches [start, stop) of positions, cut where more than `gap` in a row are not informative."""
    places = np.flatnonzero(informative)
    if not places.size:
        return []
    cuts = np.flatnonzero(np.diff(places) > gap + 1)
    firsts, lasts = places[np.append(0, cuts + 1)], places[np.append(cuts, len(places) - 1)]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))
