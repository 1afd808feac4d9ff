"""Windows of a genome around the intervals of a BED file."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxmaxent import checks
from jaxmaxent.alphabet import DNA, Alphabet
from jaxmaxent.data.fasta import read_records, record_name
from jaxmaxent.data.sequences import Sequences
from jaxmaxent.data.text import is_encodable, open_text


class _Interval(NamedTuple):
    line: int
    chromosome: str
    start: int
    end: int
    strand: str


def read_windows(
    genome_path: str | os.PathLike, bed_path: str | os.PathLike, *, length: int, alphabet: Alphabet = DNA
) -> Sequences:
    """Read the windows of a genome that are centred on the intervals of a BED file.

    A window covers [m - length // 2, m - length // 2 + length) around the interval's midpoint
    m = (start + end) // 2. Windows that leave the chromosome, or hold a letter outside the alphabet such as
    N, are left out: the number of sequences tells how many remained.

    Args:
        genome_path: a FASTA file. A plain one is indexed with pyfaidx, which writes <name>.fai beside it;
            one whose name ends in .gz is read into memory whole.
        bed_path: chromosome, start (0-based), end (exclusive) and, if there is a column 6, strand; read
            through gzip if its name ends in .gz. Lines that are blank or start with "#", "track" or "browser"
            are passed over.
        length: letters of each window.
        alphabet: the alphabet of the genome; it needs complements if a strand is "-".

    Returns:
        The windows in the BED file's order, the reverse complement where the strand is "-", named
        "<chromosome>:<start>-<end>(<strand>)" with the window's own start and end, the strand "." where none
        is given.

    Raises:
        ValueError: if a file cannot be read, an interval is none or names a chromosome that the genome does
            not have, or no window is left.
        ImportError: if the genome is not compressed and pyfaidx is not installed.
    """
    length = checks.integer("length", length, at_least=1)
    intervals = _read_bed(bed_path)
    names, windows, reverse = [], [], []
    with _open_genome(genome_path) as genome:
        for interval in intervals:
            if interval.chromosome not in genome:
                raise ValueError(
                    f"{bed_path}, line {interval.line}: {genome_path} has no chromosome "
                    f"{interval.chromosome!r}, it has {list(genome.keys())[:5]} among others"
                )
            chromosome = genome[interval.chromosome]
            start = (interval.start + interval.end) // 2 - length // 2
            if start < 0 or start + length > len(chromosome):
                continue
            letters = chromosome[start : start + length]
            if is_encodable(letters, alphabet):
                windows.append(letters)
                names.append(f"{interval.chromosome}:{start}-{start + length}({interval.strand})")
                reverse.append(interval.strand == "-")
    if not windows:
        raise ValueError(
            f"{bed_path}: of {len(intervals)} windows of {length} letters none lies inside its chromosome in "
            f"{genome_path} and holds only the letters {alphabet.letters!r}"
        )
    tokens = alphabet.encode("".join(windows)).reshape(len(windows), length)
    if any(reverse):
        tokens[reverse] = alphabet.reverse_complement(tokens[reverse])
    return Sequences(tokens, tuple(names), None, alphabet)


def _read_bed(path: str | os.PathLike) -> list[_Interval]:
    intervals = []
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            cells = line.strip().split("\t") if "\t" in line else line.split()
            if any(cells) and not re.match(r"#|(track|browser)\b", cells[0]):
                intervals.append(_interval(path, number, cells))
    if not intervals:
        raise ValueError(f"{path} is empty, expected a BED file with at least one interval")
    return intervals


def _interval(path: str | os.PathLike, line: int, cells: list[str]) -> _Interval:
    try:
        start, end = int(cells[1]), int(cells[2])
    except (IndexError, ValueError):
        start, end = 0, -1
    if not 0 <= start <= end:
        raise ValueError(
            f"{path}, line {line}: expected chromosome, start and end with 0 ≤ start ≤ end, got {cells[:3]}"
        )
    strand = cells[5] if len(cells) > 5 else "."
    if strand not in ("+", "-", "."):
        raise ValueError(f"{path}, line {line}: the strand in column 6 must be '+', '-' or '.', got {strand!r}")
    return _Interval(line, cells[0], start, end, strand)


@contextlib.contextmanager
def _open_genome(path: str | os.PathLike) -> Iterator[Any]:
    """A mapping from the names of chromosomes to what has a length and gives letters by slices."""
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
