"""The places of anchors in a genome, read from their names, and their overlaps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent import checks
from jaxmaxent.data._region import Region, region_of
from jaxmaxent.data._text import one_word, open_lines

# The formats of tracks count positions with 32 bits.
_LAST = 2**32 - 1
_MOST = 2**20  # values that are averaged at a time


def in_genome(names: Sequence[str], length: int) -> tuple[Region, ...] | None:
    """Return the place of every anchor; None if a name gives no coordinates of `length` positions."""
    found = [region_of(name, length) for name in names]
    known = tuple(region for region in found if region is not None)
    return known if len(known) == len(found) else None


def places(names: Any, length: int) -> tuple[Region, ...]:
    """Return the place of every anchor by its name. If no name has coordinates, each anchor is its own sequence.

    Raises:
        ValueError: if some names have coordinates and others do not, coordinates are not of `length` positions or reach
            too far, or two anchors without coordinates have the same name.
    """
    named = [checks.text("names", name) for name in checks.several("names", names, "names of anchors")]
    if not any(map(region_of, named)):
        return _own_sequences(named, length)
    found = []
    for name in named:
        region, of_any_length = region_of(name, length), region_of(name)
        if of_any_length is None:
            raise ValueError(
                f"names must all be coordinates such as 'chr1:100-201(+)', or none of them, got {checks.shown(name)}"
            )
        if region is None:
            raise ValueError(
                f"names must be coordinates of {length} positions as the anchors have, from 0 and without the end, got "
                f"{checks.shown(name)} of {of_any_length.end - of_any_length.start}"
            )
        if region.end > _LAST:
            raise ValueError(f"names must be coordinates of at most {_LAST}, got {checks.shown(name)}")
        found.append(region._replace(chromosome=one_word(region.chromosome)))
    return tuple(found)


def _own_sequences(names: Sequence[str], length: int) -> tuple[Region, ...]:
    words = [one_word(name) for name in names]
    if "" in words:
        raise ValueError("names must not be empty, because an anchor without coordinates is a sequence of its name")
    repeated = sorted(word for word in set(words) if words.count(word) > 1) if len(set(words)) < len(words) else []
    if repeated:
        raise ValueError(
            "names must differ, because an anchor without coordinates is a sequence of its name, but several are "
            f"called {checks.shown(repeated[0])}"
        )
    return tuple(Region(word, 0, length) for word in words)


def sizes_of(placed: Sequence[Region], sizes: Mapping[str, int] | None) -> dict[str, int]:
    """Return the length of every chromosome: as given, or the largest end of an anchor on it.

    Raises:
        ValueError: if `sizes` is no such mapping, lacks a chromosome, or an anchor reaches beyond the end of one.
    """
    ends: dict[str, int] = {}
    for place in placed:
        ends[place.chromosome] = max(place.end, ends.get(place.chromosome, 0))
    if sizes is None:
        return ends
    if not isinstance(sizes, Mapping):
        raise ValueError(f"sizes must map names of chromosomes to their lengths, got {checks.shown(sizes)}")
    given = {
        checks.text("sizes", name): checks.integer(f"sizes[{name!r}]", size, at_least=1, at_most=_LAST)
        for name, size in sizes.items()
    }
    for chromosome, end in ends.items():
        if chromosome not in given:
            raise ValueError(f"sizes must have every chromosome of the anchors, got none for {chromosome!r}")
        if end > given[chromosome]:
            raise ValueError(
                f"sizes must be those of the genome of the anchors, got {given[chromosome]} for {chromosome!r}, on "
                f"which an anchor ends at {end}"
            )
    return given


def read_sizes(path: str | os.PathLike[str]) -> dict[str, int]:
    """Return the lengths of chromosomes from a table whose first columns are name and length: chrom.sizes or .fai."""
    sizes: dict[str, int] = {}
    with open_lines(path) as lines:
        for number, line in lines.numbered:
            cells = line.split()
            if not cells or cells[0].startswith("#"):
                continue
            if len(cells) < 2 or not re.fullmatch("[0-9]{1,15}", cells[1]):
                raise ValueError(
                    f"{lines.path}, line {number}: expected a chromosome and its length, got {checks.shown(line)}"
                )
            sizes[cells[0]] = int(cells[1])
    if not sizes:
        raise ValueError(f"{lines.path} is empty, expected a table of chromosomes and their lengths")
    return sizes


class TrackPart(NamedTuple):
    """The values of positions of one chromosome.

    Attributes:
        chromosome: its name.
        positions: positions that have a value, from 0, increasing, shape [positions].
        values: their values, shape [positions].
        anchors: number of anchors that give the value, shape [positions].
    """

    chromosome: str
    positions: Int[np.ndarray, " positions"]
    values: Float[np.ndarray, " positions"]
    anchors: Int[np.ndarray, " positions"]


def track_parts(
    placed: Sequence[Region], values: Float[np.ndarray, "anchors length"], *, errors: bool = False
) -> Iterator[TrackPart]:
    """Yield the values along the genome, by the names of chromosomes and then by position.

    Anchors on the strand "-" are turned round. Where anchors overlap, the value is the mean of theirs, or the standard
    error of the mean if values are errors. NaN counts as no value. A part has at most about a million values of
    anchors, or a single position.
    """
    chromosomes: dict[str, list[int]] = {}
    for a, place in enumerate(placed):
        chromosomes.setdefault(place.chromosome, []).append(a)
    for chromosome, mine in sorted(chromosomes.items()):
        starts = np.array([placed[a].start for a in mine])
        order = np.argsort(starts, kind="stable")
        for low, high, some in _stretches(starts[order], values.shape[1]):
            # The values at a position are added in the order of the anchors.
            over = [mine[k] for k in np.sort(order[some])]
            at, along = _along([placed[a] for a in over], (values[a] for a in over), low, high)
            known = ~np.isnan(along)
            positions, index, anchors = np.unique(at[known], return_inverse=True, return_counts=True)
            total = np.bincount(index, np.square(along[known]) if errors else along[known], len(positions))
            yield TrackPart(chromosome, positions, (np.sqrt(total) if errors else total) / anchors, anchors)


def _stretches(starts: Int[np.ndarray, " anchors"], length: int) -> Iterator[tuple[int, int, slice]]:
    """Yield stretches [low, high) that cover all anchors, and which of the anchors, sorted by start, lie over each."""
    low, end = int(starts[0]), int(starts[-1]) + length
    while low < end:
        first = int(np.searchsorted(starts, low - length, "right"))
        low, width = max(low, int(starts[first])), _MOST
        while (last := int(np.searchsorted(starts, low + width))) - first > max(_MOST // min(width, length), 1):
            if width == 1:
                break
            width //= 2
        yield low, low + width, slice(first, last)
        low += width


def _along(
    placed: Sequence[Region], values: Iterable[Float[np.ndarray, " length"]], low: int, high: int
) -> tuple[Int[np.ndarray, " some"], Float[np.ndarray, " some"]]:
    """Return the positions of anchors that lie within [low, high), one anchor after another, and their values."""
    at, along = [], []
    for place, row in zip(placed, values, strict=True):
        begin, stop = max(place.start, low), min(place.end, high)
        at.append(np.arange(begin, stop))
        along.append((row[::-1] if place.strand == "-" else row)[begin - place.start : stop - place.start])
    return np.concatenate(at), np.concatenate(along)
