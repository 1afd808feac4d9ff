"""Motifs that the informative windows of many anchors have in common, on either strand.

The windows are aligned with each other, clustered by their similarity, and averaged within each cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.analysis._motifs.alignment import Overlaps, column_vectors, flipped, joint_alignment, overlaps
from jaxmaxent.analysis._motifs.informative_windows import InformativeWindow, informative_windows
from jaxmaxent.analysis._run_parts import rung_of
from jaxmaxent.ensembles import DNA, Alphabet, checked_alphabet, with_letters
from jaxmaxent.results import Run
from jaxmaxent.results._information import THRESHOLD, consensus, information_bits


class MotifMember(NamedTuple):
    """A place where an anchor has a motif.

    Attributes:
        anchor: index of the anchor.
        name: its name.
        start: first position of the anchor that the motif covers.
        stop: the position after the last that it covers.
        strand: "+" if the motif reads along the anchor, "-" if it is the reverse complement there.
        column: the motif's column at the first of these positions in the motif's direction; more than 0 where the
            motif reaches beyond the anchor's end.
        similarity: cosine between the member and the motif, from −1 to 1, each column weighted by its information.
    """

    anchor: int
    name: str
    start: int
    stop: int
    strand: str
    column: int
    similarity: float


class FoundMotif(NamedTuple):
    """A motif and its members. `data.write_meme` writes it, and `match_motifs` compares it with known motifs.

    Attributes:
        name: "motif_1" and so on.
        identifier: the same.
        probabilities: mean letter frequencies of the members, shape [width, letters]; each row sums to 1.
        errors: their standard errors, from the spread between members, or from the draws if there is one member only.
        information: bits of each column of the mean, shape [width].
        consensus: the letter with a frequency of more than one half, at each column.
        members: the places where anchors have the motif, the most similar first.
        aligned: letter frequencies of every member, in the motif's direction; NaN beyond an anchor's end.
    """

    name: str
    identifier: str
    probabilities: Float[np.ndarray, "width letters"]
    errors: Float[np.ndarray, "width letters"]
    information: Float[np.ndarray, " width"]
    consensus: str
    members: tuple[MotifMember, ...]
    aligned: Float[np.ndarray, "members width letters"]

    @property
    def sites(self) -> int:
        """Number of members."""
        return len(self.members)


class Motifs(NamedTuple):
    """The motifs of a set of anchors.

    Attributes:
        motifs: the motifs, sorted by their number of members, then by their information, largest first.
        windows: number of informative windows.
        outcome: a sentence that says what was found, or why nothing was found.
    """

    motifs: tuple[FoundMotif, ...]
    windows: int
    outcome: str


def find_motifs(
    profiles: Run | Float[np.ndarray, "anchors length letters"],
    *,
    rung: int | None = None,
    errors: Float[np.ndarray, "anchors length letters"] | None = None,
    names: Sequence[str] | None = None,
    alphabet: Alphabet | None = None,
    threshold: float = THRESHOLD,
    least: float = 4.0,
    gap: int = 8,
    flank: int = 2,
    similarity: float = 0.6,
    both_strands: bool = True,
) -> Motifs:
    """Find the motifs in the letter frequencies of many anchors.

    The windows of an anchor are its stretches with more than `threshold` bits per position on average and at least
    `least` bits in all. Windows are clustered by average linkage.

    Args:
        profiles: a run of many anchors, or letter frequencies whose rows sum to 1.
        rung: index of the rung, for a run; None means the target.
        errors: standard errors of the frequencies; a run has its own. Twice its standard error is subtracted from the
            information of a position.
        names: names of the anchors; None means those of a run, and the indices for an array.
        alphabet: the letters and their complements; None means those of a run, and DNA for an array.
        threshold: a position is informative if it has more bits than this. Windows and motifs begin and end with
            informative positions, apart from flanks.
        least: smallest information of a window, in bits.
        gap: largest number of positions in a row with no more than `threshold` bits that a window may contain.
        flank: number of further columns kept on either side.
        similarity: clusters are joined while the mean similarity of their windows is at least this, between 0 and 1.
        both_strands: compare windows on both strands, if the letters have complements.

    Raises:
        ValueError: if the run has no such rung, shapes do not match, rows do not sum to 1, or a number is out of range.

    Example:
        >>> found = analysis.find_motifs(run)
        >>> names = [motif.consensus for motif in found.motifs]
    """
    if alphabet is not None:
        checked_alphabet(alphabet)
    given = _checked_profiles(profiles, errors, names, alphabet, rung)
    frequencies, unsure, letters = given.frequencies, given.unsure, given.alphabet
    threshold = checks.number("threshold", threshold, above=0)
    least = checks.number("least", least, above=0)
    gap = checks.integer("gap", gap, at_least=0)
    flank = checks.integer("flank", flank, at_least=0)
    similarity = checks.number("similarity", similarity, above=0, below=1)
    complement = letters.complement(np.arange(len(letters))) if both_strands and letters.complements else None

    windows = informative_windows(frequencies, given.errors, threshold, least, gap, flank)
    if not windows:
        return Motifs((), 0, f"no motif: {_nothing(frequencies, threshold, least)}{unsure}")
    vectors = [column_vectors(frequencies[w.anchor, w.start : w.stop]) for w in windows]
    found = overlaps(vectors, complement)
    motifs = []
    for chosen in _clusters(found.similarity, similarity):
        within = Overlaps(*(array[np.ix_(chosen, chosen)] for array in found))
        placed = joint_alignment([vectors[k] for k in chosen], within, complement)
        members = [windows[k] for k in chosen]
        motifs.append(_motif(given, members, placed, complement, threshold, flank))
    motifs.sort(key=lambda motif: (-motif.sites, -motif.information.sum()))
    named = [m._replace(name=f"motif_{k}", identifier=f"motif_{k}") for k, m in enumerate(motifs, 1)]
    anchors = len({window.anchor for window in windows})
    outcome = (
        f"{_several(len(named), 'motif')} from {_several(len(windows), 'informative window')} "
        f"in {anchors} of {_several(len(frequencies), 'anchor')}{unsure}"
    )
    return Motifs(tuple(named), len(windows), outcome)


class _Given(NamedTuple):
    """The checked input. Errors are NaN where not known; `unsure` is the end of the outcome's sentence."""

    frequencies: np.ndarray
    errors: np.ndarray
    names: tuple[str, ...]
    alphabet: Alphabet
    unsure: str


