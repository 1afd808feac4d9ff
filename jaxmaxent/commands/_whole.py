"""All runs of a job together, in one file or in a store: their numbers, and the runs part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from jaxmaxent.results import Run, RunStore


class Whole(NamedTuple):
    """The numbers of all sequences of a job; those of a `Run` that have no more than one axis.

    Attributes:
        names: names of the sequences.
        converged: whether each has the precision wanted.
        steps: steps of each replica after burn-in.
        burn_in: steps of each replica during burn-in.
        thin: steps between two draws.
        seconds: time that blocks ran, of all processes together.
        compile_seconds: time of compiling, of all processes together.
        proposals_per_second: proposals of all replicas, per second of a process.
    """

    names: tuple[str, ...]
    converged: Bool[np.ndarray, " anchor"]
    steps: Int[np.ndarray, " anchor"]
    burn_in: int
    thin: int
    seconds: float
    compile_seconds: float
    proposals_per_second: float


def whole_of(result: Run | RunStore) -> Whole:
    """Return the numbers of all sequences of a run or a complete store."""
    if isinstance(result, Run):
        return Whole(**{name: getattr(result, name) for name in Whole._fields})
    seconds, speeds = result.read("seconds"), result.read("proposals_per_second")
    return Whole(
        names=result.names,
        converged=result.read("converged"),
        steps=result.read("steps"),
        burn_in=int(result.read("burn_in").max()),
        thin=result[0].thin,
        seconds=float(seconds.sum()),
        compile_seconds=float(result.read("compile_seconds").sum()),
        proposals_per_second=float((speeds * seconds).sum() / max(seconds.sum(), 1e-9)),
    )


def parts_of(result: Run | RunStore) -> Iterator[tuple[range, Run]]:
    """Yield the runs of some sequences at a time, with their indices: those of a store, or all of a run at once."""
    if isinstance(result, Run):
        yield range(len(result.names)), result
    else:
        yield from result.blocks()
