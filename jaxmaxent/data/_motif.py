"""Motifs, and the helpers that the readers of both motif formats share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.data._text import is_encodable
from jaxmaxent.ensembles import DNA, PROTEIN, RNA, Alphabet

MOST_SITES = 1e15


@dataclasses.dataclass(frozen=True, eq=False)
class Motif:
    """A motif: the probabilities of the letters at each of its positions.

    Attributes:
        name: the common name, for example "CTCF".
        identifier: the accession, for example "MA0139.2".
        probabilities: float, shape [width, letters], letters in the order of the alphabet. Each row sums to 1.
        sites: the number of sites from which the motif was made; None if unknown.
        counts: the number of times each letter occurs at each position, shape [width, letters]; None if unknown.

    Raises:
        ValueError: if the probabilities do not have that shape, are negative or not finite, or a row does not sum to 1.
    """

    name: str
    identifier: str
    probabilities: Float[np.ndarray, "width letters"]
    sites: int | None = None
    counts: Float[np.ndarray, "width letters"] | None = None

    def __post_init__(self) -> None:
        array = checks.finite_array("probabilities", self.probabilities, at_least=0)
        if array.ndim != 2 or 0 in array.shape or np.abs(array.sum(1) - 1).max() > 1e-5:
            raise ValueError(
                f"probabilities of motif {self.identifier!r} must have shape [width, letters] and rows that "
                f"sum to 1, got shape {list(array.shape)} with sums {array.sum(-1).tolist()}"
            )
        object.__setattr__(self, "probabilities", array)


class WritableMotif(Protocol):
    """Any motif that `write_meme` accepts: a `Motif` of a file, or a motif that `analysis.find_motifs` found."""

    @property
    def probabilities(self) -> Float[np.ndarray, "width letters"]:
        """The probabilities of the letters at each position."""
        ...

    @property
    def sites(self) -> int | None:
        """The number of sites, None if unknown."""
        ...

    @property
    def identifier(self) -> str:
        """The accession, which must be unique in the file."""
        ...

    @property
    def name(self) -> str:
        """The common name."""
        ...


def names_of(header: str) -> tuple[str, str]:
    """Return identifier and name from the text after '>' or 'MOTIF'. Without a name it is the identifier."""
    words = header.split(maxsplit=1)
    identifier = words[0] if words else ""
    return identifier, words[1] if len(words) > 1 else identifier


def numbers_of(text: str) -> list[float] | None:
    """Return the numbers of a line; None if it is blank or holds anything else."""
    try:
        return [float(word) for word in text.split()] or None
    except ValueError:
        return None


def order_of(letters: str, alphabet: Alphabet) -> list[int]:
    """Return the index in `letters` of each letter of the alphabet. `letters` may be in lower case."""
    tokens = alphabet.encode(letters).tolist() if letters and is_encodable(letters, alphabet) else []
    if sorted(tokens) != list(range(len(alphabet))):
        raise ValueError(f"expected the letters {alphabet.letters!r} in some order, got {checks.shown(letters)}")
    return [tokens.index(token) for token in range(len(alphabet))]


def alphabetical(alphabet: Alphabet) -> str:
    """Return the letters in the order that applies if a file does not declare one."""
    letters = "".join(sorted(alphabet.letters))
    if letters not in {"".join(sorted(known.letters)) for known in (DNA, RNA, PROTEIN)}:
        raise ValueError(f"the file does not declare the order of the letters {alphabet.letters!r}")
    return letters


# The motifs of a file. Each has a description and a function that makes the motif, or raises ValueError.
Candidates: TypeAlias = Iterator[tuple[str, Callable[[], Motif]]]
