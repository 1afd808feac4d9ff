"""Plain FASTA files as genomes: mapped into memory, so that any stretch can be read without the rest.

There is no index file. Finding the headers takes no longer than reading the file once. An index beside the file could
be out of date, belong to another file or be half written.
"""

from __future__ import annotations

import mmap
import os
import re
from typing import NamedTuple

import numpy as np

from jaxmaxent.data._fasta import record_name
from jaxmaxent.data._text import WHITE
from jaxmaxent.files import to_read

_WHITE = WHITE.encode()
_LINE_END = re.compile(rb"\r\n|\n|\r")
_NOT_WHITE = re.compile(b"[^" + _WHITE + b"]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PIECE = 2**24


class MappedFasta:
    """A mapping from the names of records to `MappedSequence`.

    Line ends of all systems are accepted. If the lines of a record differ in length or some are blank, the record is
    kept in memory from its first use on. Of all other records, only the requested stretches are read.

    Args:
        path: a FASTA file that is not compressed.

    Raises:
        ValueError: if the file cannot be read or is not a FASTA file, or if two records have the same name.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = to_read(path)
        try:
            with open(self._path, "rb") as stream:
                self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file cannot be mapped
            raise ValueError(f"{self._path} is empty, expected a FASTA file with at least one record") from None
        except OSError as error:
            raise ValueError(f"{self._path} cannot be read: {error.strerror or error}") from None
        self._places = self._find_records()
        self._read: dict[str, MappedSequence] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> MappedSequence:
        """Return the sequence of that name; raise ValueError if it has no letters."""
        if name not in self._read:
            self._read[name] = self._sequence(name)
        return self._read[name]

    def keys(self) -> list[str]:
        """Return the names in the order of the file."""
        return list(self._places)

    def _find_records(self) -> dict[str, tuple[int, int]]:
        """Return the offsets at which the lines of each record's sequence start and end."""
        headers = self._find_headers()
        places: dict[str, tuple[int, int]] = {}
        for number, (start, end) in enumerate(zip(headers, [*headers[1:], len(self._bytes)], strict=True)):
            line_end = _LINE_END.search(self._bytes, start, end)
            first, begin = line_end.span() if line_end else (end, end)
            name = record_name(self._bytes[start + 1 : first].decode("utf-8", "replace").strip(), number)
            if name in places:
                raise ValueError(f"{self._path}: two records are called {name!r}, expected one per chromosome")
            places[name] = (begin, end)
        return places

    def _find_headers(self) -> list[int]:
        """Return the offset of each ">" at the beginning of a line, at least one."""
        begin = len(_BYTE_ORDER_MARK) if self._bytes[:3] == _BYTE_ORDER_MARK else 0
        self._check_first(begin)
        found, at = [], self._bytes.find(b">", begin)
        while at >= 0:
            before = at
            while before > begin and self._bytes[before - 1] in b" \t":
                before -= 1
            if before == begin or self._bytes[before - 1] in b"\r\n":
                found.append(at)
            at = self._bytes.find(b">", at + 1)
        return found

    def _check_first(self, begin: int) -> None:
        """Raise ValueError if the first character that is not white space is not the ">" of a header."""
        first = _NOT_WHITE.search(self._bytes, begin)
        if first is None:
            raise ValueError(f"{self._path} is empty, expected a FASTA file with at least one record")
        if first[0] != b">":
            at = first.start()
            number = 1 + sum(1 for _ in _LINE_END.finditer(self._bytes, begin, at))
            text = _LINE_END.split(self._bytes[at : at + 40])[0].decode("utf-8", "replace")
            packed = " (the name of a gzip-compressed file must end in .gz)" * (self._bytes[:2] == b"\x1f\x8b")
            raise ValueError(
                f"{self._path}, line {number}: expected a FASTA header starting with '>', got {text!r}{packed}"
            )

    def _sequence(self, name: str) -> MappedSequence:
        begin, end = self._places[name]
        while end > begin and self._bytes[end - 1] in _WHITE:
            end -= 1
        if end == begin:
            raise ValueError(f"{self._path}: record {name!r} has no sequence")
        first_end = _LINE_END.search(self._bytes, begin, end)
        part = np.frombuffer(self._bytes, np.uint8, end - begin, begin)
        lines = None if first_end is None else _lines(part, first_end.start() - begin, first_end.end() - begin)
        if first_end is not None and lines is None:
            part = np.frombuffer(part.tobytes().translate(None, _WHITE), np.uint8)
        return MappedSequence(part, lines or _Lines(len(part), len(part), len(part)))


class _Lines(NamedTuple):
    size: int  # letters of the sequence
    letters: int  # letters of every line; the last line may have fewer
    width: int  # bytes from the first letter of a line to that of the next


def _lines(part: np.ndarray, first: int, width: int) -> _Lines | None:
    """Return how the letters are laid out in lines, or None if lines differ in length or letters are spaced.

    Args:
        part: the bytes of the sequence.
        first: number of bytes of the first line, without the line end.
        width: number of bytes of the first line, with the line end.
    """
    letters = len(part[:first].tobytes().rstrip(_WHITE))
    full, rest = divmod(len(part), width)
    if letters == 0 or rest > letters:
        return None
    # There must be white space in the columns behind the letters, and nowhere else.
    columns = (part[column : full * width : width] for column in range(letters, width))
    if any(column.tobytes().strip(_WHITE) for column in columns):
        return None
    pieces = (part[i : i + _PIECE].tobytes() for i in range(0, len(part), _PIECE))
    white = sum(len(piece) - len(piece.translate(None, _WHITE)) for piece in pieces)
    return _Lines(full * letters + rest, letters, width) if white == full * (width - letters) else None


class MappedSequence:
    """One sequence. It has a length, and a slice of it gives letters.

    Args:
        part: the bytes from its first letter to its last.
        lines: the layout of the letters in these bytes.
    """

    def __init__(self, part: np.ndarray, lines: _Lines) -> None:
        self._part, self._lines = part, lines

    def __len__(self) -> int:
        return self._lines.size

    def __getitem__(self, part: slice) -> str:
        start, stop, _ = part.indices(self._lines.size)
        if start >= stop:
            return ""
        found = self._part[self._place(start) : self._place(stop - 1) + 1].tobytes()
        return found.translate(None, _WHITE).decode("ascii", "replace")

    def _place(self, letter: int) -> int:
        line, column = divmod(letter, self._lines.letters)
        return line * self._lines.width + column
