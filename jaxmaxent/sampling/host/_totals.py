"""Totals: what the host keeps of a run, in memory that does not grow with its length.

Counts come in batches of equally many draws. When there are `BATCHES` of them, neighbours are merged, and batches are
twice as long from then on, so there are always between half of `BATCHES` and `BATCHES`. Traces of energies and counts
are thinned in step. All of it depends on the numbers of the draws only, not on how they were cut into blocks.

Every batch keeps all its sums, so that batches at the front can be left out of the estimates: a long run burns in for
longer than a short one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxmaxent.diagnostics import GROUPS
from jaxmaxent.sampling.device._counters import Counters, Moments
from jaxmaxent.sampling.device._state import TRACE_SLOTS
from jaxmaxent.sampling.host._kmer_totals import KmerTotals

BATCHES = 48
# At least this share of all steps is burn-in, if the precision decides how long a run is.
BURN_IN_SHARE = 1 / 4
_SUMS = "accepted", "swaps", "trips", "round_trips"


class Batch(NamedTuple):
    """The counts of a batch, or of several; every array has the leading axes [anchors, all_chains].

    Attributes:
        letters: counts of each letter at each position, [rungs, length, letters].
        scalars: moments of energies, distances and field counts at the rungs of both legs, [rungs, scalars].
        sums: other sums, by the names in `Counters`.
    """

    letters: Int[np.ndarray, "anchors all_chains rungs length letters"]
    scalars: Moments
    sums: dict[str, np.ndarray]

    def merge(self, other: Batch, dtype: Any = np.int64) -> Batch:
        """Return the counts of both."""
        letters = self.letters.astype(dtype) + other.letters.astype(dtype)
        sums = {name: self.sums[name] + other.sums[name] for name in _SUMS}
        return Batch(letters, self.scalars.merge(other.scalars), sums)


class Kept(NamedTuple):
    """The part of a run that enters estimates; every array has the leading axes [anchors, all_chains].

    Attributes:
        draws: draws in it.
        dropped: draws before it, after the burn-in.
        whole: all its counts.
        letters: counts of letters of each batch, a list.
        means: mean energies, distances and field counts of each batch, a list.
        traces: the same of single draws, a list.
    """

    draws: int
    dropped: int
    whole: Batch
    letters: list[Int[np.ndarray, "anchors all_chains rungs length letters"]]
    means: list[Float[np.ndarray, "anchors all_chains rungs scalars"]]
    traces: list[Float[np.ndarray, "anchors all_chains rungs scalars"]]


class Totals:
    """Batches, traces and sums over a run; every array has the leading axes [anchors, all_chains].

    Attributes:
        size: draws of a batch, a power of two.
        target_replicas: sequences at the target in each draw.
        reference_rungs: rungs beyond the target.
        draws: draws so far.
        batches: the batches.
        rest: draws behind the last batch, too few for one, at the end of a run; None if there are none.
        traces: energies, distances and field counts of single draws, a list [anchors, all_chains, rungs, scalars].
        kmers: counts of k-mers.
    """

    def __init__(self, size: int, target_replicas: int, reference_rungs: int = 0, burn_in: int | None = None) -> None:
        self.size, self.target_replicas, self.reference_rungs = size, target_replicas, reference_rungs
        self.draws = 0
        self.batches: list[Batch] = []
        self.rest: Batch | None = None
        self.traces: list[Float[np.ndarray, "anchors all_chains rungs scalars"]] = []
        self.kmers = KmerTotals(burn_in)

    @property
    def stride(self) -> int:
        """Draws between two that are traced."""
        return _stride(self.size)

    def add_trace(self, rows: Float[np.ndarray, "anchors all_chains slots rungs scalars"]) -> None:
        """Take in the traced draws of a block."""
        self.traces.extend(np.moveaxis(rows, 2, 0))

    def add_batch(self, counters: Counters) -> None:
        """Take in the counters of a batch; one shorter than the others is the last."""
        draws = int(np.ravel(counters.scalars.count)[0])
        self.draws += draws
        self.kmers.add(self.draws - draws, np.asarray(counters.kmers), self._dropped(self.kmers.burn_in))
        slots = Moments(draws, counters.scalars.mean, counters.scalars.squares)
        sums = {name: np.asarray(getattr(counters, name), _wide(name)) for name in _SUMS}
        scalars = of_rungs(slots, self.target_replicas, self.reference_rungs)
        batch = Batch(np.asarray(counters.letters, self._dtype()), scalars, sums)
        if draws < self.size:
            self.rest = batch
            return
        self.batches.append(batch)
        if len(self.batches) == BATCHES:
            self._merge()

    def kept(self, burn_in: int | None) -> Kept:
        """Return the part that enters estimates.

        Args:
            burn_in: draws of the burn-in, to be made longer if they are fewer than a share `BURN_IN_SHARE` of all; None
                to keep everything. Only whole batches are left out, and at least 16 are kept.
        """
        dropped = self._dropped(burn_in)
        first = dropped // self.size
        batches = self.batches[first:]
        whole = [*batches, *([] if self.rest is None else [self.rest])]
        return Kept(
            draws=self.draws - dropped,
            dropped=dropped,
            whole=_merged(whole),
            letters=[batch.letters for batch in batches],
            means=[np.asarray(batch.scalars.mean) for batch in batches],
            traces=self.traces[dropped // self.stride :],
        )

    def _dropped(self, burn_in: int | None) -> int:
        """Return the draws at the front that do not count any more."""
        lacking = 0.0 if burn_in is None else BURN_IN_SHARE * (burn_in + self.draws) - burn_in
        return self.size * max(0, min(math.ceil(lacking / self.size), len(self.batches) - GROUPS))

    def _merge(self) -> None:
        old, self.size = self.stride, 2 * self.size
        pairs = zip(self.batches[::2], self.batches[1::2], strict=True)
        self.batches = [a.merge(b, self._dtype()) for a, b in pairs]
        if self.stride > old:
            self.traces = self.traces[1::2]

    def _dtype(self) -> np.dtype:
        """Return the smallest type that holds the counts of a batch."""
        return np.min_scalar_type(self.size * self.target_replicas)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, to be saved."""
        numbers = {name: getattr(self, name) for name in ("size", "target_replicas", "reference_rungs", "draws")}
        found = {name: np.asarray(value) for name, value in numbers.items()}
        if self.batches:
            rows = [_flat(batch) for batch in self.batches]
            found |= {f"batches_{name}": np.stack([row[name] for row in rows]) for name in rows[0]}
        if self.rest is not None:
            found |= {f"rest_{name}": value for name, value in _flat(self.rest).items()}
        found |= self.kmers.arrays()
        return found | ({"traces": np.stack(self.traces)} if self.traces else {})

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray], burn_in: int | None = None) -> Totals:
        """Return the totals that were saved, of a run with this burn-in."""
        size, replicas, beyond = (int(arrays[name]) for name in ("size", "target_replicas", "reference_rungs"))
        totals = cls(size, replicas, beyond, burn_in)
        totals.draws = int(arrays["draws"])
        stacked = {name[8:]: value for name, value in arrays.items() if name.startswith("batches_")}
        count = len(stacked["letters"]) if stacked else 0
        totals.batches = [_unflat({name: value[b] for name, value in stacked.items()}) for b in range(count)]
        rest = {name[5:]: value for name, value in arrays.items() if name.startswith("rest_")}
        totals.rest = _unflat(rest) if rest else None
        totals.traces = list(arrays.get("traces", ()))
        totals.kmers.restore(arrays)
        return totals


