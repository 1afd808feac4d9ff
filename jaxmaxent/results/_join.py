"""One run out of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxmaxent.results._run import Run


def join(runs: Sequence[Run]) -> Run:
    """Return the runs of different anchors, sampled in the same way, as one.

    They may be of different length: `energies` and `counts` of a shorter run end in NaN.

    Raises:
        ValueError: if they differ in the number of stored draws, in the k-mers counted, or in the number of replicas at
            the target.
    """
    if len({run.target_replicas for run in runs}) > 1:
        given = sorted({run.target_replicas for run in runs})
        raise ValueError(f"runs must have equally many replicas at the target to be joined, got {given}")
    if len({None if run.draws is None else run.draws.shape[2] for run in runs}) > 1:
        raise ValueError("runs must have equally many stored draws to be joined")
    if len({None if run.kmer_counts is None else run.kmer_counts.shape[1:] for run in runs}) > 1:
        raise ValueError("runs must have counted the same k-mers, in equally many chains, to be joined")
    seconds = sum(run.seconds for run in runs)
    arrays = {name: [getattr(run, name) for run in runs] for name in runs[0]._arrays()}
    for name in ("energies", "counts"):
        arrays[name] = _of_one_length(arrays[name])
    return dataclasses.replace(
        runs[0],
        names=tuple(name for run in runs for name in run.names),
        outcomes=tuple(outcome for run in runs for outcome in run.outcomes),
        proposals_per_second=sum(run.proposals_per_second * run.seconds for run in runs) / max(seconds, 1e-9),
        seconds=seconds,
        compile_seconds=sum(run.compile_seconds for run in runs),
        **{name: np.concatenate(parts) for name, parts in arrays.items()},
    )


def _of_one_length(traces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return traces [anchor, rung, chain, state, …] of equally many states, filled up with NaN."""
    longest = max(trace.shape[3] for trace in traces)
    filling = [[(0, 0)] * 3 + [(0, longest - trace.shape[3])] + [(0, 0)] * (trace.ndim - 4) for trace in traces]
    return [np.pad(trace, pad, constant_values=np.nan) for trace, pad in zip(traces, filling, strict=True)]
