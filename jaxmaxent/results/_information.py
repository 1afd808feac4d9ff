"""Bits of information in letter frequencies, with standard errors and bias; consensus and informative window.

Errors of a position's letters go together as those of multinomial counts do, because frequencies sum to one: the
correlation of letters a and b is taken as −√(f_a f_b / ((1 − f_a)(1 − f_b))). The standard errors of a run include
autocorrelation and the differences between chains. A quantity computed from frequencies gets its error by the delta
method with the second-order term, which is the whole error where letters are uniform.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks

# The published threshold of an informative position, in bits.
THRESHOLD = 0.25


def information_bits(frequencies: Float[np.ndarray, "... letters"]) -> Float[np.ndarray, "..."]:
    """Return log2(letters) − entropy at every position, in bits.

    It is 0 for uniform letters and log2(letters) for a certain letter.

    Example:
        >>> analysis.information_bits(np.array([[1.0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]]))
        array([2., 0.])
    """
    frequencies = np.asarray(frequencies, float)
    return np.log2(frequencies.shape[-1]) + (frequencies * _logs(frequencies)).sum(-1)


def information_errors(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, "..."]:
    """Return the standard error of the information, by the delta method to second order.

    Letters never seen do not count. If one letter was always seen and its error is δ, the error of the information is
    the loss of information if other letters had the share δ. NaN where errors are not known.
    """
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    return np.sqrt(bits_variance(frequencies, errors, _logs(frequencies)))


def information_bias(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, "..."]:
    """Return the bits that noise adds to the information on average, Σ var(f) / (2 f ln 2).

    With n independent draws it is (letters seen − 1) / (2 n ln 2), the correction of Miller (1955).
    """
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    seen = (frequencies > 0) & (frequencies < 1)
    terms = np.square(errors) / (2 * np.where(seen, frequencies, 1) * math.log(2))
    return np.where(seen, terms, 0).sum(-1)


def divergence_bits(
    frequencies: Float[np.ndarray, "... letters"],
    errors: Float[np.ndarray, "... letters"],
    background: Float[np.ndarray, "... letters"],
    background_errors: Float[np.ndarray, "... letters"],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Return Σ f log2(f / b) and its standard error."""
    seen = frequencies > 0
    with np.errstate(divide="ignore"):
        ratios = np.where(seen, np.log2(np.where(seen, frequencies, 1)) - np.log2(background), 0)
    bits = (frequencies * ratios).sum(-1)
    with np.errstate(invalid="ignore"):
        own = bits_variance(frequencies, errors, np.where(np.isfinite(ratios), ratios, 0))
    slopes = np.where(seen & (background > 0), frequencies / (np.where(background > 0, background, 1) * math.log(2)), 0)
    spread = covariance(background, background_errors)
    of_background = np.einsum("...a,...ab,...b->...", slopes, spread, slopes)
    known = np.isfinite(bits)
    return bits, np.where(known, np.sqrt(own + np.maximum(of_background, 0)), np.nan)


def first_rung_as_background(
    frequencies: Float[np.ndarray, "... letters"], draws: float | Float[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "... letters"], Float[np.ndarray, "... letters"]]:
    """Return the letter frequencies of draws at β = 0 and their standard errors.

    These draws are independent and exact. A letter that was never among them is taken as half a draw.
    """
    draws = np.maximum(np.asarray(draws, float), 1)
    errors = np.sqrt(np.maximum(frequencies * (1 - frequencies), 0) / draws)
    return np.maximum(frequencies, np.where(frequencies == 0, 0.5 / draws, 0)), errors


