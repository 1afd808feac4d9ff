"""Sites of an anchor, from the necessity and the sufficiency of its windows; those that stand in for each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.analysis._where.maps import Necessity, Sufficiency

# Neighbouring windows with so large a share of the largest value hold the same site.
_SAME = 0.9
# Another site begins only behind a valley: windows between it and a better one are below this share of it.
_VALLEY = 0.7
# A site is redundant if its necessity is below this share of its sufficiency, by more than so many standard errors.
_SPARED, _ERRORS = 0.5, 2.0


class FoundSite(NamedTuple):
    """A stretch of an anchor that the network sees.

    Attributes:
        anchor: index of the anchor.
        start: its first position.
        stop: the position behind its last one.
        redundant: True if the network can spare it although it is enough for much of the distance: other letters of the
            anchor, such as a second copy, stand in for it.
        necessity: that of its best window, in units of E.
        necessity_error: its standard error; 0 if windows were enumerated.
        sufficiency: that of the same window, in units of E.
        sufficiency_error: its standard error.
    """

    anchor: int
    start: int
    stop: int
    redundant: bool
    necessity: float
    necessity_error: float
    sufficiency: float
    sufficiency_error: float


def find_sites(
    necessity: Necessity, sufficiency: Sufficiency, *, share: float = 0.1, errors: float = 4.0
) -> tuple[FoundSite, ...]:
    """Return the sites of every anchor: windows that the network cannot spare, or that are enough by themselves.

    A window counts if its necessity or its sufficiency is at least a share of the distance of background sequences, and
    so many standard errors above 0. The window with the largest sum of both is taken first; windows that overlap it are
    left out, and so are those on its slopes. A site is the part that the neighbouring windows which do as well have in
    common, so it is narrower than a window if the network sees less, and shows the core of a site that is wider. Sites
    with little necessity in spite of their sufficiency are redundant.

    Args:
        necessity: that of windows of some width, for example `necessity(ensemble, width=12, draws=32)`.
        sufficiency: that of the same windows.
        share: least share of `sufficiency.background`, above 0.
        errors: least number of standard errors above 0.

    Returns:
        the sites of all anchors, in the order of anchors and of positions.

    Raises:
        ValueError: for bad input, or maps of different widths, lengths or anchors.

    Example:
        ```python
        needed = necessity(ensemble, 12, draws=32)
        [site for site in find_sites(needed, sufficiency(ensemble, 12)) if site.redundant]
        ```
    """
    checks.like("necessity", necessity, "position_errors", "a Necessity: necessity(ensemble) gives one")
    checks.like("sufficiency", sufficiency, "background", "a Sufficiency: sufficiency(ensemble) gives one")
    share = checks.number("share", share, above=0)
    errors = checks.number("errors", errors, above=0)
    if necessity.width != sufficiency.width or necessity.windows.shape != sufficiency.windows.shape:
        raise ValueError(
            f"necessity and sufficiency must be of the same windows, got widths {necessity.width} and "
            f"{sufficiency.width}, and shapes {list(necessity.windows.shape)} and {list(sufficiency.windows.shape)}"
        )
    found = []
    for a in range(len(necessity.windows)):
        found += sorted(_of_anchor(necessity, sufficiency, a, share, errors), key=lambda site: site.start)
    return tuple(found)


def _of_anchor(necessity: Necessity, sufficiency: Sufficiency, a: int, share: float, errors: float) -> list[FoundSite]:
    values = np.stack([necessity.windows[a], sufficiency.windows[a]])
    spread = np.stack([necessity.window_errors[a], sufficiency.window_errors[a]])
    counts = (values >= share * sufficiency.background[a]) & (values > errors * spread)
    # Windows that break a site and windows that hold it whole overlap it differently; those that do both count most.
    best, width = np.where(counts, values, 0).sum(0), necessity.width
    left, found = best.copy(), []
    heights = np.maximum(values, 0).sum(0)
    while left.max() > 0:
        peak = int(left.argmax())
        first = last = peak
        same = left >= _SAME * best[peak]
        while first > 0 and peak - first < width - 1 and same[first - 1]:
            first -= 1
        while last < len(best) - 1 and last - first < width - 1 and same[last + 1]:
            last += 1
        redundant = _is_redundant(values[:, peak], spread[:, peak])
        found.append(FoundSite(
            a, last, first + width, redundant, *(float(x) for x in (values[0, peak], spread[0, peak])),
            *(float(x) for x in (values[1, peak], spread[1, peak])),
        ))  # fmt: skip
        left[max(0, peak - width + 1) : peak + width] = 0
        left[_lowest_on_the_way(heights, peak) > _VALLEY * heights] = 0
    return found


def _lowest_on_the_way(heights: np.ndarray, peak: int) -> np.ndarray:
    """Return the lowest height between each window and the peak."""
    before, behind = heights[: peak + 1][::-1], heights[peak:]
    return np.concatenate([np.minimum.accumulate(before)[::-1], np.minimum.accumulate(behind)[1:]])


def _is_redundant(values: np.ndarray, spread: np.ndarray) -> bool:
    gap, error = _SPARED * values[1] - values[0], np.hypot(_SPARED * spread[1], spread[0])
    return bool(gap > _ERRORS * error)
