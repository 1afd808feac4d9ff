"""Growth of a motif from a k-mer: the letters of windows at the target less those of windows at β = 0."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from jaxmaxent.analysis._draw_motifs.kmers import Strands, free_windows, kmer_counts, tokens_of
from jaxmaxent.analysis._occurrences import local_best, window_scores

_ROUNDS = 10  # of fitting at most; it ends when the threshold and the windows stay as they are
_PSEUDOCOUNT = 1.0  # letters in each column, in the proportions of the background
# A window counts as an occurrence from the score on at which windows at the target are so many times as frequent as at
# β = 0: most of them are there because of the network.
_ODDS = 3.0
_LEAST_EXCESS = 3.0  # standard errors of a Poisson count by which a neighbor of the seed counts as the same motif


class Letters(NamedTuple):
    """Draws at the target and at β = 0, of all anchors one after the other.

    Attributes:
        target: tokens of the draws of each chain, shape [chains, draws, length].
        background: the same at β = 0, with another number of draws.
        free: False at positions of target draws that an earlier motif covers, the shape of `target`.
        background_free: the same at β = 0.
        frequencies: share of each letter at β = 0, shape [letters].
        complement: complement of each letter, None to read one strand.
    """

    target: Integer[np.ndarray, "chains draws length"]
    background: Integer[np.ndarray, "chains background_draws length"]
    free: Bool[np.ndarray, "chains draws length"]
    background_free: Bool[np.ndarray, "chains background_draws length"]
    frequencies: Float[np.ndarray, " letters"]
    complement: Int[np.ndarray, " letters"] | None

    @property
    def scale(self) -> float:
        """Draws at the target over draws at β = 0."""
        return self.target.shape[1] / self.background.shape[1]


class Grown(NamedTuple):
    """A motif grown from a k-mer.

    Attributes:
        probabilities: share of each letter in excess of β = 0, shape [width, letters].
        errors: their standard errors, by leaving out one chain at a time.
        log_odds: log2 of probabilities over the letters' shares at β = 0, the same shape.
        threshold: smallest score of an occurrence, in bits.
    """

    probabilities: Float[np.ndarray, "width letters"]
    errors: Float[np.ndarray, "width letters"]
    log_odds: Float[np.ndarray, "width letters"]
    threshold: float


class Windows(NamedTuple):
    """The better strand of every window.

    Attributes:
        score: bits, −∞ for windows that are not free, shape [chains, draws, windows].
        turned: True where the other strand scores higher, the same shape.
    """

    score: Float[np.ndarray, "chains draws windows"]
    turned: Bool[np.ndarray, "chains draws windows"]


def grow(letters: Letters, seed: int, kmers: Strands, *, flank: int, threshold: float, excess: float) -> Grown | None:
    """Grow a motif from a k-mer, the index of one of `kmers`; None with fewer than `excess` copies more than at β = 0.

    Windows that score at least a threshold are read with `flank` more columns on either side, and counts of letters at
    β = 0 are taken off. Windows below the threshold are not three times as frequent as at β = 0. Columns at the ends
    with no more than `threshold` bits are cut off.
    """
    counts = _seed_counts(letters, seed, kmers)
    if counts[0].sum() < excess * letters.target.shape[0] * letters.target.shape[1]:
        return None
    matrix = _log_odds(letters, _shares(letters, counts))
    best, found, more = -np.inf, None, 0
    for number in range(_ROUNDS):
        fit = _fit(letters, matrix)
        # Scores of the seed alone and of the wider motif have different excesses, so the first does not count.
        if fit is None or (number > 1 and fit.excess <= best):
            break
        best, found = fit.excess, matrix
        # Widened once, so that a motif stays where its seed is and does not wander along the draws.
        more = 0 if number else flank
        matrix = _log_odds(letters, _shares(letters, _excess(letters, fit, len(matrix), more).sum(0)))
    return None if found is None else _trimmed(letters, found, threshold)


class FittedWindows(NamedTuple):
    """Windows at the target and at β = 0, the smallest score of an occurrence, and how far they exceed chance."""

    target: Windows
    background: Windows
    limit: float
    excess: float


def _fit(letters: Letters, matrix: Float[np.ndarray, "width letters"]) -> FittedWindows | None:
    target = scores(letters.target, letters.free, matrix, letters.complement)
    background = scores(letters.background, letters.background_free, matrix, letters.complement)
    target, background = (_not_beaten(windows, len(matrix)) for windows in (target, background))
    found = _limit(target.score, background.score, letters.scale)
    return None if found is None else FittedWindows(target, background, *found)


def _not_beaten(windows: Windows, width: int) -> Windows:
    """Return the windows without those near a better one, which would be read twice."""
    best = np.stack([local_best(score, width) for score in windows.score])
    return windows._replace(score=np.where(best, windows.score, -np.inf))


def _trimmed(letters: Letters, matrix: Float[np.ndarray, "width letters"], threshold: float) -> Grown | None:
    """Cut uninformative columns off the ends, and fit threshold and letters of the rest once more."""
    shares = letters.frequencies * 2**matrix
    informative = np.flatnonzero(relative_bits(shares, letters.frequencies) > threshold)
    if not informative.size:
        return None
    matrix = matrix[informative[0] : informative[-1] + 1]
    fit = _fit(letters, matrix)
    if fit is None:
        return None
    per_chain = _excess(letters, fit, len(matrix), 0)
    shares = _shares(letters, per_chain.sum(0))
    left_out = np.stack([_shares(letters, per_chain.sum(0) - one) for one in per_chain])
    number = len(left_out)
    errors = np.sqrt((number - 1) / number * np.square(left_out - left_out.mean(0)).sum(0))
    arrays = [shares, errors, matrix]
    if letters.complement is not None and 2 * fit.target.turned[fit.target.score >= fit.limit].mean() > 1:
        arrays = [array[::-1, letters.complement] for array in arrays]  # as most occurrences read
    shares, errors, matrix = arrays
    return Grown(shares, errors, matrix, fit.limit)


def relative_bits(
    shares: Float[np.ndarray, "width letters"], background: Float[np.ndarray, " letters"]
) -> Float[np.ndarray, " width"]:
    """Return Σ f log2(f / b) of each column, in bits."""
    return (shares * np.log2(np.where(shares > 0, shares, 1) / np.where(shares > 0, background, 1))).sum(1)


def scores(
    tokens: Integer[np.ndarray, "chains draws length"],
    free: Bool[np.ndarray, "chains draws length"],
    matrix: Float[np.ndarray, "width letters"],
    complement: Int[np.ndarray, " letters"] | None,
) -> Windows:
    """Return the score of every window on its better strand, the forward one where they are equal."""
    score, turned = [], []
    for draws, own in zip(tokens, free, strict=True):
        forward = window_scores(draws, matrix)
        other = np.zeros(forward.shape, bool)
        if complement is not None:
            backward = window_scores(draws, matrix[::-1, complement])
            other = backward > forward
            forward = np.maximum(forward, backward)
        forward[~free_windows(own, len(matrix))] = -np.inf
        score.append(forward)
        turned.append(other)
    return Windows(np.stack(score), np.stack(turned))


def covered(scored: Windows, limit: float, width: int, length: int) -> Bool[np.ndarray, "chains draws length"]:
    """Return True at positions that a window of at least this score covers."""
    starts = scored.score >= limit
    result = np.zeros((*starts.shape[:2], length), bool)
    for column in range(width):
        result[..., column : column + starts.shape[2]] |= starts
    return result


def _seed_counts(letters: Letters, seed: int, kmers: Strands) -> Float[np.ndarray, "width letters"]:
    """Return counts of letters in excess, over the seed and the k-mers with one other letter that are in excess."""
    base = len(kmers.letters)
    target = kmer_counts(letters.target, kmers.size, base, letters.free).sum(0)
    control = letters.scale * kmer_counts(letters.background, kmers.size, base, letters.background_free).sum(0)
    word = np.array(tokens_of(int(kmers.first[seed]), kmers.size, base))
    counts = np.zeros((kmers.size, base))
    for site in range(kmers.size):
        for token in range(base):
            near = word.copy()
            near[site] = token
            if token == word[site] and site:
                continue  # the seed itself counts once
            indices = {_index(near, base)}
            if letters.complement is not None:
                indices.add(_index(letters.complement[near[::-1]], base))
            chosen = [*indices]
            more, less = target[chosen].sum(), control[chosen].sum()
            if token == word[site] or more - less > _LEAST_EXCESS * np.sqrt(more + letters.scale * less):
                counts[np.arange(kmers.size), near] += max(more - less, 1.0)
    return counts


def _index(word: np.ndarray, base: int) -> int:
    return int(word @ base ** np.arange(len(word) - 1, -1, -1))


def _limit(target: np.ndarray, background: np.ndarray, scale: float) -> tuple[float, float] | None:
    """Return the smallest score of an occurrence, and the number of occurrences less `_ODDS` times those by chance.

    That number is largest where windows of the score itself are `_ODDS` times as frequent as at β = 0.
    """
    above, below = np.sort(target[target > 0])[::-1], np.sort(background[background > 0])
    if not above.size:
        return None
    last = np.flatnonzero(np.append(above[1:] != above[:-1], True))
    many = last + 1
    few = len(below) - np.searchsorted(below, above[last], side="left")
    excess = many - _ODDS * scale * few
    best = int(excess.argmax())
    return float(above[last[best]]), float(excess[best])


def _excess(letters: Letters, fit: FittedWindows, width: int, more: int) -> Float[np.ndarray, "chains columns letters"]:
    """Return counts of letters at the target less those at β = 0, with more columns on either side, of each chain."""
    own = _letters_at(letters.target, fit.target, fit.limit, width, more, letters)
    return own - letters.scale * _letters_at(letters.background, fit.background, fit.limit, width, more, letters)


def _letters_at(
    tokens: np.ndarray, scored: Windows, limit: float, width: int, more: int, letters: Letters
) -> Int[np.ndarray, "chains columns letters"]:
    """Return counts of letters around windows of at least this score, in the motif's direction.

    Columns beyond the ends of a draw have no letter.
    """
    length, base = tokens.shape[2], len(letters.frequencies)
    columns = np.arange(-more, width + more)
    result = np.zeros((len(tokens), len(columns), base), np.int64)
    for chain, draws in enumerate(tokens):
        draw, start = np.nonzero(scored.score[chain] >= limit)
        turned = scored.turned[chain, draw, start]
        places = start[:, None] + np.where(turned[:, None], width - 1 - columns, columns)
        inside = (places >= 0) & (places < length)
        read = draws[draw[:, None], np.clip(places, 0, length - 1)].astype(np.int64)
        if letters.complement is not None:
            read = np.where(turned[:, None], letters.complement[read], read)
        column = np.broadcast_to(np.arange(len(columns)), read.shape)[inside]
        np.add.at(result[chain], (column, read[inside]), 1)
    return result


def _shares(letters: Letters, counts: np.ndarray) -> Float[np.ndarray, "width letters"]:
    """Return shares of letters from counts in excess, which may be negative, with a pseudocount."""
    counts = np.maximum(counts, 0) + _PSEUDOCOUNT * letters.frequencies
    return counts / counts.sum(1, keepdims=True)


def _log_odds(letters: Letters, shares: np.ndarray) -> Float[np.ndarray, "width letters"]:
    return np.log2(shares / letters.frequencies)
