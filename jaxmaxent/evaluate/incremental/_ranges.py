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


def joined(reaches: list[Reach], length: int) -> Reach:
    """Return one reach that covers all of several: of one part their hull, of several parts the whole axis."""
    one, *others = reaches
    for other in others:
        if other.part != one.part:
            return Reach(0, np.zeros_like(one.lo), np.full_like(one.hi, length - 1))
        one = one.hull(other)
    return one


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


# A reach of an input of a look-up becomes at most this many reaches of its output.
_RUNS = 4
# The largest number of pairs of a site and a position that are compared to find these runs.
_PAIRS = 2**26


class Reads(NamedTuple):
    """The way an operation reads its input along the sequence axis by a fixed table; for look-ups and banded products.

    Output o reads positions `first[o]` to `last[o]` of the input, or none if `last[o]` < `first[o]`.
    """

    first: Int[np.ndarray, " outputs"]
    last: Int[np.ndarray, " outputs"]

    def spread(self, reach: Reach) -> list[Reach]:
        """Return the runs of outputs that depend on a reach of the input."""
        if len(self.first) * len(reach.lo) > _PAIRS:
            return [Reach(reach.part, np.zeros_like(reach.lo), np.full_like(reach.hi, len(self.first) - 1))]
        hit = (self.first <= reach.hi[:, None]) & (self.last >= reach.lo[:, None]) & (self.first <= self.last)
        hit &= (reach.hi >= reach.lo)[:, None]
        edges = np.diff(np.pad(hit, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        runs = int((edges == 1).sum(1).max(initial=0))
        if runs == 0:
            return []
        if runs > _RUNS:
            lo, last = hit.argmax(1), hit.shape[1] - 1 - hit[:, ::-1].argmax(1)
            return [Reach(reach.part, np.where(hit.any(1), lo, 0), np.where(hit.any(1), last, -1))]
        lo, hi = (np.full((len(hit), runs), fill) for fill in (0, -1))
        sites, begins = np.nonzero(edges == 1)
        ends = np.nonzero(edges == -1)[1] - 1
        number = np.arange(len(sites)) - np.searchsorted(sites, sites)  # the run's number at its site
        lo[sites, number], hi[sites, number] = begins, ends
        return [Reach(reach.part, lo[:, i], hi[:, i]) for i in range(runs)]

    def needs(self, wanted: Range, before: int) -> Range:
        """Return the positions of the input, of length `before`, that a range of outputs reads."""
        at = wanted.start[:, None] + np.arange(wanted.size)
        none = self.last[at] < self.first[at]
        lo = np.where(none, before, self.first[at]).min(1)
        hi = np.where(none, -1, self.last[at]).max(1)
        size = max(int((hi - lo).max()) + 1, 1)
        return wanted.moved(np.clip(lo, 0, before - size), size)
