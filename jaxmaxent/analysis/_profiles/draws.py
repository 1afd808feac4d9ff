"""The draws that a run stored: which are meant, and how often k-mers of a class stand at each of their positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from jaxmaxent import checks
from jaxmaxent.ensembles import DNA, IUPAC_DNA
from jaxmaxent.results import Run

_SEQUENCE_GROUPS = 64  # of sequences that stand in a file one after the other
# With fewer chains the spread between them is mostly noise, so stretches of them are taken, so many in all.
_FEWEST_CHAINS, _STRETCHES = 4, 16
_MOST_KMERS = 2**16


class KmerProfile(NamedTuple):
    """How often a class of k-mers stands at each position.

    Attributes:
        kmers: the k-mers of the class.
        offsets: where the middle of each k-mer lies from the centre, in positions, shape [positions].
        frequency: share of the draws or sequences that hold one of the class there, shape [positions].
        error: its standard error, from the spread of the groups, shape [positions]; NaN where there is none.
        groups: that share in each of the groups of draws or sequences, shape [groups, positions].
    """

    kmers: tuple[str, ...]
    offsets: Float[np.ndarray, " positions"]
    frequency: Float[np.ndarray, " positions"]
    error: Float[np.ndarray, " positions"]
    groups: Float[np.ndarray, "groups positions"]


def stored_draws(run: Run, anchor: int = 0, rung: int = -1) -> UInt8[np.ndarray, "chains draws length"]:
    """The stored draws of one anchor, at its last (largest) β unless another rung is named; tokens by chain.

    Draws of a chain stand in the order drawn and are not independent of each other, but chains are.

    Raises:
        ValueError: if the run stored no draws, or has no such anchor or rung.
    """
    checks.like("run", run, "draws", "a Run: sample gives one, and Run.load reads one from a file")
    if run.draws is None or 0 in run.draws.shape:
        raise ValueError("run must have stored draws, got one without: sample(..., store_every=…) keeps them")
    anchor, rung = index_of("anchor", anchor, run.draws.shape[0]), index_of("rung", rung, run.draws.shape[1])
    return run.draws[anchor, rung].swapaxes(0, 1)


def index_of(name: str, value: Any, size: int) -> int:
    """`value` as an index from 0, or ValueError if it is not that of one of `size` things; −1 is the last."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not -size <= value < size:
        raise ValueError(f"{name} must be a whole number from {-size} to {size - 1}, got {checks.shown(value)}")
    return int(value) % size


def field_of(run: Run, field: int | str) -> int:
    """The index of a field of a run, given by its name or its index.

    Raises:
        ValueError: if the run has no such field.
    """
    checks.like("run", run, "field_names", "a Run: sample gives one, and Run.load reads one from a file")
    if isinstance(field, str):
        if field not in run.field_names:
            raise ValueError(
                f"field must be one of the run's fields {list(run.field_names)}, got {checks.shown(field)}"
            )
        return run.field_names.index(field)
    if not run.field_names:
        raise ValueError("run must have a field to look at, got one without: Ensemble.create(..., fields=[…]) adds it")
    return index_of("field", field, len(run.field_names))


def kmer_class(kmers: str | Iterable[str], letters: str = DNA.letters) -> tuple[str, ...]:
    """The k-mers of a class, sorted: "WW" is AA, AT, TA and TT, and so is ("AA", "AT", "TA", "TT").

    Args:
        kmers: a k-mer or several of one length. What is no letter of a nucleotide alphabet is read as IUPAC code.
        letters: the alphabet.

    Raises:
        ValueError: for none, another letter, or different lengths.
    """
    given = (kmers,) if isinstance(kmers, str) else tuple(checks.several("kmers", kmers, "k-mers, or one"))
    for kmer in given:
        checks.text("kmers", kmer)
    if not given or len({len(kmer) for kmer in given}) > 1 or not given[0]:
        raise ValueError(f"kmers must be one or several k-mers of one length, got {checks.shown(kmers)}")
    if len(letters) ** len(given[0]) > _MOST_KMERS:
        raise ValueError(f"kmers must be of so few letters that at most {_MOST_KMERS} are possible, got {given[0]!r}")
    meant = [[_meant(code, letters) for code in kmer] for kmer in given]
    return tuple(sorted({"".join(choice) for codes in meant for choice in itertools.product(*codes)}))


