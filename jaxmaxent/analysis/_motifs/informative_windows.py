"""The search for the informative windows of many anchors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent.results._information import information_bits, information_errors, informative_window

_SURE = 2.0  # standard errors that are taken off the information of a position


class InformativeWindow(NamedTuple):
    """The positions [start, stop) of an anchor, which is given by its index."""

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
) -> list[InformativeWindow]:
    """Return all windows, by anchor and position; the arguments are those of `find_motifs`.

    The information of a position counts less 2 of its standard errors. An anchor is cut where more than `gap` positions
    in a row have no more than `threshold` bits. The stretch with the largest sum of information above `threshold` is
    taken of each part, then of what remains on its left and right, and so on.
    """
    # The error of a letter that was always or never seen is unknown. Its information counts in full.
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
                windows.append(InformativeWindow(anchor, max(start - flank, 0), min(stop + flank, length)))
            parts += [(low, start), (stop, high)]
    return sorted(windows)


def _islands(informative: Bool[np.ndarray, " length"], gap: int) -> list[tuple[int, int]]:
    """Return stretches [start, stop) of positions, cut where more than `gap` in a row are not informative."""
    places = np.flatnonzero(informative)
    if not places.size:
        return []
    cuts = np.flatnonzero(np.diff(places) > gap + 1)
    firsts, lasts = places[np.append(0, cuts + 1)], places[np.append(cuts, len(places) - 1)]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))
