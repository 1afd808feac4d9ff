"""Runs of many anchors that are read some at a time, so that memory does not depend on their number."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxmaxent.results._parts import kept
from jaxmaxent.results._run import Run
from jaxmaxent.results._rungs import nearest_rung
from jaxmaxent.results._schema import axes
from jaxmaxent.results._store import RunStore, waiting


class RunParts:
    """The runs of a store, those together that lie together on disk, or a `Run` as one part.

    Iteration yields the indices of some anchors and their runs as one, in the order of all anchors. It can be repeated,
    and reads a store anew each time.

    Attributes:
        names: names of all anchors.
        letters: the letters of the alphabet, in their order.
        field_names: names of the fields.
        length: number of positions of each anchor.
        beta: β of the target of each anchor, in units of 1/E.
        converged: True for each anchor whose run reached the wanted precision.
    """

    def __init__(self, runs: Run | RunStore, *, keep: str = "draws") -> None:
        """Take runs; of each part that is read only what `keep` says is kept, as `results._parts.kept` does."""
        one = runs if isinstance(runs, Run) else runs[0]
        self.names, self.letters, self.field_names = runs.names, one.letters, one.field_names
        self.length: int = one.frequencies.shape[2]
        self.converged: Bool[np.ndarray, " anchor"] = _of_all(runs, "converged")
        self._runs, self._keep = runs, keep
        self._betas: Float[np.ndarray, "anchor rung"] = _of_all(runs, "beta")
        self._chosen: Int[np.ndarray, " anchor"] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def beta(self) -> Float[np.ndarray, " anchor"]:
        """β of the target of each anchor."""
        chosen = -1 if self._chosen is None else self._chosen
        return self._betas[np.arange(len(self)), chosen]

    def at_beta(self, beta: float) -> RunParts:
        """Return the same runs with another target: the rung at β of every anchor. The first rung stays.

        Raises:
            ValueError: if an anchor has no rung at this β.
        """
        other = RunParts.__new__(RunParts)
        vars(other).update(vars(self))
        other._chosen = np.array([nearest_rung(row, beta) for row in self._betas])
        return other

    def __iter__(self) -> Iterator[tuple[range, Run]]:
        """Yield the indices of some anchors, and their runs as one."""
        if isinstance(self._runs, Run):
            yield range(len(self)), self._at_target(range(len(self)), self._runs)
            return
        for numbers, run in self._runs.blocks():
            yield numbers, self._at_target(numbers, kept(run, self._keep))

    def _at_target(self, numbers: range, run: Run) -> Run:
        if self._chosen is None:
            return run
        chosen = self._chosen[numbers.start : numbers.stop]
        rungs = np.stack([np.zeros_like(chosen), chosen], axis=1) if self._chosen.all() else chosen[:, None]
        arrays = {
            name: np.stack([row[mine] for row, mine in zip(array, rungs, strict=True)])
            for name, array in run._arrays().items()
            if axes(name)[:2] == ["anchor", "rung"]
        }
        return dataclasses.replace(run, **arrays)


def _of_all(runs: Run | RunStore, name: str) -> np.ndarray:
    """Return an array with few numbers of each anchor, of all anchors."""
    if isinstance(runs, Run):
        return getattr(runs, name)
    if runs.complete.all() and not waiting(runs.path):
        return runs.read(name)
    return np.concatenate([getattr(run, name) for _, run in runs.blocks()])
