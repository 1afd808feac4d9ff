"""Marks that tell the files that jaxmaxent wrote from those of others, which are never replaced."""

from __future__ import annotations

from pathlib import Path

REMARK = "# jaxmaxent"  # the start of the first line of text files
# The end of a bigWig file. Readers do not look there, but the last bytes have to be those that a bigWig begins with.
_SEAL = b"jaxmaxent"
_LONGEST = 2**16


def begins(path: Path) -> bool:
    """Return True if a text file begins with the remark of jaxmaxent."""
    return first_line(path).startswith(REMARK)


def first_line(path: Path) -> str:
    """Return the first line of a text file, without its end; "" if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.readline(_LONGEST).rstrip("\n")
    except (OSError, ValueError):
        return ""


def seal(path: Path) -> None:
    """Add the mark of jaxmaxent to the end of a bigWig file."""
    with open(path, "r+b") as stream:
        magic = stream.read(4)
        stream.seek(0, 2)
        stream.write(_SEAL + magic)


def sealed(path: Path) -> bool:
    """Return True if a file has the mark that `seal` adds."""
    try:
        with open(path, "rb") as stream:
            magic, size = stream.read(4), stream.seek(0, 2)
            stream.seek(max(size - len(_SEAL) - 4, 0))
            return stream.read() == _SEAL + magic
    except OSError:
        return False
