"""Opening text files, reading their lines and labels, and watching the memory. Errors name the file and the place."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from jaxmaxent import checks
from jaxmaxent.ensembles import Alphabet
from jaxmaxent.files import named, to_read
from jaxmaxent.memory import free_bytes

STANDARD_INPUT = "-"
WHITE = " \t\n\r\v\f"  # any other control character between letters is an error
_COMPRESSED = (".gz", ".bgz")
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 2**20  # characters of a line that are read at once
_LABEL = re.compile(r"([01])(?:\.0*)?|(true)|(false)", re.IGNORECASE)


class LeftOut(UserWarning):
    """Warning that a reader left out records of a file; it gives their number and the reason for the first one."""


def told_left_out(path: str | os.PathLike[str], count: int, total: int, what: str, reason: str) -> str:
    """Return the sentence of a `LeftOut` warning, or of an error if no record is left."""
    return f"{path}: {count:,} of {total:,} {what} are left out, the first: {reason}"


class Lines:
    """The lines of an open text file.

    Attributes:
        path: the name of the file in errors.
        numbered: (number, line) of every remaining line, counted from 1. Only the last line may lack its "\\n".
    """

    def __init__(self, path: str | os.PathLike[str], stream: IO[str]) -> None:
        self.path = _told(path)
        self.numbered = self._read(stream)

    def first(self) -> str:
        """Return the next line that is not blank, without consuming it; "" at the end of the file."""
        for number, line in self.numbered:
            if line.strip():
                self.numbered = itertools.chain([(number, line)], self.numbered)
                return line
        return ""

    def _read(self, stream: IO[str]) -> Iterator[tuple[int, str]]:
        for number in itertools.count(1):
            line = stream.readline(_PIECE)
            if len(line) == _PIECE and not line.endswith("\n"):
                line = self._whole(line, number, stream)
            if not line:
                return
            yield number, line

    def _whole(self, line: str, number: int, stream: IO[str]) -> str:
        """Read the rest of a long line; raise ValueError if it does not fit into memory."""
        memory, whole = Memory(self.path), io.StringIO()
        while line:
            whole.write(line)
            memory.check(2 * whole.tell(), f"line {number}")
            line = "" if line.endswith("\n") else stream.readline(_PIECE)
        return whole.getvalue()


class Memory:
    """The memory that was free when the reading of a file began.

    Args:
        path: the file, for errors.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._free = path, free_bytes()

    def check(self, kept: float, where: str) -> None:
        """Raise ValueError if more bytes are kept, from the beginning up to this place, than were free."""
        if self._free is not None and kept > self._free:
            raise ValueError(
                f"{self._path}, {where}: what was read up to here takes {_size(kept)} of memory, "
                f"but only {_size(self._free)} were free"
            )


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def is_compressed(path: str | os.PathLike[str]) -> bool:
    """Return True if the name of a file ends like one compressed with gzip, or with bgzip, which gzip can read."""
    return Path(named(path)).name.lower().endswith(_COMPRESSED)


def plain_name(path: str | os.PathLike[str]) -> str:
    """Return the name of a file in lower case, without the suffix of its compression."""
    name = Path(path).name.lower()
    return next((name.removesuffix(suffix) for suffix in _COMPRESSED if name.endswith(suffix)), name)


def is_standard_input(path: str | os.PathLike[str]) -> bool:
    """Return True if a path is "-", which means standard input. A file of that name is "./-"."""
    return named(path) == STANDARD_INPUT


def _told(path: str | os.PathLike[str]) -> str:
    return "standard input" if is_standard_input(path) else os.fspath(path)


@contextlib.contextmanager
def open_lines(path: str | os.PathLike[str]) -> Iterator[Lines]:
    """Open a UTF-8 text file, or standard input for "-", to read its lines.

    Line ends of all systems are accepted. A file is read through gzip if its name ends in .gz or .bgz, and standard
    input if it begins like a gzip file.

    Raises:
        ValueError: when the file is opened, or while it is read inside the block: if it is missing, cannot be read, is
            not a complete gzip file, is not UTF-8 text, or has a line that does not fit into memory.
    """
    told = _told(path)
    if not is_standard_input(path):
        to_read(path)
    try:
        with _open_binary(path) as binary:
            stream = io.TextIOWrapper(binary, encoding="utf-8-sig")
            try:
                yield Lines(path, stream)
            finally:
                stream.detach()  # keep standard input open
    except MemoryError:
        raise ValueError(f"{told} does not fit into the memory that is free") from None
    except EOFError:
        raise ValueError(f"{told} is cut off: its gzip data end too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{told} is not a valid gzip file: {error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{told} is not UTF-8 text (the name of a gzip-compressed file must end in .gz)") from None
    except OSError as error:
        raise ValueError(f"{told} cannot be read: {error.strerror or error}") from None


@contextlib.contextmanager
def _open_binary(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    if not is_standard_input(path):
        with (gzip.open if is_compressed(path) else open)(path, "rb") as stream:
            yield stream  # pyright: ignore[reportReturnType]
        return
    source = getattr(sys.stdin, "buffer", None)
    if not isinstance(source, io.BufferedReader):
        raise ValueError("standard input is closed, expected a file there for the name '-'")
    is_gzip = source.peek(2)[:2] == _GZIP_MAGIC
    yield gzip.GzipFile(fileobj=source) if is_gzip else source  # pyright: ignore[reportReturnType]


def is_encodable(text: str, alphabet: Alphabet) -> bool:
    """Return True if `text` is not empty and all its characters are letters of the alphabet."""
    try:
        alphabet.encode(text)
    except ValueError:
        return False
    return True


def one_word(name: str) -> str:
    """Return `name` with an underscore for each stretch of white space and each character that is not printable."""
    return "".join(c if c.isprintable() else "_" for c in "_".join(name.split()))


def label_of(text: str) -> int | None:
    """Return the label that a text stands for, 0 or 1, also written as 1.0 or True; None for any other text."""
    found = _LABEL.fullmatch(text.strip())
    return None if found is None else int(found[1] or bool(found[2]))


def parse_label(text: str, path: str | os.PathLike[str], where: str) -> int:
    """Return the label 0 or 1; for any other text raise ValueError with the file, the place and the text."""
    label = label_of(text)
    if label is None:
        raise ValueError(f"{path}, {where}: the label must be 0 or 1, got {checks.shown(text)}")
    return label
