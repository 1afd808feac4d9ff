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
# An axis is extended by at most so many copies of its ends.
_COPIES = 4


def taken(x: Any, axis: int, places: np.ndarray) -> Any:
    """Return the entries of x at places along an axis.

    Args:
        x: an array.
        axis: the axis.
        places: integers; one that is beyond an end means the position at the end.
    """
    length = x.shape[axis]
    whole = _strided(x, axis, places)
    if whole is not None:
        return whole
    factor = len(places) // length if length and len(places) % length == 0 else 1
    if 1 < factor <= _PHASES:
        phases = [_strided(x, axis, places[i::factor]) for i in range(factor)]
        if all(phase is not None for phase in phases):
            return laid(phases, axis)
    return jnp.take(x, np.clip(places, 0, length - 1), axis)


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


def _strided(x: Any, axis: int, places: np.ndarray) -> Any:
    """Return the entries as one slice of x, extended by copies of its ends; None if the steps are not all the same."""
    length, middle = x.shape[axis], len(places) // 2
    if len(places) == 0 or length == 0:
        return None
    step = int(places[middle] - places[middle - 1]) if len(places) > 1 else 1
    line = int(places[middle]) + step * (np.arange(len(places)) - middle)
    if step == 0 or np.any(np.clip(line, 0, length - 1) != np.clip(places, 0, length - 1)):
        return None
    low, high = max(-int(line.min()), 0), max(int(line.max()) - length + 1, 0)
    if max(low, high) > _COPIES:
        return None
    if low or high:
        first, last = lax.slice_in_dim(x, 0, 1, 1, axis), lax.slice_in_dim(x, length - 1, length, 1, axis)
        x = jnp.concatenate([first] * low + [x] + [last] * high, axis)
    made = lax.slice_in_dim(x, int(line.min()) + low, int(line.max()) + low + 1, abs(step), axis)
    return lax.rev(made, (axis,)) if step < 0 else made