def _merged(batches: list[Batch]) -> Batch:
    """Return the counts of all batches."""
    whole = batches[0]
    for batch in batches[1:]:
        whole = whole.merge(batch)
    return whole


def _flat(batch: Batch) -> dict[str, np.ndarray]:
    moments = {f"scalars_{name}": np.asarray(value) for name, value in batch.scalars._asdict().items()}
    return {"letters": batch.letters} | moments | batch.sums


def _unflat(arrays: dict[str, np.ndarray]) -> Batch:
    moments = Moments(int(arrays["scalars_count"]), arrays["scalars_mean"], arrays["scalars_squares"])
    return Batch(arrays["letters"], moments, {name: arrays[name] for name in _SUMS})


def _wide(name: str) -> type:
    return np.float64 if name == "swaps" else np.int64


def _stride(size: int) -> int:
    return -(-size // TRACE_SLOTS)


def of_rungs(slots: Moments, target_replicas: int, reference_rungs: int = 0) -> Moments:
    """Return moments [anchors, all_chains, rungs, …] from those of slots: at the target, those of all its replicas.

    They still count draws, so sums of squares are those of one sequence per draw.
    """
    mean, squares = np.asarray(slots.mean, np.float64), np.asarray(slots.squares, np.float64)
    if target_replicas == 1:
        return Moments(slots.count, mean, squares)
    path = mean.shape[2] - (target_replicas - 1)
    there = [path - reference_rungs - 1, *range(path, mean.shape[2])]
    own, between = squares[:, :, there].mean(2), mean[:, :, there].var(2)

    def joined(array: np.ndarray, at_target: np.ndarray) -> np.ndarray:
        array = array[:, :, :path].copy()
        array[:, :, there[0]] = at_target
        return array

    squares = joined(squares, own + slots.count * between)
    return Moments(slots.count, joined(mean, mean[:, :, there].mean(2)), squares)


def first_size(draws: int | None) -> int:
    """Return the draws of the first batches: few for a short run, so that it has many batches."""
    most = 8 if draws is None else min(8, 2 * draws // BATCHES)
    return 1 << max(most, 1).bit_length() - 1
