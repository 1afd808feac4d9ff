"""Comparison of motifs with known ones by Tomtom, with exact p-values.

Gupta, Stamatoyannopoulos, Bailey & Noble, Genome Biology 8:R24 (2007), with the complete scores of Tanaka, Bailey,
Grant & Noble, Bioinformatics 27(12):1603 (2011). The score of two columns is minus their Euclidean distance, less its
median over all columns of all targets, so that a column that faces none scores 0. Scores are added up along an
alignment, and the best alignment counts. Its p-value is that of the best of all alignments with columns drawn from all
targets. Scores are rounded to whole numbers, so that the distribution of a sum is a convolution.

The package `memelite` (0.5.0) has the same comparison in Numba and installs on Python 3.11 to 3.13. It is not used, for
these reasons. It brings Numba, LLVM, pandas and pyfaidx (380 MB), which must support each new Python first. Its first
call compiles for a minute or more. It has no q-values, and it bins targets, so that small p-values are rough: 7e-29
instead of 2e-30. Both take well under a second per query against JASPAR.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet

_LEVELS = 100  # steps of the rounded scores of a query, from the smallest to the largest


@runtime_checkable
class NamedMotif(Protocol):
    """A motif that can be compared: one of a file, or one that was found."""

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


class MotifHit(NamedTuple):
    """A known motif that is similar to a query.

    Attributes:
        target: the known motif.
        p: probability that a motif of this width with columns drawn from all targets scores as high.
        e: number of targets expected to score as high by chance, p times the number of targets.
        q: share of false hits among this and the better ones (Benjamini & Hochberg 1995).
        offset: column of the target, on the strand of the hit, that the query's first column faces; negative if the
            query begins before the target.
        strand: "+" if the query is similar to the target, "-" if to its reverse complement.
        overlap: number of columns that face each other.
    """

    target: NamedMotif
    p: float
    e: float
    q: float
    offset: int
    strand: str
    overlap: int

    @property
    def name(self) -> str:
        """The target's common name."""
        return self.target.name

    @property
    def identifier(self) -> str:
        """The target's accession."""
        return self.target.identifier


def match_motifs(
    queries: Sequence[NamedMotif],
    targets: Sequence[NamedMotif],
    *,
    best: int = 10,
    alphabet: Alphabet = DNA,
    both_strands: bool = True,
) -> list[tuple[MotifHit, ...]]:
    """Return the most similar targets of each query, the most significant first.

    p-values are computed from the columns of all targets. So they need a whole collection, such as JASPAR, and are not
    reliable with a few targets.

    Args:
        queries: motifs, such as `find_motifs(…).motifs`.
        targets: known motifs, such as `data.read_motifs` reads.
        best: largest number of hits per query.
        alphabet: the letters of all motifs.
        both_strands: compare with the targets' reverse complements as well, if the letters have complements.

    Raises:
        ValueError: if there is no target, or a motif has other letters.

    Example:
        >>> known = data.read_motifs("jaspar.meme")
        >>> hits = analysis.match_motifs(known[:1], known)
        >>> hits[0][0].name == known[0].name
        True
    """
    checked_alphabet(alphabet)
    best = checks.integer("best", best, at_least=1)
    queries, targets = checks.several("queries", queries, "motifs"), checks.several("targets", targets, "motifs")
    if not targets:
        raise ValueError("targets must hold at least one motif, got none")
    known = [_checked("targets", motif, alphabet) for motif in targets]
    strands = {"+": known}
    if both_strands and alphabet.complements is not None:
        complement = alphabet.complement(np.arange(len(alphabet)))
        strands["-"] = [matrix[::-1, complement] for matrix in known]
    return [_hits(_checked("queries", query, alphabet), strands, targets, best) for query in queries]


def _checked(name: str, motif: NamedMotif, alphabet: Alphabet) -> np.ndarray:
    checks.like(name, motif, "probabilities", "a list of motifs, as find_motifs and data.read_motifs give them")
    matrix = np.asarray(motif.probabilities, float)
    if matrix.ndim != 2 or matrix.shape[1] != len(alphabet) or not len(matrix) or not np.isfinite(matrix).all():
        raise ValueError(
            f"{name} must have probabilities of shape [width, {len(alphabet)}], "
            f"got {list(matrix.shape)} for {motif.identifier!r}"
        )
    return matrix


