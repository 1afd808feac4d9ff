"""Totals: what the host keeps of a run, in memory that does not grow with its length.

Counts come in batches of equally many draws. When there are `BATCHES` of them, neighbours are merged, and batches are
twice as long from then on, so there are always between half of `BATCHES` and `BATCHES`. Traces of energies and counts
are thinned in step. All of it depends on the numbers of the draws only, not on how they were cut into blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent.sampling.device._counters import Counters, Moments
from jaxmaxent.sampling.device._state import TRACE_SLOTS

BATCHES = 32


class Totals:
    """Batches, traces and sums over a run; every array has the leading axes [anchors, all_chains].

    Attributes:
        size: draws of a batch, a power of two.
        target_replicas: sequences at the target in each draw.
        draws: draws so far.
        letters: counts of each letter at each position, a list of batches [anchors, all_chains, rungs, length,
            letters].
        means: mean energies, distances and field counts, a list of batches [anchors, all_chains, rungs, scalars].
        traces: the same of single draws, a list [anchors, all_chains, rungs, scalars].
        scalars: their moments over all draws.
        sums: other sums over all draws, by the names in `Counters`.
    """

    def __init__(self, size: int, target_replicas: int) -> None:
        self.size, self.target_replicas = size, target_replicas
        self.draws = 0
        self.letters: list[Int[np.ndarray, "anchors all_chains rungs length letters"]] = []
        self.means: list[Float[np.ndarray, "anchors all_chains rungs scalars"]] = []
        self.traces: list[Float[np.ndarray, "anchors all_chains rungs scalars"]] = []
        self.scalars = Moments(0, np.zeros(()), np.zeros(()))
        self.sums: dict[str, Any] = {}

    @property
    def stride(self) -> int:
        """Draws between two that are traced."""
        return -(-self.size // TRACE_SLOTS)

    def add_trace(self, rows: Float[np.ndarray, "anchors all_chains slots rungs scalars"]) -> None:
        """Take in the traced draws of a block."""
        self.traces.extend(np.moveaxis(rows, 2, 0))

    def add_batch(self, counters: Counters) -> None:
        """Take in the counters of a batch; a batch shorter than the others, the last one, only adds to the sums."""
        draws = int(np.ravel(counters.scalars.count)[0])
        self.draws += draws
        moments = of_rungs(Moments(draws, counters.scalars.mean, counters.scalars.squares), self.target_replicas)
        self.scalars = self.scalars.merge(moments)
        for name in ("letters", "accepted", "swaps", "trips", "round_trips"):
            wide = np.float64 if name == "swaps" else np.int64
            self.sums[name] = self.sums.get(name, 0) + np.asarray(getattr(counters, name), wide)
        if draws < self.size:
            return
        self.letters.append(np.asarray(counters.letters, self._dtype()))
        self.means.append(np.asarray(moments.mean, np.float64))
        if len(self.letters) == BATCHES:
            self._merge()

    def _merge(self) -> None:
        old, self.size = self.stride, 2 * self.size
        wide = self._dtype()
        self.letters = [a + b.astype(wide) for a, b in zip(self.letters[::2], self.letters[1::2], strict=True)]
        self.means = [(a + b) / 2 for a, b in zip(self.means[::2], self.means[1::2], strict=True)]
        if self.stride > old:
            self.traces = self.traces[1::2]

    def _dtype(self) -> np.dtype:
        """Return the smallest type that holds the counts of a batch."""
        return np.min_scalar_type(self.size * self.target_replicas)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, to be saved."""
        stacked = {name: np.stack(rows) for name in ("letters", "means", "traces") if (rows := getattr(self, name))}
        sums = {f"sum_{name}": value for name, value in self.sums.items()}
        moments = {f"scalars_{name}": np.asarray(value) for name, value in self.scalars._asdict().items()}
        numbers = {name: np.asarray(getattr(self, name)) for name in ("size", "target_replicas", "draws")}
        return stacked | sums | moments | numbers

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Totals:
        """Return the totals that were saved."""
        totals = cls(int(arrays["size"]), int(arrays["target_replicas"]))
        totals.draws = int(arrays["draws"])
        for name in ("letters", "means", "traces"):
            setattr(totals, name, list(arrays.get(name, ())))
        totals.sums = {name[4:]: value for name, value in arrays.items() if name.startswith("sum_")}
        totals.scalars = Moments(int(arrays["scalars_count"]), arrays["scalars_mean"], arrays["scalars_squares"])
        return totals


def of_rungs(slots: Moments, target_replicas: int) -> Moments:
    """Return moments [anchors, all_chains, rungs, …] from those of slots: at the target, those of all its replicas.

    They still count draws, so sums of squares are those of one sequence per draw.
    """
    if target_replicas == 1:
        return slots
    mean, squares = np.asarray(slots.mean, np.float64), np.asarray(slots.squares, np.float64)
    target = slice(-target_replicas, None)
    own, between = squares[:, :, target].mean(2), mean[:, :, target].var(2)

    def joined(array: np.ndarray, at_target: np.ndarray) -> np.ndarray:
        return np.concatenate([array[:, :, :-target_replicas], at_target[:, :, None]], axis=2)

    squares = joined(squares, own + slots.count * between)
    return Moments(slots.count, joined(mean, mean[:, :, target].mean(2)), squares)


def first_size(draws: int | None) -> int:
    """Return the draws of the first batches: few for a short run, so that it has many batches."""
    most = 8 if draws is None else min(8, 2 * draws // BATCHES)
    return 1 << max(most, 1).bit_length() - 1
