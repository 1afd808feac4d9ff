"""Windows of a genome around intervals, and their division by chromosome."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.data._fasta import read_records, record_name
from jaxmaxent.data._intervals import Interval, Intervals, read_intervals
from jaxmaxent.data._mapped import MappedFasta
from jaxmaxent.data._region import Region, region_of
from jaxmaxent.data._sequences import Sequences
from jaxmaxent.data._text import WHITE, LeftOut, Memory, is_compressed, open_lines, told_left_out
from jaxmaxent.data._twobit import TwoBit
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet
from jaxmaxent.files import named

_LETTERS_AT_ONCE = 2**20
_SHOWN = 5  # names of chromosomes in errors
_BYTES_EACH = 200  # of the name of a window, besides its letters


def read_windows(
    genome_path: str | os.PathLike[str],
    intervals: str | os.PathLike[str] | Iterable[Any],
    *,
    length: int | None = None,
    offset: int = 0,
    center: str | None = None,
    alphabet: Alphabet = DNA,
    limit: int | None = None,
    skip_invalid: bool = False,
) -> Sequences:
    """Read windows of a genome that are centered on intervals, or at an offset from them.

    A window covers [m - length // 2, m - length // 2 + length) around the interval's midpoint m = (start + end) // 2 or
    around its summit, moved by `offset` along the strand.

        windows = read_windows("hg38.2bit", "peaks.narrowPeak", length=101, skip_invalid=True)
        train, test = split_by_chromosome(windows, ["chr8", "chr9"])
        read_windows("hg38.2bit", frame, length=101)  # a data frame with the columns chrom, start, end

    Args:
        genome_path: a UCSC 2bit file if its name ends in .2bit, otherwise a FASTA file. Only windows are read of a 2bit
            or a plain FASTA file, which need no index. A FASTA file whose name ends in .gz or .bgz is read from its
            beginning to its end, one chromosome at a time in memory.
        intervals: the path of a BED file, or the intervals themselves. A BED file has the columns chromosome, start
            (0-based), end (exclusive) and, as column 6, optionally the strand. It is read through gzip if its name ends
            in .gz or .bgz; "-" is standard input. Blank lines, lines that begin with "#" or with the word "track" or
            "browser", and a first line that names the columns (chrom, start, end) are ignored. Intervals themselves are
            rows (chromosome, start, end) or (chromosome, start, end, strand), such as a `Region`, or a data frame of
            any library with columns called chrom, start, end and, optionally, strand, or unnamed ones in the order of a
            BED file. A start may be negative, for example after an interval was widened.
        length: number of letters of each window; None for that of the intervals, which must then have equal lengths.
        offset: distance from the center of the interval to that of the window, in letters towards the 3' end of the
            interval's strand: -100 is 100 letters upstream. Without a strand ("." or "*"), the strand is taken as "+".
        center: "midpoint" or "summit". The summit is start + column 10 of a narrowPeak file, or the column "peak" or
            "relSummit" of a data frame, or the midpoint if that is -1 (unknown). None means the summit if the name of
            the file ends in .narrowPeak.
        alphabet: the alphabet of the genome. It needs complements if a strand is "-".
        limit: read only the windows of the first intervals, this many that can be used.
        skip_invalid: leave out intervals on chromosomes that the genome does not have, and windows that leave their
            chromosome or hold a letter outside the alphabet, such as N, and warn how many (`LeftOut`), instead of
            raising an error.

    Returns:
        the windows in the order of the intervals. They are the reverse complement if the strand is "-". Their names are
        "<chromosome>:<start>-<end>(<strand>)" with the start and end of the window; `region_of` reads them. The strand
        is "." if none is given.

    Raises:
        ValueError: if a file cannot be read, an interval is not valid or has no window as above, or no window is left.
    """
    checked_alphabet(alphabet)
    limit = None if limit is None else checks.integer("limit", limit, at_least=1)
    length = None if length is None else checks.integer("length", length, at_least=1)
    if isinstance(offset, bool) or not isinstance(offset, int | np.integer):
        raise ValueError(f"offset must be a whole number, got {checks.shown(offset)}")
    offset = checks.integer("offset", offset, at_least=-checks.MOST)
    named(genome_path)
    wanted = read_intervals(intervals, center)
    length = wanted.width() if length is None else length
    if limit is not None and not skip_invalid:
        wanted = wanted._replace(entries=wanted.entries[:limit])
    windows = _Reader(wanted, length, offset, alphabet, skip_invalid=skip_invalid)
    windows.read(genome_path)
    valid = np.flatnonzero(windows.valid)
    if len(valid) < len(wanted.entries):
        sentence = told_left_out(
            wanted.told, len(wanted.entries) - len(valid), len(wanted.entries), "intervals", windows.reason
        )
        if not len(valid):
            raise ValueError(sentence)
        warnings.warn(sentence, LeftOut, stacklevel=2)
    valid = valid[:limit]
    names = tuple(str(windows.region(wanted.entries[i])) for i in valid)
    tokens = windows.tokens if len(valid) == len(windows.tokens) else windows.tokens[valid]
    return Sequences(tokens, names, None, alphabet)


class _Reader:
    """The windows of intervals while they are read, one chromosome after the other.

    Attributes:
        tokens: uint8, shape [intervals, length].
        valid: bool, shape [intervals]: which of them were read.
        reason: why the first of the others was not, in the order of the intervals; "" without one.
    """

    def __init__(self, wanted: Intervals, length: int, offset: int, alphabet: Alphabet, *, skip_invalid: bool) -> None:
        count = len(wanted.entries)
        Memory(wanted.told).check(count * (length + _BYTES_EACH), f"{count:,} windows of {length:,} letters")
        self._wanted, self._length, self._offset, self._alphabet = wanted, length, offset, alphabet
        self._skip_invalid = skip_invalid
        self._first: int | None = None  # the interval that `reason` is about
        self.tokens, self.valid, self.reason = np.zeros((count, length), np.uint8), np.zeros(count, bool), ""

    def region(self, interval: Interval) -> Region:
        """Return where the window of an interval lies."""
        start = interval.center + (-self._offset if interval.strand == "-" else self._offset) - self._length // 2
        return Region(interval.chromosome, start, start + self._length, interval.strand)

    def read(self, path: str | os.PathLike[str]) -> None:
        """Read all windows; without `skip_invalid` raise ValueError for one that cannot be read."""
        places: dict[str, list[int]] = {}
        for i, interval in enumerate(self._wanted.entries):
            places.setdefault(interval.chromosome, []).append(i)
        known: list[str] = []
        for name, chromosome in _chromosomes(path, places, known):
            self._read_chromosome(chromosome, places.pop(name))
        missing = min((mine[0] for mine in places.values()), default=None)
        if missing is not None:
            name = self._wanted.entries[missing].chromosome
            others = f", it has {known[:_SHOWN]}{' among others' if len(known) > _SHOWN else ''}"
            self._leave_out(missing, f"{os.fspath(path)} has no chromosome {checks.shown(name)}{others}")

    def _read_chromosome(self, chromosome: Any, mine: list[int]) -> None:
        """Read the windows of one chromosome, whose length and slices it gives."""
        waiting: list[tuple[int, str]] = []
        for i in mine:
            region = self.region(self._wanted.entries[i])
            if region.start < 0 or region.end > len(chromosome):
                self._leave_out(i, f"the window {region} leaves the chromosome, which has {len(chromosome):,} letters")
                continue
            waiting.append((i, chromosome[region.start : region.end]))
            if len(waiting) * self._length >= _LETTERS_AT_ONCE:
                self._encode(waiting)
                waiting = []
        self._encode(waiting)

    def _encode(self, waiting: list[tuple[int, str]]) -> None:
        """Encode windows together, which is faster than one by one, unless one of them holds another letter."""
        if not waiting:
            return
        rows = np.array([i for i, _ in waiting])
        try:
            tokens = self._alphabet.encode("".join(letters for _, letters in waiting)).reshape(len(waiting), -1)
        except ValueError as error:
            if len(waiting) > 1:
                for one in waiting:
                    self._encode([one])
            else:
                interval = self._wanted.entries[rows[0]]
                self._leave_out(int(rows[0]), f"in the window {self.region(interval)}, {error}")
            return
        reverse = np.array([self._wanted.entries[i].strand == "-" for i in rows])
        if reverse.any():
            tokens[reverse] = self._alphabet.reverse_complement(tokens[reverse])
        self.tokens[rows], self.valid[rows] = tokens, True

    def _leave_out(self, i: int, reason: str) -> None:
        interval = self._wanted.entries[i]
        if not self._skip_invalid:
            raise self._wanted.refusal(interval, reason)
        if self._first is None or i < self._first:
            self._first, self.reason = i, f"{self._wanted.place(interval)}: {reason}"


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

    Example:
        >>> windows = data.Sequences(jme.DNA.encode(["ACGT", "TTGA"]), ("chr1:0-4(+)", "chr8:0-4(+)"))
        >>> train, test = data.split_by_chromosome(windows, ["chr8"])
        >>> train.names, test.names
        (('chr1:0-4(+)',), ('chr8:0-4(+)',))
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
    region = region_of(name)
    if region is None:
        raise ValueError(f"windows must be named '<chromosome>:<start>-<end>(<strand>)', got {checks.shown(name)}")
    return region.chromosome


def _chromosomes(path: str | os.PathLike[str], wanted: Collection[str], known: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield those of the wanted chromosomes that a genome has, each once, as objects whose slices are letters.

    Args:
        path: the genome.
        wanted: names of chromosomes.
        known: an empty list, to which the names of all chromosomes of the genome are added.
    """
    if Path(path).name.lower().endswith(".2bit"):
        genome = TwoBit(path)
    elif os.path.isfile(path) and not is_compressed(path):
        genome = MappedFasta(path)
    else:
        yield from _streamed(path, wanted, known)
        return
    known += genome.keys()
    for name in list(wanted):
        if name in genome:
            yield name, genome[name]


def _streamed(path: str | os.PathLike[str], wanted: Collection[str], known: list[str]) -> Iterator[tuple[str, str]]:
    seen, wanted = set(), set(wanted)
    with open_lines(path) as lines:
        for record in read_records(lines):
            name = record_name(record.header, record.number)
            if name in seen:
                raise ValueError(f"{lines.path}: two records are called {name!r}, expected one per chromosome")
            seen.add(name)
            known.append(name)
            if name in wanted:
                yield name, re.sub(f"[{WHITE}]+", "", record.letters)
