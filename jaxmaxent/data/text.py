"""What the readers of text files share: opening, encoding, labels; errors name the file and the place."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8

from jaxmaxent.alphabet import Alphabet

_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}


@contextlib.contextmanager
def open_text(path: str | os.PathLike) -> Iterator[IO[str]]:
    """Open a UTF-8 text file to read, through gzip if its name ends in .gz.

    Raises:
        ValueError: if the file is missing, cannot be read, is no whole gzip file or no UTF-8 text, whether
            that shows at opening or while reading inside the block.
    """
    path = Path(path)
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as stream:
            yield stream
    except EOFError:
        raise ValueError(f"{path} is cut off: its gzip data end too early") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a sound gzip file: {error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text (the name of a gzip-compressed file must end in .gz)") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None


def encode_records(
    path: str | os.PathLike, sequences: Sequence[str], alphabet: Alphabet, where: Callable[[int], str]
) -> UInt8[np.ndarray, "sequences length"]:
    """Tokens of several sequences of one file.

    Args:
        path: the file, for error messages.
        sequences: at least one sequence.
        alphabet: their alphabet.
        where: gives the words for the place of a sequence in the file, from its index.

    Raises:
        ValueError: for unequal lengths, an empty sequence or a letter outside the alphabet; names the place.
    """
    length = len(sequences[0])
    for i, sequence in enumerate(sequences):
        if len(sequence) != length:
            raise ValueError(
                f"{path}: sequences must have equal lengths, but {where(0)} has {length} letters "
                f"and {where(i)} has {len(sequence)}"
            )
    try:
        # One call for all letters; the sequences are looked at one by one only to name the wrong one.
        return alphabet.encode("".join(sequences)).reshape(len(sequences), length)
    except ValueError:
        for i, sequence in enumerate(sequences):
            try:
                alphabet.encode(sequence)
            except ValueError as error:
                raise ValueError(f"{path}, {where(i)}: {error}") from None
        raise


def is_encodable(text: str, alphabet: Alphabet) -> bool:
    """Whether `text` is not empty and all of it are letters of the alphabet."""
    try:
        alphabet.encode(text)
    except ValueError:
        return False
    return True


def one_word(name: str) -> str:
    """`name` as a file of text can hold it: underscores for white space, and for what is not printable."""
    return "".join(c if c.isprintable() else "_" for c in "_".join(name.split()))


def parse_label(text: str, path: str | os.PathLike, where: str) -> int:
    """A label as 0 or 1; ValueError that names the file, the place and the text for anything else."""
    label = _LABELS.get(text.strip())
    if label is None:
        raise ValueError(f"{path}, {where}: the label must be 0 or 1, got {text!r}")
    return label