def total_information(
    frequencies: Float[np.ndarray, "... rungs positions letters"],
    errors: Float[np.ndarray, "... rungs positions letters"],
    beta: Float[np.ndarray, "... rungs"],
    draws: Float[np.ndarray, "..."],
) -> tuple[Float[np.ndarray, "... rungs"], Float[np.ndarray, "... rungs"]]:
    """Return the bits that all positions of each rung hold together, and their standard errors.

    They are Σ f log2(f / b), where b is the background, less what noise adds on average. The background is the first
    rung if that is β = 0, otherwise uniform. The errors of positions are added, which gives an upper bound.

    Args:
        frequencies: letter frequencies.
        errors: their standard errors.
        beta: β of each rung.
        draws: number of draws at the first rung.
    """
    letters, known = frequencies.shape[-1], np.asarray(beta)[..., :1, None, None] == 0
    count = np.asarray(draws, float)[..., None, None, None]
    own, own_errors = first_rung_as_background(frequencies[..., :1, :, :], count)
    background = np.broadcast_to(np.where(known, own, 1 / letters), frequencies.shape)
    background_errors = np.broadcast_to(np.where(known, own_errors, 0), frequencies.shape)
    with np.errstate(all="ignore"):
        bits, bits_errors = divergence_bits(frequencies, errors, background, background_errors)
        bits = bits - information_bias(frequencies, errors) - information_bias(background, background_errors)
        # The first rung is no different from itself.
        at_zero = np.broadcast_to(known[..., 0], bits.shape) & (np.arange(bits.shape[-2]) == 0)[:, None]
        return np.where(at_zero, 0, bits).sum(-1), np.where(at_zero, 0, bits_errors).sum(-1)


def covariance(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, "... letters letters"]:
    """Return the covariance of the frequencies of a position, with the correlations of multinomial counts."""
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    inside = (frequencies > 0) & (frequencies < 1)
    odds = np.sqrt(np.where(inside, frequencies, 0) / np.where(inside, 1 - frequencies, 1))
    scaled = np.where(inside, errors, 0)
    products = -(odds * scaled)[..., :, None] * (odds * scaled)[..., None, :]
    diagonal = np.eye(frequencies.shape[-1], dtype=bool)
    return np.where(diagonal, np.square(scaled)[..., None, :], products)


def bits_variance(frequencies: np.ndarray, errors: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Return the variance of Σ f log2 f or Σ f log2(f / b) from its slopes in the frequencies; curvature 1 / f."""
    spread = covariance(frequencies, errors)
    # Σ df = 0, so slopes count from their mean.
    slopes = np.where(frequencies > 0, slopes - (frequencies * slopes).sum(-1, keepdims=True), 0)
    first = np.einsum("...a,...ab,...b->...", slopes, spread, slopes)
    curvature = 1 / (np.where(frequencies > 0, frequencies, 1) * math.log(2))
    second = np.einsum("...a,...ab,...ab,...b->...", curvature, spread, spread, curvature) / 2
    # Slopes at the frequencies seen instead of the true ones make the first term too large, by twice the second. The
    # difference is never less than the second term, which is the whole variance where slopes are 0.
    certain = (frequencies == 1).any(-1)
    return np.where(certain, np.square(_cost(errors, frequencies)), np.maximum(first - second, second))


def consensus(frequencies: Float[np.ndarray, "length letters"], letters: str, *, any_letter: str = "N") -> str:
    """Return the letter of more than half of the draws at each position, `any_letter` where no letter has so many.

    Example:
        >>> analysis.consensus(np.array([[0.9, 0.1, 0, 0], [0.25, 0.25, 0.25, 0.25]]), "ACGT")
        'AN'
    """
    best = checks.number_array("frequencies", frequencies).argmax(-1)
    checks.text("any_letter", any_letter)
    return "".join(letters[b] if row[b] > 0.5 else any_letter for b, row in zip(best, frequencies, strict=True))


def informative_window(information: Float[np.ndarray, " length"], *, threshold: float = THRESHOLD) -> tuple[int, int]:
    """Return the stretch [start, stop) with the largest sum of information above `threshold` bits per position.

    It is (0, 0) where no position has more than `threshold`.

    Example:
        >>> analysis.informative_window(np.array([0.0, 1.5, 2.0, 0.1, 1.0, 0.0]))
        (1, 5)
    """
    best, start, total, window = 0.0, 0, 0.0, (0, 0)
    for position, excess in enumerate(np.asarray(information, float) - threshold):
        if total <= 0:
            start, total = position, 0.0
        total += excess
        if total > best:
            best, window = total, (start, position + 1)
    return window


def _logs(values: np.ndarray) -> np.ndarray:
    return np.log2(values, out=np.zeros_like(values), where=values > 0)


def _cost(errors: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Return the bits that a share of other letters would take from a letter that was always seen."""
    share = np.clip(np.where(frequencies == 1, errors, 0).sum(-1), 0, 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    return np.where(share == 0, 0, bits)
