"""Comparison of scores of positions with known sites.

The scores may be any view of a sequence with one number per position: the information of a profile in bits, its
divergence from the background, or the scores of another method. Scores above 0 count as signal. If the sign of a score
has no meaning, pass its absolute value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxmaxent import checks

_WEIGHTS_AT_ONCE = 1 << 22


class Estimate(NamedTuple):
    """A number over all sequences.

    Attributes:
        value: the number.
        error: its standard error with respect to the choice of the sequences; NaN for a single one.
        each: the numbers of the sequences, shape [sequences], if the value is their mean; otherwise None.
    """

    value: float
    error: float
    each: Float[np.ndarray, " sequences"] | None = None


class Localization(NamedTuple):
    """The agreement of scores with known sites.

    By chance, `inside`, `auprc` and `pooled_auprc` are the share of positions that are in sites, and `auroc` and
    `pooled_auroc` are 1/2.

    Attributes:
        inside: share of the signal that is inside sites; 0 for a sequence without signal.
        distance: positions between the centers of the strongest window and of the site nearest to it.
        auroc: probability that a position in a site scores above a position outside sites in the same sequence; ties
            count one half.
        auprc: average precision of the positions of a sequence, ranked by their scores.
        pooled_auroc: the same over the positions of all sequences together. It is high only if scores of different
            sequences can be compared.
        pooled_auprc: likewise.
        chance: share of positions that are in sites.
    """

    inside: Estimate
    distance: Estimate
    auroc: Estimate
    auprc: Estimate
    pooled_auroc: Estimate
    pooled_auprc: Estimate
    chance: float


def localization(
    scores: Float[np.ndarray, "sequences length"],
    sites: Bool[np.ndarray, "sequences length"] | Sequence[Sequence[tuple[int, int]]],
    *,
    width: int | None = None,
) -> Localization:
    """Compare scores of positions with known sites.

    Standard errors are those of the mean over sequences. Those of the pooled areas come from leaving out one sequence
    at a time (the jackknife), because positions of one sequence are not independent.

    Args:
        scores: shape [sequences, length].
        sites: True inside sites, shape [sequences, length]; or a list of the sites of each sequence as (start, stop),
            0-based, stop excluded. Sites that touch or overlap count as one.
        width: width of the strongest window, the one with the largest signal; None means the median width of the sites.
            If several windows are equally strong, their distances are averaged.

    Raises:
        ValueError: if scores are not finite, shapes do not fit, or a sequence has no position or every position in a
            site.

    Example:
        >>> found = analysis.localization(np.array([[0.0, 2.0, 3.0, 0.1]]), [[(1, 3)]])
        >>> float(found.auroc.value)
        1.0
    """
    from jaxmaxent.models._areas import areas  # brings networks, which nothing else in this room needs

    scores = checks.finite_array("scores", scores)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must have shape [sequences, length] and not be empty, got {list(scores.shape)}")
    mask = _mask(sites, scores.shape)
    stretches = [_stretches(row) for row in mask]
    if width is None:
        width = int(np.median([stop - start for row in stretches for start, stop in row]))
    width = checks.integer("width", width, at_least=1)
    if width > scores.shape[1]:
        raise ValueError(f"width must be at most the length {scores.shape[1]}, got {width}")
    signal = np.maximum(scores, 0)
    total = signal.sum(1)
    inside = (signal * mask).sum(1) / np.where(total > 0, total, 1)
    distance = np.array([_distance(row, own, width) for row, own in zip(signal, stretches, strict=True)])
    each = np.array([areas(own, row)[0] for own, row in zip(mask, scores, strict=True)])
    pooled = _pooled(areas, mask, scores)
    return Localization(*map(_mean, (inside, distance, each[:, 0], each[:, 1])), *pooled, chance=float(mask.mean()))


def _mask(sites: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "sequences length"]:
    if isinstance(sites, np.ndarray) and sites.dtype == bool:
        mask = sites
    elif isinstance(sites, np.ndarray) and sites.ndim != 3:
        raise ValueError(f"sites must be a boolean mask or (start, stop) of every site, got an array of {sites.dtype}")
    else:
        mask = _of_intervals(sites, shape)
    if mask.shape != shape:
        raise ValueError(f"sites must have the shape {list(shape)} of scores, got {list(mask.shape)}")
    for row, own in enumerate(mask):
        if own.all() or not own.any():
            amount = "every position" if own.all() else "no position"
            raise ValueError(f"sites must hold some positions and leave some, but in sequence {row} they hold {amount}")
    return mask


def _of_intervals(sites: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "sequences length"]:
    sites = [checks.several("sites", own, "sites (start, stop)") for own in checks.several("sites", sites, "lists")]
    if len(sites) != shape[0]:
        raise ValueError(f"sites must be given for each of {shape[0]} sequences, got {len(sites)}")
    mask = np.zeros(shape, bool)
    for row, own in enumerate(sites):
        for site in own:
            if np.shape(site) != (2,):
                raise ValueError(f"sites must be (start, stop), got {checks.shown(site)} in sequence {row}")
            start, stop = site
            start = checks.integer("the start of a site", start, at_least=0)
            stop = checks.integer("the stop of a site", stop, at_least=start + 1)
            if stop > shape[1]:
                raise ValueError(f"sites must end by {shape[1]}, the length, got ({start}, {stop}) in sequence {row}")
            mask[row, start:stop] = True
    return mask


def _stretches(mask: Bool[np.ndarray, " length"]) -> list[tuple[int, int]]:
    """Return start and stop of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _distance(signal: Float[np.ndarray, " length"], sites: list[tuple[int, int]], width: int) -> float:
    """Return the distance between the centers of the strongest window and of the nearest site."""
    windows = np.lib.stride_tricks.sliding_window_view(signal, width).sum(-1)
    centers = np.flatnonzero(windows == windows.max()) + width / 2
    middles = np.array([(start + stop) / 2 for start, stop in sites])
    return float(np.abs(centers[:, None] - middles).min(1).mean())


def _pooled(areas: Callable[..., np.ndarray], mask: np.ndarray, scores: np.ndarray) -> list[Estimate]:
    """Return areas over all positions, with jackknife errors over the sequences."""
    sequences, length = scores.shape
    owner = np.repeat(np.arange(sequences), length)
    flat = mask.ravel(), scores.ravel()
    value = areas(*flat)[0]
    if sequences == 1:
        return [Estimate(float(area), np.nan) for area in value]
    at_once = max(1, _WEIGHTS_AT_ONCE // scores.size)
    parts = [np.arange(first, min(first + at_once, sequences)) for first in range(0, sequences, at_once)]
    left_out = np.concatenate([areas(*flat, (part[:, None] != owner).astype(float)) for part in parts])
    errors = np.sqrt((sequences - 1) * left_out.var(0))
    return [Estimate(float(area), float(error)) for area, error in zip(value, errors, strict=True)]


def _mean(each: Float[np.ndarray, " sequences"]) -> Estimate:
    error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else np.nan
    return Estimate(float(each.mean()), float(error), each)