def _checked_profiles(profiles: Any, errors: Any, names: Any, alphabet: Alphabet | None, rung: int | None) -> _Given:
    unsure = ""
    if isinstance(profiles, Run):
        run, rung = profiles, rung_of(profiles, rung)
        if alphabet is None:
            alphabet = with_letters(run.letters)
        if not run.converged.all():
            unsure = f"; {np.sum(~run.converged)} of {_several(len(run.names), 'anchor')} did not converge"
        profiles = run.frequencies[:, rung]
        errors = run.frequency_errors[:, rung] if errors is None else errors
        names = run.names if names is None else names
    alphabet = DNA if alphabet is None else alphabet
    frequencies = checks.finite_array("profiles", profiles, at_least=0)
    if frequencies.ndim != 3 or frequencies.shape[2] != len(alphabet) or 0 in frequencies.shape:
        raise ValueError(
            f"profiles must be a run or frequencies of shape [anchors, length, letters] with the {len(alphabet)} "
            f"letters {alphabet.letters!r}, got {list(frequencies.shape)}"
        )
    sums = frequencies.sum(2)
    if np.abs(sums - 1).max() > 1e-3:
        raise ValueError(f"profiles must sum to 1 over the letters, got {sums.flat[np.abs(sums - 1).argmax()]:g}")
    errors = np.full(frequencies.shape, np.nan) if errors is None else checks.number_array("errors", errors)
    if errors.shape != frequencies.shape:
        raise ValueError(f"errors must have the shape {list(frequencies.shape)} of profiles, got {list(errors.shape)}")
    names = (
        tuple(str(k) for k in range(len(frequencies)))
        if names is None
        else tuple(checks.several("names", names, "names"))
    )
    if len(names) != len(frequencies):
        raise ValueError(f"names must have {len(frequencies)} entries, one per anchor, got {len(names)}")
    return _Given(frequencies / sums[..., None], errors, names, alphabet, unsure)


def _nothing(frequencies: np.ndarray, threshold: float, least: float) -> str:
    most = information_bits(frequencies).max()
    where = f"in the {_several(len(frequencies), 'anchor')}"
    if most <= threshold:
        return f"no position {where} has more than {threshold:g} bits, the most is {most:.2g}"
    return f"no window {where} surely has {least:g} bits, the most at one position is {most:.2g}"


