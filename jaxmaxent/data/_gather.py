"""Sequences collected one by one while a file is read, and encoded early, so that each one takes little memory."""

from __future__ import annotations

import array
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxmaxent import checks
from jaxmaxent.data._sequences import Sequences, numbered_name
from jaxmaxent.data._text import LeftOut, Memory, is_encodable, told_left_out
from jaxmaxent.ensembles import Alphabet

# This many letters or sequences are encoded together, which is faster than one by one.
_LETTERS_AT_ONCE, _SEQUENCES_AT_ONCE = 2**20, 2**14
# Bytes kept per sequence, without its letters and the characters of its name: the object of the name, the references
# to it, the number and the label.
_BYTES_EACH = 49 + 2 * 8 + 8 + 1 + 8


class Gathered:
    """Sequences of equal length from one file.

    Args:
        path: the file, for errors.
        alphabet: the alphabet of the sequences.
        where: describes the place of a sequence in words, given the `place` that `add` received.
        length: the number of letters that every sequence must have; None for that of the first.
        limit: the largest number of sequences to keep; None keeps all.
        skip_invalid: leave out sequences with letters outside the alphabet or, if `length` is given, of another length,
            instead of raising an error.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        alphabet: Alphabet,
        where: Callable[[Any], str],
        *,
        length: int | None = None,
        limit: int | None = None,
        skip_invalid: bool = False,
    ) -> None:
        self._path, self._alphabet, self._where = path, alphabet, where
        self._limit = None if limit is None else checks.integer("limit", limit, at_least=1)
        self._skip_invalid = skip_invalid
        self._memory = Memory(path)
        self._tokens, self._names = bytearray(), []
        self._numbers, self._labels = array.array("q"), bytearray()
        self._first: Any = None
        self._wanted = None if length is None else checks.integer("length", length, at_least=1)
        self._length, self._characters = 0, 0
        self._waiting: list[tuple[str, str, int, int, Any]] = []
        self._left_out, self._reason = 0, ""

    @property
    def is_full(self) -> bool:
        """True if there are as many sequences as the limit allows."""
        return self._limit is not None and len(self._names) >= self._limit

    def add(self, number: int, place: Any, letters: str, *, name: str, label: int) -> None:
        """Add the next sequence.

        Args:
            number: its number among all sequences of the file, from 0.
            place: its place in the file, which `where` describes in words.
            letters: the sequence.
            name: its name. If it is empty, the name is made from the number.
            label: its label, 0 or 1. It has no meaning in a file without labels.

        Raises:
            ValueError: for an empty sequence, a length that differs from the first one or from the wanted one, a letter
                outside the alphabet, or if the memory does not suffice.
        """
        if self._wanted is not None and len(letters) != self._wanted:
            self._leave_out_length(place, len(letters))
            return
        if self._length == 0:
            self._first, self._length = place, len(letters)
        if not letters:
            raise ValueError(
                f"{self._path}, {self._where(place)}: sequence is empty, expected letters of {self._alphabet.letters!r}"
            )
        if len(letters) != self._length:
            raise ValueError(
                f"{self._path}: sequences must have equal lengths, but {self._where(self._first)} has "
                f"{self._length} letters and {self._where(place)} has {len(letters)}"
            )
        self._waiting.append((letters, name, label, number, place))
        count = len(self._waiting)
        enough = self._limit is not None and len(self._names) + count >= self._limit
        if enough or count >= _SEQUENCES_AT_ONCE or count * self._length >= _LETTERS_AT_ONCE:
            self._encode()

    def sequences(self, *, named: bool, labeled: bool) -> Sequences:
        """Return all sequences that were added, at least one.

        Args:
            named: use the names that were given. Otherwise all names are made from the numbers.
            labeled: use the labels that were given.

        Raises:
            ValueError: for the reasons of `add`, or if all sequences were left out.
        """
        self._encode()
        if self._left_out:
            total = len(self._names) + self._left_out
            told = told_left_out(self._path, self._left_out, total, "sequences", self._reason)
            if not self._names:
                raise ValueError(told)
            warnings.warn(told, LeftOut, stacklevel=4)
        numbered = zip(self._names if named else [""] * len(self._names), self._numbers, strict=True)
        names = tuple(name or numbered_name(number) for name, number in numbered)
        labels = np.frombuffer(self._labels, np.uint8).astype(int) if labeled else None
        tokens = np.frombuffer(self._tokens, np.uint8).reshape(len(names), self._length)
        return Sequences(tokens, names, labels, self._alphabet)

    def _leave_out_length(self, place: Any, found: int) -> None:
        if not self._reason:
            self._encode()  # so that the reason is that of the first sequence that is left out
        reason = f"{self._where(place)}: expected {self._wanted} letters, got {found}"
        if not self._skip_invalid:
            raise ValueError(f"{self._path}, {reason}")
        self._reason = self._reason or reason
        self._left_out += 1

    def _encode(self) -> None:
        """Encode the waiting sequences, and keep only their names, numbers and labels besides."""
        chosen = self._waiting
        try:
            tokens = self._alphabet.encode("".join(entry[0] for entry in chosen)) if chosen else b""
        except ValueError:
            chosen = self._valid(chosen)
            tokens = self._alphabet.encode("".join(entry[0] for entry in chosen)) if chosen else b""
        self._tokens += bytes(tokens)
        for _, name, label, number, _ in chosen:
            self._names.append(name)
            self._labels.append(label)
            self._numbers.append(number)
            self._characters += len(name)
        if chosen:
            # A bytearray grows by an eighth at a time.
            kept = len(self._tokens) * 9 / 8 + self._characters + len(self._names) * _BYTES_EACH
            self._memory.check(kept, self._where(chosen[-1][-1]))
        self._waiting = []

    def _valid(self, entries: list[Any]) -> list[Any]:
        """Return the entries with letters of the alphabet only; raise ValueError if others must not be left out."""
        letters = set().union(*(entry[0] for entry in entries))
        wrong = {letter for letter in letters if not is_encodable(letter, self._alphabet)}
        valid = [entry for entry in entries if wrong.isdisjoint(entry[0])]
        if not self._reason:
            odd = next(entry for entry in entries if not wrong.isdisjoint(entry[0]))
            try:
                self._alphabet.encode(odd[0])
            except ValueError as error:
                self._reason = f"{self._where(odd[-1])}: {error}"
        if not self._skip_invalid:
            raise ValueError(f"{self._path}, {self._reason}")
        self._left_out += len(entries) - len(valid)
        return valid
