"""Synthetic sequences: independent random letters, and sites of a motif written into them at known positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, Alphabet


def random_sequences(
    rng: np.random.Generator,
    count: int,
    length: int,
    *,
    alphabet: Alphabet = DNA,
    probabilities: Float[np.ndarray, " letters"] | None = None,
) -> UInt8[np.ndarray, "sequences length"]:
    """Draw sequences of independent letters.

        tokens = random_sequences(np.random.default_rng(0), 1000, 101, probabilities=[0.3, 0.2, 0.2, 0.3])

    Args:
        rng: the random number generator.
        count: number of sequences.
        length: number of letters of each sequence.
        alphabet: the alphabet.
        probabilities: probability of each letter, shape [letters], sum 1. None means equal probabilities.

    Returns:
        tokens, uint8, shape [count, length].

    Raises:
        ValueError: for a count or length below 1, or if `probabilities` are not one per letter with sum 1.
    """
    count = checks.integer("count", count, at_least=1)
    length = checks.integer("length", length, at_least=1)
    frequencies = letter_frequencies("probabilities", probabilities, alphabet)
    return _draw(rng, np.broadcast_to(frequencies, (length, len(alphabet))), count)


def implant(
    rng: np.random.Generator,
    background: Int[np.ndarray, "sequences length"],
    counts: Float[np.ndarray, "width letters"],
    *,
    positions: Any = None,
) -> tuple[Int[np.ndarray, "sequences length"], Int[np.ndarray, " sequences"]]:
    """Write one site of a motif into each sequence.

        tokens, starts = implant(rng, random_sequences(rng, 1000, 101), motif.probabilities)

    Args:
        rng: the random number generator.
        background: tokens of the sequences, shape [sequences, length]. They are not changed.
        counts: counts or probabilities of each letter at each position of the site, shape [width, letters]. Each row is
            divided by its sum, and the letters of a site are drawn independently.
        positions: the start of the site, counted from 0: one integer, or one per sequence, shape [sequences]. None
            draws each start uniformly among those where the site fits.

    Returns:
        the tokens with a site in each sequence, in the shape and dtype of `background`, and the starts of the sites,
        shape [sequences].

    Raises:
        ValueError: for arrays of another type or shape, a row of counts without a positive entry, a motif wider than
            the sequences, or a start where the site does not fit.
    """
    background = np.asarray(background)
    if background.ndim != 2 or not np.issubdtype(background.dtype, np.integer):
        raise ValueError(
            f"background must be integers of shape [sequences, length], "
            f"got {background.dtype} of shape {list(background.shape)}"
        )
    probabilities = normalized_rows("counts", counts)
    (sequences, length), width = background.shape, len(probabilities)
    if width > length:
        raise ValueError(f"counts must have at most {length} rows, the sequences' length, got {width}")
    starts = _starts(rng, positions, sequences, length - width)
    sites = _draw(rng, probabilities, sequences)
    tokens = background.copy()
    np.put_along_axis(tokens, starts[:, None] + np.arange(width), sites.astype(tokens.dtype), axis=1)
    return tokens, starts


def normalized_rows(name: str, counts: Any) -> Float[np.ndarray, "width letters"]:
    """Divide each row of `counts` by its sum; raise ValueError if a sum is 0 or an entry is negative or not finite."""
    counts = checks.finite_array(name, counts, at_least=0)
    if counts.ndim != 2 or 0 in counts.shape:
        raise ValueError(f"{name} must have shape [width, letters] and not be empty, got {list(counts.shape)}")
    largest = counts.max(1, keepdims=True)
    if (largest == 0).any():
        raise ValueError(f"{name} must have a positive entry in each row, but row {largest.argmin()} is all 0")
    # Sums of very large counts would overflow, and sums of very small ones lose digits. Scaling by a power of two is
    # exact.
    scaled = np.ldexp(counts, -np.frexp(largest)[1])
    return scaled / scaled.sum(1, keepdims=True)


def letter_frequencies(name: str, values: Any, alphabet: Alphabet) -> Float[np.ndarray, " letters"]:
    """Return `values` as one probability per letter, equal ones for None; raise ValueError if they are not such."""
    if values is None:
        return np.full(len(alphabet), 1 / len(alphabet))
    values = checks.finite_array(name, values, at_least=0)
    if values.shape != (len(alphabet),) or abs(values.sum() - 1) > 1e-6:
        raise ValueError(
            f"{name} must be {len(alphabet)} numbers with sum 1, one for each letter of "
            f"{alphabet.letters!r}, got {values.tolist()}"
        )
    return values


def _starts(rng: np.random.Generator, positions: Any, sequences: int, largest: int) -> np.ndarray:
    if positions is None:
        return rng.integers(0, largest + 1, sequences)
    starts = np.asarray(positions)
    if starts.shape not in ((), (sequences,)) or not np.issubdtype(starts.dtype, np.integer):
        raise ValueError(
            f"positions must be one integer or {sequences}, one for each sequence, "
            f"got {starts.dtype} of shape {list(starts.shape)}"
        )
    if starts.size and not 0 <= starts.min() <= starts.max() <= largest:
        raise ValueError(f"positions must be 0 to {largest} for the site to fit, got {starts.min()} to {starts.max()}")
    return np.broadcast_to(starts, (sequences,)).astype(np.int64)


def _draw(rng: np.random.Generator, probabilities: np.ndarray, count: int) -> np.ndarray:
    """Draw independent letters, uint8 [count, length], from probabilities [length, letters]."""
    cumulative = np.cumsum(probabilities, axis=1)
    cumulative /= cumulative[:, -1:]  # the last bound is exactly 1, so it is above every uniform number
    tokens = np.zeros((count, len(probabilities)), np.uint8)
    uniform = rng.random(tokens.shape)
    for bound in cumulative.T:
        tokens += uniform >= bound
    return tokens
