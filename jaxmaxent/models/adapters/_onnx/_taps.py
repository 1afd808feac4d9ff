"""Reading an axis at known places, by slices where the places follow a pattern.

Slices serve incremental evaluation, which a gather would stop.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

# Up to this factor, phases are laid between each other by padding; above it, a gather takes less time.
_PHASES = 16
# Slices are joined if there are at most so many of them.
_SLICES = 6


def taken(x: Any, axis: int, places: np.ndarray) -> Any:
    """Return the entries of x at places along an axis.

    Args:
        x: an array.
        axis: the axis.
        places: integers; one that is beyond an end means the position at the end.
    """
    length = x.shape[axis]
    places = np.clip(places, 0, length - 1)
    whole = _joined(x, axis, places)
    if whole is not None:
        return whole
    factor = len(places) // length if length and len(places) % length == 0 else 1
    if 1 < factor <= _PHASES:
        phases = [_joined(x, axis, places[i::factor]) for i in range(factor)]
        if all(phase is not None for phase in phases):
            return laid(phases, axis)
    return jnp.take(x, places, axis)


def laid(phases: list[Any], axis: int) -> Any:
    """Return arrays laid between each other along an axis: all first entries, then all second ones, and so on."""
    factor, made = len(phases), None
    for i, phase in enumerate(phases):
        edges = [(i, factor - 1 - i, factor - 1) if j == axis else (0, 0, 0) for j in range(phase.ndim)]
        apart = lax.pad(phase, jnp.zeros((), phase.dtype), edges)
        made = apart if made is None else made + apart
    return made


def weighted(x: Any, axis: int, places: np.ndarray, weights: np.ndarray) -> Any:
    """Return weighted sums of entries of x, for places and weights of the shape [length of the result, terms]."""
    before, after = x.shape[axis], len(places)
    factor = after // before if before and after % before == 0 else 1
    if not 1 < factor <= _PHASES:
        return _sum(x, axis, places, weights)
    return laid([_sum(x, axis, places[i::factor], weights[i::factor]) for i in range(factor)], axis)


def _sum(x: Any, axis: int, places: np.ndarray, weights: np.ndarray) -> Any:
    total = jnp.zeros((), x.dtype)
    first = True
    for place, weight in zip(places.T, weights.T, strict=True):
        if not weight.any():
            continue
        term = taken(x, axis, place)
        if not np.all(weight == 1):
            same = np.all(weight == weight[0])
            shape = [-1 if i == axis else 1 for i in range(x.ndim)]
            term = term * jnp.asarray(weight[0] if same else weight.reshape(shape), x.dtype)
        total, first = term if first else total + term, False
    return total


def _joined(x: Any, axis: int, places: np.ndarray) -> Any:
    """Return the entries as slices that are joined, None if that takes too many."""
    runs = _runs(places)
    if not 1 <= len(runs) <= _SLICES:
        return None
    parts = [_run(x, axis, *run) for run in runs]
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis)


def _runs(places: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the first place, the last place and the step of runs of places in equal steps; one too many at most."""
    runs, at = [], 0
    while at < len(places) and len(runs) <= _SLICES:
        steps = np.diff(places[at:])
        step = int(steps[0]) if len(steps) else 0
        if step == 0:  # the same place again, for which there is no slice of more than one
            runs.append((int(places[at]), int(places[at]), 1))
            at += 1
            continue
        other = np.flatnonzero(steps != step)
        end = at + (int(other[0]) if len(other) else len(steps))
        runs.append((int(places[at]), int(places[end]), step))
        at = end + 1
    return runs


def _run(x: Any, axis: int, first: int, last: int, step: int) -> Any:
    made = lax.slice_in_dim(x, min(first, last), max(first, last) + 1, abs(step), axis)
    return lax.rev(made, (axis,)) if step < 0 else made