def kmer_profile(
    source: Run | UInt8[np.ndarray, "*chains sequences length"],
    kmers: str | Iterable[str] = "WW",
    *,
    anchor: int = 0,
    rung: int = -1,
    letters: str = DNA.letters,
    centre: float | None = None,
) -> KmerProfile:
    """How often a class of k-mers stands at each position of draws or of aligned sequences.

    The groups that errors come from are the chains; with fewer than four of them, 16 stretches of them; and of plain
    sequences 64 stretches in their order, as neighbours in a file may overlap in the genome.

    Args:
        source: a run with stored draws, tokens of draws [chains, draws, length] or of sequences [sequences, length].
        kmers: the class, as in `kmer_class`.
        anchor: index of the anchor, for a run.
        rung: index of a β, for a run; the last is the largest.
        letters: the alphabet, for tokens; a run brings its own.
        centre: position that offsets count from; length // 2 if None, the midpoint in `data.read_windows`.

    Raises:
        ValueError: for a run without stored draws, tokens of another shape or alphabet, or another class.
    """
    if isinstance(source, Run):
        tokens, letters = stored_draws(source, anchor, rung), source.letters
    else:
        tokens = _checked_tokens(source, len(letters))
    chosen = kmer_class(kmers, letters)
    size, length = len(chosen[0]), tokens.shape[-1]
    if size > length:
        raise ValueError(f"kmers must be at most as long as the sequences, {length}, got {chosen[0]!r}")
    centre = length // 2 if centre is None else checks.number("centre", centre)
    parts = _groups(tokens)
    means = np.stack([_holds(part, chosen, letters).mean(0) for part in parts])
    frequency = np.average(means, axis=0, weights=[len(part) for part in parts])
    offsets = np.arange(length - size + 1) + (size - 1) / 2 - centre
    return KmerProfile(chosen, offsets, frequency, error_of_mean(means), means)


def error_of_mean(groups: Float[np.ndarray, "groups positions"]) -> Float[np.ndarray, " positions"]:
    """Standard error of the mean over groups; NaN where nothing differs, as it is not known."""
    if len(groups) < 2:
        return np.full(groups.shape[1], np.nan)
    return np.where(np.ptp(groups, axis=0) > 0, groups.std(0, ddof=1) / math.sqrt(len(groups)), np.nan)


def _groups(tokens: np.ndarray) -> list[np.ndarray]:
    """Tokens [sequences, length] of groups that are independent of each other, none of them empty."""
    if tokens.ndim == 2:
        return np.array_split(tokens, min(_SEQUENCE_GROUPS, len(tokens)))
    chains, draws, _ = tokens.shape
    if chains >= _FEWEST_CHAINS:
        return list(tokens)
    return [part for chain in tokens for part in np.array_split(chain, min(_STRETCHES // chains, draws))]


def _holds(tokens: np.ndarray, kmers: tuple[str, ...], letters: str) -> Bool[np.ndarray, "sequences positions"]:
    """Whether a k-mer of the class begins at each position."""
    size, base = len(kmers[0]), len(letters)
    table, last = np.zeros(base**size, bool), tokens.shape[-1] - size + 1
    for kmer in kmers:
        table[sum(letters.index(letter) * base ** (size - 1 - i) for i, letter in enumerate(kmer))] = True
    number = np.zeros((len(tokens), last), np.int32)
    for i in range(size):
        number = number * base + tokens[:, i : i + last]
    return table[number]


def _meant(code: str, letters: str) -> list[str]:
    """The letters a code stands for: itself, or those of an IUPAC code."""
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
            f"source must be a run or whole-number tokens of shape [sequences, length] or [chains, draws, length], got "
            f"{tokens.dtype} of shape {list(tokens.shape)}"
        )
    if tokens.min() < 0 or tokens.max() >= letters:
        raise ValueError(f"source must hold tokens 0 to {letters - 1}, got {tokens.min()} to {tokens.max()}")
    return tokens
