"""Motifs that the informative windows of many anchors have in common, on either strand.

The windows are aligned with each other, clustered by their similarity, and averaged within each cluster. Only the
windows and what motifs cover are kept of the profiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxmaxent import checks
from jaxmaxent.analysis._motifs.alignment import Overlaps, column_vectors, joint_alignment, overlaps
from jaxmaxent.analysis._motifs.informative_windows import InformativeWindow, informative_windows
from jaxmaxent.analysis._motifs.members import Cluster, FoundMotif, motifs_of
from jaxmaxent.analysis._motifs.profiles import Profiles, several
from jaxmaxent.ensembles import Alphabet, checked_alphabet
from jaxmaxent.results import Run, RunStore
from jaxmaxent.results._in_parts import RunParts
from jaxmaxent.results._information import THRESHOLD, information_bits


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
    profiles: Run | RunStore | Float[np.ndarray, "anchors length letters"],
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
        profiles: a run of many anchors, a store of runs, or letter frequencies whose rows sum to 1. A store is read
            twice, some anchors at a time.
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
    settings = _Settings(
        threshold=checks.number("threshold", threshold, above=0),
        least=checks.number("least", least, above=0),
        gap=checks.integer("gap", gap, at_least=0),
        flank=checks.integer("flank", flank, at_least=0),
        similarity=checks.number("similarity", similarity, above=0, below=1),
        both_strands=both_strands,
    )
    return _found(Profiles(profiles, errors, names, alphabet, rung), settings)


def motifs_in(runs: RunParts) -> Motifs:
    """Return the motifs at the targets of runs, as `find_motifs` finds them, reading some anchors at a time."""
    return _found(Profiles(runs, None, None, None, None), _Settings())


class _Settings(NamedTuple):
    """The checked numbers that `find_motifs` takes, with its defaults."""

    threshold: float = THRESHOLD
    least: float = 4.0
    gap: int = 8
    flank: int = 2
    similarity: float = 0.6
    both_strands: bool = True


def _found(profiles: Profiles, settings: _Settings) -> Motifs:
    """Look for motifs: read all profiles for their windows, and again the stretches that the motifs cover."""
    letters, unsure = profiles.alphabet, profiles.unsure
    complement = letters.complement(np.arange(len(letters))) if settings.both_strands and letters.complements else None
    windows, vectors, most, count = _windows(profiles, settings)
    if not windows:
        return Motifs((), 0, f"no motif: {_nothing(most, count, settings)}{unsure}")
    found = overlaps(vectors, complement)
    clusters = []
    for chosen in _clusters(found.similarity, settings.similarity):
        within = Overlaps(*(array[np.ix_(chosen, chosen)] for array in found))
        placed = joint_alignment([vectors[k] for k in chosen], within, complement)
        clusters.append(Cluster([windows[k] for k in chosen], placed))
    motifs = motifs_of(profiles, clusters, complement, settings.threshold, settings.flank)
    motifs.sort(key=lambda motif: (-motif.sites, -motif.information.sum()))
    named = [m._replace(name=f"motif_{k}", identifier=f"motif_{k}") for k, m in enumerate(motifs, 1)]
    anchors = len({window.anchor for window in windows})
    outcome = (
        f"{several(len(named), 'motif')} from {several(len(windows), 'informative window')} "
        f"in {anchors} of {several(count, 'anchor')}{unsure}"
    )
    return Motifs(tuple(named), len(windows), outcome)


def _windows(
    profiles: Profiles, settings: _Settings
) -> tuple[list[InformativeWindow], list[Float[np.ndarray, "_ letters"]], float, int]:
    """Return the informative windows, their column vectors, the most bits of a position, and the number of anchors."""
    windows, vectors, most, count = [], [], -np.inf, 0
    for first, frequencies, errors in profiles:
        most, count = max(most, information_bits(frequencies).max()), count + len(frequencies)
        for window in informative_windows(
            frequencies, errors, settings.threshold, settings.least, settings.gap, settings.flank
        ):
            vectors.append(column_vectors(frequencies[window.anchor, window.start : window.stop]))
            windows.append(window._replace(anchor=first + window.anchor))
    return windows, vectors, most, count


def _nothing(most: float, count: int, settings: _Settings) -> str:
    where = f"in the {several(count, 'anchor')}"
    if most <= settings.threshold:
        return f"no position {where} has more than {settings.threshold:g} bits, the most is {most:.2g}"
    return f"no window {where} surely has {settings.least:g} bits, the most at one position is {most:.2g}"


def _clusters(similarity: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Return the indices of the windows of each cluster."""
    from scipy.cluster import hierarchy  # slow to import, and it changes warning filters

    if len(similarity) == 1:
        return [np.array([0])]
    number = len(similarity)
    distances = np.empty(number * (number - 1) // 2)
    ends = np.cumsum(np.arange(number - 1, 0, -1))
    for row, mine in enumerate(np.split(distances, ends[:-1])):
        mine[:] = np.maximum(1 - similarity[row, row + 1 :], 0)
    labels = hierarchy.fcluster(hierarchy.linkage(distances, "average"), 1 - threshold, "distance")
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]
