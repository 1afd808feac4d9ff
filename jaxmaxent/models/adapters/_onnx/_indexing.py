"""Operations that read or write elements at given indices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxmaxent.models.adapters._onnx._graph import Call, to_jax
from jaxmaxent.models.adapters._onnx._taps import taken


def _wrapped(xp: Any, indices: Any, length: Any) -> Any:
    """Return indices of which negative ones count from the end."""
    return xp.where(indices < 0, indices + length, indices)


def gather(call: Call, x: Any, indices: Any) -> Any:
    """Return the entries of x at indices along an axis."""
    axis = call.get("axis", 0) % x.ndim
    if call.xp is np:
        return np.take(x, indices, axis)
    if not isinstance(indices, np.ndarray):
        return jnp.take(to_jax(x), _wrapped(jnp, indices, x.shape[axis]), axis)
    places = np.where(indices < 0, indices + x.shape[axis], indices)
    if places.size and (places.min() < 0 or places.max() >= x.shape[axis]):
        raise ValueError(f"an index is outside the axis of length {x.shape[axis]}")
    made = taken(x, axis, places.reshape(-1))
    return made.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def gather_elements(call: Call, x: Any, indices: Any) -> Any:
    """Return the elements of x at indices along an axis, at the same place along the others."""
    axis, xp = call.get("axis", 0) % x.ndim, call.xp
    x = x[tuple(slice(None) if i == axis else slice(size) for i, size in enumerate(indices.shape))]
    return xp.take_along_axis(x, _wrapped(xp, indices, x.shape[axis]), axis)


def gather_nd(call: Call, x: Any, indices: Any) -> Any:
    """Return the entries of x at tuples of indices, which the last axis of `indices` holds."""
    batch = call.get("batch_dims", 0)
    if isinstance(indices, np.ndarray) and batch == 0 and indices.shape[-1] == 1:
        return gather(replace(call, attributes={}), x, indices[..., 0])
    return x[_places(call.xp, x, indices, batch)]


def _places(xp: Any, x: Any, indices: Any, batch: int) -> tuple[Any, ...]:
    """Return the index of each axis of x, of which the first ones run with those of `indices`."""
    rank = indices.ndim - 1
    found = [np.arange(x.shape[i]).reshape([-1 if i == axis else 1 for axis in range(rank)]) for i in range(batch)]
    for i in range(indices.shape[-1]):
        found.append(_wrapped(xp, indices[..., i], x.shape[batch + i]))
    return tuple(found)


def _written(call: Call, x: Any, places: tuple[Any, ...], updates: Any) -> Any:
    at = to_jax(x).at[places]
    how = call.get("reduction", "none")
    write = {"none": at.set, "add": at.add, "mul": at.multiply, "max": at.max, "min": at.min}[how]
    return write(updates)


def scatter_nd(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    """Return x with entries at tuples of indices replaced, or joined with what was there."""
    return _written(call, x, _places(jnp, x, indices, 0), updates)


def scatter_elements(call: Call, x: Any, indices: Any, updates: Any) -> Any:
    """Return x with elements at indices along an axis replaced, or joined with what was there."""
    axis = call.get("axis", 0) % x.ndim
    places = [
        np.arange(size).reshape([-1 if i == other else 1 for other in range(x.ndim)])
        for i, size in enumerate(indices.shape)
    ]
    places[axis] = _wrapped(jnp, indices, x.shape[axis])
    return _written(call, x, tuple(places), updates)


def compress(call: Call, x: Any, condition: Any) -> Any:
    """Return the entries of x along an axis at which the condition, which must be known, holds."""
    places = np.flatnonzero(call.known("condition", condition))
    if call.get("axis") is None:
        return x.reshape(-1)[places]
    return call.xp.take(x, places, call.get("axis"))


def non_zero(call: Call, x: Any) -> Any:
    """Return the indices of elements that are not 0, which must be known."""
    return np.stack(np.nonzero(call.known("X", x))).astype(np.int64)
