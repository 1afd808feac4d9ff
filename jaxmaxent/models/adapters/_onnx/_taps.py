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
# Runs of places in equal steps are put together if there are at most so many of them.
_RUNS = 6


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
    """Return the entries as one slice for each run of places in equal steps, None if there are too many runs.

    Each slice goes on over the whole axis, and a choice by position puts them together. Joining short pieces instead
    would make the windows of incremental evaluation as long as the axis.
    """
    runs, count = _runs(places), len(places)
    if not 1 <= len(runs) <= _RUNS:
        return None
    runs.sort(key=lambda run: run[1] - run[0], reverse=True)
    common, made = runs[0][3] or 1, None
    for start, stop, first, step in runs:
        line = _line(x, axis, count, first - (step or common) * start, step or common)
        inside = (np.arange(count) >= start) & (np.arange(count) < stop)
        inside = inside.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        made = line if made is None else jnp.where(inside, line, made)
    return made


def _runs(places: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return the start, the stop, the first place and the step of each run; the step of a run of one place is 0."""
    runs, at = [], 0
    while at < len(places) and len(runs) <= _RUNS:
        steps = np.diff(places[at:])
        step = int(steps[0]) if len(steps) else 0
        other = np.flatnonzero(steps != step)
        stop = at + 1 if step == 0 else at + 1 + (int(other[0]) if len(other) else len(steps))
        runs.append((at, stop, int(places[at]), step))
        at = stop
    return runs


def _line(x: Any, axis: int, count: int, first: int, step: int) -> Any:
    """Return `count` entries in equal steps; 0 outside of the array."""
    last = first + step * (count - 1)
    if step < 0:
        return lax.rev(_line(x, axis, count, last, -step), (axis,))
    low, high = max(-first, 0), max(last - x.shape[axis] + 1, 0)
    if low or high:
        x = lax.pad(x, jnp.zeros((), x.dtype), [(low, high, 0) if i == axis else (0, 0, 0) for i in range(x.ndim)])
    return lax.slice_in_dim(x, first + low, last + low + 1, step, axis)
