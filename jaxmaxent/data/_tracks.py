"""Writing for genome browsers: values along anchors as bedGraph or bigWig, stretches of anchors as BED."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.data._ours import REMARK, begins, seal, sealed
from jaxmaxent.data._places import TrackPart, places, sizes_of, track_parts
from jaxmaxent.data._region import Region
from jaxmaxent.data._text import one_word
from jaxmaxent.files import named, new_file

BEDGRAPH, BIGWIG = (".bedgraph", ".bg"), (".bigwig", ".bw")
_TOP_SCORE = 1000  # of the BED format
_ROWS = 256  # anchors whose values are checked at a time
_TURNED = {"+": "-", "-": "+", ".": "."}


class AnchorInterval(NamedTuple):
    """A stretch of an anchor, as `write_bed` takes it.

    Attributes:
        anchor: index of the anchor.
        start: the first position of the anchor in the stretch, from 0.
        stop: the position behind the last.
        name: the name of the stretch.
        score: a number from 0 to 1; the file has it times 1000, rounded.
        strand: "+" if the stretch reads along the anchor, "-" if it reads along the other strand, "." if neither is
            meant.
    """

    anchor: int
    start: int
    stop: int
    name: str = "."
    score: float = 0.0
    strand: str = "."


def write_track(
    path: str | os.PathLike[str],
    names: Sequence[str],
    values: Float[np.ndarray, "anchors length"],
    *,
    errors: bool = False,
    sizes: Mapping[str, int] | None = None,
    force: bool = False,
) -> int:
    """Write values along anchors for genome browsers, as a bedGraph or a bigWig file, by the suffix of `path`.

    The names of the anchors say where they are: "chr1:100-201(+)", positions from 0 and without the end, as
    `read_windows` names them. Anchors on the strand "-" are turned round. If no name has coordinates, each anchor is a
    sequence of its own name. A position of the genome can have one value only. Where anchors overlap it is the mean of
    theirs, and the standard error of that mean if values are errors of anchors that were sampled independently.

        write_track("information.bw", run.names, analysis.information_bits(run.frequencies[:, -1]))

    Args:
        path: the file to write, which ends in .bedgraph, .bg, .bigwig or .bw. A bigWig needs the extra `tracks`.
        names: the name of each anchor.
        values: value of the position of the anchor, shape [anchors, length]. NaN means that there is none.
        errors: values are standard errors.
        sizes: the length of each chromosome, for the header of a bigWig. None means the largest end of an anchor.
        force: replace a file that this function wrote.

    Returns:
        the number of positions that more than one anchor gives a value.

    Raises:
        ValueError: if a value is infinite, names and values do not match, coordinates are not of the length of the
            anchors, only some anchors have coordinates, names without coordinates repeat, or a chromosome of `sizes`
            is missing or too short; if there is no value; if the file exists and may not be replaced, or has another
            suffix.
        ImportError: if pybigtools is not installed and a bigWig is asked for.
    """
    suffix = Path(named(path)).suffix.lower()
    if suffix not in BEDGRAPH + BIGWIG:
        raise ValueError(f"path must end in {', '.join(BEDGRAPH + BIGWIG)}, got {checks.shown(os.fspath(path))}")
    if not isinstance(errors, bool):
        raise ValueError(f"errors must be True or False, got {checks.shown(errors)}")
    ours = sealed if suffix in BIGWIG else begins
    with new_file(path, force=force, ours=ours) as scratch:
        return track_to(scratch, names, values, bigwig=suffix in BIGWIG, errors=errors, sizes=sizes)


def track_to(
    path: Path,
    names: Any,
    values: Any,
    *,
    bigwig: bool,
    errors: bool = False,
    sizes: Mapping[str, int] | None = None,
    remark: str = "",
) -> int:
    """Write values along anchors to a path that is free, as `write_track` does."""
    # An array of numbers is not copied, as it may be larger than the memory.
    array = (
        values if isinstance(values, np.ndarray) and values.dtype == float else checks.number_array("values", values)
    )
    if array.ndim != 2:
        raise ValueError(f"values must have shape [anchors, length], got {list(array.shape)}")
    if any(np.isinf(rows).any() for rows in _some_rows(array)):
        raise ValueError("values must be finite, or NaN where there is none, got infinity")
    placed = places(names, array.shape[1])
    if len(placed) != len(array):
        raise ValueError(f"values must be of the {len(placed)} anchors that names has, got those of {len(array)}")
    lengths = sizes_of(placed, sizes)
    if all(np.isnan(rows).all() for rows in _some_rows(array)):
        raise ValueError("values must have at least one that is known, got none")
    found, shared = track_parts(placed, array, errors=errors), Counter[str]()
    if bigwig:
        _write_bigwig(path, _counted(found, shared), lengths)
    else:
        _write_bedgraph(path, _counted(found, shared), remark)
    return shared["positions"]


def _some_rows(array: np.ndarray) -> Iterator[np.ndarray]:
    return (array[first : first + _ROWS] for first in range(0, len(array), _ROWS))


def _counted(found: Iterable[TrackPart], shared: Counter[str]) -> Iterator[TrackPart]:
    """Yield parts, and count the positions of which several anchors give the value."""
    for part in found:
        shared["positions"] += int((part.anchors > 1).sum())
        yield part


def _write_bedgraph(path: Path, found: Iterable[TrackPart], remark: str) -> None:
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(f"{REMARK}{_told(remark)}\n")
        for part in found:
            rows = zip(part.positions.tolist(), part.values.tolist(), strict=True)
            stream.writelines(f"{part.chromosome}\t{at}\t{at + 1}\t{value:.7g}\n" for at, value in rows)


def _write_bigwig(path: Path, found: Iterable[TrackPart], lengths: dict[str, int]) -> None:
    try:
        import pybigtools
    except ImportError as error:
        raise ImportError(f'bigWig needs pybigtools: pip install "jaxmaxent[tracks]" ({error})') from error
    # pybigtools knows the format by the suffix, which another name of the file may not have.
    written = path.with_name("track.bw")
    writer = pybigtools.open(str(written), "w")
    writer.write(lengths, _rows(found))
    os.replace(written, path)
    seal(path)


def _rows(found: Iterable[TrackPart]) -> Iterator[tuple[str, int, int, float]]:
    for part in found:
        for at, value in zip(part.positions.tolist(), part.values.tolist(), strict=True):
            yield part.chromosome, at, at + 1, value


def write_bed(
    path: str | os.PathLike[str],
    names: Sequence[str],
    intervals: Iterable[AnchorInterval | Sequence[Any]],
    *,
    length: int,
    force: bool = False,
) -> None:
    """Write stretches of anchors for genome browsers, as a BED file with six columns, sorted by place.

    The names of the anchors say where they are, as in `write_track`. Strands are those of the genome: a stretch that
    reads along the other strand of its anchor has the opposite of the anchor's. One without a strand has the anchor's.

        write_bed("sites.bed", run.names, [(0, 12, 31, "CTCF", 0.9)], length=101)

    Args:
        path: the file to write.
        names: the name of each anchor.
        intervals: the stretches, each an `AnchorInterval` or its first values.
        length: number of positions of each anchor.
        force: replace a file that this function wrote.

    Raises:
        ValueError: if a stretch lies outside its anchor, has a score outside 0 to 1 or another strand, or names are not
            as `write_track` takes them; if the file exists and may not be replaced.
    """
    with new_file(path, force=force, ours=begins) as scratch:
        bed_to(scratch, names, intervals, length=length)


def bed_to(path: Path, names: Any, intervals: Any, *, length: int, remark: str = "") -> None:
    """Write stretches of anchors to a path that is free, as `write_bed` does."""
    length = checks.integer("length", length, at_least=1)
    placed = places(names, length)
    found = [_checked(i, given, len(placed), length) for i, given in enumerate(_several(intervals))]
    rows = sorted((_in_genome(placed[one.anchor], one), one) for one in found)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(f"{REMARK}{_told(remark)}\n")
        for place, one in rows:
            score = round(_TOP_SCORE * one.score)
            cells = place.chromosome, place.start, place.end, one_word(one.name) or ".", score, place.strand
            stream.write("\t".join(map(str, cells)) + "\n")


def _in_genome(place: Region, one: AnchorInterval) -> Region:
    """Return the place of a stretch; where a strand is asked for, an anchor without one is taken as "+"."""
    strand = _TURNED[one.strand] if place.strand == "-" else one.strand
    return place.part(one.start, one.stop)._replace(strand=place.strand if strand == "." else strand)


def _several(intervals: Any) -> list[Any]:
    if isinstance(intervals, AnchorInterval):
        raise ValueError(f"intervals must be a list of stretches, got one: {checks.shown(intervals)}")
    return checks.several("intervals", intervals, "stretches of anchors")


def _checked(i: int, given: Any, anchors: int, length: int) -> AnchorInterval:
    """Return a stretch, or raise ValueError if it is not one of an anchor."""
    name, values = f"intervals[{i}]", checks.several(f"intervals[{i}]", given, "anchor, start, stop and more")
    if not 3 <= len(values) <= len(AnchorInterval._fields):
        raise ValueError(
            f"{name} must be anchor, start, stop and optionally name, score and strand, got {values!r:.80}"
        )
    one = AnchorInterval(*values)
    if anchors == 0:
        raise ValueError(f"{name} must be a stretch of an anchor, but names has none")
    anchor = checks.integer(f"{name}.anchor", one.anchor, at_least=0, at_most=anchors - 1)
    start = checks.integer(f"{name}.start", one.start, at_least=0, at_most=length - 1)
    stop = checks.integer(f"{name}.stop", one.stop, at_least=start + 1, at_most=length)
    score = checks.number(f"{name}.score", one.score)
    if not 0 <= score <= 1:
        raise ValueError(f"{name}.score must be from 0 to 1, got {checks.shown(one.score)}")
    if one.strand not in tuple(_TURNED):
        raise ValueError(f"{name}.strand must be '+', '-' or '.', got {checks.shown(one.strand)}")
    return AnchorInterval(anchor, start, stop, checks.text(f"{name}.name", one.name), score, one.strand)


def _told(remark: str) -> str:
    return f": {' '.join(remark.split())}" if remark else ""
