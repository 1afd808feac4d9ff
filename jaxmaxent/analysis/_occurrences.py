"""The places where draws have motifs, on either strand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Integer

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet


class Occurrences(NamedTuple):
    """The places where draws have motifs, sorted by motif, chain, draw and start.

    Attributes:
        motif: index of the motif, shape [occurrences].
        chain: index of the chain, shape [occurrences].
        draw: index of the draw within its chain, shape [occurrences].
        start: first position of the draw that the motif covers, from 0, on either strand, shape [occurrences].
        strand: 1 if the motif reads along the draw, −1 if its reverse complement does, shape [occurrences].
        number_of_chains: number of chains that were scanned.
        draws_per_chain: number of draws of each chain.
        length: number of positions of a draw.
        widths: number of positions of each motif.
    """

    motif: Int[np.ndarray, " occurrences"]
    chain: Int[np.ndarray, " occurrences"]
    draw: Int[np.ndarray, " occurrences"]
    start: Int[np.ndarray, " occurrences"]
    strand: Int[np.ndarray, " occurrences"]
    number_of_chains: int
    draws_per_chain: int
    length: int
    widths: tuple[int, ...]


def scan(
    tokens: Integer[np.ndarray, "chains draws length"],
    matrices: Sequence[Float[np.ndarray, "width letters"]],
    thresholds: Sequence[float],
    both_strands: bool = True,
    *,
    alphabet: Alphabet = DNA,
) -> Occurrences:
    """Return every place of every draw where a motif scores at least its threshold.

    A place is one window of a draw. If both strands reach the threshold there, the better one counts, and the forward
    one where they are equal, so that a palindrome counts once. Windows that overlap each other all count.

    Args:
        tokens: draws of each chain, as letters' indices.
        matrices: a score per column and letter of each motif, such as log-odds; scores of a window are added up.
        thresholds: smallest score of an occurrence, one per motif.
        both_strands: scan the reverse complement as well, if the letters have complements.
        alphabet: the letters.

    Raises:
        ValueError: if the tokens have another shape or other letters, a matrix has another number of letters, or there
            are not as many thresholds as matrices.
    """
    tokens = checked_tokens("tokens", tokens, len(alphabet))
    scores = [_checked_matrix(matrix, len(alphabet)) for matrix in checks.several("matrices", matrices, "matrices")]
    limits = checks.finite_array("thresholds", thresholds)
    if limits.shape != (len(scores),):
        raise ValueError(f"thresholds must have one entry for each of the {len(scores)} matrices, got {limits.shape}")
    turned = alphabet.complement(np.arange(len(alphabet))) if both_strands and alphabet.complements else None
    found = [
        (np.full(len(strand), k), np.full(len(strand), chain), draw, start, strand)
        for k, (matrix, limit) in enumerate(zip(scores, limits.tolist(), strict=True))
        for chain, draws in enumerate(tokens)  # a chain at a time, to save memory
        for draw, start, strand in [_places(draws, matrix, limit, turned)]
    ]
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)] or [np.zeros(0, np.int64)] * 5
    return Occurrences(*columns, *tokens.shape, tuple(len(matrix) for matrix in scores))


def window_scores(
    tokens: Integer[np.ndarray, "draws length"], matrix: Float[np.ndarray, "width letters"]
) -> Float[np.ndarray, "draws windows"]:
    """Return the sum of a motif's scores over each window; no window if the motif is wider than the draws."""
    windows = tokens.shape[1] - len(matrix) + 1
    total = np.zeros((len(tokens), max(windows, 0)))
    for column, row in enumerate(matrix):
        total += row[tokens[:, column : column + total.shape[1]]]
    return total


def checked_tokens(name: str, value: object, letters: int) -> Integer[np.ndarray, "chains draws length"]:
    """Return tokens of draws, or raise a ValueError if they are not whole numbers of that shape below `letters`."""
    tokens = np.asarray(value)
    if tokens.ndim != 3 or not tokens.size or tokens.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be whole numbers of shape [chains, draws, length], got {tokens.dtype} of shape "
            f"{list(tokens.shape)}"
        )
    if tokens.min() < 0 or tokens.max() >= letters:
        raise ValueError(f"{name} must hold numbers from 0 to {letters - 1}, got {tokens.min()} to {tokens.max()}")
    return tokens


def _places(
    draws: np.ndarray, matrix: np.ndarray, limit: float, turned: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return draw, start and strand of all occurrences in the draws of a chain."""
    forward = window_scores(draws, matrix)
    strand = np.ones(forward.shape, np.int64)
    if turned is not None:
        backward = window_scores(draws, matrix[::-1, turned])
        strand[backward > forward] = -1
        forward = np.maximum(forward, backward)
    draw, start = np.nonzero(forward >= limit)
    return draw, start, strand[draw, start]


def _checked_matrix(value: object, letters: int) -> Float[np.ndarray, "width letters"]:
    matrix = checks.number_array("matrices", value)
    if matrix.ndim != 2 or matrix.shape[1] != letters or not len(matrix) or np.isnan(matrix).any():
        raise ValueError(f"matrices must have numbers of shape [width, {letters}], got {list(matrix.shape)}")
    return matrix
