"""Profiles: how often each letter stands at each position, and how much that tells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.store import Run


class Profile(NamedTuple):
    """The profile of one anchor at one β.

    Attributes:
        frequencies: shape [length, letters].
        frequency_errors: their standard errors.
        information: bits at each position, log2(letters) − entropy, shape [length].
        information_errors: their standard errors, to first order.
        consensus: the commonest letter where it stands in more than half of the draws, else "N" or its like.
    """

    frequencies: Float[np.ndarray, "length letters"]
    frequency_errors: Float[np.ndarray, "length letters"]
    information: Float[np.ndarray, " length"]
    information_errors: Float[np.ndarray, " length"]
    consensus: str


def profile(run: Run, anchor: int = 0, rung: int = -1, *, any_letter: str = "N") -> Profile:
    """The profile of one anchor of a run, at its last (largest) β unless another rung is named."""
    frequencies, errors = run.frequencies[anchor, rung], run.frequency_errors[anchor, rung]
    return Profile(
        frequencies,
        errors,
        information_bits(frequencies),
        information_errors(frequencies, errors),
        consensus(frequencies, run.letters, any_letter=any_letter),
    )


def information_bits(frequencies: Float[np.ndarray, "... letters"]) -> Float[np.ndarray, ...]:
    """log2(letters) − entropy at every position, in bits; 0 for uniform letters, log2(letters) for a certain one."""
    frequencies = np.asarray(frequencies, float)
    logs = np.log2(frequencies, out=np.zeros_like(frequencies), where=frequencies > 0)
    return np.log2(frequencies.shape[-1]) + (frequencies * logs).sum(-1)


def information_errors(
    frequencies: Float[np.ndarray, "... letters"], errors: Float[np.ndarray, "... letters"]
) -> Float[np.ndarray, ...]:
    """Standard error of the information to first order, at most: as if the letters' errors added up in one direction.

    d(information) = Σ_a log2(f_a) df_a with Σ df_a = 0, so the logarithms count from their weighted mean; letters
    never seen have no error and drop out.
    """
    frequencies, errors = np.asarray(frequencies, float), np.asarray(errors, float)
    logs = np.log2(frequencies, out=np.zeros_like(frequencies), where=frequencies > 0)
    centred = np.where(frequencies > 0, logs - (frequencies * logs).sum(-1, keepdims=True), 0)
    return np.abs(centred * errors).sum(-1)


def consensus(frequencies: Float[np.ndarray, "length letters"], letters: str, *, any_letter: str = "N") -> str:
    """The letter that stands in more than half of the draws at each position, `any_letter` where none does."""
    best = frequencies.argmax(-1)
    return "".join(letters[b] if row[b] > 0.5 else any_letter for b, row in zip(best, frequencies, strict=True))


def informative_window(information: Float[np.ndarray, " length"], *, threshold: float = 0.25) -> tuple[int, int]:
    """The stretch [start, stop) with the largest sum of information above `threshold` bits a position.

    It is (0, 0) where no position has more than `threshold`.
    """
    best, start, total, window = 0.0, 0, 0.0, (0, 0)
    for position, excess in enumerate(np.asarray(information, float) - threshold):
        if total <= 0:
            start, total = position, 0.0
        total += excess
        if total > best:
            best, window = total, (start, position + 1)
    return window
