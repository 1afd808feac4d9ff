"""Intervals of a genome: from BED and narrowPeak files, from rows, and from data frames of any library."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxmaxent import checks
from jaxmaxent.data._text import open_lines, plain_name

_BED = re.compile(r"column_\d+")  # names that a library makes up for the columns of a file without names


class Interval(NamedTuple):
    """An interval as `read_windows` needs it; `number` is its line in a file, or its index."""

    number: int
    chromosome: str
    center: int
    strand: str
    width: int


class Intervals(NamedTuple):
    """Intervals and their origin: the name of a file, or None if they were given themselves."""

    file: str | None
    entries: list[Interval]

    @property
    def told(self) -> str:
        """The origin in words."""
        return "intervals" if self.file is None else self.file

    def place(self, interval: Interval) -> str:
        """Return where an interval was given, without the file."""
        return _place(self.file, interval.number)

    def refusal(self, interval: Interval, reason: str) -> ValueError:
        """Return the error that says why an interval cannot be used."""
        return _refusal(self.file, interval.number, reason)

    def width(self) -> int:
        """Return the number of letters of every interval; ValueError if they differ."""
        first = self.entries[0]
        for interval in self.entries:
            if interval.width != first.width:
                raise ValueError(
                    f"{self.told}: length must be given if intervals differ in length, but {self.place(first)} has "
                    f"{first.width} letters and {self.place(interval)} has {interval.width}"
                )
        if first.width < 1:
            raise ValueError(f"{self.told}: length must be given if intervals are empty, as {self.place(first)} is")
        return first.width


def read_intervals(given: Any, center: str | None) -> Intervals:
    """Return the intervals of a file, rows or a data frame, at least one, around whose centers windows are read.

    Args:
        given: as in `read_windows`.
        center: "midpoint" or "summit"; None decides by the name of the file.

    Raises:
        ValueError: if the file cannot be read, or an interval is not valid.
    """
    if center is not None and (not isinstance(center, str) or center not in ("midpoint", "summit")):
        raise ValueError(f"center must be 'midpoint' or 'summit', got {checks.shown(center)}")
    if isinstance(given, str | os.PathLike):
        return _read_bed(given, center)
    columns = _columns(given)
    is_rows = isinstance(given, Iterable) and not isinstance(given, bytes) and getattr(given, "ndim", 1) > 0
    if columns is None and not is_rows:
        raise ValueError(f"intervals must be a BED file or intervals, got {type(given).__name__}")
    if columns is None and center == "summit":
        raise ValueError("center must be 'midpoint' for intervals without named columns, got 'summit'")
    rows: Iterable[list[Any]] = map(_cells, given) if columns is None else _rows(given, columns, center)
    entries = [_interval(None, number, cells) for number, cells in enumerate(rows)]
    if not entries:
        raise ValueError("intervals must hold at least one interval, got none")
    return Intervals(None, entries)


def _cells(row: Any) -> list[Any]:
    """Return chromosome, start, end and, if it is given, the strand of a row."""
    if isinstance(row, Mapping):
        names = list(row)
        found = _find(names)
        return [row[names[i]] for i in found[:4]] if found is not None else names
    is_row = isinstance(row, Iterable) and not isinstance(row, str | bytes) and getattr(row, "ndim", 1) == 1
    return list(row)[:4] if is_row else [row]


def _read_bed(path: str | os.PathLike[str], center: str | None) -> Intervals:
    if center is None:
        center = "summit" if plain_name(path).endswith(".narrowpeak") else "midpoint"
    entries: list[Interval] = []
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
                wanted: list[Any] = [*cells[:3], *(cells[strand_at : strand_at + 1] if len(cells) > 3 else [])]
                summit = _summit(lines.path, number, cells) if center == "summit" else None
                entries.append(_interval(lines.path, number, wanted, summit))
            is_first = False
    if not entries:
        raise ValueError(f"{lines.path} is empty, expected a BED file with at least one interval")
    return Intervals(lines.path, entries)


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
_FAR = 2**62
_NO_STRAND = ("*", "None", "nan", "<NA>")  # the last three are what data frames have where a cell is missing
_SUMMIT_NAMES = ("peak", "relsummit")  # letters from the start, as in column 10 of a narrowPeak file


def _columns(given: Any) -> list[Any] | None:
    """Return the names of the columns of a data frame, a table of columns or a structured array; None for rows."""
    if isinstance(given, Mapping):
        return list(given)
    for names in (getattr(given, "column_names", None), getattr(given, "columns", None)):
        if isinstance(names, Iterable) and not isinstance(names, str | bytes):
            return list(names)
    fields = getattr(getattr(given, "dtype", None), "names", None)
    return None if fields is None else list(fields)


def _find(names: list[Any]) -> list[int] | None:
    """Return the indices of chromosome, start, end and, if there is one, the strand, among the names of columns."""
    lower = [name.lower() if isinstance(name, str) else name for name in names]
    found = [[i for i, name in enumerate(lower) if name in known] for known in (*_COLUMN_NAMES, ("strand",))]
    if any(len(places) != 1 for places in found[:3]) or len(found[3]) > 1:
        return None
    return [places[0] for places in found if places]


def _rows(given: Any, names: list[Any], center: str | None) -> Iterator[list[Any]]:
    """Yield chromosome, start, end, strand and summit of every row of a data frame."""
    if names and all(isinstance(n, int) or (isinstance(n, str) and _BED.fullmatch(n)) for n in names):
        found = [*range(3), *([5] if len(names) > 5 else [])] if len(names) >= 3 else None
        summits = [9] if len(names) > 9 else []
    else:
        found = _find(names)
        summits = [i for i, name in enumerate(names) if isinstance(name, str) and name.lower() in _SUMMIT_NAMES]
    if found is None:
        raise ValueError(
            f"intervals must have one column each called {', '.join(known[0] for known in _COLUMN_NAMES)} "
            f"(and may have one called strand), got {checks.shown(names)}"
        )
    if center == "summit" and len(summits) != 1:
        raise ValueError(
            f"center must be 'midpoint' for intervals without one column called {' or '.join(_SUMMIT_NAMES)}, "
            f"got 'summit'"
        )
    wanted = [_column(given, names[i]) for i in found]
    if len({len(column) for column in wanted}) > 1:
        raise ValueError(f"intervals must have columns of equal length, got {[len(column) for column in wanted]}")
    if len(found) == 3:
        wanted.append([None] * len(wanted[0]))
    wanted += [_column(given, names[summits[0]])] if center == "summit" else []
    for cells in zip(*wanted, strict=True):
        yield list(cells)


def _column(given: Any, name: Any) -> list[Any]:
    try:
        return list(given[name])
    except Exception as error:  # of any type: each library has its own
        raise ValueError(f"intervals: the column {name!r} cannot be read: {checks.shown(str(error))}") from None


def _interval(file: str | None, number: int, cells: list[Any], summit: int | None = None) -> Interval:
    """Return an interval from chromosome, start, end and, if they are given, strand and summit."""
    texts = [_text(cell) for cell in cells[:3]]
    ends = _ends(texts)
    if ends is None or not texts[0]:
        raise _refusal(file, number, f"expected chromosome, start and end with start ≤ end, got {checks.shown(texts)}")
    strand = str(cells[3]) if len(cells) > 3 else "."
    strand = "." if strand in _NO_STRAND else strand
    if strand not in ("+", "-", "."):
        raise _refusal(file, number, f"the strand must be '+', '-', '.' or '*', got {checks.shown(strand)}")
    if len(cells) > 4:
        summit = _whole(_text(cells[4]))
        if summit is None:
            raise _refusal(file, number, f"the summit must be a whole number, got {checks.shown(cells[4])}")
    center = sum(ends) // 2 if summit is None or summit < 0 else ends[0] + summit
    return Interval(number, sys.intern(texts[0]), center, strand, ends[1] - ends[0])


def _text(cell: Any) -> str:
    """Return a cell as text. A library turns a column of whole numbers into floats if one of them is missing."""
    is_whole = isinstance(cell, float | np.floating) and float(cell).is_integer()
    return str(int(cell) if is_whole else cell)


def _summit(file: str, number: int, cells: list[str]) -> int:
    """Return the number of letters from the start to the summit, negative if it is not known."""
    summit = _whole(cells[9]) if len(cells) > 9 else None
    if summit is None:
        raise _refusal(
            file,
            number,
            f"expected the summit in column 10 as narrowPeak files have it, or center='midpoint'; "
            f"got {len(cells)} columns{f' with {checks.shown(cells[9])} there' if len(cells) > 9 else ''}",
        )
    return summit


def _whole(text: str) -> int | None:
    """Return a whole number, or None if the text is none or far from any position."""
    try:
        number = int(text)
    except ValueError:
        return None
    return number if abs(number) < _FAR else None


def _ends(cells: list[str]) -> tuple[int, int] | None:
    """Return start and end, or None if the cells do not hold two such numbers."""
    if len(cells) < 3:
        return None
    start, end = _whole(cells[1]), _whole(cells[2])
    return (start, end) if start is not None and end is not None and start <= end else None


def _place(file: str | None, number: int) -> str:
    return f"intervals[{number}]" if file is None else f"line {number}"


def _refusal(file: str | None, number: int, reason: str) -> ValueError:
    return ValueError(f"{'' if file is None else f'{file}, '}{_place(file, number)}: {reason}")
