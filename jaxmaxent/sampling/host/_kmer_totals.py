"""Counts of k-mers over a run, in memory that does not grow with it.

Batches of a run are left out at the front as it becomes longer. Counts of k-mers are too many to be kept for every
batch. They are kept for a few parts of the run instead, each of which begins where the run is twice as long as at the
part before. Whole parts are left out once the burn-in reaches into them, so that at least half of the draws that count
are in what is left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

# Draws of the first part at least.
_FIRST = 64


class KmerPart(NamedTuple):
    """The counts of a part of a run.

    Attributes:
        start: draws before it.
        counts: counts of each k-mer, [anchors, all_chains, ends, kmers].
    """

    start: int
    counts: Int[np.ndarray, "anchors all_chains ends kmers"]


class KmerTotals:
    """The parts of a run that count.

    Attributes:
        burn_in: draws of the burn-in, at first; None if it does not become longer.
        parts: the parts, the last of which goes on.
    """

    def __init__(self, burn_in: int | None) -> None:
        self.burn_in = burn_in
        self.parts: list[KmerPart] = []

    def add(self, start: int, counts: Int[np.ndarray, "anchors all_chains ends kmers"], dropped: int) -> None:
        """Take in the counts of a batch that begins after so many draws, of which `dropped` no longer count."""
        if not counts.shape[-1]:
            return
        first = max(self.burn_in or 0, _FIRST)
        if not self.parts or (self.burn_in is not None and start >= max(2 * self.parts[-1].start, first)):
            self.parts.append(KmerPart(start, counts.astype(np.int64)))
        else:
            self.parts[-1] = self.parts[-1]._replace(counts=self.parts[-1].counts + counts)
        self.parts = self._after(dropped)

    def counts(self, dropped: int) -> Int[np.ndarray, "anchors all_chains ends kmers"] | None:
        """Return the counts of the parts that begin after so many draws; None if nothing is counted."""
        kept = self._after(dropped)
        return np.sum([part.counts for part in kept], axis=0) if kept else None

    def _after(self, dropped: int) -> list[KmerPart]:
        """Return the parts that begin after so many draws, at least the last."""
        return [part for part in self.parts if part.start >= dropped or part is self.parts[-1]]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, to be saved."""
        if not self.parts:
            return {}
        return {
            "kmer_starts": np.array([part.start for part in self.parts]),
            "kmer_counts": np.stack([part.counts for part in self.parts]),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what was saved."""
        if "kmer_starts" in arrays:
            rows = zip(arrays["kmer_starts"].tolist(), arrays["kmer_counts"], strict=True)
            self.parts = [KmerPart(start, counts) for start, counts in rows]
