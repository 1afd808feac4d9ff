"""Means over chains against a value by chance, with Student's t, and p adjusted for the number of tests.

The chains are the independent units. An error from few chains can be 0 where all of them agree by chance, for example
if a motif stands before another one in every draw. So it is at least that of as many independent trials as there are
different arrangements of the motifs: draws with the same arrangement are not taken as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._grammar.result import Requirement


class Compared(NamedTuple):
    """Shares with errors, and p of their differences from values by chance, one for each class.

    Attributes:
        value: share over all chains, shape [classes].
        error: its standard error, shape [classes].
        p: two-sided probability of as large a difference by chance, shape [classes].
    """

    value: Float[np.ndarray, " classes"]
    error: Float[np.ndarray, " classes"]
    p: Float[np.ndarray, " classes"]


def compared(
    sums: Float[np.ndarray, "chains classes"],
    weights: Float[np.ndarray, " chains"],
    control: Float[np.ndarray, " classes"],
    control_error: Float[np.ndarray, " classes"],
    trials: float,
) -> Compared:
    """Return the shares sums / weights over all chains, compared with those by chance.

    Args:
        sums: weight of the draws of each class, per chain.
        weights: weight of all draws of the chain.
        control: the share by chance.
        control_error: its standard error.
        trials: number of independent trials, at most, that the sums can hold.
    """
    value, error = mean_and_error(sums, weights)
    floor = np.sqrt(np.clip(control * (1 - control), 0, None) / max(trials, 1.0))
    total = np.hypot(np.maximum(error, floor), control_error)
    degrees = int(np.count_nonzero(weights)) - 1
    return Compared(value, error, two_sided(value - control, total, degrees))


def mean_and_error(
    sums: Float[np.ndarray, "chains classes"], weights: Float[np.ndarray, " chains"]
) -> tuple[Float[np.ndarray, " classes"], Float[np.ndarray, " classes"]]:
    """Return the mean of a ratio over chains of different weights, and its standard error; NaN without two chains."""
    used = weights > 0
    total = weights.sum()
    if not used.any():
        return np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)
    value = sums.sum(0) / total
    number = int(used.sum())
    if number < 2:
        return value, np.full(sums.shape[1], np.nan)
    off = (sums[used] - weights[used, None] * value) / total
    return value, np.sqrt(number / (number - 1) * (off**2).sum(0))


def two_sided(
    difference: Float[np.ndarray, "..."] | float, error: Float[np.ndarray, "..."] | float, degrees: int
) -> Float[np.ndarray, "..."]:
    """Return the two-sided p of differences with these standard errors; 1 where both are 0, NaN if unknown."""
    from scipy.stats import t  # slow to import

    difference, error = np.asarray(difference, float), np.asarray(error, float)
    if degrees < 1:
        return np.full(np.shape(difference), np.nan)
    safe = np.where(error > 0, error, 1.0)
    p = 2 * t.sf(np.abs(difference) / safe, degrees)
    return np.where(error > 0, p, np.where(np.isnan(error), np.nan, np.where(difference == 0, 1.0, 0.0)))


def adjusted(rows: Sequence[Requirement]) -> list[Requirement]:
    """Return the rows of a family with Benjamini and Hochberg's q; NaN where p is unknown."""
    from scipy.stats import false_discovery_control  # slow to import, and it changes warning filters

    p = np.array([row.p for row in rows], float)
    q, known = np.full(len(rows), np.nan), ~np.isnan(p)
    if known.any():
        q[known] = false_discovery_control(np.clip(p[known], 0, 1))
    return [row._replace(q=float(value)) for row, value in zip(rows, q, strict=True)]
