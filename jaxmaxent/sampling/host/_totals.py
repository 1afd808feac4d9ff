"""What the host remembers of a run, in memory that does not grow with its length.

Counts come in batches of equally many counted states. When there are `BATCHES`, neighbours are merged and batches are
twice as long from then on, so there are always between half of `BATCHES` and `BATCHES`. Traces of energies and counts
are thinned in step. All of it depends on the numbers of the states only, never on how they were cut into blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent.sampling.device._block import TRACE_SLOTS, Tally
from jaxmaxent.sampling.device._moments import Moments

BATCHES = 32


class Record:
    """Batches, traces and totals; every array has the leading axes [anchors, ladders].

    Attributes:
        size: counted states of a batch, a power of two.
        target_replicas: sequences at the last rung in each counted state.
        counted: counted states so far.
        letters: how often each letter stood at each position, a list of batches [anchors, ladders, rungs, length,
            letters].
        means: mean energies, changes and counts, a list of batches [anchors, ladders, rungs, scalars].
        traces: the same of single states, a list [anchors, ladders, rungs, scalars].
        scalars: their moments over all states.
        sums: other sums over all states by the names in `Tally`.
    """

    def __init__(self, size: int, target_replicas: int) -> None:
        self.size, self.target_replicas = size, target_replicas
        self.counted = 0
        self.letters: list[Int[np.ndarray, "anchors ladders rungs length letters"]] = []
        self.means: list[Float[np.ndarray, "anchors ladders rungs scalars"]] = []
        self.traces: list[Float[np.ndarray, "anchors ladders rungs scalars"]] = []
        self.scalars = Moments(0, np.zeros(()), np.zeros(()))
        self.sums: dict[str, Any] = {}

    @property
    def stride(self) -> int:
        """Counted states between two that are traced."""
        return -(-self.size // TRACE_SLOTS)

    def add_trace(self, rows: Float[np.ndarray, "anchors ladders slots rungs scalars"]) -> None:
        """Take in the traced states of a block."""
        self.traces.extend(np.moveaxis(rows, 2, 0))

    def close(self, tally: Tally) -> None:
        """Take in the counts of a batch; one that is shorter than the others, the last, only counts in the totals."""
        counted = int(np.ravel(tally.scalars.count)[0])
        self.counted += counted
        moments = of_rungs(Moments(counted, tally.scalars.mean, tally.scalars.squares), self.target_replicas)
        self.scalars = self.scalars.merge(moments)
        for name in ("letters", "accepted", "exchange", "trips", "round_trips"):
            wide = np.float64 if name == "exchange" else np.int64
            self.sums[name] = self.sums.get(name, 0) + np.asarray(getattr(tally, name), wide)
        if counted < self.size:
            return
        self.letters.append(np.asarray(tally.letters, self._dtype()))
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
        """The smallest type that holds the counts of a batch."""
        return np.min_scalar_type(self.size * self.target_replicas)

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, to be saved."""
        stacked = {name: np.stack(rows) for name in ("letters", "means", "traces") if (rows := getattr(self, name))}
        totals = {f"sum_{name}": value for name, value in self.sums.items()}
        moments = {f"scalars_{name}": np.asarray(value) for name, value in self.scalars._asdict().items()}
        numbers = {name: np.asarray(getattr(self, name)) for name in ("size", "target_replicas", "counted")}
        return stacked | totals | moments | numbers

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Record:
        """The record that was saved."""
        record = cls(int(arrays["size"]), int(arrays["target_replicas"]))
        record.counted = int(arrays["counted"])
        for name in ("letters", "means", "traces"):
            setattr(record, name, list(arrays.get(name, ())))
        record.sums = {name[4:]: value for name, value in arrays.items() if name.startswith("sum_")}
        record.scalars = Moments(int(arrays["scalars_count"]), arrays["scalars_mean"], arrays["scalars_squares"])
        return record


def of_rungs(places: Moments, target_replicas: int) -> Moments:
    """Moments [anchors, ladders, rungs, …] from those of every place: of all sequences at the last rung together.

    They still count states, so that sums of squares are those of one sequence a state.
    """
    if target_replicas == 1:
        return places
    mean, squares = np.asarray(places.mean, np.float64), np.asarray(places.squares, np.float64)
    last = slice(-target_replicas, None)
    own, between = squares[:, :, last].mean(2), mean[:, :, last].var(2)

    def joined(array: np.ndarray, at_last: np.ndarray) -> np.ndarray:
        return np.concatenate([array[:, :, :-target_replicas], at_last[:, :, None]], axis=2)

    return Moments(places.count, joined(mean, mean[:, :, last].mean(2)), joined(squares, own + places.count * between))


def first_size(counted: int | None) -> int:
    """States of the first batches: few where few are asked for, so that there are many batches."""
    most = 8 if counted is None else min(8, 2 * counted // BATCHES)
    return 1 << max(most, 1).bit_length() - 1
