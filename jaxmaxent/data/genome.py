"""Windows of a genome around intervals, and their split by chromosome."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.fasta import read_records, record_name
from jaxmaxent.data.sequences import Sequences
from jaxmaxent.data.text import is_encodable, open_text
from jaxmaxent.data.twobit import TwoBit


class _Interval(NamedTuple):
    place: str  # where it was given, for error messages
    chromosome: str
    start: int
    end: int
    strand: str


def read_windows(
    genome_path: str | os.PathLike,
    intervals: str | os.PathLike | Iterable[Sequence],
    *,
    length: int,
    offset: int = 0,
    alphabet: Alphabet = DNA,
) -> Sequences:
    """Read the windows of a genome that are centred on intervals, or at an offset from them.

    A window covers [m - length // 2, m - length // 2 + length) around the interval's midpoint
    m = (start + end) // 2, moved by `offset` along the strand. Windows that leave the chromosome, or hold a letter
    outside the alphabet such as N, are left out: the number of sequences tells how many remained.

    Args:
        genome_path: a FASTA or UCSC 2bit file, the latter if its name ends in .2bit. A plain FASTA file is indexed with
            pyfaidx, which writes <name>.fai beside it; one whose name ends in .gz is read into memory whole.
        intervals: a BED file: chromosome, start (0-based), end (exclusive) and, if there is a column 6, strand; read
            through gzip if its name ends in .gz. Lines that are blank or start with "#", "track" or "browser"
            are passed over. Or the intervals themselves, each (chromosome, start, end) or (chromosome, start, end,
            strand).
        length: letters of each window.
        offset: letters from the interval's midpoint to the window's, towards the 3' end of the interval's strand: -100
            is 100 letters upstream. An interval without a strand counts as "+".
        alphabet: the alphabet of the genome; it needs complements if a strand is "-".

    Returns:
        The windows in the order of the intervals, the reverse complement where the strand is "-", named
        "<chromosome>:<start>-<end>(<strand>)" with the window's own start and end, the strand "." where none
        is given.

    Raises:
        ValueError: if a file cannot be read, an interval is none or names a chromosome that the genome does
            not have, or no window is left.
        ImportError: if the genome is a plain FASTA file and pyfaidx is not installed.
    """
    length = checks.integer("length", length, at_least=1)
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer):
        raise ValueError(f"offset must be a whole number, got {offset!r}")
    from_file = isinstance(intervals, str | os.PathLike)
    wanted = _read_bed(intervals) if from_file else _given(intervals)
    names, windows, reverse = [], [], []
    with _open_genome(genome_path) as genome:
        for interval in wanted:
            if interval.chromosome not in genome:
                raise ValueError(
                    f"{interval.place}: {genome_path} has no chromosome "
                    f"{interval.chromosome!r}, it has {list(genome.keys())[:5]} among others"
                )
            chromosome = genome[interval.chromosome]
            start = _first_letter(interval, length, int(offset))
            if start < 0 or start + length > len(chromosome):
                continue
            letters = chromosome[start : start + length]
            if is_encodable(letters, alphabet):
                windows.append(letters)
                names.append(f"{interval.chromosome}:{start}-{start + length}({interval.strand})")
                reverse.append(interval.strand == "-")
    if not windows:
        raise ValueError(
            f"{intervals if from_file else 'intervals'}: of {len(wanted)} windows of {length} letters none lies "
            f"inside its chromosome in {genome_path} and holds only the letters {alphabet.letters!r}"
        )
    tokens = alphabet.encode("".join(windows)).reshape(len(windows), length)
    if any(reverse):
        tokens[reverse] = alphabet.reverse_complement(tokens[reverse])
    return Sequences(tokens, tuple(names), None, alphabet)


def split_by_chromosome(windows: Sequences, held_out: str | Iterable[str]) -> tuple[Sequences, Sequences]:
    """Windows in two parts: those on other chromosomes, to train on, and those on the chromosomes held out.

    Windows that overlap are on one chromosome, so no letter of the genome is in both parts.

    Args:
        windows: with names that begin with "<chromosome>:", as `read_windows` gives them.
        held_out: one chromosome or several.

    Returns:
        The windows on other chromosomes and those held out, both in the order given.

    Raises:
        ValueError: for a window named otherwise, a chromosome without a window, or nothing left on the others.
    """
    wanted = (held_out,) if isinstance(held_out, str) else tuple(held_out)
    chromosomes = np.array([_chromosome_of(name) for name in windows.names], dtype=object)
    known = sorted(set(chromosomes))
    for name in wanted:
        if name not in known:
            raise ValueError(f"held_out must name chromosomes that windows lie on, such as {known[:5]}, got {name!r}")
    is_held_out = np.isin(chromosomes, wanted)
    if not wanted or is_held_out.all():
        raise ValueError(f"held_out must be some but not all of the chromosomes {known[:5]}, got {list(wanted)}")
    return windows.take(~is_held_out), windows.take(is_held_out)


def _chromosome_of(name: str) -> str:
    chromosome, colon, _ = name.rpartition(":")
    if not colon or not chromosome:
        raise ValueError(f"windows must be named '<chromosome>:<start>-<end>(<strand>)', got {name!r}")
    return chromosome


def _first_letter(interval: _Interval, length: int, offset: int) -> int:
    along = -offset if interval.strand == "-" else offset
    return (interval.start + interval.end) // 2 + along - length // 2


def _given(intervals: Any) -> list[_Interval]:
    """Intervals that were given as such, with the same demands as on those of a file."""
    if not isinstance(intervals, Iterable):
        raise ValueError(f"intervals must be a BED file or intervals, got {type(intervals).__name__}")
    found = []
    for i, entry in enumerate(intervals):
        place, cells = f"intervals[{i}]", entry if isinstance(entry, list | tuple) else [entry]
        found.append(_interval(place, [str(cell) for cell in cells[:3]], str(cells[3]) if len(cells) > 3 else "."))
    if not found:
        raise ValueError("intervals must hold at least one interval, got none")
    return found


def _read_bed(path: str | os.PathLike) -> list[_Interval]:
    intervals = []
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            cells = line.strip().split("\t") if "\t" in line else line.split()
            if any(cells) and not re.match(r"#|(track|browser)\b", cells[0]):
                strand = cells[5] if len(cells) > 5 else "."
                intervals.append(_interval(f"{path}, line {number}", cells, strand))
    if not intervals:
        raise ValueError(f"{path} is empty, expected a BED file with at least one interval")
    return intervals


def _interval(place: str, cells: list[str], strand: str) -> _Interval:
    try:
        start, end = int(cells[1]), int(cells[2])
    except (IndexError, ValueError):
        start, end = 0, -1
    if not 0 <= start <= end:
        raise ValueError(f"{place}: expected chromosome, start and end with 0 ≤ start ≤ end, got {cells[:3]}")
    if strand not in ("+", "-", "."):
        raise ValueError(f"{place}: the strand must be '+', '-' or '.', got {strand!r}")
    return _Interval(place, cells[0], start, end, strand)


@contextlib.contextmanager
def _open_genome(path: str | os.PathLike) -> Iterator[Any]:
    """A mapping from the names of chromosomes to what has a length and gives letters by slices."""
    if Path(path).name.lower().endswith(".2bit"):
        yield TwoBit(path)
        return
    if Path(path).name.lower().endswith(".gz"):
        yield _genome_in_memory(path)
        return
    with open_text(path):  # a missing or unreadable file is told in the same words as everywhere
        pass
    try:
        import pyfaidx
    except ImportError as error:
        raise ImportError("read_windows needs pyfaidx: pip install 'jaxmaxent[genomics]'") from error
    try:
        genome = pyfaidx.Fasta(os.fspath(path), as_raw=True)
    except (OSError, ValueError, pyfaidx.FastaIndexingError) as error:
        raise ValueError(f"{path} cannot be indexed as FASTA: {error}") from None
    with genome:
        yield genome


def _genome_in_memory(path: str | os.PathLike) -> dict[str, str]:
    genome: dict[str, str] = {}
    for i, (header, letters) in enumerate(read_records(path)):
        name = record_name(header, i)
        if name in genome:
            raise ValueError(f"{path}: two records are called {name!r}, expected one a chromosome")
        genome[name] = letters
    return genome
