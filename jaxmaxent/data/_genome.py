"""Windows of a genome around intervals, and their division by chromosome."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.data._fasta import read_records, record_name
from jaxmaxent.data._mapped import MappedFasta
from jaxmaxent.data._sequences import Sequences
from jaxmaxent.data._text import (
    WHITE,
    LeftOut,
    Memory,
    is_compressed,
    is_encodable,
    open_lines,
    plain_name,
    told_left_out,
)
from jaxmaxent.data._twobit import TwoBit
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import named


class _Interval(NamedTuple):
    place: str  # the place where it was given, for error messages
    chromosome: str
    center: int
    strand: str


def read_windows(
    genome_path: str | os.PathLike[str],
    intervals: str | os.PathLike[str] | Iterable[Sequence[Any]],
    *,
    length: int,
    offset: int = 0,
    center: str | None = None,
    alphabet: Alphabet = DNA,
    skip_invalid: bool = False,
) -> Sequences:
    """Read windows of a genome that are centered on intervals, or at an offset from them.

    A window covers [m - length // 2, m - length // 2 + length) around the interval's midpoint m = (start + end) // 2 or
    around its summit, moved by `offset` along the strand. Windows that leave the chromosome or hold a letter outside
    the alphabet, such as N, are left out. Compare the number of sequences with the number of intervals to see how many.

        windows = read_windows("hg38.2bit", "peaks.narrowPeak", length=101)
        train, test = split_by_chromosome(windows, ["chr8", "chr9"])

    Args:
        genome_path: a UCSC 2bit file if its name ends in .2bit, otherwise a FASTA file. A FASTA file whose name ends in
            .gz or .bgz is read into memory completely; a plain one is not, and needs no index.
        intervals: the path of a BED file, or the intervals themselves. A BED file has the columns chromosome, start
            (0-based), end (exclusive) and, as column 6, optionally the strand. It is read through gzip if its name ends
            in .gz or .bgz. Blank lines, lines that begin with "#" or with the word "track" or "browser", and a first
            line that names the columns (chrom, start, end) are ignored. An interval itself is (chromosome, start, end)
            or (chromosome, start, end, strand). A start may be negative, for example after an interval was widened.
        length: number of letters of each window.
        offset: distance from the center of the interval to that of the window, in letters towards the 3' end of the
            interval's strand: -100 is 100 letters upstream. Without a strand ("." or "*"), the strand is taken as "+".
        center: "midpoint" or "summit". The summit is start + column 10 of a narrowPeak file, or the midpoint if that
            column is -1 (unknown). None means the summit if the name of the BED file ends in .narrowPeak.
        alphabet: the alphabet of the genome. It needs complements if a strand is "-".
        skip_invalid: leave out intervals on chromosomes that the genome does not have, and warn how many (`LeftOut`),
            instead of raising an error.

    Returns:
        the windows in the order of the intervals. They are the reverse complement if the strand is "-". Their names are
        "<chromosome>:<start>-<end>(<strand>)" with the start and end of the window. The strand is "." if none is given.

    Raises:
        ValueError: if a file cannot be read, an interval is not valid or lies on a chromosome that the genome does not
            have, or no window is left.
    """
    checked_alphabet(alphabet)
    length = checks.integer("length", length, at_least=1)
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer):
        raise ValueError(f"offset must be a whole number, got {checks.shown(offset)}")
    if center not in (None, "midpoint", "summit"):
        raise ValueError(f"center must be 'midpoint' or 'summit', got {checks.shown(center)}")
    if isinstance(intervals, str | os.PathLike):
        wanted, source = _read_bed(intervals, center), os.fspath(intervals)
    else:
        wanted, source = _given(intervals, center), "intervals"
    genome = _open_genome(genome_path)
    names, windows, reverse = [], [], []
    unknown, reason = 0, ""
    for interval in wanted:
        if interval.chromosome not in genome:
            unknown += 1
            reason = reason or (
                f"{interval.place}: {genome_path} has no chromosome "
                f"{interval.chromosome!r}, it has {list(genome.keys())[:5]} among others"
            )
            if not skip_invalid:
                raise ValueError(reason)
            continue
        chromosome = genome[interval.chromosome]
        start = interval.center + (-offset if interval.strand == "-" else offset) - length // 2
        if start < 0 or start + length > len(chromosome):
            continue
        letters = chromosome[start : start + length]
        if is_encodable(letters, alphabet):
            windows.append(letters)
            names.append(f"{interval.chromosome}:{start}-{start + length}({interval.strand})")
            reverse.append(interval.strand == "-")
    if unknown:
        sentence = told_left_out(source, unknown, len(wanted), "intervals", reason)
        warnings.warn(sentence, LeftOut, stacklevel=2)
    if not windows:
        raise ValueError(
            f"{source}: of {len(wanted)} windows of {length} letters none lies "
            f"inside its chromosome in {genome_path} and holds only the letters {alphabet.letters!r}"
        )
    tokens = alphabet.encode("".join(windows)).reshape(len(windows), length)
    if any(reverse):
        tokens[reverse] = alphabet.reverse_complement(tokens[reverse])
    return Sequences(tokens, tuple(names), None, alphabet)


def split_by_chromosome(windows: Sequences, held_out: str | Iterable[str]) -> tuple[Sequences, Sequences]:
    """Split windows into those to train on and those on held-out chromosomes.

    Windows that overlap lie on the same chromosome, so no letter of the genome is in both parts.

    Args:
        windows: windows with names that begin with "<chromosome>:", as `read_windows` returns them.
        held_out: one chromosome or several.

    Returns:
        the windows on all other chromosomes, and the windows on the held-out ones, both in the given order.

    Raises:
        ValueError: if a window has another kind of name, a held-out chromosome has no window, or no window is left on
            the other chromosomes.
    """
    checks.like("windows", windows, "names", "Sequences, as read_windows gives them")
    wanted = (held_out,) if isinstance(held_out, str) else tuple(checks.several("held_out", held_out, "chromosomes"))
    chromosomes = np.array([_chromosome_of(name) for name in windows.names], dtype=object)
    known = sorted(set(chromosomes))
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"held_out must name chromosomes that windows lie on, such as {known[:5]}, got {checks.shown(name)}"
            )
    is_held_out = np.isin(chromosomes, wanted)
    if not wanted or is_held_out.all():
        raise ValueError(f"held_out must be some but not all of the chromosomes {known[:5]}, got {list(wanted)}")
    return windows.take(~is_held_out), windows.take(is_held_out)


def _chromosome_of(name: str) -> str:
    chromosome, colon, _ = name.rpartition(":")
    if not colon or not chromosome:
        raise ValueError(f"windows must be named '<chromosome>:<start>-<end>(<strand>)', got {checks.shown(name)}")
    return chromosome


def _given(intervals: Any, center: str | None) -> list[_Interval]:
    """Return intervals that were not given as a file, with the same checks as those of a file."""
    if not isinstance(intervals, Iterable):
        raise ValueError(f"intervals must be a BED file or intervals, got {type(intervals).__name__}")
    if center == "summit":
        raise ValueError("center must be 'midpoint' for intervals that are not in a file, got 'summit'")
    found = []
    for i, entry in enumerate(intervals):
        place, cells = f"intervals[{i}]", entry if isinstance(entry, list | tuple) else [entry]
        found.append(_interval(place, [str(cell) for cell in cells[:3]], str(cells[3]) if len(cells) > 3 else "."))
    if not found:
        raise ValueError("intervals must hold at least one interval, got none")
    return found


def _read_bed(path: str | os.PathLike[str], center: str | None) -> list[_Interval]:
    if center is None:
        center = "summit" if plain_name(path).endswith(".narrowpeak") else "midpoint"
    intervals: list[_Interval] = []
    strand_at, is_first = 5, True
    with open_lines(path) as lines:
        for number, line in lines.numbered:
            cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.split())]
            if not any(cells) or _is_remark(cells):
                continue
            names = [cell.lower() for cell in cells]
            if is_first and _are_columns(names):
                strand_at = names.index("strand") if "strand" in names else strand_at
            else:
                strand = cells[strand_at] if len(cells) > strand_at else "."
                place = f"{lines.path}, line {number}"
                intervals.append(_interval(place, cells, strand, summit=_summit(place, cells, center)))
            is_first = False
    if not intervals:
        raise ValueError(f"{lines.path} is empty, expected a BED file with at least one interval")
    return intervals


def _is_remark(cells: list[str]) -> bool:
    """Return True if a line is a comment or a header line, and not an interval on a contig called track or browser."""
    word = cells[0].split(maxsplit=1)[:1]
    return cells[0].startswith("#") or (word in (["track"], ["browser"]) and _ends(cells) is None)


def _are_columns(names: list[str]) -> bool:
    """Return True if these names of columns mean what the first columns of a BED file hold."""
    return len(names) >= 3 and all(name in known for name, known in zip(names[:3], _COLUMN_NAMES, strict=True))


# Start and end must mean the same as in a BED file. Tables that count from 1, such as R's GRanges with "seqnames", must
# not be accepted.
_COLUMN_NAMES = (
    ("chrom", "chr", "chromosome", "contig"),
    ("start", "chromstart", "chrom_start", "chr_start"),
    ("end", "stop", "chromend", "chrom_end", "chr_end"),
)


def _summit(place: str, cells: list[str], center: str) -> int | None:
    """Return the number of letters from the start to the summit, None for the midpoint."""
    if center == "midpoint":
        return None
    try:
        summit = int(cells[9])
    except (IndexError, ValueError):
        raise ValueError(
            f"{place}: expected the summit in column 10 as narrowPeak files have it, or center='midpoint'; "
            f"got {len(cells)} columns{f' with {cells[9]!r} there' if len(cells) > 9 else ''}"
        ) from None
    return None if summit < 0 else summit


def _ends(cells: list[str]) -> tuple[int, int] | None:
    """Return start and end, or None if the cells do not hold two such numbers."""
    try:
        start, end = int(cells[1]), int(cells[2])
    except (IndexError, ValueError):
        return None
    return (start, end) if start <= end else None


def _interval(place: str, cells: list[str], strand: str, *, summit: int | None = None) -> _Interval:
    ends = _ends(cells)
    if ends is None or not cells[0]:
        raise ValueError(f"{place}: expected chromosome, start and end with start ≤ end, got {cells[:3]}")
    strand = "." if strand == "*" else strand
    if strand not in ("+", "-", "."):
        raise ValueError(f"{place}: the strand must be '+', '-', '.' or '*', got {checks.shown(strand)}")
    center = sum(ends) // 2 if summit is None else ends[0] + summit
    return _Interval(place, cells[0], center, strand)


def _open_genome(path: str | os.PathLike[str]) -> Any:
    """Return a mapping from the names of chromosomes to objects with a length, whose slices are letters."""
    named(path)
    if Path(path).name.lower().endswith(".2bit"):
        return TwoBit(path)
    if os.path.isfile(path) and not is_compressed(path):
        return MappedFasta(path)
    return _genome_in_memory(path)


def _genome_in_memory(path: str | os.PathLike[str]) -> dict[str, str]:
    genome: dict[str, str] = {}
    with open_lines(path) as lines:
        memory, size = Memory(lines.path), 0
        for record in read_records(lines):
            name = record_name(record.header, record.number)
            if name in genome:
                raise ValueError(f"{lines.path}: two records are called {name!r}, expected one per chromosome")
            genome[name] = re.sub(f"[{WHITE}]+", "", record.letters)
            size += len(record.letters)
            memory.check(size, record.told())
    return genome
