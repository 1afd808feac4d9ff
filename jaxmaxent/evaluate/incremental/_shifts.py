"""Pieces of arrays at positions that are known only when the program runs, in fixed bounds."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from jaxmaxent.evaluate import _slices as slices


class Offset:
    """A number of positions, known only when the program runs, and the least and the most it can be."""

    def __init__(self, value: Any, least: int, most: int) -> None:
        self.value, self.least, self.most = value, least, most


def shifted(array: Array, offset: Offset, size: int, axis: int, fill: Any = 0) -> Array:
    """`size` positions of an array from `offset` on, `fill` where they lie outside."""
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
    return slices.cut(array, start, size, axis)


def laid_over(array: Array, piece: Array, offset: Offset, axis: int) -> Array:
    """An array with a piece over it from `offset` on, as far as it lies inside.

    A choice element by element: what is written into a slice has to be copied before, if it is needed as it was.
    """
    size, length = piece.shape[axis], array.shape[axis]
    back = shifted(piece, Offset(-offset.value, -offset.most, -offset.least), length, axis)
    at = jnp.arange(length) - offset.value
    inside = ((at >= 0) & (at < size)).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    return jnp.where(inside, back, array)
