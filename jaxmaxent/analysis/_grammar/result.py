"""The result of `grammar`: requirements with their errors, and the sentence that they make."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Requirement(NamedTuple):
    """A statement about motifs that was tested, one row of a grammar.

    `value` and `control` are shares from 0 to 1 for the tests of draws, and outputs for the tests by insertion, where 0
    is the mean output of the background and 1 that of the anchor.

    Attributes:
        kind: the statement that was tested.

            - "needs": the motif is in more draws than by chance.
            - "copies": the draws have `number` or more copies of the motif.
            - "any of": the second motif can take the place of the first, and both may be there.
            - "one of": the second motif can take the place of the first, but both together are refused.
            - "not": the motif is refused.
            - "place": the motif starts at the positions `low` to `high`.
            - "strand": the motif reads along the sequence, or against it.
            - "order": the first motif comes before the second.
            - "downstream", "upstream": the second motif is downstream, or upstream, along the strand of the
              first.
            - "same strand", "other strand": both motifs are on the same strand, or on opposite strands.
            - "spacing": the letters between both motifs are as many as `low` to `high`.
        motifs: names of the motifs, one or two.
        value: the share at the target, or the output after insertion.
        error: its standard error, from the spread between chains.
        control: the share by chance, or the output that `value` is compared with.
        p: probability of as large a difference by chance.
        q: p adjusted for the number of tests of the same family.
        held: True if the statement is part of the grammar: q is small, and `value` is large or small enough.
        number: the number of copies; 1 for other kinds.
        low: the smallest usual number of letters between both motifs, NaN for other kinds than "spacing".
        low_error: its standard error.
        high: the largest usual number of letters between both motifs.
        high_error: its standard error.
    """

    kind: str
    motifs: tuple[str, ...]
    value: float
    error: float
    control: float
    p: float
    q: float = np.nan
    held: bool = False
    number: int = 1
    low: float = np.nan
    low_error: float = np.nan
    high: float = np.nan
    high_error: float = np.nan


class Spacing(NamedTuple):
    """The number of letters between two motifs, in the draws and by chance.

    Attributes:
        motifs: names of both motifs.
        edges: edges of the classes of spacings, in letters, shape [classes + 1].
        share: share of the pairs of sites in each class, shape [classes].
        error: its standard error, shape [classes].
        control: the same share if both motifs were placed independently, shape [classes].
    """

    motifs: tuple[str, ...]
    edges: Float[np.ndarray, " classes_and_one"]
    share: Float[np.ndarray, " classes"]
    error: Float[np.ndarray, " classes"]
    control: Float[np.ndarray, " classes"]


class Grammar(NamedTuple):
    """What a network asks of the motifs of an input, as its draws show.

    Attributes:
        sentence: all that is held, in words.
        held: the requirements that make up the sentence.
        tested: all that was tested, in the order of testing.
        motifs: names of the motifs.
        present: share of the draws with each motif, shape [motifs].
        present_error: its standard error, shape [motifs].
        present_control: share of the background's draws with each motif, shape [motifs].
        spacings: spacings of the pairs of motifs that are often together.
        chains: number of independent chains. Errors have this number less one as degrees of freedom of Student's t.
    """

    sentence: str
    held: tuple[Requirement, ...]
    tested: tuple[Requirement, ...]
    motifs: tuple[str, ...]
    present: Float[np.ndarray, " motifs"]
    present_error: Float[np.ndarray, " motifs"]
    present_control: Float[np.ndarray, " motifs"]
    spacings: tuple[Spacing, ...]
    chains: int

    def __repr__(self) -> str:
        return f"Grammar({self.sentence!r}, {len(self.held)} of {len(self.tested)} requirements held)"
