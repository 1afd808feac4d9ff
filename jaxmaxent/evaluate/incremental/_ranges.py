"""The positions of windows: integer tables with one entry for each site, the position of a part of an edit.

Windows are described by numbers, not by symbols. An edit at `site` can change the positions `lo[site]` to `hi[site]`
along the sequence axis of a value. Both are NumPy tables. While the program is traced, each operation computes the
tables of its result from those of its inputs. Strides, uneven padding, edges and mirrored branches are exact, because
each site has its own entry. In the compiled program a window has one size, the largest, and its start is looked up. A
window that would extend beyond the sequence is moved inside; the unchanged positions in it are computed again.
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
        """Return the positions of this reach that lie inside a sequence axis of a given length."""
        lo, hi = np.maximum(self.lo, 0), np.minimum(self.hi, length - 1)
        nothing = hi < lo
        return Reach(self.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

    @property
    def size(self) -> int:
        """The largest number of positions over all sites; 0 if no site reaches any."""
        return int((self.hi - self.lo).max()) + 1

    def hull(self, other: Reach) -> Reach:
        """Return the smallest reach that contains both."""
        none, none_other = self.hi < self.lo, other.hi < other.lo
        lo = np.where(none, other.lo, np.where(none_other, self.lo, np.minimum(self.lo, other.lo)))
        return Reach(self.part, lo, np.maximum(self.hi, other.hi))

    def range(self, length: int) -> Range:
        """Return the window of fixed size that covers this reach, inside a sequence axis of a given length."""
        size = max(self.size, 1)
        return Range(self.part, np.clip(self.lo, 0, length - size), size)


class Range(NamedTuple):
    """The `size` positions from `start[site]` on, where `site` is the position of one part of the edit."""

    part: int
    start: Table
    size: int

    @property
    def key(self) -> tuple[Any, ...]:
        """A key that is the same for equal ranges; its part is −1 if the range is the same at every site."""
        fixed = bool((self.start == self.start[0]).all())
        return (-1, int(self.start[0]), self.size) if fixed else (self.part, self.start.tobytes(), self.size)

    def covers(self, other: Range) -> bool:
        """Return True if this range contains another range at every site."""
        same = self.part == other.part or self.key[0] == -1
        inside = (self.start <= other.start) & (other.start + other.size <= self.start + self.size)
        return same and bool(inside.all())

    def moved(self, start: Table, size: int) -> Range:
        """Return a range with another start and size, of the same part."""
        return Range(self.part, start, size)


def merged(reaches: list[Reach], length: int) -> list[Reach]:
    """Return fewer reaches that cover the same: two of one part are joined if the union is no larger than their sum."""
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
    # A union may now overlap another reach, so the list is merged again.
    return kept if len(kept) == len(reaches) or len(kept) < 2 else merged(kept, length)


class Slide(NamedTuple):
    """The way an operation reads its input along the sequence axis; for convolutions, pooling, padding and slices.

    Output o reads the positions o · stride to o · stride + width − 1 of the input after `base` − 1 zeros have been
    put between its elements and `low` in front.
    """

    before: int  # length of the input's axis
    after: int  # length of the output's axis
    width: int = 1
    stride: int = 1
    low: int = 0
    base: int = 1

    def spread(self, reach: Reach) -> Reach:
        """Return the positions of the output that depend on a reach of the input."""
        first, last = reach.lo * self.base + self.low, reach.hi * self.base + self.low
        lo = -((self.width - 1 - first) // self.stride)
        hi = last // self.stride
        nothing = reach.hi < reach.lo
        return Reach(reach.part, np.where(nothing, 0, lo), np.where(nothing, -1, hi))

    def needs(self, wanted: Range) -> Range:
        """Return the positions of the padded input that a range of outputs reads."""
        return wanted.moved(wanted.start * self.stride, (wanted.size - 1) * self.stride + self.width)