def _hits(
    query: np.ndarray, strands: dict[str, list[np.ndarray]], targets: Sequence[NamedMotif], best: int
) -> tuple[MotifHit, ...]:
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    scores = _column_scores(query, np.concatenate([matrix for known in strands.values() for matrix in known]))
    widths = np.array([len(matrix) for matrix in strands["+"]])
    each = [_best_alignments(part, widths) for part in np.split(scores, len(strands), axis=1)]
    score = np.array([best_score for best_score, _ in each])  # [strands, targets]
    chosen = score.argmax(0)
    p = _p_values(_tails(scores, int(widths.max())), score.max(0), widths, len(strands))
    q = false_discovery_control(p)
    hits = []
    for k in np.argsort(p, kind="stable")[:best].tolist():
        offset = int(each[chosen[k]][1][k])
        overlap = min(offset + len(query), int(widths[k])) - max(offset, 0)
        probability = float(p[k])
        strand = [*strands][chosen[k]]
        hits.append(MotifHit(targets[k], probability, probability * len(targets), float(q[k]), offset, strand, overlap))
    return tuple(hits)


def _column_scores(
    query: Float[np.ndarray, "width letters"], columns: Float[np.ndarray, "columns letters"]
) -> Int[np.ndarray, "width columns"]:
    """Return the similarity of every query column to every target column, less its median, in whole numbers."""
    squares = np.square(query[:, None] - columns).sum(-1)
    similarity = -np.sqrt(squares)
    similarity -= np.median(similarity, axis=1, keepdims=True)
    spread = similarity.max() - similarity.min()
    return np.rint(similarity * (_LEVELS / spread if spread > 0 else 0)).astype(np.int64)


def _best_alignments(
    scores: Int[np.ndarray, "width columns"], widths: Int[np.ndarray, " targets"]
) -> tuple[Int[np.ndarray, " targets"], Int[np.ndarray, " targets"]]:
    """Return the best score of each target and its offset; among equal scores, that with the largest overlap.

    Targets are laid end to end with room for the query's overhang between them, so that all alignments of all targets
    are sums along diagonals.
    """
    width = len(scores)
    starts = np.cumsum(widths + width - 1) - widths  # of the targets' first columns, gaps being in front
    places = np.concatenate([start + np.arange(n) for start, n in zip(starts, widths, strict=True)])
    spaced = np.zeros((width, starts[-1] + widths[-1] + width - 1), np.int64)
    spaced[:, places] = scores
    total = sum(spaced[i, i : i + spaced.shape[1] - width + 1] for i in range(width))
    best, offsets = [], []
    for n, along in zip(widths, np.split(total, (starts + widths)[:-1]), strict=True):
        offset = np.arange(1 - width, n)
        overlap = np.minimum(offset + width, n) - np.maximum(offset, 0)
        at = np.lexsort((overlap, along))[-1]
        best.append(along[at])
        offsets.append(offset[at])
    return np.array(best), np.array(offsets)


class _Tails(NamedTuple):
    """log P(sum < score) of the query's columns [first, stop), for all scores from the lowest possible.

    Attributes:
        log_below: by (first, stop), shape [scores].
        lowest: by (first, stop).
        width: columns of the query.
    """

    log_below: dict[tuple[int, int], Float[np.ndarray, " scores"]]
    lowest: dict[tuple[int, int], int]
    width: int

    def at(self, first: int, stop: int, score: Int[np.ndarray, " targets"]) -> Float[np.ndarray, " targets"]:
        table = self.log_below[first, stop]
        index = score - self.lowest[first, stop]
        return np.where(index < len(table), table[np.clip(index, 0, len(table) - 1)], 0.0)


def _tails(scores: np.ndarray, longest: int) -> _Tails:
    """Return the distributions of sums over all spans of at most `longest` columns of the query."""
    width = len(scores)
    smallest = scores.min(1)
    columns = [np.bincount(row - low) / len(row) for row, low in zip(scores, smallest, strict=True)]
    log_below, lowest = {}, {}
    for first in range(width):
        distribution, low = np.ones(1), 0
        for stop in range(first + 1, min(first + longest, width) + 1):
            # Sums of positive products keep small tails exact, which Fourier transforms would not.
            distribution = np.convolve(distribution, columns[stop - 1])
            low += int(smallest[stop - 1])
            above = np.minimum(np.cumsum(distribution[::-1])[::-1], 1)
            with np.errstate(divide="ignore"):
                log_below[first, stop] = np.log1p(-above)
            lowest[first, stop] = low
    return _Tails(log_below, lowest, width)


def _p_values(tails: _Tails, score: np.ndarray, widths: np.ndarray, strands: int) -> np.ndarray:
    """Return P(the best of all alignments ≥ score) for targets of these widths, with alignments as if independent."""
    p = np.empty(len(widths))
    for n in np.unique(widths):
        same = widths == n
        offsets = range(1 - tails.width, int(n))
        spans = [(max(-offset, 0), min(int(n) - offset, tails.width)) for offset in offsets]
        below = functools.reduce(np.add, (tails.at(*span, score[same]) for span in spans))
        p[same] = -np.expm1(strands * below)
    return p
