"""A set of sequences of equal length, with names and labels: the result of every reader."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from jaxmaxent.ensembles import DNA, Alphabet


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of equal length with their names and, if known, their labels.

        Sequences(jme.DNA.encode(["ACGT", "TTGA"]), ("first", "second"), np.array([1, 0]))

    Attributes:
        tokens: uint8, shape [sequences, length]. Other integer types are converted.
        names: one name per sequence. Names may repeat.
        labels: integers, shape [sequences]; None if the sequences have no labels.
        alphabet: the alphabet of the tokens.

    Raises:
        ValueError: if the tokens are not integers of the alphabet of shape [sequences, length], or the names or labels
            do not match them.
    """

    tokens: UInt8[np.ndarray, "sequences length"]
    names: tuple[str, ...]
    labels: Int[np.ndarray, " sequences"] | None = None
    alphabet: Alphabet = DNA

    def __post_init__(self) -> None:
        tokens = np.asarray(self.tokens)
        if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer):
            raise ValueError(
                f"tokens must be integers of shape [sequences, length], "
                f"got {tokens.dtype} of shape {list(tokens.shape)}"
            )
        if tokens.size and (tokens.min() < 0 or tokens.max() >= len(self.alphabet)):
            raise ValueError(f"tokens must be 0 to {len(self.alphabet) - 1}, got {tokens.min()} to {tokens.max()}")
        if len(self.names) != len(tokens):
            raise ValueError(f"names must be {len(tokens)}, one for each sequence, got {len(self.names)}")
        object.__setattr__(self, "tokens", tokens.astype(np.uint8, copy=False))
        object.__setattr__(self, "names", tuple(self.names))
        if self.labels is not None:
            object.__setattr__(self, "labels", _checked_labels(self.labels, len(tokens)))

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def take(self, indices: Any) -> Sequences:
        """Return some of the sequences, in the order of `indices`.

        Args:
            indices: integers, or one boolean per sequence.

        Raises:
            ValueError: for an index that is out of range or of another type.
        """
        try:
            chosen = np.arange(len(self))[np.asarray(indices, dtype=None if np.size(indices) else int)]
        except IndexError as error:
            raise ValueError(f"indices must select among {len(self)} sequences: {error}") from None
        if chosen.ndim != 1:
            raise ValueError(f"indices must be one-dimensional, got {chosen.ndim} dimensions")
        labels = None if self.labels is None else self.labels[chosen]
        return Sequences(self.tokens[chosen], tuple(self.names[i] for i in chosen), labels, self.alphabet)


def numbered_names(count: int) -> tuple[str, ...]:
    """Return names for sequences that have none: "sequence_0", "sequence_1", …"""
    return tuple(map(numbered_name, range(count)))


def numbered_name(number: int) -> str:
    """Return the name of a sequence that has none, made from its number in the file."""
    return f"sequence_{number}"


def _checked_labels(labels: Any, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels must be integers of shape [{count}], got {labels.dtype} of shape {list(labels.shape)}"
        )
    return labels
