"""Genomes in UCSC's 2bit format: two bits per letter. Any stretch can be read without the rest of the file.

The format: https://genome.ucsc.edu/FAQ/FAQformat.html#format7
"""

from __future__ import annotations

import dataclasses
import os
import struct

import numpy as np

from jaxmaxent.files import to_read

_SIGNATURE = 0x1A412743
_LETTERS = np.frombuffer(b"TCAG", np.uint8)  # in the order of their two bits
_UNKNOWN = ord("N")


class TwoBit:
    """A mapping from the names of sequences to `TwoBitSequence`. Only the index is read at the start.

    Args:
        path: a 2bit file of version 0, of either byte order.

    Raises:
        ValueError: if the file cannot be read, is not a 2bit file or is cut off.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = to_read(path)
        try:
            self._bytes = np.memmap(self._path, np.uint8, mode="r")
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise ValueError(f"{self._path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        self._order = next((o for o in "<>" if self._bytes[:4].tobytes() == struct.pack(f"{o}I", _SIGNATURE)), None)
        if self._order is None:
            raise ValueError(f"{self._path} is not a 2bit file: it does not begin with the signature {_SIGNATURE:#x}")
        version, count, _ = self._integers(4, 3)
        if version != 0:
            raise ValueError(f"{self._path} must be a 2bit file of version 0, got version {version}")
        self._offsets = self._index(int(count))
        self._read: dict[str, TwoBitSequence] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._offsets

    def __getitem__(self, name: str) -> TwoBitSequence:
        """Return the sequence of that name."""
        if name not in self._read:
            self._read[name] = self._sequence(self._offsets[name])
        return self._read[name]

    def keys(self) -> list[str]:
        """Return the names in the order of the file."""
        return list(self._offsets)

    def _sequence(self, at: int) -> TwoBitSequence:
        size, blocks = (int(value) for value in self._integers(at, 2))
        starts = self._integers(at + 8, blocks)
        ends = starts + self._integers(at + 8 + 4 * blocks, blocks)
        at += 8 + 8 * blocks
        masked = int(self._integers(at, 1)[0])  # stretches in lower case, which have the same letters
        return TwoBitSequence(self._part(at + 8 + 8 * masked, -(-size // 4)), size, starts, ends)

    def _index(self, count: int) -> dict[str, int]:
        found, at = {}, 16
        for _ in range(count):
            size = int(self._part(at, 1)[0])
            name = self._part(at + 1, size).tobytes().decode("latin-1")
            found[name] = int(self._integers(at + 1 + size, 1)[0])
            at += 5 + size
        return found

    def _integers(self, at: int, count: int) -> np.ndarray:
        """Read unsigned integers of 32 bits, as int64."""
        return self._part(at, 4 * count).view(f"{self._order}u4").astype(np.int64)

    def _part(self, at: int, size: int) -> np.ndarray:
        if at + size > len(self._bytes):
            raise ValueError(f"{self._path} is cut off: it has {len(self._bytes)} bytes, expected at least {at + size}")
        return np.asarray(self._bytes[at : at + size])


@dataclasses.dataclass(frozen=True, eq=False)
class TwoBitSequence:
    """One sequence. It has a length, and a slice of it is unpacked into upper-case letters.

    Attributes:
        packed: four letters per byte, the first in the highest bits.
        size: number of letters.
        unknown_starts: starts of the stretches of N, in increasing order.
        unknown_ends: ends of these stretches (exclusive).
    """

    packed: np.ndarray
    size: int
    unknown_starts: np.ndarray
    unknown_ends: np.ndarray

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> str:
        places = np.arange(*part.indices(self.size))
        codes = (self.packed[places // 4] >> (6 - 2 * (places % 4)).astype(np.uint8)) & 3
        found = _LETTERS[codes]
        if len(self.unknown_starts):
            # A letter is N if the last stretch that starts at or before it does not end before it.
            stretch = np.searchsorted(self.unknown_starts, places, side="right") - 1
            found = np.where((stretch >= 0) & (places < self.unknown_ends[stretch]), _UNKNOWN, found)
        return found.astype(np.uint8).tobytes().decode("ascii")
