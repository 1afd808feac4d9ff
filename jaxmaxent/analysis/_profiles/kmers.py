"""The frequency of k-mers of a class at each position of draws or of aligned sequences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer

from jaxmaxent import checks
from jaxmaxent.analysis._run_parts import stored_draws
from jaxmaxent.ensembles import DNA, IUPAC_DNA
from jaxmaxent.results import Run

_SEQUENCE_GROUPS = 64  # of sequences that stand in a file one after the other
# With fewer chains the spread between them is mostly noise. Each chain is then cut into stretches, so many in all.
_FEWEST_CHAINS, _STRETCHES = 4, 16
_MOST_KMERS = 2**16


class KmerProfile(NamedTuple):
    """The frequency of a class of k-mers at each position.

    Attributes:
        kmers: the k-mers of the class.
        offsets: distance of the middle of each k-mer from the center, in positions, shape [positions].
        frequency: share of the draws or sequences that have a k-mer of the class there, shape [positions].
        error: its standard error, from the spread of the groups, shape [positions]; NaN where there is none.
        groups: that share in each of the groups of draws or sequences, shape [groups, positions].
    """

    kmers: tuple[str, ...]
    offsets: Float[np.ndarray, " positions"]
    frequency: Float[np.ndarray, " positions"]
    error: Float[np.ndarray, " positions"]
    groups: Float[np.ndarray, "groups positions"]


def kmer_class(kmers: str | Iterable[str], letters: str = DNA.letters) -> tuple[str, ...]:
    """Return the k-mers of a class, sorted: "WW" is AA, AT, TA and TT, and so is ("AA", "AT", "TA", "TT").

    Args:
        kmers: a k-mer or several of one length. In a nucleotide alphabet, other characters are read as IUPAC codes.
        letters: the alphabet.

    Raises:
        ValueError: if there is no k-mer, a letter is unknown, or the lengths differ.
    """
    given = (kmers,) if isinstance(kmers, str) else tuple(checks.several("kmers", kmers, "k-mers, or one"))
    for kmer in given:
        checks.text("kmers", kmer)
    if not given or len({len(kmer) for kmer in given}) > 1 or not given[0]:
        raise ValueError(f"kmers must be one or several k-mers of one length, got {checks.shown(kmers)}")
    if len(letters) ** len(given[0]) > _MOST_KMERS:
        raise ValueError(f"kmers must be so short that at most {_MOST_KMERS} are possible, got {given[0]!r}")
    meant = [[_meant(code, letters) for code in kmer] for kmer in given]
    return tuple(sorted({"".join(choice) for codes in meant for choice in itertools.product(*codes)}))


def kmer_profile(
    draws: Run | Integer[np.ndarray, "*chains sequences length"],
    kmers: str | Iterable[str],
    *,
    anchor: int = 0,
    rung: int | None = None,
    letters: str = DNA.letters,
    center: float | None = None,
) -> KmerProfile:
    """Return the frequency of a class of k-mers at each position of draws or of aligned sequences.

    Standard errors come from the spread of groups: the chains; if there are fewer than four chains, 16 stretches of
    them; and for plain sequences 64 stretches in their order, because neighbors in a file may overlap in the genome.

    Args:
        draws: a run with stored draws, tokens of draws [chains, draws, length] or of sequences [sequences, length].
        kmers: the class: a k-mer or several of one length. In a nucleotide alphabet IUPAC codes are read, so that "WW"
            is AA, AT, TA and TT.
        anchor: index of the anchor, for a run.
        rung: index of the rung, for a run; None means the target.
        letters: the alphabet, for tokens; a run has its own.
        center: position that offsets count from; length // 2 if None, which is the midpoint in `data.read_windows`.

    Raises:
        ValueError: if a run has no stored draws, tokens have another shape or alphabet, or the class is invalid.

    Example:
        >>> found = analysis.kmer_profile(run, "WW")
    """
    if isinstance(draws, Run):
        tokens, letters = stored_draws(draws, anchor=anchor, rung=rung), draws.letters
    else:
        tokens = _checked_tokens(draws, len(letters))
    chosen = kmer_class(kmers, letters)
    size, length = len(chosen[0]), tokens.shape[-1]
    if size > length:
        raise ValueError(f"kmers must be at most as long as the sequences, {length}, got {chosen[0]!r}")
    center = length // 2 if center is None else checks.number("center", center)
    parts = _groups(tokens)
    means = np.stack([_holds(part, chosen, letters).mean(0) for part in parts])
    frequency = np.average(means, axis=0, weights=[len(part) for part in parts])
    offsets = np.arange(length - size + 1) + (size - 1) / 2 - center
    return KmerProfile(chosen, offsets, frequency, error_of_mean(means), means)


def error_of_mean(groups: Float[np.ndarray, "groups positions"]) -> Float[np.ndarray, " positions"]:
    """Return the standard error of the mean over groups; NaN where all groups agree, because it is unknown there."""
    if len(groups) < 2:
        return np.full(groups.shape[1], np.nan)
    return np.where(np.ptp(groups, axis=0) > 0, groups.std(0, ddof=1) / math.sqrt(len(groups)), np.nan)


def _groups(tokens: np.ndarray) -> list[np.ndarray]:
    """Return tokens [sequences, length] of groups that are independent of each other, none of them empty."""
    if tokens.ndim == 2:
        return np.array_split(tokens, min(_SEQUENCE_GROUPS, len(tokens)))
    chains, draws, _ = tokens.shape
    if chains >= _FEWEST_CHAINS:
        return list(tokens)
    return [part for chain in tokens for part in np.array_split(chain, min(_STRETCHES // chains, draws))]


def _holds(tokens: np.ndarray, kmers: tuple[str, ...], letters: str) -> Bool[np.ndarray, "sequences positions"]:
    """Check at each position if a k-mer of the class begins there."""
    size, base = len(kmers[0]), len(letters)
    table, last = np.zeros(base**size, bool), tokens.shape[-1] - size + 1
    for kmer in kmers:
        table[sum(letters.index(letter) * base ** (size - 1 - i) for i, letter in enumerate(kmer))] = True
    number = np.zeros((len(tokens), last), np.int32)
    for i in range(size):
        number = number * base + tokens[:, i : i + last]
    return table[number]


def _meant(code: str, letters: str) -> list[str]:
    """Return the letters that a code means: itself, or those of an IUPAC code."""
    if code in letters:
        return [code]
    if set(letters) <= set("ACGTU") and code in IUPAC_DNA:
        named = letters if code == "N" else IUPAC_DNA[code].replace("T", "TU")
        return [letter for letter in letters if letter in named]
    raise ValueError(f"kmers must hold letters of {letters!r} or IUPAC codes for them, got {checks.shown(code)}")


def _checked_tokens(value: object, letters: int) -> np.ndarray:
    tokens = np.asarray(value)
    if tokens.ndim not in (2, 3) or not tokens.size or tokens.dtype.kind not in "iu":
        raise ValueError(
            f"draws must be a run or whole-number tokens of shape [sequences, length] or [chains, draws, length], got "
            f"{tokens.dtype} of shape {list(tokens.shape)}"
        )
    if tokens.min() < 0 or tokens.max() >= letters:
        raise ValueError(f"draws must hold tokens from 0 to {letters - 1}, got {tokens.min()} to {tokens.max()}")
    return tokens
