"""The members of a motif, read where the motif covers their anchors, and their average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent.analysis._motifs.alignment import column_vectors, flipped
from jaxmaxent.analysis._motifs.informative_windows import InformativeWindow
from jaxmaxent.analysis._motifs.profiles import Profiles
from jaxmaxent.results._information import consensus, information_bits


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


class Cluster(NamedTuple):
    """Windows that are similar, and (offset, flipped) of each in one frame."""

    windows: list[InformativeWindow]
    placed: list[tuple[int, bool]]


class _Stretch(NamedTuple):
    """The columns [start, stop) on an anchor that a motif may cover; flipped if the motif is the reverse complement."""

    start: int
    stop: int
    flip: bool


def motifs_of(
    profiles: Profiles, clusters: Sequence[Cluster], complement: np.ndarray | None, threshold: float, flank: int
) -> list[FoundMotif]:
    """Return the average of the members of each cluster, read from the whole anchors over the columns of the motif."""
    frames = [_frame(*cluster) for cluster in clusters]
    read = _read_all(profiles, clusters, frames, complement)
    return [_motif(profiles, *parts, threshold, flank) for parts in zip(clusters, frames, read, strict=True)]


def _read_all(
    profiles: Profiles,
    clusters: Sequence[Cluster],
    frames: Sequence[list[_Stretch]],
    complement: np.ndarray | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the frequencies of the stretches of each cluster, and the errors of that of a single window.

    The profiles are read once for all clusters.
    """
    found = [[np.empty(0)] * len(frame) for frame in frames]
    errors = [np.empty(0)] * len(frames)
    wanted = sorted(
        (window.anchor, c, k) for c, cluster in enumerate(clusters) for k, window in enumerate(cluster.windows)
    )
    at = 0
    for first, frequencies, their_errors in profiles:
        while at < len(wanted) and wanted[at][0] < first + len(frequencies):
            anchor, c, k = wanted[at]
            found[c][k] = _read(frequencies[anchor - first], frames[c][k], complement)
            if len(frames[c]) == 1:
                errors[c] = _read(their_errors[anchor - first], frames[c][k], complement)
            at += 1
    return [(np.stack(rows), error) for rows, error in zip(found, errors, strict=True)]


def _motif(
    profiles: Profiles,
    cluster: Cluster,
    frame: list[_Stretch],
    read: tuple[np.ndarray, np.ndarray],
    threshold: float,
    flank: int,
) -> FoundMotif:
    """Average the members, whose frequencies along the frame were read."""
    windows, alphabet, (aligned, errors) = cluster.windows, profiles.alphabet, read
    kept = _trimmed(aligned, threshold, flank)
    aligned = aligned[:, kept]
    mean = np.nanmean(aligned, axis=0)
    if len(windows) > 1:
        covered = (~np.isnan(aligned)).sum(0)
        squares = np.nansum((aligned - mean) ** 2, axis=0)
        error = np.sqrt(squares / np.where(covered > 1, covered * (covered - 1), np.nan))
    else:
        error = errors[kept]
    vector = column_vectors(mean)
    members = []
    for window, (start, stop, flip), rows in zip(windows, frame, aligned, strict=True):
        start, stop = (stop - kept.stop, stop - kept.start) if flip else (start + kept.start, start + kept.stop)
        low, high = max(start, 0), min(stop, profiles.length)
        column = stop - high if flip else low - start
        own = column_vectors(rows[column : column + high - low])
        members.append(
            MotifMember(
                window.anchor,
                profiles.names[window.anchor],
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


def _frame(windows: list[InformativeWindow], placed: list[tuple[int, bool]]) -> list[_Stretch]:
    """Return the columns that all windows together cover, on each window's anchor."""
    first = min(offset for offset, _ in placed)
    last = max(offset + w.stop - w.start for (offset, _), w in zip(placed, windows, strict=True))
    result = []
    for window, (offset, flip) in zip(windows, placed, strict=True):
        before, after = offset - first, last - offset - (window.stop - window.start)
        before, after = (after, before) if flip else (before, after)
        result.append(_Stretch(window.start - before, window.stop + after, flip))
    return result


def _read(values: np.ndarray, stretch: _Stretch, complement: np.ndarray | None) -> np.ndarray:
    """Return the columns of a stretch of an anchor, in the motif's direction; NaN beyond its ends."""
    (start, stop, flip), length = stretch, len(values)
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
