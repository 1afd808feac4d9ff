"""Slices at positions that are known only when the program runs; they stay slices under `jax.vmap`.

`jax.vmap` turns `lax.dynamic_slice` into a gather and `lax.dynamic_update_slice` into a scatter, even if all slices
have one position. Compilers turn these into slices again, but add masks for positions outside, a copy of the
overwritten array, and further operations. The functions here take one slice of the whole batch if its arrays share a
position.

The starts of `cut` and `put` must not be negative. If a slice would end outside, its start is moved back. The starts of
`shifted` and `laid_over` may lie outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int


def cut(array: Array, start: Any, size: int, axis: int = 0) -> Array:
    """Return the `size` positions of an array from `start` on, along an axis."""
    if array.shape[axis] == size:
        return array

    def one(array: Array, start: Int[Array, ""]) -> Array:
        return lax.dynamic_slice_in_dim(array, start, size, axis, allow_negative_indices=False)

    mapped = jax.custom_batching.custom_vmap(one)

    @mapped.def_vmap
    def many(_: int, own: list[bool], array: Array, start: Array) -> tuple[Array, bool]:
        if own[1]:
            return jax.vmap(one, in_axes=(0 if own[0] else None, 0))(array, start), True
        return cut(array, start, size, axis + 1), True

    return _differentiable(mapped, one)(array, start)


def put(array: Array, piece: Array, start: Any, axis: int = 0) -> Array:
    """Return an array after a piece was written into it from `start` on, along an axis."""
    if array.shape == piece.shape:
        return piece.astype(array.dtype)

    def one(array: Array, piece: Array, start: Int[Array, ""]) -> Array:
        return lax.dynamic_update_slice_in_dim(array, piece, start, axis, allow_negative_indices=False)

    mapped = jax.custom_batching.custom_vmap(one)

    @mapped.def_vmap
    def many(number: int, own: list[bool], array: Array, piece: Array, start: Array) -> tuple[Array, bool]:
        if own[2]:
            return jax.vmap(one, in_axes=(*[0 if its else None for its in own[:2]], 0))(array, piece, start), True
        array, piece = (
            each if its else jnp.broadcast_to(each, (number, *each.shape))
            for each, its in zip((array, piece), own, strict=False)
        )
        return put(array, piece, start, axis + 1), True

    return _differentiable(mapped, one)(array, piece, start)


class Offset:
    """A number of positions that is known only when the program runs, with its smallest and largest value."""

    def __init__(self, value: Any, least: int, most: int) -> None:
        self.value, self.least, self.most = value, least, most


def shifted(array: Array, offset: Offset, size: int, axis: int, fill: Any = 0) -> Array:
    """Return `size` positions of an array from `offset` on, with `fill` where they lie outside."""
    length = array.shape[axis]
    least, most = max(offset.least, -size), min(offset.most, length)
    if most < least:  # all outside, on one side
        least = most = max(-size, min(least, length))
    before, behind = max(0, -least), max(0, most + size - length)
    if before or behind:
        edges = [(before, behind, 0) if i == axis else (0, 0, 0) for i in range(array.ndim)]
        array = lax.pad(array, jnp.asarray(fill, array.dtype), edges)
    if least == most:
        return lax.slice_in_dim(array, least + before, least + before + size, axis=axis)
    start = jnp.clip(offset.value, least, most) + before
    return cut(array, start, size, axis)


def laid_over(array: Array, piece: Array, offset: Offset, axis: int) -> Array:
    """Return an array whose elements from `offset` on are those of a piece, as far as the piece lies inside.

    The elements are chosen one by one. Writing a slice would copy the array if the old one is still needed.
    """
    size, length = piece.shape[axis], array.shape[axis]
    back = shifted(piece, Offset(-offset.value, -offset.most, -offset.least), length, axis)
    at = jnp.arange(length) - offset.value
    inside = ((at >= 0) & (at < size)).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    return jnp.where(inside, back, array)


def _differentiable(mapped: Callable[..., Array], linear: Callable[..., Array]) -> Callable[..., Array]:
    """Return `mapped` with a gradient, which a function with its own rule for `jax.vmap` lacks.

    `linear` is the same function without that rule: of arrays, in which it is linear, and a start.
    """
    function = jax.custom_jvp(mapped)

    @function.defjvp
    def derivative(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Any]:
        out = function(*primals)
        if not jnp.issubdtype(out.dtype, jnp.inexact):
            return out, np.zeros(out.shape, jax.dtypes.float0)
        return out, linear(*tangents[:-1], primals[-1])

    return function