def _several(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)


def _clusters(similarity: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Return the indices of the windows of each cluster."""
    from scipy.cluster import hierarchy  # slow to import, and it changes warning filters

    if len(similarity) == 1:
        return [np.array([0])]
    distances = np.maximum(1 - similarity[np.triu_indices(len(similarity), 1)], 0)
    labels = hierarchy.fcluster(hierarchy.linkage(distances, "average"), 1 - threshold, "distance")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _motif(
    given: _Given,
    windows: list[InformativeWindow],
    placed: list[tuple[int, bool]],
    complement: np.ndarray | None,
    threshold: float,
    flank: int,
) -> FoundMotif:
    """Average the members, read from the whole anchors over the columns of the motif."""
    frequencies, errors, names, alphabet, _ = given
    frame = _frame(windows, placed)
    aligned = np.stack([_read(frequencies[w.anchor], *f, complement) for w, f in zip(windows, frame, strict=True)])
    kept = _trimmed(aligned, threshold, flank)
    aligned = aligned[:, kept]
    mean = np.nanmean(aligned, axis=0)
    if len(windows) > 1:
        covered = (~np.isnan(aligned)).sum(0)
        squares = np.nansum((aligned - mean) ** 2, axis=0)
        error = np.sqrt(squares / np.where(covered > 1, covered * (covered - 1), np.nan))
    else:
        error = _read(errors[windows[0].anchor], *frame[0], complement)[kept]
    vector = column_vectors(mean)
    members = []
    for window, (start, stop, flip), rows in zip(windows, frame, aligned, strict=True):
        start, stop = (stop - kept.stop, stop - kept.start) if flip else (start + kept.start, start + kept.stop)
        low, high = max(start, 0), min(stop, frequencies.shape[1])
        column = stop - high if flip else low - start
        own = column_vectors(rows[column : column + high - low])
        members.append(
            MotifMember(
                window.anchor,
                names[window.anchor],
                low,
                high,
                "-" if flip else "+",
                column,
                _cosine(own, vector, column),
            )
        )
    order = np.argsort([-member.similarity for member in members], kind="stable")
    return FoundMotif(
        "",
        "",
        mean,
        error,
        information_bits(mean),
        consensus(mean, alphabet.letters, any_letter=alphabet.any_letter),
        tuple(members[k] for k in order),
        aligned[order],
    )


def _frame(windows: list[InformativeWindow], placed: list[tuple[int, bool]]) -> list[tuple[int, int, bool]]:
    """Return (start, stop, flipped) of the columns that all windows together cover, on each window's anchor."""
    first = min(offset for offset, _ in placed)
    last = max(offset + w.stop - w.start for (offset, _), w in zip(placed, windows, strict=True))
    result = []
    for window, (offset, flip) in zip(windows, placed, strict=True):
        before, after = offset - first, last - offset - (window.stop - window.start)
        before, after = (after, before) if flip else (before, after)
        result.append((window.start - before, window.stop + after, flip))
    return result


def _read(values: np.ndarray, start: int, stop: int, flip: bool, complement: np.ndarray | None) -> np.ndarray:
    """Return the columns [start, stop) of an anchor, in the motif's direction; NaN beyond its ends."""
    length = len(values)
    inside = values[max(start, 0) : min(stop, length)]
    columns = np.pad(inside, ((max(-start, 0), max(stop - length, 0)), (0, 0)), constant_values=np.nan)
    return flipped(columns, complement) if flip else columns


def _trimmed(aligned: np.ndarray, threshold: float, flank: int) -> slice:
    """Return the informative columns and their flanks, among those that half of the members have."""
    covered = np.flatnonzero((~np.isnan(aligned[..., 0])).mean(0) >= 0.5)
    low, high = covered[0], covered[-1] + 1
    informative = low + np.flatnonzero(information_bits(np.nanmean(aligned[:, low:high], axis=0)) > threshold)
    if not informative.size:  # the members agree little
        return slice(int(low), int(high))
    return slice(int(max(informative[0] - flank, low)), int(min(informative[-1] + 1 + flank, high)))


def _cosine(member: np.ndarray, motif: np.ndarray, column: int) -> float:
    facing = motif[column : column + len(member)]
    norm = np.sqrt((member**2).sum() * (motif**2).sum())
    return float((member * facing).sum() / norm) if norm else 0.0
