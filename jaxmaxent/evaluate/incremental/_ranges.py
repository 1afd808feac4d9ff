"""The places of windows: integer tables with one entry for every site that may be edited.

Nothing about windows is symbolic. An edit at `site` can reach the positions `lo[site]` to `hi[site]` along the sequence
axis of a value. Both are tables in NumPy, which each operation maps to those of its result while the program is traced.
Strides, uneven padding, edges and mirrored branches are exact, because each site has an entry of its own. In the
compiled program a window has one size, the largest, and its start is looked up. A window that would stick out of the
sequence is moved inside; the unchanged positions in it are computed again.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int

Table = Int[np.ndarray, " sites"]


class Reach(NamedTuple):
    """Positions `lo[site]` to `hi[site]` that an edit of one part can change; none where hi < lo."""

    part: int
    lo: Table
    hi: Table

    def within(self, length: int) -> Reach:
        """Return the part of it inside a sequence axis of some length."""
        lo, hi = np.maximum(self.lo, 0), np.minimum(self.hi, length - 1)
        nothing = hi < lo
        return Reach(self.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

    @property
    def size(self) -> int:
        """The largest number of positions, 0 if no site reaches any."""
        return int((self.hi - self.lo).max()) + 1

    def hull(self, other: Reach) -> Reach:
        """Return the smallest reach that holds both."""
        none, none_other = self.hi < self.lo, other.hi < other.lo
        lo = np.where(none, other.lo, np.where(none_other, self.lo, np.minimum(self.lo, other.lo)))
        return Reach(self.part, lo, np.maximum(self.hi, other.hi))

    def range(self, length: int) -> Range:
        """Return the window of one size that covers it, inside a sequence axis of some length."""
        size = max(self.size, 1)
        return Range(self.part, np.clip(self.lo, 0, length - size), size)


class Range(NamedTuple):
    """`size` positions from `start[site]`, where `site` is that of one part of the edit."""

    part: int
    start: Table
    size: int

    @property
    def key(self) -> tuple[Any, ...]:
        """A key that equal ranges share; the part is −1 for a range that is the same at every site."""
        fixed = bool((self.start == self.start[0]).all())
        return (-1, int(self.start[0]), self.size) if fixed else (self.part, self.start.tobytes(), self.size)

    def covers(self, other: Range) -> bool:
        """Return True if it holds another range at every site."""
        same = self.part == other.part or self.key[0] == -1
        inside = (self.start <= other.start) & (other.start + other.size <= self.start + self.size)
        return same and bool(inside.all())

    def moved(self, start: Table, size: int) -> Range:
        """Return the range of another start and size that belongs to the same part."""
        return Range(self.part, start, size)


def merged(reaches: list[Reach], length: int) -> list[Reach]:
    """Return few reaches that hold all: two of one part become one if that is no larger than both."""
    kept: list[Reach] = []
    for reach in (r.within(length) for r in reaches):
        if reach.size == 0:
            continue
        for i, other in enumerate(kept):
            hull = other.hull(reach)
            if other.part == reach.part and hull.size <= other.size + reach.size:
                kept[i] = hull
                break
        else:
            kept.append(reach)
    # A union may have grown into a neighbour.
    return kept if len(kept) == len(reaches) or len(kept) < 2 else merged(kept, length)


class Slide(NamedTuple):
    """The way an operation slides along the sequence axis: convolutions, pooling, padding and slices alike.

    Output o reads the positions o · stride to o · stride + width − 1 of the input after `base` − 1 zeros have been
    put between its elements and `low` in front.
    """

    before: int  # length of the input's axis
    after: int  # of the output's
    width: int = 1
    stride: int = 1
    low: int = 0
    base: int = 1

    def spread(self, reach: Reach) -> Reach:
        """Return the reach in the output of a change of the input."""
        first, last = reach.lo * self.base + self.low, reach.hi * self.base + self.low
        lo = -((self.width - 1 - first) // self.stride)
        hi = last // self.stride
        nothing = reach.hi < reach.lo
        return Reach(reach.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

    def needs(self, wanted: Range) -> Range:
        """Return the positions of the padded input that a range of outputs reads."""
        return wanted.moved(wanted.start * self.stride, (wanted.size - 1) * self.stride + self.width)
