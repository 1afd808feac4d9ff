"""Scores of motifs for scanning, and the score from which on a window counts as a site."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

_PSEUDO = 0.01  # added to each probability, so that a letter that was never seen is not impossible
_STEPS = 1000  # of the rounded score


def log_odds(
    probabilities: Float[np.ndarray, "width letters"], background: Float[np.ndarray, " letters"]
) -> Float[np.ndarray, "width letters"]:
    """Return log2 of probabilities over those of the background, a little of which is added to each row."""
    mixed = (probabilities + _PSEUDO * background) / (1 + _PSEUDO)
    return np.log2(mixed / np.maximum(background, 1e-9))


def threshold(
    scores: Float[np.ndarray, "width letters"], background: Float[np.ndarray, " letters"], share: float
) -> float:
    """Return the smallest score that at most this share of random windows reaches, or the largest score at all.

    The distribution is exact up to rounding of the scores: it is a convolution over the columns.
    """
    low, high = scores.min(1), scores.max(1)
    unit = max((high - low).sum() / _STEPS, 1e-12)
    whole = np.rint((scores - low[:, None]) / unit).astype(int)
    chance = np.ones(1)
    for row in whole:
        longer = np.zeros(len(chance) + int(row.max()))
        for value, weight in zip(row.tolist(), background.tolist(), strict=True):
            longer[value : value + len(chance)] += weight * chance
        chance = longer
    above = np.cumsum(chance[::-1])[::-1]
    reached = np.flatnonzero(above <= share)
    best = float(high.sum())
    # Rounding moves a score by half a unit per column at most.
    rounding = unit * math.ceil(len(scores) / 2)
    if not len(reached):
        return best - rounding
    return min(float(low.sum() + reached[0] * unit), best) - 1e-9


def is_palindrome(probabilities: Float[np.ndarray, "width letters"], turned: Int[np.ndarray, " letters"]) -> bool:
    """Return True if a motif is its own reverse complement."""
    return bool(np.abs(probabilities - probabilities[::-1, turned]).max() < 0.05)
