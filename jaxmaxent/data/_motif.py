"""A motif, and the words and numbers of motif files that the formats share."""

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
        name: its common name, for example "CTCF".
        identifier: its accession, for example "MA0139.2".
        probabilities: float, shape [width, letters], in the alphabet's order; each row sums to 1.
        sites: the number of sites it was made from, where known.
        counts: letters counted at each position, shape [width, letters], where the source gives counts.
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
    """What `write_meme` takes: a `Motif`, or what `analysis.find_motifs` finds."""

    @property
    def name(self) -> str:
        """Its common name."""
        ...

    @property
    def identifier(self) -> str:
        """Its accession."""
        ...

    @property
    def probabilities(self) -> Float[np.ndarray, "width letters"]:
        """Letter probabilities at each position."""
        ...

    @property
    def sites(self) -> int | None:
        """How many sites it was made of, where known."""
        ...


def names_of(header: str) -> tuple[str, str]:
    """Identifier and name from what follows '>' or 'MOTIF'; the identifier again where there is no name."""
    words = header.split(maxsplit=1)
    identifier = words[0] if words else ""
    return identifier, words[1] if len(words) > 1 else identifier


def numbers_of(text: str) -> list[float] | None:
    """The numbers of a line, None if it is blank or holds anything else."""
    try:
        return [float(word) for word in text.split()] or None
    except ValueError:
        return None


def order_of(letters: str, alphabet: Alphabet) -> list[int]:
    """Where the alphabet's letters stand in `letters`, which may be in lower case."""
    tokens = alphabet.encode(letters).tolist() if letters and is_encodable(letters, alphabet) else []
    if sorted(tokens) != list(range(len(alphabet))):
        raise ValueError(f"expected the letters {alphabet.letters!r} in some order, got {checks.shown(letters)}")
    return [tokens.index(token) for token in range(len(alphabet))]


def alphabetical(alphabet: Alphabet) -> str:
    """The letters in the order that is meant where a file tells none."""
    letters = "".join(sorted(alphabet.letters))
    if letters not in {"".join(sorted(known.letters)) for known in (DNA, RNA, PROTEIN)}:
        raise ValueError(f"nothing tells the order of the letters {alphabet.letters!r}")
    return letters


# The motifs of a file, each with the words for it and a function that makes it or tells what is wrong with it.
Candidates: TypeAlias = Iterator[tuple[str, Callable[[], Motif]]]
