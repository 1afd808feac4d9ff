"""Details of many anchors, packed for the page part by part, so that their runs need not be in memory together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxmaxent.report._detail import Detail, packed
from jaxmaxent.report._overview import SmallLogo, small_logo_of


@dataclasses.dataclass(frozen=True)
class Packed:
    """The details of anchors as the page has them.

    Attributes:
        letters: letters of the alphabet.
        names: names of the anchors.
        details: the text of each anchor.
        small_logos: the letters of the informative window of each anchor, None if it has none.
    """

    letters: str
    names: tuple[str, ...]
    details: tuple[str, ...]
    small_logos: tuple[SmallLogo | None, ...]

    @classmethod
    def joined(cls, parts: Sequence[Packed]) -> Packed:
        """Return the details of all parts, in their order."""
        together = {
            name: tuple(entry for part in parts for entry in getattr(part, name))
            for name in ("names", "details", "small_logos")
        }
        return cls(parts[0].letters, **together)


def pack_details(detail: Detail) -> Packed:
    """Return the details of some anchors as the page has them; a few tens of kilobytes for each."""
    count = range(len(detail.run.names))
    return Packed(
        detail.run.letters,
        tuple(detail.run.names),
        tuple(packed(detail, a) for a in count),
        tuple(small_logo_of(detail.run, a) for a in count),
    )
