"""One run out of several."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from jaxmaxent.results._run import Run


def join(runs: Sequence[Run]) -> Run:
    """Return the runs of different anchors, sampled in the same way, as one.

    They may be of different length: `energies` and `counts` of a shorter run end in NaN, and of the stored draws of a
    longer run as many are kept as the shortest has, evenly spaced.

    Raises:
        ValueError: if only some have stored draws, or they differ in the k-mers counted or in the number of replicas at
            the target.
    """
    if len({run.target_replicas for run in runs}) > 1:
        given = sorted({run.target_replicas for run in runs})
        raise ValueError(f"runs must have equally many replicas at the target to be joined, got {given}")
    if len({run.draws is None for run in runs}) > 1:
        raise ValueError("runs must all have stored draws, or none of them, to be joined, got some without")
    if len({None if run.kmer_counts is None else run.kmer_counts.shape[1:] for run in runs}) > 1:
        raise ValueError("runs must have counted the same k-mers, in equally many chains, to be joined")
    seconds = sum(run.seconds for run in runs)
    arrays = {name: [getattr(run, name) for run in runs] for name in runs[0]._arrays()}
    for name in ("energies", "counts"):
        arrays[name] = _of_one_length(arrays[name])
    if "draws" in arrays:
        fewest = min(draws.shape[2] for draws in arrays["draws"])
        arrays["draws"] = [draws[:, :, _spread(draws.shape[2], fewest)] for draws in arrays["draws"]]
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


def _spread(draws: int, kept: int) -> np.ndarray:
    """Return the indices of so many draws, evenly spaced, the last one among them."""
    return (np.arange(1, kept + 1) * draws) // kept - 1
