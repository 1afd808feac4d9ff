"""Coordinates of sequences in a genome, as names carry them: the one place that reads and writes this form."""

from __future__ import annotations

import re
from typing import NamedTuple

from jaxmaxent import checks

# bedtools puts the name of an interval before its coordinates: "peak_1::chr1:100-201(+)". A chromosome may be called
# "HLA:1", so the last colon counts.
_NAME = re.compile(r"(?:.*::)?(.+):(\d{1,18})-(\d{1,18})(?:\(([+\-.])\))?", re.DOTALL)


class Region(NamedTuple):
    """A stretch of a chromosome. Its text is the name that `read_windows` gives: "chr1:100-201(+)".

        region = region_of("chr1:100-201(-)")
        region.part(0, 12)  # Region("chr1", 189, 201, "-"): the first 12 letters of the sequence

    Attributes:
        chromosome: the name of the chromosome.
        start: the first position, counted from 0.
        end: the position behind the last one.
        strand: "+", "-" or "." (not known, read as "+").
    """

    chromosome: str
    start: int
    end: int
    strand: str = "."

    def __str__(self) -> str:
        return f"{self.chromosome}:{self.start}-{self.end}({self.strand})"

    def part(self, start: int, stop: int) -> Region:
        """Return where positions start to stop (exclusive) of the region's sequence lie in the genome.

        On the strand "-" the sequence runs from the end of the region to its start.

        Raises:
            ValueError: if the positions are not in the sequence.
        """
        length = self.end - self.start
        stop = checks.integer("stop", stop, at_least=0, at_most=length)
        start = checks.integer("start", start, at_least=0, at_most=stop)
        if self.strand == "-":
            return self._replace(start=self.end - stop, end=self.end - start)
        return self._replace(start=self.start + start, end=self.start + stop)


def region_of(name: str, length: int | None = None) -> Region | None:
    """Return the coordinates that a name is made of, or None if it is none or does not fit to its sequence.

    Such names are those of `read_windows` and the headers of `bedtools getfasta`: "chr1:100-201(+)", without the
    strand, or behind "name::". Start and end count from 0, without the end. `samtools faidx` counts from 1, with the
    end: a name of this form is known by the length of its sequence, and converted.

        region_of("chr1:100-201(+)", 101)  # Region("chr1", 100, 201, "+")
        region_of("chr1:101-201", 101)  # Region("chr1", 100, 201, ".")
        region_of("peak_1", 101)  # None

    Args:
        name: the name of a sequence.
        length: number of letters of the sequence; None if it is not known, and then every name counts from 0.

    Raises:
        ValueError: if the name is no text.
    """
    found = _NAME.fullmatch(checks.text("name", name))
    if length is not None:
        length = checks.integer("length", length, at_least=0)
    if found is None:
        return None
    start, end = int(found[2]), int(found[3])
    if length is not None and start > 0 and end - start + 1 == length:
        start -= 1
    if start > end or (length is not None and end - start != length):
        return None
    return Region(found[1], start, end, found[4] or ".")
